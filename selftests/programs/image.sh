# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A release of Debian with the programs of docs/howto.md, as one read-only image beside the guest's root.
# It is made as that root is, by root.sh, of another list.

: "${vmd:?}" "${here:?}" "${without_lists:?}"

# root_packages EXTENDED-REGEX: instead of root.sh's, for this list and $release.
root_packages() {
	sed -nE "s/^$1([a-z0-9][a-z0-9.+-]*)(: $release)?\$/\\1/p" "$here/packages"
}

# programs_image RELEASE: prints the path of the image.
programs_image() {
	local entry release=$1
	entry=$(cached "root/programs-$release-$(key "$here/packages" "$here/image.sh" "$vmd/root.sh")" make_programs) ||
		return
	printf '%s/root.sqfs\n' "$entry"
}

make_programs() {
	local dir=$1

	say "building an image of $release with the programs (once, some minutes)"
	release_lines "$release" >"$dir/deb-lines"
	debian_root "$dir" --variant=essential \
		--include="$(root_packages "" | paste -sd,)" \
		--customize-hook="$(unpack_hook)" --customize-hook="$without_lists"
	pack_root "$dir"
}
