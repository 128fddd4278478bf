# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What `make test` and `make torture` share: parts that are run, tallied and summed up. Who
# sources this names the directory for the logs first, in $out.

: "${vmd:?}" "${out:?}"
vm=$vmd/../vm
at_a_time=3 # parts, for beside

# run NAME COMMAND...: COMMAND's TAP, tallied. Where nobody counts, sum_up finds out.
run() {
	local name=$1 log=$out/${1// /-}.tap start=$SECONDS
	shift
	echo "== $name"
	{
		"$@" </dev/null 2>"$log.err" 8>&-
		echo "exit $?"
	} | tee "$log" | "$vmd/tally" "$name" "$log.counts"
	echo $((SECONDS - start)) >"$log.seconds"
	# of a failed guest this is the kernel's log
	[ "$(tail -n 1 "$log")" = "exit 0" ] || cat "$log.err"
	echo "   took $((SECONDS - start)) seconds"
}

# row NAME ARCH KERNEL WHAT: what part NAME comes to is a row of the table in docs/kernels.md, which
# kernels-table makes of build/*/rows.
row() {
	local release
	release=$("$vm" release --arch "$2" --kernel "$3") &&
		printf '%s\t' "${1// /-}" "$2" "$release" "$4" >>"$out/rows.parts" &&
		echo >>"$out/rows.parts"
}

write_rows() {
	local part arch release what host
	[ -e "$out/rows.parts" ] || return 0
	# shellcheck source=/dev/null
	host=$(. /etc/os-release && echo "Debian $VERSION_ID")
	while IFS=$'\t' read -r part arch release what _; do
		[ -e "$out/$part.tap.counts" ] && [ -e "$out/$part.tap.seconds" ] || continue
		printf '%s\t' "$arch" "$release" "$what" "$host" "$(date +%F)"
		paste - "$out/$part.tap.seconds" <"$out/$part.tap.counts" | tr ' ' '\t'
	done <"$out/rows.parts" >"$out/rows"
}

# beside NAME COMMAND...: as run, $at_a_time at a time: a guest has two CPUs and mostly waits. What is
# said comes in one piece at the end. `wait` waits for all.
beside() {
	while [ "$(jobs -rp | wc -l)" -ge "$at_a_time" ]; do
		wait -n
	done
	printf '%s\n' "$1" >>"$out/parts"
	{ said=$(run "$@" 2>&1); printf '%s\n' "$said"; } &
}

# fail NAME WHY: of a part that was not even begun.
fail() {
	say "$1: $2"
	printf '%s\n' "$1" >>"$out/parts"
	echo "0 1 0" >"$out/${1// /-}.tap.counts"
}

# The counts of all parts; a part may have died without a word.
counts() {
	local part
	while IFS= read -r part; do
		cat "$out/${part// /-}.tap.counts" || { say "$part: nobody counted"; echo "0 1 0"; }
	done <"$out/parts"
}

# start KERNEL...: all that can take long to make is made here, where it is said aloud.
start() {
	local kernel lock=$top/build/.${out##*/}.lock

	mkdir -p "$top/build"
	exec 8>"$lock"
	flock -n 8 || die "another run is at work in ${out#"$top/"}: wait for its end"
	rm -rf "$out"
	mkdir -p "$out"
	for kernel; do
		"$vm" prepare --kernel "$kernel" || die "no guest to test in"
	done
}

# The last line is the sum; fails if anything has failed.
sum_up() {
	write_rows
	echo "logs are in ${out#"$top/"}; took $SECONDS seconds"
	counts | awk '{ p += $1; f += $2; s += $3 }
		END { print p " passed, " f " failed, " s " skipped"; exit f > 0 || p == 0 }'
}

# install_selftests [ARCH]: in $out, or $out/ARCH, by the kernel's own Makefile: our folder is linked into
# its tree, and what it would build is there already.
# shellcheck disable=SC2120 # not all who source this give arguments
install_selftests() {
	local source dir=$out${1:+/$1} programs
	source=$("$vm" source) || return
	programs=$("$vm" selftests "${@:2}" --arch "${1:-x86_64}") || return
	rm -rf "$dir"/{source,kselftest,selftests}
	# with its times: a header that looks new has everything built again
	mkdir -p "$dir/kselftest" && cp -a "$source" "$dir/source" &&
		ln -s "$top/selftests" "$dir/source/tools/testing/selftests/tls_drst" &&
		ln -s "$programs" "$dir/kselftest/tls_drst" &&
		make -s --no-print-directory -C "$dir/source/tools/testing/selftests" TARGETS=tls_drst \
			O="$dir" KSFT_INSTALL_PATH="$dir/selftests" FORCE_TARGETS=1 install
}

# own_tests NAME BUILD OPTION...: those of the helper's own tests that use TLS, in a guest, whose kernel has
# kTLS. With $FTPS_KTLS_ONLY, only those that kTLS matters to.
own_tests() {
	local dir=$out/$1/userspace build=$2

	mkdir -p "$dir/build" && cp -r "$top"/userspace/test "$dir" &&
		cp -r "$build"/{ftps,test} "$dir/build" || return
	"$vm" run --timeout 1000 --log "$out/$1.log" --copy "$dir" "${@:3}" -- \
		env ${FTPS_KTLS_ONLY+FTPS_KTLS_ONLY=} \
		sh -c 'modprobe tls && FTPS_NEEDS_KTLS=1 FTPS_SHORT=8 exec userspace/test/run userspace/build \
			stream_test check.py hostile.py'
}

# A directory is called by its whole path: of two kernels' the last parts may be the same.
name_of() {
	case $1 in
	*/*) realpath "$1" | sed 's/^.//; y/\//-/' ;;
	*) printf '%s\n' "$1" ;;
	esac
}

in_guest() {
	"$vm" run --copy "$out/selftests" --timeout 3600 "$@"
}

# in_guest_of ARCH OPTION...: the same where CPUs are another kind.
in_guest_of() {
	"$vm" run --arch "$1" --copy "$out/$1/selftests" --timeout 3000 "${@:2}"
}

# half 1|2: every other program.
half() {
	sed -n "$1~2s/^/ -t /p" "$out/selftests/kselftest-list.txt"
}

# programs NAME...: only these, by kselftest's runner.
programs() {
	local program
	for program; do
		printf ' -t tls_drst:%s' "$program"
	done
}

# kselftests NAME ARCH KERNEL GUEST..., kselftests_absent likewise: all of them, with the module and without.
# GUEST: in_guest, or in_guest_of and its ARCH.
kselftests() {
	row "$1" "$2" "$3" 'all, with the module'
	beside "$1" "${@:4}" --kernel "$3" --log "$out/$1.log" -- selftests/run_kselftest.sh
}

kselftests_absent() {
	row "$1 without the module" "$2" "$3" 'all, without the module'
	beside "$1 without the module" "${@:4}" --kernel "$3" --no-module --log "$out/$1-absent.log" -- \
		env TLS_DRST_ABSENT=1 selftests/run_kselftest.sh
}
