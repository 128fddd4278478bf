// SPDX-License-Identifier: GPL-2.0
/* For programs: an object a line */
#include "drstat.h"

#include <inttypes.h>
#include <time.h>

/* Names and addresses: read.c lets nothing in that would have to be escaped. */

void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (size_t len; *text; text += len ? len : 1) {
		unsigned char c = (unsigned char)*text;

		len = utf8_length(text);
		if (!len)
			fprintf(to, "\\\\x%02x", c);
		else if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else
			fwrite(text, 1, len, to);
	}
	fputc('"', to);
}

void json_counters(FILE *to, const struct counter *c, size_t n)
{
	fputc('{', to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s\"%s\": %" PRIu64, i ? ", " : "", c[i].name, c[i].value);
	fputc('}', to);
}

void json_time(FILE *to)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	fprintf(to, "\"time\": %lld.%03ld", (long long)t.tv_sec, t.tv_nsec / 1000000);
}

static void json_values(FILE *to, const struct stats *now)
{
	fprintf(to, ", \"version\": \"%s\", \"knobs\": ", now->version);
	json_counters(to, now->knob, now->knobs);
	fputs(", \"counters\": ", to);
	json_counters(to, now->counter, now->n);
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

void show_json(FILE *to, const char *netns, const struct stats *now, const struct stats *before,
	       const struct holds *h)
{
	fputc('{', to);
	json_time(to);
	if (netns) {
		fputs(", \"netns\": ", to);
		json_string(to, netns);
	}
	if (now)
		json_values(to, now);
	if (now && before)
		json_changes(to, now, before);
	if (h)
		json_holds(to, h);
	fputs("}\n", to);
}
