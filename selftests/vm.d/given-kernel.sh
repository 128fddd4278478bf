# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A kernel that somebody has built, as a cache entry as debian-kernel.sh makes it: DIR is its tree, or
# the folder that was O= when it was built. The module is built against it, by the compiler it was
# built with.
#
#   make-args    what make has to be told of that compiler
#   cpus         1, where the kernel knows of no other

# given_kernel DIR: prints the path of the entry.
given_kernel() {
	local dir busybox stamp

	dir=$(realpath -e "$1") && given_is_built "$dir" && given_fits "$dir" || return
	stamp=$(given_stamp "$dir" 2>/dev/null) ||
		{ say "the modules of the kernel in $dir are not all built"; return 1; }
	busybox=$(busybox_list) || return
	cached "kernels/given-$(key "$dir" "$stamp" "$busybox" "$vmd/given-kernel.sh" \
		"$vmd/debian-kernel.sh" "$vmd/initramfs-init")" make_given_kernel "$dir" "$busybox"
}

given_image() { printf '%s/arch/%s/boot/%s\n' "$1" "$kernel_arch" "$image"; }

# What it was built with; .config may have been changed since.
given_config() { printf '%s/include/config/auto.conf\n' "$1"; }

has_option() { grep -qx "CONFIG_$2=[$3]" "$(given_config "$1")"; }

# What is not there, or is for another architecture, or too old, is said in one line.
given_is_built() {
	local dir=$1 release other

	[ -f "$(given_config "$dir")" ] && [ -f "$dir/include/config/kernel.release" ] ||
		{ say "no kernel is built in $dir: it lacks include/config/auto.conf or kernel.release there"; return 1; }
	has_option "$dir" "$config" y || {
		other=$(for arch in "${architectures[@]}"; do
			use_arch "$arch" && has_option "$dir" "$config" y && echo " --arch $arch"
		done)
		say "the kernel in $dir is not for $arch:${other:- it is for none of ${architectures[*]}}"
		return 1
	}
	release=$(<"$dir/include/config/kernel.release")
	[ "$(printf '%s\n' 6.1 "$release" | sort -V | head -n 1)" = 6.1 ] ||
		{ say "the kernel in $dir is $release: it must be 6.1 or later"; return 1; }
	[ -s "$(given_image "$dir")" ] ||
		{ say "no kernel is built in $dir: there is no $(given_image "$dir")"; return 1; }
}

# given_fits DIR: all that it lacks is said at once.
given_fits() {
	local dir=$1 missing

	missing=$(needed_options | while read -r how option; do
		case $how in
		n) ! has_option "$dir" "$option" y ;;
		*) has_option "$dir" "$option" "y${how#y}" ;;
		esac || printf ' CONFIG_%s=%s' "$option" "${how/m/y or m}"
	done)
	[ -z "$missing" ] || { say "the kernel in $dir is none for a guest; it lacks$missing"; return 1; }
}

# "y OPTION", "m OPTION" or "n OPTION" for each option that a guest needs, or must be without.
needed_options() {
	local how option on
	while read -r how option on; do
		case $how in
		y | m | n) [ "$option" = "${option%:}" ] || [[ " $on " = *" $arch "* ]] || continue
			echo "$how ${option%:}" ;;
		esac
	done <"$vmd/config/needed"
}

# A kernel that is built anew is another one.
given_stamp() {
	(
		cd "$1" && sha256sum "$(given_config .)" && stat -c '%n %Y %s' "$(given_image .)" &&
			sed 's/\.o$/.ko/' modules.order | xargs -r stat -c '%n %Y %s'
	) | sha256sum
}

# make_given_kernel DIR BUSYBOX-LIST ENTRY
make_given_kernel() {
	local from=$1 busybox=$2 dir=$3 release

	release=$(<"$from/include/config/kernel.release")
	say "taking the kernel $release from $from"
	echo "$release" >"$dir/release"
	given_make_args "$from" >"$dir/make-args"
	has_option "$from" SMP y || echo 1 >"$dir/cpus"
	cp "$(given_image "$from")" "$dir/vmlinuz"
	# shellcheck disable=SC2046 # one argument a word
	make -s -C "$from" $(<"$dir/make-args") INSTALL_MOD_PATH="$dir" INSTALL_MOD_STRIP=1 \
		DEPMOD=true modules_install >"$dir/log" 2>&1 ||
		{ cat "$dir/log"; return 1; }
	rm "$dir/log"
	depmod -b "$dir" "$release"
	has_option "$from" HW_RANDOM_VIRTIO ym || without_rng=yes
	make_initrd "$dir" "$release" "$busybox"
	pack_modules "$dir" "$release"
	ln -s "$from" "$dir/build"
}

# The compiler that it was built with, where it has a name of its own, and what goes with it.
given_make_args() {
	local config cc prefix='' suffix=''

	config=$(given_config "$1")
	echo "ARCH=$kernel_arch"
	if has_option "$1" CC_IS_CLANG y; then
		suffix=-$(($(sed -n 's/^CONFIG_CLANG_VERSION=//p' "$config") / 10000))
		command -v "clang$suffix" >/dev/null || suffix=''
		if has_option "$1" LD_IS_LLD y; then
			echo "LLVM=${suffix:-1}"
		else
			cross_compile
			echo "CC=clang$suffix"
		fi
		return
	fi
	cc=$(sed -nE 's/^CONFIG_CC_VERSION_TEXT=([^ ]+) .*/\1/p' "$config")
	case $cc in
	*-gcc*) prefix=${cc%gcc*} ;;
	# x86_64's is i386's, too; another one's was built where it runs
	*) [ "$kernel_arch" = x86 ] || { prefix=$triplet-; cc=$prefix$cc; } ;;
	esac
	[ -z "$prefix" ] || echo "CROSS_COMPILE=$prefix"
	! command -v "$cc" >/dev/null || echo "CC=$cc"
}
