# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What all parts of the runner share: where things are, how to speak, how to fill the cache.

vmd=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # those who source this use it
top=$(cd "$vmd/../.." && pwd)
cache=${TLS_DRST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tls_drst}

# A user's PATH in Debian is without depmod and its like.
PATH=$PATH:/usr/sbin:/sbin

# the test kernels that `make test` is about: what --kernel takes
# shellcheck disable=SC2034
read -ra kernels <<<"${KERNELS:-6.1 6.12 7}"

# shellcheck source=arch.sh
. "$vmd/arch.sh"

say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The programs that the runner itself is made of, and the packages that they are in.
tools='cpio:cpio depmod:kmod dpkg-deb:dpkg gcc:gcc make:make mksquashfs:squashfs-tools mmdebstrap:mmdebstrap
	newuidmap:uidmap setpriv:util-linux unshare:util-linux xz:xz-utils'

# lacking PROGRAM:PACKAGE...: the packages whose programs are not here.
lacking() {
	local tool
	for tool; do
		command -v "${tool%:*}" >/dev/null || printf ' %s' "${tool#*:}"
	done
}

have_tools() {
	local missing
	# shellcheck disable=SC2086 # one a word
	missing=$(lacking $tools)
	[ -z "$missing" ] || { say "missing packages, which \`make deps\` installs:$missing"; return 1; }
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# key FILE|TEXT...: a short name for a cache entry, made of everything that makes it.
key() {
	local part
	for part; do
		if [ -f "$part" ]; then cat "$part"; else printf '%s\n' "$part"; fi
	done | sha256sum | cut -c1-12
}

# locked NAME COMMAND...: one holder at a time on this machine, however many runs there are.
locked() {
	local name=$1
	shift
	mkdir -p "$cache/lock"
	(
		flock 9 || exit
		"$@" 9>&-
	) 9>"$cache/lock/$name"
}

# cached ENTRY COMMAND...: the path of a cache entry. Where it is missing, COMMAND fills an
# empty directory, given as its last argument, which takes the entry's name only when complete:
# COMMAND is a maker, which `strictly` runs.
cached() {
	local entry=$cache/$1
	shift
	[ -e "$entry" ] || locked "$(basename "$entry")" fill_entry "$entry" "$@" || return
	# a sign of use, by which prune tells old entries
	touch -c -h "$entry"
	printf '%s\n' "$entry"
}

# In a shell of its own, that of locked.
fill_entry() {
	local entry=$1 tmp
	shift
	[ ! -e "$entry" ] || return 0
	mkdir -p "$(dirname "$entry")" && tmp=$(mktemp -d "$cache/tmp.XXXXXX") && chmod 755 "$tmp" || return
	# when it is told to stop, too
	# shellcheck disable=SC2064
	trap "rm -rf ${tmp@Q}" EXIT
	# what unpacks an archive into it makes it look old to prune
	strictly "$@" "$tmp" >&2 && touch "$tmp" && mv "$tmp" "$entry" || return
	prune
	return 0
}

# strictly FUNCTION ARGUMENT...: in a shell of its own, where each command that fails ends it, the middle
# of a function not excepted. A shell does not do this where anybody asks for a function's status, so
# makers do not: there is no "|| return" in them. FUNCTION knows the caller's functions and variables.
strictly() {
	"$BASH" <(
		declare -f
		variables
		cat <<-'EOT'
			set -euE -o pipefail
			shopt -s inherit_errexit
			trap 'say "failed: $BASH_COMMAND"' ERR
			"$@"
		EOT
	) "$@"
}

# The variables that there are, as declarations; without the shell's own.
variables() {
	local name
	for name in $(compgen -v); do
		case $name in
		BASH* | COMP* | DIRSTACK | EPOCH* | EUID | FUNCNAME | GROUPS | HIST* | IFS | LINENO | OPT* | PIPESTATUS | \
			PPID | RANDOM | SECONDS | SHELL* | SHLVL | SRANDOM | UID | _ | name) ;;
		*) declare -p "$name" 2>/dev/null ;;
		esac
	done
}

# Drops what no run has used for two weeks: earlier kernels and images, and what was cut short.
# What is half made belongs to another run, and an archive gives it and what is in it old times.
prune() {
	local old

	# what is cut short in the middle must not keep its name
	old=$(mktemp -d "$cache/tmp.XXXXXX") &&
		find "$cache" -mindepth 2 -maxdepth 2 ! -path "$cache/tmp.*" -type d -mtime +14 \
			-exec mv -t "$old" {} + && rm -rf "$old"
	find "$cache" -maxdepth 1 -name 'tmp.*' -ctime +1 -exec rm -rf {} +
	prune_debs
}
