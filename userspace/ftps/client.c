// SPDX-License-Identifier: GPL-2.0
#include "client.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "credentials.h"
#include "data.h"
#include "io.h"
#include "net.h"
#include "progress.h"
#include "report.h"

/* A transfer that failed already need not wait long for the server's opinion. */
#define LAST_REPLY_MS 10000
#define QUIT_MS 2000
/* Replies that promise another one; no honest server needs so many. */
#define PRELIMINARY_MAX 64
#define COMPARED 65536 /* bytes of a part that put --resume looks at */

struct client {
	struct options *o;
	SSL_CTX *ctx;
	struct addrinfo *addresses; /* of the server */
	struct control *c;
	struct transfer transfer;
	bool began;		      /* @transfer has something to say */
	char path[URL_PART_MAX + 32]; /* the remote file that is transferred */
	int reply;		      /* the final reply, 0: none yet */
	char reply_text[1024];
	int preliminary;    /* replies 1xx so far */
	bool under_way;	    /* one of them to the transfer: there may be a file */
	enum xs lost;	    /* no final reply will come: the control connection's end */
	bool is_ftps;	    /* the server keeps parts as we do, and goes on in them */
	uint64_t resume_at; /* bytes that are there already */
	bool knows_there;   /* put: the server had @there bytes of the file, and they stay */
	uint64_t there;
	struct progress progress;
	bool has_size; /* SIZE told @size before a get */
	uint64_t size;
	bool has_mtime; /* MDTM told @mtime */
	time_t mtime;
	char partial[STORE_PARTIAL_MAX]; /* get: the partial file that was kept, or "" */
	char why[1536];
};

/* The first failure is the one to tell: what follows it are its consequences. */
static enum xs __attribute__((format(printf, 3, 4)))
fail(struct client *cl, enum xs status, const char *fmt, ...)
{
	va_list ap;

	if (cl->why[0])
		return status;
	if (io_stop)
		fmt = "stopped by a signal";
	va_start(ap, fmt);
	vsnprintf(cl->why, sizeof(cl->why), fmt, ap);
	va_end(ap);
	return status;
}

static enum xs control_status(enum ctl_status st)
{
	switch (st) {
	case CTL_OK:
		return XS_COMPLETE;
	case CTL_TIMEOUT:
		return XS_TIMEOUT;
	case CTL_PROTOCOL:
		return XS_PROTOCOL;
	default:
		return XS_NETWORK;
	}
}

static enum xs control_failed(struct client *cl, enum ctl_status st)
{
	enum xs status = control_status(st);

	return status ? fail(cl, status, "control connection: %s", cl->c->why) : status;
}

static enum xs stream_failed(struct client *cl, struct tls_stream *s, enum ts_status st,
			     const char *what)
{
	enum xs status = XS_PROTOCOL;

	if (tls_stream_fault(s) == TS_FAULT_CERT)
		status = XS_CERT;
	else if (st == TS_TIMEOUT)
		status = XS_TIMEOUT;
	else if (st != TS_ERROR || tls_stream_fault(s) == TS_FAULT_NET)
		status = XS_NETWORK;
	return fail(cl, status, "%s: %s", what, tls_stream_why(s));
}

/* ------------------------------------------------------------------ the dialogue */

/* A reply that came counts, unless there seems to be no end of them. */
static enum ctl_status count_reply(struct client *cl, enum ctl_status st)
{
	if (st != CTL_OK || cl->c->reply.code >= 200 || ++cl->preliminary <= PRELIMINARY_MAX)
		return st;
	snprintf(cl->c->why, sizeof(cl->c->why), "preliminary replies without end");
	return CTL_PROTOCOL;
}

/* Read a reply. Return: XS_COMPLETE where one came, whatever it says. */
static enum xs hear(struct client *cl)
{
	return control_failed(cl, count_reply(cl, control_reply(cl->c)));
}

static int code(const struct client *cl)
{
	return cl->c->reply.code;
}

/* The reply in words: all its lines, for the last one may say no more than "451 0.3 s". */
static void keep_reply(struct client *cl)
{
	size_t n = 0, room = sizeof(cl->reply_text);

	cl->reply = code(cl);
	for (const char *line = cl->c->reply.text; *line && n < room;) {
		size_t len = strcspn(line, "\n"), skip = 0;

		if (atoi(line) == cl->reply && strcspn(line, " -\n") == 3)
			skip = len > 3 ? 4 : len;
		n += (size_t)snprintf(cl->reply_text + n, room - n, "%s%.*s", n ? "; " : "",
				      (int)(len - skip), line + skip);
		line += len + (line[len] != '\0');
	}
}

/* What a reply other than the one wanted means. */
static enum xs refused(struct client *cl, const char *what)
{
	keep_reply(cl);
	return fail(cl, cl->reply >= 400 ? XS_REFUSED : XS_PROTOCOL, "%s: server said %d %s", what,
		    cl->reply, cl->reply_text);
}

/* Send a command; @want is how the code of its reply is to begin. */
static enum xs __attribute__((format(printf, 3, 4)))
ask(struct client *cl, const char *want, const char *fmt, ...)
{
	char line[CONTROL_LINE_MAX];
	size_t verb;
	va_list ap;
	enum xs xs;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	xs = control_failed(cl, control_send(cl->c, "%s", line));
	if (!xs)
		xs = hear(cl);
	verb = strcspn(line, " ");
	OPENSSL_cleanse(line + verb, sizeof(line) - verb);
	return xs || !strncmp(cl->c->reply.text, want, strlen(want)) ? xs : refused(cl, line);
}

/* What to do about a failure, where it tells. */
static enum xs advise(struct client *cl, enum xs xs, const char *advice)
{
	size_t n = strlen(cl->why);

	if (!io_stop)
		snprintf(cl->why + n, sizeof(cl->why) - n, ": %s", advice);
	return xs;
}

static enum xs connect_control(struct client *cl)
{
	const struct url *u = &cl->o->url;
	struct tls_stream *s;
	int fd = net_connect_any(cl->addresses, cl->o->tune.timeout_ms);

	if (fd < 0)
		return fail(cl, fd == -ETIMEDOUT ? XS_TIMEOUT : XS_NETWORK, "%s port %s: %s",
			    u->host, u->port, strerror(-fd));
	s = tls_stream_new(fd);
	cl->c = s ? control_new(s, cl->o->tune.timeout_ms) : NULL;
	return cl->c ? XS_COMPLETE : fail(cl, XS_LOCAL, "no memory");
}

static enum xs greet(struct client *cl)
{
	enum xs xs;

	do {
		xs = hear(cl);
	} while (!xs && code(cl) / 100 == 1);
	if (xs)
		return xs;
	cl->is_ftps = !strcmp(cl->c->reply.last, "ftps");
	return code(cl) == 220 ? XS_COMPLETE : refused(cl, "greeting");
}

static enum xs start_tls(struct client *cl)
{
	struct tls_start how = { .ctx = cl->ctx, .host = cl->o->url.host };
	enum ts_status st;

	/* What came in the clear behind the reply must not be taken for TLS's word. */
	if (cl->c->have)
		return fail(cl, XS_PROTOCOL, "the server sent more before TLS began");
	st = tls_stream_start(cl->c->s, &how, cl->o->tune.timeout_ms);
	if (st != TS_OK)
		return stream_failed(cl, cl->c->s, st, "TLS with the server");
	io_note("control connection: %s %s", tls_stream_version(cl->c->s),
		tls_stream_cipher(cl->c->s));
	return XS_COMPLETE;
}

static enum xs log_in(struct client *cl)
{
	struct url *u = &cl->o->url;
	enum xs xs = ask(cl, "", "USER %s", u->user);

	if (!xs && code(cl) == 331)
		xs = ask(cl, "", "PASS %s", u->password);
	OPENSSL_cleanse(u->password, sizeof(u->password));
	if (xs)
		return xs;
	return code(cl) / 100 == 2 ? XS_COMPLETE : refused(cl, "login");
}

/* Explicit TLS asks for it in the clear (RFC 4217 s. 4); implicit TLS begins with it. */
static enum xs secure_control(struct client *cl)
{
	enum xs xs;

	if (cl->o->implicit) {
		xs = start_tls(cl);
		if (tls_stream_fault(cl->c->s) == TS_FAULT_NO_TLS)
			advise(cl, xs,
			       "does it begin without TLS, as at port 21? Then use "
			       "neither --implicit nor port 990");
		return xs ? xs : greet(cl);
	}
	xs = greet(cl);
	if ((xs == XS_TIMEOUT || xs == XS_NETWORK) && !cl->c->reply.lines)
		return advise(cl, xs,
			      "does it begin with TLS, as at port 990? Then say --implicit");
	if (!xs)
		xs = ask(cl, "2", "AUTH TLS");
	if (xs == XS_REFUSED && code(cl) >= 500)
		return advise(cl, xs,
			      "it has no explicit TLS, and gets no password without; its "
			      "port 990 may have --implicit TLS");
	return xs ? xs : start_tls(cl);
}

static enum xs prepare(struct client *cl)
{
	enum xs xs = connect_control(cl);

	if (!xs)
		xs = secure_control(cl);
	if (!xs)
		xs = log_in(cl);
	if (!xs)
		xs = ask(cl, "2", "PBSZ 0");
	if (!xs)
		xs = ask(cl, "2", "PROT %c", cl->o->clear_data ? 'C' : 'P');
	if (!xs)
		xs = ask(cl, "2", "TYPE %c", cl->o->ascii || cl->o->command == CMD_LS ? 'A' : 'I');
	return xs;
}

/* Whether the reply to SIZE has a size in it. */
static bool is_size(const struct client *cl, uint64_t *size)
{
	const char *text = cl->c->reply.last;
	char *end;

	if (code(cl) != 213 || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*size = strtoull(text, &end, 10);
	return !errno && (!*end || *end == ' ');
}

/* Ask for the file's size. @known: out: whether the server knows it */
static enum xs ask_size(struct client *cl, bool *known, uint64_t *size)
{
	enum xs xs = ask(cl, "", "SIZE %s", cl->path);

	*known = !xs && is_size(cl, size);
	return xs;
}

static enum xs ask_mtime(struct client *cl)
{
	enum xs xs = ask(cl, "", "MDTM %s", cl->path);

	cl->has_mtime = !xs && code(cl) == 213 && control_mdtm_time(cl->c->reply.last, &cl->mtime);
	return xs;
}

/*
 * A no says more than how the data connection went down with it, by a reset or by a time-out: a
 * full disk, for one. But 425 and 426 are about that connection.
 */
static bool says_why(const struct client *cl)
{
	return cl->reply >= 400 && cl->reply != 425 && cl->reply != 426;
}

/* The control connection spoke amid a transfer. Return: whether to stop. */
static bool watch_control(void *arg)
{
	struct client *cl = arg;

	for (;;) {
		enum ctl_status st = count_reply(cl, control_try_reply(cl->c));

		if (st == CTL_WAIT)
			return false;
		if (st != CTL_OK) {
			cl->lost = control_failed(cl, st);
			return true;
		}
		if (code(cl) >= 200)
			keep_reply(cl);
		if (code(cl) >= 400)
			return true;
	}
}

/* Where the data failed they are the failure to tell, and no reply need come. */
static void await_final_reply(struct client *cl, bool well)
{
	if (!well && cl->c->timeout_ms > LAST_REPLY_MS)
		cl->c->timeout_ms = LAST_REPLY_MS;
	while (!cl->reply && !cl->lost) {
		enum ctl_status st = count_reply(cl, control_reply(cl->c));

		if (st != CTL_OK) {
			cl->lost = control_status(st);
			if (well)
				control_failed(cl, st);
		} else if (code(cl) >= 200) {
			keep_reply(cl);
		}
	}
}

/* ------------------------------------------------------------------ the data connection */

/* Ask for a port; EPSV first, for it has no address to be wrong (RFC 2428 s. 3). */
static enum xs ask_port(struct client *cl, const union net_addr *server, unsigned int *port)
{
	enum xs xs;

	if (!cl->o->no_epsv || server->sa.sa_family == AF_INET6) {
		xs = ask(cl, "", "EPSV");
		if (xs)
			return xs;
		*port = code(cl) == 229 ? control_epsv_port(cl->c->reply.last) : 0;
		if (*port)
			return XS_COMPLETE;
		if (code(cl) < 500 || server->sa.sa_family == AF_INET6)
			return refused(cl, "EPSV");
	}
	xs = ask(cl, "2", "PASV");
	if (xs)
		return xs;
	*port = control_pasv_port(cl->c->reply.last);
	return *port ? XS_COMPLETE : fail(cl, XS_PROTOCOL, "PASV: no port in the reply");
}

static enum xs no_data(struct client *cl, int err)
{
	return fail(cl, err == -ETIMEDOUT ? XS_TIMEOUT : XS_NETWORK, "data connection: %s",
		    strerror(-err));
}

/* Passive: connect; only ever to the server itself, whatever address PASV gave. */
static enum xs connect_data(struct client *cl, union net_addr *server, int *fd)
{
	unsigned int port;
	enum xs xs = ask_port(cl, server, &port);

	if (xs)
		return xs;
	net_set_port(server, port);
	*fd = net_connect(server, NULL, &cl->o->tune.buffers, cl->o->tune.timeout_ms);
	return *fd < 0 ? no_data(cl, *fd) : XS_COMPLETE;
}

/* Active: listen where the control connection has its local end, and say so. */
static enum xs listen_data(struct client *cl, int *fd)
{
	union net_addr at;
	enum xs xs;
	int err = net_local(tls_stream_fd(cl->c->s), &at);

	net_set_port(&at, 0);
	*fd = err ? err : net_listen(&at, &cl->o->tune.buffers);
	if (*fd >= 0)
		err = net_local(*fd, &at);
	if (*fd < 0 || err)
		return no_data(cl, err ? err : *fd);
	xs = control_failed(cl, control_send_port(cl->c, &at));
	if (!xs)
		xs = hear(cl);
	if (xs)
		return xs;
	return code(cl) / 100 == 2 ? XS_COMPLETE : refused(cl, "PORT");
}

/* Many servers demand the control connection's session, as proof of who we are. */
static enum xs secure_data(struct client *cl, struct tls_stream *data)
{
	struct tls_start how = {
		.ctx = cl->ctx,
		.host = cl->o->url.host,
		.ktls = !cl->o->tune.no_ktls,
		.session = SSL_get1_session(tls_stream_ssl(cl->c->s)),
	};
	enum ts_status st = TS_OK;

	if (!cl->o->clear_data)
		st = tls_stream_start(data, &how, cl->o->tune.timeout_ms);
	SSL_SESSION_free(how.session);
	if (st != TS_OK)
		return stream_failed(cl, data, st, "TLS on the data connection");
	if (cl->o->clear_data)
		return XS_COMPLETE;
	io_note("data connection: %s %s, %s session, kTLS TX %s, RX %s", tls_stream_version(data),
		tls_stream_cipher(data),
		SSL_session_reused(tls_stream_ssl(data)) ? "resumed" : "new",
		tls_stream_ktls(data, true) ? "yes" : "no",
		tls_stream_ktls(data, false) ? "yes" : "no");
	return XS_COMPLETE;
}

/* Active: the server connects, unless it says that it cannot. */
static enum xs accept_data(struct client *cl, const union net_addr *server, int fd, int *conn)
{
	int64_t deadline = io_now() + cl->o->tune.timeout_ms;

	do {
		if (watch_control(cl))
			return fail(cl, cl->lost ? cl->lost : XS_NETWORK,
				    "data connection: the server made none");
		*conn = net_accept(fd, server, tls_stream_fd(cl->c->s), io_left(deadline));
	} while (*conn == -ECANCELED);
	return *conn < 0 ? no_data(cl, *conn) : XS_COMPLETE;
}

/* The command, its preliminary reply, and where we listened the connection. */
static enum xs command_data(struct client *cl, const char *verb, const union net_addr *server,
			    int *fd)
{
	enum xs xs = XS_COMPLETE;
	int conn;

	if (cl->resume_at)
		xs = ask(cl, "350", "REST %" PRIu64, cl->resume_at);
	if (!xs)
		xs = ask(cl, "1", "%s%s%s", verb, *cl->path ? " " : "", cl->path);
	if (xs)
		return xs;
	cl->under_way = true;
	if (!cl->o->active)
		return XS_COMPLETE;
	xs = accept_data(cl, server, *fd, &conn);
	if (xs)
		return xs;
	close(*fd);
	*fd = conn;
	return XS_COMPLETE;
}

/* The transfer has begun, but has no data connection: the server may say why. */
static enum xs no_transfer(struct client *cl, enum xs xs)
{
	if (!cl->under_way)
		return xs;
	await_final_reply(cl, false);
	return xs != XS_CERT && xs != XS_LOCAL && says_why(cl) ? XS_REFUSED : xs;
}

static enum xs begin_transfer(struct client *cl, const char *verb, struct tls_stream **data)
{
	union net_addr server;
	enum xs xs;
	int fd = -1;

	cl->under_way = false;
	if (net_peer(tls_stream_fd(cl->c->s), &server) < 0)
		return no_data(cl, -errno);
	xs = cl->o->active ? listen_data(cl, &fd) : connect_data(cl, &server, &fd);
	if (!xs)
		xs = command_data(cl, verb, &server, &fd);
	if (xs) {
		io_close(fd);
		return no_transfer(cl, xs);
	}
	*data = tls_stream_new(fd);
	xs = *data ? secure_data(cl, *data) : fail(cl, XS_LOCAL, "no memory");
	if (!xs)
		return xs;
	tls_stream_free(*data);
	return no_transfer(cl, xs);
}

/* ------------------------------------------------------------------ the outcome */

static enum xs why_stopped(struct client *cl)
{
	struct transfer *t = &cl->transfer;

	if (t->local_err)
		return fail(cl, XS_LOCAL, "%s: %s", cl->o->file, t->why);
	if (t->aborted && !cl->lost)
		return fail(cl, XS_REFUSED, "server said %d %s", cl->reply, cl->reply_text);
	return fail(cl, cl->lost ? cl->lost : XS_NETWORK, "stopped by a signal");
}

/* What the end of the data connection says by itself. */
static enum xs data_outcome(struct client *cl)
{
	const struct transfer *t = &cl->transfer;
	enum xs xs = data_status(t);

	if (t->end == TS_STOPPED)
		return why_stopped(cl);
	return xs ? fail(cl, xs, "data connection: %s", t->why) : xs;
}

static enum xs reply_status(struct client *cl)
{
	if (cl->reply / 100 == 2)
		return XS_COMPLETE;
	if (cl->reply)
		return fail(cl, XS_UNCONFIRMED, "server said %d %s", cl->reply, cl->reply_text);
	return fail(cl, XS_UNCONFIRMED, "no final reply");
}

/*
 * A server may reset the connection when it has read the close_notify, and its RST may
 * overtake the last acknowledgement. Then its reply counts, if the size agrees: there are
 * servers that call a truncated file complete.
 */
static bool reset_after_all(struct client *cl)
{
	const struct transfer *t = &cl->transfer;
	uint64_t size;

	if (t->end != TS_END_RESET || !t->notified || cl->reply / 100 != 2 || !cl->knows_there)
		return false;
	return control_send(cl->c, "SIZE %s", cl->path) == CTL_OK &&
	       control_reply(cl->c) == CTL_OK && is_size(cl, &size) && size == cl->there + t->bytes;
}

static enum xs put_status(struct client *cl)
{
	enum xs xs;

	if (reset_after_all(cl))
		return XS_COMPLETE;
	if (cl->transfer.end != TS_OK && !cl->transfer.local_err && says_why(cl))
		return fail(cl, XS_REFUSED, "server said %d %s", cl->reply, cl->reply_text);
	xs = data_outcome(cl);
	return xs ? xs : reply_status(cl);
}

static enum xs get_status(struct client *cl)
{
	enum xs xs = data_outcome(cl);

	if (xs)
		return xs;
	if (cl->has_size && cl->resume_at + cl->transfer.bytes < cl->size)
		return fail(cl, XS_TRUNCATED, "%" PRIu64 " bytes of %" PRIu64,
			    cl->resume_at + cl->transfer.bytes, cl->size);
	/* close_notify and the size announced: nothing is missing, whatever became of the rest. */
	if (!cl->reply && cl->has_size) {
		io_say("the file is complete, but no final reply came");
		return XS_COMPLETE;
	}
	return reply_status(cl);
}

/* ------------------------------------------------------------------ put and get */

static void report(struct client *cl, enum xs status)
{
	const struct options *o = cl->o;
	bool out = o->command == CMD_LS || (o->command == CMD_GET && !strcmp(o->file, "-"));
	struct report r = {
		.op = o->command == CMD_PUT ? "put" :
		      o->command == CMD_GET ? "get" :
					      "ls",
		.path = o->url.path,
		.peer = o->url.host,
		.status = status,
		.reply = cl->reply,
		.reply_text = cl->reply ? cl->reply_text : NULL,
		.transfer = cl->began ? &cl->transfer : NULL,
		.ending = o->tune.ending,
		.partial = cl->partial[0] ? cl->partial : NULL,
		.why = status ? cl->why : NULL,
	};

	/* Standard output may be the file. */
	if (o->command != CMD_LS || o->json || io_verbose)
		report_print(&r, o->json, out ? STDERR_FILENO : STDOUT_FILENO);
}

/* --end=kill: all that will ever be said. */
static void last_words(void *arg)
{
	struct client *cl = arg;

	snprintf(cl->why, sizeof(cl->why), "killed, as --end=kill says");
	report(cl, XS_UNCONFIRMED);
}

static void show_progress(void *arg, uint64_t bytes)
{
	struct client *cl = arg;

	progress_at(&cl->progress, bytes);
}

/* With -v lines of text come between, and a listing is on the terminal itself. */
static void begin_progress(struct client *cl)
{
	if (cl->o->no_progress || cl->o->json || io_verbose || cl->o->command == CMD_LS)
		return;
	cl->progress.begin = cl->resume_at;
	cl->progress.total = cl->size;
	progress_begin(&cl->progress, url_basename(cl->o->url.path));
}

/* Send @fd, or receive to @store, and hear what the server says of it. */
static enum xs transfer(struct client *cl, const char *verb, int fd, struct store *store)
{
	int control = tls_stream_fd(cl->c->s);
	struct data d = {
		.tune = &cl->o->tune,
		.watch_fd = store ? -1 : control,
		.watch = watch_control,
		.watch_arg = cl,
		.last_words = last_words,
		.progress = show_progress,
		.text = cl->o->ascii || cl->o->command == CMD_LS,
	};
	struct tls_stream *s = NULL;
	enum xs xs = begin_transfer(cl, verb, &s);
	bool whole;

	if (!xs && data_init(&d, s, &cl->transfer) < 0)
		xs = fail(cl, XS_LOCAL, "no memory");
	if (xs)
		return xs;
	cl->began = true;
	begin_progress(cl);
	whole = store ? data_receive(&d, store) : data_send(&d, fd);
	data_end(&d, whole);
	progress_end(&cl->progress);
	data_close(&d, control);
	await_final_reply(cl, whole && (store || cl->transfer.end == TS_OK));
	return XS_COMPLETE;
}

/* --atomic: only what is complete gets the name, by one command. */
static enum xs finish_atomic(struct client *cl, enum xs xs)
{
	bool gone = false;

	/* ftps serve has a part of it. */
	for (int i = 0; xs && i < 2 && !cl->lost && !io_stop; i++)
		gone |= control_send(cl->c, "DELE %s%s", cl->path, i ? ".partial" : "") == CTL_OK &&
			control_reply(cl->c) == CTL_OK && code(cl) / 100 == 2;
	if (xs && !gone)
		io_say("what came may still be on the server, as %s", cl->path);
	if (xs)
		return xs;
	if (!ask(cl, "350", "RNFR %s", cl->path) && !ask(cl, "2", "RNTO %s", cl->o->url.path))
		return XS_COMPLETE;
	io_say("the file is complete, but the server has it as %s", cl->path);
	return XS_UNCONFIRMED;
}

/* Whether the last bytes that the server has are those that we have there. */
static enum xs compare_end(struct client *cl, int fd, uint64_t there)
{
	char ours[COMPARED], theirs[COMPARED];
	uint64_t len = there < COMPARED ? there : COMPARED;
	int mem = memfd_create("end", MFD_CLOEXEC);
	struct store *store = mem < 0 ? NULL : store_fd(mem);
	enum xs xs;

	cl->resume_at = there - len;
	xs = store ? transfer(cl, "RETR", -1, store) : fail(cl, XS_LOCAL, "no memory");
	if (!xs)
		xs = data_outcome(cl);
	if (!xs && (cl->reply / 100 != 2 || cl->transfer.bytes != len ||
		    pread(mem, theirs, len, 0) != pread(fd, ours, len, (off_t)(there - len)) ||
		    memcmp(ours, theirs, len)))
		xs = fail(cl, XS_LOCAL,
			  "%s is no part of %s: remove it, or put all of the file without --resume",
			  cl->path, cl->o->file);
	cl->began = false;
	cl->reply = xs ? cl->reply : 0;
	store_abandon(store, CONDDISP_DELETE, cl->partial);
	io_close(mem);
	return xs;
}

/* How much the server has of a file that put is to go on in; 550: it has none. */
static enum xs ask_there(struct client *cl)
{
	enum xs xs = ask_size(cl, &cl->knows_there, &cl->there);

	if (!xs && code(cl) == 550) {
		cl->knows_there = true;
		cl->there = 0;
	}
	return xs;
}

/* Whether what the server has is the beginning of @fd. */
static enum xs check_there(struct client *cl, int fd)
{
	struct stat sb;
	enum xs xs;

	if (!cl->knows_there)
		return fail(cl, XS_LOCAL,
			    "the server does not say how much it has of %s: put all of it "
			    "without --resume",
			    cl->path);
	if (fstat(fd, &sb) < 0 || !S_ISREG(sb.st_mode) || (uint64_t)sb.st_size < cl->there)
		return fail(cl, XS_LOCAL, "%s: the server has more of it than we", cl->o->file);
	if (!cl->there)
		return XS_COMPLETE;
	/* Its clock need not be right, hence both. */
	xs = ask_mtime(cl);
	if (!xs && cl->has_mtime && cl->mtime < sb.st_mtime)
		return fail(cl, XS_LOCAL,
			    "%s was changed after the server's part was sent: put all of "
			    "it without --resume",
			    cl->o->file);
	return xs ? xs : compare_end(cl, fd, cl->there);
}

/* What the server has of the file: under its name, or where ftps serve keeps it. */
static enum xs resume_put(struct client *cl, int fd)
{
	size_t len = strlen(cl->path);
	enum xs xs = ask_there(cl);

	if (!xs && code(cl) == 550 && cl->is_ftps) {
		strcpy(cl->path + len, ".partial");
		xs = ask_there(cl);
	}
	if (!xs)
		xs = check_there(cl, fd);
	cl->path[len] = '\0';
	if (!xs && lseek(fd, (off_t)cl->there, SEEK_SET) < 0)
		xs = fail(cl, XS_LOCAL, "%s: %s", cl->o->file, strerror(errno));
	cl->resume_at = cl->there;
	return xs;
}

/* Beside the file, under a name that nobody has. */
static enum xs choose_name(struct client *cl)
{
	unsigned int random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return fail(cl, XS_LOCAL, "no random number");
	snprintf(cl->path + strlen(cl->path), 16, ".new.%08x", random);
	return XS_COMPLETE;
}

/* What the server has of the file already, and keeps. */
static enum xs prepare_put(struct client *cl, int fd)
{
	if (cl->o->resume)
		return resume_put(cl, fd);
	if (cl->o->append)
		return ask_there(cl);
	cl->knows_there = true;
	return cl->o->atomic ? choose_name(cl) : XS_COMPLETE;
}

static int open_source(const char *file)
{
	int fd;

	if (strcmp(file, "-"))
		return io_openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
	fd = dup(STDIN_FILENO);
	return fd < 0 ? -errno : fd;
}

static enum xs put(struct client *cl)
{
	const char *file = cl->o->file;
	int fd = open_source(file);
	struct stat sb;
	enum xs xs;

	if (fd < 0)
		return fail(cl, XS_LOCAL, "%s: %s", file, strerror(-fd));
	xs = prepare(cl);
	if (!xs)
		xs = prepare_put(cl, fd);
	/* The bytes of a text on the wire are more than the file's, nobody knows how many. */
	if (fstat(fd, &sb) == 0 && !cl->o->ascii)
		cl->size = (uint64_t)sb.st_size;
	if (!xs)
		xs = transfer(cl, cl->o->append ? "APPE" : "STOR", fd, NULL);
	if (!xs)
		xs = put_status(cl);
	close(fd);
	return cl->o->atomic && cl->under_way ? finish_atomic(cl, xs) : xs;
}

/*
 * Whether what came deserves its name: the server says so, or as many bytes came as SIZE had
 * said (see get_status()), or it says nothing and the close_notify does.
 */
static bool deserves_name(const struct client *cl, enum xs xs)
{
	if (io_stop)
		return false;
	return !xs || (xs == XS_UNCONFIRMED &&
		       (cl->has_size || (!cl->reply && cl->transfer.end == TS_END_CLOSE_NOTIFY)));
}

static enum xs finish_get(struct client *cl, struct store *store, enum xs xs)
{
	int err;

	if (!deserves_name(cl, xs)) {
		store_abandon(store, cl->o->conddisp, cl->partial);
		return xs;
	}
	if (cl->has_mtime && !cl->o->no_mtime)
		store_set_time(store, cl->mtime);
	err = store_commit(store, cl->partial);
	/* Why it has no name is worse than what else failed. */
	if (err)
		cl->why[0] = '\0';
	return err ? fail(cl, XS_LOCAL, "%s: %s", cl->o->file, strerror(-err)) : xs;
}

static int open_store(const char *file, struct store **store)
{
	if (strcmp(file, "-"))
		return store_open_path(file, store);
	*store = store_fd(STDOUT_FILENO);
	return *store ? 0 : -ENOMEM;
}

/* What SIZE and MDTM say of the file, and with --resume what is here of the same one. */
static enum xs prepare_get(struct client *cl, struct store *store)
{
	const struct options *o = cl->o;
	enum xs xs = XS_COMPLETE;
	int64_t there;

	/* The size of a text is not that on the wire (RFC 3659 s. 4). */
	if (!o->ascii)
		xs = ask_size(cl, &cl->has_size, &cl->size);
	if (!xs && (!o->no_mtime || o->resume) && strcmp(o->file, "-"))
		xs = ask_mtime(cl);
	if (xs)
		return xs;
	if (cl->has_size && cl->has_mtime)
		store_set_source(store, cl->size, cl->mtime);
	there = o->resume ? store_resume(store) : 0;
	if (there == -ESTALE || (there > 0 && (uint64_t)there > cl->size))
		return fail(cl, XS_LOCAL,
			    "%s.partial is not known to be a part of this file, "
			    "as it is now: remove it, or get all of it without --resume",
			    o->file);
	if (there < 0)
		return fail(cl, XS_LOCAL, "%s.partial: %s", o->file, strerror((int)-there));
	cl->resume_at = (uint64_t)there;
	return XS_COMPLETE;
}

static enum xs get(struct client *cl)
{
	struct store *store;
	int err = open_store(cl->o->file, &store);
	enum xs xs;

	if (err)
		return fail(cl, XS_LOCAL, "%s: %s", cl->o->file,
			    err == -EISDIR ? "is a folder: name the file in it" : strerror(-err));
	xs = prepare(cl);
	if (!xs)
		xs = prepare_get(cl, store);
	if (!xs)
		xs = transfer(cl, "RETR", -1, store);
	return finish_get(cl, store, xs ? xs : get_status(cl));
}

static enum xs ls(struct client *cl)
{
	static const char *const verbs[] = {
		[LS_LIST] = "LIST",
		[LS_NAMES] = "NLST",
		[LS_FACTS] = "MLSD",
	};
	struct store *store = store_fd(STDOUT_FILENO);
	enum xs xs = store ? prepare(cl) : fail(cl, XS_LOCAL, "no memory");

	if (!xs)
		xs = transfer(cl, verbs[cl->o->ls], -1, store);
	if (!xs)
		xs = data_outcome(cl);
	store_abandon(store, CONDDISP_DELETE, cl->partial);
	return xs ? xs : reply_status(cl);
}

/* Say goodbye, without caring much whether it is heard. */
static void quit(struct client *cl)
{
	if (cl->c && !cl->lost && !io_stop) {
		cl->c->timeout_ms = QUIT_MS;
		if (control_send(cl->c, "QUIT") == CTL_OK)
			control_reply(cl->c);
		tls_stream_notify(cl->c->s, TS_NOTIFY_AT_ONCE, QUIT_MS);
	}
	control_free(cl->c);
}

/* What the server says of a failure is told, too. */
static void add_reply(struct client *cl)
{
	size_t n = strlen(cl->why);

	/* A reset may be behind all of the data: then a positive reply is of use, too. */
	if ((cl->reply >= 400 || (cl->reply && cl->transfer.end == TS_END_RESET)) &&
	    !strstr(cl->why, "server said"))
		snprintf(cl->why + n, sizeof(cl->why) - n, "; server said %d %s", cl->reply,
			 cl->reply_text);
}

/* What is needed before anybody is called. */
static enum xs get_ready(struct client *cl)
{
	struct url *u = &cl->o->url;
	const char *why = NULL;

	cl->ctx = tls_ctx_client(&cl->o->tls, &why);
	if (!cl->ctx)
		return fail(cl, XS_LOCAL, "%s", why);
	why = credentials_complete(u, cl->o->netrc);
	if (why)
		return fail(cl, io_stop ? XS_LOCAL : XS_USAGE, "%s", why);
	why = net_look_up(u->host, u->port, cl->o->family, &cl->addresses);
	return why ? fail(cl, XS_NETWORK, "%s: %s", u->host, why) : XS_COMPLETE;
}

enum xs client_run(struct options *o)
{
	struct client *cl = calloc(1, sizeof(*cl));
	enum xs xs;

	if (!cl)
		return XS_LOCAL;
	cl->o = o;
	strcpy(cl->path, o->url.path);
	if (o->tls.insecure)
		io_say("WARNING: --insecure: nothing proves that this is the right server");
	if (o->clear_data)
		io_say("WARNING: --clear-data: everyone can read it, and a cut looks like an end");
	xs = get_ready(cl);
	if (!xs)
		xs = o->command == CMD_PUT ? put(cl) : o->command == CMD_GET ? get(cl) : ls(cl);
	quit(cl);
	add_reply(cl);
	if (xs)
		io_say("%s", cl->why);
	report(cl, xs);
	if (cl->addresses)
		freeaddrinfo(cl->addresses);
	SSL_CTX_free(cl->ctx);
	OPENSSL_cleanse(o->url.password, sizeof(o->url.password));
	free(cl);
	return xs;
}
