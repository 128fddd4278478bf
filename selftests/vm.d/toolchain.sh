# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What builds modules for kernels of another release of Debian than the host's: a small root of
# that release with its make and its compiler.

# name_toolchain LIST KBUILD-LIST SUITES ENTRY: notes in a kernel's entry what its module is built
# with: the suites, the compiler, and what the programs depend on that come with the headers.
name_toolchain() {
	local list=$1 kbuild=$2 suites=$3 entry=$4 compiler

	[ -n "$suites" ] || return 0
	compiler=$(sed -nE 's/^CC = .*(gcc-[0-9]+)$/\1/p' "$entry/build/.kernelvariables")
	[ -n "$compiler" ]
	{
		echo "$suites"
		{
			if foreign; then
				echo "$compiler-$triplet"
				headers_depend "$kbuild"
			else
				echo "$compiler"
				headers_depend "$list"
			fi
		} | grep -v '^linux-' | sort -u
	} >"$entry/toolchain"
}

# toolchain ENTRY: prints the path of the root that a kernel's entry names, or nothing.
toolchain() {
	[ -e "$1/toolchain" ] || return 0
	cached "toolchain/$(key "$1/toolchain" "$vmd/toolchain.sh")" make_toolchain "$1/toolchain"
}

# make_toolchain NAMED DIR
make_toolchain() {
	local named=$1 dir=$2 suites

	read -r suites <"$named"
	say "building a root of $suites to compile in (once, about two minutes)"
	# shellcheck disable=SC2086
	release_lines $suites >"$dir/deb-lines"
	# perl: W=1 has kernel-doc look at the comments, and 6.12's is in Perl
	debian_tree "$dir" --variant=essential \
		--include="binutils,make,perl,$(tail -n +2 "$named" | paste -sd,)" \
		--customize-hook="$without_lists"
}

# in_toolchain ROOT COMMAND...: there, with this tree and the cache in their places.
in_toolchain() {
	local how=(--mount)

	[ "$(id -u)" = 0 ] || how+=(--map-root-user)
	# shellcheck disable=SC2016 # the inner shell's
	unshare "${how[@]}" sh -c '
		PATH=/usr/sbin:/usr/bin:/sbin:/bin root=$1
		for dir in /dev /proc "$2" "$3"; do
			mkdir -p "$root$dir" && mount --rbind "$dir" "$root$dir" || exit
		done
		shift 3
		unset TMPDIR
		exec chroot "$root" "$@"
	' sh "$1" "$top" "$cache" "${@:2}"
}

# kernel_make ENTRY ARGUMENT...: make, in the headers of a kernel's entry.
kernel_make() {
	local root
	root=$(toolchain "$1") || return
	if [ -n "$root" ]; then
		in_toolchain "$root" make -C "$1/build" "${@:2}"
	else
		make -C "$1/build" "${@:2}"
	fi
}
