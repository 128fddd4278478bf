/* SPDX-License-Identifier: GPL-2.0 */
/*
 * status.h - the exit statuses of ftps(1), one for each way a transfer can end.
 *
 * Scripts rely on the numbers: a number is never given a second meaning.
 */
#ifndef FTPS_STATUS_H
#define FTPS_STATUS_H

#include <stdio.h>

enum xs {
	XS_COMPLETE = 0,    /* every byte arrived and close_notify vouches for it */
	XS_LOCAL = 1,	    /* a local file, disk or memory failed */
	XS_USAGE = 2,	    /* the command line makes no sense */
	XS_TRUNCATED = 3,   /* data connection at end of file without close_notify */
	XS_RESET = 4,	    /* data connection reset before its end */
	XS_REFUSED = 5,	    /* the server said no (4xx, 5xx) before the data's end */
	XS_CERT = 6,	    /* the peer's certificate was not accepted */
	XS_NETWORK = 7,	    /* no address, no connection, control connection lost */
	XS_PROTOCOL = 8,    /* the peer broke FTP's or TLS's rules */
	XS_UNCONFIRMED = 9, /* data ended well; the final reply was bad or missing */
	XS_TIMEOUT = 10,    /* no progress for --timeout seconds */
	XS_NR
};

/**
 * xs_name() - the short name of a status, as JSON and the log give it
 * @status: one of enum xs
 *
 * Return: a constant string; "unknown" for a number that is not a status.
 */
const char *xs_name(enum xs status);

/**
 * xs_table() - print number, name and meaning of every status
 * @to: where to
 */
void xs_table(FILE *to);

#endif
