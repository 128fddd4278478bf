# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A kernel built from Debian's source of 6.12 with a small configuration of our own: a cache
# entry as debian-kernel.sh makes it.

# own_kernel FLAVOUR CONFIG...: prints the path of the entry for a kernel configured by the files
# CONFIG of config/ and nothing else. A line "# make: ARGUMENT..." there is for make, a line
# "# module: ARGUMENT..." for that of the module.
own_kernel() {
	local flavour=$1 list busybox configs
	shift

	configs=("${@/#/$vmd/config/}")
	! foreign || { say "$flavour is a kernel for x86_64"; return 1; }
	list=$(source_list) || return
	busybox=$(busybox_list) || return
	cached "kernels/$flavour-$(key "$list" "$busybox" "$vmd/own-kernel.sh" \
		"$vmd/debian-kernel.sh" "$vmd/initramfs-init" "${configs[@]}")" \
		make_own_kernel "$flavour" "$list" "$busybox" "${configs[@]}"
}

# make_own_kernel FLAVOUR SOURCE-LIST BUSYBOX-LIST CONFIG... DIR
make_own_kernel() {
	local flavour=$1 list=$2 busybox=$3 dir=${*: -1} source release arguments
	local configs=("${@:4:$#-4}")

	source=$dir/source
	say "building the kernel '$flavour' (once, about ten minutes)"
	mkdir "$source"
	linux_source "$list" | tar -x -C "$source" --strip-components=1 \
		--exclude='*/drivers/gpu/*.[ch]'
	arguments=$(sed -n 's/^# make: //p' "${configs[@]}")
	sed -nE 's/^# (make|module): //p' "${configs[@]}" | cat - <(echo W=1) | xargs >"$dir/make-args"
	configure "$source" "$flavour" "${configs[@]}"
	# shellcheck disable=SC2086 # one argument a word
	make -s -C "$source" $arguments -j "$(nproc)" bzImage modules >"$dir/log" 2>&1 ||
		{ tail -n 40 "$dir/log"; return 1; }
	# shellcheck disable=SC2086
	make -s -C "$source" $arguments INSTALL_MOD_PATH="$dir" modules_install >"$dir/log" 2>&1 ||
		{ cat "$dir/log"; return 1; }
	# shellcheck disable=SC2086
	release=$(make -s -C "$source" $arguments kernelrelease)
	echo "$release" >"$dir/release"
	cp "$source/arch/$kernel_arch/boot/$image" "$dir/vmlinuz"
	make_initrd "$dir" "$release" "$busybox"
	pack_modules "$dir" "$release"
	keep_headers "$source"
	ln -s source "$dir/build"
	rm "$dir/log"
}

# linux_source LIST: the tar archive in a package of the kernel's source.
linux_source() {
	dpkg-deb --fsys-tarfile "$(deb_file "$(head -n 1 "$1")")" |
		tar -xO --wildcards '*/linux-source-*.tar.xz' | xz -dc
}

# configure SOURCE FLAVOUR CONFIG...: a setting that the kernel has not taken is an error.
configure() {
	local source=$1 flavour=$2 all=$1/.config.wanted lost
	shift 2

	cat "$@" >"$all"
	echo "CONFIG_LOCALVERSION=\"-$flavour\"" >>"$all"
	# shellcheck disable=SC2086,SC2154 # make_own_kernel's
	make -s -C "$source" $arguments KCONFIG_ALLCONFIG="$all" allnoconfig >"$source/.config.log" 2>&1 ||
		{ cat "$source/.config.log"; return 1; }
	lost=$(grep '^CONFIG_' "$all" | grep -vxFf "$source/.config" || true)
	[ -z "$lost" ] || { say "the kernel did not take: ${lost//$'\n'/, }"; return 1; }
}

# What modules are built with is a small part of a built tree.
keep_headers() {
	find "$1" -mindepth 1 -maxdepth 1 -type d \
		! -name include ! -name scripts ! -name arch ! -name tools -exec rm -rf {} +
	find "$1/arch" -mindepth 1 -maxdepth 1 -type d ! -name "$kernel_arch" -exec rm -rf {} +
	find "$1/tools" -mindepth 1 -maxdepth 1 -type d ! -name objtool ! -name include \
		-exec rm -rf {} +
	find "$1/arch" "$1/tools" -name '*.[oa]' -delete
	rm -f "$1"/vmlinux* "$1"/System.map "$1"/*.a
}
