/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tls_stream.h - a TCP connection whose end means something.
 *
 * TLS tells a finished stream from a cut one: the sender's last record is a
 * close_notify alert (RFC 8446 s. 6.1, RFC 5246 s. 7.2.1). This file turns that
 * into an interface in which the difference cannot be overlooked:
 *
 *  - reading ends in exactly one of TS_END_CLOSE_NOTIFY, TS_END_TRUNCATED,
 *    TS_END_RESET or TS_ERROR (or TS_END_EOF on a stream without TLS), and then
 *    says the same for ever. A FIN or a RST behind a close_notify changes
 *    nothing, even where the kernel reports the RST first: what has arrived is
 *    read to its end before a RST counts.
 *  - writing ends in tls_stream_notify(), then tls_stream_await_ack(): TS_OK
 *    means that the peer's TCP acknowledged everything, close_notify included.
 *    Otherwise it says how many bytes are missing.
 *
 * Records are the kernel's work (kTLS) where it can do them, OpenSSL's where
 * not; nothing in the interface differs but tls_stream_ktls().
 *
 * The socket is non-blocking. A call that can do nothing returns TS_WAIT, and
 * tls_stream_read_events() and its like name what to poll(2) for. No call waits unless it takes
 * a timeout (milliseconds, counted from the last progress, not in all).
 */
#ifndef FTPS_TLS_STREAM_H
#define FTPS_TLS_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ts_status {
	TS_OK,		     /* done: bytes moved, or all acknowledged */
	TS_WAIT,	     /* nothing to be done now: poll and call again */
	TS_END_CLOSE_NOTIFY, /* the peer closed in good order: nothing is missing */
	TS_END_TRUNCATED,    /* end of file without close_notify */
	TS_END_RESET,	     /* the connection was reset */
	TS_END_EOF,	     /* end of file where there is no TLS: all that can be known */
	TS_ERROR,	     /* tls_stream_fault() and tls_stream_why() tell */
	TS_TIMEOUT,	     /* no progress for the time given */
	TS_STOPPED,	     /* a signal asked us to stop (io_stop) */
};

/* What kind of TS_ERROR it was. */
enum ts_fault {
	TS_FAULT_NONE,
	TS_FAULT_CERT,	 /* the peer's certificate was not accepted */
	TS_FAULT_TLS,	 /* handshake, alert, record that does not authenticate */
	TS_FAULT_NO_TLS, /* what came is no TLS at all */
	TS_FAULT_NET,	 /* the transport: time-out, unreachable, ... */
};

struct tls_stream;

/**
 * ts_name() - a status in one word, as logs and JSON give it ("close_notify")
 * @status: the status
 */
const char *ts_name(enum ts_status status);

/**
 * tls_stream_new() - wrap a connected socket; no TLS yet
 * @fd: the socket; ours from now on, also where this fails
 *
 * Return: the stream, or NULL without memory or where the socket cannot be made
 * non-blocking.
 */
struct tls_stream *tls_stream_new(int fd);

/**
 * tls_stream_free() - close(2), at once and without ceremony
 * @s: the stream, or NULL
 *
 * This is what a careless program does: whatever is unread makes the kernel send
 * a RST (RFC 2525 s. 2.17). Call tls_stream_linger() before, to be careful.
 */
void tls_stream_free(struct tls_stream *s);

/** struct tls_start - how to begin TLS on a stream */
struct tls_start {
	SSL_CTX *ctx;
	bool server;	      /* our role in the handshake */
	bool ktls;	      /* let the kernel do the records where it can */
	int tickets;	      /* server: TLS 1.3 session tickets to send; -1: OpenSSL's 2 */
	const char *host;     /* client: whose certificate it must be; NULL: anyone's */
	SSL_SESSION *session; /* client: the session to resume, or NULL */
};

/**
 * tls_stream_start() - do the TLS handshake
 * @s: the stream
 * @how: see struct tls_start
 * @timeout_ms: without progress
 *
 * Return: TS_OK, TS_ERROR (with TS_FAULT_CERT where it was the certificate),
 * TS_END_TRUNCATED, TS_END_RESET, TS_TIMEOUT or TS_STOPPED.
 */
enum ts_status tls_stream_start(struct tls_stream *s, const struct tls_start *how, int timeout_ms);

/**
 * tls_stream_read() - read once, never waiting
 * @s: the stream
 * @buf: where to
 * @size: how much at most, in bytes; more than 0
 * @n: out: how many bytes came; 0 unless TS_OK
 *
 * Return: TS_OK with *n > 0, TS_WAIT, or the one end of the stream.
 */
enum ts_status tls_stream_read(struct tls_stream *s, void *buf, size_t size, size_t *n);

/**
 * tls_stream_only_send() - nothing is read from now on but session tickets and the like
 * @s: the stream
 *
 * A FIN without close_notify is then no error, which would keep OpenSSL from sending, too. The peer
 * may be done with sending.
 */
void tls_stream_only_send(struct tls_stream *s);

/**
 * tls_stream_discard() - read and throw away what is there, never waiting
 * @s: the stream
 *
 * Session tickets are handled on the way; it is why a sender should call this.
 *
 * Return: TS_WAIT, or the end of the stream.
 */
enum ts_status tls_stream_discard(struct tls_stream *s);

/**
 * tls_stream_write() - write once, never waiting
 * @s: the stream
 * @buf: what; the same bytes must be offered again after TS_WAIT
 * @size: how much, in bytes; more than 0
 * @n: out: how many bytes were taken; 0 unless TS_OK
 *
 * Return: TS_OK with *n > 0, TS_WAIT, TS_END_RESET or TS_ERROR.
 */
enum ts_status tls_stream_write(struct tls_stream *s, const void *buf, size_t size, size_t *n);

/** tls_stream_fd() - the socket, for poll(2); remains ours */
int tls_stream_fd(const struct tls_stream *s);

/**
 * tls_stream_read_events() - what to poll(2) for after a read that said TS_WAIT
 * @s: the stream
 *
 * Return: POLLIN, or POLLOUT where TLS has to write first, or 0 after the end.
 */
short tls_stream_read_events(const struct tls_stream *s);

/** tls_stream_write_events() - the same for a write */
short tls_stream_write_events(const struct tls_stream *s);

/* How tls_stream_notify() sends its alert. */
enum ts_notify {
	/*
	 * As most programs do: non-blocking. kTLS may then still hold records that it
	 * accepted, the alert among them, and the process cannot know.
	 */
	TS_NOTIFY_AT_ONCE,
	/*
	 * Wait for room and then send with the socket blocking, which returns when
	 * every record is TCP's: only then may shutdown(2) or close(2) follow.
	 */
	TS_NOTIFY_SETTLED,
};

/**
 * tls_stream_notify() - send close_notify
 * @s: the stream; every write on it has returned TS_OK
 * @how: see enum ts_notify
 * @timeout_ms: without progress
 *
 * On a stream without TLS it does nothing. Reads nothing: what the peer sent, its
 * session tickets too, stays in the receive queue.
 *
 * Return: TS_OK: the kernel has the alert; TS_END_RESET, TS_ERROR, TS_TIMEOUT, TS_STOPPED.
 */
enum ts_status tls_stream_notify(struct tls_stream *s, enum ts_notify how, int timeout_ms);

/**
 * tls_stream_half_close() - FIN behind all that was written: shutdown(SHUT_WR)
 * @s: the stream; tls_stream_notify(TS_NOTIFY_SETTLED) before, or kTLS may lose records
 */
void tls_stream_half_close(struct tls_stream *s);

/**
 * tls_stream_await_ack() - wait until the peer's TCP has everything
 * @s: the stream
 * @timeout_ms: without progress
 * @missing: out: bytes on the wire that were not acknowledged, 0 with TS_OK. With TLS
 *           these are bytes of TLS records, not of the file.
 *
 * What arrives meanwhile (tickets, the peer's close_notify) is read and discarded.
 *
 * Event driven: the kernel reports the acknowledgement of the last byte on the error
 * queue (SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_ACK, armed by tls_stream_notify()),
 * and the peer's FIN or RST wakes poll(2). Where the kernel cannot, or had no memory
 * for the report, SIOCOUTQ is looked at again after pauses that grow to a second.
 *
 * Return: TS_OK, TS_END_RESET, TS_ERROR, TS_TIMEOUT or TS_STOPPED.
 */
enum ts_status tls_stream_await_ack(struct tls_stream *s, int timeout_ms, uint64_t *missing);

/**
 * tls_stream_linger() - keep the socket until the peer is done with it
 * @s: the stream
 * @other_fd: give up waiting when this one is readable; -1 for none
 * @timeout_ms: give up waiting after this time
 *
 * Discards what arrives, so that close(2) finds nothing unread and sends no RST that
 * would make the peer throw away what it has not read yet.
 */
void tls_stream_linger(struct tls_stream *s, int other_fd, int timeout_ms);

/** tls_stream_reset_on_close() - SO_LINGER {1, 0}: the close will be a RST */
void tls_stream_reset_on_close(struct tls_stream *s);

/** tls_stream_unacked() - bytes handed to TCP and not acknowledged (SIOCOUTQ less our FIN) */
uint64_t tls_stream_unacked(const struct tls_stream *s);

/** tls_stream_unread() - bytes in the socket's receive queue (SIOCINQ) */
uint64_t tls_stream_unread(const struct tls_stream *s);

/** tls_stream_ktls() - whether the kernel does the records of one direction */
bool tls_stream_ktls(const struct tls_stream *s, bool tx);

/** tls_stream_version() - "TLSv1.3", "TLSv1.2", or "none" */
const char *tls_stream_version(const struct tls_stream *s);

/** tls_stream_cipher() - OpenSSL's name of the cipher suite, or "none" */
const char *tls_stream_cipher(const struct tls_stream *s);

/** tls_stream_ssl() - OpenSSL's object, NULL without TLS; remains the stream's */
SSL *tls_stream_ssl(const struct tls_stream *s);

/** tls_stream_fault() - what kind of TS_ERROR the last one was */
enum ts_fault tls_stream_fault(const struct tls_stream *s);

/** tls_stream_why() - the last failure in words; never NULL */
const char *tls_stream_why(const struct tls_stream *s);

#endif
