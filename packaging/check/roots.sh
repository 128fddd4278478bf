# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The two fresh systems of the host's release that `check` works in, cached like the guest's root:
# one to build the packages in, and the machine that they are installed on.

# build_root: prints its path. What it has beyond the least is what debian/control asks for.
build_root() {
	cached "packaging/build-$(key "$here/roots.sh" "$vmd/fresh.sh" "$(build_depends)")" make_build_root
}

build_depends() {
	sed -nE '/^Build-Depends:/,/^[^ ]/{ s/^(Build-Depends:)? *//; s/^([a-z0-9.+-]+).*/\1/p }' \
		"$top/debian/control"
}

make_build_root() {
	make_system essential "$(echo build-essential fakeroot lintian && build_depends)" "$1"
}

# machine KERNEL-LIST LATER-LIST...: prints its path: what debootstrap installs, with the kernel of a picked
# list, its headers, dkms, openssl and mokutil; what the kernels of the later lists need, too; and
# Prometheus, whose services in-machine starts by hand.
machine() {
	cached "packaging/machine-$(key "$here/roots.sh" "$vmd/fresh.sh" "$@")" make_machine "$@"
}

# make_machine LIST... DIR
make_machine() {
	local dir=${*: -1} debs later

	mapfile -t debs < <(deb_files "$1")
	set -- "${@:2:$#-2}"
	mapfile -t later < <(deb_files "$@")
	make_system important "$(echo apt dkms mokutil openssl prometheus prometheus-node-exporter &&
		kernel_depends "${debs[@]}" "${later[@]}")" "$dir" \
		--customize-hook="copy-in ${debs[*]} /tmp" \
		--customize-hook='chroot "$1" sh -c "dpkg -i /tmp/*.deb && rm /tmp/*.deb"' \
		--customize-hook='cd "$1/etc/systemd/system" && for name in "" -node-exporter; do
			ln -sf /dev/null "prometheus$name.service"; done'
}

# deb_files LIST...
deb_files() {
	local line
	cat "$@" | while read -r line; do deb_file "$line"; done
}

# kernel_depends DEB...: what packages need, each other left out.
kernel_depends() {
	local deb
	for deb; do
		dpkg-deb -f "$deb" Depends
	done | tr , '\n' | sed -nE 's/^ *([^ |]+).*/\1/p' | sort -u |
		grep -vxFf <(for deb; do dpkg-deb -f "$deb" Package; done)
}

# make_system VARIANT PACKAGES DIR [HOOK]...
make_system() {
	local variant=$1 packages=$2 dir=$3
	shift 3

	deb_lines >"$dir/deb-lines"
	fresh_root "$dir" --variant="$variant" --include="$(paste -sd, <<<"${packages// /,}")" "$@"
}
