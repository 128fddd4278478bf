// SPDX-License-Identifier: GPL-2.0
/*
 * Records that the kernel's TLS has accepted and not yet handed to TCP at
 * close(). Vanilla frees them: the peer sees a bare end of file, too early.
 */
#include "kselftest_harness.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/ip_icmp.h>
#include <poll.h>

#include "inbound.h"
#include "lib/diag.h"
#include "lib/given.h"
#include "lib/pcrypt.h"

SCENE_FIXTURE(records)

FIXTURE_VARIANT(records) {
	int mode;
	struct conn_opts opts;
};

FIXTURE_VARIANT_ADD(records, tls13_mode0) { 0, { .version = TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(records, tls13_mode1) { 1, { .version = TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(records, tls13_mode2) { 2, { .version = TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(records, tls12_mode2) { 2, { .version = TLS_1_2_VERSION } };
FIXTURE_VARIANT_ADD(records, tls13_ipv6_txrx_mode0)
	{ 0, { .family = AF_INET6, .rx = true } };
FIXTURE_VARIANT_ADD(records, tls13_ipv6_txrx_mode2)
	{ 2, { .family = AF_INET6, .rx = true } };

static void sender_open(struct scene *s, const struct conn_opts *like, int sndbuf)
{
	struct conn_opts opts = *like;

	opts.sndbuf = sndbuf;
	conn_open(&s->conn, &s->bed, &opts);
}

static int held_by_tls(const struct conn *c)
{
	return (long)c->stream - tcp_given(c->fd);
}

/* Writes until the socket takes no more, and no acknowledgement makes room either. */
static void fill(TEST_ARG, struct conn *c)
{
	int queued;

	do {
		while (conn_send_flags(c, REC_MAX_PLAIN, MSG_DONTWAIT) > 0)
			;
		ASSERT_EQ(EAGAIN, errno);
		queued = conn_queued(c);
		ASSERT_TRUE(conn_await_stalled(c));
	} while (conn_queued(c) != queued);
}

/* TLS holds @len bytes or more, the rest of a record: nobody can see how long a whole one is. */
static bool part_is_left(const struct conn *c, int len)
{
	int held = held_by_tls(c);

	return len <= held && held <= REC_MAX_PLAIN;
}

/*
 * A sender that does not block: when its buffer is full, the last record may
 * have been accepted and encrypted, and yet not all of it be with TCP. Whether
 * it is depends on where the buffer ends; some more of it shifts that, until
 * TLS holds @len bytes at least.
 */
static void fill_into_record(TEST_ARG, struct scene *s, int len)
{
	int tries = 0;

	fill(_metadata, &s->conn);
	while (!part_is_left(&s->conn, len) && tries++ < 1000) {
		ASSERT_LT(0, peer_read(&s->conn, 2048 + tries % 7 * 512));
		fill(_metadata, &s->conn);
	}
	ASSERT_TRUE(part_is_left(&s->conn, len));
}

/* Room in the sender's buffer for one byte more than TCP has: for a segment. */
static void room_for_a_segment(struct conn *c)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);
	int half;

	MUST(!getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	half = mem[SK_MEMINFO_WMEM_QUEUED] / 2 + 1;	/* it gets doubled */
	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)));
}

/*
 * The alert is accepted as soon as there is any room, but TLS hands over the
 * record before it first. With segments of one packet that takes more of the
 * room than there is, so most of the record stays, and the alert behind it.
 */
static void open_and_notify_behind_record(TEST_ARG, struct scene *s,
					  const struct conn_opts *like)
{
	struct conn *c = &s->conn;

	link_single_packets(&s->bed, true);
	sender_open(s, like, 32768);
	fill_into_record(_metadata, s, 12000);
	keep_workers_out();
	room_for_a_segment(c);
	ASSERT_TRUE(conn_try_notify(c, MSG_DONTWAIT));
	let_workers_in();
	ASSERT_LT(4000, held_by_tls(&s->conn));
}

/* The alert is the second record of these, and of the first only the rest is seen. */
static long alert_length(const struct conn *c)
{
	return sizeof(close_notify) + dir_overhead(&c->tx);
}

/* A worker can hand a record over between the two looks. */
static long unacknowledged(const struct conn *c)
{
	int held, queued;

	do {
		held = held_by_tls(c);
		queued = conn_queued(c);
	} while (held_by_tls(c) != held);
	return queued + held;
}

/* The end of file comes too early, and nothing tells. */
static void expect_short(TEST_ARG, struct scene *s)
{
	struct result res;

	peer_finish(&s->conn, &res);
	EXPECT_EQ(0, res.final);
	EXPECT_TRUE(res.intact);
	EXPECT_LT(res.raw, s->conn.stream);
	EXPECT_FALSE(res.alert);
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
}

static void expect_whole_if_held(TEST_ARG, struct scene *s, bool held)
{
	if (held)
		expect_whole_fin(_metadata, s);
	else
		expect_short(_metadata, s);
	expect_hold(_metadata, held ? "Flushed" : NULL);
}

/* Mode 2 watches whatever TLS still holds, notified or not. */
static void expect_in_mode_2(TEST_ARG, struct scene *s, int mode)
{
	expect_whole_if_held(_metadata, s, mode == 2);
}

/* Does a file of a process begin like that? Not if it has ended. */
static bool proc_says(const char *pid, const char *name, const char *beginning)
{
	char path[300], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return !strncmp(text, beginning, strlen(beginning));
}

/* Does a worker wait for room in a send queue? */
static bool worker_sleeps(void)
{
	struct dirent *entry;
	bool found = false;
	DIR *proc = opendir("/proc");

	MUST(proc);
	while (!found && (entry = readdir(proc)))
		found = isdigit(*entry->d_name) &&
			proc_says(entry->d_name, "comm", "kworker/") &&
			(proc_says(entry->d_name, "wchan", "wait_woken") ||
			 proc_says(entry->d_name, "wchan", "sk_stream_wait_memory"));
	closedir(proc);
	return found;
}

static bool peer_reads_some(struct conn *c)
{
	int unread;

	MUST(!ioctl(c->peer, SIOCINQ, &unread));
	return unread && peer_read(c, 512) > 0;
}

/*
 * A sender that blocks gives up (SO_SNDTIMEO), and a worker of kTLS waits in its
 * place as the connection is closed. It has to be woken by each ACK.
 */
static void fill_patiently(struct conn *c)
{
	struct timeval patience = { .tv_usec = 50000 };

	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)));
	while (conn_send_flags(c, REC_MAX_PLAIN, 0) == REC_MAX_PLAIN)
		;
	patience.tv_usec = 0;
	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)));
}

TEST_F(records, worker_sleeps)
{
	struct conn *c = &self->s.conn;
	int tries;

	REQUIRE_MODE(variant->mode);
	if (variant->mode != 2)
		SKIP(return, "vanilla's close() waits for the worker");
	sender_open(&self->s, &variant->opts, 32768);
	for (tries = 0; !worker_sleeps() && tries < 300; tries++) {
		if (held_by_tls(c) < 1000)
			fill_patiently(c);
		peer_reads_some(c);
		conn_await_stalled(c);
	}
	ASSERT_TRUE(worker_sleeps());
	/* An ACK that is under way may end the hold at once. */
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, "Flushed");
}

TEST_F(records, full_buffer)
{
	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	conn_close(&self->s.conn);
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/* A record left open by MSG_MORE. */
TEST_F(records, open_record)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	conn_send(c, BULK);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_close(c);
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/* Such a hold lasts until TCP has the record, acknowledged or not. */
TEST_F(records, open_record_unacknowledged)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	conn_send(c, BULK);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_close(c);
	if (variant->mode == 2) {
		EXPECT_TRUE(drst_stat_await("Flushed", 1));
		EXPECT_EQ(TCP_FIN_WAIT1, conn_diag_state(c));
	}
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/* TCP_LINGER2 below 0 resets when the FIN is acknowledged, not as TCP gets the record. */
TEST_F(records, open_record_linger2_negative)
{
	struct conn *c = &self->s.conn;
	struct result res;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	sockopt(c->fd, IPPROTO_TCP, TCP_LINGER2, -1);
	conn_send(c, BULK);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_close(c);
	if (variant->mode == 2) {
		expect_whole_fin_rst(_metadata, &self->s);
		expect_hold(_metadata, "Flushed");
	} else {
		peer_finish(c, &res);
		EXPECT_LT(res.raw, c->stream);
		expect_hold(_metadata, NULL);
	}
	expect_aborts(_metadata, 0, 1);
}

TEST_F(records, open_record_idle)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_close(c);
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/*
 * SO_LINGER with time: close() comes back when all that TCP has is acknowledged, the FIN
 * included; also if it began with a record that TLS held.
 */
TEST_F(records, open_record_linger_with_time)
{
	struct conn *c = &self->s.conn;
	bool whole = variant->mode == 2;
	long lost;
	pid_t reader;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	conn_send(c, BULK);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	lost = whole ? 0 : held_by_tls(c);
	conn_linger(c, 1000);
	reader = close_beside_reader(_metadata, c, false);
	EXPECT_EQ(c->stream - lost + 1,
		  wire_flow(&self->s.wire, c->port)->acked[SIDE_A]);
	EXPECT_EQ(0, child_status(reader, 10));
	expect_hold(_metadata, whole ? "Flushed" : NULL);
}

/* A RST that is owed without close_notify is nobody's to hold back. */
TEST_F(records, full_buffer_unread_not_notified)
{
	struct conn *c = &self->s.conn;
	long left;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	left = unacknowledged(c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	expect_cuts(_metadata, 0, 1, left);
}

/* The same if the reason comes while the connection is held: vanilla resets, too. */
TEST_F(records, full_buffer_late_data)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	conn_close(c);
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode == 2 ? "RstSent" : NULL);
	expect_aborts(_metadata, 0, 1);
}

/* The process wanted to wake for much only: that does not delay the RST. */
TEST_F(records, full_buffer_late_byte_low_mark)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	sockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, 30000);
	fill_into_record(_metadata, &self->s, 1);
	conn_close(c);
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode == 2 ? "RstSent" : NULL);
}

/* Orders that come while TLS still has records to hand over */
TEST_F(records, full_buffer_peer_resets)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	conn_close(c);
	peer_reset(c);
	expect_hold(_metadata, variant->mode == 2 ? "PeerReset" : NULL);
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
}

TEST_F(records, full_buffer_ss_kill)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	conn_close(c);
	ASSERT_EQ(0, conn_destroy(c));
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode == 2 ? "Aborted" : NULL);
}

static void take_icmp(const struct conn *c)
{
	if (c->family == AF_INET)
		sockopt(c->fd, IPPROTO_IP, IP_RECVERR, 1);
	else
		sockopt(c->fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

/* An ICMP message has made an error of the socket's (IP_RECVERR), and the process does not look. */
static void icmp_before(TEST_ARG, struct scene *s)
{
	struct conn *c = &s->conn;
	struct pollfd p = { .fd = c->fd };

	take_icmp(c);
	peer_icmp(c, &s->bed, &s->wire, ICMP_PORT_UNREACH, 0);
	ASSERT_EQ(1, poll(&p, 1, 10000));
	EXPECT_EQ(POLLERR, p.revents);
}

/* In vanilla TCP takes nothing more from TLS then, which gives up. */
TEST_F(records, full_buffer_icmp_before)
{
	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 32768);
	fill_into_record(_metadata, &self->s, 1);
	icmp_before(_metadata, &self->s);
	conn_close(&self->s.conn);
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/* Nothing is with TCP. How long an open record is, is not to be seen. */
TEST_F(records, open_record_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, &variant->opts, 0);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_linger(c, 0);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	expect_cuts(_metadata, 0, 1, 0);
}

TEST_F(records, pending_alert)
{
	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	conn_close(&self->s.conn);
	expect_whole_if_held(_metadata, &self->s, variant->mode);
}

TEST_F(records, pending_alert_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	close_unread(_metadata, c);
	expect_outcome(_metadata, &self->s, variant->mode ? WHOLE_RST : CUT);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

TEST_F(records, pending_alert_linger)
{
	struct conn *c = &self->s.conn;
	bool held = variant->mode == 2;
	long left;

	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	conn_linger(c, 0);
	left = unacknowledged(c) - alert_length(c);
	conn_close(c);
	expect_cuts(_metadata, !held, 0, held ? 0 : left);
	expect_outcome(_metadata, &self->s, held ? WHOLE_RST : CUT);
	expect_hold(_metadata, held ? "RstSent" : NULL);
}

/*
 * The peer's data comes while TLS still has records to hand over, and so before
 * the FIN that has to wait for these.
 */
TEST_F(records, pending_alert_late_data)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	if (!variant->mode)
		SKIP(return, "vanilla has freed the records by then");
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	conn_close(c);
	peer_reply(c);
	expect_reply_taken(_metadata, &self->s);
	expect_whole_fin_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

/*
 * An ICMP message that IP_RECVERR makes an error of the socket's: TCP takes no
 * more from TLS then, which gives up. Nobody is left to be told, after close().
 */
TEST_F(records, pending_alert_icmp)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	take_icmp(c);
	conn_close(c);
	peer_icmp(c, &self->s.bed, &self->s.wire, ICMP_PORT_UNREACH, 0);
	expect_whole_if_held(_metadata, &self->s, variant->mode);
}

TEST_F(records, pending_alert_icmp_before)
{
	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	icmp_before(_metadata, &self->s);
	conn_close(&self->s.conn);
	expect_whole_if_held(_metadata, &self->s, variant->mode);
}

/* What the peer sends is no record, and that is an error of the socket's, too. */
TEST_F(records, pending_alert_bad_record)
{
	struct conn *c = &self->s.conn;
	struct pollfd p = { .fd = c->fd };

	REQUIRE_MODE(variant->mode);
	open_and_notify_behind_record(_metadata, &self->s, &variant->opts);
	if (!c->ktls_rx)
		MUST(!dir_install(&c->rx, c->fd, TLS_RX));
	peer_send(c, "no record of any TLS", 20);
	p.fd = c->fd;
	ASSERT_EQ(1, poll(&p, 1, 10000));
	ASSERT_NE(0, p.revents & POLLERR);
	conn_close(c);
	expect_outcome(_metadata, &self->s, variant->mode == 2 ? WHOLE_RST : CUT);
	expect_hold(_metadata, variant->mode == 2 ? "RstSent" : NULL);
}

/*
 * Records that are encrypted by others while their sender goes on, which it does
 * with MSG_MORE only: without, send() waits for all there are. So close() meets them
 * only where such come last, behind close_notify if there is one.
 */
FIXTURE(encrypted) {
	struct scene s;
	bool later;	/* is this kernel's cipher one that takes its time? */
};

FIXTURE_VARIANT(encrypted) {
	int mode;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(encrypted, tls12_mode0) { 0, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(encrypted, tls12_mode1) { 1, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(encrypted, tls12_mode2) { 2, TLS_1_2_VERSION };
FIXTURE_VARIANT_ADD(encrypted, tls13_mode0) { 0, TLS_1_3_VERSION };
FIXTURE_VARIANT_ADD(encrypted, tls13_mode1) { 1, TLS_1_3_VERSION };
FIXTURE_VARIANT_ADD(encrypted, tls13_mode2) { 2, TLS_1_3_VERSION };

FIXTURE_SETUP(encrypted)
{
	self->later = pcrypt_start();
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(encrypted)
{
	EXPECT_TRUE(scene_close(&self->s));
	if (self->later)
		pcrypt_stop();
}

#define REQUIRE_LATER() do {						\
	if (!self->later)						\
		SKIP(return, "no pcrypt, or a lockdep that complains of it"); \
} while (0)

/* By the first record TLS learns that the cipher takes its time. */
static void encrypted_open(TEST_ARG, struct scene *s, uint16_t version,
			   int sndbuf)
{
	const struct conn_opts like = { .version = version };
	int users = pcrypt_users();

	sender_open(s, &like, sndbuf);
	ASSERT_LT(users, pcrypt_users());
	conn_send(&s->conn, 1);
}

/* Records that nobody has begun to encrypt, as there is no CPU for it. */
#define ENCRYPTED (8 * REC_MAX_PLAIN)

static void send_encrypted(TEST_ARG, struct scene *s, int flags)
{
	int before = held_by_tls(&s->conn);

	pcrypt_stay();
	keep_workers_out();
	ASSERT_EQ(ENCRYPTED, conn_send_flags(&s->conn, ENCRYPTED,
					     MSG_MORE | flags));
	ASSERT_LE(before + ENCRYPTED, held_by_tls(&s->conn));
}

/* Vanilla's close() waits for them, too. */
TEST_F(encrypted, close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	REQUIRE_LATER();
	encrypted_open(_metadata, &self->s, variant->version, 0);
	send_encrypted(_metadata, &self->s, 0);
	conn_close(c);
	let_workers_in();
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode == 2 ? "Flushed" : NULL);
}

/* And then frees those that TCP has no room for. */
TEST_F(encrypted, close_with_full_buffer)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	REQUIRE_LATER();
	encrypted_open(_metadata, &self->s, variant->version, 32768);
	send_encrypted(_metadata, &self->s, MSG_DONTWAIT);
	conn_close(c);
	let_workers_in();
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

TEST_F(encrypted, close_with_open_record)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	REQUIRE_LATER();
	encrypted_open(_metadata, &self->s, variant->version, 0);
	send_encrypted(_metadata, &self->s, 0);
	ASSERT_EQ(1000, conn_send_flags(c, 1000, MSG_MORE));
	conn_close(c);
	let_workers_in();
	expect_in_mode_2(_metadata, &self->s, variant->mode);
}

/* To the last byte, though there is no sense in what comes behind close_notify. */
static void expect_all_rst(TEST_ARG, struct scene *s)
{
	struct result res;

	peer_finish(&s->conn, &res);
	EXPECT_EQ(s->conn.stream, res.raw);
	EXPECT_EQ(s->conn.sent, res.plain);
	EXPECT_TRUE(res.alert);
	EXPECT_FALSE(res.cut);
	EXPECT_EQ(ECONNRESET, res.final);
	EXPECT_EQ(s->conn.stream,
		  wire_flow(&s->wire, s->conn.port)->acked_at_rst);
}

TEST_F(encrypted, unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	REQUIRE_LATER();
	encrypted_open(_metadata, &self->s, variant->version, 0);
	conn_upload(c, BULK);
	to_close_wait(_metadata, c);
	send_encrypted(_metadata, &self->s, 0);
	conn_close(c);
	let_workers_in();
	if (variant->mode)
		expect_all_rst(_metadata, &self->s);
	else
		expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/* While other CPUs are at them: each close() meets another moment. */
TEST_F(encrypted, unread_at_any_time)
{
	struct conn_opts opts = { .version = variant->version };
	struct conn *c = &self->s.conn;
	int i;

	REQUIRE_MODE(variant->mode);
	REQUIRE_LATER();
	for (i = 1; i <= 16; i++) {
		/* The kernel might choose one again, which the capture knows already. */
		opts.port = 20000 + i;
		conn_open(c, &self->s.bed, &opts);
		to_close_wait(_metadata, c);
		conn_upload(c, BULK);
		if (i % 2) {
			ASSERT_EQ(ENCRYPTED, conn_send_flags(c, ENCRYPTED, MSG_MORE));
		}
		conn_close(c);
		if (!variant->mode) {
			expect_cut(_metadata, &self->s);
		} else {
			if (i % 2)
				expect_all_rst(_metadata, &self->s);
			else
				expect_whole_rst(_metadata, &self->s);
			EXPECT_TRUE(drst_stat_await("RstSent", i));
		}
		conn_free(c);
	}
}

/*
 * Bounds while TLS still holds records: they mean a RST even if none is owed, for
 * TCP alone would end the stream too early and say nothing.
 */
enum left {
	FULL,		/* a full buffer, no close_notify */
	OPEN,		/* an open record that finds no room, no close_notify */
	ALERT,		/* close_notify, too */
	ALERT_UNREAD	/* ... and a RST is owed */
};

SCENE_FIXTURE(bounded)

FIXTURE_VARIANT(bounded) {
	int mode;
	enum left left;
};

FIXTURE_VARIANT_ADD(bounded, full_buffer) { 2, FULL };
FIXTURE_VARIANT_ADD(bounded, open_record) { 2, OPEN };
FIXTURE_VARIANT_ADD(bounded, pending_alert) { 1, ALERT };
FIXTURE_VARIANT_ADD(bounded, pending_alert_unread) { 1, ALERT_UNREAD };

static void leave(TEST_ARG, struct scene *s, enum left left)
{
	const struct conn_opts tls13 = { .version = TLS_1_3_VERSION };
	struct conn *c = &s->conn;

	link_single_packets(&s->bed, true);
	switch (left) {
	case FULL:
		sender_open(s, &tls13, 32768);
		fill_into_record(_metadata, s, 8000);
		break;
	case OPEN:
		sender_open(s, &tls13, 0);
		conn_send(c, BULK);
		conn_leave_open(c);
		break;
	case ALERT:
	case ALERT_UNREAD:
		open_and_notify_behind_record(_metadata, s, &tls13);
		break;
	}
	/* An acknowledgement that is under way still makes no room. */
	conn_leave_no_room(c);
	if (left == ALERT_UNREAD)
		to_close_wait(_metadata, c);
}

#define BOUND_MS 300

static void expect_bound_of_time(TEST_ARG, struct scene *s, const char *knob,
				 enum left left)
{
	long began;

	drst_set(knob, BOUND_MS);
	leave(_metadata, s, left);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_not_before(_metadata, began, BOUND_MS);
	expect_hold(_metadata, "TimedOut");
	if (left == ALERT_UNREAD)
		expect_aborts(_metadata, 1, 0);
}

TEST_F(bounded, timeout)
{
	REQUIRE_MODE(variant->mode);
	expect_bound_of_time(_metadata, &self->s, "timeout_ms", variant->left);
}

TEST_F(bounded, max_hold)
{
	REQUIRE_MODE(variant->mode);
	expect_bound_of_time(_metadata, &self->s, "max_hold_ms", variant->left);
}

/* What is not held from the beginning ends as in vanilla. */
TEST_F(bounded, max_held)
{
	REQUIRE_MODE(variant->mode);
	drst_set("max_held", 0);
	leave(_metadata, &self->s, variant->left);
	conn_close(&self->s.conn);
	if (variant->left == ALERT_UNREAD)
		expect_cut(_metadata, &self->s);
	else
		expect_short(_metadata, &self->s);
	expect_hold(_metadata, "OverLimit");
}

/*
 * A known limit: what TLS holds at shutdown() cannot follow the FIN. That is
 * vanilla's loss, and neither larger nor smaller in any mode.
 */
SCENE_FIXTURE(shut)

FIXTURE_VARIANT(shut) {
	int mode;
	int how;
};

FIXTURE_VARIANT_ADD(shut, wr_mode0) { 0, SHUT_WR };
FIXTURE_VARIANT_ADD(shut, wr_mode1) { 1, SHUT_WR };
FIXTURE_VARIANT_ADD(shut, wr_mode2) { 2, SHUT_WR };
FIXTURE_VARIANT_ADD(shut, rdwr_mode0) { 0, SHUT_RDWR };
FIXTURE_VARIANT_ADD(shut, rdwr_mode1) { 1, SHUT_RDWR };
FIXTURE_VARIANT_ADD(shut, rdwr_mode2) { 2, SHUT_RDWR };

/* The peer gets what TCP had at shutdown(), and that is not all. */
static void shut_and_close(TEST_ARG, struct scene *s, int how)
{
	struct conn *c = &s->conn;
	int lost;

	lost = held_by_tls(c);
	EXPECT_LT(0, lost);
	ASSERT_EQ(0, shutdown(c->fd, how));
	conn_close(c);
	expect_short(_metadata, s);
	EXPECT_EQ(c->stream - lost, c->raw);
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
}

TEST_F(shut, full_buffer)
{
	REQUIRE_MODE(variant->mode);
	leave(_metadata, &self->s, FULL);
	shut_and_close(_metadata, &self->s, variant->how);
	expect_hold(_metadata, NULL);
}

/* What TLS holds is lost already, so the RST of close() does not cut it. */
TEST_F(shut, full_buffer_unread)
{
	struct conn *c = &self->s.conn;
	long left;

	REQUIRE_MODE(variant->mode);
	leave(_metadata, &self->s, FULL);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, variant->how));
	EXPECT_LT(0, held_by_tls(c));
	left = conn_queued(c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	expect_cuts(_metadata, 0, 1, left);
}

TEST_F(shut, pending_alert)
{
	REQUIRE_MODE(variant->mode);
	leave(_metadata, &self->s, ALERT);
	shut_and_close(_metadata, &self->s, variant->how);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* ... nor is there a SIGPIPE for it where vanilla finds another error first. */
TEST_F(shut, pending_alert_bad_record)
{
	struct conn *c = &self->s.conn;
	struct pollfd p = { };

	REQUIRE_MODE(variant->mode);
	sigpipe_block();
	conn_nosignal = 0;
	leave(_metadata, &self->s, ALERT);
	MUST(!dir_install(&c->rx, c->fd, TLS_RX));
	peer_send(c, "no record of any TLS", 20);
	p.fd = c->fd;
	ASSERT_EQ(1, poll(&p, 1, 10000));
	ASSERT_NE(0, p.revents & POLLERR);
	ASSERT_EQ(0, shutdown(c->fd, variant->how));
	conn_close(c);
	EXPECT_FALSE(sigpipe_came());
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
}

/* ... and EPIPE, which it gives for them in LAST_ACK, is no RST of the peer's. */
TEST_F(shut, pending_alert_behind_fin)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	leave(_metadata, &self->s, ALERT);
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	shut_and_close(_metadata, &self->s, variant->how);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_HARNESS_MAIN
