# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A kernel of Debian's as a cache entry: what `vm run` boots and what the module is built against.
#
#   release      its name, as in uname -r
#   vmlinuz      the image
#   modules.sqfs what is mounted on /lib/modules
#   initrd       just enough to mount the root: see initramfs-init
#   usr/src/...  the headers, and the link `build` to them

# debian_kernel FLAVOUR SERIES: prints the path of the entry for the newest kernel of a series.
debian_kernel() {
	local flavour=$1 series=$2 list busybox

	list=$(picked "linux-$flavour" choose_kernel "$series") || return
	busybox=$(picked busybox with_version busybox-static) || return
	cached "kernels/$flavour-$(key "$list" "$busybox" "$vmd/debian-kernel.sh" "$vmd/initramfs-init")" \
		make_kernel "$list" "$busybox"
}

choose_kernel() {
	local image headers needed
	image=$(newest_package "linux-image-${1//./\\.}\..*-cloud-amd64")
	[ -n "$image" ] || return
	headers=${image/image/headers}
	mapfile -t needed < <(apt-cache depends "$headers" |
		sed -nE 's/^ *Depends: (linux-(headers|kbuild)-.*)/\1/p')
	with_version "$image" "$headers" "${needed[@]}"
}

make_kernel() {
	local list=$1 busybox=$2 dir=$3 release

	say "unpacking $(head -n 1 "$list")"
	unpack "$list" "$dir" || return
	release=$(basename "$dir"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	echo "$release" >"$dir/release"
	mv "$dir/boot/vmlinuz-$release" "$dir/vmlinuz"
	depmod -b "$dir" "$release" || return
	make_initrd "$dir" "$release" "$busybox" || return
	pack_modules "$dir" "$release" || return
	rm -r "${dir:?}/boot"
	link_headers "$dir" "$release"
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
	sed -i 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		"$dir/build/Makefile"
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
