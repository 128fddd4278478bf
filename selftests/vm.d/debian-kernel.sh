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

# debian_kernel FLAVOUR SERIES [SUITES]: prints the path of the entry for the newest kernel of a
# series, where it is not of the host's own release with the suites that have it.
debian_kernel() {
	local flavour=$1 series=$2 suites=${3-} list busybox

	list=$(in_release "$suites" picked "linux-$flavour" choose_kernel "$series") || return
	busybox=$(in_release '' picked busybox with_version busybox-static) || return
	cached "kernels/$flavour-$(key "$list" "$busybox" "$suites" "$vmd/debian-kernel.sh" \
		"$vmd/toolchain.sh" "$vmd/initramfs-init")" make_kernel "$list" "$busybox" "$suites"
}

# newest_kernel_package WHAT SERIES FLAVOUR: FLAVOUR as in Debian's names, cloud-amd64 or amd64.
newest_kernel_package() {
	newest_package "linux-$1-${2//./\\.}\.[^-]*(-[0-9]+)?-$3"
}

choose_kernel() {
	local image
	image=$(newest_kernel_package image "$1" cloud-amd64)
	[ -n "$image" ] || return
	with_parts "$image" "${image/image/headers}"
}

# with_parts PACKAGE...: as with_version, with the other packages of the same kernel they need.
# Since 7.x the image is in three.
with_parts() {
	local parts
	mapfile -t parts < <(apt-cache depends "$@" |
		sed -nE 's/^ *Depends: (linux-(headers|kbuild|base|binary|modules)-[0-9].*)/\1/p' | sort -u)
	with_version "$@" "${parts[@]}"
}

# make_kernel LIST BUSYBOX-LIST SUITES DIR
make_kernel() {
	local list=$1 busybox=$2 suites=$3 dir=$4 release

	say "unpacking $(head -n 1 "$list")"
	unpack "$list" "$dir" || return
	# since 7.x all is there, the image too
	if [ -d "$dir/usr/lib/modules" ]; then
		mkdir -p "$dir/lib"
		mv "$dir/usr/lib/modules" "$dir/lib/"
	fi
	release=$(basename "$dir"/lib/modules/*)
	echo "$release" >"$dir/release"
	mv "$dir/boot/vmlinuz-$release" "$dir/vmlinuz" 2>/dev/null ||
		mv "$dir/lib/modules/$release/vmlinuz" "$dir/vmlinuz" || return
	depmod -b "$dir" "$release" || return
	make_initrd "$dir" "$release" "$busybox" || return
	pack_modules "$dir" "$release" || return
	rm -rf "${dir:?}/boot"
	link_headers "$dir" "$release" || return
	name_toolchain "$list" "$suites" "$dir"
}

# debian_headers FLAVOUR SERIES [SUITES]: prints the path of an entry with no more of the newest
# kernel of a series and a flavour than it takes to build the module.
debian_headers() {
	local flavour=$1 series=$2 suites=${3-} list

	list=$(in_release "$suites" picked "headers-$series-$flavour" choose_headers \
		"$series" "$flavour") || return
	cached "headers/$series-$flavour-$(key "$list" "$suites" "$vmd/debian-kernel.sh" \
		"$vmd/toolchain.sh")" make_headers "$list" "$suites"
}

choose_headers() {
	local headers
	headers=$(newest_kernel_package headers "$1" "$2")
	[ -n "$headers" ] || return
	with_parts "$headers"
}

# make_headers LIST SUITES DIR
make_headers() {
	local list=$1 suites=$2 dir=$3 release

	unpack "$list" "$dir" || return
	release=$(head -n 1 "$list")
	release=${release#linux-headers-}
	release=${release%%=*}
	echo "$release" >"$dir/release"
	link_headers "$dir" "$release" || return
	name_toolchain "$list" "$suites" "$dir"
}

# Uncompressed: an emulated CPU reads faster than it unpacks.
pack_modules() {
	local dir=$1 release=$2

	rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
	mksquashfs "$dir/lib/modules" "$dir/modules.sqfs" -all-root -quiet -no-progress \
		-noI -noD -noF -noX >/dev/null && rm -r "${dir:?}/lib"
}

# Debian's headers name each other by the absolute paths of an installed package.
link_headers() {
	local dir=$1 release=$2

	ln -s "usr/src/linux-headers-$release" "$dir/build"
	sed -i -e 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		-e 's|^KBUILD_OUTPUT=/.*|KBUILD_OUTPUT := $(CURDIR)|' "$dir/build/Makefile"
}

# The modules that lead to the root, with what they need, in the order to load them.
initrd_modules='virtio_pci virtio_blk virtio_console virtio_rng squashfs overlay'

# A kernel that has them built in has none of them here.
make_initrd() {
	local dir=$1 release=$2 busybox=$3 tree=$1/initrd.d module n=10

	mkdir -p "$tree/modules"
	unpack "$busybox" "$tree/busybox"
	mkdir "$tree/bin"
	mv "$tree"/busybox/bin/busybox "$tree/bin/"
	rm -r "$tree/busybox"
	install -m 755 "$vmd/initramfs-init" "$tree/init"
	for module in $(module_files "$dir" "$release"); do
		case $module in
		*.xz) xz -dc "$module" ;;
		*) cat "$module" ;;
		esac >"$tree/modules/$((n++))-$(basename "${module%.xz}")"
	done
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/initrd" &&
		rm -r "$tree"
}

module_files() {
	local module
	for module in $initrd_modules; do
		modprobe -d "$1" -S "$2" --show-depends "$module" || return
	done | sed -n 's/^insmod //p' | awk '!seen[$0]++'
}
