// SPDX-License-Identifier: GPL-2.0
/*
 * final = 1: a hold ends with FIN where a RST is owed, for peers whose TCP
 * throws away unread data on a RST. What is not held is not changed by it.
 */
#include "kselftest_harness.h"

#include "lib/scene.h"

SCENE_FIXTURE(final)

FIXTURE_VARIANT(final) {
	int mode;
	int family;
};

FIXTURE_VARIANT_ADD(final, ipv4_mode0) { 0, AF_INET };
FIXTURE_VARIANT_ADD(final, ipv4_mode1) { 1, AF_INET };
FIXTURE_VARIANT_ADD(final, ipv4_mode2) { 2, AF_INET };
FIXTURE_VARIANT_ADD(final, ipv6_mode0) { 0, AF_INET6 };
FIXTURE_VARIANT_ADD(final, ipv6_mode1) { 1, AF_INET6 };
FIXTURE_VARIANT_ADD(final, ipv6_mode2) { 2, AF_INET6 };

static void upload(struct scene *s, int family)
{
	struct conn_opts opts = { .family = family };

	if (drst_present())
		drst_set("final", 1);
	conn_open(&s->conn, &s->bed, &opts);
	conn_upload(&s->conn, BULK);
}

static void expect_fin_instead(TEST_ARG, struct scene *s, bool held)
{
	expect_outcome(_metadata, s, held ? WHOLE_FIN : CUT);
	expect_hold(_metadata, held ? "FinSent" : NULL);
}

TEST_F(final, close_wait_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	close_unread(_metadata, c);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

/* No time for FIN_WAIT2: a RST follows the FIN in any case. */
TEST_F(final, linger2_negative)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	sockopt(c->fd, IPPROTO_TCP, TCP_LINGER2, -1);
	conn_close(c);
	peer_reply(c);
	if (variant->mode) {
		expect_reply_taken(_metadata, &self->s);
		expect_whole_fin_rst(_metadata, &self->s);
	} else {
		expect_cut(_metadata, &self->s);
	}
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/* It is read as the hold ends. */
TEST_F(final, set_while_held)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	if (!variant->mode)
		SKIP(return, "nothing is held");
	upload(&self->s, variant->family);
	drst_set("final", 0);
	close_unread(_metadata, c);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	drst_set("final", 1);
	expect_fin_instead(_metadata, &self->s, true);
}

TEST_F(final, unset_while_held)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	if (!variant->mode)
		SKIP(return, "nothing is held");
	upload(&self->s, variant->family);
	close_unread(_metadata, c);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	drst_set("final", 0);
	expect_outcome(_metadata, &self->s, WHOLE_RST);
	expect_hold(_metadata, "RstSent");
}

TEST_F(final, close_wait_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	conn_linger(c, 0);
	conn_close(c);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

TEST_F(final, fin_wait1_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	conn_close(c);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

TEST_F(final, reply_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	conn_close(c);
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

TEST_F(final, established_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	conn_close(c);
	expect_fin_instead(_metadata, &self->s, variant->mode == 2);
}

TEST_F(final, established_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	conn_linger(c, 0);
	conn_close(c);
	expect_fin_instead(_metadata, &self->s, variant->mode == 2);
}

TEST_F(final, fin_wait1_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	conn_linger(c, 0);
	conn_close(c);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

/* Before close() nothing is held, so the RST is vanilla's. */
TEST_F(final, rdwr_reply_before_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	conn_close(c);
	expect_hold(_metadata, NULL);
	expect_aborts(_metadata, 0, 1);
}

TEST_F(final, rdwr_reply_after_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	conn_close(c);
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_fin_instead(_metadata, &self->s, variant->mode);
}

TEST_F(final, nothing_owed)
{
	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	conn_close(&self->s.conn);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_F(final, both_sides_closed)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	upload(&self->s, variant->family);
	to_close_wait(_metadata, c);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	conn_close(c);
	expect_outcome(_metadata, &self->s, variant->mode ? WHOLE_FIN : CUT);
	expect_hold(_metadata, variant->mode ? "Moot" : NULL);
}

/* A bound still means RST. */
TEST_F(final, bound_resets)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	if (variant->mode)
		drst_set("max_held", 0);
	upload(&self->s, variant->family);
	close_unread(_metadata, c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "OverLimit" : NULL);
}

TEST_HARNESS_MAIN
