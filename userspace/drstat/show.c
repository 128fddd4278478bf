// SPDX-License-Identifier: GPL-2.0
/* The formats: text, JSON, Prometheus. */
#include "drstat.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* For people who meet the counters elsewhere than in tls_drst(4) */
static const struct {
	const char *name;
	const char *help;
} helps[] = {
#include "words.h" /* from docs/sysctl.md */
};

static double rate(const struct stats *now, const struct stats *before, struct change change)
{
	double seconds = now->at - before->at;

	return seconds > 0 ? (double)change.by / seconds : 0;
}

/* ---- text ---- */

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

void show_counters(FILE *to, const struct stats *now, const struct stats *before, bool zeros)
{
	if (before)
		fprintf(to, "%-20s %12s %12s %12s\n", "counter", "value", "change", "per second");
	for (size_t i = 0; i < now->n; i++)
		if (zeros || now->counter[i].value || (before && stats_change(now, before, i).by))
			counter_line(to, now, before, i);
	if (before && now->restarted)
		fputs("the module was loaded anew: counted from 0\n", to);
}

/* Numbers of net/tcp_states.h, names of ss(8) */
static const char *state_name(unsigned int state)
{
	static const char *const names[] = {
		"UNKNOWN",   "ESTAB",  "SYN-SENT",   "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
		"TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN",     "CLOSING",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : names[0];
}

static const char *human_size(char *out, size_t size, uint64_t bytes)
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

static void hold_line(FILE *to, const struct hold *h, int local, int remote)
{
	char bytes[32], held[32], idle[32], cookie[24] = "-";

	if (h->cookie)
		snprintf(cookie, sizeof(cookie), "%" PRIx64, h->cookie);
	fprintf(to, "%-10s  %-6s  %8s  %7s  %7s  %-*s  %-*s  %s\n", state_name(h->state), h->cause,
		human_size(bytes, sizeof(bytes), h->bytes),
		human_time(held, sizeof(held), h->held_ms),
		human_time(idle, sizeof(idle), h->idle_ms), local, h->local, remote, h->remote,
		cookie);
}

static int wider(int width, const char *text)
{
	return (int)strlen(text) > width ? (int)strlen(text) : width;
}

void show_holds(FILE *to, const struct holds *h, size_t max)
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
	fprintf(to, "%-10s  %-6s  %8s  %7s  %7s  %-*s  %-*s  %s\n", "state", "cause", "bytes",
		"held", "idle", local, "local", remote, "remote", "cookie");
	for (size_t i = 0; i < n; i++)
		hold_line(to, &h->hold[i], local, remote);
	if (n < h->n)
		fprintf(to, "... and %zu more\n", h->n - n);
}

/* ---- JSON: read.c lets nothing in that would have to be escaped ---- */

static void json_values(FILE *to, const struct stats *now)
{
	fputs(", \"counters\": {", to);
	for (size_t i = 0; i < now->n; i++)
		fprintf(to, "%s\"%s\": %" PRIu64, i ? ", " : "", now->counter[i].name,
			now->counter[i].value);
	fputc('}', to);
}

static void json_changes(FILE *to, const struct stats *now, const struct stats *before)
{
	const char *comma = "";

	fprintf(to, ", \"seconds\": %.3f, \"restarted\": %s, \"change\": {", now->at - before->at,
		now->restarted ? "true" : "false");
	for (size_t i = 0; i < now->n; i++) {
		struct change change = stats_change(now, before, i);

		fprintf(to, "%s\"%s\": %s%" PRIu64, i ? ", " : "", now->counter[i].name,
			change.less ? "-" : "", change.by);
	}
	fputs("}, \"rate\": {", to);
	for (size_t i = 0; i < now->n; i++) {
		if (counter_is_gauge(&now->counter[i]))
			continue;
		fprintf(to, "%s\"%s\": %.3f", comma, now->counter[i].name,
			rate(now, before, stats_change(now, before, i)));
		comma = ", ";
	}
	fputc('}', to);
}

static void json_holds(FILE *to, const struct holds *h)
{
	fputs(", \"held\": [", to);
	for (size_t i = 0; i < h->n; i++) {
		const struct hold *one = &h->hold[i];

		/* Readers of JSON need not have integers of 64 bits: the cookie is a text. */
		fprintf(to,
			"%s{\"local\": \"%s\", \"remote\": \"%s\", \"state\": \"%s\", "
			"\"cause\": \"%s\", \"bytes\": %" PRIu64 ", \"held_ms\": %" PRIu64 ", "
			"\"idle_ms\": %" PRIu64 ", \"cookie\": \"%" PRIx64 "\"}",
			i ? ", " : "", one->local, one->remote, state_name(one->state), one->cause,
			one->bytes, one->held_ms, one->idle_ms, one->cookie);
	}
	fputc(']', to);
}

void show_json(FILE *to, const struct stats *now, const struct stats *before, const struct holds *h)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	fprintf(to, "{\"time\": %lld.%03ld", (long long)t.tv_sec, t.tv_nsec / 1000000);
	if (now)
		json_values(to, now);
	if (now && before)
		json_changes(to, now, before);
	if (h)
		json_holds(to, h);
	fputs("}\n", to);
}

/* ---- Prometheus ---- */

/* TlsDrstRstSent: tls_drst_rst_sent; also RST2Sent: rst2_sent */
static void snake_case(const char *name, char *out)
{
	for (size_t i = 0; name[i]; i++) {
		bool upper = isupper((unsigned char)name[i]);

		if (upper && i && name[i - 1] != '_' &&
		    (!isupper((unsigned char)name[i - 1]) || islower((unsigned char)name[i + 1])))
			*out++ = '_';
		*out++ = (char)tolower((unsigned char)name[i]);
	}
	*out = '\0';
}

static void label(FILE *to, const char *netns)
{
	fputs("{netns=\"", to);
	for (; *netns; netns++) {
		if (*netns == '"' || *netns == '\\')
			fprintf(to, "\\%c", *netns);
		else if (*netns == '\n')
			fputs("\\n", to);
		else /* labels are UTF-8, paths any bytes */
			fputc((unsigned char)*netns < 0x80 ? *netns : '?', to);
	}
	fputs("\"}", to);
}

static void prometheus_help(FILE *to, const char *metric, const struct counter *c)
{
	for (size_t i = 0; i < sizeof(helps) / sizeof(*helps); i++) {
		if (strcmp(helps[i].name, c->name))
			continue;
		fprintf(to, "# HELP %s %s.\n", metric, helps[i].help);
		return;
	}
	/* A newer module's */
	fprintf(to, "# HELP %s %s in /proc/net/tls_drst_stat.\n", metric, c->name);
}

void show_prometheus(FILE *to, const struct stats *now, const char *netns)
{
	for (size_t i = 0; i < now->n; i++) {
		const struct counter *c = &now->counter[i];
		bool gauge = counter_is_gauge(c);
		char metric[2 * sizeof(c->name) + sizeof("_total")];

		snake_case(c->name, metric);
		if (!gauge)
			strcat(metric, "_total");
		prometheus_help(to, metric, c);
		fprintf(to, "# TYPE %s %s\n%s", metric, gauge ? "gauge" : "counter", metric);
		if (netns)
			label(to, netns);
		fprintf(to, " %" PRIu64 "\n", c->value);
	}
}
