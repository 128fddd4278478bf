# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What `release` makes and `verify` makes again.

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=$(dirname "$here")
me=${0##*/}
sums=SHA256SUMS

# A commit is what its name says.
export GIT_NO_REPLACE_OBJECTS=1

say() { printf '%s: %s\n' "$me" "$*"; }
die() { printf '%s: %s\n' "$me" "$*" >&2; exit 1; }

# in_clone COMMAND...: git, on this tree and no other that it is in.
in_clone() { git -C "$top" "$@"; }

need_clone() {
	local said

	command -v git >/dev/null || die "no git: apt-get install git"
	said=$(in_clone rev-parse --show-toplevel 2>&1)
	[ "$said" = "$top" ] || die "this wants a git clone, which $top is not: $said"
}

need_gpg() { command -v gpg >/dev/null || die "no gpg: apt-get install gpg gpg-agent"; }

# No question is asked, and no key fetched.
gpg_batch() { gpg --batch --no-tty --no-auto-key-retrieve "$@"; }

# fingerprints OPTION...: of the primary keys that gpg lists.
fingerprints() {
	gpg_batch --with-colons "$@" 2>/dev/null | awk -F: '/^(pub|sec):/ { next_one = 1 }
		/^fpr:/ && next_one { print $10; next_one = 0 }'
}

# archive VERSION COMMIT: what is committed as a tar archive: the same bytes whoever makes it.
archive() {
	in_clone -c tar.umask=0022 archive --format=tar --prefix="tls_drst-$1/" "$2"
}

# -T1: the number of CPUs does not show in the bytes, nor what else the environment asks of xz.
pack() { env -u XZ_OPT -u XZ_DEFAULTS xz -6 -T1 -c; }
