/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tap.h - just enough of the Test Anything Protocol for one-file unit tests
 */
#ifndef FTPS_TEST_TAP_H
#define FTPS_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

/* Report one check. Return: @ok. */
static inline bool __attribute__((format(printf, 2, 3))) ok(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	tap_failed += !ok;
	return ok;
}

/* The plan, last. Return: main()'s exit status. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
