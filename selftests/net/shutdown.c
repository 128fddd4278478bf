// SPDX-License-Identifier: GPL-2.0
/*
 * shutdown() in all its forms before close(): with SHUT_RDWR the cause is the
 * peer's record, and it may arrive while the descriptor is still open.
 */
#include "kselftest_harness.h"

#include <poll.h>

#include "lib/diag.h"
#include "lib/scene.h"

SCENE_FIXTURE(shutdown)

FIXTURE_VARIANT(shutdown) {
	int mode;
	int family;
};

FIXTURE_VARIANT_ADD(shutdown, ipv4_mode0) { 0, AF_INET };
FIXTURE_VARIANT_ADD(shutdown, ipv4_mode1) { 1, AF_INET };
FIXTURE_VARIANT_ADD(shutdown, ipv4_mode2) { 2, AF_INET };
FIXTURE_VARIANT_ADD(shutdown, ipv6_mode0) { 0, AF_INET6 };
FIXTURE_VARIANT_ADD(shutdown, ipv6_mode1) { 1, AF_INET6 };
FIXTURE_VARIANT_ADD(shutdown, ipv6_mode2) { 2, AF_INET6 };

static void upload(struct scene *s, int family)
{
	struct conn_opts opts = { .family = family };

	conn_open(&s->conn, &s->bed, &opts);
	conn_upload(&s->conn, BULK);
}

static void expect_held(TEST_ARG, struct scene *s, int mode)
{
	expect_outcome(_metadata, s, mode ? WHOLE_FIN_RST : CUT);
	expect_hold(_metadata, mode ? "RstSent" : NULL);
}

TEST_F(shutdown, rdwr_record_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_held(_metadata, &self->s, variant->mode);
}

TEST_F(shutdown, rdwr_record_before_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	if (variant->mode) {
		expect_reply_taken(_metadata, &self->s);
	} else {
		ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
				       flow->rst[SIDE_A]));
	}
	conn_close(c);
	expect_held(_metadata, &self->s, variant->mode);
}

/* The RST does not wait for the close() of a descriptor that stays open. */
TEST_F(shutdown, rdwr_flushed_before_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_held(_metadata, &self->s, variant->mode);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/*
 * The peer writes more than any window takes, and reads only then. The process
 * that keeps its descriptor open must not make the two wait for each other.
 * (On the debug kernel that is half a minute.)
 */
TEST_F(shutdown, rdwr_greedy_peer_before_close)
{
	struct conn *c = &self->s.conn;

	if (!variant->mode)
		SKIP(return, "vanilla resets at the first byte: see above");
	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(8 << 20, peer_flood(c, 8 << 20));
	expect_whole_fin_rst(_metadata, &self->s);
	conn_close(c);
	expect_hold(_metadata, "RstSent");
}

TEST_F(shutdown, rd_then_wr)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RD));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	conn_close(c);
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_held(_metadata, &self->s, variant->mode);
}

/* SHUT_RD alone leaves the state ESTABLISHED; what arrives is unread data. */
TEST_F(shutdown, rd_unread_at_close)
{
	struct conn *c = &self->s.conn;
	bool held = variant->mode == 2;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RD));
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	conn_close(c);
	expect_outcome(_metadata, &self->s, held ? WHOLE_RST : CUT);
	expect_hold(_metadata, held ? "RstSent" : NULL);
}

TEST_F(shutdown, rdwr_silent_peer)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_F(shutdown, rdwr_not_notified)
{
	struct conn *c = &self->s.conn;
	struct conn_opts opts = { .family = variant->family };

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_send(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	conn_close(c);
	expect_hold(_metadata, NULL);
}

/* The calls on a socket that has shut down both ways answer as ever. */
TEST_F(shutdown, rdwr_calls_answer_as_vanilla)
{
	struct conn *c = &self->s.conn;
	struct pollfd pfd = { .events = POLLIN | POLLOUT | POLLRDHUP };
	char byte;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	pfd.fd = c->fd;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP, pfd.revents);
	EXPECT_EQ(0, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	EXPECT_EQ(TCP_FIN_WAIT1, conn_state(c));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
}

/* What had arrived before can be read still. */
TEST_F(shutdown, rdwr_reads_what_was_there)
{
	struct conn *c = &self->s.conn;
	char buf[64];

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	peer_send(c, "hello", 5);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	EXPECT_EQ(5, recv(c->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	EXPECT_EQ(0, recv(c->fd, buf, sizeof(buf), 0));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_F(shutdown, rdwr_unread_from_before)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	expect_held(_metadata, &self->s, variant->mode);
}

TEST_F(shutdown, rdwr_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_linger0(c);
	conn_close(c);
	expect_held(_metadata, &self->s, variant->mode);
}

TEST_F(shutdown, rdwr_receiver)
{
	struct conn_opts opts = { .family = variant->family, .rx = true };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_record(c, REC_ALERT, close_notify, sizeof(close_notify));
	if (variant->mode)
		expect_reply_taken(_metadata, &self->s);
	expect_held(_metadata, &self->s, variant->mode);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/* Keys to receive with, when nothing is to be received any more */
TEST_F(shutdown, rdwr_then_receiver)
{
	struct conn_opts opts = { .family = variant->family };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(0, dir_install(&c->rx, c->fd, TLS_RX));
	peer_record(c, REC_ALERT, close_notify, sizeof(close_notify));
	if (variant->mode)
		expect_reply_taken(_metadata, &self->s);
	expect_held(_metadata, &self->s, variant->mode);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

TEST_F(shutdown, rdwr_peer_closes_too)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSING));
	expect_whole_fin(_metadata, &self->s);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_F(shutdown, rdwr_peer_resets)
{
	struct conn *c = &self->s.conn;
	char byte;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reset(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(-1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "PeerReset" : NULL);
}

/* `ss -K` is never held back, nor is it while the descriptor is open. */
TEST_F(shutdown, rdwr_destroyed)
{
	struct conn *c = &self->s.conn;
	char byte;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(0, conn_destroy(c));
	expect_cut(_metadata, &self->s);
	EXPECT_EQ(TCP_CLOSE, conn_state(c));
	EXPECT_EQ(-1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(ECONNABORTED, errno);
	conn_close(c);
	expect_hold(_metadata, variant->mode ? "Aborted" : NULL);
	expect_aborts(_metadata, 0, 0);
}

TEST_F(shutdown, rdwr_owed_and_timed_out)
{
	struct conn *c = &self->s.conn;
	char byte;

	if (!variant->mode)
		SKIP(return, "nothing is held in vanilla");
	REQUIRE_MODE(variant->mode);
	drst_set("timeout_ms", 300);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(-1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	conn_close(c);
	expect_hold(_metadata, "TimedOut");
	expect_aborts(_metadata, 0, 1);
}

TEST_HARNESS_MAIN
