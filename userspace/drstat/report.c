// SPDX-License-Identifier: GPL-2.0
/* Reports, one or many: what is read, in what order, and what becomes of it */
#include "drstat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a report tells of a network namespace */
struct sample {
	struct netns ns;
	struct stats stats[2];
	unsigned int now; /* which of the two is the newer one */
	bool compared;	  /* the other one is of the report before */
	struct holds holds;
};

struct samples {
	size_t n;
	struct sample *sample;
};

static bool wants_counters(const struct options *o)
{
	return o->watch || !o->held;
}

static bool wants_holds(const struct options *o)
{
	return o->watch || o->held;
}

/* Return: XS_NO_MODULE may be a pause between two modules. */
static enum xs take(const struct options *o, struct sample *s)
{
	enum xs xs = XS_OK;

	s->holds.n = 0;
	if (wants_counters(o)) {
		s->now ^= 1;
		xs = stats_read(&s->stats[s->now]);
		stats_compare(&s->stats[s->now], &s->stats[s->now ^ 1]);
	}
	if (!xs && wants_holds(o))
		xs = holds_read(&s->holds);
	holds_sort(&s->holds, o->sort);
	return xs;
}

static void drop(struct samples *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->sample[i].holds.hold);
	free(all->sample);
	*all = (struct samples){ 0 };
}

/* What is known of a namespace from the report before goes to @s. */
static void inherit(struct sample *s, struct samples *before)
{
	for (size_t i = 0; i < before->n; i++) {
		struct sample *old = &before->sample[i];
		struct netns ns = s->ns;

		if (old->ns.dev != s->ns.dev || old->ns.ino != s->ns.ino)
			continue;
		*s = *old;
		s->ns = ns;
		s->compared = true;
		old->holds = (struct holds){ 0 };
		return;
	}
}

/* The namespaces that there are now; those that have gone are forgotten. */
static enum xs find_namespaces(struct samples *all)
{
	struct samples before = *all;
	struct netns *list;
	size_t n;
	enum xs xs = netns_list(&list, &n);

	if (xs)
		return xs;
	*all = (struct samples){ n, calloc(n, sizeof(*all->sample)) };
	if (!all->sample) {
		say("no memory for %zu network namespaces", n);
		all->n = 0;
		xs = XS_OUTPUT;
	}
	for (size_t i = 0; i < all->n; i++) {
		all->sample[i].ns = list[i];
		inherit(&all->sample[i], &before);
	}
	drop(&before);
	free(list);
	return xs;
}

static void forget(struct samples *all, size_t i)
{
	free(all->sample[i].holds.hold);
	memmove(&all->sample[i], &all->sample[i + 1], (--all->n - i) * sizeof(*all->sample));
}

static enum xs take_all(const struct options *o, struct samples *all, bool first)
{
	enum xs xs;

	if (!o->all_netns) {
		all->sample->compared = !first;
		return take(o, all->sample);
	}
	xs = find_namespaces(all);
	for (size_t i = 0; i < all->n && !xs; i++) {
		xs = netns_visit(&all->sample[i].ns);
		if (xs == XS_NO_MODULE) {
			forget(all, i--);
			xs = XS_OK;
		} else if (!xs) {
			xs = take(o, &all->sample[i]);
		}
	}
	return xs;
}

static const struct stats *counters(const struct options *o, const struct sample *s)
{
	return wants_counters(o) ? &s->stats[s->now] : NULL;
}

static const struct stats *before(const struct options *o, const struct sample *s)
{
	return wants_counters(o) && s->compared ? &s->stats[s->now ^ 1] : NULL;
}

static void title(FILE *to, const struct options *o, const struct sample *s)
{
	const struct stats *now = &s->stats[s->now];
	const struct counter *mode = counter_find(now->knob, now->knobs, 0, "mode");
	const struct counter *max = counter_find(now->knob, now->knobs, 0, "max_held");
	time_t t = time(NULL);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(to, "tls_drst, %s, every %g s", text, o->interval);
	if (mode)
		fprintf(to, ", mode %" PRIu64, mode->value);
	fprintf(to, ", %zu", s->holds.n);
	if (max)
		fprintf(to, " of %" PRIu64, max->value);
	fprintf(to, " held%s%s\n", o->netns && *o->netns ? ", " : "", o->netns ?: "");
}

/* Connections first; a quarter of the screen, or what they need of it, is for the counters. */
static void watch(FILE *to, const struct options *o, const struct sample *s, bool drawing)
{
	const struct stats *now = &s->stats[s->now], *old = before(o, s);
	size_t rows, cols = SIZE_MAX, holds = SIZE_MAX, counters = SIZE_MAX;

	title(to, o, s);
	if (!now->n) {
		fputs("not loaded now\n", to);
		return;
	}
	if (drawing) {
		screen_size(&rows, &cols);
		/* The title, the blank line, and the heads of the two tables */
		rows = rows > 4 ? rows - 4 : 1;
		for (size_t i = counters = 0; i < now->n; i++)
			counters += o->zeros || now->counter[i].value;
		if (counters > rows / 4)
			counters = rows / 4;
		holds = rows - counters;
		counters = rows - (holds < s->holds.n ? holds : s->holds.n) + !old;
	}
	show_holds(to, &s->holds, holds, cols < 100);
	fputc('\n', to);
	show_counters(to, now, old, o->zeros, counters);
}

static void text(FILE *to, const struct options *o, const struct samples *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct sample *s = &all->sample[i];

		if (o->all_netns)
			show_netns(to, s->ns.name, !i);
		if (!counters(o, s)) {
			show_holds(to, &s->holds, SIZE_MAX, false);
			continue;
		}
		show_setup(to, counters(o, s));
		show_counters(to, counters(o, s), before(o, s), o->zeros, SIZE_MAX);
	}
}

static void json(FILE *to, const struct options *o, const struct samples *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct sample *s = &all->sample[i];

		show_json(to, o->all_netns ? s->ns.name : o->netns, counters(o, s), before(o, s),
			  o->held ? &s->holds : NULL);
	}
}

static bool prometheus(FILE *to, const struct options *o, const struct samples *all, bool gone)
{
	struct labelled *of = calloc(all->n, sizeof(*of));

	if (!of)
		return false;
	for (size_t i = 0; i < all->n; i++) {
		of[i].now = counters(o, &all->sample[i]);
		of[i].netns = o->netns ? o->netns : all->sample[i].ns.name;
	}
	show_prometheus(to, of, gone ? 0 : all->n);
	free(of);
	return true;
}

static enum xs put(const struct options *o, const char *text, size_t len, bool drawing)
{
	if (o->output)
		return put_file(o->output, text, len);
	return drawing ? put_screen(text) : put_stdout(text, len);
}

/* @gone: the module is not loaded. @first: a blank line would be out of place. */
static enum xs write_report(const struct options *o, const struct samples *all, bool gone,
			    bool drawing, bool first)
{
	char *buf = NULL;
	size_t len;
	FILE *to = open_memstream(&buf, &len);
	enum xs xs = XS_OUTPUT;
	bool good = to;

	if (to) {
		if (o->format == TEXT && !first && !drawing && !o->output)
			fputc('\n', to);
		if (o->watch)
			watch(to, o, all->sample, drawing);
		else if (o->format == JSON)
			json(to, o, all);
		else if (o->format == PROMETHEUS)
			good = prometheus(to, o, all, gone);
		else
			text(to, o, all);
		good = fclose(to) == 0 && good;
	}
	if (good)
		xs = put(o, buf, len, drawing);
	else
		say("no memory");
	free(buf);
	return xs;
}

/* A report of changes needs an interval before it; the others come at once. */
static bool at_once(const struct options *o)
{
	return !o->interval || o->watch || o->held || o->format == PROMETHEUS;
}

/* A service may start before the module is loaded. */
static bool waits_for_module(const struct options *o)
{
	return o->format == PROMETHEUS && o->interval;
}

/* Who watches, and who collects, is to know that the module has gone. */
static bool tells_gone(const struct options *o)
{
	return o->watch || o->format == PROMETHEUS;
}

static enum xs run(const struct options *o, struct samples *all)
{
	bool gone = false, drawing = false;
	double due = now_s();
	int reports = 0;
	enum xs xs;

	for (bool first = true; !stop_signal; first = false) {
		xs = take_all(o, all, first);
		if (xs && xs != XS_NO_MODULE)
			return xs;
		/* Later on, the module may be gone for a while: it is being replaced. */
		if (xs && first && !waits_for_module(o)) {
			if (o->format == PROMETHEUS)
				xs = write_report(o, all, true, false, true);
			return xs == XS_OUTPUT ? xs : no_module();
		}
		if (xs && !gone && !o->watch)
			say("tls_drst is not loaded%s: waiting until it is",
			    first ? "" : " any more");
		gone = xs == XS_NO_MODULE;
		if (first && o->watch)
			drawing = screen_begin();
		if ((!gone || tells_gone(o)) && (!first || at_once(o))) {
			xs = write_report(o, all, gone, drawing, !reports);
			reports++;
			if (xs)
				return xs;
		}
		if (!o->interval || (o->count && reports == o->count))
			break;
		due += o->interval;
		/* No report is made up for: we may have been stopped for long. */
		if (due < now_s())
			due = now_s();
		sleep_until(due);
	}
	return XS_OK;
}

enum xs report(const struct options *o)
{
	struct samples all = { 1, calloc(1, sizeof(*all.sample)) };
	enum xs xs = XS_OUTPUT;

	if (all.sample)
		xs = run(o, &all);
	else
		say("no memory");
	screen_end();
	drop(&all);
	return xs;
}
