// SPDX-License-Identifier: GPL-2.0
/* drstat(8): what the module tls_drst counts and holds, and what is wrong */
#include "drstat.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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
	OPT_ALL_NETNS,
	OPT_SORT,
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
	{ "all-netns", no_argument, NULL, OPT_ALL_NETNS },
	{ "sort", required_argument, NULL, OPT_SORT },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: drstat [OPTION]... [INTERVAL [COUNT]]\n"
	"       drstat doctor [OPTION]... [SECONDS]\n"
	"What the kernel module tls_drst counts: once, or every INTERVAL seconds, COUNT\n"
	"times, with the change since. The doctor says whether connections lose data,\n"
	"and what to do; with SECONDS, by what happens in that time.\n"
	"\n"
	"      --held           list the connections that are held instead\n"
	"      --sort BY        of these, the most idle or the largest first: idle, bytes\n"
	"      --watch          both, live; INTERVAL is 1 unless given\n"
	"  -z, --zeros          also counters that are 0\n"
	"      --json           a JSON object a line, with all counters\n"
	"      --prometheus     for node_exporter's textfile collector\n"
	"      --output FILE    replace FILE each time\n"
	"      --netns NAME     of another network namespace: a name or a path\n"
	"      --all-netns      of all network namespaces\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"Exit status:\n"
	"  0  done, or ended by SIGINT; the doctor has found nothing to do\n"
	"  1  the output cannot be written, or no memory\n"
	"  2  wrong command line\n"
	"  3  the module is not loaded\n"
	"  4  no such network namespace, or none that may be entered\n"
	"  5  the module's files cannot be read or are not understood\n"
	"  6  the doctor has found something to do\n";

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
	if (n > 0 && !strcmp(*arg, "doctor")) {
		o->doctor = true;
		arg++;
		n--;
	}
	if (n > (o->doctor ? 1 : 2))
		return bad(o->doctor ? "doctor SECONDS, and nothing more" :
				       "INTERVAL and COUNT, and nothing more");
	if (n > 0 && !parse_interval(arg[0], &o->interval))
		return bad_number(o->doctor ? "SECONDS" : "INTERVAL", arg[0],
				  "seconds, 0.1 to 86400, are wanted");
	if (n > 1 && !parse_count(arg[1], &o->count))
		return bad_number("COUNT", arg[1], "a number from 1 on is wanted");
	if (o->watch && !o->interval)
		o->interval = 1;
	return -1;
}

static int check(const struct options *o)
{
	if (o->netns && o->all_netns)
		return bad("--netns or --all-netns, not both");
	if (o->doctor && (o->held || o->watch || o->zeros || o->output || o->format == PROMETHEUS))
		return bad("doctor goes with --json, --netns and --all-netns only");
	if (o->watch && o->all_netns)
		return bad("--watch shows one namespace: --netns NAME");
	if (o->sort != SORT_NONE && !o->held && !o->watch)
		return bad("--sort is for --held and --watch");
	if (o->watch && (o->format != TEXT || o->output))
		return bad("--watch is for people: programs give an INTERVAL instead");
	if (o->held && o->format == PROMETHEUS)
		return bad("--held does not go with --prometheus: use --json");
	if (o->format == PROMETHEUS && o->interval && !o->output)
		return bad("--prometheus with an INTERVAL needs --output FILE");
	return -1;
}

static int print(const char *text)
{
	return (int)put_stdout(text, strlen(text));
}

static int set(struct options *o, int opt)
{
	switch (opt) {
	case OPT_HELP:
		return print(usage);
	case OPT_VERSION:
		return print("drstat " DRSTAT_VERSION "\n");
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
	case OPT_ALL_NETNS:
		o->all_netns = true;
		return -1;
	case OPT_SORT:
		o->sort = !strcmp(optarg, "idle")  ? SORT_IDLE :
			  !strcmp(optarg, "bytes") ? SORT_BYTES :
						     SORT_NONE;
		return o->sort != SORT_NONE ? -1 : bad("--sort idle or --sort bytes");
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

int main(int argc, char **argv)
{
	static struct options o;
	int status = parse(&o, argc, argv);

	if (status >= 0)
		return status;
	if (o.netns)
		status = (int)netns_enter(&o.netns);
	if (status > 0)
		return status;
	if (o.interval || o.output)
		catch_signals();
	status = (int)(o.doctor ? doctor(&o) : report(&o));
	if ((!status || status == XS_FINDINGS) && stop_signal && stop_signal != SIGINT) {
		signal(stop_signal, SIG_DFL);
		raise(stop_signal);
	}
	return status;
}
