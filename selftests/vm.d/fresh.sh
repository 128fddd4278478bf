# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Fresh systems of Debian, for checks that install things: a root that is made once and stays as it is,
# and over it what one check writes.

# fresh_root DIR OPTION...: mmdebstrap, from DIR/deb-lines into DIR, without what is for the roots of
# guests and compilers alone: packages that are installed later bring all of their files.
fresh_root() {
	say "building a root of Debian to try things in (once, some minutes)"
	debian_tree "$@" --customize-hook='rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"' \
		--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*'
}

in_user_namespace() {
	local ids
	read -r _ _ ids </proc/self/uid_map
	[ "$ids" = 1 ]
}

# fresh_systems [DIR]: sets $systems, the directory that they are mounted in, and $written, that of what
# is written to them: in DIR, or in memory. It is for a mount namespace of its own, where mounts
# end with it.
fresh_systems() {
	systems=$(mktemp -d) && mount -t tmpfs -o mode=755 systems "$systems" || exit
	written=$systems/written
	[ -z "${1-}" ] || written=$(mktemp -d "$1/written.XXXXXX") || exit
	trap 'umount -l "$systems" && rmdir "$systems"; rm -rf "$written"' EXIT
}

# fresh_system NAME ROOT: one in $systems/NAME, over ROOT. What it writes is in $written/NAME.
fresh_system() {
	local dir=$systems/$1 upper=$written/$1 work=$written/$1.work options

	options=lowerdir=$2,upperdir=$upper,workdir=$work
	# Without root, an overlay keeps its notes in other attributes.
	! in_user_namespace || options+=,userxattr
	mkdir -p "$dir" "$upper" "$work" && mount -t overlay -o "$options" "$1" "$dir" &&
		mount --rbind /dev "$dir/dev" && mount --rbind /proc "$dir/proc" || exit
}
