# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The machine: two CPUs if nothing else is said (one for --icount), disks that are files, no network, no screen.

qemu_machine=(
	-nodefaults -no-user-config -no-reboot
	-display none -monitor none -parallel none
)

# Debian 13's, on any host. Before 8.1 a CPU that QEMU emulates can go on executing for ever the
# breakpoint that is where a kernel patches its code meanwhile: it translates code that another is
# just writing. A guest dies of that, if rarely, in whatever has a jump label.
qemu_entry() {
	local list name=qemu
	! foreign || name+=-$qemu_package
	list=$(in_release "$newer_suites" picked "$name" choose_with_depends "qemu-system-$qemu_package") || return
	cached "qemu/$(key "$list")" unpack "$list"
}

# choose_with_depends PACKAGE...: with all that they depend on, as the host's libraries may be too old.
choose_with_depends() {
	apt-get -qq -s --no-install-recommends install "$@" |
		sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*/\1=\2/p'
}

# qemu_program: the start of a command line, one argument a line.
qemu_program() {
	local usr
	usr=$(qemu_entry)/usr || return
	printf '%s\n' "$usr/lib64/ld-linux-x86-64.so.2" --library-path "$usr/lib/x86_64-linux-gnu" \
		"$usr/bin/qemu-system-$qemu_name" -L "$usr/share/seabios" -L "$usr/share/qemu" \
		-name "process=qemu-system-$qemu_package" "${qemu_machine[@]}" "${board[@]}"
}

# A panic ends QEMU at once, for -no-reboot; only warnings and worse are put on the slow console.
kernel_args() {
	printf 'console=%s loglevel=5 panic=-1 oops=panic rcupdate.rcu_cpu_stall_timeout=60%s' \
		"$console" "$arch_args"
}

# probed KERNEL-ENTRY: a directory with what this host can do, which is good until its next boot.
#
#   accelerator   kvm where a kernel really boots on it; some hosts offer it in vain
#   tsc_khz       the frequency of the time stamp counter, which is that of a CPU that is emulated, too
probed() {
	cached "host/$(</proc/sys/kernel/random/boot_id)" probe "$1"
}

accelerator() {
	local dir
	! foreign || { echo "$tcg"; return; }
	dir=$(probed "$1") && cat "$dir/accelerator"
}

tcg='tcg,thread=multi'

# With this the guest's clock counts instructions, one a nanosecond; idle time is as long as it is, so
# that disks are not too slow for it. One CPU: of two, one would be charged for what the other does.
tcg_icount='tcg,thread=single'

probe() {
	gcc -O2 -o "$2/tsc-khz" "$vmd/tsc-khz.c"
	"$2/tsc-khz" >"$2/tsc_khz"
	probe_kvm "$@"
}

probe_kvm() {
	local entry=$1 dir=$2 program

	echo "$tcg" >"$dir/accelerator"
	[ -w /dev/kvm ] || return 0
	program=$(qemu_program)
	mapfile -t program <<<"$program"
	# a group, so that the shell does not tell the world how QEMU died
	{
		timeout --kill-after=1 60 "${program[@]}" -accel kvm -smp 2 -m 512 \
			-kernel "$entry/vmlinuz" -initrd "$entry/initrd" \
			-append "$(kernel_args) vm.probe" -serial "file:$dir/console" >"$dir/qemu-log" ||
			true
	} 2>/dev/null
	if grep -q vm-probe-ok "$dir/console"; then
		echo kvm >"$dir/accelerator"
	else
		say "KVM is there, but nothing boots on it: emulating the CPU"
	fi
}

disk() {
	printf -- '-drive\nif=none,id=%s,format=raw,readonly=on,file=%s\n' "$1" "$2"
	printf -- '-device\nvirtio-blk-%s,drive=%s,serial=%s\n' "$bus" "$1" "$1"
}

# Ports end in files: QEMU never waits for a reader of ours, so nothing is lost when it ends.
port() {
	printf -- '-chardev\nfile,id=%s,path=%s\n-device\nvirtserialport,chardev=%s,name=%s\n' \
		"$1" "$2" "$1" "$1"
}

# timekeeping KERNEL-ENTRY: what a kernel on an emulated CPU must be told of its clock: on a busy host
# it measures it wrongly, or not at all, and then has ticks that get lost, or time that flies.
timekeeping() {
	local dir
	{ [ "$accel" = "$tcg" ] && has_tsc; } || return 0
	dir=$(probed "$1") && printf ' tsc=reliable tsc_early_khz=%s' "$(<"$dir/tsc_khz")"
}

# qemu_args KERNEL-ENTRY ROOT-IMAGE RUN-DIR MEMORY CPUS DISK PLUGIN: the whole command line, one argument
# a line. DISK, an image for the command, and PLUGIN, one of QEMU's, may be empty.
qemu_args() {
	local entry=$1 root=$2 run=$3 memory=$4 cpus=$5 disk=$6 plugin=$7 disks=3 append name

	qemu_program || return
	[ -z "$disk" ] || disks=$((disks + 1))
	[ -z "$certificate" ] || disks=$((disks + 1))
	append="$(kernel_args)$(timekeeping "$entry") vm.disks=$disks"
	printf '%s\n' -accel "$accel" -m "$memory" -serial "file:$run/console" \
		-device "virtio-rng-$bus" -device "virtio-serial-$bus"
	if [ "$accel" = "$tcg_icount" ]; then
		printf '%s\n' -smp 1 -icount shift=0
	else
		# a kernel without ACPI sees one CPU of a socket
		printf '%s\n' -smp "$cpus,sockets=$cpus"
	fi
	[ -z "$plugin" ] || printf '%s\n' -plugin "$plugin"
	disk root "$root"
	disk modules "$entry/modules.sqfs"
	disk run "$run/disk.tar"
	[ -z "$disk" ] || disk more "$disk"
	# the firmware's disk comes behind those that a guest knows by their order
	if [ -n "$certificate" ]; then
		use_firmware "$entry" "$certificate" "$append" "$run" && firmware_args "$run" || return
	else
		printf '%s\n' -kernel "$entry/vmlinuz" -initrd "$entry/initrd" -append "$append"
	fi
	for name in verdict stdout stderr files kernel-log; do
		port "$name" "$run/$name"
	done
}
