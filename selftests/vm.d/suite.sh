# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What `make test` and `make torture` share: parts that are run, tallied and summed up. Who
# sources this names the directory for the logs first, in $out.

: "${vmd:?}" "${out:?}"
vm=$vmd/../vm
at_a_time=3 # parts, for beside

# run NAME COMMAND...: COMMAND's TAP, tallied.
run() {
	local name=$1 log=$out/${1// /-}.tap start=$SECONDS
	shift
	echo "== $name"
	{
		"$@" </dev/null 2>"$log.err"
		echo "exit $?"
	} | tee "$log" | "$vmd/tally" "$name" "$out/counts" || fail "$name: nobody counted"
	# of a failed guest this is the kernel's log
	[ "$(tail -n 1 "$log")" = "exit 0" ] || cat "$log.err"
	echo "   took $((SECONDS - start)) seconds"
}

# beside NAME COMMAND...: as run, $at_a_time at a time: a guest has two CPUs and mostly waits. What is
# said comes in one piece at the end. `wait` waits for all.
beside() {
	while [ "$(jobs -rp | wc -l)" -ge "$at_a_time" ]; do
		wait -n
	done
	{ said=$(run "$@" 2>&1); printf '%s\n' "$said"; } &
}

fail() {
	say "$1"
	echo "0 1 0" >>"$out/counts"
}

# start KERNEL...: all that can take long to make is made here, where it is said aloud.
start() {
	local kernel

	rm -rf "$out"
	mkdir -p "$out"
	for kernel; do
		"$vm" prepare --kernel "$kernel" || die "no guest to test in"
	done
}

# The last line is the sum; fails if anything has failed.
sum_up() {
	echo "logs are in ${out#"$top/"}; took $SECONDS seconds"
	awk '{ p += $1; f += $2; s += $3 }
		END { print p " passed, " f " failed, " s " skipped"; exit f > 0 || p == 0 }' "$out/counts"
}

# A tree as kselftest installs it, for its own run_kselftest.sh.
install_selftests() {
	local source dir=$out/selftests
	source=$("$vm" source)/tools/testing/selftests || return
	mkdir -p "$dir"
	make -s -C "$top/selftests" KSFT="$source" OUTPUT="$top/build/selftests" \
		INSTALL_PATH="$dir/tls_drst" install || return
	cp -r "$source/kselftest" "$source/run_kselftest.sh" "$dir/"
	make -s --no-print-directory -C "$top/selftests" list | sed 's/^/tls_drst:/' >"$dir/kselftest-list.txt"
}

# own_tests NAME BUILD OPTION...: the helper's own tests, in a guest, whose kernel has kTLS.
own_tests() {
	local dir=$out/$1/userspace build=$2

	mkdir -p "$dir/build" && cp -r "$top"/userspace/{test,man} "$dir" &&
		cp -r "$build"/{ftps,drstat,test} "$dir/build" || return
	"$vm" run --timeout 1000 --log "$out/$1.log" --copy "$dir" "${@:3}" -- \
		sh -c 'modprobe tls && FTPS_NEEDS_KTLS=1 FTPS_SHORT=8 exec userspace/test/run userspace/build'
}

in_guest() {
	"$vm" run --copy "$out/selftests" --timeout 1200 "$@"
}
