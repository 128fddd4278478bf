# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A kernel of Debian's as a cache entry: what `vm run` boots and what the module is built against.
#
#   release      its name, as in uname -r
#   vmlinuz      the image
#   modules.sqfs what is mounted on /lib/modules
#   initrd       just enough to mount the root: see initramfs-init
#   usr/src/...  the headers, and the link `build` to them
#   toolchain    where modules for it are not built with the host's compiler: see toolchain.sh

# debian_kernel FLAVOUR SERIES [SUITES [AGE]]: prints the path of the entry for the newest kernel of a
# series, or where AGE is oldest that; where it is not of the older release with the suites that have it.
debian_kernel() {
	local flavour=$1 series=$2 age=${4-newest} suites list kbuild busybox

	suites=$(kernel_suites "${3-}") || return
	list=$(of_arch "$suites" "linux-$flavour" choose_kernel "$series" "$flavour_package" "$age") ||
		return
	kbuild=$(kbuild_list "$list" "$suites") && busybox=$(busybox_list) || return
	cached "kernels/$flavour-$(key "$list" "$kbuild" "$busybox" "$suites" "$arch" \
		"$vmd/debian-kernel.sh" "$vmd/toolchain.sh" "$vmd/initramfs-init")" \
		make_kernel "$list" "$kbuild" "$busybox" "$suites"
}

# kernel_suites SUITES: what is the older release's is the host's own on Debian 12.
kernel_suites() {
	if [ -n "$1" ]; then
		printf '%s\n' "$1"
	elif foreign || [ "$(host_release)" != bookworm ]; then
		printf '%s\n' "$older_suites"
	fi
}

# of_arch SUITES NAME COMMAND...: `picked`, of the architecture that all is about.
of_arch() {
	local suites=$1 name=$2
	! foreign || name+=-$arch
	in_apt "$(foreign_packages)" "$suites" picked "$name" "${@:3}"
}

busybox_list() {
	if foreign; then
		of_arch "$older_suites" busybox with_version busybox-static
	else
		in_release '' picked busybox with_version busybox-static
	fi
}

# kbuild_list LIST SUITES: the programs that modules are built with are this machine's, whatever the
# kernel on LIST is. Prints the empty file for one that has them itself.
kbuild_list() {
	local package

	foreign || { echo /dev/null; return; }
	package=$(headers_depend "$1" | grep "^linux-kbuild-") || return
	in_release "$2" picked "headers-$package" with_version "$package"
}

# headers_depend LIST: the packages that the headers on it depend on, one a line.
headers_depend() {
	local line

	while read -r line; do
		case $line in
		linux-headers-* | linux-kbuild-*) dpkg-deb -f "$(deb_file "$line")" Depends ;;
		esac
	done <"$1" | tr , '\n' | sed -nE 's/^ *([^ |]+).*/\1/p' | sort -u
}

# kernel_packages WHAT SERIES FLAVOUR: oldest first; FLAVOUR as in Debian's names, cloud-amd64 or amd64.
kernel_packages() {
	apt-cache pkgnames | grep -Ex "linux-$1-${2//./\\.}\.[^-]*(-[0-9]+)?-$3" | sort -V
}

# of_age oldest|newest: one of the lines that it reads, which are sorted.
of_age() {
	case $1 in
	oldest) sed -n 1p ;;
	newest) sed -n '$p' ;;
	esac
}

# choose_kernel SERIES FLAVOUR AGE: of those whose image and headers are there: the archive forgets
# headers sooner, and has new ones before it has a signed image.
choose_kernel() {
	local image
	image=$({ kernel_packages image "$1" "$2" && kernel_packages headers "$1" "$2" |
		sed s/headers/image/; } | sort -V | uniq -d | of_age "$3")
	[ -n "$image" ] || return
	with_parts "$image" "${image/image/headers}"
}

# with_parts PACKAGE...: as with_version, with the other packages of the same kernel they need.
# Since 7.x the image is in three. Another architecture's programs are no use here.
with_parts() {
	local parts what='headers|base|binary|modules'
	[ -n "$packages_arch" ] || what+='|kbuild'
	mapfile -t parts < <(apt-cache depends "$@" |
		sed -nE "s/^ *Depends: (linux-($what)-[0-9].*)/\\1/p" | sort -u)
	[ ${#parts[@]} -gt 0 ] || return
	with_version "$@" "${parts[@]}"
}

# make_kernel LIST KBUILD-LIST BUSYBOX-LIST SUITES DIR
make_kernel() {
	local list=$1 kbuild=$2 busybox=$3 suites=$4 dir=$5 release

	say "unpacking $(head -n 1 "$list")"
	unpack "$list" "$dir"
	unpack "$kbuild" "$dir"
	# since 7.x all is there, the image too
	if [ -d "$dir/usr/lib/modules" ]; then
		mkdir -p "$dir/lib"
		mv "$dir/usr/lib/modules" "$dir/lib/"
	fi
	release=$(basename "$dir"/lib/modules/*)
	echo "$release" >"$dir/release"
	if [ -e "$dir/boot/vmlinuz-$release" ]; then
		mv "$dir/boot/vmlinuz-$release" "$dir/vmlinuz"
	else
		mv "$dir/lib/modules/$release/vmlinuz" "$dir/vmlinuz"
	fi
	depmod -b "$dir" "$release"
	make_initrd "$dir" "$release" "$busybox"
	pack_modules "$dir" "$release"
	rm -rf "${dir:?}/boot"
	link_headers "$dir" "$release"
	name_toolchain "$list" "$kbuild" "$suites" "$dir"
}

# debian_headers FLAVOUR SERIES [SUITES [AGE]]: prints the path of an entry with no more of a kernel of
# a series and a flavour than it takes to build the module: the newest, or where AGE is oldest that.
debian_headers() {
	local flavour=$1 series=$2 suites age=${4-newest} name list kbuild

	suites=$(kernel_suites "${3-}") || return
	name=headers-$series-$flavour${3:+-${3%% *}}
	[ "$age" = newest ] || name+=-$age
	list=$(of_arch "$suites" "$name" choose_headers "$series" "$flavour" "$age") &&
		kbuild=$(kbuild_list "$list" "$suites") || return
	cached "headers/$series-$flavour-$(key "$list" "$kbuild" "$suites" "$arch" \
		"$vmd/debian-kernel.sh" "$vmd/toolchain.sh")" make_headers "$list" "$kbuild" "$suites"
}

choose_headers() {
	local headers
	headers=$(kernel_packages headers "$1" "$2" | of_age "$3")
	[ -n "$headers" ] || return
	with_parts "$headers"
}

# make_headers LIST KBUILD-LIST SUITES DIR
make_headers() {
	local list=$1 kbuild=$2 suites=$3 dir=$4 release

	unpack "$list" "$dir"
	unpack "$kbuild" "$dir"
	release=$(head -n 1 "$list")
	release=${release#linux-headers-}
	release=${release%%[:=]*}
	echo "$release" >"$dir/release"
	link_headers "$dir" "$release"
	name_toolchain "$list" "$kbuild" "$suites" "$dir"
}

# Uncompressed: an emulated CPU reads faster than it unpacks.
pack_modules() {
	local dir=$1 release=$2

	rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
	mksquashfs "$dir/lib/modules" "$dir/modules.sqfs" -all-root -quiet -no-progress \
		-noI -noD -noF -noX >/dev/null
	rm -r "${dir:?}/lib"
}

# Debian's headers name each other by the absolute paths of an installed package.
link_headers() {
	local dir=$1 release=$2

	ln -s "usr/src/linux-headers-$release" "$dir/build"
	sed -i -e 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		-e 's|^KBUILD_OUTPUT=/.*|KBUILD_OUTPUT := $(CURDIR)|' "$dir/build/Makefile"
}

# The modules that lead to the root, with what they need, in the order to load them.
initrd_modules() {
	echo "$bus_driver" virtio_blk virtio_console squashfs overlay
	[ -n "${without_rng-}" ] || echo virtio_rng
}

# A kernel that has them built in has none of them here.
make_initrd() {
	local dir=$1 release=$2 busybox=$3 tree=$1/initrd.d modules module n=10

	mkdir -p "$tree/modules" "$tree/bin"
	unpack "$busybox" "$tree/busybox"
	# /bin, or since Debian 13 /usr/bin
	find "$tree/busybox" -path '*/bin/busybox' -exec mv {} "$tree/bin/" \;
	[ -x "$tree/bin/busybox" ]
	rm -r "$tree/busybox"
	install -m 755 "$vmd/initramfs-init" "$tree/init"
	modules=$(module_files "$dir" "$release")
	for module in $modules; do
		case $module in
		*.xz) xz -dc "$module" ;;
		*.gz) gzip -dc "$module" ;;
		*.zst) zstd -qdc "$module" ;;
		*) cat "$module" ;;
		esac >"$tree/modules/$((n++))-$(basename "${module%.ko*}").ko"
	done
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/initrd"
	rm -r "$tree"
}

# A kernel without one of them, built in or not, is none that a guest can boot.
module_files() {
	local module
	for module in $(initrd_modules); do
		modprobe -d "$1" -S "$2" --show-depends "$module"
	done | sed -n 's/^insmod //p' | awk '!seen[$0]++'
}
