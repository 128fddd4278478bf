// SPDX-License-Identifier: GPL-2.0
/* drstat(8): what the module tls_drst counts and holds */
#include "drstat.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum format { TEXT, JSON, PROMETHEUS };

struct options {
	enum format format;
	bool held;
	bool watch;
	bool zeros;
	const char *output;
	const char *netns;
	double interval; /* 0: once */
	int count;	 /* 0: until a signal comes */
};

/* What a report is made of */
struct sample {
	struct stats stats[2];
	unsigned int now; /* which of the two is the newer one */
	bool compared;	  /* the other one is of the report before */
	struct holds holds;
};

enum opt {
	OPT_HELP = 'h',
	OPT_ZEROS = 'z',
	OPT_FIRST = 256,
	OPT_VERSION,
	OPT_HELD,
	OPT_WATCH,
	OPT_JSON,
	OPT_PROMETHEUS,
	OPT_OUTPUT,
	OPT_NETNS,
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "zeros", no_argument, NULL, OPT_ZEROS },
	{ "held", no_argument, NULL, OPT_HELD },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "prometheus", no_argument, NULL, OPT_PROMETHEUS },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "netns", required_argument, NULL, OPT_NETNS },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: drstat [OPTION]... [INTERVAL [COUNT]]\n"
	"What the kernel module tls_drst counts: once, or every INTERVAL seconds, COUNT\n"
	"times, with the change since.\n"
	"\n"
	"      --held           list the connections that are held instead\n"
	"      --watch          both, live; INTERVAL is 1 unless given\n"
	"  -z, --zeros          also counters that are 0\n"
	"      --json           a JSON object a line, with all counters\n"
	"      --prometheus     for node_exporter's textfile collector\n"
	"      --output FILE    replace FILE each time\n"
	"      --netns NAME     of another network namespace: a name or a path\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"Exit status:\n"
	"  0  done, or ended by SIGINT\n"
	"  1  the output cannot be written, or no memory\n"
	"  2  wrong command line\n"
	"  3  the module is not loaded\n"
	"  4  no such network namespace, or none that may be entered\n"
	"  5  the module's files cannot be read or are not understood\n";

/* ---- the command line ---- */

static int bad(const char *what)
{
	say("%s; drstat --help tells more", what);
	return XS_USAGE;
}

static bool parse_interval(const char *text, double *interval)
{
	char *end;

	/* strtod() also takes hex, nan, infinity and blanks. */
	if (!*text || text[strspn(text, "0123456789.")])
		return false;
	*interval = strtod(text, &end);
	return !*end && *interval >= 0.1 && *interval <= 86400;
}

static bool parse_count(const char *text, int *count)
{
	char *end;
	long n;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	n = strtol(text, &end, 10);
	*count = (int)n;
	return !errno && !*end && n >= 1 && n <= INT_MAX;
}

static int bad_number(const char *name, const char *text, const char *wanted)
{
	say("%s '%s': %s; drstat --help tells more", name, text, wanted);
	return XS_USAGE;
}

static int parse_operands(struct options *o, int n, char **arg)
{
	if (n > 2)
		return bad("INTERVAL and COUNT, and nothing more");
	if (n > 0 && !parse_interval(arg[0], &o->interval))
		return bad_number("INTERVAL", arg[0], "seconds, 0.1 to 86400, are wanted");
	if (n > 1 && !parse_count(arg[1], &o->count))
		return bad_number("COUNT", arg[1], "a number from 1 on is wanted");
	if (o->watch && !o->interval)
		o->interval = 1;
	return -1;
}

static int check(const struct options *o)
{
	if (o->watch && (o->format != TEXT || o->output))
		return bad("--watch is for people: programs give an INTERVAL instead");
	if (o->held && o->format == PROMETHEUS)
		return bad("--held does not go with --prometheus: use --json");
	if (o->format == PROMETHEUS && o->interval && !o->output)
		return bad("--prometheus with an INTERVAL needs --output FILE");
	return -1;
}

static int set(struct options *o, int opt)
{
	switch (opt) {
	case OPT_HELP:
		fputs(usage, stdout);
		return XS_OK;
	case OPT_VERSION:
		puts("drstat " DRSTAT_VERSION);
		return XS_OK;
	case OPT_ZEROS:
		o->zeros = true;
		return -1;
	case OPT_HELD:
		o->held = true;
		return -1;
	case OPT_WATCH:
		o->watch = true;
		return -1;
	case OPT_JSON:
	case OPT_PROMETHEUS:
		if (o->format != TEXT)
			return bad("one format, not two");
		o->format = opt == OPT_JSON ? JSON : PROMETHEUS;
		return -1;
	case OPT_OUTPUT:
		o->output = optarg;
		return *optarg ? -1 : bad("--output needs the name of a file");
	case OPT_NETNS:
		o->netns = optarg;
		return *optarg ? -1 : bad("--netns needs a name or a path");
	default:
		return bad("not understood");
	}
}

/* Return: an exit status, or -1 to go on. */
static int parse(struct options *o, int argc, char **argv)
{
	int opt, status;

	while ((opt = getopt_long(argc, argv, "hz", longs, NULL)) != -1) {
		status = set(o, opt);
		if (status >= 0)
			return status;
	}
	status = parse_operands(o, argc - optind, argv + optind);
	return status >= 0 ? status : check(o);
}

/* ---- reports ---- */

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

/* The counters are few: connections get what is left of the screen, but always some lines. */
static size_t lines_for_holds(const char *above)
{
	size_t rows, cols, used = 1; /* the names of the columns */

	screen_size(&rows, &cols);
	for (; *above; above++)
		used += *above == '\n';
	return rows > used + 3 ? rows - used : 3;
}

static void title(FILE *to, const struct options *o)
{
	time_t t = time(NULL);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(to, "tls_drst, %s, every %g s%s%s\n", text, o->interval, o->netns ? ", " : "",
		o->netns ? o->netns : "");
}

/* @buf: what @to has written so far, once it is flushed */
static void watch(FILE *to, char **buf, const struct options *o, const struct sample *s,
		  bool drawing)
{
	const struct stats *now = &s->stats[s->now];

	title(to, o);
	fputc('\n', to);
	if (!now->n) {
		fputs("not loaded now\n", to);
		return;
	}
	show_counters(to, now, before(o, s), o->zeros);
	fputc('\n', to);
	fflush(to);
	show_holds(to, &s->holds, drawing ? lines_for_holds(*buf) : SIZE_MAX);
}

static void text(FILE *to, const struct options *o, const struct sample *s)
{
	if (counters(o, s))
		show_counters(to, counters(o, s), before(o, s), o->zeros);
	else
		show_holds(to, &s->holds, SIZE_MAX);
}

/* @first: nothing has been written yet, a blank line would be out of place */
static enum xs report(const struct options *o, const struct sample *s, bool drawing, bool first)
{
	char *buf = NULL;
	size_t len;
	FILE *to = open_memstream(&buf, &len);
	enum xs xs = XS_OUTPUT;

	if (!to) {
		say("no memory");
		return XS_OUTPUT;
	}
	if (o->format == TEXT && !first && !drawing && !o->output)
		fputc('\n', to);
	if (o->watch)
		watch(to, &buf, o, s, drawing);
	else if (o->format == JSON)
		show_json(to, counters(o, s), before(o, s), o->held ? &s->holds : NULL);
	else if (o->format == PROMETHEUS)
		show_prometheus(to, counters(o, s), o->netns);
	else
		text(to, o, s);
	if (fclose(to) < 0)
		say("no memory");
	else if (o->output)
		xs = put_file(o->output, buf, len);
	else
		xs = drawing ? put_screen(buf) : put_stdout(buf, len);
	free(buf);
	return xs;
}

/* A report of changes needs an interval before it; the others come at once. */
static bool at_once(const struct options *o)
{
	return !o->interval || o->watch || o->held || o->format == PROMETHEUS;
}

static enum xs run(const struct options *o, struct sample *s)
{
	bool gone = false, drawing = false;
	double due = now_s();
	int reports = 0;
	enum xs xs;

	for (bool first = true; !stop_signal; first = false) {
		xs = take(o, s);
		s->compared = !first;
		/* Later on, the module may be gone for a while: it is being replaced. */
		if (xs == XS_NO_MODULE && first)
			return no_module();
		if (xs && xs != XS_NO_MODULE)
			return xs;
		if (xs && !gone && !o->watch)
			say("tls_drst is not loaded any more: waiting until it is");
		gone = xs == XS_NO_MODULE;
		if (first && o->watch)
			drawing = screen_begin();
		if ((!gone || o->watch) && (!first || at_once(o))) {
			xs = report(o, s, drawing, !reports);
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

int main(int argc, char **argv)
{
	static struct options o;
	static struct sample s;
	int status = parse(&o, argc, argv);

	if (status >= 0)
		return status;
	if (o.netns)
		status = (int)enter_netns(o.netns);
	if (status > 0)
		return status;
	if (o.interval || o.output)
		catch_signals();
	status = (int)run(&o, &s);
	screen_end();
	free(s.holds.hold);
	if (!status && stop_signal && stop_signal != SIGINT) {
		signal(stop_signal, SIG_DFL);
		raise(stop_signal);
	}
	return status;
}
