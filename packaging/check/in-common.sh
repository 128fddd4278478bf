# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What in-machine and in-secure-boot share.

# check NAME COMMAND...: what COMMAND says is shown only where it fails.
check() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "ok booted: $name"
	else
		printf '%s\n' "$said"
		echo "not ok booted: $name"
	fi
}

# eventually COMMAND...: tries for a minute.
eventually() {
	local until=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $until ] || return
		sleep 0.1
	done
}
