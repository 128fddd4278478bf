// SPDX-License-Identifier: GPL-2.0
/*
 * shutdown() in all its forms before close(). With SHUT_RDWR the cause is the peer's
 * record. While the descriptor is open, it is answered as in vanilla, in every mode:
 * the process would see a hold. After close() the connection is held.
 */
#include "kselftest_harness.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

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

/* TCP has answered the peer's record with a RST, and the process knows of it. */
static void expect_reset_while_open(TEST_ARG, struct scene *s)
{
	struct pollfd pfd = { .fd = s->conn.fd,
			      .events = POLLIN | POLLOUT | POLLRDHUP };
	struct conn *c = &s->conn;
	char byte;

	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_A]));
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR,
		  pfd.revents);
	EXPECT_EQ(-1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, recv(c->fd, &byte, 1, 0));
	expect_aborts(_metadata, 0, 1);
	expect_hold(_metadata, NULL);
}

TEST_F(shutdown, rdwr_record_before_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	expect_reset_while_open(_metadata, &self->s);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

/* The peer has everything and the FIN by then, so nothing is lost. */
TEST_F(shutdown, rdwr_record_before_close_all_acked)
{
	struct conn *c = &self->s.conn;
	const struct flow *flow;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	expect_whole(_metadata, &self->s, 0);
	ASSERT_TRUE(conn_await_state(c, TCP_FIN_WAIT2));
	peer_reply(c);
	expect_reset_while_open(_metadata, &self->s);
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(c->stream + 1, flow->acked_at_rst);
	EXPECT_EQ(EPIPE, peer_error(c));
	conn_close(c);
	expect_hold(_metadata, NULL);
}

/* A reader that is blocked when the process shuts the socket down returns at once. */
TEST_F(shutdown, rdwr_wakes_reader)
{
	struct conn *c = &self->s.conn;
	char path[64], text[512], byte;
	pid_t pid;
	int status;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	pid = fork();
	if (!pid)
		_exit(recv(c->fd, &byte, 1, 0) != 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	ASSERT_TRUE(EVENTUALLY((read_file(path, text, sizeof(text)),
				strstr(text, ") S "))));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	conn_close(c);
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_held(_metadata, &self->s, variant->mode);
}

/* As expect_cut(), for a peer whose write() has met the RST already */
static void expect_cut_writer(TEST_ARG, struct scene *s)
{
	struct conn *c = &s->conn;
	struct result res;

	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_A]));
	peer_finish(c, &res);
	EXPECT_TRUE(res.intact);
	EXPECT_LT(res.plain, c->sent);
	EXPECT_FALSE(res.alert);
	EXPECT_EQ(0, wire_flow(&s->wire, c->port)->fin[SIDE_A]);
}

/* The peer writes more than any window takes, and reads only then. */
TEST_F(shutdown, rdwr_greedy_peer_before_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	EXPECT_GT(8 << 20, peer_flood(c, 8 << 20));
	expect_reset_while_open(_metadata, &self->s);
	conn_close(c);
	expect_cut_writer(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

/*
 * The two must not wait for each other, though nobody reads.
 * (On the debug kernel that is half a minute.)
 */
TEST_F(shutdown, rdwr_greedy_peer_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	if (!variant->mode) {
		EXPECT_GT(8 << 20, peer_flood(c, 8 << 20));
		return expect_cut_writer(_metadata, &self->s);
	}
	/* The peer acknowledges nothing more while it writes, however long that takes. */
	drst_set("timeout_ms", 600000);
	ASSERT_EQ(8 << 20, peer_flood(c, 8 << 20));
	expect_held(_metadata, &self->s, variant->mode);
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
	conn_linger(c, 0);
	conn_close(c);
	expect_held(_metadata, &self->s, variant->mode);
}

/* @late: the alert comes after close() */
static void expect_receiver_ends(TEST_ARG, struct scene *s, int mode, bool late)
{
	struct conn *c = &s->conn;

	if (late)
		conn_close(c);
	peer_record(c, REC_ALERT, close_notify, sizeof(close_notify));
	if (late && mode)
		expect_reply_taken(_metadata, s);
	if (!late) {
		expect_reset_while_open(_metadata, s);
		conn_close(c);
	}
	expect_held(_metadata, s, late ? mode : 0);
}

static void open_receiver(TEST_ARG, struct scene *s, int family)
{
	struct conn_opts opts = { .family = family, .rx = true };
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &opts);
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
}

TEST_F(shutdown, rdwr_receiver_before_close)
{
	REQUIRE_MODE(variant->mode);
	open_receiver(_metadata, &self->s, variant->family);
	expect_receiver_ends(_metadata, &self->s, variant->mode, false);
}

TEST_F(shutdown, rdwr_receiver_after_close)
{
	REQUIRE_MODE(variant->mode);
	open_receiver(_metadata, &self->s, variant->family);
	expect_receiver_ends(_metadata, &self->s, variant->mode, true);
}

/* Keys to receive with, when nothing is to be received any more */
static void open_then_receiver(TEST_ARG, struct scene *s, int family)
{
	struct conn *c = &s->conn;

	upload(s, family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(0, dir_install(&c->rx, c->fd, TLS_RX));
}

TEST_F(shutdown, rdwr_then_receiver_before_close)
{
	REQUIRE_MODE(variant->mode);
	open_then_receiver(_metadata, &self->s, variant->family);
	expect_receiver_ends(_metadata, &self->s, variant->mode, false);
}

TEST_F(shutdown, rdwr_then_receiver_after_close)
{
	REQUIRE_MODE(variant->mode);
	open_then_receiver(_metadata, &self->s, variant->family);
	expect_receiver_ends(_metadata, &self->s, variant->mode, true);
}

/* A close() in CLOSING holds what is left from there. */
TEST_F(shutdown, rdwr_peer_closes_too)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSING));
	expect_hold(_metadata, NULL);
	conn_close(c);
	if (variant->mode)
		EXPECT_TRUE(drst_adds_up(1));
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* All is over when close() comes. */
TEST_F(shutdown, rdwr_peer_closes_too_all_acked)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSING));
	expect_whole_fin(_metadata, &self->s);
	conn_close(c);
	expect_hold(_metadata, NULL);
}

TEST_F(shutdown, rdwr_peer_resets_before_close)
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
	expect_hold(_metadata, NULL);
}

TEST_F(shutdown, rdwr_peer_resets_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	peer_reset(c);
	expect_hold(_metadata, variant->mode ? "PeerReset" : NULL);
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
}

/* `ss -K` is never held back. */
TEST_F(shutdown, rdwr_destroyed_before_close)
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
	expect_hold(_metadata, NULL);
	expect_aborts(_metadata, 0, 0);
}

TEST_F(shutdown, rdwr_destroyed_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	ASSERT_EQ(0, conn_destroy(c));
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Aborted" : NULL);
	expect_aborts(_metadata, 0, 0);
}

/* Long beside what a slow machine takes for the look behind close() */
#define LIMIT_MS 3000

/* The one hold begins at close(): time spent before that does not count. */
static void expect_limit_from_close(TEST_ARG, struct scene *s, int mode,
				    const char *limit)
{
	struct conn *c = &s->conn;
	long began;

	if (mode)
		drst_set(limit, LIMIT_MS);
	upload(s, AF_INET);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	pause_ms(LIMIT_MS / 2);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(c);
	peer_reply_by_mode(_metadata, s, mode);
	expect_cut(_metadata, s);
	if (mode)
		expect_not_before(_metadata, began, LIMIT_MS);
	expect_hold(_metadata, mode ? "TimedOut" : NULL);
	expect_aborts(_metadata, 0, 1);
}

TEST_F(shutdown, rdwr_timeout_from_close)
{
	REQUIRE_MODE(variant->mode);
	expect_limit_from_close(_metadata, &self->s, variant->mode,
				"timeout_ms");
}

TEST_F(shutdown, rdwr_max_hold_from_close)
{
	REQUIRE_MODE(variant->mode);
	expect_limit_from_close(_metadata, &self->s, variant->mode,
				"max_hold_ms");
}

TEST_HARNESS_MAIN
