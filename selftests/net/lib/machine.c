// SPDX-License-Identifier: GPL-2.0
/*
 * Whether this machine can run the program at all. One that cannot is skipped
 * as a whole, as kselftest has it; what is amiss later is a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drst.h"

#define KSFT_SKIP 4

/* For the programs that do */
bool inserts_module __attribute__((weak));

static const char *why_not(void)
{
	if (geteuid())
		return "needs root";
	if (drst_present() || drst_absence_meant() ||
	    (inserts_module && getenv("TLS_DRST_KO")))
		return NULL;
	return "module tls_drst is not loaded (TLS_DRST_ABSENT=1 if meant)";
}

static void __attribute__((constructor)) machine_check(void)
{
	const char *why = why_not();

	if (!why)
		return;
	printf("TAP version 13\n1..0 # SKIP %s\n", why);
	fflush(stdout);
	_exit(KSFT_SKIP);
}
