// SPDX-License-Identifier: GPL-2.0
#include "data.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "text.h"

#define CHUNK 65536
#define CUT_DEFAULT 65536
#define ABORT_MS 200   /* how long to look for the cause of an abort */
#define LINGER_MS 5000 /* how long END_CLEAN waits for the peer to close */

const char *const ending_names[END_NR + 1] = {
	[END_CLEAN] = "clean",
	[END_TICKETS_UNREAD] = "tickets-unread",
	[END_CLOSE] = "close",
	[END_LINGER0] = "linger0",
	[END_KILL] = "kill",
	[END_NO_CLOSE_NOTIFY] = "no-close-notify",
	[END_RST_AFTER_NOTIFY] = "rst-after-notify",
	[END_RST_MIDDLE] = "rst-middle",
	[END_HALF_CLOSE] = "half-close",
	[END_SHUT_RDWR] = "shut-rdwr",
};

/* ------------------------------------------------------------------ common */

int data_init(struct data *d, struct tls_stream *s, struct transfer *result)
{
	memset(result, 0, sizeof(*result));
	d->s = s;
	d->result = result;
	d->started = io_now();
	result->ktls_tx = tls_stream_ktls(s, true);
	result->ktls_rx = tls_stream_ktls(s, false);
	snprintf(result->version, sizeof(result->version), "%s", tls_stream_version(s));
	snprintf(result->cipher, sizeof(result->cipher), "%s", tls_stream_cipher(s));
	d->hash = d->tune->sha256 ? EVP_MD_CTX_new() : NULL;
	if (!d->tune->sha256 || (d->hash && EVP_DigestInit_ex(d->hash, EVP_sha256(), NULL)))
		return 0;
	return -ENOMEM;
}

static void count(struct data *d, const void *buf, size_t n)
{
	if (d->hash)
		EVP_DigestUpdate(d->hash, buf, n);
	/* TYPE A of what is no text damages it, and nobody notices. */
	d->result->nul = d->result->nul || (d->text && memchr(buf, '\0', n));
	d->result->bytes += n;
	if (d->progress)
		d->progress(d->watch_arg, d->result->bytes);
}

/* The transfer is over: how it ended, and what the stream has to say of it. */
static void settle(struct data *d, enum ts_status end)
{
	struct transfer *r = d->result;

	r->end = end;
	r->fault = tls_stream_fault(d->s);
	if (end != TS_OK)
		snprintf(r->why, sizeof(r->why), "%s",
			 end == TS_TIMEOUT ? "no progress for too long" :
			 end != TS_STOPPED ? tls_stream_why(d->s) :
			 r->local_err	   ? strerror(r->local_err) :
					     "stopped");
}

static void settle_time(struct data *d)
{
	struct transfer *r = d->result;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	r->ms = io_now() - d->started;
	if (d->hash && EVP_DigestFinal_ex(d->hash, sum, &len))
		for (unsigned int i = 0; i < len && i < 32; i++)
			snprintf(r->sha256 + 2 * i, 3, "%02x", sum[i]);
	EVP_MD_CTX_free(d->hash);
	d->hash = NULL;
}

/*
 * The control connection says stop. Where the cause is a reset of this connection, that is
 * what happened, whichever of the two news came first.
 */
static enum ts_status aborted(struct data *d)
{
	if (d->result->sending) {
		tls_stream_linger(d->s, -1, ABORT_MS);
		if (tls_stream_discard(d->s) == TS_END_RESET)
			return TS_END_RESET;
	}
	d->result->aborted = true;
	return TS_STOPPED;
}

/* Hear what the control connection says. */
static enum ts_status watch(struct data *d)
{
	return d->watch(d->watch_arg) ? aborted(d) : TS_OK;
}

/* What is in its buffer already wakes no wait. */
static enum ts_status begin(struct data *d)
{
	return d->watch_fd >= 0 ? watch(d) : TS_OK;
}

/*
 * Wait for a descriptor (-1: for none), minding the control connection.
 * Return: TS_OK: look again; TS_TIMEOUT; TS_STOPPED, by a signal or by watch().
 */
static enum ts_status await_fd(struct data *d, int fd, short events, int timeout_ms, short *revents)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = events },
		{ .fd = d->watch_fd, .events = POLLIN },
	};
	int r = io_poll(p, 2, timeout_ms);

	*revents = r > 0 ? p[0].revents : 0;
	if (r == 0)
		return TS_TIMEOUT;
	if (r < 0)
		return r == -EINTR && !io_stop ? TS_OK : TS_STOPPED;
	return p[1].revents ? watch(d) : TS_OK;
}

static enum ts_status await(struct data *d, short events, int timeout_ms, short *revents)
{
	/* With no events poll(2) would still report a hang-up, again and again. */
	return await_fd(d, events ? tls_stream_fd(d->s) : -1, events, timeout_ms, revents);
}

/* Wait for a moment on the clock. */
static enum ts_status pause_until(struct data *d, int64_t when)
{
	short revents;

	while (io_left(when)) {
		enum ts_status st = await(d, 0, io_left(when), &revents);

		if (st != TS_OK && st != TS_TIMEOUT)
			return st;
	}
	return TS_OK;
}

/* --rate: no byte before its time. */
static enum ts_status pace(struct data *d)
{
	uint64_t rate = d->tune->rate;

	if (!rate)
		return TS_OK;
	return pause_until(d, d->started + (int64_t)(d->result->bytes * 1000 / rate));
}

static size_t chunk(const struct data *d)
{
	/* With a rate, ten chunks a second rather than one long pause. */
	uint64_t n = (d->tune->rate + 9) / 10;

	return n && n < CHUNK ? (size_t)n : CHUNK;
}

static bool cut_here(const struct data *d, uint64_t cut)
{
	return d->tune->ending == END_RST_MIDDLE && d->result->bytes >= cut;
}

static void cut(struct data *d)
{
	tls_stream_reset_on_close(d->s);
	d->result->end = TS_END_RESET;
	snprintf(d->result->why, sizeof(d->result->why), "reset by us, as --end=rst-middle says");
}

/* ------------------------------------------------------------------ sending */

/*
 * A sender has to read too: a TLS 1.3 server sends its session tickets unasked, and what
 * is unread at close() turns into a RST.
 */
static void read_as_sender(struct data *d)
{
	if (d->tune->ending != END_TICKETS_UNREAD && tls_stream_discard(d->s) != TS_WAIT)
		d->read_ended = true;
}

static enum ts_status await_writable(struct data *d, int timeout_ms)
{
	short events = tls_stream_write_events(d->s);
	short revents;
	enum ts_status st;

	if (d->tune->ending != END_TICKETS_UNREAD && !d->read_ended)
		events |= POLLIN;
	st = await(d, events, timeout_ms, &revents);
	if (revents & POLLIN)
		read_as_sender(d);
	return st;
}

/* How long a sender waits: for as long as the peer's TCP goes on taking bytes. */
struct patience {
	int64_t deadline;
	uint64_t unacked; /* when it was renewed */
};

static void renew(struct data *d, struct patience *p)
{
	p->deadline = io_now() + d->tune->timeout_ms;
	p->unacked = tls_stream_unacked(d->s);
}

/* What the peer sends wakes the wait, too, and proves nothing: it may never read. */
static enum ts_status await_room(struct data *d, struct patience *p)
{
	enum ts_status st;

	if (!io_left(p->deadline)) {
		if (tls_stream_unacked(d->s) >= p->unacked)
			return TS_TIMEOUT;
		renew(d, p);
	}
	st = await_writable(d, io_left(p->deadline));
	return st == TS_TIMEOUT ? TS_OK : st;
}

static enum ts_status send_chunk(struct data *d, const char *buf, size_t len)
{
	/* What the peer's side has said until now, without waiting for more. */
	enum ts_status st = await_writable(d, 0);
	struct patience p;

	if (st != TS_OK && st != TS_TIMEOUT)
		return st;
	renew(d, &p);
	while (len) {
		size_t n;

		st = tls_stream_write(d->s, buf, len, &n);
		if (st == TS_OK) {
			count(d, buf, n);
			buf += n;
			len -= n;
			renew(d, &p);
			continue;
		}
		if (st == TS_WAIT)
			st = await_room(d, &p);
		if (st != TS_OK)
			return st;
	}
	return pace(d);
}

/*
 * A pipe may have nothing yet: the wait must hear signals, and the control connection.
 * @n: out: how many bytes, 0 at the end. Return: TS_OK, or why there are none.
 */
static enum ts_status read_file(struct data *d, int fd, void *buf, size_t size, ssize_t *n)
{
	struct stat sb;
	short ready = 0;

	while (fstat(fd, &sb) == 0 && !S_ISREG(sb.st_mode) && !ready) {
		enum ts_status st = await_fd(d, fd, POLLIN, -1, &ready);

		if (st != TS_OK)
			return st;
	}
	do {
		*n = read(fd, buf, size);
	} while (*n < 0 && errno == EINTR);
	if (*n >= 0)
		return TS_OK;
	d->result->local_err = errno;
	return TS_STOPPED;
}

/* One piece of the file, as TYPE says. */
static enum ts_status send_piece(struct data *d, const char *buf, size_t len)
{
	char wire[2 * CHUNK];

	if (!d->text)
		return send_chunk(d, buf, len);
	len = text_to_wire(buf, len, wire);
	return send_chunk(d, wire, len);
}

/* How much of a file is left from here on, -1 where it has no size. */
static int64_t left_of(int fd)
{
	struct stat sb;
	off_t at = lseek(fd, 0, SEEK_CUR);

	return at >= 0 && fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) ? sb.st_size - at : -1;
}

static uint64_t cut_of_file(const struct data *d, int64_t left)
{
	if (d->tune->cut_at)
		return d->tune->cut_at;
	return left < 0 ? CUT_DEFAULT : (uint64_t)left / 2;
}

/* Nothing is left to read. Return: whether it is all that there was at the beginning. */
static bool all_sent(struct data *d, int64_t left)
{
	if (left <= 0)
		return true;
	d->result->local_err = EIO;
	settle(d, TS_STOPPED);
	snprintf(d->result->why, sizeof(d->result->why), "the file has become shorter meanwhile");
	return false;
}

bool data_send(struct data *d, int fd)
{
	int64_t left = left_of(fd);
	uint64_t cut_after = cut_of_file(d, left);
	char buf[CHUNK];
	enum ts_status st;

	d->result->sending = true;
	tls_stream_only_send(d->s);
	st = begin(d);
	while (st == TS_OK) {
		size_t want = chunk(d);
		ssize_t n = 0;

		if (cut_here(d, cut_after)) {
			cut(d);
			return false;
		}
		if (d->tune->ending == END_RST_MIDDLE && want > cut_after - d->result->bytes)
			want = (size_t)(cut_after - d->result->bytes);
		st = read_file(d, fd, buf, want, &n);
		if (st == TS_OK && n == 0)
			return all_sent(d, left);
		left -= n;
		if (st == TS_OK)
			st = send_piece(d, buf, (size_t)n);
	}
	settle(d, st);
	return false;
}

/* ------------------------------------------------------------------ receiving */

static int store_piece(struct data *d, struct store *store, const char *buf, size_t len)
{
	char text[CHUNK + 1];

	if (!d->text)
		return store_write(store, buf, len);
	len = text_from_wire(&d->cr, buf, len, text);
	return store_write(store, text, len);
}

/* A last CR has nothing behind it that could make it the end of a line. */
static bool store_rest(struct data *d, struct store *store)
{
	if (d->cr)
		d->result->local_err = -store_write(store, "\r", 1);
	d->cr = false;
	return !d->result->local_err;
}

/* Take one piece. Return: TS_OK to go on, or how it ended. */
static enum ts_status receive_chunk(struct data *d, struct store *store, char *buf, size_t size)
{
	enum ts_status st;
	short revents;
	size_t n;

	st = tls_stream_read(d->s, buf, size, &n);
	if (st == TS_WAIT)
		return await(d, tls_stream_read_events(d->s), d->tune->timeout_ms, &revents);
	if (st != TS_OK)
		return st;
	count(d, buf, n);
	if (d->max_bytes && d->result->bytes > d->max_bytes)
		d->result->local_err = EFBIG;
	else
		d->result->local_err = -store_piece(d, store, buf, n);
	return d->result->local_err ? TS_STOPPED : pace(d);
}

/* What REST leaves as it is may have to be copied, which takes its time. */
static enum ts_status fill(struct data *d, struct store *store)
{
	short revents;
	int more;

	while ((more = store_fill(store)) > 0) {
		enum ts_status st = await(d, 0, 0, &revents);

		if (st != TS_OK && st != TS_TIMEOUT)
			return st;
	}
	d->result->local_err = -more;
	return more < 0 ? TS_STOPPED : TS_OK;
}

bool data_receive(struct data *d, struct store *store)
{
	uint64_t cut_after = d->tune->cut_at ? d->tune->cut_at : CUT_DEFAULT;
	enum ts_status st = begin(d);
	char buf[CHUNK];
	bool whole;

	if (st == TS_OK)
		st = pause_until(d, d->started + d->tune->read_delay_ms);
	if (st == TS_OK)
		st = fill(d, store);
	while (st == TS_OK) {
		if (cut_here(d, cut_after)) {
			cut(d);
			return false;
		}
		st = receive_chunk(d, store, buf, chunk(d));
	}
	whole = st == TS_END_CLOSE_NOTIFY || st == TS_END_EOF;
	if (whole && !store_rest(d, store)) {
		whole = false;
		st = TS_STOPPED;
	}
	settle(d, st);
	return whole;
}

/* ------------------------------------------------------------------ the end */

static void notify(struct data *d, enum ts_notify how)
{
	enum ts_status st = tls_stream_notify(d->s, how, d->tune->timeout_ms);

	d->result->notified = st == TS_OK;
	/* A receiver's outcome is what it received; its own last word changes nothing. */
	if (d->result->sending)
		settle(d, st);
}

static void await_ack(struct data *d)
{
	struct transfer *r = d->result;

	if (!r->sending || r->end != TS_OK)
		return;
	r->awaited = true;
	settle(d, tls_stream_await_ack(d->s, d->tune->timeout_ms, &r->missing));
}

/* What close(2) is going to find. */
static void let_go(struct data *d)
{
	if (!d->s)
		return;
	d->result->unread = tls_stream_unread(d->s);
	if (d->result->sending)
		d->result->missing = tls_stream_unacked(d->s);
	tls_stream_free(d->s);
	d->s = NULL;
}

static void die(struct data *d)
{
	if (d->last_words) {
		settle_time(d);
		d->result->missing = tls_stream_unacked(d->s);
		d->result->unread = tls_stream_unread(d->s);
		d->last_words(d->watch_arg);
	}
	raise(SIGKILL);
}

/* On a fast path the tickets may still be on their way. */
static void await_unread(struct data *d)
{
	if (!tls_stream_unread(d->s))
		io_wait(tls_stream_fd(d->s), POLLIN, d->tune->end_delay_ms);
}

static void end_whole(struct data *d)
{
	enum ending ending = d->tune->ending;
	bool waits = ending == END_CLEAN || ending == END_RST_AFTER_NOTIFY;

	if (ending == END_TICKETS_UNREAD)
		await_unread(d);
	else if (d->result->sending)
		read_as_sender(d);
	if (ending != END_NO_CLOSE_NOTIFY)
		notify(d, waits ? TS_NOTIFY_SETTLED : TS_NOTIFY_AT_ONCE);
	switch (ending) {
	case END_CLEAN:
		tls_stream_half_close(d->s);
		await_ack(d);
		return; /* data_close() does the rest */
	case END_NO_CLOSE_NOTIFY:
		/* Acknowledged first: a FIN would go before the records that kTLS holds. */
		await_ack(d);
		tls_stream_half_close(d->s);
		return;
	case END_RST_AFTER_NOTIFY:
		await_ack(d);
		tls_stream_reset_on_close(d->s);
		break;
	case END_LINGER0:
		tls_stream_reset_on_close(d->s);
		break;
	case END_KILL:
		die(d);
		break;
	case END_HALF_CLOSE:
		tls_stream_half_close(d->s);
		pause_until(d, io_now() + d->tune->end_delay_ms);
		break;
	case END_SHUT_RDWR:
		shutdown(tls_stream_fd(d->s), SHUT_RDWR);
		pause_until(d, io_now() + d->tune->end_delay_ms);
		break;
	default:
		break;
	}
	let_go(d);
}

void data_end(struct data *d, bool whole)
{
	if (whole)
		end_whole(d);
	else
		let_go(d);
	settle_time(d);
}

enum xs data_status(const struct transfer *t)
{
	if (t->local_err)
		return XS_LOCAL;
	if (t->aborted)
		return XS_REFUSED;
	switch (t->end) {
	case TS_END_TRUNCATED:
		return XS_TRUNCATED;
	case TS_END_RESET:
		return XS_RESET;
	case TS_TIMEOUT:
		return XS_TIMEOUT;
	case TS_STOPPED:
		return XS_NETWORK;
	case TS_ERROR:
		return t->fault == TS_FAULT_NET ? XS_NETWORK : XS_PROTOCOL;
	default:
		return XS_COMPLETE;
	}
}

void data_close(struct data *d, int other_fd)
{
	if (!d->s)
		return;
	if (d->result->end == TS_OK || !d->result->sending)
		tls_stream_linger(d->s, other_fd, LINGER_MS);
	let_go(d);
}
