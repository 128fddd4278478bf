# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# TAP of several parts: each says "ok NAME" or "not ok NAME", and `number` gives the numbers.

status=0

# check NAME COMMAND...: what COMMAND says is shown only where it fails.
check() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "ok $name"
	else
		tail -n 60 <<<"$said"
		echo "not ok $name"
		status=1
		return 1
	fi
}

# The rest makes no sense without this one.
must() { check "$@" || exit; }

number() {
	local n=0 line
	while IFS= read -r line; do
		case $line in
		'ok '*) echo "ok $((++n)) ${line#ok }" ;;
		'not ok '*) echo "not ok $((++n)) ${line#not ok }" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
	echo "1..$n"
}
