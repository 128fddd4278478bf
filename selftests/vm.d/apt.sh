# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Debian packages by the machine's own apt: its mirrors, its keys, its verification.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suites='' # of another release: see in_release

# Debian 13's and what is newer still.
# shellcheck disable=SC2034 # those who source this use it
newer_suites='trixie trixie-backports'

apt_update() {
	if [ -n "$suites" ]; then
		make_apt_root || return
		say "apt-get update, for $suites"
		apt-get -qq update >&2
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

# release_lines SUITE...: the same for other suites. They are where this machine's own release is,
# and are signed with keys that its keyring knows.
release_lines() (
	unset -v APT_CONFIG
	suites=''
	have_lists || apt_update
	# shellcheck source=/dev/null
	. /etc/os-release
	for suite; do
		debian_targets "deb [signed-by=$keyring] \$(REPO_URI) $suite \$(COMPONENT)" \
			"Codename: $VERSION_CODENAME"
	done | sort -u
)

# in_release SUITES COMMAND...: COMMAND, for which apt knows these suites and nothing else, or,
# where SUITES is empty, what the machine's own does. The machine's apt is left as it is.
in_release() {
	local suites=$1
	[ -z "$suites" ] || local -x APT_CONFIG="$cache/apt/${suites// /_}/apt.conf"
	shift
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
}

# newest_package REGEX: the newest package whose name matches.
newest_package() {
	apt-cache pkgnames | grep -Ex "$1" | sort -V | tail -n 1
}

# with_version PACKAGE...: PACKAGE=VERSION lines of what apt would install.
with_version() {
	local package
	for package; do
		apt-cache show --no-all-versions "$package" |
			sed -n "s/^Version: /$package=/p"
	done
}

deb_file() {
	local name=${1%%=*} version=${1#*=}
	printf '%s/debs/%s_%s.deb\n' "$cache" "$name" "${version//:/%3a}"
}

# download_list FILE: the packages of its PACKAGE=VERSION lines into the cache, unless there.
download_list() {
	local name line missing=() tmp deb status
	while read -r line; do
		[ -e "$(deb_file "$line")" ] || missing+=("$line")
	done <"$1"
	[ ${#missing[@]} -gt 0 ] || return 0
	name=$(basename "$1" .new)
	say "downloading for $name: ${#missing[@]} packages"
	mkdir -p "$cache/debs"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# unsandboxed: apt's own user cannot write into our cache
	(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "${missing[@]}" </dev/null >&2)
	status=$?
	for line in "${missing[@]}"; do
		deb=$(deb_file "$line")
		mv "$tmp/$(basename "${deb%.deb}")"_*.deb "$deb" || status=1
	done
	rm -rf "$tmp"
	return $status
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
		mv "$list.new" "$list"
}

# unpack LIST DIR: all packages of a picked list into one tree.
unpack() {
	local line
	while read -r line; do
		dpkg-deb -x "$(deb_file "$line")" "$2" || return
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
