// SPDX-License-Identifier: GPL-2.0
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"
#include "io.h"
#include "status.h"
#include "users.h"

/* Commands, for roles. */
#define PUT (1u << CMD_PUT)
#define GET (1u << CMD_GET)
#define LS (1u << CMD_LS)
#define SERVE (1u << CMD_SERVE)
#define CLIENT (PUT | GET | LS)
#define RECEIVE (GET | LS | SERVE)
#define ALL (CLIENT | SERVE)

static const char *const commands[] = {
	[CMD_PUT] = "put",
	[CMD_GET] = "get",
	[CMD_LS] = "ls",
	[CMD_SERVE] = "serve",
};

enum kind {
	SET,	/* a bool: true */
	CHOICE, /* an int: @min */
	TEXT,	/* from here on with a value */
	WORD,	/* one of @words, to an int: its index, and @min */
	NUMBER, /* an int, @min to @max, times @scale */
	BYTES,	/* a uint64_t, @min to INT64_MAX */
};

static const char *const versions[] = { "1.2", "1.3", NULL }; /* their numbers follow each other */
static const char *const dispositions[] = { "catlg", "delete", NULL };

#define ROW(name, roles, kind, member, min, max, scale, words, help)                               \
	{                                                                                          \
		name, roles, kind, offsetof(struct options, member), min, max, scale, words, help  \
	}
#define FLAG(name, roles, member, help) ROW(name, roles, SET, member, 0, 0, 0, NULL, help)
#define ONE(name, roles, member, n, help) ROW(name, roles, CHOICE, member, n, 0, 0, NULL, help)
#define VALUE(name, roles, member, help) ROW(name, roles, TEXT, member, 0, 0, 0, NULL, help)
#define NUM(name, roles, member, min, max, help)                                                   \
	ROW(name, roles, NUMBER, member, min, max, 1, NULL, help)
#define SECONDS(name, roles, member, help)                                                         \
	ROW(name, roles, NUMBER, member, 1, INT_MAX / 1000, 1000, NULL, help)
#define SIZE(name, roles, member, help) ROW(name, roles, BYTES, member, 1, 0, 0, NULL, help)

static const struct opt {
	const char *name;
	unsigned int roles;
	enum kind kind;
	size_t at;
	int64_t min;
	int max, scale;
	const char *const *words;
	const char *help; /* "VALUE\tmeaning", or a meaning alone */
} table[] = {
	/* clang-format off */
	FLAG("help", ALL, help, "this"),
	FLAG("verbose", ALL, verbose, "say what goes on"),
	ONE("ipv4", CLIENT, family, AF_INET, "this family only"),
	ONE("ipv6", CLIENT, family, AF_INET6, "this family only"),
	FLAG("version", ALL, version, "print the version"),
	FLAG("json", ALL, json, "summary (serve: a line for each event) as JSON"),
	ROW("tls", ALL, WORD, tls.version, TLS1_2_VERSION, 0, 0, versions, "1.2|1.3\tthis version only"),
	FLAG("implicit", ALL, implicit, "TLS from the start, without AUTH (as at port 990)"),
	FLAG("clear-data", ALL, clear_data, "data without TLS (PROT C); serve: allow that"),
	FLAG("no-ktls", ALL, tune.no_ktls, "leave TLS records to user space"),
	VALUE("cert", ALL, tls.cert_file, "FILE\tcertificate chain (PEM); serve needs one"),
	VALUE("key", ALL, tls.key_file, "FILE\tits key (PEM), if not in --cert"),
	VALUE("password-file", ALL, password_file, "F\tits first line is the password"),
	SECONDS("timeout", ALL, tune.timeout_ms, "SECONDS\tgive up after so long without progress (60)"),
	ROW("conddisp", GET | SERVE, WORD, conddisp, 0, 0, 0, dispositions, "HOW\tget, serve: a partial file: catlg (keep), delete"),
	FLAG("sha256", PUT | GET | SERVE, tune.sha256, "but for ls: tell the checksum of the data"),
	VALUE("netrc-file", CLIENT, netrc, "F\tinstead of ~/.netrc"),
	VALUE("cacert", CLIENT, tls.ca_file, "FILE\ttrust these certificates, not the system's"),
	FLAG("insecure", CLIENT, tls.insecure, "take any certificate"),
	FLAG("no-epsv", CLIENT, no_epsv, "use PASV alone"),
	FLAG("active", CLIENT, active, "let the server connect to us (PORT, EPRT)"),
	FLAG("resume", PUT | GET, resume, "put, get: go on where a partial file ends (REST)"),
	FLAG("append", PUT, append, "put: add to the end of the file (APPE)"),
	FLAG("atomic", PUT, atomic, "put: another name until it is complete (RNTO)"),
	FLAG("ascii", PUT | GET, ascii, "put, get: a text, line ends converted (TYPE A)"),
	FLAG("no-mtime", GET, no_mtime, "get: leave the file's time as it comes (no MDTM)"),
	FLAG("no-progress", PUT | GET, no_progress, "no bar on a terminal"),
	ONE("names", LS, ls, LS_NAMES, "ls: NLST instead of LIST"),
	ONE("facts", LS, ls, LS_FACTS, "ls: MLSD instead of LIST"),
	VALUE("listen", SERVE, listen, "ADDR:PORT\twhere (127.0.0.1:2121); port 0: any, it is told"),
	VALUE("user", SERVE, user, "NAME\twho may log in, see --password-file"),
	VALUE("users", SERVE, users, "FILE\tor several: lines NAME:HASH (openssl passwd -6)"),
	FLAG("anonymous", SERVE, anonymous, "everyone may read; root needs --run-as for it"),
	FLAG("anonymous-write", SERVE, anonymous_write, "and write"),
	VALUE("run-as", SERVE, run_as, "USER\tgive up root's rights for this user's"),
	ONE("require-reuse", SERVE, require_reuse, 1, "they must; the default"),
	ONE("no-require-reuse", SERVE, require_reuse, 0, "data need not resume the control's session"),
	VALUE("pasv-ports", SERVE, pasv_ports, "A-B\tdata connections come to these ports (any)"),
	VALUE("pasv-address", SERVE, pasv_address, "ADDR\twhat PASV says, behind NAT"),
	NUM("max-clients", SERVE, max_clients, 1, INT_MAX, "N\tso many at once (32)"),
	NUM("max-per-host", SERVE, max_per_host, 1, INT_MAX, "N\tso many from one address (8)"),
	SIZE("max-size", SERVE, max_size, "BYTES\tno file may be larger"),
	SECONDS("idle", SERVE, idle_ms, "SECONDS\ta client may be silent for so long (300)"),
	NUM("tickets", SERVE, tls.data_tickets, 0, 16, "N\tserve: TLS 1.3 tickets on each of them (0)"),
	ROW("end", ALL, WORD, tune.ending, 0, 0, 0, ending_names, "HOW\tin one of the ways of ftps(1); clean"),
	NUM("end-delay", ALL, tune.end_delay_ms, 0, INT_MAX, "MS\twhat --end waits for before it closes (200)"),
	SIZE("cut-at", ALL, tune.cut_at, "BYTES\trst-middle: after so many (half of the file)"),
	NUM("read-delay", RECEIVE, tune.read_delay_ms, 0, INT_MAX, "MS\ta receiver reads nothing for so long"),
	SIZE("rate", ALL, tune.rate, "BYTES\tso many a second at most"),
	NUM("rcvbuf", ALL, tune.buffers.rcvbuf, 1, INT_MAX, "BYTES\tsocket buffer"),
	NUM("sndbuf", ALL, tune.buffers.sndbuf, 1, INT_MAX, "BYTES\tsocket buffer"),
	/* clang-format on */
};

/* The first options have them. */
static const char letters[] = "hv46";

static const char usage[] =
	"Usage: ftps put [OPTION]... FILE ftps://USER@HOST[:PORT]/PATH\n"
	"       ftps get [OPTION]... ftps://USER@HOST[:PORT]/PATH [FILE]\n"
	"       ftps ls [OPTION]... ftps://USER@HOST[:PORT]/PATH\n"
	"       ftps serve [OPTION]... DIR\n"
	"FTP over TLS (RFC 4217) that tells a complete file from a cut one, with kTLS. No\n"
	"production server. FILE may be - for standard input or output. See ftps(1).\n\n";

static void help(void)
{
	static const char *const heads[][2] = {
		{ "netrc-file", "put, get and ls:\n" },
		{ "listen", "serve:\n" },
		{ "end", "Data connections, to hurt a peer or to be hurt:\n" },
	};

	fputs(usage, stdout);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *text = table[i].help, *tab = strchr(text, '\t');
		char name[40], letter[] = "-h,";

		for (int h = 0; h < 3; h++)
			if (!strcmp(table[i].name, heads[h][0]))
				fputs(heads[h][1], stdout);
		letter[1] = letters[i < 4 ? i : 0];
		snprintf(name, sizeof(name), "%s %.*s", table[i].name, tab ? (int)(tab - text) : 0,
			 text);
		printf("%3s --%-20s %s\n", i < 4 ? letter : "", name, tab ? tab + 1 : text);
	}
	puts("\nExit status:");
	xs_table(stdout);
}

static int bad(const char *what, const char *why)
{
	io_say("%s: %s", what, why);
	io_say("ftps --help tells more");
	return XS_USAGE;
}

/* A whole number from @min to @max, with K, M or G (1024) behind it. */
static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;
	int shift;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	shift = unit ? 10 * (int)(unit - units + 1) : 0;
	if (errno || end[shift ? 1 : 0] || *out > max >> shift)
		return false;
	*out <<= shift;
	return *out >= min;
}

/* Return: whether the value was understood. */
static bool set(struct options *o, const struct opt *opt, const char *value)
{
	void *at = (char *)o + opt->at;
	uint64_t n;

	switch (opt->kind) {
	case SET:
		*(bool *)at = true;
		return true;
	case CHOICE:
		*(int *)at = (int)opt->min;
		return true;
	case TEXT:
		*(const char **)at = value;
		return true;
	case WORD:
		for (int i = 0; opt->words[i]; i++) {
			*(int *)at = (int)opt->min + i;
			if (!strcmp(value, opt->words[i]))
				return true;
		}
		return false;
	case NUMBER:
		if (!number(value, (uint64_t)opt->min, (uint64_t)opt->max, &n))
			return false;
		*(int *)at = (int)n * opt->scale;
		return true;
	case BYTES:
		return number(value, (uint64_t)opt->min, INT64_MAX, at);
	}
	return false;
}

static int bad_value(const struct opt *opt, const char *value)
{
	char want[256] = "a number of bytes, at least 1, with K, M or G behind it if you like";
	size_t n = 0;

	if (opt->kind == NUMBER)
		snprintf(want, sizeof(want), "a whole number from %d to %d", (int)opt->min,
			 opt->max);
	for (int i = 0; opt->kind == WORD && opt->words[i]; i++)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "%s%s", i ? ", " : "one of ",
				      opt->words[i]);
	io_say("--%s: \"%s\" is not %s", opt->name, value, want);
	return XS_USAGE;
}

/* What has no effect is not what the user meant. */
static int check_roles(enum command command, const bool *given)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char whose[64] = "";

		if (!given[i] || table[i].roles & 1u << command)
			continue;
		for (int c = CMD_PUT; c <= CMD_SERVE; c++)
			if (table[i].roles & 1u << c)
				strcat(strcat(whose, " "), commands[c]);
		io_say("--%s is not for %s: it is an option of%s", table[i].name, commands[command],
		       whose);
		return XS_USAGE;
	}
	return -1;
}

static int set_url(struct options *o, const char *text)
{
	const char *why = url_parse(text, &o->url);

	if (why)
		return bad("URL", why);
	/* Port 990 is the one for it (RFC 4217 s. 15.3). */
	o->implicit = o->implicit || !strcmp(o->url.port, "990");
	if (!*o->url.port)
		strcpy(o->url.port, o->implicit ? "990" : "21");
	why = o->password_file ? credentials_read(o->password_file, o->url.password) : NULL;
	o->url.has_password = o->password_file;
	if (why)
		return bad(o->password_file, why);
	if (o->tls.key_file && !o->tls.cert_file)
		return bad("--key", "needs --cert");
	return -1;
}

/* Where a text was cut cannot be told from the sizes on both sides. */
static int check_resume(const struct options *o)
{
	if (o->ascii && o->resume)
		return bad("--ascii", "does not go with --resume");
	if (o->append + o->resume + o->atomic > 1)
		return bad("put", "only one of --append, --resume and --atomic");
	if (o->resume && !strcmp(o->file, "-"))
		return bad("--resume", "needs a file: - has no place to go on from");
	return -1;
}

static int finish_put(struct options *o, int n, char **arg)
{
	const char *base;
	struct stat sb;
	int status;

	if (n != 2)
		return bad("put", "needs FILE and URL");
	o->file = arg[0];
	status = set_url(o, arg[1]);
	if (status < 0)
		status = check_resume(o);
	if (status >= 0)
		return status;
	if ((strcmp(o->file, "-") ? stat(o->file, &sb) : fstat(STDIN_FILENO, &sb)) == 0 &&
	    S_ISDIR(sb.st_mode))
		return bad(o->file, "is a folder: put sends one file");
	base = url_basename(o->file);
	if (*url_basename(o->url.path))
		return -1;
	if (!strcmp(o->file, "-") || strlen(o->url.path) + strlen(base) >= sizeof(o->url.path))
		return bad("URL", "ends in /, and there is no name to put behind it");
	if (strpbrk(base, "\r\n"))
		return bad(o->file, "has a line break in its name, which FTP cannot send: give the "
				    "URL another one");
	strcat(o->url.path, base);
	return -1;
}

static int finish_get(struct options *o, int n, char **arg)
{
	int status;

	if (n != 1 && n != 2)
		return bad("get", "needs URL, and perhaps FILE");
	status = set_url(o, arg[0]);
	if (status >= 0)
		return status;
	if (!*url_basename(o->url.path))
		return bad("URL", "has no file name behind the last /");
	o->file = n == 2 ? arg[1] : url_basename(o->url.path);
	if (n == 1 && !strcmp(o->file, "-"))
		return bad("URL", "its file is called -, which is standard output: say FILE, such "
				  "as ./-");
	return check_resume(o);
}

static int finish_ls(struct options *o, int n, char **arg)
{
	return n == 1 ? set_url(o, arg[0]) : bad("ls", "needs URL");
}

static int finish_run_as(struct options *o)
{
	const struct passwd *pw = o->run_as ? getpwnam(o->run_as) : NULL;

	if (o->run_as && (!pw || !pw->pw_uid))
		return bad("--run-as", pw ? "that is root again" : "there is no such user");
	if (o->anonymous && !pw && !geteuid())
		return bad("--anonymous", "root needs --run-as USER for it");
	if (pw) {
		o->uid = pw->pw_uid;
		o->gid = pw->pw_gid;
	}
	return -1;
}

static int finish_pasv(struct options *o)
{
	int used = 0;

	if (o->pasv_ports &&
	    (sscanf(o->pasv_ports, "%5u-%5u%n", &o->pasv_first, &o->pasv_last, &used) != 2 ||
	     o->pasv_ports[used] || !o->pasv_first || o->pasv_first > o->pasv_last ||
	     o->pasv_last > 65535))
		return bad("--pasv-ports", "the first and the last one are wanted: 50000-50099");
	if (o->pasv_address && !net_parse(o->pasv_address, AF_INET, 0, &o->pasv_nat))
		return bad("--pasv-address", "an address of IPv4 is wanted, in digits");
	return finish_run_as(o);
}

static int finish_login(struct options *o)
{
	const char *why = o->users ? users_load(o->users, &o->users_text) : NULL;

	if (why)
		return bad(o->users, why);
	why = o->password_file ? credentials_read(o->password_file, o->password) : NULL;
	if (why)
		return bad(o->password_file, why);
	if (o->users && (o->user || o->anonymous))
		return bad("--users", "does not go with --user or --anonymous");
	if (!o->users && !o->anonymous && (!o->user || !*o->password))
		return bad("serve", "needs --user and --password-file, --users, or --anonymous");
	return -1;
}

static int finish_serve(struct options *o, int n, char **arg)
{
	int status;

	if (n != 1)
		return bad("serve", "needs DIR");
	o->dir = arg[0];
	if (!o->tls.cert_file)
		return bad("serve", "needs --cert");
	o->anonymous = o->anonymous || o->anonymous_write;
	status = finish_login(o);
	return status < 0 ? finish_pasv(o) : status;
}

static int finish(struct options *o, int n, char **arg, const bool *given)
{
	static int (*const finishers[])(struct options *, int, char **) = {
		[CMD_PUT] = finish_put,
		[CMD_GET] = finish_get,
		[CMD_LS] = finish_ls,
		[CMD_SERVE] = finish_serve,
	};
	int status;

	for (int c = CMD_PUT; n && c <= CMD_SERVE; c++)
		if (!strcmp(arg[0], commands[c]))
			o->command = (enum command)c;
	if (o->command == CMD_NONE)
		return bad(n ? arg[0] : "ftps", "put, get, ls or serve is wanted");
	status = check_roles(o->command, given);
	return status < 0 ? finishers[o->command](o, n - 1, arg + 1) : status;
}

static void defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->family = AF_UNSPEC;
	o->conddisp = CONDDISP_CATLG;
	o->tune.timeout_ms = 60000;
	o->tune.end_delay_ms = 200;
	o->listen = "127.0.0.1:2121";
	o->max_clients = 32;
	o->max_per_host = 8;
	o->require_reuse = true;
	o->idle_ms = 300000;
}

int options_parse(struct options *o, int argc, char **argv)
{
	enum { N = sizeof(table) / sizeof(*table), LONG = 256 };
	struct option longs[N + 1] = { 0 };
	bool given[N] = { false };
	int c;

	defaults(o);
	for (int i = 0; i < N; i++)
		longs[i] = (struct option){ table[i].name, table[i].kind >= TEXT, NULL, LONG + i };
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int i = c - LONG;

		if (c == '?')
			return bad("options", "not understood");
		if (i < 0)
			i = (int)(strchr(letters, c) - letters);
		given[i] = true;
		if (!set(o, &table[i], optarg))
			return bad_value(&table[i], optarg);
	}
	io_verbose = o->verbose;
	if (o->help)
		help();
	else if (o->version)
		puts("ftps " FTPS_VERSION);
	return o->help || o->version ? 0 : finish(o, argc - optind, argv + optind, given);
}
