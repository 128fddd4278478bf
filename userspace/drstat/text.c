// SPDX-License-Identifier: GPL-2.0
/* For people */
#include "drstat.h"

#include <inttypes.h>
#include <string.h>

/* The columns of held connections; the narrow ones let the peer, and most of us, fit into 80. */
#define WIDE "%-10s  %-6s  %8s  %7s  %7s  %-*s  %-*s  %s\n"
#define NARROW "%-10s %-6s %7s %6s %6s %-*s %-*s %s\n"

size_t utf8_length(const char *text)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)*text;
	size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	unsigned int code = first & (0xff >> (len + 1));

	if (len < 2)
		return len;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	return first > 0xf4 || code < least[len] || code > 0x10ffff ||
			       (code >= 0xd800 && code <= 0xdfff) ?
		       0 :
		       len;
}

double rate(const struct stats *now, const struct stats *before, struct change change)
{
	double seconds = now->at - before->at;

	return seconds > 0 ? (double)change.by / seconds : 0;
}

static void counter_line(FILE *to, const struct stats *now, const struct stats *before, size_t i)
{
	const struct counter *c = &now->counter[i];
	struct change change;
	char signed_by[24];

	if (!before) {
		fprintf(to, "%-20s %12" PRIu64 "\n", c->name, c->value);
		return;
	}
	change = stats_change(now, before, i);
	snprintf(signed_by, sizeof(signed_by), "%c%" PRIu64, change.less ? '-' : '+', change.by);
	/* A gauge goes up and down: per second that says nothing. */
	if (!change.by)
		fprintf(to, "%-20s %12" PRIu64 "\n", c->name, c->value);
	else if (counter_is_gauge(c))
		fprintf(to, "%-20s %12" PRIu64 " %12s\n", c->name, c->value, signed_by);
	else
		fprintf(to, "%-20s %12" PRIu64 " %12s %12.1f\n", c->name, c->value, signed_by,
			rate(now, before, change));
}

void show_netns(FILE *to, const char *name, bool first)
{
	fprintf(to, "%s%s%s\n", first ? "" : "\n", *name ? "netns " : "",
		*name ? name : "this network namespace");
}

void show_setup(FILE *to, const struct stats *now)
{
	const char *comma = ":";

	fprintf(to, "tls_drst%s%s", *now->version ? " " : "", now->version);
	for (size_t i = 0; i < now->knobs; i++, comma = ",")
		fprintf(to, "%s %s %" PRIu64, comma, now->knob[i].name, now->knob[i].value);
	fputc('\n', to);
}

static bool changed(const struct stats *now, const struct stats *before, size_t i)
{
	return before && stats_change(now, before, i).by;
}

void show_counters(FILE *to, const struct stats *now, const struct stats *before, bool zeros,
		   size_t max)
{
	bool show[COUNTERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++) {
		show[i] = zeros || now->counter[i].value || changed(now, before, i);
		n += show[i];
	}
	if (!n) {
		fputs("nothing counted so far: no connection of kernel TLS has said close_notify\n",
		      to);
		return;
	}
	if (before)
		fprintf(to, "%-20s %12s %12s %12s\n", "counter", "value", "change", "per second");
	for (size_t i = now->n; i-- && n > max;) {
		if (!show[i] || changed(now, before, i))
			continue;
		show[i] = false;
		n--;
	}
	for (size_t i = 0; i < now->n; i++)
		if (show[i])
			counter_line(to, now, before, i);
	if (before && now->restarted)
		fputs("the module was loaded anew: counted from 0\n", to);
}

const char *state_name(unsigned int state)
{
	static const char *const names[] = {
		"UNKNOWN",   "ESTAB",  "SYN-SENT",   "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
		"TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN",     "CLOSING",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : names[0];
}

const char *human_size(char *out, size_t size, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes;
	int unit = -1;

	for (; n >= 1023.95; n /= 1024)
		unit++;
	if (unit < 0)
		snprintf(out, size, "%" PRIu64 "B", bytes);
	else
		snprintf(out, size, "%.1f%c", n, units[unit]);
	return out;
}

static const char *human_time(char *out, size_t size, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 1)
		snprintf(out, size, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(out, size, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(out, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(out, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	return out;
}

static void hold_line(FILE *to, const struct hold *h, int local, int remote, bool narrow)
{
	char bytes[32], held[32], idle[32], cookie[24] = "-";

	human_size(bytes, sizeof(bytes), h->bytes);
	human_time(held, sizeof(held), h->held_ms);
	human_time(idle, sizeof(idle), h->idle_ms);
	if (h->cookie)
		snprintf(cookie, sizeof(cookie), "%" PRIx64, h->cookie);
	fprintf(to, narrow ? NARROW : WIDE, state_name(h->state), h->cause, bytes, held, idle,
		narrow ? remote : local, narrow ? h->remote : h->local, narrow ? local : remote,
		narrow ? h->local : h->remote, cookie);
}

static int wider(int width, const char *text)
{
	return (int)strlen(text) > width ? (int)strlen(text) : width;
}

void show_holds(FILE *to, const struct holds *h, size_t max, bool narrow)
{
	int local = sizeof("local") - 1, remote = sizeof("remote") - 1;
	size_t n = h->n;

	/* The line that tells how many more there are takes the place of one. */
	if (n > max)
		n = max ? max - 1 : 0;
	for (size_t i = 0; i < n; i++) {
		local = wider(local, h->hold[i].local);
		remote = wider(remote, h->hold[i].remote);
	}
	fprintf(to, narrow ? NARROW : WIDE, "state", "cause", "bytes", "held", "idle",
		narrow ? remote : local, narrow ? "remote" : "local", narrow ? local : remote,
		narrow ? "local" : "remote", "cookie");
	for (size_t i = 0; i < n; i++)
		hold_line(to, &h->hold[i], local, remote, narrow);
	if (n < h->n)
		fprintf(to, "... and %zu more\n", h->n - n);
}
