# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Debian packages by the machine's own apt: its mirrors, its keys, its verification.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suites='' # of another release: see in_release
packages_arch='' # of another architecture: see in_apt

# Debian 13's and what is newer still.
# shellcheck disable=SC2034 # those who source this use it
newer_suites='trixie trixie-backports'
# Debian 12's, which has the kernels 6.1 and 6.12; not all architectures are in its security suite.
# shellcheck disable=SC2034
older_suites='bookworm bookworm-updates bookworm-security bookworm-backports'
# The least of them, for the guests of other architectures and what is linked for them.
# shellcheck disable=SC2034
older_root='bookworm bookworm-updates'

# The release of Debian that this machine has, by its codename.
host_release() (
	# shellcheck source=/dev/null
	. "${OS_RELEASE-/etc/os-release}" 2>/dev/null || true
	printf '%s\n' "${VERSION_CODENAME-}"
)

# Elsewhere, one line says what there is.
known_host() {
	case $(host_release)-$(dpkg --print-architecture 2>/dev/null) in
	bookworm-amd64 | trixie-amd64) ;;
	*) say "this runs on Debian 12 (bookworm) and Debian 13 (trixie), amd64"; return 1 ;;
	esac
}

apt_update() {
	if [ -n "$suites" ]; then
		make_apt_root || return
		say "apt-get update, for $suites${packages_arch:+ on $packages_arch}"
		# one suite that its mirror is just changing is no reason to do without the others
		apt-get -qq update >&2 || have_lists
	else
		say "apt-get update"
		as_root apt-get -qq update >&2
	fi
}

# debian_targets FORMAT [FILTER]...: Debian's package lists, one line each in the form that apt's
# option wants.
debian_targets() {
	apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian' "${@:2}"
}

# A fresh machine or container has no package lists yet.
have_lists() {
	[ -z "$suites" ] || [ -e "$APT_CONFIG" ] || return
	[ -n "$(debian_targets '$(FILENAME)')" ]
}

# The deb lines of this machine's Debian mirrors, for a root of the same release.
deb_lines() {
	have_lists || apt_update
	debian_targets "deb [signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" | sort -u
}

# release_lines SUITE...: the same for other suites. They are where this machine's own release is, its
# security suite where that is, and are signed with keys that its keyring knows.
release_lines() (
	unset -v APT_CONFIG
	suites=''
	have_lists || apt_update
	host=$(host_release)
	for suite; do
		case $suite in
		*-security) like=$host-security ;;
		*) like=$host ;;
		esac
		debian_targets "deb [signed-by=$keyring] \$(REPO_URI) $suite \$(COMPONENT)" \
			"Codename: $like" || exit
	done | sort -u
)

# in_release SUITES COMMAND...: COMMAND, for which apt knows these suites and nothing else, or,
# where SUITES is empty, what the machine's own does. The machine's apt is left as it is.
in_release() { in_apt '' "$@"; }

# in_apt ARCHITECTURE SUITES COMMAND...: the same for the packages of another architecture, as Debian
# calls it; then there have to be SUITES.
in_apt() {
	local packages_arch=$1 suites=$2
	[ -z "$suites" ] ||
		local -x APT_CONFIG="$cache/apt/${suites// /_}${packages_arch:+-$packages_arch}/apt.conf"
	shift 2
	"$@"
}

make_apt_root() {
	local dir=${APT_CONFIG%/*} lines

	# shellcheck disable=SC2086
	lines=$(release_lines $suites) && [ -n "$lines" ] ||
		{ say "this machine's apt has no mirror of Debian's"; return 1; }
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf '%s\n' "$lines" >"$dir/sources.list"
	: >"$dir/status"
	cat >"$APT_CONFIG" <<-EOT
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$dir/lists";
		Dir::State::Status "$dir/status";
		Dir::Cache "$dir/cache";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
	EOT
	[ -z "$packages_arch" ] || cat >>"$APT_CONFIG" <<-EOT
		APT::Architecture "$packages_arch";
		APT::Architectures { "$packages_arch"; };
	EOT
}

# with_version PACKAGE...: PACKAGE=VERSION lines of what apt would install; PACKAGE:ARCHITECTURE where
# that is another. All, or it fails.
with_version() {
	local package version
	for package; do
		version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p') &&
			[ -n "$version" ] || return
		printf '%s\n' "$package${packages_arch:+:$packages_arch}=$version"
	done
}

# deb_name LINE: as apt names its file, up to the architecture.
deb_name() {
	local name=${1%%=*} version=${1#*=}
	printf '%s_%s\n' "${name%:*}" "${version//:/%3a}"
}

deb_file() {
	local name=${1%%=*} of=''
	[[ $name != *:* ]] || of=_${name#*:}
	printf '%s/debs/%s%s.deb\n' "$cache" "$(deb_name "$1")" "$of"
}

# download_list FILE: the packages of its PACKAGE=VERSION lines into the cache, unless there.
download_list() {
	local name line missing=() tmp status
	while read -r line; do
		[ -e "$(deb_file "$line")" ] || missing+=("$line")
	done <"$1"
	[ ${#missing[@]} -gt 0 ] || return 0
	name=$(basename "$1" .new)
	say "downloading for $name: ${#missing[@]} packages"
	mkdir -p "$cache/debs" && tmp=$(mktemp -d "$cache/tmp.XXXXXX") || return
	take_debs "$tmp" "${missing[@]}"
	status=$?
	rm -rf "$tmp"
	return $status
}

# take_debs DIR PACKAGE=VERSION...: all or none: of what apt could not finish, it leaves the start under the
# whole's name. Unsandboxed: apt's own user cannot write into our cache.
take_debs() {
	local dir=$1 line
	shift
	(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" </dev/null >&2) || return
	for line; do
		mv "$dir/$(deb_name "$line")"_*.deb "$(deb_file "$line")" || return
	done
}

# picked NAME COMMAND...: a file with the PACKAGE=VERSION lines that COMMAND chose once, all of
# them downloaded. The choice stays until `vm update`, so a warm machine asks nobody.
picked() {
	locked "picked-$1" pick_and_download "$@" >&2 || return
	printf '%s\n' "$cache/picked/$1"
}

pick_and_download() {
	local list=$cache/picked/$1
	shift
	if [ -z "${pick_anew-}" ] && [ -s "$list" ] && download_list "$list"; then
		return 0
	fi
	have_lists || apt_update
	# lists older than the archive name packages that are gone: then once more with new ones
	pick "$list" "$@" || { apt_update && pick "$list" "$@"; } ||
		{ say "cannot get the packages for $(basename "$list")"; return 1; }
}

pick() {
	local list=$1
	shift
	mkdir -p "$(dirname "$list")"
	"$@" >"$list.new" && [ -s "$list.new" ] && download_list "$list.new" &&
		mv "$list.new" "$list" || { rm -f "$list.new"; return 1; }
}

# unpack LIST DIR: all packages of a picked list into one tree.
unpack() {
	local line
	while read -r line; do
		dpkg-deb -x "$(deb_file "$line")" "$2"
	done <"$1"
}

# Drops the packages that are on no list any more. Their mtime is the archive's: hence -ctime.
prune_debs() {
	local line
	[ -d "$cache/debs" ] || return 0
	{
		cat "$cache"/picked/* | while read -r line; do deb_file "$line"; done
		find "$cache/debs" -ctime -1
	} | sort | comm -13 - <(find "$cache/debs" -name '*.deb' | sort) | xargs -r -d '\n' rm -f
}

# What no root here has a use for.
root_without=(
	--dpkgopt='path-exclude=/usr/share/doc/*'
	--dpkgopt='path-exclude=/usr/share/man/*'
	--dpkgopt='path-exclude=/usr/share/locale/*'
)
# shellcheck disable=SC2034
without_lists='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/*'

# debian_root DIR OPTION...: mmdebstrap, from DIR/deb-lines into DIR/root.tar; heard only where it fails.
debian_root() {
	mmdebstrap --quiet --format=tar "${@:2}" "${root_without[@]}" '' "$1/root.tar" - \
		<"$1/deb-lines" >"$1/log" 2>&1 || { cat "$1/log"; return 1; }
	rm "$1/deb-lines" "$1/log"
}

# debian_tree DIR OPTION...: the same, unpacked.
debian_tree() {
	debian_root "$@"
	tar -x -f "$1/root.tar" -C "$1" --exclude='./dev/*'
	rm "$1/root.tar"
}
