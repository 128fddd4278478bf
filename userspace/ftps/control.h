/* SPDX-License-Identifier: GPL-2.0 */
/*
 * control.h - lines, commands and replies of FTP's control connection
 *
 * RFC 959 s. 4.2 (replies), s. 5.3 (commands), RFC 2428 (EPSV). Both roles use it; the
 * order of the dialogue is client.c's and session.c's. Whatever the peer sends is
 * bounded: the line, the lines of a reply, and the time without progress.
 */
#ifndef FTPS_CONTROL_H
#define FTPS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "net.h"
#include "tls_stream.h"

#define CONTROL_LINE_MAX 4096	/* bytes in a line, with CR LF */
#define CONTROL_REPLY_LINES 256 /* lines in a reply */
#define CONTROL_TEXT_MAX 16384	/* bytes of a reply that are kept */

enum ctl_status {
	CTL_OK,
	CTL_WAIT,     /* not all here yet (only the functions that never wait) */
	CTL_CLOSED,   /* the peer closed, or reset, the connection */
	CTL_TIMEOUT,  /* no progress for too long */
	CTL_PROTOCOL, /* what came is not FTP, or not TLS */
	CTL_NETWORK,  /* the transport failed */
	CTL_STOPPED,  /* a signal asked us to stop */
};

/* A reply as it came: RFC 959 s. 4.2. */
struct ctl_reply {
	int code;		     /* 100 to 659 */
	int lines;		     /* how many came */
	bool done;		     /* the last of them, too */
	char last[CONTROL_LINE_MAX]; /* the last line's text, without code */
	char text[CONTROL_TEXT_MAX]; /* all lines, '\n' between them */
	size_t text_len;
};

struct control {
	struct tls_stream *s; /* the connection; freed with the control */
	int timeout_ms;
	size_t have; /* bytes in @in: there before TLS, somebody has put them in */
	char in[CONTROL_LINE_MAX];
	struct ctl_reply reply; /* the one being read, or read last */
	char why[256];		/* the last failure in words */
};

/**
 * control_new() - a control connection on a stream, which is its own from now on
 *
 * TCP keepalive is on: firewalls forget a connection that is silent during a long transfer.
 */
struct control *control_new(struct tls_stream *s, int timeout_ms);

/** control_free() - close it; NULL is fine */
void control_free(struct control *c);

/**
 * control_try_line() - take a line if one is here, never waiting
 * @c: the connection
 * @line: out: CONTROL_LINE_MAX bytes: the line without CR LF, and without the Telnet
 * commands that go before ABOR (RFC 959 s. 4.1.3)
 *
 * Return: CTL_OK, CTL_WAIT, or why there will be none.
 */
enum ctl_status control_try_line(struct control *c, char *line);

/** control_line() - the same, waiting for it, c->timeout_ms at most; CTL_WAIT is not returned */
enum ctl_status control_line(struct control *c, char *line);

/**
 * control_try_reply() - take a reply if one is here in full, never waiting
 * @c: the connection; c->reply has the reply after CTL_OK
 *
 * Return: CTL_OK, CTL_WAIT, or why there will be none.
 */
enum ctl_status control_try_reply(struct control *c);

/** control_reply() - the same, waiting for it: all of it within c->timeout_ms */
enum ctl_status control_reply(struct control *c);

/**
 * control_send() - send one line
 * @c: the connection
 * @fmt: the line without CR LF; it must not contain either; -v shows no password of PASS
 *
 * Return: CTL_OK, or the failure; CTL_PROTOCOL where the line would be two lines.
 */
enum ctl_status control_send(struct control *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * control_pasv_port() - the port in a reply 227 (RFC 959 s. 4.1.2)
 * @text: the reply's text; the address in it is ignored, on purpose
 *
 * Return: the port, or 0 where there is none.
 */
unsigned int control_pasv_port(const char *text);

/** control_epsv_port() - the port in a reply 229 (RFC 2428 s. 3), or 0 */
unsigned int control_epsv_port(const char *text);

/**
 * control_mdtm_time() - the time in a reply 213 to MDTM (RFC 3659 s. 2.3)
 * @text: YYYYMMDDHHMMSS, in UTC; a fraction may follow, and is ignored
 * @when: out: the time
 *
 * Return: whether it is one.
 */
bool control_mdtm_time(const char *text, time_t *when);

/**
 * control_port_addr() - the address in the argument of PORT (RFC 959 s. 4.1.2)
 * @text: h1,h2,h3,h4,p1,p2
 * @addr: out: the address
 *
 * Return: whether it is one.
 */
bool control_port_addr(const char *text, union net_addr *addr);

/** control_eprt_addr() - the same for EPRT (RFC 2428 s. 2): |1|192.0.2.1|1234| */
bool control_eprt_addr(const char *text, union net_addr *addr);

/** control_send_port() - send PORT with an IPv4 address, EPRT with an IPv6 address */
enum ctl_status control_send_port(struct control *c, const union net_addr *addr);

#endif
