/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One TLS connection: the sender's socket with kernel TLS, the peer's socket
 * with plain TCP, and what each has done so far. Both ends are in the test's
 * hands, so a test is a plain sequence of steps.
 */
#ifndef SELFTESTS_CONN_H
#define SELFTESTS_CONN_H

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "bed.h"
#include "tlsrec.h"
#include "wire.h"

/* Far more than the peer's window takes, little enough to be quick. */
#define BULK (256 << 10)
/* Fits into the peer's window: acknowledged without anybody reading it. */
#define SMALL 4096

struct conn_opts {
	int family;		/* AF_INET if 0 */
	uint16_t version;	/* TLS 1.3 if 0 */
	uint16_t cipher;	/* AES-GCM-128 if 0 */
	bool rx;		/* install TLS_RX too */
	int rcvbuf;		/* the peer's; small if 0 */
	int sndbuf;		/* the sender's; takes everything if 0 */
	bool mapped;		/* IPv4 by an IPv6 socket */
	bool passive;		/* the peer connects, the sender accepts */
	uint16_t port;		/* the sender's; any if 0 */
	bool defer_accept;	/* TCP_DEFER_ACCEPT for who accepts */
	bool fast_open;		/* EARLY_DATA comes with the SYN */
	int listener;		/* a peer_listener(); one for itself if 0 */
	void (*prepare)(int fd);	/* what each end needs before they connect */
};

/* What who connects says first, in plain text, with the last two of these. */
#define EARLY_DATA "AUTH TLS\r\n"

struct conn {
	int fd;			/* the sender's socket */
	int peer;
	int family;
	bool ktls_rx;
	uint16_t port;		/* the sender's */
	struct tls_dir tx;	/* for the peer to open records */
	struct tls_dir rx;	/* for the peer to make records */
	size_t early;		/* bytes sent before there was TLS */
	size_t sent;		/* content bytes accepted from the sender */
	size_t stream;		/* their length as records, alert included */
	size_t replied;		/* bytes sent by the peer */
	size_t uploaded;	/* content bytes among them: peer_upload() */
	size_t taken[2];	/* content bytes judged by conn_take(), peer_take() */
	bool notified;
	size_t raw;		/* bytes in raw_buf */
	size_t raw_room;
	uint8_t *raw_buf;
};

/* What came out at the peer, read to the end. */
struct result {
	size_t plain;		/* content bytes */
	size_t raw;		/* bytes of the stream */
	bool intact;		/* the content is byte for byte what was sent */
	bool alert;		/* close_notify is the last record */
	bool cut;		/* the last record is not complete */
	int final;		/* 0: EOF; else the errno that ended it */
};

/*
 * For very many connections: each listener takes the longer to bind(), the more
 * connections its port has.
 */
int peer_listener(struct bed *bed, int family);
/* At another port, as one takes 65,535 connections of the sender; its peers' rcvbuf */
int peer_listener_at(struct bed *bed, int family, uint16_t port, int rcvbuf);

void conn_open(struct conn *conn, struct bed *bed,
	       const struct conn_opts *opts);
/* The connection alone, without any TLS. */
void conn_connect(struct conn *conn, struct bed *bed,
		  const struct conn_opts *opts);
/*
 * The two halves of a connection of which one end is not made here: a listener of the
 * sender's, to which the peer has connected; and the peer accepting the sender from
 * a peer_listener(), which is closed then.
 */
int conn_listen(struct conn *conn, struct bed *bed, int family);
void conn_accept_peer(struct conn *conn, int listener, int family);
/* Sets TCP_ULP and installs the keys. */
void conn_tls(struct conn *conn, const struct conn_opts *opts);
void conn_free(struct conn *conn);

/* How long the stream of an upload of @len bytes is, close_notify included. */
size_t stream_length(const struct conn *conn, size_t len);

/* The sender's side. MSG_NOSIGNAL, or 0: kTLS keeps it for close(). */
extern int conn_nosignal;
void conn_send(struct conn *conn, size_t len);
ssize_t conn_send_flags(struct conn *conn, size_t len, int flags);
void conn_leave_open(struct conn *conn);	/* a record with MSG_MORE */
/* For what TLS holds, if TCP's segments are single packets, and much is queued. */
void conn_leave_no_room(struct conn *conn);
void conn_notify(struct conn *conn);
bool conn_try_notify(struct conn *conn, int flags);	/* else errno */
/* A record of @type as it is, that nobody keeps count of; returns what sendmsg() did. */
ssize_t record_send(int fd, uint8_t type, const void *data, size_t len, int flags);
/* Does this kernel take keys for a second time (TLS 1.3, since 6.14)? */
bool conn_takes_keys_again(const struct conn *conn);
void conn_update_key(struct conn *conn);	/* KeyUpdate, the next TLS_TX */
/* Content and close_notify: a whole upload, most of it still queued. */
void conn_upload(struct conn *conn, size_t len);
/* The same content by sendfile(), whose records are the kernel's to cut. */
void conn_write_content(int file, size_t len);
ssize_t conn_sendfile(struct conn *conn, int file, size_t len);
void conn_linger(struct conn *conn, int seconds);
/* Ends the test if close() waited. */
void conn_close(struct conn *conn);
long conn_close_timed(struct conn *conn);	/* how many ms it waited */
int conn_state(const struct conn *conn);
bool conn_await_state(const struct conn *conn, int state);
/* Waits until @len bytes that the peer sent wait to be read. */
bool conn_await_unread(const struct conn *conn);
/* Waits until all that the peer has room for is acknowledged: nothing is under way. */
bool conn_await_stalled(const struct conn *conn);
bool conn_await_in_flight(const struct conn *conn);
bool conn_await_acked(const struct conn *conn);
int conn_queued(const struct conn *conn);

/*
 * Reads the next record, of @len bytes, that the other end has sent by peer_upload()
 * or conn_send(); false if it is not what was sent.
 */
bool conn_take(struct conn *conn, size_t len);
bool peer_take(struct conn *conn, size_t len);

/* Reads in pieces of @piece bytes to the end and judges a peer_upload(). */
void conn_finish(struct conn *conn, size_t piece, struct result *res);

/* The peer's side. */
void peer_send(struct conn *conn, const void *data, size_t len);
/* A well-formed record of @type that the sender's keys can open. */
void peer_record(struct conn *conn, uint8_t type, const void *data, size_t len);
void peer_reply(struct conn *conn);		/* a short data record */
/* Content in @records records of @len bytes; close_notify is extra. */
void peer_upload(struct conn *conn, int records, size_t len);
void peer_notify(struct conn *conn);
/* KeyUpdate; conn_finish() then installs the next TLS_RX. */
void peer_update_key(struct conn *conn);
/* Writes junk as long as it is taken in; returns how much of @len that was. */
size_t peer_flood(struct conn *conn, size_t len);
void peer_shutdown_wr(struct conn *conn);
/* peer_reset() throws away what the peer has not sent yet: this waits for that. */
void peer_await_sent(const struct conn *conn);
void peer_reset(struct conn *conn);
void peer_keepalive(struct conn *conn);
/*
 * A segment without data, of flags TH_..., that the peer's socket knows nothing
 * of: @off is how far it is from where the peer's stream is.
 */
void peer_segment(struct conn *conn, struct bed *bed, struct wire *wire,
		  uint8_t flags, int off);
#define SEGMENT_TEXT 4
void peer_segment_text(struct conn *conn, struct bed *bed, struct wire *wire,
		       uint8_t flags, int off);	/* with so many bytes of text */
void peer_segment_broken(struct conn *conn, struct bed *bed, struct wire *wire,
			 uint8_t flags, int off);	/* its checksum is */
/* Acknowledges so many bytes more, which need not have arrived. */
void peer_ack_more(struct conn *conn, struct bed *bed, struct wire *wire,
		   int bytes);
/*
 * An ICMP error, ICMP_UNREACH_..., in answer to what the peer has acknowledged
 * last. @mtu is for ICMP_UNREACH_NEEDFRAG; with IPv6 it is always a port unreachable.
 */
void peer_icmp(struct conn *conn, struct bed *bed, struct wire *wire,
	       uint8_t code, uint16_t mtu);
/* Reads what is there, so that the peer's window opens. */
void peer_drain(struct conn *conn);
/* Reads up to @len bytes; returns what read() did. */
ssize_t peer_read(struct conn *conn, size_t len);
/* Reads to the end and judges. */
void peer_finish(struct conn *conn, struct result *res);
int peer_error(const struct conn *conn);	/* SO_ERROR, once it is there */

#endif
