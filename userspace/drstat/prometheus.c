// SPDX-License-Identifier: GPL-2.0
/* For node_exporter */
#include "drstat.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* For people who meet the counters elsewhere than in tls_drst(4) */
static const struct {
	const char *name;
	const char *help;
} helps[] = {
#include "words.h" /* from docs/sysctl.md */
};

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

static void label_value(FILE *to, const char *text)
{
	/* Labels are UTF-8, paths any bytes. */
	for (size_t len; *text; text += len ? len : 1) {
		len = utf8_length(text);
		if (!len)
			fprintf(to, "\\\\x%02x", (unsigned char)*text);
		else if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", to);
		else
			fwrite(text, 1, len, to);
	}
}

/* @version: another label, or NULL */
static void labels(FILE *to, const char *netns, const char *version)
{
	if (!*netns && !version)
		return;
	fputc('{', to);
	if (version)
		fprintf(to, "version=\"%s\"%s", version, *netns ? "," : "");
	if (*netns) {
		fputs("netns=\"", to);
		label_value(to, netns);
		fputc('"', to);
	}
	fputc('}', to);
}

static void describe(FILE *to, const char *metric, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s.\n# TYPE %s %s\n", metric, help, metric, type);
}

static void value(FILE *to, const char *metric, const char *netns, const char *version,
		  uint64_t number)
{
	fputs(metric, to);
	labels(to, netns, version);
	fprintf(to, " %" PRIu64 "\n", number);
}

static const char *help_of(const struct counter *c)
{
	for (size_t i = 0; i < sizeof(helps) / sizeof(*helps); i++)
		if (!strcmp(helps[i].name, c->name))
			return helps[i].help;
	return NULL;
}

static void counters(FILE *to, const struct labelled *of, size_t n, size_t i)
{
	const struct counter *c = &of->now->counter[i];
	bool gauge = counter_is_gauge(c);
	char metric[2 * sizeof(c->name) + sizeof("_total")], newer[128];
	const char *help = help_of(c);

	snake_case(c->name, metric);
	if (!gauge)
		strcat(metric, "_total");
	snprintf(newer, sizeof(newer), "%s in /proc/net/tls_drst_stat", c->name);
	describe(to, metric, gauge ? "gauge" : "counter", help ? help : newer);
	for (; n; n--, of++) {
		c = counter_find(of->now->counter, of->now->n, i, c->name);
		if (!c)
			break; /* the module was replaced just now */
		value(to, metric, of->netns, NULL, c->value);
	}
}

static void knobs(FILE *to, const struct labelled *of, size_t n, size_t i)
{
	const struct counter *c = &of->now->knob[i];
	char metric[sizeof(c->name) + sizeof("tls_drst_")], help[128];

	snprintf(metric, sizeof(metric), "tls_drst_%s", c->name);
	snprintf(help, sizeof(help), "The knob net.tls_drst.%s", c->name);
	describe(to, metric, "gauge", help);
	for (; n; n--, of++) {
		c = counter_find(of->now->knob, of->now->knobs, i, c->name);
		if (!c)
			break;
		value(to, metric, of->netns, NULL, c->value);
	}
}

void show_prometheus(FILE *to, const struct labelled *of, size_t n)
{
	describe(to, "tls_drst_up", "gauge", "Whether the module tls_drst is loaded");
	value(to, "tls_drst_up", "", NULL, n > 0);
	if (!n)
		return;
	if (*of->now->version) {
		describe(to, "tls_drst_info", "gauge", "The version of the module, always 1");
		value(to, "tls_drst_info", "", of->now->version, 1);
	}
	for (size_t i = 0; i < of->now->knobs; i++)
		knobs(to, of, n, i);
	for (size_t i = 0; i < of->now->n; i++)
		counters(to, of, n, i);
}
