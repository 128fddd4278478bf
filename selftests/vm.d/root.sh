# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The guest's root: a small Debian of the host's release as one read-only image.

# root_packages EXTENDED-REGEX: the packages on the list whose line starts so.
root_packages() {
	sed -nE "s/^$1([a-z0-9][^[:space:]]*)\$/\\1/p" "$vmd/root-packages"
}

# prints the path of the image
root_image() {
	local entry what=("$vmd/root-packages" "$vmd/root.sh")

	if foreign; then
		entry=$(cached "root/$arch-$(key "${what[@]}" "$older_root")" make_foreign_root)
	else
		[ "$(host_release)" = bookworm ] || what+=("$(host_release)")
		entry=$(cached "root/$(key "${what[@]}")" make_root)
	fi || return
	printf '%s/root.sqfs\n' "$entry"
}


make_root() {
	local dir=$1

	say "building the guest's root image (once, about two minutes)"
	deb_lines >"$dir/deb-lines"
	debian_root "$dir" --variant=essential \
		--include="$(root_packages "" | paste -sd,)" \
		--customize-hook="$(unpack_hook)" --customize-hook="$without_lists"
	pack_root "$dir"
}

# Of another architecture nothing runs here, maintainer scripts neither: the packages are unpacked, and
# what tests need of the rest is made by root_by_hand.
make_foreign_root() {
	local dir=$1

	say "building the guest's root image for $arch (once, about two minutes)"
	# shellcheck disable=SC2086
	release_lines $older_root >"$dir/deb-lines"
	debian_root "$dir" --variant=extract --architectures="$debian" \
		--include='?essential' --include="$(root_packages "" | paste -sd,)" \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--extract-hook="$(unpack_hook)" --extract-hook="$(root_by_hand)" \
		--extract-hook="$without_lists"
	pack_root "$dir"
}

# Uncompressed: an emulated CPU reads faster than it unpacks.
pack_root() {
	local dir=$1

	# it complains of the archive's entry for the root itself, whose mode it is therefore told
	sqfstar -no-progress -quiet -noI -noD -noF -noX -root-mode 755 "$dir/root.sqfs" \
		<"$dir/root.tar" >"$dir/log" 2>&1 || { cat "$dir/log"; return 1; }
	rm "$dir/root.tar" "$dir/log"
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

# Runs in mmdebstrap: what the scripts of base-files, base-passwd and ca-certificates do, and the
# alternatives.
root_by_hand() {
	cat <<-'HOOK'
		set -e
		cd "$1"
		for file in passwd group; do
			[ -s "etc/$file" ] || cp "usr/share/base-passwd/$file.master" "etc/$file"
		done
		printf 'ftp:x:101:65534::/srv/ftp:/usr/sbin/nologin\n' >>etc/passwd
		sed 's/^\([^:]*\):.*/\1:*:19000:0:99999:7:::/' etc/passwd >etc/shadow
		chmod 640 etc/shadow
		[ -e etc/nsswitch.conf ] || cp usr/share/libc-bin/nsswitch.conf etc/
		[ -e etc/profile ] || cp usr/share/base-files/profile etc/
		mkdir -p srv/ftp var/log etc/ssl/certs
		[ -e var/run ] || ln -s /run var/run
		[ -e var/lock ] || ln -s /run/lock var/lock
		[ -e usr/bin/awk ] || ln -s mawk usr/bin/awk
		[ -e usr/bin/nc ] || [ ! -e usr/bin/nc.openbsd ] || ln -s nc.openbsd usr/bin/nc
		[ -e usr/bin/which ] || ln -s which.debianutils usr/bin/which
		find usr/share/ca-certificates -name '*.crt' -exec cat {} + >etc/ssl/certs/ca-certificates.crt
	HOOK
}
