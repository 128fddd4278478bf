// SPDX-License-Identifier: GPL-2.0
#include "tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io.h"
#include "tls_bio.h"

/* Pauses between two looks at SIOCOUTQ where the kernel sends no event. */
#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 1000

/* Reads in one tls_stream_discard(), so that a flood cannot keep us there. */
#define DISCARD_READS 64

struct tls_stream {
	int fd;
	SSL *ssl; /* NULL: no TLS (yet) */
	struct tls_wire wire;
	enum ts_status end; /* how reading ended; TS_OK while it has not */
	short read_wants;   /* poll events that the last TS_WAIT asked for */
	short write_wants;
	bool sent_fin;
	bool ack_event; /* the kernel will report the last acknowledgement */
	enum ts_fault fault;
	char why[240];
};

const char *ts_name(enum ts_status status)
{
	static const char *const names[] = { "ok",  "wait",  "close_notify", "truncated", "reset",
					     "eof", "error", "timeout",	     "stopped" };

	return names[status];
}

/* ------------------------------------------------------------------ failures */

static enum ts_status __attribute__((format(printf, 3, 4)))
fail(struct tls_stream *s, enum ts_fault fault, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	s->fault = fault;
	return TS_ERROR;
}

static enum ts_status ended(struct tls_stream *s, enum ts_status end, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return end;
}

static enum ts_status timed_out(struct tls_stream *s)
{
	return ended(s, TS_TIMEOUT, "no progress for too long");
}

/* The transport failed: a reset has its own status, the rest is an error. */
static enum ts_status wire_failed(struct tls_stream *s)
{
	if (tls_wire_is_reset(s->wire.err))
		return ended(s, TS_END_RESET, "connection reset by peer");
	return fail(s, TS_FAULT_NET, "%s", strerror(s->wire.err));
}

static bool is_bare_eof(unsigned long err)
{
	return ERR_GET_LIB(err) == ERR_LIB_SSL &&
	       ERR_GET_REASON(err) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum ts_status tls_failed(struct tls_stream *s, unsigned long err)
{
	const char *reason = ERR_reason_error_string(err), *advice = "";
	enum ts_fault fault = TS_FAULT_TLS;

	switch (ERR_GET_LIB(err) == ERR_LIB_SSL ? ERR_GET_REASON(err) : 0) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		advice = ": the peer must have TLS 1.2 or 1.3, or what --tls says";
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
		fault = TS_FAULT_NO_TLS;
		break;
	}
	return fail(s, fault, "TLS: %s%s", reason ? reason : "protocol error", advice);
}

/*
 * OpenSSL gave up. What it says of TLS itself comes first: a record that does not
 * authenticate is an error whatever became of the connection. Then what the socket
 * went through; OpenSSL's own view of that differs between its versions.
 */
static enum ts_status ssl_failed(struct tls_stream *s, int code)
{
	/* The first is the cause; what follows may be no more than an alert that was not sent. */
	unsigned long err = ERR_peek_error();
	int saved = errno;

	/* After an error OpenSSL does nothing more, and no longer says why. */
	if (s->end == TS_ERROR)
		return s->end;
	if (code == SSL_ERROR_SSL && err && ERR_GET_LIB(err) != ERR_LIB_SYS && !is_bare_eof(err))
		return tls_failed(s, err);
	if (s->wire.err)
		return wire_failed(s);
	if (s->wire.eof)
		return ended(s, TS_END_TRUNCATED, "end of file without close_notify");
	return fail(s, TS_FAULT_TLS, "TLS: %s", saved ? strerror(saved) : "input/output error");
}

/* OpenSSL did nothing. @wants: out: what to poll(2) for, where it has to wait. */
static enum ts_status ssl_stopped(struct tls_stream *s, int r, short *wants)
{
	int code = SSL_get_error(s->ssl, r);

	if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
		return ssl_failed(s, code);
	*wants = code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	return TS_WAIT;
}

/* ------------------------------------------------------------------ life */

static int set_blocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

struct tls_stream *tls_stream_new(int fd)
{
	struct tls_stream *s = calloc(1, sizeof(*s));
	int on = 1;

	/* Nagle would hold the close_notify back until what is before it is acknowledged. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!s || set_blocking(fd, false) < 0) {
		free(s);
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->read_wants = POLLIN;
	s->write_wants = POLLOUT;
	return s;
}

void tls_stream_free(struct tls_stream *s)
{
	if (!s)
		return;
	if (s->ssl) {
		/* An odd end of this connection is no reason to forget its session. */
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(s->ssl);
	}
	close(s->fd);
	free(s);
}

/* Check the certificate against a name or an address (RFC 6125); SNI takes only names. */
static bool expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, host))
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, host) && SSL_set1_host(ssl, host);
}

static bool prepare(struct tls_stream *s, const struct tls_start *how)
{
	BIO *bio = tls_bio_new(s->fd, &s->wire);

	s->ssl = SSL_new(how->ctx);
	if (!bio || !s->ssl) {
		BIO_free_all(bio);
		return false;
	}
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/*
	 * The system's openssl.cnf may say otherwise. A bare EOF must be seen, and bytes
	 * behind the record in hand must stay in the socket, where kTLS and SIOCINQ see them.
	 */
	SSL_clear_options(s->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	SSL_set_options(s->ssl, SSL_OP_NO_RENEGOTIATION | (how->ktls ? SSL_OP_ENABLE_KTLS : 0));
	SSL_set_read_ahead(s->ssl, 0);
	if (how->server) {
		SSL_set_accept_state(s->ssl);
		return how->tickets < 0 || SSL_set_num_tickets(s->ssl, (size_t)how->tickets);
	}
	SSL_set_connect_state(s->ssl);
	return (!how->host || expect_host(s->ssl, how->host)) &&
	       (!how->session || SSL_set_session(s->ssl, how->session));
}

static enum ts_status wait_for(struct tls_stream *s, short events, int timeout_ms)
{
	int r = io_wait(s->fd, events, timeout_ms);

	if (r > 0 || (r == -EINTR && !io_stop))
		return TS_OK;
	if (r == 0)
		return timed_out(s);
	return r == -EINTR ? TS_STOPPED : fail(s, TS_FAULT_NET, "poll: %s", strerror(-r));
}

static enum ts_status handshake_failed(struct tls_stream *s, int code)
{
	long verdict = SSL_get_verify_result(s->ssl);
	bool unknown = verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		       verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
		       verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
	enum ts_status st = ssl_failed(s, code);

	if (SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE && verdict != X509_V_OK)
		return fail(s, TS_FAULT_CERT, "certificate: %s%s",
			    X509_verify_cert_error_string(verdict),
			    unknown ? ": if you trust it, name its CA's by --cacert" : "");
	return st;
}

enum ts_status tls_stream_start(struct tls_stream *s, const struct tls_start *how, int timeout_ms)
{
	int64_t deadline = io_now() + timeout_ms;
	enum ts_status st;

	ERR_clear_error();
	if (!prepare(s, how))
		return fail(s, TS_FAULT_TLS, "TLS: no memory, or a bad host name");
	for (;;) {
		int r, code;

		ERR_clear_error();
		errno = 0;
		r = SSL_do_handshake(s->ssl);
		if (r == 1)
			return TS_OK;
		code = SSL_get_error(s->ssl, r);
		if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
			return handshake_failed(s, code);
		/* Where something always comes the wait would never run out. */
		if (!io_left(deadline))
			return timed_out(s);
		st = wait_for(s, code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, io_left(deadline));
		if (st != TS_OK)
			return st;
	}
}

/* ------------------------------------------------------------------ reading */

static enum ts_status plain_read(struct tls_stream *s, void *buf, size_t size, size_t *n)
{
	ssize_t r = tls_wire_read(s->fd, &s->wire, buf, size);

	if (r > 0) {
		*n = (size_t)r;
		return TS_OK;
	}
	if (r == 0)
		return s->end = ended(s, TS_END_EOF, "end of file");
	if (s->wire.err)
		return s->end = wire_failed(s);
	if (errno != EAGAIN && errno != EINTR)
		return s->end = fail(s, TS_FAULT_NET, "%s", strerror(errno));
	s->read_wants = POLLIN;
	return TS_WAIT;
}

enum ts_status tls_stream_read(struct tls_stream *s, void *buf, size_t size, size_t *n)
{
	enum ts_status st;

	*n = 0;
	if (s->end != TS_OK)
		return s->end;
	if (!s->ssl)
		return plain_read(s, buf, size, n);
	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(s->ssl, buf, size, n))
		return TS_OK;
	*n = 0;
	st = SSL_get_error(s->ssl, 0) == SSL_ERROR_ZERO_RETURN ?
		     ended(s, TS_END_CLOSE_NOTIFY, "closed by close_notify") :
		     ssl_stopped(s, 0, &s->read_wants);
	s->end = st == TS_WAIT ? TS_OK : st;
	return st;
}

void tls_stream_only_send(struct tls_stream *s)
{
	if (s->ssl)
		SSL_set_options(s->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

enum ts_status tls_stream_discard(struct tls_stream *s)
{
	char waste[16384];
	size_t n;

	for (int i = 0; i < DISCARD_READS; i++) {
		enum ts_status st = tls_stream_read(s, waste, sizeof(waste), &n);

		if (st != TS_OK)
			return st;
	}
	return TS_WAIT;
}

/* ------------------------------------------------------------------ writing */

static enum ts_status plain_write(struct tls_stream *s, const void *buf, size_t size, size_t *n)
{
	ssize_t r = send(s->fd, buf, size, MSG_NOSIGNAL);

	if (r >= 0) {
		*n = (size_t)r;
		return TS_OK;
	}
	s->write_wants = POLLOUT;
	if (errno == EAGAIN || errno == EINTR)
		return TS_WAIT;
	s->wire.err = errno;
	return wire_failed(s);
}

enum ts_status tls_stream_write(struct tls_stream *s, const void *buf, size_t size, size_t *n)
{
	*n = 0;
	if (!s->ssl)
		return plain_write(s, buf, size, n);
	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(s->ssl, buf, size, n))
		return TS_OK;
	*n = 0;
	return ssl_stopped(s, 0, &s->write_wants);
}

/* ------------------------------------------------------------------ the end of writing */

/* Have the kernel report, on the error queue, when what is written next is acknowledged. */
static void arm_ack_event(struct tls_stream *s)
{
	int flags = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
		    SOF_TIMESTAMPING_OPT_TSONLY;

	s->ack_event = setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0;
}

static enum ts_status alert_result(struct tls_stream *s, int r)
{
	return r >= 0 ? TS_OK : ssl_stopped(s, r, &s->write_wants);
}

static enum ts_status notify_at_once(struct tls_stream *s, int timeout_ms)
{
	enum ts_status st;

	for (;;) {
		ERR_clear_error();
		errno = 0;
		st = alert_result(s, SSL_shutdown(s->ssl));
		if (st != TS_WAIT)
			return st;
		st = wait_for(s, POLLOUT, timeout_ms);
		if (st != TS_OK)
			return st;
	}
}

/* Wait until the socket is writable, for as long as the peer goes on acknowledging. */
static enum ts_status await_room(struct tls_stream *s, int timeout_ms)
{
	uint64_t seen = tls_stream_unacked(s);
	enum ts_status st;

	for (;;) {
		uint64_t left;

		st = wait_for(s, POLLOUT, timeout_ms);
		if (st != TS_TIMEOUT)
			return st;
		left = tls_stream_unacked(s);
		if (left >= seen)
			return st;
		seen = left;
	}
}

/*
 * kTLS takes a record from a non-blocking sender even where TCP has no room, keeps
 * it and calls that success; there is no way to ask it. A blocking send returns only
 * when all it kept is TCP's. With SO_SNDTIMEO run out it calls that success again,
 * hence the look at the clock.
 */
static enum ts_status notify_settled(struct tls_stream *s, int timeout_ms)
{
	struct timeval limit = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};
	enum ts_status st = await_room(s, timeout_ms);
	int64_t started = io_now();
	sigset_t was;
	int err;

	if (st != TS_OK)
		return st;
	if (setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return fail(s, TS_FAULT_NET, "SO_SNDTIMEO: %s", strerror(errno));
	err = set_blocking(s->fd, true);
	if (err)
		return fail(s, TS_FAULT_NET, "fcntl: %s", strerror(-err));
	ERR_clear_error();
	io_unblock(&was);
	errno = 0;
	st = alert_result(s, SSL_shutdown(s->ssl));
	io_restore(&was);
	set_blocking(s->fd, false);
	if (st != TS_OK && st != TS_WAIT)
		return st;
	if (io_stop)
		return TS_STOPPED;
	return st == TS_WAIT || io_now() - started >= timeout_ms ? timed_out(s) : TS_OK;
}

enum ts_status tls_stream_notify(struct tls_stream *s, enum ts_notify how, int timeout_ms)
{
	arm_ack_event(s);
	if (!s->ssl) {
		/* Nothing to send, so no acknowledgement of it will be reported. */
		s->ack_event = false;
		return TS_OK;
	}
	return how == TS_NOTIFY_AT_ONCE ? notify_at_once(s, timeout_ms) :
					  notify_settled(s, timeout_ms);
}

void tls_stream_half_close(struct tls_stream *s)
{
	if (shutdown(s->fd, SHUT_WR) == 0)
		s->sent_fin = true;
}

/* Take the reports off the error queue. Return: whether there was one. */
static bool read_error_queue(int fd)
{
	char control[256];
	char byte;
	bool any = false;

	for (int i = 0; i < DISCARD_READS; i++) {
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		any = true;
	}
	return any;
}

/* Something happened to a connection that is only waiting for acknowledgements. */
static enum ts_status take_event(struct tls_stream *s, uint32_t events)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (events & EPOLLERR)
		read_error_queue(s->fd);
	tls_stream_discard(s);
	/* Reading may have ended before: then nothing has asked for the error yet. */
	if (events & (EPOLLERR | EPOLLHUP) && !s->wire.err &&
	    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0)
		s->wire.err = err;
	return s->wire.err ? wire_failed(s) : TS_OK;
}

static enum ts_status await_event(struct tls_stream *s, int epfd, int timeout_ms)
{
	struct epoll_event event;
	int r = io_wait(epfd, POLLIN, timeout_ms);

	if (r == -EINTR && io_stop)
		return TS_STOPPED;
	if (r < 0 && r != -EINTR)
		return fail(s, TS_FAULT_NET, "poll: %s", strerror(-r));
	if (r <= 0 || epoll_wait(epfd, &event, 1, 0) != 1)
		return TS_OK;
	return take_event(s, event.events);
}

static enum ts_status await_empty(struct tls_stream *s, int epfd, int timeout_ms)
{
	uint64_t seen = UINT64_MAX, left;
	int pause_min = s->ack_event ? PAUSE_MAX_MS : PAUSE_MIN_MS;
	int pause = pause_min;
	int64_t deadline = 0;
	enum ts_status st;

	while ((left = tls_stream_unacked(s)) > 0) {
		if (left < seen) {
			seen = left;
			pause = pause_min;
			deadline = io_now() + timeout_ms;
		}
		if (!io_left(deadline))
			return timed_out(s);
		st = await_event(s, epfd, pause < io_left(deadline) ? pause : io_left(deadline));
		if (st != TS_OK)
			return st;
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	return TS_OK;
}

enum ts_status tls_stream_await_ack(struct tls_stream *s, int timeout_ms, uint64_t *missing)
{
	/*
	 * Edge triggered: once both sides have sent FIN, the socket is in a state that
	 * poll(2) always returns from, and only an edge is news.
	 */
	struct epoll_event want = { .events = EPOLLIN | EPOLLET };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	enum ts_status st;

	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &want) < 0)
		st = fail(s, TS_FAULT_NET, "epoll: %s", strerror(errno));
	else
		st = await_empty(s, epfd, timeout_ms);
	io_close(epfd);
	*missing = tls_stream_unacked(s);
	/* A RST behind the last acknowledgement takes nothing away. */
	if (st == TS_END_RESET && !*missing)
		st = TS_OK;
	return st;
}

void tls_stream_linger(struct tls_stream *s, int other_fd, int timeout_ms)
{
	int64_t deadline = io_now() + timeout_ms;

	/* Where something always comes poll(2) would never time out: look at the clock. */
	while (tls_stream_discard(s) == TS_WAIT && io_left(deadline)) {
		struct pollfd p[2] = {
			{ .fd = s->fd, .events = s->read_wants },
			{ .fd = other_fd, .events = POLLIN },
		};
		int r = io_poll(p, 2, io_left(deadline));

		if (r == 0 || (r < 0 && (r != -EINTR || io_stop)) || (r > 0 && p[1].revents))
			break;
	}
	tls_stream_discard(s);
}

void tls_stream_reset_on_close(struct tls_stream *s)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* ------------------------------------------------------------------ what is known of it */

uint64_t tls_stream_unacked(const struct tls_stream *s)
{
	int bytes = 0;

	if (ioctl(s->fd, SIOCOUTQ, &bytes) < 0 || bytes <= 0)
		return 0;
	/* A FIN counts as a byte, the last one. */
	return (uint64_t)bytes - (s->sent_fin ? 1 : 0);
}

uint64_t tls_stream_unread(const struct tls_stream *s)
{
	int bytes = 0;

	return ioctl(s->fd, SIOCINQ, &bytes) < 0 || bytes < 0 ? 0 : (uint64_t)bytes;
}

int tls_stream_fd(const struct tls_stream *s)
{
	return s->fd;
}

short tls_stream_read_events(const struct tls_stream *s)
{
	return s->end == TS_OK ? s->read_wants : 0;
}

short tls_stream_write_events(const struct tls_stream *s)
{
	return s->write_wants;
}

bool tls_stream_ktls(const struct tls_stream *s, bool tx)
{
	if (!s->ssl)
		return false;
	return tx ? BIO_get_ktls_send(SSL_get_wbio(s->ssl)) > 0 :
		    BIO_get_ktls_recv(SSL_get_rbio(s->ssl)) > 0;
}

const char *tls_stream_version(const struct tls_stream *s)
{
	return s->ssl ? SSL_get_version(s->ssl) : "none";
}

const char *tls_stream_cipher(const struct tls_stream *s)
{
	return s->ssl ? SSL_get_cipher_name(s->ssl) : "none";
}

SSL *tls_stream_ssl(const struct tls_stream *s)
{
	return s->ssl;
}

enum ts_fault tls_stream_fault(const struct tls_stream *s)
{
	return s->fault;
}

const char *tls_stream_why(const struct tls_stream *s)
{
	return s->why[0] ? s->why : "no failure";
}
