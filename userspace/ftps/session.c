// SPDX-License-Identifier: GPL-2.0
#include "session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "data.h"
#include "io.h"
#include "listing.h"
#include "net.h"
#include "report.h"
#include "users.h"
#include "vfs.h"

#define LOGIN_TRIES 3
#define LOGIN_DELAY_MS 1000 /* after a wrong password */
#define LOGIN_MS 30000	    /* from the connection to the login, at most, see --timeout */
#define BAD_COMMANDS 10	    /* and it is no client of FTP */
#define ACCEPT_MS 30000	    /* for a client to open its data connection, at most, see --timeout */

struct session {
	const struct options *o;
	SSL_CTX *ctx;
	int root;
	struct control *c;
	union net_addr local, peer;
	char peer_text[NET_TEXT_MAX];
	bool tls, pbsz, prot_set, prot_p;
	bool logged_in, leaving;
	int64_t login_by;
	int failures;	  /* logins */
	int bad_commands; /* since the last good one of a client that has logged in */
	char user[URL_PART_MAX];
	char cwd[VFS_PATH_MAX];
	char from[VFS_PATH_MAX]; /* what RNFR said, or "" */
	time_t when;		 /* what MFMT says */
	mode_t mode;		 /* what SITE CHMOD says */
	int pasv_fd;		 /* listening for the data connection, or -1 */
	union net_addr port;	 /* where PORT or EPRT said to connect to */
	bool has_port;
	bool epsv_all;	  /* EPSV ALL: no other way (RFC 2428 s. 4) */
	bool ascii;	  /* TYPE A, which is where RFC 959 begins */
	uint64_t rest;	  /* where the next transfer begins */
	const char *verb; /* the command in hand, as the table has it */
	bool logged;	  /* what becomes of it is in the log */
	/* During a transfer: */
	struct data *data;
	bool abor;		      /* ABOR came */
	char early[CONTROL_LINE_MAX]; /* another command that came too early, or "" */
	struct report report;
	struct transfer transfer;
};

/* ------------------------------------------------------------------ replies */

static void gone(struct session *s, enum ctl_status st)
{
	if (st == CTL_OK)
		return;
	io_note("%s: %s", s->peer_text, s->c->why);
	s->leaving = true;
}

/* No password. */
static void note_command(const struct session *s, const char *line, const char *when)
{
	io_note("%s: %s%s", s->peer_text, strncasecmp(line, "PASS", 4) ? line : "PASS ****", when);
}

#define reply(s, ...) gone(s, control_send((s)->c, __VA_ARGS__))

static void event(const struct session *s, const char *what, const char *detail)
{
	report_event(what, s->peer_text, s->user, detail, s->o->json);
}

static void begin_report(struct session *s, const char *path)
{
	memset(&s->transfer, 0, sizeof(s->transfer));
	s->report = (struct report){
		.op = s->verb,
		.path = path,
		.peer = s->peer_text,
		.user = s->user,
		.transfer = &s->transfer,
		.ending = s->o->tune.ending,
	};
}

/* A command that moved no data. */
static void log_outcome(struct session *s, const char *path, enum xs xs, int code, const char *why)
{
	begin_report(s, path);
	s->report.reply = code;
	s->report.transfer = NULL;
	s->report.from = !strcmp(s->verb, "RNTO") ? s->from : NULL;
	s->report.status = xs;
	s->report.why = why;
	report_print(&s->report, s->o->json, STDOUT_FILENO);
}

/* A command is refused. @arg: the client's words for its file */
static void refuse(struct session *s, const char *arg, int code, const char *why)
{
	reply(s, "%d %s", code, why);
	if (s->logged)
		log_outcome(s, arg, XS_REFUSED, code, why);
}

/*
 * A failure with a file. @refusal is the reply to what will not do however often it is tried,
 * which differs between commands (RFC 959 s. 5.4): 550, 553 to STOR and APPE, 450 to LIST and
 * NLST, which have no other. Return: the reply's code.
 */
static int reply_errno(struct session *s, int refusal, int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
		refusal = 452;
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
		refusal = 451;
		break;
	case EAGAIN:
	case EBUSY:
	case ETXTBSY:
		refusal = 450;
		break;
	case EXDEV:
	case ELOOP:
		reply(s, "%d Not in this folder, or on another file system", refusal);
		return refusal;
	}
	reply(s, "%d %s", refusal, strerror(err));
	return refusal;
}

/* ------------------------------------------------------------------ security, RFC 2228, 4217 */

static void start_tls(struct session *s)
{
	struct tls_start how = { .ctx = s->ctx, .server = true, .tickets = -1 };

	s->tls = tls_stream_start(s->c->s, &how, io_left(s->login_by)) == TS_OK;
	if (s->tls)
		return;
	event(s, "no TLS", tls_stream_why(s->c->s));
	s->leaving = true;
}

static void cmd_auth(struct session *s, const char *arg)
{
	if (strcasecmp(arg, "TLS") && strcasecmp(arg, "TLS-C")) {
		reply(s, "504 AUTH TLS is all there is");
	} else if (s->tls) {
		/* RFC 2228 has no reply for a server that will not begin anew; others say 503. */
		reply(s, "503 TLS is on already");
	} else if (s->c->have) {
		/* Commands sent in the clear ahead of TLS must not run inside it. */
		reply(s, "421 Commands behind AUTH: goodbye");
		s->leaving = true;
	} else {
		reply(s, "234 Go ahead with TLS");
		if (!s->leaving)
			start_tls(s);
	}
}

/* TLS needs no buffer of an agreed size (RFC 4217 s. 9): any number, of 32 bits, becomes 0. */
static void cmd_pbsz(struct session *s, const char *arg)
{
	size_t digits = strspn(arg, "0123456789");

	if (!s->tls) {
		reply(s, "503 AUTH TLS first");
	} else if (!digits || arg[digits] || digits > 10 || strtoull(arg, NULL, 10) > UINT32_MAX) {
		reply(s, "501 This is no size");
	} else {
		s->pbsz = true;
		reply(s, "200 PBSZ=0");
	}
}

static void cmd_prot(struct session *s, const char *arg)
{
	bool private = !strcasecmp(arg, "P");

	if (!s->pbsz) {
		reply(s, s->tls ? "503 PBSZ first" : "503 AUTH TLS first");
	} else if (!strcasecmp(arg, "S") || !strcasecmp(arg, "E")) {
		reply(s, "536 TLS does PROT P and C alone");
	} else if (!private && strcasecmp(arg, "C")) {
		reply(s, "504 There is no such level");
	} else if (!private && !s->o->clear_data) {
		reply(s, "534 Only PROT P here");
	} else {
		s->prot_set = true;
		s->prot_p = private;
		reply(s, "200 Data connections %s", private ? "use TLS" : "are in the clear");
	}
}

/* ------------------------------------------------------------------ login */

static void cmd_user(struct session *s, const char *arg)
{
	if (s->logged_in) {
		reply(s, "530 Logged in already");
	} else if (strlen(arg) >= sizeof(s->user) || strchr(arg, '"') || !vfs_printable(arg)) {
		/* A log shows it in quotes. */
		reply(s, "501 This is no user name");
	} else {
		strcpy(s->user, arg);
		reply(s, "331 Password, please");
	}
}

static bool may_log_in(const struct session *s, const char *secret)
{
	const struct options *o = s->o;
	size_t len = strlen(o->password);

	if (o->anonymous)
		return true;
	if (o->users)
		return users_login(o->users_text, s->user, secret);
	return strlen(secret) == len && !CRYPTO_memcmp(secret, o->password, len) &&
	       !strcmp(s->user, o->user);
}

static void cmd_pass(struct session *s, const char *arg)
{
	if (!*s->user || s->logged_in) {
		reply(s, "503 USER first");
		return;
	}
	s->logged_in = may_log_in(s, arg);
	event(s, "login", s->logged_in ? "accepted" : "refused");
	if (s->logged_in) {
		reply(s, "230 Welcome");
		return;
	}
	io_poll(NULL, 0, LOGIN_DELAY_MS);
	s->leaving = ++s->failures >= LOGIN_TRIES;
	reply(s, s->leaving ? "421 Too many tries" : "530 Login incorrect");
}

/* ------------------------------------------------------------------ small talk */

static void cmd_quit(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, "221 Goodbye");
	s->leaving = true;
}

/* All that there is to say. */
static void cmd_say(struct session *s, const char *text)
{
	reply(s, "%s", text);
}

static void cmd_feat(struct session *s, const char *arg)
{
	static const char *const lines[] = {
		/* clang-format off */
		"211-Features:", " AUTH TLS", " PBSZ", " PROT", " EPSV", " EPRT", " SIZE",
		" MDTM", " REST STREAM", " MFMT", " MLST type*;size*;modify*;UNIX.mode*;", " TVFS",
		" UTF8", "211 End",
		/* clang-format on */
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) && !s->leaving; i++)
		reply(s, "%s", lines[i]);
}

static void cmd_opts(struct session *s, const char *arg)
{
	if (strcasecmp(arg, "UTF8 ON") && strcasecmp(arg, "UTF8"))
		reply(s, "501 No such option");
	else
		reply(s, "200 Names are UTF-8");
}

static void cmd_type(struct session *s, const char *arg)
{
	bool image = !strcasecmp(arg, "I") || !strcasecmp(arg, "L 8");

	if (image || !strcasecmp(arg, "A") || !strcasecmp(arg, "A N")) {
		s->ascii = !image;
		reply(s, "200 Type %c", image ? 'I' : 'A');
	} else {
		reply(s, "504 Types are I and A");
	}
}

/* MODE, STRU */
static void cmd_mode(struct session *s, const char *arg)
{
	bool only = !strcasecmp(arg, *s->verb == 'M' ? "S" : "F");

	reply(s, only ? "200 OK" : "504 MODE S and STRU F are all there is");
}

/* ------------------------------------------------------------------ folders */

static bool resolve(struct session *s, const char *arg, char *path)
{
	if (vfs_join(s->cwd, arg, path))
		return true;
	refuse(s, arg, 553, "That name cannot be");
	return false;
}

/* A name in quotes, its own quotes doubled (RFC 959, appendix II). */
static void reply_path(struct session *s, const char *path)
{
	char quoted[2 * VFS_PATH_MAX];
	size_t n = 0;

	for (; *path; path++) {
		if (*path == '"')
			quoted[n++] = '"';
		quoted[n++] = *path;
	}
	quoted[n] = '\0';
	reply(s, "257 \"%s\"", quoted);
}

static void cmd_pwd(struct session *s, const char *arg)
{
	(void)arg;
	reply_path(s, s->cwd);
}

static void cmd_cwd(struct session *s, const char *arg)
{
	char path[VFS_PATH_MAX];
	int fd;

	if (!resolve(s, arg, path))
		return;
	fd = vfs_open(s->root, path, O_PATH | O_DIRECTORY);
	if (fd < 0) {
		reply_errno(s, 550, -fd);
		return;
	}
	close(fd);
	strcpy(s->cwd, path);
	reply(s, "250 OK");
}

/*
 * Open a regular file to read. @path: out: its path.
 * Return: the descriptor, or -1 with the reply sent.
 */
static int open_file(struct session *s, const char *arg, char *path, struct stat *sb)
{
	int fd, err, code;

	if (!resolve(s, arg, path))
		return -1;
	fd = vfs_open(s->root, path, O_RDONLY | O_NOCTTY);
	err = fd < 0		   ? -fd :
	      fstat(fd, sb) < 0	   ? errno :
	      S_ISREG(sb->st_mode) ? 0 :
	      S_ISDIR(sb->st_mode) ? EISDIR :
				     EACCES;
	if (!err)
		return fd;
	io_close(fd);
	code = reply_errno(s, 550, err);
	if (*s->verb == 'R')
		log_outcome(s, path, XS_LOCAL, code, strerror(err));
	return -1;
}

static bool stat_file(struct session *s, const char *arg, struct stat *sb)
{
	char path[VFS_PATH_MAX];
	int fd = open_file(s, arg, path, sb);

	return fd >= 0 && close(fd) == 0;
}

static void cmd_size(struct session *s, const char *arg)
{
	struct stat sb;

	/* It would be the size on the wire, RFC 3659 s. 4: the whole file would have to be read. */
	if (s->ascii)
		reply(s, "550 SIZE needs TYPE I");
	else if (stat_file(s, arg, &sb))
		reply(s, "213 %" PRIu64, (uint64_t)sb.st_size);
}

static void cmd_mdtm(struct session *s, const char *arg)
{
	struct stat sb;
	struct tm tm;
	char text[32];

	if (!stat_file(s, arg, &sb))
		return;
	if (gmtime_r(&sb.st_mtime, &tm) && strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm))
		reply(s, "213 %s", text);
	else
		reply(s, "550 Its time cannot be told");
}

/* ------------------------------------------------------------------ the data connection */

static void close_pasv(struct session *s)
{
	io_close(s->pasv_fd);
	s->pasv_fd = -1;
	s->has_port = false;
}

/* A port that is free; of --pasv-ports one that nobody can foretell. */
static bool listen_data(struct session *s, union net_addr *at)
{
	unsigned int first = s->o->pasv_first, n = s->o->pasv_last - first + 1, at_random;

	close_pasv(s);
	*at = s->local;
	if (RAND_bytes((unsigned char *)&at_random, sizeof(at_random)) != 1)
		at_random = 0;
	for (unsigned int i = 0; i < n && s->pasv_fd < 0; i++) {
		net_set_port(at, first + (at_random % n + i) % n);
		s->pasv_fd = net_listen(at, &s->o->tune.buffers);
	}
	if (s->pasv_fd >= 0 && net_local(s->pasv_fd, at) == 0)
		return true;
	close_pasv(s);
	reply(s, "425 No port to listen on");
	return false;
}

static void cmd_epsv(struct session *s, const char *arg)
{
	const char *family = s->local.sa.sa_family == AF_INET6 ? "2" : "1";
	union net_addr at;

	if (!strcasecmp(arg, "ALL")) {
		s->epsv_all = true;
		reply(s, "200 OK");
	} else if (*arg && strcmp(arg, family))
		reply(s, "522 Network protocol not supported, use (%s)", family);
	else if (listen_data(s, &at))
		reply(s, "229 Entering Extended Passive Mode (|||%u|)", net_port(&at));
}

static void cmd_pasv(struct session *s, const char *arg)
{
	const union net_addr *nat = &s->o->pasv_nat;
	union net_addr at;
	const unsigned char *a =
		(const unsigned char *)&(nat->sa.sa_family ? nat : &at)->in.sin_addr;

	(void)arg;
	if (s->epsv_all)
		reply(s, "501 Not after EPSV ALL");
	else if (s->local.sa.sa_family != AF_INET)
		reply(s, "425 This is IPv6: use EPSV");
	else if (listen_data(s, &at))
		reply(s, "227 Entering Passive Mode (%u,%u,%u,%u,%u,%u)", a[0], a[1], a[2], a[3],
		      net_port(&at) >> 8, net_port(&at) & 255);
}

/* No bounce: only to the client itself, and to no service of its (RFC 2577 s. 3). */
static void cmd_port(struct session *s, const char *arg)
{
	union net_addr addr = { 0 };
	bool good = *s->verb == 'P' ? control_port_addr(arg, &addr) : control_eprt_addr(arg, &addr);

	close_pasv(s);
	/* Nobody can say which link of ours it is: the one that they have come by. */
	if (addr.sa.sa_family == AF_INET6)
		addr.in6.sin6_scope_id = s->peer.in6.sin6_scope_id;
	if (s->epsv_all || !good) {
		reply(s, s->epsv_all ? "501 Not after EPSV ALL" : "501 This is no address");
	} else if (!net_same_host(&addr, &s->peer) || net_port(&addr) < 1024) {
		event(s, "data", "refused: to elsewhere");
		reply(s, "504 Only to yourself, and not below port 1024");
	} else {
		s->port = addr;
		s->has_port = true;
		reply(s, "200 OK");
	}
}

static void cmd_rest(struct session *s, const char *arg)
{
	char *end;

	errno = 0;
	s->rest = strtoull(arg, &end, 10);
	if (!isdigit((unsigned char)*arg) || *end || errno || s->rest > INT64_MAX) {
		s->rest = 0;
		reply(s, "501 This is no number");
	} else {
		reply(s, "350 From there");
	}
}

/* The control connection spoke during a transfer. Return: whether to stop. */
static bool watch_control(void *arg)
{
	struct session *s = arg;
	char line[CONTROL_LINE_MAX];
	enum ctl_status st = control_try_line(s->c, line);

	if (st == CTL_WAIT)
		return false;
	if (st == CTL_OK)
		note_command(s, line, " (amid a transfer)");
	s->abor = st == CTL_OK && !strcasecmp(line, "ABOR");
	if (s->abor)
		return true;
	/*
	 * Anything else waits its turn, and what is behind it stays unread. Without a client
	 * there is nobody to reply to; the data may yet end.
	 */
	if (st == CTL_OK)
		strcpy(s->early, line);
	else
		gone(s, st);
	s->data->watch_fd = -1;
	return false;
}

/* The client's connection, unless it gives up or goes. */
static int accept_data(struct session *s, int timeout_ms)
{
	int64_t deadline = io_now() + timeout_ms;
	struct data *d = s->data;
	int fd;

	do {
		if ((d->watch_fd >= 0 && watch_control(s)) || s->leaving)
			return -ECONNABORTED;
		fd = net_accept(s->pasv_fd, &s->peer, d->watch_fd, io_left(deadline));
	} while (fd == -ECANCELED);
	return fd;
}

/* From the control connection's peer, or to it, and nobody else. */
static int connect_data(struct session *s)
{
	int limit = s->o->tune.timeout_ms < ACCEPT_MS ? s->o->tune.timeout_ms : ACCEPT_MS;
	union net_addr from = s->local;

	if (!s->has_port)
		return accept_data(s, limit);
	net_set_port(&from, 0);
	return net_connect(&s->port, &from, &s->o->tune.buffers, limit);
}

/* The data connection did not come to be: @text is for the client, @why for the log. */
static void no_data(struct session *s, enum xs xs, int code, const char *text, const char *why)
{
	event(s, "data", why);
	reply(s, "%d %s", code, text);
	s->report.status = xs;
	s->report.reply = code;
	snprintf(s->transfer.why, sizeof(s->transfer.why), "%s", why);
}

static struct tls_stream *open_data(struct session *s)
{
	struct tls_start how = {
		.ctx = s->ctx,
		.server = true,
		.ktls = !s->o->tune.no_ktls,
		/*
		 * By default none: the session to resume is the control connection's, and a
		 * client that uploads and never reads would lose its data to their RST.
		 */
		.tickets = s->o->tls.data_tickets,
	};
	int fd = connect_data(s);
	struct tls_stream *data = fd < 0 ? NULL : tls_stream_new(fd);
	const char *why = fd < 0 ? strerror(-fd) : "no memory";
	char text[320];

	close_pasv(s);
	if (!data) {
		snprintf(text, sizeof(text), "No data connection: %s", why);
		no_data(s, XS_NETWORK, s->abor ? 426 : 425, text, why);
		return NULL;
	}
	if (!s->prot_p)
		return data;
	if (tls_stream_start(data, &how, s->o->tune.timeout_ms) != TS_OK) {
		why = tls_stream_why(data);
		snprintf(text, sizeof(text), "No TLS on the data connection: %s", why);
		no_data(s, XS_NETWORK, 425, text, why);
	} else if (s->o->require_reuse && !SSL_session_reused(tls_stream_ssl(data))) {
		no_data(s, XS_REFUSED, 522,
			"Data connections must resume this connection's TLS session",
			"refused: with a TLS session of its own");
	} else {
		/* curl resumes a session of TLS 1.3 once: the reply brings a ticket for the next. */
		SSL_new_session_ticket(tls_stream_ssl(s->c->s));
		return data;
	}
	tls_stream_free(data);
	return NULL;
}

static void last_words(void *arg)
{
	struct session *s = arg;

	s->report.status = XS_UNCONFIRMED;
	s->report.why = "killed, as --end=kill says";
	report_print(&s->report, s->o->json, STDOUT_FILENO);
}

/* ------------------------------------------------------------------ transfers */

static bool may_transfer(struct session *s, const char *arg)
{
	/* Where a text is entered: its bytes on the wire are not those of the file. */
	if (s->rest && s->ascii && strchr("RSA", *s->verb))
		refuse(s, arg, 504, "REST needs TYPE I");
	else if (!s->prot_set)
		refuse(s, arg, 521, "Data connections need PROT P");
	else if (s->pasv_fd < 0 && !s->has_port)
		refuse(s, arg, 425, "EPSV or PASV first");
	else
		return true;
	return false;
}

static void reply_outcome(struct session *s, enum xs xs)
{
	const struct transfer *t = &s->transfer;
	int err = t->local_err;

	s->report.reply = 426;
	if (xs == XS_COMPLETE) {
		s->report.reply = 226;
		reply(s, "226 Complete, %" PRIu64 " bytes", t->bytes);
	} else if (xs == XS_LOCAL) {
		s->report.reply = err == EFBIG ? 552 : err == ENOSPC || err == EDQUOT ? 452 : 451;
		reply(s, "%d %s", s->report.reply, t->why);
	} else if (s->abor) {
		reply(s, "426 Aborted after %" PRIu64 " bytes", t->bytes);
	} else {
		reply(s, "426 %s after %" PRIu64 " bytes: %s", xs_name(xs), t->bytes, t->why);
	}
}

static void end_report(struct session *s, enum xs xs)
{
	s->report.status = xs;
	if (xs)
		s->report.why = s->transfer.why[0] ? s->transfer.why : xs_name(xs);
	report_print(&s->report, s->o->json, STDOUT_FILENO);
	if (s->transfer.nul)
		event(s, "warning", "TYPE A of a file with a NUL: is it a text?");
	if (s->abor)
		reply(s, "226 Abort done");
	s->abor = false;
}

/* 150, the data connection, its TLS. Return: false with the reply sent. */
static bool begin_transfer(struct session *s, struct data *d)
{
	struct tls_stream *stream;

	s->data = d;
	reply(s, "150 Go ahead");
	stream = s->leaving ? NULL : open_data(s);
	if (!stream) {
		close_pasv(s);
		return false;
	}
	if (data_init(d, stream, &s->transfer) < 0) {
		tls_stream_free(stream);
		no_data(s, XS_LOCAL, 451, "No memory", "no memory");
		return false;
	}
	return true;
}

/*
 * The data connection of a command: what @fd has left, or, where that is -1, what is to be in
 * @store. @text: lines end in LF here, and in CR LF on the wire.
 */
static void transfer(struct session *s, const char *path, int fd, struct store *store, bool text)
{
	struct data d = {
		.tune = &s->o->tune,
		.watch_fd = tls_stream_fd(s->c->s),
		.watch = watch_control,
		.watch_arg = s,
		.last_words = last_words,
		.max_bytes = s->o->max_size,
		.text = text,
	};
	char partial[STORE_PARTIAL_MAX];
	bool whole;
	enum xs xs;

	begin_report(s, path);
	s->report.status = XS_NETWORK;
	if (!begin_transfer(s, &d)) {
		store_abandon(store, s->o->conddisp, partial);
		s->report.transfer = NULL;
		end_report(s, s->report.status);
		return;
	}
	whole = store ? data_receive(&d, store) : data_send(&d, fd);
	data_end(&d, whole);
	xs = data_status(&s->transfer);
	if (store && xs == XS_COMPLETE) {
		s->transfer.local_err = -store_commit(store, partial);
		if (s->transfer.local_err) {
			xs = XS_LOCAL;
			snprintf(s->transfer.why, sizeof(s->transfer.why), "%s",
				 strerror(s->transfer.local_err));
		}
	} else {
		store_abandon(store, s->o->conddisp, partial);
	}
	s->report.partial = *partial ? partial : NULL;
	/* Before the close: there are clients that await the reply first. */
	reply_outcome(s, xs);
	data_close(&d, tls_stream_fd(s->c->s));
	end_report(s, xs);
}

/* What the file begins with: nothing, what REST said, or for APPE all that is there. */
static int open_store(struct session *s, bool append, int dir, const char *path,
		      struct store **store)
{
	int err = store_open(dir, path, append, store);
	char partial[STORE_PARTIAL_MAX];

	if (!err && s->rest && !append) {
		err = store_restart(*store, s->rest);
		if (err)
			store_abandon(*store, CONDDISP_DELETE, partial);
	}
	return err;
}

/* STOR, APPE */
static void cmd_stor(struct session *s, const char *arg)
{
	char path[VFS_PATH_MAX];
	struct store *store = NULL;
	const char *name;
	int dir, err;

	if (!may_transfer(s, arg) || !resolve(s, arg, path))
		return;
	dir = vfs_open_parent(s->root, path, &name);
	err = dir < 0 ? dir : open_store(s, *s->verb == 'A', dir, path, &store);
	io_close(dir);
	if (err)
		log_outcome(s, path, XS_LOCAL, reply_errno(s, 553, -err), strerror(-err));
	else
		transfer(s, path, -1, store, s->ascii);
}

static void cmd_retr(struct session *s, const char *arg)
{
	char path[VFS_PATH_MAX];
	struct stat sb;
	int fd = may_transfer(s, arg) ? open_file(s, arg, path, &sb) : -1;

	if (fd < 0)
		return;
	if (s->rest > (uint64_t)sb.st_size || lseek(fd, (off_t)s->rest, SEEK_SET) < 0)
		refuse(s, path, 554, "The file ends before what REST said");
	else
		transfer(s, path, fd, NULL, s->ascii);
	close(fd);
}

/* LIST, NLST, MLSD */
static void cmd_list(struct session *s, const char *arg)
{
	enum listing how = *s->verb == 'L' ? LS_LIST : *s->verb == 'N' ? LS_NAMES : LS_FACTS;
	char path[VFS_PATH_MAX];
	int fd, code;

	/* Many clients send options for ls(1) along. */
	while (how != LS_FACTS && *arg == '-') {
		arg += strcspn(arg, " ");
		arg += strspn(arg, " ");
	}
	if (!may_transfer(s, arg) || !resolve(s, arg, path))
		return;
	fd = listing_make(s->root, path, how);
	if (fd == -ENOTDIR && how == LS_FACTS) {
		refuse(s, path, 501, "Not a folder");
	} else if (fd < 0) {
		code = reply_errno(s, how == LS_FACTS ? 550 : 450, -fd);
		log_outcome(s, path, XS_LOCAL, code, strerror(-fd));
	} else {
		transfer(s, path, fd, NULL, false);
		close(fd);
	}
}

static void cmd_mlst(struct session *s, const char *arg)
{
	char path[VFS_PATH_MAX], facts[LISTING_FACTS_MAX];
	struct stat sb;
	int fd;

	if (!resolve(s, arg, path))
		return;
	fd = vfs_open(s->root, path, O_PATH);
	if (fd < 0 || fstat(fd, &sb) < 0) {
		reply_errno(s, 550, fd < 0 ? -fd : errno);
	} else {
		listing_facts(&sb, facts);
		reply(s, "250-Facts");
		reply(s, " %s %s", facts, path);
		reply(s, "250 End");
	}
	io_close(fd);
}

/* ------------------------------------------------------------------ changes of folders */

/* A file that has the new name already is replaced, as rename(2) does it. */
static int rename_to(struct session *s, int dir, const char *name)
{
	const char *old;
	int from = vfs_open_parent(s->root, s->from, &old), err;

	if (from < 0)
		return -from;
	err = renameat(from, old, dir, name) < 0 ? errno : 0;
	close(from);
	return err;
}

/* Of a link neither can be set. An owner may also change what he may not read, hence O_PATH. */
static int set_attribute(const struct session *s, int dir, const char *name)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = s->when } };
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat sb;
	char path[32];

	if (fd < 0)
		return errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &sb) < 0)
		err = errno;
	else if (S_ISLNK(sb.st_mode))
		err = ELOOP;
	else if ((*s->verb == 'S' ? chmod(path, s->mode) : utimensat(AT_FDCWD, path, times, 0)) < 0)
		err = errno;
	close(fd);
	return err;
}

static int change(struct session *s, int dir, const char *name)
{
	bool is_rmd = !strcmp(s->verb, "RMD");

	if (!strcmp(s->verb, "RNFR"))
		return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
	if (!strcmp(s->verb, "RNTO"))
		return rename_to(s, dir, name);
	if (!strcmp(s->verb, "SITE") || !strcmp(s->verb, "MFMT"))
		return set_attribute(s, dir, name);
	if (!strcmp(s->verb, "MKD"))
		return mkdirat(dir, name, 0777) < 0 ? errno : 0;
	return unlinkat(dir, name, is_rmd ? AT_REMOVEDIR : 0) < 0 ? errno : 0;
}

/* MKD, RMD, DELE, RNFR, RNTO; what is left of MFMT and SITE CHMOD */
static void cmd_change(struct session *s, const char *arg)
{
	char path[VFS_PATH_MAX];
	const char *name;
	bool is_rnfr = !strcmp(s->verb, "RNFR");
	int dir, err, code = !strcmp(s->verb, "MKD") ? 257 : !strcmp(s->verb, "MFMT") ? 213 : 250;

	if (!resolve(s, arg, path))
		return;
	dir = vfs_open_parent(s->root, path, &name);
	err = dir < 0 ? -dir : change(s, dir, name);
	io_close(dir);
	if (err)
		code = reply_errno(s, 550, err);
	else if (code == 257)
		reply_path(s, path);
	else if (is_rnfr)
		reply(s, "350 RNTO is next");
	else
		reply(s, "%d Done", code);
	if (is_rnfr)
		strcpy(s->from, err ? "" : path);
	else
		log_outcome(s, path, err ? XS_LOCAL : XS_COMPLETE, code,
			    err ? strerror(err) : NULL);
}

/* MFMT TIME NAME, SITE CHMOD MODE NAME: no RFC has them, but mirrors set and compare both. */
static void cmd_attribute(struct session *s, const char *arg)
{
	bool is_site = *s->verb == 'S', good;
	char value[32], *end = value;
	unsigned long mode = 0;
	size_t len;

	if (is_site && strncasecmp(arg, "CHMOD ", 6)) {
		reply(s, "502 SITE CHMOD is all there is");
		return;
	}
	arg += is_site ? 6 : 0;
	len = strcspn(arg, " ");
	snprintf(value, sizeof(value), "%.*s", (int)len, arg);
	arg += len;
	if (is_site)
		mode = strtoul(value, &end, 8);
	good = is_site ? isdigit((unsigned char)*value) && !*end && mode <= 07777 :
			 control_mdtm_time(value, &s->when);
	s->mode = (mode_t)mode & 0777;
	if (!good || len >= sizeof(value) || !*arg || !arg[1])
		reply(s, "501 This is no %s", is_site ? "mode" : "time");
	else
		cmd_change(s, arg + 1);
}

/* ------------------------------------------------------------------ commands */

#define NEED_TLS 1
#define NEED_LOGIN 2
#define NEED_ARG 4
#define WRITES 8
#define TRANSFERS 16 /* whatever becomes of it, what REST said is over */

static const struct verb {
	char name[5];
	unsigned int flags;
	void (*run)(struct session *s, const char *arg);
	const char *arg; /* in place of the client's */
} commands[] = {
	{ "ABOR", 0, cmd_say, "226 Nothing to abort" },
	{ "APPE", NEED_LOGIN | TRANSFERS | NEED_ARG | WRITES, cmd_stor, NULL },
	{ "AUTH", NEED_ARG, cmd_auth, NULL },
	{ "CCC", NEED_TLS, cmd_say, "534 The control connection keeps TLS" },
	{ "CDUP", NEED_LOGIN, cmd_cwd, ".." },
	{ "CWD", NEED_LOGIN | NEED_ARG, cmd_cwd, NULL },
	{ "DELE", NEED_LOGIN | NEED_ARG | WRITES, cmd_change, NULL },
	{ "EPRT", NEED_LOGIN | NEED_ARG, cmd_port, NULL },
	{ "EPSV", NEED_LOGIN, cmd_epsv, NULL },
	{ "FEAT", 0, cmd_feat, NULL },
	{ "LIST", NEED_LOGIN | TRANSFERS, cmd_list, NULL },
	{ "MDTM", NEED_LOGIN | NEED_ARG, cmd_mdtm, NULL },
	{ "MFMT", NEED_LOGIN | NEED_ARG | WRITES, cmd_attribute, NULL },
	{ "MKD", NEED_LOGIN | NEED_ARG | WRITES, cmd_change, NULL },
	{ "MLSD", NEED_LOGIN | TRANSFERS, cmd_list, NULL },
	{ "MLST", NEED_LOGIN, cmd_mlst, NULL },
	{ "MODE", NEED_LOGIN | NEED_ARG, cmd_mode, NULL },
	{ "NLST", NEED_LOGIN | TRANSFERS, cmd_list, NULL },
	{ "NOOP", 0, cmd_say, "200 OK" },
	{ "OPTS", NEED_ARG, cmd_opts, NULL },
	{ "PASS", NEED_TLS, cmd_pass, NULL },
	{ "PASV", NEED_LOGIN, cmd_pasv, NULL },
	{ "PBSZ", NEED_ARG, cmd_pbsz, NULL },
	{ "PORT", NEED_LOGIN | NEED_ARG, cmd_port, NULL },
	{ "PROT", NEED_ARG, cmd_prot, NULL },
	{ "PWD", NEED_LOGIN, cmd_pwd, NULL },
	{ "QUIT", 0, cmd_quit, NULL },
	{ "REST", NEED_LOGIN | NEED_ARG, cmd_rest, NULL },
	{ "RETR", NEED_LOGIN | TRANSFERS | NEED_ARG, cmd_retr, NULL },
	{ "RMD", NEED_LOGIN | NEED_ARG | WRITES, cmd_change, NULL },
	{ "RNFR", NEED_LOGIN | NEED_ARG | WRITES, cmd_change, NULL },
	{ "RNTO", NEED_LOGIN | NEED_ARG | WRITES, cmd_change, NULL },
	{ "SITE", NEED_LOGIN | NEED_ARG | WRITES, cmd_attribute, NULL },
	{ "SIZE", NEED_LOGIN | NEED_ARG, cmd_size, NULL },
	{ "STOR", NEED_LOGIN | TRANSFERS | NEED_ARG | WRITES, cmd_stor, NULL },
	{ "STRU", NEED_LOGIN | NEED_ARG, cmd_mode, NULL },
	{ "SYST", 0, cmd_say, "215 UNIX Type: L8" },
	{ "TYPE", NEED_LOGIN | NEED_ARG, cmd_type, NULL },
	{ "USER", NEED_TLS | NEED_ARG, cmd_user, NULL },
};

/* What RFC 959, 2228, 2640 and 7151 have besides; anything else is no command. */
static const char undone[][5] = { "ACCT", "ADAT", "ALLO", "CONF", "ENC",  "HELP", "HOST",
				  "LANG", "MIC",  "REIN", "SMNT", "STAT", "STOU" };

static const struct verb *find_verb(const char *name)
{
	static const struct verb none = { "", 0, cmd_say, "502 Not done here" };

	for (size_t i = 0; i < sizeof(undone) / sizeof(*undone); i++)
		if (!strcasecmp(name, undone[i]))
			return &none;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcasecmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* What is wrong with a command. Return: the reply, NULL where it may run. */
static const char *refusal(const struct session *s, const struct verb *cmd, const char *arg)
{
	if (!cmd)
		return "500 No such command";
	if (cmd->flags & NEED_TLS && !s->tls)
		return "530 AUTH TLS first";
	if (cmd->flags & NEED_LOGIN && !s->logged_in)
		return "530 Log in first";
	return cmd->flags & NEED_ARG && !*arg ? "501 Something is missing behind it" : NULL;
}

static void run_command(struct session *s, char *line)
{
	char *arg = line + strcspn(line, " ");
	const struct verb *cmd;
	const char *why;

	note_command(s, line, "");
	if (*arg)
		*arg++ = '\0';
	cmd = find_verb(line);
	why = refusal(s, cmd, arg);
	if (!cmd || strcmp(cmd->name, "RNTO"))
		s->from[0] = '\0';
	s->verb = cmd ? cmd->name : "";
	s->logged = cmd && cmd->flags & (WRITES | TRANSFERS);
	if (why) {
		/* A browser whose lines somebody else has written sends many (ALPACA). */
		s->leaving = ++s->bad_commands >= BAD_COMMANDS;
		reply(s, "%s", s->leaving ? "421 Too many bad commands" : why);
	} else if (cmd->flags & WRITES && s->o->anonymous && !s->o->anonymous_write) {
		refuse(s, arg, 550, "Reading is all that you may");
	} else if (!strcmp(cmd->name, "RNTO") && !*s->from) {
		reply(s, "503 RNFR first");
	} else {
		cmd->run(s, cmd->arg ? cmd->arg : arg);
		if (s->logged_in)
			s->bad_commands = 0;
	}
	if (cmd && cmd->flags & TRANSFERS)
		s->rest = 0;
}

static enum ctl_status next_line(struct session *s, char *line)
{
	if (*s->early) {
		strcpy(line, s->early);
		s->early[0] = '\0';
		return CTL_OK;
	}
	s->c->timeout_ms = s->o->idle_ms;
	if (!s->logged_in) {
		/* Whatever it says meanwhile: lines that are here already need no wait. */
		if (!io_left(s->login_by))
			return CTL_TIMEOUT;
		if (io_left(s->login_by) < s->c->timeout_ms)
			s->c->timeout_ms = io_left(s->login_by);
	}
	return control_line(s->c, line);
}

static void say_why_leaving(struct session *s, enum ctl_status st)
{
	s->c->timeout_ms = s->o->tune.timeout_ms;
	if (st == CTL_TIMEOUT)
		reply(s, "421 %s", s->logged_in ? "Silent for too long" : "No login for too long");
	else if (st == CTL_PROTOCOL)
		reply(s, "500 %s", s->c->why);
	else if (st == CTL_STOPPED)
		reply(s, "421 The server is stopping");
	gone(s, st);
}

static void serve_client(struct session *s)
{
	char line[CONTROL_LINE_MAX];

	if (s->o->implicit)
		start_tls(s);
	if (!s->leaving)
		reply(s, "220 ftps");
	while (!s->leaving) {
		enum ctl_status st = io_stop ? CTL_STOPPED : next_line(s, line);

		if (st != CTL_OK) {
			say_why_leaving(s, st);
			break;
		}
		s->c->timeout_ms = s->o->tune.timeout_ms;
		run_command(s, line);
		OPENSSL_cleanse(line, sizeof(line));
	}
	if (s->tls)
		tls_stream_notify(s->c->s, TS_NOTIFY_AT_ONCE, s->o->tune.timeout_ms);
}

/*
 * --require-reuse: a session that was begun on another control connection must not be good
 * here, or every client could take every other's data connections.
 */
static bool own_sessions(SSL_CTX *ctx)
{
	unsigned char id[SSL_MAX_SID_CTX_LENGTH];

	return RAND_bytes(id, sizeof(id)) == 1 &&
	       SSL_CTX_set_session_id_context(ctx, id, sizeof(id));
}

void session_run(const struct options *o, SSL_CTX *ctx, int root, int fd)
{
	struct session *s = calloc(1, sizeof(*s));
	struct tls_stream *stream = tls_stream_new(fd);
	int limit = o->tune.timeout_ms;

	if (!s || !stream || (o->require_reuse && !own_sessions(ctx)))
		tls_stream_free(stream);
	else
		s->c = control_new(stream, limit);
	if (!s || !s->c) {
		free(s);
		return;
	}
	s->o = o;
	s->ctx = ctx;
	s->root = root;
	s->pasv_fd = -1;
	s->ascii = true;
	s->login_by = io_now() + (limit < LOGIN_MS ? limit : LOGIN_MS);
	strcpy(s->cwd, "/");
	/*
	 * A client that reads no replies is waited for as long as any other: they fit into the send
	 * queue, where only TCP sees that they do not go (RFC 5482).
	 */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	if (net_local(fd, &s->local) == 0 && net_peer(fd, &s->peer) == 0) {
		net_text(&s->peer, s->peer_text);
		serve_client(s);
	}
	close_pasv(s);
	control_free(s->c);
	free(s);
}
