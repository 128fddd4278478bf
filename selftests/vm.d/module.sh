# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# tls_drst.ko for a test kernel, built from the tree in build/RELEASE/.

# built_module KERNEL-ENTRY [COPY-TO]: prints the path of the module. A copy is made under the
# lock, so that nobody builds it anew meanwhile.
built_module() {
	local entry=$1 release dir
	release=$(<"$entry/release")
	dir=$top/build/$release
	locked "module-$(key "$dir")" build_and_copy "$entry" "$dir" "${2-}" >&2 || return
	printf '%s/tls_drst.ko\n' "$dir"
}

build_and_copy() {
	build_module "$1" "$2" || return
	[ -z "$3" ] || cp "$2/tls_drst.ko" "$3"
}

module_sources() {
	(cd "$top" && find Kbuild module -name '*.[ch]' -o -name Kbuild | sort)
}

# Whether to build is told by what the sources hold, not by their times: a file that git brings
# back is older than its object. So only what differs is copied, and is new then.
build_module() {
	local entry=$1 dir=$2 now file

	now=$(cd "$top" && module_sources | xargs sha256sum)$entry
	if [ "$now" = "$(cat "$dir/made-from" 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$dir/module"
	rm -f "$dir/made-from"
	for file in "$dir"/module/*.[ch]; do
		[ -e "$top/module/${file##*/}" ] || rm -f "$file"
	done
	for file in $(module_sources); do
		cmp -s "$top/$file" "$dir/$file" || cp "$top/$file" "$dir/$file" || return
	done
	kernel_make "$entry" M="$dir" W=1 KCFLAGS=-Werror modules >"$dir/log" 2>&1 ||
		{ cat "$dir/log"; say "the module does not build"; return 1; }
	# what modpost and objtool find is no error to make
	if grep -E '(warning|WARNING):' "$dir/log"; then
		say "the module does not build cleanly"
		return 1
	fi
	printf '%s' "$now" >"$dir/made-from"
}
