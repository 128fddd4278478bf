# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# `vm run`: one boot for one command.

run='' # this run's directory
qemu='' # process id of QEMU's keeper, while it runs
qemu_status=''

vm_run() {
	local kernel=6.12 load=yes module_args='' copies=() copies_out=() copy_out_to=. timeout=300
	local memory=2048 log='' disk='' plugin='' cpus='' entry root accel icount='' certificate=''

	while [ $# -gt 0 ]; do
		case $1 in
		--no-module) load='' ; shift; continue ;;
		--icount) icount=yes; shift; continue ;;
		--) shift; break ;;
		--*) [ $# -gt 1 ] || usage_error "$1 wants a value" ;;
		*) usage_error "the command comes after --" ;;
		esac
		case $1 in
		--kernel) kernel=$2 ;;
		--arch) use_arch "$2" || usage_error "no such architecture: $2 (there are: ${architectures[*]})" ;;
		--module-args) module_args=$2 ;;
		--copy) [ -e "$2" ] || usage_error "no such file: $2"; copies+=("$2") ;;
		--secure-boot) [ -f "$2" ] || usage_error "no such file: $2"; certificate=$2 ;;
		--disk) [ -f "$2" ] || usage_error "no such file: $2"; disk=$2 ;;
		--copy-out) copies_out+=("$2") ;;
		--copy-out-to) copy_out_to=$2 ;;
		--timeout) timeout=$2 ;;
		--memory) memory=$2 ;;
		--cpus) cpus=$2 ;;
		--plugin) [ -f "${2%%,*}" ] || usage_error "no such file: ${2%%,*}"; plugin=$2 ;;
		--log) log=$2 ;;
		*) usage_error "unknown option: $1" ;;
		esac
		shift 2
	done
	[ $# -gt 0 ] || usage_error "no command"
	[[ $timeout =~ ^[1-9][0-9]*$ ]] || usage_error "not a number of seconds: $timeout"
	[[ $memory =~ ^[1-9][0-9]*$ ]] || usage_error "not a number of MiB: $memory"
	[[ $cpus =~ ^([1-9][0-9]*)?$ ]] || usage_error "not a number of CPUs: $cpus"

	[ -z "$icount" ] || ! foreign || usage_error "--icount is for x86_64"
	[ -z "$icount" ] || [ -z "$cpus" ] || usage_error "--icount has one CPU"
	[ -z "$certificate" ] || ! foreign || usage_error "--secure-boot is for x86_64"
	entry=$(kernel_entry "$kernel") || exit 125
	[ -z "$certificate" ] || grep -aq 'Debian Secure Boot' "$entry/vmlinuz" ||
		usage_error "--secure-boot is for kernels that Debian has signed, which $kernel is not"
	root=$(root_image) && qemu_entry >/dev/null &&
		accel=$(accelerator "$entry") &&
		run=$(mktemp -d "${TMPDIR:-/tmp}/tls_drst-vm.XXXXXX") || exit 125
	[ -z "$plugin" ] || accel=$tcg
	[ -z "$icount" ] || accel=$tcg_icount
	[ -n "$cpus" ] || cpus=$(default_cpus)
	# firmware, shim and GRUB are slow where they are emulated
	[ -z "$certificate" ] || boot_timeout=600 spare_time=600
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	stage "$@"
	boot
	finish
}

# The signal goes through timeout, which passes it on.
clean_up() {
	trap '' INT TERM HUP
	[ -z "$qemu" ] || { kill -TERM "$qemu" && wait; } 2>/dev/null
	rm -rf "$run"
}

# stage COMMAND...: what is laid over the guest's root: the run's parameters in /run/vm, and the
# working directory, /root.
stage() {
	local disk=$run/disk vm=$run/disk/run/vm work=$run/disk/root file

	mkdir -p "$vm" "$work"
	install -m 755 "$vmd/guest-init" "$vm/init"
	# where it is not to be loaded, a tree without a module that builds will do
	mkdir "$work/modules"
	{ built_module "$entry" "$work" && built_test_modules "$entry" "$work/modules"; } >/dev/null ||
		[ -z "$load" ] || exit 125
	for file in ${copies[@]+"${copies[@]}"}; do
		cp -RH --preserve=mode,timestamps -- "$file" "$work/" || exit 125
	done
	[ -z "$load" ] || printf '%s\n' "$module_args" >"$vm/insmod"
	printf '%s\n' "$timeout" >"$vm/timeout"
	printf '%s\n' "$cpus" >"$vm/cpus"
	printf '%s\0' "$@" >"$vm/command"
	[ ${#copies_out[@]} = 0 ] || printf '%s\0' "${copies_out[@]}" >"$vm/copy-out"
	tar -c --owner=0 --group=0 -f "$run/disk.tar" -C "$disk" . && rm -r "$disk"
}

default_cpus() {
	if [ "$accel" = "$tcg_icount" ]; then
		echo 1
	elif [ -e "$entry/cpus" ]; then
		cat "$entry/cpus"
	else
		echo 2
	fi
}

# A guest is up by then, even with a debug kernel on a busy host, or never.
boot_timeout=300 # seconds
# What QEMU has beyond the command's time, to boot and to end.
spare_time=180

# boot: runs the machine to its end. The guest itself ends a command that takes too long; the
# bounds here are for one that never starts it, or that can no longer.
boot() {
	local args watchers

	for file in verdict stdout stderr files kernel-log console; do
		: >"$run/$file"
	done
	qemu_args "$entry" "$root" "$run" "$memory" "$cpus" "$disk" "$plugin" >"$run/qemu-args" || exit 125
	mapfile -t args <"$run/qemu-args"
	setpriv --pdeathsig TERM timeout --kill-after=5 $((timeout + spare_time)) "${args[@]}" \
		</dev/null >"$run/qemu-log" 2>&1 &
	qemu=$!
	tail -c +1 -s 0.1 -f --pid="$qemu" "$run/stdout" &
	watchers=$!
	tail -c +1 -s 0.1 -f --pid="$qemu" "$run/stderr" >&2 &
	watchers+=" $!"
	end_unless_up &
	watchers+=" $!"
	wait "$qemu"
	qemu_status=$?
	qemu=''
	# shellcheck disable=SC2086
	wait $watchers
}

end_unless_up() {
	timeout "$boot_timeout" tail -c +1 -s 0.5 -f --pid="$qemu" "$run/verdict" | grep -q up
	[ "${PIPESTATUS[0]}" != 124 ] || kill -TERM "$qemu"
}

# finish: exits with the verdict, where the kernel's log agrees. The guest's words are: up, when the
# kernel has booted; start, before the command; end, after it; last "verdict STATUS" or "fail REASON".
finish() {
	local word status kernel_log

	choose_log
	[ -z "$log" ] || cp "$kernel_log" "$log"
	if [ -s "$run/files" ]; then
		mkdir -p "$copy_out_to" && tar -x --no-same-owner -f "$run/files" -C "$copy_out_to" ||
			say "cannot write into $copy_out_to"
	fi
	if bad_log "$kernel_log"; then
		failed "bad news in the kernel's log"
	fi
	read -r word status < <(tail -n 1 "$run/verdict")
	case $word in
	verdict) ;;
	fail) failed "$status" ;;
	start)
		# 137: QEMU itself had to be killed
		[[ $qemu_status = 124 || $qemu_status = 137 ]] || failed "it ended before the command did"
		show_log
		say "the guest hung"
		exit 124
		;;
	end) failed "it hung after the command" ;;
	up) failed "it came up, but did not get to the command" ;;
	*) failed "it did not come up" ;;
	esac
	[ "$status" != 124 ] || say "the command took longer than $timeout seconds, or exited with 124"
	exit "$status"
}

bad_log() { grep -qEf "$vmd/bad-log" "$1"; }

# The guest tells its whole log at the end of a good run; the console has what is bad in any case.
choose_log() {
	kernel_log=$run/kernel-log
	if [ ! -s "$kernel_log" ] || { bad_log "$run/console" && ! bad_log "$kernel_log"; }; then
		kernel_log=$run/console
	fi
}

failed() {
	show_log
	say "the guest failed: $*"
	exit 125
}

# The end of the log, with all from just before the first bad line on.
show_log() {
	local first
	cat "$run/qemu-log" >&2
	first=$(grep -nEm 1 -f "$vmd/bad-log" "$kernel_log" | cut -d: -f1)
	{
		echo "--- the kernel's log"
		if [ -n "$first" ]; then
			tail -n +$((first > 10 ? first - 10 : 1)) "$kernel_log" | head -n 400
		else
			tail -n 100 "$kernel_log"
		fi | tr -d '\r'
		echo "---"
	} >&2
}
