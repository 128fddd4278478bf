# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A guest with Secure Boot, as Debian boots: OVMF, which knows Microsoft's keys, starts Debian's shim,
# that starts GRUB, and that the kernel. Each verifies the next one. For modules a certificate is
# enrolled, as MokManager would have done it.

# Debian 13's: virt-firmware is not in Debian 12.
firmware_entry() {
	local list
	list=$(in_release "$newer_suites" picked firmware choose_firmware) || return
	cached "firmware/$(key "$list")" unpack "$list"
}

choose_firmware() {
	choose_with_depends python3-virt-firmware ovmf && with_version shim-signed grub-efi-amd64-signed
}

# use_firmware ENTRY CERTIFICATE ARGS RUN-DIR: what QEMU is to boot from, in RUN-DIR: the firmware's
# variables, with the certificate, which is in DER, as MOK, and a disk with kernel and initrd of ENTRY.
use_firmware() {
	local entry=$1 certificate=$2 args=$3 run=$4 esp=$4/esp usr

	usr=$(firmware_entry)/usr && openssl x509 -inform DER -in "$certificate" -out "$run/mok.pem" &&
		PYTHONHOME=$usr PYTHONPATH=$usr/lib/python3/dist-packages \
			"$usr/lib64/ld-linux-x86-64.so.2" --library-path "$usr/lib/x86_64-linux-gnu" \
			"$usr"/bin/python3.?? "$usr/bin/virt-fw-vars" --loglevel ERROR \
			--input "$usr/share/OVMF/OVMF_VARS_4M.ms.fd" --output "$run/variables" \
			--add-mok "$(</proc/sys/kernel/random/uuid)" "$run/mok.pem" || return
	mkdir -p "$esp/EFI/BOOT" "$esp/EFI/debian" &&
		cp "$usr/lib/shim/shimx64.efi.signed" "$esp/EFI/BOOT/BOOTX64.EFI" &&
		cp "$usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$esp/EFI/BOOT/grubx64.efi" &&
		cp "$entry/vmlinuz" "$entry/initrd" "$esp" &&
		printf 'linux /vmlinuz %s\ninitrd /initrd\nboot\n' "$args" >"$esp/EFI/debian/grub.cfg"
}

# firmware_args RUN-DIR: for QEMU. Only the firmware itself, in SMM, can write the variables.
firmware_args() {
	local usr
	usr=$(firmware_entry)/usr || return
	printf '%s\n' -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on \
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=$usr/share/OVMF/OVMF_CODE_4M.ms.fd" \
		-drive "if=pflash,unit=1,format=raw,file=$1/variables" \
		-drive "if=none,id=esp,format=vvfat,read-only=on,dir=$1/esp" \
		-device virtio-blk-pci,drive=esp,serial=esp,bootindex=0
}
