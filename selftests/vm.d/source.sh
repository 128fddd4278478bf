# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The parts of the kernel's source that the tests are built on and the style is checked with.

source_parts='
	tools/testing/selftests/Makefile
	tools/testing/selftests/*.h
	tools/testing/selftests/lib.mk
	tools/testing/selftests/kselftest
	tools/testing/selftests/run_kselftest.sh
	tools/testing/selftests/net/tls.c
	tools/testing/selftests/net/tcp_inq.c
	tools/testing/selftests/net/tcp_mmap.c
	tools/testing/selftests/net/mptcp/mptcp_connect.c
	tools/testing/selftests/bpf/test_sockmap.c
	tools/testing/selftests/bpf/progs/test_sockmap_kern.c
	tools/testing/selftests/bpf/progs/test_sockhash_kern.c
	tools/testing/selftests/bpf/prog_tests/sockmap_ktls.c
	tools/testing/selftests/bpf/cgroup_helpers.c
	include/linux/args.h
	tools/testing/selftests/net/config
	tools/testing/selftests/net/settings
	scripts/subarch.include
	scripts/checkpatch.pl
	scripts/kernel-doc
	scripts/spelling.txt
	scripts/const_structs.checkpatch
	Documentation/dev-tools/checkpatch.rst
'

# prints the path of the tree
source_tree() {
	local list
	list=$(source_list) || return
	cached "source/$(key "$list" "$vmd/source.sh")" unpack_source "$list"
}

# Debian 12 has it as 13 does.
source_list() { in_release '' picked source with_version linux-source-6.12; }

unpack_source() {
	local list=$1 dir=$2 part patterns=()

	say "unpacking parts of $(head -n 1 "$list")"
	for part in $source_parts; do
		patterns+=("linux-source-*/$part")
	done
	set -f
	linux_source "$list" | tar -x -C "$dir" --strip-components=1 --wildcards "${patterns[@]}"
}
