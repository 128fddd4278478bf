# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# tls_drst.ko and the modules of the selftests for a test kernel, built from the tree in build/RELEASE/.

# built_module KERNEL-ENTRY [COPY-TO]: prints the path of the module. A copy is made under the
# lock, so that nobody builds it anew meanwhile.
built_module() {
	local dir
	dir=$top/build/$(<"$1/release")
	locked "module-$(key "$dir")" build_and_copy "$1" "$top" "$dir" "${2-}" >&2 || return
	printf '%s/tls_drst.ko\n' "$dir"
}

# built_test_modules KERNEL-ENTRY [COPY-TO]: prints the path of the directory that they are in.
built_test_modules() {
	local dir
	dir=$top/build/$(<"$1/release")/selftests
	locked "module-$(key "$dir")" build_and_copy "$1" "$top/selftests/modules" "$dir" "${2-}" >&2 ||
		return
	printf '%s\n' "$dir"
}

# build_and_copy KERNEL-ENTRY FROM DIR COPY-TO
build_and_copy() {
	build_module "$1" "$2" "$3" || return
	[ -z "$4" ] || cp "$3"/*.ko "$4"
}

# make_args ENTRY: what the make of a kernel is told. W=1 is for those whose headers stand it.
make_args() {
	if [ -e "$1/make-args" ]; then cat "$1/make-args"; else cross_compile && echo W=1; fi
}

# The sources below the working directory: Kbuild, and what is beside it or in module/.
module_sources() {
	find . -maxdepth 2 ! -name '*.mod.c' \
		\( -path ./Kbuild -o -regex '\./[^/]*\.c' -o -path './module/*.[ch]' \) | sort
}

# Whether to build is told by what the sources hold, not by their times: a file that git brings
# back is older than its object. So only what differs is copied, and is new then.
#
# build_module KERNEL-ENTRY FROM DIR
build_module() {
	local entry=$1 from=$2 dir=$3 now file

	now=$(cd "$from" && module_sources | xargs sha256sum)$entry
	if [ "$now" = "$(cat "$dir/made-from" 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$dir/module"
	# Objects for another kernel of this name look new: make sees the names of headers and their times.
	[[ $(cat "$dir/made-from" 2>/dev/null) = *"$entry" ]] || rm -f "$dir"/{,module/}*.o
	rm -f "$dir/made-from"
	(cd "$dir" && module_sources) | while read -r file; do
		[ -e "$from/$file" ] || rm -f "$dir/$file"
	done
	for file in $(cd "$from" && module_sources); do
		cmp -s "$from/$file" "$dir/$file" || cp "$from/$file" "$dir/$file" || return
	done
	# shellcheck disable=SC2046 # one argument a word
	kernel_make "$entry" $(make_args "$entry") M="$dir" KCFLAGS=-Werror modules >"$dir/log" 2>&1 ||
		{ cat "$dir/log"; say "the module does not build"; return 1; }
	# what modpost and objtool find is no error to make
	if grep -E '(warning|WARNING):' "$dir/log"; then
		say "the module does not build cleanly"
		return 1
	fi
	printf '%s' "$now" >"$dir/made-from"
}
