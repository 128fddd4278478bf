// SPDX-License-Identifier: GPL-2.0
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drst.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define WAIT_MS 10000
/*
 * A close() that waits for the peer takes longer: the peer is this process. A slow machine
 * encrypts for a while here what kTLS still holds.
 */
#define CLOSE_MS 5000
#define RCVBUF_SMALL 16384
#define SNDBUF_ALL (32 << 20)

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union addr addr_of(enum side side, int family, bool mapped, int port)
{
	static const char * const text[][3] = {
		[SIDE_A] = { "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1" },
		[SIDE_B] = { "192.0.2.2", "2001:db8::2", "::ffff:192.0.2.2" },
	};
	union addr addr = {};

	if (family == AF_INET && !mapped) {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = htons(port);
		MUST(inet_pton(AF_INET, text[side][0], &addr.in.sin_addr) == 1);
	} else {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		MUST(inet_pton(AF_INET6, text[side][mapped ? 2 : 1],
			       &addr.in6.sin6_addr) == 1);
	}
	return addr;
}

static int tcp_socket(const union addr *addr)
{
	int fd;

	if (addr->sa.sa_family == AF_INET6)
		require_ipv6();
	fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0);
	sockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(!bind(fd, &addr->sa, sizeof(*addr)));
	return fd;
}

static void join(int active, int listener, const union addr *to, int *passive,
		 const struct conn_opts *opts)
{
	const ssize_t early = strlen(EARLY_DATA);
	char data[sizeof(EARLY_DATA)];

	if (opts->defer_accept)
		sockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	MUST(!listen(listener, 1));
	if (opts->fast_open) {
		MUST(sendto(active, EARLY_DATA, early, MSG_FASTOPEN, &to->sa,
			    sizeof(*to)) == early);
	} else {
		MUST(!connect(active, &to->sa, sizeof(*to)));
		if (opts->defer_accept)
			MUST(send(active, EARLY_DATA, early, 0) == early);
	}
	*passive = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(*passive >= 0);
	if (listener != opts->listener)
		close(listener);
	if (opts->fast_open || opts->defer_accept) {
		MUST(recv(*passive, data, early, MSG_WAITALL) == early);
		MUST(!memcmp(data, EARLY_DATA, early));
	}
}

static void peer_patience(struct conn *conn)
{
	struct timeval tv = { .tv_sec = WAIT_MS / 1000 };

	MUST(!setsockopt(conn->peer, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
}

int peer_listener_at(struct bed *bed, int family, uint16_t port, int rcvbuf)
{
	union addr addr = addr_of(SIDE_B, family, false, port);
	int fd;

	bed_enter(bed, SIDE_B);
	fd = tcp_socket(&addr);
	sockopt(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf ?: RCVBUF_SMALL);
	bed_enter(bed, SIDE_A);
	return fd;
}

int peer_listener(struct bed *bed, int family)
{
	return peer_listener_at(bed, family, PEER_PORT, 0);
}

static uint16_t port_of(int fd)
{
	union addr addr;
	socklen_t len = sizeof(addr);

	MUST(!getsockname(fd, &addr.sa, &len));
	return ntohs(addr.in.sin_port);		/* the same place in sin6 */
}

void conn_connect(struct conn *conn, struct bed *bed,
		  const struct conn_opts *opts)
{
	int family = opts->family ?: AF_INET;
	union addr own = addr_of(SIDE_A, family, opts->mapped, opts->port);
	union addr a = addr_of(SIDE_A, family, false, 0);
	union addr b = addr_of(SIDE_B, family, opts->mapped, 0);
	int fd_a, fd_b, size;

	memset(conn, 0, sizeof(*conn));
	conn->family = family;
	fd_b = opts->listener ?: peer_listener_at(bed, family, PEER_PORT,
						  opts->rcvbuf);
	fd_a = tcp_socket(&own);
	/* Root of a user namespace has to be content with less. */
	size = opts->sndbuf ?: SNDBUF_ALL;
	if (setsockopt(fd_a, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		sockopt(fd_a, SOL_SOCKET, SO_SNDBUF, size);
	conn->port = port_of(fd_a);
	a.in.sin_port = htons(conn->port);	/* the same place in sin6 */
	b.in.sin_port = htons(port_of(fd_b));
	if (opts->prepare) {
		opts->prepare(fd_a);
		opts->prepare(fd_b);
	}
	if (opts->passive) {
		conn->peer = fd_b;
		join(fd_b, fd_a, &a, &conn->fd, opts);
	} else {
		conn->fd = fd_a;
		join(fd_a, fd_b, &b, &conn->peer, opts);
		if (opts->fast_open || opts->defer_accept)
			conn->early = strlen(EARLY_DATA);
	}
	peer_patience(conn);
}

void conn_tls(struct conn *conn, const struct conn_opts *opts)
{
	uint16_t version = opts->version ?: TLS_1_3_VERSION;
	uint16_t cipher = opts->cipher ?: TLS_CIPHER_AES_GCM_128;

	dir_init(&conn->tx, version, cipher, 1);
	dir_init(&conn->rx, version, cipher, 2);
	MUST(!setsockopt(conn->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	MUST(!dir_install(&conn->tx, conn->fd, TLS_TX));
	conn->ktls_rx = opts->rx;
	if (opts->rx)
		MUST(!dir_install(&conn->rx, conn->fd, TLS_RX));
}

void conn_open(struct conn *conn, struct bed *bed, const struct conn_opts *opts)
{
	conn_connect(conn, bed, opts);
	conn_tls(conn, opts);
}

int conn_listen(struct conn *conn, struct bed *bed, int family)
{
	union addr own = addr_of(SIDE_A, family, false, 0);
	int listener = tcp_socket(&own);

	memset(conn, 0, sizeof(*conn));
	conn->family = family;
	MUST(!listen(listener, 1));
	conn->port = port_of(listener);
	own.in.sin_port = htons(conn->port);	/* the same place in sin6 */
	conn->peer = peer_listener(bed, family);
	MUST(!connect(conn->peer, &own.sa, sizeof(own)));
	peer_patience(conn);
	return listener;
}

void conn_accept_peer(struct conn *conn, int listener, int family)
{
	union addr own;
	socklen_t len = sizeof(own);

	conn->family = family;
	conn->peer = accept4(listener, &own.sa, &len, SOCK_CLOEXEC);
	MUST(conn->peer >= 0);
	close(listener);
	conn->port = ntohs(own.in.sin_port);
	peer_patience(conn);
}

void conn_free(struct conn *conn)
{
	if (conn->fd > 0)
		close(conn->fd);
	if (conn->peer > 0)
		close(conn->peer);
	free(conn->raw_buf);
	memset(conn, 0, sizeof(*conn));
}

/* The content: every byte is a function of its position. */
static uint8_t content(size_t pos)
{
	return (pos * 2654435761u) >> 13 ^ pos >> 8;
}

static const uint8_t *content_chunk(size_t pos, size_t len)
{
	static uint8_t chunk[8 * REC_MAX_PLAIN];
	size_t i;

	MUST(len <= sizeof(chunk));
	for (i = 0; i < len; i++)
		chunk[i] = content(pos + i);
	return chunk;
}

/* @len bytes sent as one record or a run of full ones */
static size_t records_length(const struct conn *conn, size_t len)
{
	size_t records = (len + REC_MAX_PLAIN - 1) / REC_MAX_PLAIN;

	return len + records * dir_overhead(&conn->tx);
}

size_t stream_length(const struct conn *conn, size_t len)
{
	return records_length(conn, len) +
	       sizeof(close_notify) + dir_overhead(&conn->tx);
}

int conn_nosignal = MSG_NOSIGNAL;

ssize_t conn_send_flags(struct conn *conn, size_t len, int flags)
{
	ssize_t ret = send(conn->fd, content_chunk(conn->sent, len), len,
			   flags | conn_nosignal);

	if (ret > 0) {
		conn->sent += ret;
		conn->stream += records_length(conn, ret);
	}
	return ret;
}

void conn_send(struct conn *conn, size_t len)
{
	size_t want;

	for (; len; len -= want) {
		want = len < 8 * REC_MAX_PLAIN ? len : 8 * REC_MAX_PLAIN;
		MUST(conn_send_flags(conn, want, 0) == (ssize_t)want);
	}
}

void conn_leave_open(struct conn *conn)
{
	const size_t len = REC_MAX_PLAIN - 1;

	MUST(conn_send_flags(conn, len, MSG_MORE) == (ssize_t)len);
}

void conn_leave_no_room(struct conn *conn)
{
	sockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, 1);
}

void conn_write_content(int file, size_t len)
{
	size_t pos, want;

	for (pos = 0; pos < len; pos += want) {
		want = len - pos < REC_MAX_PLAIN ? len - pos : REC_MAX_PLAIN;
		MUST(write(file, content_chunk(pos, want), want) ==
		     (ssize_t)want);
	}
}

ssize_t conn_sendfile(struct conn *conn, int file, size_t len)
{
	off_t pos = 0;

	while ((size_t)pos < len)
		if (sendfile(conn->fd, file, &pos, len - pos) <= 0)
			break;
	conn->sent += pos;
	return pos;
}

ssize_t record_send(int fd, uint8_t type, const void *data, size_t len, int flags)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(1)];
	} control = {
		.hdr = {
			.cmsg_len = CMSG_LEN(1),
			.cmsg_level = SOL_TLS,
			.cmsg_type = TLS_SET_RECORD_TYPE,
		},
	};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	*CMSG_DATA(&control.hdr) = type;
	return sendmsg(fd, &msg, flags | conn_nosignal);
}

/* A record that is no data, whole or not at all */
static bool send_record(struct conn *conn, uint8_t type, const void *data,
			size_t len, int flags)
{
	if (record_send(conn->fd, type, data, len, flags) != (ssize_t)len)
		return false;
	conn->stream += len + dir_overhead(&conn->tx);
	return true;
}

bool conn_try_notify(struct conn *conn, int flags)
{
	if (!send_record(conn, REC_ALERT, close_notify, sizeof(close_notify),
			 flags))
		return false;
	conn->notified = true;
	return true;
}

void conn_notify(struct conn *conn)
{
	MUST(conn_try_notify(conn, 0));
}

void conn_upload(struct conn *conn, size_t len)
{
	conn_send(conn, len);
	conn_notify(conn);
}

bool conn_takes_keys_again(const struct conn *conn)
{
	int err = dir_install(&conn->tx, conn->fd, TLS_TX);

	MUST(!err || err == -EBUSY);
	return !err;
}

void conn_update_key(struct conn *conn)
{
	struct tls_dir next = conn->tx;

	MUST(send_record(conn, REC_HANDSHAKE, key_update, KEY_UPDATE_LEN, 0));
	dir_update(&next);
	MUST(!dir_install(&next, conn->fd, TLS_TX));
}

static void linger_for(int fd, int seconds)
{
	struct linger linger = { .l_onoff = 1, .l_linger = seconds };

	MUST(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

void conn_linger(struct conn *conn, int seconds)
{
	linger_for(conn->fd, seconds);
}

/* Time not spent running; so what a busy host takes from us does not count. */
static long idle_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC) - clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

long conn_close_timed(struct conn *conn)
{
	long began = idle_ms();

	MUST(!close(conn->fd));
	conn->fd = -1;
	return idle_ms() - began;
}

void conn_close(struct conn *conn)
{
	MUST(conn_close_timed(conn) < CLOSE_MS);
}

static struct tcp_info conn_info(const struct conn *conn)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	MUST(!getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

int conn_state(const struct conn *conn)
{
	return conn_info(conn).tcpi_state;
}

bool conn_await_stalled(const struct conn *conn)
{
	return EVENTUALLY(!conn_info(conn).tcpi_unacked);
}

bool conn_await_in_flight(const struct conn *conn)
{
	return EVENTUALLY(conn_info(conn).tcpi_unacked);
}

bool conn_await_state(const struct conn *conn, int state)
{
	return EVENTUALLY(conn_state(conn) == state);
}

bool conn_await_unread(const struct conn *conn)
{
	int unread;

	return EVENTUALLY(!ioctl(conn->fd, SIOCINQ, &unread) &&
			  unread >= (int)conn->replied);
}

int conn_queued(const struct conn *conn)
{
	int queued;

	MUST(!ioctl(conn->fd, SIOCOUTQ, &queued));
	return queued;
}

bool conn_await_acked(const struct conn *conn)
{
	return EVENTUALLY(conn_queued(conn) == 0);
}

void peer_send(struct conn *conn, const void *data, size_t len)
{
	MUST(send(conn->peer, data, len, MSG_NOSIGNAL) == (ssize_t)len);
	conn->replied += len;
}

void peer_record(struct conn *conn, uint8_t type, const void *data, size_t len)
{
	uint8_t rec[REC_MAX];
	size_t sealed = rec_seal(&conn->rx, type, data, len, rec);

	peer_send(conn, rec, sealed);
}

void peer_reply(struct conn *conn)
{
	peer_record(conn, REC_DATA, "got it?", 7);
}

void peer_upload(struct conn *conn, int records, size_t len)
{
	for (; records; records--) {
		peer_record(conn, REC_DATA, content_chunk(conn->uploaded, len),
			    len);
		conn->uploaded += len;
	}
}

void peer_notify(struct conn *conn)
{
	peer_record(conn, REC_ALERT, close_notify, sizeof(close_notify));
}

void peer_update_key(struct conn *conn)
{
	peer_record(conn, REC_HANDSHAKE, key_update, KEY_UPDATE_LEN);
	dir_update(&conn->rx);
}

size_t peer_flood(struct conn *conn, size_t len)
{
	static const uint8_t junk[16384];
	struct timeval tv = { .tv_sec = 5 };
	size_t done = 0, left;
	ssize_t got = 0;

	MUST(!setsockopt(conn->peer, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	/* A send that SO_SNDTIMEO ends takes a part only. */
	for (; done < len && got >= 0; done += got > 0 ? got : 0) {
		left = len - done;
		got = send(conn->peer, junk, left < sizeof(junk) ? left : sizeof(junk),
			   MSG_NOSIGNAL);
	}
	conn->replied += done;
	return done;
}

void peer_shutdown_wr(struct conn *conn)
{
	MUST(!shutdown(conn->peer, SHUT_WR));
}

void peer_keepalive(struct conn *conn)
{
	sockopt(conn->peer, SOL_SOCKET, SO_KEEPALIVE, 1);
	sockopt(conn->peer, IPPROTO_TCP, TCP_KEEPIDLE, 1);
	sockopt(conn->peer, IPPROTO_TCP, TCP_KEEPINTVL, 1);
}

void peer_await_sent(const struct conn *conn)
{
	int unsent;

	do {
		MUST(!ioctl(conn->peer, SIOCOUTQNSD, &unsent));
	} while (unsent);
}

void peer_reset(struct conn *conn)
{
	linger_for(conn->peer, 0);
	MUST(!close(conn->peer));
	conn->peer = -1;
}

static uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *at = data;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += at[i] << 8 | at[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint16_t tcp_sum(int family, const union addr *from,
			const union addr *to, const void *segment, size_t len)
{
	uint32_t sum = IPPROTO_TCP + len;

	if (family == AF_INET) {
		sum = sum16(&from->in.sin_addr, 4, sum);
		sum = sum16(&to->in.sin_addr, 4, sum);
	} else {
		sum = sum16(&from->in6.sin6_addr, 16, sum);
		sum = sum16(&to->in6.sin6_addr, 16, sum);
	}
	return htons(~fold(sum16(segment, len, sum)));
}

/* A packet of @protocol, made by hand, from the peer's host */
static void raw_send(struct bed *bed, int family, int protocol, const void *packet,
		     ssize_t len)
{
	union addr from = addr_of(SIDE_B, family, false, 0);
	union addr to = addr_of(SIDE_A, family, false, 0);
	int fd;

	bed_enter(bed, SIDE_B);
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
	MUST(fd >= 0 && !bind(fd, &from.sa, sizeof(from)));
	MUST(sendto(fd, packet, len, 0, &to.sa, sizeof(to)) == len);
	close(fd);
	bed_enter(bed, SIDE_A);
}

static void segment_send(struct conn *conn, struct bed *bed, struct wire *wire,
			 uint8_t flags, int off, int more, size_t text,
			 bool broken)
{
	const struct flow *flow = wire_flow(wire, conn->port);
	union addr from = addr_of(SIDE_B, conn->family, false, 0);
	union addr to = addr_of(SIDE_A, conn->family, false, 0);
	struct {
		struct tcphdr th;
		char text[SEGMENT_TEXT];
	} segment = { .th = {
		.th_sport = htons(PEER_PORT),
		.th_dport = htons(conn->port),
		.th_seq = htonl(flow->isn[SIDE_B] + flow->sent[SIDE_B] + off),
		.th_ack = htonl(flow->isn[SIDE_A] + flow->acked[SIDE_A] + more),
		.th_off = sizeof(segment.th) / 4,
		.th_flags = flags,
		.th_win = htons(1024),
	} };
	ssize_t len = sizeof(segment.th) + text;

	segment.th.th_sum = tcp_sum(conn->family, &from, &to, &segment, len);
	if (broken)
		segment.th.th_sum ^= 1;
	raw_send(bed, conn->family, IPPROTO_TCP, &segment, len);
}

void peer_segment(struct conn *conn, struct bed *bed, struct wire *wire,
		  uint8_t flags, int off)
{
	segment_send(conn, bed, wire, flags, off, 0, 0, false);
}

void peer_segment_text(struct conn *conn, struct bed *bed, struct wire *wire,
		       uint8_t flags, int off)
{
	segment_send(conn, bed, wire, flags, off, 0, SEGMENT_TEXT, false);
}

void peer_segment_broken(struct conn *conn, struct bed *bed, struct wire *wire,
			 uint8_t flags, int off)
{
	segment_send(conn, bed, wire, flags, off, 0, 0, true);
}

void peer_ack_more(struct conn *conn, struct bed *bed, struct wire *wire,
		   int bytes)
{
	segment_send(conn, bed, wire, TH_ACK, 0, bytes, 0, false);
}

static void icmp_send(struct conn *conn, struct bed *bed, struct wire *wire,
		      uint8_t code, uint16_t mtu)
{
	const struct flow *flow = wire_flow(wire, conn->port);
	union addr from = addr_of(SIDE_B, AF_INET, false, 0);
	union addr to = addr_of(SIDE_A, AF_INET, false, 0);
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		uint16_t ports[2];
		uint32_t seq;
	} msg = {
		.icmp = {
			.type = ICMP_DEST_UNREACH,
			.code = code,
			.un.frag.mtu = htons(mtu),
		},
		.ip = {
			.version = 4,
			.ihl = sizeof(msg.ip) / 4,
			.tot_len = htons(1500),
			.ttl = 64,
			.protocol = IPPROTO_TCP,
			.saddr = to.in.sin_addr.s_addr,
			.daddr = from.in.sin_addr.s_addr,
		},
		.ports = { htons(conn->port), htons(PEER_PORT) },
		.seq = htonl(flow->isn[SIDE_A] + flow->acked[SIDE_A]),
	};
	uint32_t sum;

	msg.ip.check = htons(~fold(sum16(&msg.ip, sizeof(msg.ip), 0)));
	sum = sum16(&msg, sizeof(msg), 0);
	msg.icmp.checksum = htons(~fold(sum));
	raw_send(bed, AF_INET, IPPROTO_ICMP, &msg, sizeof(msg));
}

/* Port unreachable. The kernel makes the checksum. */
static void icmp6_send(struct conn *conn, struct bed *bed, struct wire *wire)
{
	const struct flow *flow = wire_flow(wire, conn->port);
	union addr from = addr_of(SIDE_B, AF_INET6, false, 0);
	union addr to = addr_of(SIDE_A, AF_INET6, false, 0);
	struct {
		struct icmp6hdr icmp;
		struct ipv6hdr ip;
		uint16_t ports[2];
		uint32_t seq;
	} msg = {
		.icmp = {
			.icmp6_type = ICMPV6_DEST_UNREACH,
			.icmp6_code = ICMPV6_PORT_UNREACH,
		},
		.ip = {
			.version = 6,
			.payload_len = htons(1400),
			.nexthdr = IPPROTO_TCP,
			.hop_limit = 64,
			.saddr = to.in6.sin6_addr,
			.daddr = from.in6.sin6_addr,
		},
		.ports = { htons(conn->port), htons(PEER_PORT) },
		.seq = htonl(flow->isn[SIDE_A] + flow->acked[SIDE_A]),
	};

	raw_send(bed, AF_INET6, IPPROTO_ICMPV6, &msg, sizeof(msg));
}

/*
 * Messages that TCP has not taken: about what is acknowledged by now, or while
 * the socket was in use.
 */
static long icmps_refused(void)
{
	return tcpext("OutOfWindowIcmps") + tcpext("LockDroppedIcmps");
}

/* Those that have come here; a busy CPU takes them in late. */
static long icmps_arrived(const struct conn *conn)
{
	bool ipv6 = conn->family == AF_INET6;
	const char *what = ipv6 ? "\nIcmp6InDestUnreachs" : "\nIcmp: ";
	char path[64], text[16384];
	const char *at;

	snprintf(path, sizeof(path), "/proc/thread-self/net/snmp%s",
		 ipv6 ? "6" : "");
	read_file(path, text, sizeof(text));
	at = strstr(text, what);
	if (at && !ipv6)
		at = strstr(at + 1, what);	/* below their names */
	MUST(at);
	return atol(at + strlen(what));
}

void peer_icmp(struct conn *conn, struct bed *bed, struct wire *wire,
	       uint8_t code, uint16_t mtu)
{
	long refused, arrived;

	*bed_altered = true;	/* it may be remembered: ICMP_FRAG_NEEDED */
	do {
		refused = icmps_refused();
		arrived = icmps_arrived(conn);
		if (conn->family == AF_INET6)
			icmp6_send(conn, bed, wire);
		else
			icmp_send(conn, bed, wire, code, mtu);
		MUST(EVENTUALLY(icmps_arrived(conn) > arrived));
	} while (icmps_refused() > refused);
}

void peer_drain(struct conn *conn)
{
	int unread;

	while (!ioctl(conn->peer, SIOCINQ, &unread) && unread > 0)
		MUST(peer_read(conn, unread) > 0);
}

ssize_t peer_read(struct conn *conn, size_t len)
{
	size_t room = conn->stream + 1;	/* one byte too many would show */
	ssize_t got;

	if (room > conn->raw_room) {
		conn->raw_buf = realloc(conn->raw_buf, room);
		conn->raw_room = room;
	}
	MUST(conn->raw_buf && conn->raw < room);
	if (len > room - conn->raw)
		len = room - conn->raw;
	got = recv(conn->peer, conn->raw_buf + conn->raw, len, 0);
	if (got > 0)
		conn->raw += got;
	return got;
}

static bool is_content(const uint8_t *plain, size_t len, size_t *taken)
{
	bool same = !memcmp(plain, content_chunk(*taken, len), len);

	*taken += len;
	return same;
}

bool conn_take(struct conn *conn, size_t len)
{
	static uint8_t plain[REC_MAX_PLAIN];

	return recv(conn->fd, plain, len, MSG_WAITALL) == (ssize_t)len &&
	       is_content(plain, len, &conn->taken[SIDE_A]);
}

bool peer_take(struct conn *conn, size_t len)
{
	static uint8_t rec[REC_MAX], plain[REC_MAX];
	size_t raw = len + dir_overhead(&conn->tx);
	uint8_t type;

	return recv(conn->peer, rec, raw, MSG_WAITALL) == (ssize_t)raw &&
	       rec_open(&conn->tx, rec, raw, plain, &type) == (int)len &&
	       type == REC_DATA &&
	       is_content(plain, len, &conn->taken[SIDE_B]);
}

static bool is_key_update(uint8_t type, const uint8_t *plain, int len)
{
	return type == REC_HANDSHAKE && len == KEY_UPDATE_LEN &&
	       !memcmp(plain, key_update, KEY_UPDATE_LEN);
}

static void judge_record(struct result *res, uint8_t type, const uint8_t *plain,
			 int len)
{
	int i;

	if (res->alert)
		res->intact = false;	/* nothing may follow close_notify */
	if (type == REC_ALERT && len == 2 && !memcmp(plain, close_notify, 2)) {
		res->alert = true;
		return;
	}
	if (type != REC_DATA)
		res->intact = false;
	for (i = 0; i < len; i++)
		if (plain[i] != content(res->plain + i))
			res->intact = false;
	res->plain += len;
}

static void judge(struct tls_dir *dir, const uint8_t *raw, size_t have,
		  struct result *res)
{
	static uint8_t plain[REC_MAX];
	size_t at = 0, len;
	uint8_t type;
	int got;

	res->raw = have;
	res->intact = true;
	while (at < have) {
		const uint8_t *rec = raw + at;

		len = have - at < 5 ? 5 : 5 + (rec[3] << 8 | rec[4]);
		if (at + len > have) {
			res->cut = true;
			return;
		}
		got = rec_open(dir, rec, len, plain, &type);
		if (got < 0) {
			res->intact = false;
			return;
		}
		if (is_key_update(type, plain, got))
			dir_update(dir);
		else
			judge_record(res, type, plain, got);
		at += len;
	}
}

void peer_finish(struct conn *conn, struct result *res)
{
	ssize_t got;

	memset(res, 0, sizeof(*res));
	while ((got = peer_read(conn, conn->stream + 1)) > 0)
		;
	res->final = got < 0 ? errno : 0;
	judge(&conn->tx, conn->raw_buf, conn->raw, res);
}

/* One read by kTLS: some of a record, of which the type comes along. */
static ssize_t record_read(int fd, uint8_t *buf, size_t len, uint8_t *type)
{
	char control[CMSG_SPACE(1)];
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t got = recvmsg(fd, &msg, 0);

	cmsg = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	*type = cmsg ? *CMSG_DATA(cmsg) : REC_DATA;
	return got;
}

/* Nothing can be read before the next key is there. */
static void take_key(struct conn *conn)
{
	struct tls_dir dir = conn->rx;
	char byte;

	MUST(recv(conn->fd, &byte, 1, 0) < 0 && errno == EKEYEXPIRED);
	dir.seq = 0;
	MUST(!dir_install(&dir, conn->fd, TLS_RX));
}

void conn_finish(struct conn *conn, size_t piece, struct result *res)
{
	struct tls_dir dir = conn->rx;
	size_t room = conn->replied + piece, have = 0;
	uint8_t *buf = malloc(room);
	ssize_t got;
	uint8_t type;

	MUST(buf);
	memset(res, 0, sizeof(*res));
	res->intact = true;
	while ((got = record_read(conn->fd, buf + have, piece, &type)) > 0) {
		if (is_key_update(type, buf + have, got))
			take_key(conn);
		else if (conn->ktls_rx)
			judge_record(res, type, buf + have, got);
		have += got;
		MUST(have + piece <= room);
	}
	res->final = got < 0 ? errno : 0;
	dir.seq = 0;
	if (conn->ktls_rx)
		res->raw = have;
	else
		judge(&dir, buf, have, res);
	free(buf);
}

int peer_error(const struct conn *conn)
{
	struct pollfd pfd = { .fd = conn->peer };
	socklen_t len = sizeof(int);
	int err = 0;

	poll(&pfd, 1, WAIT_MS);		/* POLLERR is always waited for */
	MUST(!getsockopt(conn->peer, SOL_SOCKET, SO_ERROR, &err, &len));
	return err;
}
