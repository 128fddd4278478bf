// SPDX-License-Identifier: GPL-2.0
/*
 * Held connections on bad paths and with bad peers: slow, lossy, greedy, rude
 * and dead ones; and on paths that are encrypted.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/wait.h>

#include "lib/guard.h"
#include "lib/scene.h"

#define MIB (1 << 20)

SCENE_FIXTURE(adverse)

FIXTURE_VARIANT(adverse) {
	int mode;
	bool close_wait;	/* cause A, or else a plain close(), cause C */
	int family;
};

FIXTURE_VARIANT_ADD(adverse, unread_mode0) { 0, true, AF_INET };
FIXTURE_VARIANT_ADD(adverse, unread_mode1) { 1, true, AF_INET };
FIXTURE_VARIANT_ADD(adverse, unread_mode2) { 2, true, AF_INET6 };
FIXTURE_VARIANT_ADD(adverse, late_mode0) { 0, false, AF_INET6 };
FIXTURE_VARIANT_ADD(adverse, late_mode1) { 1, false, AF_INET6 };
FIXTURE_VARIANT_ADD(adverse, late_mode2) { 2, false, AF_INET };

/* Ends with a RST that is owed, on a path and with a peer of the test's choice. */
static void close_owing(TEST_ARG, struct scene *s, size_t len, bool close_wait)
{
	struct conn *c = &s->conn;

	conn_upload(c, len);
	if (close_wait) {
		to_close_wait(_metadata, c);
	}
	conn_close(c);
	if (!close_wait)
		peer_reply(c);
}

static void expect_by_mode(TEST_ARG, struct scene *s, int mode, bool close_wait)
{
	enum outcome whole = close_wait ? WHOLE_RST : WHOLE_FIN_RST;

	expect_outcome(_metadata, s, mode ? whole : CUT);
	expect_hold(_metadata, mode ? "RstSent" : NULL);
}

/* The peer takes a little at a time: MiBs wait in the sender's queue. */
TEST_F(adverse, slow_reader)
{
	struct conn_opts opts = { .family = variant->family };
	struct conn *c = &self->s.conn;
	int reads = 20;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	close_owing(_metadata, &self->s, 4 * MIB, variant->close_wait);
	while (variant->mode && reads--) {
		ASSERT_LT(0, peer_read(c, 4096));
		pause_ms(10);
	}
	expect_by_mode(_metadata, &self->s, variant->mode, variant->close_wait);
}

TEST_F(adverse, long_path)
{
	struct conn_opts opts = { .family = variant->family, .rcvbuf = 65536 };

	REQUIRE_MODE(variant->mode);
	conn_open(&self->s.conn, &self->s.bed, &opts);
	link_impair(&self->s.bed, SIDE_A, 15, 0);
	link_impair(&self->s.bed, SIDE_B, 15, 0);
	close_owing(_metadata, &self->s, BULK, variant->close_wait);
	expect_by_mode(_metadata, &self->s, variant->mode, variant->close_wait);
}

/*
 * With loss the RST itself may be lost, or the peer's acknowledgement of it all:
 * what counts is that everything arrives and that the hold ends. In vanilla, what
 * is lost of the tail is not sent again.
 */
TEST_F(adverse, lossy_path)
{
	struct conn_opts opts = { .family = variant->family, .rcvbuf = 65536 };
	struct conn *c = &self->s.conn;
	struct result res;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	peer_keepalive(c);	/* if the RST is lost, this asks for it */
	link_impair(&self->s.bed, SIDE_A, 2, 5);
	link_impair(&self->s.bed, SIDE_B, 2, 5);
	close_owing(_metadata, &self->s, BULK, variant->close_wait);
	if (!variant->mode)
		return expect_cut(_metadata, &self->s);
	while (c->raw < c->stream)
		ASSERT_LT(0, peer_read(c, c->stream));
	link_impair(&self->s.bed, SIDE_A, 0, 0);
	link_impair(&self->s.bed, SIDE_B, 0, 0);
	peer_finish(c, &res);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(c->sent, res.plain);
	EXPECT_TRUE(res.alert);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(1, drst_stat("Held"));
}

/* The window is shut when the hold begins, and stays so for a while. */
TEST_F(adverse, zero_window)
{
	struct conn_opts opts = { .family = variant->family };
	const struct flow *flow;
	int packets;

	REQUIRE_MODE(variant->mode);
	conn_open(&self->s.conn, &self->s.bed, &opts);
	close_owing(_metadata, &self->s, BULK, variant->close_wait);
	if (variant->mode) {
		if (!variant->close_wait)
			expect_reply_taken(_metadata, &self->s);
		flow = wire_flow(&self->s.wire, self->s.conn.port);
		packets = flow->packets[SIDE_A];
		EXPECT_TRUE(WIRE_AWAIT(&self->s.wire, self->s.conn.port,
				       flow->packets[SIDE_A] > packets));
		/* That was a probe of the window. */
		EXPECT_EQ(0, flow->rst[SIDE_A]);
		EXPECT_TRUE(drst_adds_up(1));
	}
	expect_by_mode(_metadata, &self->s, variant->mode, variant->close_wait);
}

/* The hosts encrypt what TCP sends. To the capture that is no segment. */
SCENE_FIXTURE(ipsec)

FIXTURE_VARIANT(ipsec) {
	int mode;
	int family;
};

FIXTURE_VARIANT_ADD(ipsec, mode0) { 0, AF_INET };
FIXTURE_VARIANT_ADD(ipsec, mode1) { 1, AF_INET };
FIXTURE_VARIANT_ADD(ipsec, ipv6_mode0) { 0, AF_INET6 };
FIXTURE_VARIANT_ADD(ipsec, ipv6_mode2) { 2, AF_INET6 };

static void close_encrypted(TEST_ARG, struct scene *s, int family)
{
	const struct conn_opts opts = { .family = family };

	conn_open(&s->conn, &s->bed, &opts);
	close_owing(_metadata, s, BULK, true);
}

#define CLOSE_ENCRYPTED() do {						\
	REQUIRE_MODE(variant->mode);					\
	if (!ipsec_start(&self->s.bed, SIDE_A, variant->family) ||	\
	    !ipsec_start(&self->s.bed, SIDE_B, variant->family))	\
		SKIP(return, "no ip xfrm, or no ESP");			\
	close_encrypted(_metadata, &self->s, variant->family);		\
} while (0)

TEST_F(ipsec, unread)
{
	struct conn *c = &self->s.conn;
	const struct flow *flow;
	struct result res;

	CLOSE_ENCRYPTED();
	peer_finish(c, &res);
	EXPECT_EQ(ECONNRESET, res.final);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(!!variant->mode, res.alert);
	EXPECT_EQ(!!variant->mode, res.plain == c->sent);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
	expect_aborts(_metadata, 1, 0);
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(0, flow->packets[SIDE_A]);
	EXPECT_EQ(0, flow->packets[SIDE_B]);
}

/* The peer gets no more, nor the RST: a limit ends the hold, and nothing of it is left. */
static void expect_ended_by_limit(TEST_ARG, struct scene *s, const char *forgotten)
{
	struct conn *c = &s->conn;
	struct pollfd p = { .fd = c->peer };

	ipsec_forget(&s->bed, SIDE_A, forgotten);
	peer_drain(c);
	drst_set("timeout_ms", 300);
	expect_hold(_metadata, "TimedOut");
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
	pause_ms(50);
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_LT(c->raw, c->stream);
}

/* Without its policy the sender goes on in the clear, which the peer does not take. */
TEST_F(ipsec, policy_deleted)
{
	if (!variant->mode)
		SKIP(return, "nothing is held in vanilla");
	CLOSE_ENCRYPTED();
	expect_ended_by_limit(_metadata, &self->s, "policy");
	EXPECT_EQ(1, wire_flow(&self->s.wire, self->s.conn.port)->rst[SIDE_A]);
}

/* Without its keys it sends nothing. */
TEST_F(ipsec, keys_deleted)
{
	if (!variant->mode)
		SKIP(return, "nothing is held in vanilla");
	CLOSE_ENCRYPTED();
	expect_ended_by_limit(_metadata, &self->s, "state");
	EXPECT_EQ(0, wire_flow(&self->s.wire, self->s.conn.port)->packets[SIDE_A]);
}

/*
 * The peer writes far more than the sender's window before it reads anything.
 * If the held connection did not take it in, both would wait for ever.
 */
SCENE_FIXTURE(greedy)

FIXTURE_VARIANT(greedy) {
	int mode;
	bool unread;	/* cause A in ESTABLISHED, or else C */
	int family;
	bool rx;
};

FIXTURE_VARIANT_ADD(greedy, late_mode0) { 0, false, AF_INET, false };
FIXTURE_VARIANT_ADD(greedy, unread_mode0) { 0, true, AF_INET6, false };
FIXTURE_VARIANT_ADD(greedy, late_mode1) { 1, false, AF_INET, false };
FIXTURE_VARIANT_ADD(greedy, late_mode2) { 2, false, AF_INET6, false };
FIXTURE_VARIANT_ADD(greedy, late_mode1_txrx) { 1, false, AF_INET6, true };
FIXTURE_VARIANT_ADD(greedy, unread_mode2) { 2, true, AF_INET, false };
FIXTURE_VARIANT_ADD(greedy, unread_mode2_txrx) { 2, true, AF_INET, true };

static void greedy_open(TEST_ARG, struct scene *s,
			const FIXTURE_VARIANT(greedy) *variant)
{
	struct conn_opts opts = { .family = variant->family, .rx = variant->rx };

	conn_open(&s->conn, &s->bed, &opts);
	conn_upload(&s->conn, BULK);
	if (variant->unread) {
		peer_reply(&s->conn);
		ASSERT_TRUE(conn_await_unread(&s->conn));
	}
}

TEST_F(greedy, writes_while_held)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	conn_close(c);
	if (variant->mode) {
		/* The peer acknowledges nothing more while it writes, however long that takes. */
		drst_set("timeout_ms", 600000);
		ASSERT_EQ(8 * MIB, peer_flood(c, 8 * MIB));
		expect_reply_taken(_metadata, s);
	} else if (!variant->unread) {
		peer_reply(c);		/* enough for a RST */
	}
	expect_by_mode(_metadata, s, variant->mode, variant->unread);
}

#define STAMPED 40	/* enough sends for their timestamps to fill a small buffer */

/*
 * Timestamps that nobody can read any more take the room of what the peer writes. Before
 * close() they fill all of it; the peer's acknowledgements bring more.
 */
TEST_F(greedy, timestamps_fill_the_window)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;
	struct conn_opts opts = { .family = variant->family, .rx = variant->rx };
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);
	int i;

	if (!variant->mode)
		SKIP(return, "vanilla takes nothing in after close()");
	if (variant->unread)
		SKIP(return, "it has no room for unread data");
	REQUIRE_MODE(variant->mode);
	conn_open(c, &s->bed, &opts);
	sockopt(c->fd, SOL_SOCKET, SO_RCVBUF, 8192);
	/* Without the data they are small, so that little room is left. */
	sockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SCHED |
		SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK |
		SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY);
	for (i = 0; i < STAMPED; i++)
		conn_send(c, 1000);
	conn_upload(c, BULK);
	MUST(!getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	ASSERT_LT(mem[SK_MEMINFO_RCVBUF] / 4 * 3, mem[SK_MEMINFO_RMEM_ALLOC]);
	conn_close(c);
	ASSERT_EQ(MIB, peer_flood(c, MIB));
	expect_reply_taken(_metadata, s);
	expect_by_mode(_metadata, s, variant->mode, variant->unread);
}

/* The sender's window is shut already when the hold begins. */
TEST_F(greedy, window_full_at_close)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;
	static const uint8_t junk[16384];
	ssize_t got;

	if (!variant->unread)
		SKIP(return, "unread data is the point");
	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	do {
		got = send(c->peer, junk, sizeof(junk),
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		c->replied += got > 0 ? got : 0;
		/* Wait for room until the sender's side takes no more. */
	} while (got > 0 ||
		 poll(&(struct pollfd){ c->peer, POLLOUT, 0 }, 1, 100) > 0);
	conn_close(c);
	if (!variant->mode)
		return expect_by_mode(_metadata, s, 0, true);
	ASSERT_EQ(2 * MIB, peer_flood(c, 2 * MIB));
	expect_reply_taken(_metadata, s);
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

/* An urgent byte is no obstacle to what comes behind it. */
TEST_F(greedy, urgent_data_while_held)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	if (!variant->mode && variant->unread)
		SKIP(return, "vanilla resets at close(): see above");
	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	conn_close(c);
	ASSERT_EQ(1, send(c->peer, "!", 1, MSG_OOB | MSG_NOSIGNAL));
	c->replied++;
	if (!variant->mode)
		return expect_by_mode(_metadata, s, 0, false);
	ASSERT_EQ(MIB, peer_flood(c, MIB));
	expect_reply_taken(_metadata, s);
	expect_by_mode(_metadata, s, variant->mode, variant->unread);
}

/* A peer that closes as it should while we are watching. */
TEST_F(greedy, closes_while_held)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	conn_close(c);
	if (!variant->mode && variant->unread)
		return expect_by_mode(_metadata, s, 0, true);
	peer_shutdown_wr(c);
	if (variant->unread) {
		/* CLOSE_WAIT now: the RST is owed still. */
		expect_whole_rst(_metadata, s);
		expect_hold(_metadata, "RstSent");
	} else {
		expect_whole_fin(_metadata, s);
		expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
	}
}

/* Data first, then the peer's FIN: by then there is nothing left to reset. */
TEST_F(greedy, writes_and_closes_while_held)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	if (!variant->mode)
		SKIP(return, "vanilla resets at the first byte: see above");
	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	conn_close(c);
	ASSERT_EQ(MIB, peer_flood(c, MIB));
	peer_shutdown_wr(c);
	if (variant->unread)
		expect_whole_rst(_metadata, s);
	else
		expect_whole_fin(_metadata, s);
	expect_hold(_metadata, variant->unread ? "RstSent" : "Moot");
}

/* The peer resets as soon as it has read half. */
TEST_F(greedy, resets_while_held)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(variant->mode);
	greedy_open(_metadata, s, variant);
	conn_close(c);
	if (!variant->mode && variant->unread)
		return expect_by_mode(_metadata, s, 0, true);
	EXPECT_TRUE(!variant->mode || drst_adds_up(1));
	while (c->raw < BULK / 2)
		ASSERT_LT(0, peer_read(c, 8192));
	peer_reset(c);
	expect_hold(_metadata, variant->mode ? "PeerReset" : NULL);
	EXPECT_EQ(0, wire_flow(&s->wire, c->port)->rst[SIDE_A]);
}

/*
 * Both ends at work at the same time, as in life: the peer reads as fast as it
 * can, answers close_notify and goes; the sender closes when it has written.
 */
SCENE_FIXTURE(traffic)

FIXTURE_VARIANT(traffic) {
	int mode;
	int family;
	bool rx;
};

FIXTURE_VARIANT_ADD(traffic, ipv4_mode0) { 0, AF_INET, false };
FIXTURE_VARIANT_ADD(traffic, ipv4_mode1) { 1, AF_INET, false };
FIXTURE_VARIANT_ADD(traffic, ipv6_mode2) { 2, AF_INET6, false };
FIXTURE_VARIANT_ADD(traffic, ipv4_mode2_txrx) { 2, AF_INET, true };

#define ROUNDS 16

/* Runs in a process of its own; says by its status whether all has come. */
static int read_and_answer(struct conn *c, size_t len)
{
	struct result res;

	c->sent = len;
	c->stream = stream_length(c, len);
	while (c->raw < c->stream / 2)
		if (peer_read(c, 16384) <= 0)
			return 2;
	peer_reply(c);
	while (c->raw < c->stream)
		if (peer_read(c, 16384) <= 0)
			return 3;
	send(c->peer, "bye", 3, MSG_NOSIGNAL);	/* too late, perhaps */
	peer_finish(c, &res);
	if (res.final && res.final != ECONNRESET && res.final != EPIPE)
		return 4;
	return res.intact && res.alert && res.plain == len ? 0 : 5;
}

TEST_F(traffic, rounds)
{
	struct conn_opts opts = { .family = variant->family, .rx = variant->rx };
	struct conn *c = &self->s.conn;
	int i, status, lost = 0;
	size_t len;
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < ROUNDS; i++) {
		len = i * 9999;
		conn_open(c, &self->s.bed, &opts);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(c->fd);
			_exit(read_and_answer(c, len));
		}
		conn_send(c, len);
		conn_notify(c);
		/* In mode 1 a reply unread in ESTABLISHED would reset. */
		if (variant->mode == 1) {
			ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
		}
		conn_close(c);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(!status || !variant->mode) {
			TH_LOG("round %d: status %x", i, status);
		}
		lost += status != 0;
		conn_free(c);
	}
	if (variant->mode) {
		EXPECT_TRUE(drst_settled());
		EXPECT_EQ(ROUNDS, drst_stat("CloseNotify"));
	} else {
		EXPECT_LT(0, lost);
		expect_hold(_metadata, NULL);
	}
}

/* A limit strikes while ACKs come: the hold gives the connection back to TCP, which goes on. */
TEST_F(traffic, limit_amid_acks)
{
	struct conn_opts opts = {
		.family = variant->family, .rx = variant->rx,
	};
	struct conn *c = &self->s.conn;
	struct result res;
	int i, status;
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < ROUNDS; i++) {
		if (variant->mode)
			drst_set("max_hold_ms", 1 + i % 8);
		conn_open(c, &self->s.bed, &opts);
		conn_upload(c, BULK);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(c->fd);
			for (i = 0; i < 30; i++) {
				peer_read(c, 4096);
				pause_ms(1);
			}
			peer_finish(c, &res);
			_exit(res.final || !res.intact || !res.alert ||
			      res.plain != c->sent);
		}
		conn_close(c);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		conn_free(c);
	}
	if (!variant->mode)
		return expect_hold(_metadata, NULL);
	EXPECT_TRUE(drst_settled());
	EXPECT_LT(0, drst_stat("TimedOut"));
}

/* Peers that are gone: only a bound ends these. Vanilla has reset long before. */
SCENE_FIXTURE(dead)

FIXTURE_VARIANT(dead) {
	int mode;
	bool owing;
};

FIXTURE_VARIANT_ADD(dead, owing_mode0) { 0, true };
FIXTURE_VARIANT_ADD(dead, owing_mode1) { 1, true };
FIXTURE_VARIANT_ADD(dead, owing_mode2) { 2, true };
FIXTURE_VARIANT_ADD(dead, watched_mode1) { 1, false };
FIXTURE_VARIANT_ADD(dead, watched_mode2) { 2, false };

static const struct conn_opts defaults;

static void hold(TEST_ARG, struct scene *s, bool owing)
{
	conn_open(&s->conn, &s->bed, &defaults);
	conn_upload(&s->conn, BULK);
	if (owing) {
		to_close_wait(_metadata, &s->conn);
	}
}

/*
 * A hold that owes nothing goes back to TCP when its time is up, which goes on
 * as vanilla would have: a path that comes back loses nothing.
 */
static void expect_handed_back(TEST_ARG, struct scene *s)
{
	expect_hold(_metadata, "TimedOut");
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
	link_set_up(&s->bed, SIDE_B, true);
	link_impair(&s->bed, SIDE_B, 0, 0);
	expect_whole_fin(_metadata, s);
}

TEST_F(dead, link_down)
{
	if (!variant->mode)
		SKIP(return, "nobody sees the RST of vanilla: path_comes_back");
	REQUIRE_MODE(variant->mode);
	hold(_metadata, &self->s, variant->owing);
	link_set_up(&self->s.bed, SIDE_B, false);
	conn_close(&self->s.conn);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	drst_set("timeout_ms", 300);
	if (variant->owing)
		expect_hold(_metadata, "TimedOut");
	else
		expect_handed_back(_metadata, &self->s);
}

/* Nothing of what the peer sends comes through: the RST still reaches it. */
TEST_F(dead, acknowledgements_lost)
{
	REQUIRE_MODE(variant->mode);
	if (variant->mode)
		drst_set("timeout_ms", 300);
	hold(_metadata, &self->s, variant->owing);
	link_impair(&self->s.bed, SIDE_B, 0, 100);
	conn_close(&self->s.conn);
	if (!variant->owing)
		return expect_handed_back(_metadata, &self->s);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "TimedOut" : NULL);
}

/* TCP itself gives up, long before our own bound. */
TEST_F(dead, tcp_user_timeout)
{
	unsigned int ms = 300;

	REQUIRE_MODE(variant->mode);
	hold(_metadata, &self->s, variant->owing);
	ASSERT_EQ(0, setsockopt(self->s.conn.fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
				&ms, sizeof(ms)));
	conn_close(&self->s.conn);
	link_impair(&self->s.bed, SIDE_B, 0, 100);
	if (!variant->mode)
		expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "TimedOut" : NULL);
}

/*
 * A path that comes back in time loses nothing; of vanilla's connection nothing
 * is left by then, as the peer is told when it asks.
 */
TEST_F(dead, path_comes_back)
{
	struct result res;

	REQUIRE_MODE(variant->mode);
	hold(_metadata, &self->s, variant->owing);
	link_set_up(&self->s.bed, SIDE_B, false);
	conn_close(&self->s.conn);
	if (!variant->mode) {
		link_set_up(&self->s.bed, SIDE_B, true);
		peer_finish(&self->s.conn, &res);
		EXPECT_EQ(ECONNRESET, res.final);
		EXPECT_LT(res.plain, BULK);
		return expect_hold(_metadata, NULL);
	}
	pause_ms(300);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	link_set_up(&self->s.bed, SIDE_B, true);
	expect_outcome(_metadata, &self->s, variant->owing ? WHOLE_RST : WHOLE_FIN);
	expect_hold(_metadata, variant->owing ? "RstSent" : "Flushed");
}

/* Many at once, and their peers in no order. */
#define MANY 12

TEST_F(dead, not_but_many)
{
	struct scene *s = &self->s;
	struct conn conns[MANY];
	struct result res;
	int i;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < MANY; i++) {
		hold(_metadata, s, variant->owing);
		conn_close(&s->conn);
		conns[i] = s->conn;
	}
	EXPECT_TRUE(drst_adds_up(variant->mode ? MANY : 0));
	for (i = MANY - 1; i >= 0; i--) {
		peer_finish(&conns[i], &res);
		EXPECT_EQ(variant->owing ? ECONNRESET : 0, res.final);
		EXPECT_TRUE(res.intact);
		EXPECT_EQ(variant->mode != 0, res.alert);
		EXPECT_EQ(variant->mode != 0, res.plain == BULK);
		conn_free(&conns[i]);
	}
	memset(&s->conn, 0, sizeof(s->conn));
	if (!variant->mode)
		return expect_hold(_metadata, NULL);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(MANY, drst_stat(variant->owing ? "RstSent" : "Flushed"));
}

TEST_HARNESS_MAIN
