// SPDX-License-Identifier: GPL-2.0
/*
 * New keys for a connection that has some (TLS 1.3, KeyUpdate): net/tls sets the
 * socket up anew, and what is promised has to hold all the same.
 */
#include "kselftest_harness.h"

#include "inbound.h"

SCENE_FIXTURE(rekey)

FIXTURE_VARIANT(rekey) {
	int mode;
	int family;
};

FIXTURE_VARIANT_ADD(rekey, ipv4_mode0) { 0, AF_INET };
FIXTURE_VARIANT_ADD(rekey, ipv4_mode1) { 1, AF_INET };
FIXTURE_VARIANT_ADD(rekey, ipv6_mode2) { 2, AF_INET6 };

#define REKEYED_OR_SKIP(c) do {						\
	if (!conn_takes_keys_again(c))					\
		SKIP(return, "this kernel takes keys once");		\
} while (0)

#define OPEN(...) do {							\
	struct conn_opts opts = { .family = variant->family, __VA_ARGS__ }; \
	REQUIRE_MODE(variant->mode);					\
	conn_open(&self->s.conn, &self->s.bed, &opts);			\
	REKEYED_OR_SKIP(&self->s.conn);					\
} while (0)

TEST_F(rekey, before_the_alert)
{
	struct conn *c = &self->s.conn;

	OPEN();
	conn_send(c, SMALL);
	conn_update_key(c);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_F(rekey, twice_and_to_receive)
{
	struct conn *c = &self->s.conn;

	OPEN(.rx = true);
	conn_send(c, SMALL);
	conn_update_key(c);
	EXPECT_EQ(0, dir_install(&c->rx, c->fd, TLS_RX));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* A key that nothing is sent with any more does not keep close() from holding. */
TEST_F(rekey, shut_down)
{
	struct conn *c = &self->s.conn;

	OPEN();
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_EQ(0, dir_install(&c->tx, c->fd, TLS_TX));
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP, poll_now(c));
	conn_close(c);
	peer_reply(c);
	expect_outcome(_metadata, &self->s, variant->mode ? WHOLE_FIN_RST : CUT);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

INBOUND_FIXTURE(rekey_inbound);
FIXTURE_VARIANT_ADD(rekey_inbound, FIN_WAIT2_mode1) { { 1, AF_INET6, txrx,
	TCP_FIN_WAIT2, TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(rekey_inbound, ESTABLISHED_mode2) { { 2, AF_INET, txrx,
	TCP_ESTABLISHED, TLS_1_3_VERSION } };

/* The key comes before a RST that is held, and is taken behind it. */
TEST_F(rekey_inbound, while_held)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	REKEYED_OR_SKIP(c);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_update_key(c);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_held(_metadata, c, cell);
	expect_delivered(_metadata, c, cell);
}

/* After the socket was set up anew the RST is still seen. */
TEST_F(rekey_inbound, before_the_reset)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	REKEYED_OR_SKIP(c);
	EXPECT_EQ(0, dir_install(&c->rx, c->fd, TLS_RX));
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_held(_metadata, c, cell);
	expect_delivered(_metadata, c, cell);
}

TEST_HARNESS_MAIN
