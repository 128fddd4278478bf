# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The selftests for the architecture that all is about, built in build/selftests/, or build/selftests-ARCH/.

# built_selftests KERNEL-ENTRY: prints the path of the directory with the programs.
built_selftests() {
	local dir=$top/build/selftests

	! foreign || dir+=-$arch
	locked "selftests-$(key "$dir")" build_selftests "$1" "$dir" >&2 || return
	printf '%s\n' "$dir"
}

# build_selftests KERNEL-ENTRY DIR [ARGUMENT]...: by the selftests' own Makefile.
build_selftests() {
	local entry=$1 dir=$2 source tools sysroot compiler
	shift 2

	source=$(source_tree)/tools/testing/selftests || return
	set -- make -s --no-print-directory -C "$top/selftests" KSFT="$source" OUTPUT="$dir" "$@"
	foreign || { "$@"; return; }
	tools=$(toolchain "$entry") && sysroot=$(sysroot) || return
	compiler=$(sed -nE 's/^(gcc-[0-9]+)-.*/\1/p' "$entry/toolchain")
	in_toolchain "$tools" "$@" CC="$triplet-$compiler --sysroot=$sysroot"
}

# What programs for another architecture are linked with: prints its path. It is the guests' release.
sysroot() {
	cached "root/$arch-sysroot-$(key "$vmd/selftests.sh" "$older_root")" make_sysroot
}

make_sysroot() {
	local dir=$1

	say "unpacking libraries of $arch to link with"
	# shellcheck disable=SC2086
	release_lines $older_root >"$dir/deb-lines"
	debian_tree "$dir" --variant=extract --architectures="$debian" \
		--include='libc6-dev,libssl-dev' --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr
}
