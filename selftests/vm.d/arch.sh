# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What an architecture is: the one table of it. Nothing else in the runner knows one by its name.

# shellcheck disable=SC2034 # those who source this use it
architectures=(x86_64 arm64 s390x armhf i386)

# use_arch ARCH: makes it the one that all is about from here on.
# shellcheck disable=SC2034
use_arch() {
	local known=" ${architectures[*]} "

	arch=$1
	[[ $known = *" $arch "* ]] || return
	# what Debian and its triplet call it, what the kernel does, and the option that says so
	debian=$arch triplet=$arch-linux-gnu kernel_arch=$arch config=${arch^^}
	# Debian's test kernel, in arch/$kernel_arch/boot, and its console
	flavour_package=$arch image=bzImage console=ttyS0 arch_args=''
	# QEMU: program, package, machine; how virtio devices are attached, and the module for that
	qemu_name=$arch qemu_package=$arch board=() bus=pci bus_driver=virtio_pci
	case $arch in
	x86_64)
		debian=amd64 kernel_arch=x86 flavour_package=cloud-amd64
		# la57 off: a level of page tables less to walk
		qemu_package=x86 board=(-cpu 'max,la57=off') arch_args=$x86_args
		;;
	i386)
		triplet=i686-linux-gnu kernel_arch=x86 config=X86_32 flavour_package=686-pae
		# a kernel of 32 bits warns of two AMDs as old as this one says it is
		qemu_name=x86_64 qemu_package=x86 board=(-cpu 'max,la57=off,vendor=GenuineIntel')
		arch_args=$x86_args
		;;
	arm64)
		triplet=aarch64-linux-gnu flavour_package=cloud-arm64 image=Image console=ttyAMA0
		qemu_name=aarch64 qemu_package=arm board=(-machine virt -cpu neoverse-n1)
		;;
	armhf)
		triplet=arm-linux-gnueabihf kernel_arch=arm config=ARM flavour_package=armmp image=zImage
		console=ttyAMA0 qemu_name=arm qemu_package=arm bus=device bus_driver=virtio_mmio
		board=(-machine 'virt,highmem=off' -cpu cortex-a15)
		;;
	s390x)
		kernel_arch=s390 config=S390 console=ttysclp0
		board=(-machine s390-ccw-virtio -cpu max) bus=ccw bus_driver=''
		;;
	esac
}

# no_timer_check: on a busy host an emulated timer can be too late for the check of it at boot.
x86_args=' no_timer_check'
# The second CPU is for guest-init to start, when the devices are set up: QEMU can lose what a CPU
# that it emulates writes to its APIC just when another one moves a device's registers. Where that
# is the end of a timer interrupt, there is never another.
x86_args+=' maxcpus=1 noreplace-smp'

# Is it another one than that of this machine? Then all is emulated, and compiled by another compiler.
foreign() { [ "$arch" != x86_64 ]; }

# Debian's name of it where packages of it are not this machine's own.
foreign_packages() { ! foreign || printf '%s\n' "$debian"; }

# What a kernel's own make has to be told of it.
cross_compile() { ! foreign || printf 'CROSS_COMPILE=%s-\n' "$triplet"; }

# The clock of an emulated CPU is a time stamp counter as this machine's.
has_tsc() { [ "$kernel_arch" = x86 ]; }

use_arch x86_64
