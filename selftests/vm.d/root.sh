# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The guest's root: a small Debian of the host's release as one read-only image.

# root_packages EXTENDED-REGEX: the packages on the list whose line starts so.
root_packages() {
	sed -nE "s/^$1([a-z0-9][^[:space:]]*)\$/\\1/p" "$vmd/root-packages"
}

# prints the path of the image
root_image() {
	local entry
	entry=$(cached "root/$(key "$vmd/root-packages" "$vmd/root.sh")" make_root) || return
	printf '%s/root.sqfs\n' "$entry"
}

# Uncompressed: an emulated CPU reads faster than it unpacks.
make_root() {
	local dir=$1

	say "building the guest's root image (once, about two minutes)"
	deb_lines >"$dir/deb-lines"
	mmdebstrap --quiet --variant=essential --format=tar \
		--include="$(root_packages "" | paste -sd,)" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$(unpack_hook)" \
		--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/*' \
		'' "$dir/root.tar" - <"$dir/deb-lines" || return
	# it complains of the archive's entry for the root itself, whose mode it is therefore told
	sqfstar -no-progress -quiet -noI -noD -noF -noX -root-mode 755 "$dir/root.sqfs" \
		<"$dir/root.tar" >"$dir/log" 2>&1 || { cat "$dir/log"; return 1; }
	rm "$dir/root.tar" "$dir/deb-lines" "$dir/log"
}

# Runs in mmdebstrap, with its apt configuration in the environment.
unpack_hook() {
	cat <<-'HOOK' | sed "s/PACKAGES/$(root_packages '[+] ' | paste -sd' ')/"
		set -e
		dir=$(mktemp -d)
		cd "$dir"
		apt-get -qq -o APT::Sandbox::User=root download PACKAGES
		for deb in *.deb; do
			dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$1" --keep-directory-symlink
		done
		rm -r "$dir"
	HOOK
}
