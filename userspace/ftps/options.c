// SPDX-License-Identifier: GPL-2.0
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "status.h"
#include "users.h"

enum opt {
	OPT_HELP = 'h',
	OPT_VERBOSE = 'v',
	OPT_IPV4 = '4',
	OPT_IPV6 = '6',
	OPT_FIRST = 256,
	OPT_VERSION,
	OPT_TLS,
	OPT_CACERT,
	OPT_INSECURE,
	OPT_NO_KTLS,
	OPT_NETRC,
	OPT_NO_EPSV,
	OPT_IMPLICIT,
	OPT_CLEAR_DATA,
	OPT_ACTIVE,
	OPT_RESUME,
	OPT_APPEND,
	OPT_NAMES,
	OPT_FACTS,
	OPT_MAX_SIZE,
	OPT_PASSWORD_FILE,
	OPT_USER,
	OPT_ANONYMOUS,
	OPT_TICKETS,
	OPT_LISTEN,
	OPT_CERT,
	OPT_KEY,
	OPT_MAX_CLIENTS,
	OPT_IDLE,
	OPT_END,
	OPT_END_DELAY,
	OPT_CUT_AT,
	OPT_READ_DELAY,
	OPT_RATE,
	OPT_RCVBUF,
	OPT_SNDBUF,
	OPT_TIMEOUT,
	OPT_CONDDISP,
	OPT_JSON,
	OPT_ASCII,
	OPT_NO_PROGRESS,
	OPT_NO_MTIME,
	OPT_REQUIRE_REUSE,
	OPT_USERS,
	OPT_MAX_PER_HOST,
	OPT_MAX_SESSION,
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "ipv4", no_argument, NULL, OPT_IPV4 },
	{ "ipv6", no_argument, NULL, OPT_IPV6 },
	{ "tls", required_argument, NULL, OPT_TLS },
	{ "cacert", required_argument, NULL, OPT_CACERT },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "no-ktls", no_argument, NULL, OPT_NO_KTLS },
	{ "no-epsv", no_argument, NULL, OPT_NO_EPSV },
	{ "implicit", no_argument, NULL, OPT_IMPLICIT },
	{ "clear-data", no_argument, NULL, OPT_CLEAR_DATA },
	{ "active", no_argument, NULL, OPT_ACTIVE },
	{ "resume", no_argument, NULL, OPT_RESUME },
	{ "append", no_argument, NULL, OPT_APPEND },
	{ "names", no_argument, NULL, OPT_NAMES },
	{ "facts", no_argument, NULL, OPT_FACTS },
	{ "max-size", required_argument, NULL, OPT_MAX_SIZE },
	{ "netrc-file", required_argument, NULL, OPT_NETRC },
	{ "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "anonymous", no_argument, NULL, OPT_ANONYMOUS },
	{ "tickets", required_argument, NULL, OPT_TICKETS },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "max-clients", required_argument, NULL, OPT_MAX_CLIENTS },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "end", required_argument, NULL, OPT_END },
	{ "end-delay", required_argument, NULL, OPT_END_DELAY },
	{ "cut-at", required_argument, NULL, OPT_CUT_AT },
	{ "read-delay", required_argument, NULL, OPT_READ_DELAY },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "rcvbuf", required_argument, NULL, OPT_RCVBUF },
	{ "sndbuf", required_argument, NULL, OPT_SNDBUF },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "conddisp", required_argument, NULL, OPT_CONDDISP },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "ascii", no_argument, NULL, OPT_ASCII },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "no-mtime", no_argument, NULL, OPT_NO_MTIME },
	{ "require-reuse", no_argument, NULL, OPT_REQUIRE_REUSE },
	{ "users", required_argument, NULL, OPT_USERS },
	{ "max-per-host", required_argument, NULL, OPT_MAX_PER_HOST },
	{ "max-session", required_argument, NULL, OPT_MAX_SESSION },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: ftps put [OPTION]... FILE ftps://USER@HOST[:PORT]/PATH\n"
	"       ftps get [OPTION]... ftps://USER@HOST[:PORT]/PATH [FILE]\n"
	"       ftps ls [OPTION]... ftps://USER@HOST[:PORT]/PATH\n"
	"       ftps serve [OPTION]... DIR\n"
	"FTP over TLS (RFC 4217) that tells a complete file from a cut one, with kTLS.\n"
	"FILE may be - for standard input or output.\n"
	"\n"
	"  -v, --verbose           say what goes on\n"
	"      --json              summary (serve: a line for each transfer) as JSON\n"
	"  -4, --ipv4, -6, --ipv6  this family only\n"
	"      --tls 1.2|1.3       this version only\n"
	"      --implicit          TLS from the start, without AUTH (port 990)\n"
	"      --clear-data        data without TLS (PROT C); serve: allow that\n"
	"      --no-ktls           leave TLS records to user space\n"
	"      --timeout SECONDS   give up after so long without progress (60)\n"
	"      --conddisp catlg|delete\n"
	"                          keep a partial file as FILE.partial (default), or not\n"
	"put, get and ls:\n"
	"      --password-file F   F's first line is the password (never in the URL);\n"
	"                          else ~/.netrc has it, else you are asked\n"
	"      --netrc-file F      instead of ~/.netrc\n"
	"      --cacert FILE       trust these certificates instead of the system's\n"
	"      --insecure          take any certificate\n"
	"      --no-epsv           use PASV alone\n"
	"      --active            let the server connect to us (PORT, EPRT)\n"
	"      --resume            go on where the partial file ends (REST)\n"
	"      --append            put: add to the end of the file (APPE)\n"
	"      --ascii             put, get: a text, its line ends converted (TYPE A)\n"
	"      --no-mtime          get: leave the file's time as it comes, without MDTM\n"
	"      --no-progress       no bar on a terminal\n"
	"      --names, --facts    ls: NLST, MLSD instead of LIST\n"
	"serve:\n"
	"      --listen ADDR:PORT  where (127.0.0.1:2121); port 0: any, and it is printed\n"
	"      --cert FILE, --key FILE\n"
	"                          certificate chain and key, PEM\n"
	"      --user NAME --password-file F\n"
	"                          who may log in; F's first line is the password\n"
	"      --users FILE        or several: lines NAME:HASH (openssl passwd -6)\n"
	"      --anonymous         everyone may, and may write\n"
	"      --require-reuse     data connections must resume the control connection's\n"
	"                          TLS session\n"
	"      --max-clients N     so many at once (32)\n"
	"      --max-per-host N    so many from one address\n"
	"      --max-session SECONDS\n"
	"                          no client may stay longer\n"
	"      --max-size BYTES    no file may be larger\n"
	"      --idle SECONDS      a client may be silent for so long (300)\n"
	"Data connections, to hurt a peer or to be hurt:\n"
	"      --end HOW           how to end them: clean, or one that a careless program\n"
	"                          chooses: tickets-unread close linger0 kill half-close\n"
	"                          shut-rdwr no-close-notify rst-after-notify rst-middle\n"
	"      --end-delay MS      half-close, shut-rdwr: time before close (200)\n"
	"      --cut-at BYTES      rst-middle: after so many bytes (half of the file)\n"
	"      --tickets N         serve: TLS 1.3 tickets on each data connection (0 is\n"
	"                          kind, and the default; other servers send 2)\n"
	"      --read-delay MS     a receiver reads nothing for so long\n"
	"      --rate BYTES        so many a second at most\n"
	"      --rcvbuf BYTES, --sndbuf BYTES\n"
	"                          socket buffers\n"
	"\n"
	"Exit status:\n";

static void help(FILE *to)
{
	fputs(usage, to);
	xs_table(to);
}

static int bad(const char *what, const char *value)
{
	io_say("%s: %s", what, value);
	io_say("ftps --help tells more");
	return XS_USAGE;
}

/* A whole number from @min to @max, with K, M or G (1024) behind it. */
static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	int shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (errno || end[shift ? 1 : 0] || *out > max >> shift)
		return false;
	*out <<= shift;
	return *out >= min;
}

static bool number_int(const char *text, int min, int scale, int *out)
{
	uint64_t n;

	if (!number(text, (uint64_t)min, (uint64_t)(INT_MAX / scale), &n))
		return false;
	*out = (int)n * scale;
	return true;
}

static bool read_password(const char *name, char *password)
{
	FILE *f = fopen(name, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(password, URL_PART_MAX, f) != NULL;
	fclose(f);
	password[strcspn(password, "\r\n")] = '\0';
	return ok;
}

static bool set_tls(struct options *o, const char *version)
{
	if (!strcmp(version, "1.2"))
		o->tls.version = TLS1_2_VERSION;
	else if (!strcmp(version, "1.3"))
		o->tls.version = TLS1_3_VERSION;
	else
		return false;
	return true;
}

static bool set_conddisp(struct options *o, const char *disp)
{
	o->conddisp = !strcmp(disp, "delete") ? CONDDISP_DELETE : CONDDISP_CATLG;
	return o->conddisp == CONDDISP_DELETE || !strcmp(disp, "catlg");
}

/* Options of the data connections. Return: whether the value was understood. */
static bool set_tuning(struct tuning *t, int opt, const char *value)
{
	switch (opt) {
	case OPT_END:
		t->ending = ending_parse(value);
		return t->ending != END_NR;
	case OPT_END_DELAY:
		return number_int(value, 0, 1, &t->end_delay_ms);
	case OPT_CUT_AT:
		return number(value, 1, INT64_MAX, &t->cut_at);
	case OPT_READ_DELAY:
		return number_int(value, 0, 1, &t->read_delay_ms);
	case OPT_RATE:
		return number(value, 1, INT64_MAX / 1000, &t->rate);
	case OPT_RCVBUF:
		return number_int(value, 1, 1, &t->buffers.rcvbuf);
	case OPT_SNDBUF:
		return number_int(value, 1, 1, &t->buffers.sndbuf);
	case OPT_TIMEOUT:
		return number_int(value, 1, 1000, &t->timeout_ms);
	default:
		return false;
	}
}

/* Options with a value. Return: whether it was understood. */
static bool set_value(struct options *o, int opt, const char *value)
{
	switch (opt) {
	case OPT_TLS:
		return set_tls(o, value);
	case OPT_CONDDISP:
		return set_conddisp(o, value);
	case OPT_PASSWORD_FILE:
		return read_password(value, o->password);
	case OPT_MAX_CLIENTS:
		return number_int(value, 1, 1, &o->max_clients);
	case OPT_MAX_PER_HOST:
		return number_int(value, 1, 1, &o->max_per_host);
	case OPT_MAX_SESSION:
		return number_int(value, 1, 1, &o->max_session);
	case OPT_USERS:
		o->users = value;
		return true;
	case OPT_MAX_SIZE:
		return number(value, 1, INT64_MAX, &o->max_size);
	case OPT_IDLE:
		return number_int(value, 1, 1000, &o->idle_ms);
	case OPT_TICKETS:
		return number_int(value, 0, 1, &o->tls.data_tickets) && o->tls.data_tickets <= 16;
	case OPT_NETRC:
		o->netrc = value;
		return true;
	case OPT_CACERT:
		o->tls.ca_file = value;
		return true;
	case OPT_CERT:
		o->tls.cert_file = value;
		return true;
	case OPT_KEY:
		o->tls.key_file = value;
		return true;
	case OPT_LISTEN:
		o->listen = value;
		return true;
	case OPT_USER:
		o->user = value;
		return true;
	default:
		return set_tuning(&o->tune, opt, value);
	}
}

static bool set_client_flag(struct options *o, int opt)
{
	switch (opt) {
	case OPT_NO_EPSV:
		o->no_epsv = true;
		return true;
	case OPT_ACTIVE:
		o->active = true;
		return true;
	case OPT_RESUME:
		o->resume = true;
		return true;
	case OPT_APPEND:
		o->append = true;
		return true;
	case OPT_ASCII:
		o->ascii = true;
		return true;
	case OPT_NO_MTIME:
		o->mtime = false;
		return true;
	case OPT_NO_PROGRESS:
		o->no_progress = true;
		return true;
	case OPT_NAMES:
		o->ls = LS_NAMES;
		return true;
	case OPT_FACTS:
		o->ls = LS_FACTS;
		return true;
	default:
		return false;
	}
}

/* Options without a value. Return: whether it is one. */
static bool set_flag(struct options *o, int opt)
{
	switch (opt) {
	case OPT_VERBOSE:
		io_verbose = true;
		return true;
	case OPT_JSON:
		o->json = true;
		return true;
	case OPT_IPV4:
		o->family = AF_INET;
		return true;
	case OPT_IPV6:
		o->family = AF_INET6;
		return true;
	case OPT_INSECURE:
		o->tls.insecure = true;
		return true;
	case OPT_NO_KTLS:
		o->tune.no_ktls = true;
		return true;
	case OPT_ANONYMOUS:
		o->anonymous = true;
		return true;
	case OPT_REQUIRE_REUSE:
		o->require_reuse = true;
		return true;
	case OPT_IMPLICIT:
		o->implicit = true;
		return true;
	case OPT_CLEAR_DATA:
		o->clear_data = true;
		return true;
	default:
		return set_client_flag(o, opt);
	}
}

static int set_url(struct options *o, const char *text)
{
	const char *why = url_parse(text, &o->url);

	if (why)
		return bad("URL", why);
	if (!*o->url.port)
		strcpy(o->url.port, o->implicit ? "990" : "21");
	if (*o->password) {
		memcpy(o->url.password, o->password, sizeof(o->password));
		o->url.has_password = true;
	}
	OPENSSL_cleanse(o->password, sizeof(o->password));
	return -1;
}

/* Where a text was cut cannot be told from the sizes on both sides. */
static bool resumes_text(const struct options *o)
{
	return o->ascii && o->resume;
}

static int finish_put(struct options *o, int n, char **arg)
{
	const char *base;
	int status;

	if (n != 2)
		return bad("put", "needs FILE and URL");
	if (resumes_text(o))
		return bad("--ascii", "does not go with --resume");
	if (o->append && o->resume)
		return bad("--append", "does not go with --resume");
	status = set_url(o, arg[1]);
	if (status >= 0)
		return status;
	o->file = arg[0];
	base = url_basename(o->file);
	if (*url_basename(o->url.path))
		return -1;
	if (!strcmp(o->file, "-") || strlen(o->url.path) + strlen(base) >= sizeof(o->url.path))
		return bad("URL", "ends in /, and there is no name to put behind it");
	strcat(o->url.path, base);
	return -1;
}

static int finish_get(struct options *o, int n, char **arg)
{
	int status;

	if (n != 1 && n != 2)
		return bad("get", "needs URL, and perhaps FILE");
	if (resumes_text(o))
		return bad("--ascii", "does not go with --resume");
	status = set_url(o, arg[0]);
	if (status >= 0)
		return status;
	if (!*url_basename(o->url.path))
		return bad("URL", "has no file name");
	o->file = n == 2 ? arg[1] : url_basename(o->url.path);
	return -1;
}

static int finish_ls(struct options *o, int n, char **arg)
{
	return n == 1 ? set_url(o, arg[0]) : bad("ls", "needs URL");
}

static int finish_login(const struct options *o)
{
	const char *why = o->users ? users_check(o->users) : NULL;

	if (why)
		return bad(o->users, why);
	if (o->users && (o->user || o->anonymous))
		return bad("--users", "does not go with --user or --anonymous");
	if (!o->users && !o->anonymous && (!o->user || !*o->password))
		return bad("serve", "needs --user and --password-file, --users, or --anonymous");
	return -1;
}

static int finish_serve(struct options *o, int n, char **arg)
{
	if (n != 1)
		return bad("serve", "needs DIR");
	o->dir = arg[0];
	if (!o->tls.cert_file)
		return bad("serve", "needs --cert");
	/* Without TLS nothing is resumed, and nothing proves whose data they are. */
	if (o->require_reuse && o->clear_data)
		return bad("--require-reuse", "does not go with --clear-data");
	return finish_login(o);
}

static int finish(struct options *o, int n, char **arg)
{
	const char *verb = n ? arg[0] : "";

	if (!strcmp(verb, "put")) {
		o->command = CMD_PUT;
		return finish_put(o, n - 1, arg + 1);
	}
	if (!strcmp(verb, "get")) {
		o->command = CMD_GET;
		return finish_get(o, n - 1, arg + 1);
	}
	if (!strcmp(verb, "ls")) {
		o->command = CMD_LS;
		return finish_ls(o, n - 1, arg + 1);
	}
	if (!strcmp(verb, "serve")) {
		o->command = CMD_SERVE;
		return finish_serve(o, n - 1, arg + 1);
	}
	return bad(n ? "no such command" : "a command is missing",
		   n ? verb : "put, get, ls or serve");
}

static void defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->family = AF_UNSPEC;
	o->conddisp = CONDDISP_CATLG;
	o->mtime = true;
	o->tune.timeout_ms = 60000;
	o->tune.end_delay_ms = 200;
	o->listen = "127.0.0.1:2121";
	o->max_clients = 32;
	o->idle_ms = 300000;
}

int options_parse(struct options *o, int argc, char **argv)
{
	int opt;

	defaults(o);
	while ((opt = getopt_long(argc, argv, "hv46", longs, NULL)) != -1) {
		if (opt == OPT_HELP) {
			help(stdout);
			return 0;
		}
		if (opt == OPT_VERSION) {
			puts("ftps " FTPS_VERSION);
			return 0;
		}
		if (opt == '?')
			return bad("options", "not understood");
		if (!set_flag(o, opt) && !(optarg && set_value(o, opt, optarg)))
			return bad("not a good value", optarg ? optarg : "?");
	}
	return finish(o, argc - optind, argv + optind);
}
