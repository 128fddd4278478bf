// SPDX-License-Identifier: GPL-2.0
/*
 * Random scripts. A script has one kind of call that may wait: a reader, a sender or
 * polls. Else it would be chance who is woken first, and takes data or the error from
 * the others. Most scripts come to a reset with data unread.
 */
#include "random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../lib/bed.h"

#define WAITS_MAX 3

enum waiter { A_READER, A_SENDER, POLLS, WAITERS };

struct gen {
	struct script *script;
	uint64_t state;
	enum waiter waiter;
	bool rx, full, lowat, edges, epoll;
	bool uring_used;
	unsigned int left;	/* so much can be read at least */
	bool fin, gone;		/* the peer's */
	bool shut_rd, shut_wr;
	int waits;		/* polls that may wait */
	int dups;
	bool child;
	bool half;		/* a record has begun and does not end */
};

/* ---- dice ---- */

/* splitmix64 */
static uint64_t next(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(struct gen *g, unsigned int n)
{
	return next(g) % n;
}

static bool percent(struct gen *g, unsigned int p)
{
	return below(g, 100) < p;
}

#define PICK(g, array) ((array)[below(g, sizeof(array) / sizeof((array)[0]))])

__attribute__((format(printf, 2, 3)))
static void add(struct gen *g, const char *format, ...)
{
	char line[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (g->script->steps < STEPS_MAX)
		script_add(g->script, line);
}

/* ---- the peer ---- */

static bool tcp_resets_data(const struct gen *g)
{
	return g->shut_rd && g->shut_wr;
}

static void data_came(struct gen *g, unsigned int len)
{
	if (tcp_resets_data(g))
		g->gone = true;
	else
		g->left += len;
}

static void peer_sends(struct gen *g)
{
	unsigned int len = 1 + below(g, 40);

	switch (below(g, 6)) {
	case 0:
		add(g, "peer_notify");
		break;
	case 1:
		add(g, "peer_ticket");
		break;
	default:
		add(g, "peer_data %u", len);
		data_came(g, len);
		return;
	}
	data_came(g, g->rx ? 0 : 24);
}

static void peer_ends(struct gen *g)
{
	static const char *const with_data[] = { "peer_data_rst", "peer_data_fin" };
	static const char *const plain[] = {
		"peer_fin", "peer_fin", "peer_rst", "peer_rst", "peer_close",
	};
	const char *how;

	if (percent(g, 25) && !g->fin && !g->half && !tcp_resets_data(g)) {
		how = PICK(g, with_data);
		add(g, "%s %u", how, 5);
		g->left += 5;
	} else {
		how = PICK(g, plain);
		if (g->fin && !strcmp(how, "peer_fin"))
			return;
		add(g, "%s", how);
	}
	if (strstr(how, "fin"))
		g->fin = true;
	else
		g->gone = true;
}

static void peer_step(struct gen *g)
{
	unsigned int what = below(g, 10);

	if (g->gone)
		return;
	if (what < 6 && !g->fin && !g->half)
		peer_sends(g);
	else if (what < 8)
		peer_ends(g);
	else if (what < 9)
		add(g, "peer_open");
	else
		add(g, "nothing");
}

/* ---- the program ---- */

static bool may_block(const struct gen *g, const char *flags)
{
	if (g->left && !g->lowat && !strstr(flags, "WAITALL"))
		return false;
	return true;
}

static void reads(struct gen *g)
{
	static const char *const calls[] = {
		"recv", "recv", "recvmsg", "recvmsg", "readv", "splice",
	};
	static const char *const flags[] = {
		"NONE", "NONE", "NONE", "PEEK", "WAITALL", "DONTWAIT", "TRUNC",
		"PEEK|DONTWAIT", "PEEK|WAITALL",
	};
	static const unsigned int lens[] = { 1, 4, 10, 50, 100, 1000 };
	const char *call = PICK(g, calls), *flag = PICK(g, flags);
	unsigned int len = PICK(g, lens);

	if (g->rx && strstr(flag, "PEEK") && (g->lowat || strstr(flag, "WAITALL")))
		flag = "NONE";	/* Linux 6.1 can lose the error there */
	if (!strcmp(call, "readv") || !strcmp(call, "splice"))
		flag = "NONE";	/* TCP's splice() waits with SPLICE_F_NONBLOCK, too */
	if ((g->waiter != A_READER || (g->rx && g->lowat)) &&
	    may_block(g, flag)) {
		call = percent(g, 50) ? "recv" : "recvmsg";
		flag = "DONTWAIT";
	}
	add(g, "%s %u %s", call, len, flag);
	if (!strstr(flag, "PEEK"))
		g->left -= len < g->left ? len : g->left;
}

static void sends(struct gen *g)
{
	static const char *const calls[] = {
		"send", "send", "sendmsg", "sendfile", "notify",
	};
	static const char *const flags[] = {
		"NONE", "NONE", "NOSIGNAL", "NOSIGNAL", "MORE",
	};
	const char *call = PICK(g, calls), *flag = PICK(g, flags);

	if (!strcmp(call, "notify") && !strcmp(flag, "MORE"))
		flag = "NONE";
	if (!strcmp(call, "sendfile")) {
		if (g->full && g->waiter != A_SENDER)
			return;
		flag = "NONE";
	}
	add(g, "%s %u %s%s", call, 1 + below(g, 100), flag,
	    g->full && g->waiter != A_SENDER ? "|DONTWAIT" : "");
}

static void polls(struct gen *g)
{
	static const char *const events[] = {
		"NONE", "IN", "OUT", "RDHUP", "IN|OUT|RDHUP", "PRI",
		"IN|RDNORM",
	};
	static const char *const sets[] = { "R", "W", "X", "R|W|X" };
	bool wait = g->waiter == POLLS && g->waits < WAITS_MAX && percent(g, 40);

	g->waits += wait;
	if (wait && !g->uring_used && percent(g, 25)) {
		g->uring_used = true;
		add(g, "uring_poll %s", PICK(g, events));
	} else if (percent(g, 25)) {
		add(g, "select %s%s", PICK(g, sets), wait ? " wait" : "");
	} else if (g->epoll && percent(g, 40)) {
		add(g, "epoll_wait %s", wait && !g->edges ? "wait" : "0");
	} else {
		add(g, "poll %s%s", PICK(g, events), wait ? " wait" : "");
	}
}

/* The other process looks, and does not wait. */
static void child_step(struct gen *g)
{
	static const char *const calls[] = {
		"recv 10 DONTWAIT", "recvmsg 10 PEEK|DONTWAIT", "so_error",
		"poll IN|OUT|RDHUP", "state", "peername", "shutdown WR",
		"send 10 NOSIGNAL|DONTWAIT", "fionread", "select R|W|X",
	};
	const char *call = PICK(g, calls);

	if (!g->child) {
		add(g, "fork");
		g->child = true;
		return;
	}
	if (g->rx && strstr(call, "PEEK") && g->lowat)
		return;
	add(g, "child: %s", call);
	if (!strncmp(call, "recv ", 5))
		g->left -= g->left < 10 ? g->left : 10;
	g->shut_wr |= !!strstr(call, "WR");
}

static void asks(struct gen *g)
{
	static const char *const calls[] = {
		"fionread", "outq", "state", "peername", "sockname", "so_error",
		"so_error", "bind", "listen", "disconnect",
	};

	add(g, "%s", PICK(g, calls));
}

static void shuts(struct gen *g)
{
	static const char *const how[] = { "RD", "WR", "WR", "RDWR" };
	const char *which = PICK(g, how);

	add(g, "shutdown %s", which);
	g->shut_rd |= !!strstr(which, "RD");
	g->shut_wr |= !!strstr(which, "WR");
}

static void handles(struct gen *g)
{
	if (g->dups) {
		add(g, "close");
		g->dups--;
	} else if (percent(g, 30)) {
		add(g, "pass");
		add(g, "close");
		peer_step(g);
		add(g, "take");
	} else {
		add(g, "dup");
		g->dups++;
	}
}

static void program_step(struct gen *g)
{
	unsigned int what = below(g, 100);

	if (what < 32)
		reads(g);
	else if (what < 45)
		sends(g);
	else if (what < 70)
		polls(g);
	else if (what < 86)
		asks(g);
	else if (what < 92)
		shuts(g);
	else if (what < 96)
		child_step(g);
	else
		handles(g);
	if (g->child && percent(g, 20))
		child_step(g);
}

/* ---- the whole ---- */

static void with(struct gen *g)
{
	char line[TEXT_MAX] = "with";

	g->rx = percent(g, 40);
	if (g->rx)
		strcat(line, " rx");
	if (percent(g, 30) && ipv6_present())
		strcat(line, " ipv6");
	if (percent(g, 20))
		strcat(line, " tls12");
	g->full = g->waiter == A_SENDER || percent(g, 20);
	if (g->full)
		strcat(line, " full");
	if (strlen(line) > 4)
		script_add(g->script, line);
}

static void beginning(struct gen *g)
{
	static const char *const watched[] = {
		"IN", "IN|RDHUP", "IN|OUT|RDHUP|ET", "IN|EXCLUSIVE", "RDHUP|ET",
	};
	const char *events;

	if (percent(g, 20))
		add(g, "async");
	if (percent(g, 15))
		add(g, "inq");
	g->lowat = percent(g, 12);
	if (g->lowat)
		add(g, "rcvlowat 60");
	g->epoll = percent(g, 30);
	if (g->epoll) {
		events = PICK(g, watched);
		g->edges = strstr(events, "ET");
		add(g, "epoll_add %s", events);
	}
	if (!g->full && percent(g, 60))
		add(g, "notify");
	if (percent(g, 8))
		add(g, "rcvtimeo 100");
	if (!g->full && percent(g, 50)) {
		add(g, "send 131072");
	} else if (!g->full && percent(g, 20)) {
		add(g, "tstamp");
		add(g, "send 10");
	}
}

/* A reset, with something unread in front of it. */
static void reset(struct gen *g)
{
	if (g->gone)
		return;
	if (!g->left && !g->fin && !g->half && !tcp_resets_data(g))
		peer_sends(g);
	if (g->rx && percent(g, 10) && !g->fin && !tcp_resets_data(g)) {
		add(g, "peer_half 100");
		g->half = true;
	}
	if (percent(g, 30) && !g->fin) {
		add(g, "peer_fin");
		g->fin = true;
	}
	add(g, "peer_rst");
	g->gone = true;
}

/* What is there is read, so that every script shows how it ends. */
static void ending(struct gen *g)
{
	int i;

	add(g, "poll IN|OUT|RDHUP");
	for (i = 0; i < 3; i++)
		add(g, "recvmsg 1000 DONTWAIT");
	add(g, "poll IN|OUT|RDHUP");
	add(g, "state");
	add(g, percent(g, 50) ? "so_error" : "send 10");
}

void random_script(struct script *script, unsigned int seed)
{
	struct gen g = { .script = script, .state = seed };
	int steps;

	memset(script, 0, sizeof(*script));
	script->seed = seed;
	g.waiter = below(&g, WAITERS);
	with(&g);
	beginning(&g);
	for (steps = 3 + below(&g, 6); steps; steps--)
		percent(&g, 40) ? peer_step(&g) : program_step(&g);
	if (percent(&g, 75))
		reset(&g);
	for (steps = below(&g, 7); steps; steps--)
		program_step(&g);
	ending(&g);
}
