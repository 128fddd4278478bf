# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The systems that `install` and `secure-boot` work in, of roots.sh's two; what both do there. Those who source this
# run in a mount namespace, and without root in a user namespace, too: what is mounted ends with it. The
# two roots stay as they are: see fresh.sh.

: "${top:?}"

# start_systems BUILD-ROOT MACHINE-ROOT OUT: sets $tmp, the directory of the systems `build` and `machine`.
start_systems() {
	local disk=''

	# Without root, an overlay's notes cannot be in memory.
	! in_user_namespace || disk=$3
	fresh_systems "$disk"
	tmp=$systems
	system build "$1"
	system machine "$2"
}

# system NAME ROOT: a system with this tree in /tree.
system() {
	local dir=$systems/$1

	fresh_system "$@"
	mkdir "$dir/tree" && mount --bind "$top" "$dir/tree" || exit
}

# in_system NAME COMMAND...
in_system() {
	chroot "$tmp/$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS=nocheck "${@:2}" </dev/null
}

on_machine() { in_system machine "$@"; }

# Not as a user of its own: in a user namespace of one there is none.
apt_get() { on_machine sh -c "apt-get -qq -o APT::Sandbox::User=root $*"; }

# `make test` runs user space's tests: hence nocheck.
build_packages() {
	in_system build /tree/packaging/deb /deb && cp "$tmp"/build/deb/tls-drst-{dkms,tools}_*.deb "$tmp/machine/root/"
}

# Without a network: all that the packages depend on is there.
install_packages() {
	apt_get install '/root/*.deb' && rm "$tmp"/machine/root/*.deb
}

# modinfo_says KERNEL FIELD: of the module that modprobe would load.
modinfo_says() { on_machine modinfo -k "$1" -F "$2" tls_drst; }

# built_by_dkms KERNEL VERSION: compressed, where the kernel's own modules are.
built_by_dkms() {
	on_machine dkms status "tls_drst/$2" | grep -F ", $1, x86_64: installed" &&
		[[ $(modinfo_says "$1" filename) = "/lib/modules/$1/updates/dkms/tls_drst.ko"?(.xz) ]] &&
		[ "$(modinfo_says "$1" version)" = "$2" ]
}

# signed MODULE CERTIFICATE: by that key, over all of the module. The signature is at its end:
# PKCS#7, 12 bytes whose last 4 are its length, and a line of 28.
signed() {
	local module=$1 bytes length

	tail -c 28 "$module" | grep -aqx '~Module signature appended~' || return
	read -ra bytes < <(tail -c 32 "$module" | head -c 4 | od -An -tu1)
	length=$((((bytes[0] * 256 + bytes[1]) * 256 + bytes[2]) * 256 + bytes[3]))
	head -c "-$((length + 40))" "$module" >"$tmp/signed"
	tail -c "$((length + 40))" "$module" | head -c "$length" >"$tmp/signature"
	openssl x509 -inform DER -in "$2" -out "$tmp/certificate" &&
		openssl cms -verify -binary -inform DER -in "$tmp/signature" -content "$tmp/signed" \
			-certfile "$tmp/certificate" -nointern -noverify -out /dev/null
}

# copy_module KERNEL FILE: what DKMS has built, not compressed.
copy_module() {
	local file
	file=$tmp/machine$(modinfo_says "$1" filename) &&
		if [[ $file = *.xz ]]; then xz -dc "$file"; else cat "$file"; fi >"$2"
}

# signed_by_dkms KERNEL
signed_by_dkms() {
	copy_module "$1" "$tmp/built.ko" && signed "$tmp/built.ko" "$tmp/machine/var/lib/dkms/mok.pub"
}

# make_disk FILE [EXCLUDED]...: of the machine, for the guest: uncompressed, as the guest's own root; without
# what only a compiler reads.
make_disk() {
	mksquashfs "$tmp/machine" "$1" -all-root -quiet -no-progress -noI -noD -noF -noX \
		-wildcards -e 'tree/*' 'proc/*' 'dev/*' 'boot/*' 'usr/src/linux-*' 'usr/lib/gcc' 'usr/include' "${@:2}"
}
