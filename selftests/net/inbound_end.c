// SPDX-License-Identifier: GPL-2.0
/*
 * What ends a hold of the peer's RST: the process shuts down and reads, closes,
 * exits, disconnects; or a limit strikes.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "inbound.h"
#include "lib/diag.h"

#define TIMEOUT_MS 600
/* For a test that a machine under load must not fail by being late. */
#define PATIENT_MS 3000
#define PAUSE_MS 100

INBOUND_FIXTURE(held);
HELD_CELLS(held);

static void expect_closed(TEST_ARG, struct scene *s)
{
	EXPECT_TRUE(drst_stat_await("InClosed", 1));
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
	EXPECT_EQ(0, tcpext("TCPAbortOnClose"));
	EXPECT_EQ(0, drst_stat("Held"));
}

TEST_F(held, close)
{
	struct conn *c = &self->s.conn;

	HOLD();
	conn_close(c);
	expect_closed(_metadata, &self->s);
}

/* A close_notify that nobody will get is nothing to hold the connection for. */
TEST_F(held, close_notify_and_close)
{
	struct conn *c = &self->s.conn;

	HOLD();
	conn_try_notify(c, 0);
	conn_close(c);
	expect_closed(_metadata, &self->s);
}

/* close() is not the last one while there is another descriptor. */
TEST_F(held, close_of_a_dup)
{
	struct conn *c = &self->s.conn;
	int other;

	HOLD();
	other = dup(c->fd);
	conn_close(c);
	EXPECT_EQ(1, drst_stat("CurrInHeld"));
	c->fd = other;
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(held, linger_close)
{
	struct conn *c = &self->s.conn;

	HOLD();
	conn_linger(c, 0);
	conn_close(c);
	expect_closed(_metadata, &self->s);
}

TEST_F(held, kill_9)
{
	struct conn *c = &self->s.conn;
	pid_t pid;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	pid = child(c);
	if (!pid) {
		pause_ms(20000);
		_exit(1);
	}
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	conn_close(c);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect_closed(_metadata, &self->s);
}

/* Options change nothing, but for TCP_REPAIR: it ends the hold as close() does. */
TEST_F(held, tcp_repair)
{
	struct conn *c = &self->s.conn;

	HOLD();
	sockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	expect_held(_metadata, c, &variant->cell);
	sockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, 1);
	EXPECT_EQ(1, drst_stat("InClosed"));
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_now(c) & ~POLLRDHUP);
	EXPECT_EQ(reset_errno(&variant->cell), so_error(c));
	expect_reset_known(_metadata, c);
}

/* What has arrived can still be read, as in vanilla. */
static void expect_readable_after_shutdown(TEST_ARG, struct scene *s,
					   const struct cell *cell, int how)
{
	struct conn *c = &s->conn;

	EXPECT_EQ(0, shutdown(c->fd, how));
	expect_delivered(_metadata, c, cell);
	EXPECT_EQ(0, wire_flow(&s->wire, c->port)->rst[SIDE_A]);
}

TEST_F(held, shutdown_rd)
{
	HOLD();
	expect_readable_after_shutdown(_metadata, &self->s, &variant->cell,
				       SHUT_RD);
}

TEST_F(held, shutdown_rdwr)
{
	HOLD();
	expect_readable_after_shutdown(_metadata, &self->s, &variant->cell,
				       SHUT_RDWR);
}

/*
 * New data after shutdown(SHUT_RD): TCP resets by itself, which no mode holds. What
 * came before is unread.
 */
TEST_F(held, data_after_shutdown_rd)
{
	struct conn *c = &self->s.conn;

	if (variant->cell.state != TCP_FIN_WAIT2)
		SKIP(return, "TCP takes data there");
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RD));
	peer_upload(c, 1, RECORD_LEN);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(1, tcpext("TCPAbortOnData"));
	EXPECT_EQ(POLLERR | POLLHUP, poll_now(c) & (POLLERR | POLLHUP));
	EXPECT_EQ(ECONNRESET, so_error(c));
	if (drst_present())
		EXPECT_EQ(0, drst_stat("InHeld"));
}

/* To TCP the connection is gone. */
TEST_F(held, ss_kill_finds_nothing)
{
	struct conn *c = &self->s.conn;

	HOLD();
	ASSERT_EQ(-ENOENT, conn_destroy(c));
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
}

/* net/tls refuses it (CVE-2025-37756), held or not. */
TEST_F(held, disconnect)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct conn *c = &self->s.conn;

	HOLD();
	EXPECT_EQ(-1, connect(c->fd, &none, sizeof(none)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(held, rmmod_is_refused)
{
	HOLD();
	EXPECT_EQ(-1, syscall(SYS_delete_module, "tls_drst", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	expect_held(_metadata, &self->s.conn, &variant->cell);
	expect_delivered(_metadata, &self->s.conn, &variant->cell);
}

/* The mode is looked at when the RST comes, not later. */
TEST_F(held, mode_0_lets_it_be)
{
	HOLD();
	drst_set("mode", 0);
	expect_held(_metadata, &self->s.conn, &variant->cell);
	expect_delivered(_metadata, &self->s.conn, &variant->cell);
}

static void expect_timed_out(TEST_ARG, struct conn *c)
{
	EXPECT_TRUE(drst_stat_await("InTimedOut", 1));
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_now(c) & ~POLLRDHUP);
	expect_reset_known(_metadata, c);
}

TEST_F(held, timeout)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	drst_set("timeout_ms", TIMEOUT_MS);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	peer_reset(c);
	expect_timed_out(_metadata, c);
	EXPECT_EQ(reset_errno(&variant->cell), so_error(c));
}

TEST_F(held, timeout_lowered)
{
	HOLD();
	drst_set("timeout_ms", TIMEOUT_MS);
	expect_timed_out(_metadata, &self->s.conn);
}

/*
 * Reading keeps a hold alive for longer than timeout_ms, also within one record, which
 * kTLS takes from TCP at once ...
 */
TEST_F(held, no_timeout_while_reading)
{
	struct conn *c = &self->s.conn;
	int reads = 2 * PATIENT_MS / PAUSE_MS, i;
	char buf[8];

	REQUIRE_MODE(variant->cell.mode);
	drst_set("timeout_ms", PATIENT_MS);
	HOLD();
	for (i = 0; i < reads; i++) {
		ASSERT_LT(0, recv(c->fd, buf, sizeof(buf), 0));
		pause_ms(PAUSE_MS);
	}
	EXPECT_EQ(1, drst_stat("CurrInHeld"));
	EXPECT_EQ(0, drst_stat("InTimedOut"));
}

static void expect_limit_despite(TEST_ARG, struct scene *s,
				 const struct cell *cell, const char *knob,
				 int flags)
{
	struct conn *c = &s->conn;
	char byte;
	int i;

	drst_set(knob, TIMEOUT_MS);
	upload_in_cell(_metadata, s, c, cell);
	peer_reset(c);
	for (i = 0; i < 100 && !drst_stat("InTimedOut"); i++) {
		recv(c->fd, &byte, 1, flags);
		pause_ms(PAUSE_MS);
	}
	expect_timed_out(_metadata, c);
}

/* ... and looking at the same byte again does not ... */
TEST_F(held, timeout_while_peeking)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_limit_despite(_metadata, &self->s, &variant->cell, "timeout_ms",
			     MSG_PEEK);
}

/* ... but not for longer than max_hold_ms. */
TEST_F(held, max_hold_despite_reading)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_limit_despite(_metadata, &self->s, &variant->cell, "max_hold_ms",
			     0);
}

static void expect_over_limit(TEST_ARG, struct scene *s,
			      const struct cell *cell)
{
	struct conn *c = &s->conn;

	upload_in_cell(_metadata, s, c, cell);
	peer_reset(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(1, drst_stat("InOverLimit"));
	expect_upload(_metadata, c, cell, 8192);
}

TEST_F(held, max_held_zero)
{
	REQUIRE_MODE(variant->cell.mode);
	drst_set("max_held", 0);
	expect_over_limit(_metadata, &self->s, &variant->cell);
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
}

TEST_F(held, max_held_one)
{
	struct scene *s = &self->s;
	struct conn first;

	REQUIRE_MODE(variant->cell.mode);
	drst_set("max_held", 1);
	hold_in_cell(_metadata, s, &variant->cell);
	first = s->conn;
	expect_over_limit(_metadata, s, &variant->cell);
	conn_free(&s->conn);
	s->conn = first;
	expect_delivered(_metadata, &s->conn, &variant->cell);
	EXPECT_EQ(2, drst_stat("InHeld"));
}

/* Outbound and inbound holds share the limit. */
TEST_F(held, max_held_is_shared)
{
	struct scene *s = &self->s;
	const struct conn_opts defaults = { };
	struct conn out;

	REQUIRE_MODE(variant->cell.mode);
	drst_set("max_held", 1);
	conn_open(&out, &s->bed, &defaults);
	conn_upload(&out, BULK);
	close_unread(_metadata, &out);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	expect_over_limit(_metadata, s, &variant->cell);
	conn_free(&out);
}

/* An outbound hold ends with the peer's RST; there is nobody to read. */
TEST_F(held, outbound_hold_ends)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	open_cell(&self->s, c, &variant->cell);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	peer_reset(c);
	expect_hold(_metadata, "PeerReset");
	expect_never_held(_metadata);
}

TEST_HARNESS_MAIN
