// SPDX-License-Identifier: GPL-2.0
/*
 * What is never held, whatever the mode: these connections end as in vanilla,
 * and the counters know nothing of them.
 */
#include "kselftest_harness.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/diag.h"
#include "lib/scene.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

SCENE_FIXTURE(never_held)

FIXTURE_VARIANT(never_held) {
	int mode;
};

FIXTURE_VARIANT_ADD(never_held, mode0) { 0 };
FIXTURE_VARIANT_ADD(never_held, mode1) { 1 };
FIXTURE_VARIANT_ADD(never_held, mode2) { 2 };

static const struct conn_opts defaults;

static void reply_and_close_wait(TEST_ARG, struct conn *c)
{
	to_close_wait(_metadata, c);
}

static void send_alert(TEST_ARG, struct conn *c, uint8_t level, uint8_t what)
{
	uint8_t alert[2] = { level, what };
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(1)];
	} control = { .hdr = { .cmsg_len = CMSG_LEN(1), .cmsg_level = SOL_TLS,
			       .cmsg_type = TLS_SET_RECORD_TYPE } };
	struct iovec iov = { alert, sizeof(alert) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	*CMSG_DATA(&control.hdr) = REC_ALERT;
	ASSERT_EQ(2, sendmsg(c->fd, &msg, MSG_NOSIGNAL));
	c->stream += sizeof(alert) + dir_overhead(&c->tx);
}

/* user_canceled, bad_certificate: alerts, but no close_notify. */
TEST_F(never_held, other_alerts)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	send_alert(_metadata, c, 1, 90);
	send_alert(_metadata, c, 2, 42);
	reply_and_close_wait(_metadata, c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
}

/* An alert that the kernel's TLS refuses has not been accepted. */
TEST_F(never_held, refused_close_notify)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	EXPECT_FALSE(conn_try_notify(c, MSG_MORE));
	EXPECT_EQ(EINVAL, errno);
	reply_and_close_wait(_metadata, c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
}

/* Two bytes {1, 0} of content are content. */
TEST_F(never_held, content_like_close_notify)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	ASSERT_EQ(2, send(c->fd, close_notify, 2, MSG_NOSIGNAL));
	c->stream += 2 + dir_overhead(&c->tx);
	reply_and_close_wait(_metadata, c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

/* The contract's "any level": close_notify marked fatal counts as one. */
TEST_F(never_held, but_close_notify_of_any_level_is)
{
	struct conn *c = &self->s.conn;
	const struct flow *flow;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	send_alert(_metadata, c, 2, 0);
	reply_and_close_wait(_metadata, c);
	conn_close(c);
	if (!variant->mode)
		return expect_cut(_metadata, &self->s);
	while (peer_read(c, c->stream) > 0)
		;
	EXPECT_EQ(c->stream, c->raw);
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(c->stream, flow->acked_at_rst);
	expect_hold(_metadata, "RstSent");
}

/* Everything has been acknowledged: there is nothing to wait for. */
TEST_F(never_held, flushed_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, SMALL);
	reply_and_close_wait(_metadata, c);
	ASSERT_TRUE(conn_await_acked(c));
	conn_close(c);
	expect_whole_rst(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

TEST_F(never_held, flushed_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, SMALL);
	ASSERT_TRUE(conn_await_acked(c));
	conn_linger0(c);
	conn_close(c);
	expect_whole_rst(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

/* `ss -K` on an open connection: an administrator's order. */
TEST_F(never_held, ss_kill_open)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	reply_and_close_wait(_metadata, c);
	ASSERT_EQ(0, conn_destroy(c));
	expect_cut(_metadata, &self->s);
	EXPECT_EQ(-1, send(c->fd, "x", 1, MSG_NOSIGNAL));
	conn_close(c);
	expect_hold(_metadata, NULL);
}

/*
 * TCP_REPAIR: the connection is gone without a word. The next thing that the
 * peer sends is answered by a host that knows of no such connection.
 */
TEST_F(never_held, tcp_repair)
{
	struct conn *c = &self->s.conn;
	int on = 1, before;
	const struct flow *flow;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, setsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, &on,
				sizeof(on)));
	conn_close(c);
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(0, flow->rst[SIDE_A]);
	EXPECT_EQ(0, flow->fin[SIDE_A]);
	before = flow->sent[SIDE_B];
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	EXPECT_LT(before, wire_flow(&self->s.wire, c->port)->reply_at_rst);
	expect_hold(_metadata, NULL);
}

/* The same between shutdown() and close(): silence, whatever is still queued */
TEST_F(never_held, tcp_repair_after_shutdown)
{
	struct conn *c = &self->s.conn;
	const struct flow *flow;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	sockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, 1);
	conn_close(c);
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(0, flow->rst[SIDE_A]);
	EXPECT_EQ(0, flow->fin[SIDE_A]);
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	flow = wire_flow(&self->s.wire, c->port);
	EXPECT_EQ(0, flow->rst_ack[SIDE_A]);	/* by a host that has no such one */
	expect_hold(_metadata, NULL);
	expect_aborts(_metadata, 0, 0);
}

/* The peer's own RST, while the application has the connection. */
TEST_F(never_held, peer_resets_open)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	peer_reset(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(-1, send(c->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	conn_close(c);
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
	expect_hold(_metadata, NULL);
}

TEST_F(never_held, plain_tcp)
{
	struct conn *c = &self->s.conn;
	static uint8_t zeros[BULK];

	REQUIRE_MODE(variant->mode);
	conn_connect(c, &self->s.bed, &defaults);
	ASSERT_EQ(BULK, send(c->fd, zeros, BULK, MSG_NOSIGNAL));
	c->stream = BULK;
	peer_send(c, "reply", 5);
	ASSERT_TRUE(conn_await_unread(c));
	conn_close(c);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->rst[SIDE_A]));
	EXPECT_GT(BULK, wire_flow(&self->s.wire, c->port)->acked_at_rst);
	expect_hold(_metadata, NULL);
}

/* The ULP alone, and keys for receiving alone: no TLS is sent. */
TEST_F(never_held, no_tx_keys)
{
	struct conn *c = &self->s.conn;
	static uint8_t zeros[BULK];
	struct tls_dir rx;

	REQUIRE_MODE(variant->mode);
	conn_connect(c, &self->s.bed, &defaults);
	ASSERT_EQ(0, setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	dir_init(&rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	ASSERT_EQ(0, dir_install(&rx, c->fd, TLS_RX));
	ASSERT_EQ(BULK, send(c->fd, zeros, BULK, MSG_NOSIGNAL));
	c->stream = BULK;
	peer_send(c, "reply", 5);
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	conn_close(c);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->rst[SIDE_A]));
	EXPECT_GT(BULK, wire_flow(&self->s.wire, c->port)->acked_at_rst);
	expect_hold(_metadata, NULL);
}

/* MPTCP takes no ULP from user space, so there is nothing to hold. */
TEST_F(never_held, mptcp)
{
	int fd;

	REQUIRE_MODE(variant->mode);
	fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	if (fd < 0)
		SKIP(return, "kernel without MPTCP");
	EXPECT_EQ(-1, setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	EXPECT_EQ(ENOPROTOOPT, errno);
	close(fd);
	expect_hold(_metadata, NULL);
}

/* A socket of the kernel's, as NFS and NVMe over TLS have them */
TEST_F(never_held, kernel_socket)
{
	struct conn *c = &self->s.conn;
	int err;

	REQUIRE_MODE(variant->mode);
	REQUIRE_TEST_MODULE("drst_kernel_socket");
	err = drst_load(test_module("drst_kernel_socket"), "");
	ASSERT_TRUE(!err || err == -EEXIST);
	conn_open_kernel(c, &self->s.bed);
	EXPECT_EQ(1, tls_stat("CurrTxSw"));
	conn_write_content(c->fd, BULK);
	ASSERT_EQ(2, pwrite(c->fd, close_notify, 2, REC_ALERT));
	c->sent = BULK;
	c->stream = stream_length(c, BULK);
	peer_reply(c);
	peer_shutdown_wr(c);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
			       flow->acked[SIDE_B] == c->replied + 1));
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
	EXPECT_EQ(0, module_unload("drst_kernel_socket"));
}

/* The same orders, given when the connection is held already, end the hold. */
SCENE_FIXTURE(held_then)

FIXTURE_VARIANT(held_then) {
	int mode;
	bool close_wait;	/* or else a plain close(): FIN_WAIT1 */
};

FIXTURE_VARIANT_ADD(held_then, close_wait_mode1) { 1, true };
FIXTURE_VARIANT_ADD(held_then, close_wait_mode2) { 2, true };
FIXTURE_VARIANT_ADD(held_then, fin_wait1_mode1) { 1, false };
FIXTURE_VARIANT_ADD(held_then, fin_wait1_mode2) { 2, false };

static void hold(TEST_ARG, struct scene *s, bool close_wait)
{
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &defaults);
	conn_upload(c, BULK);
	if (close_wait)
		reply_and_close_wait(_metadata, c);
	conn_close(c);
	ASSERT_TRUE(drst_adds_up(1));
}

TEST_F(held_then, ss_kill)
{
	REQUIRE_MODE(variant->mode);
	hold(_metadata, &self->s, variant->close_wait);
	ASSERT_EQ(0, conn_destroy(&self->s.conn));
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, "Aborted");
}

TEST_F(held_then, peer_resets)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	hold(_metadata, &self->s, variant->close_wait);
	peer_reset(c);
	expect_hold(_metadata, "PeerReset");
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
}

TEST_HARNESS_MAIN
