// SPDX-License-Identifier: GPL-2.0
/*
 * What is never held, whatever the mode: these connections end as in vanilla,
 * and the counters know nothing of them.
 */
#include "kselftest_harness.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/diag.h"
#include "lib/ksock.h"
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

/*
 * Nor is one of these counted as something that a mode would save. @cuts: how many
 * user space has closed without close_notify.
 */
static void expect_nothing_held(TEST_ARG, int cuts)
{
	expect_hold(_metadata, NULL);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("InHeld"));
		EXPECT_EQ(0, drst_stat("CutByMode"));
		EXPECT_EQ(cuts, drst_stat("CutNotNotified"));
	}
}

static void reply_and_close_wait(TEST_ARG, struct conn *c)
{
	to_close_wait(_metadata, c);
}

/* Nothing has been sent that counts as close_notify. */
static void expect_not_notified(TEST_ARG, struct scene *s)
{
	reply_and_close_wait(_metadata, &s->conn);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_nothing_held(_metadata, 1);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
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
	expect_not_notified(_metadata, &self->s);
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
	expect_not_notified(_metadata, &self->s);
}

/* What sendmsg() is given for a record; 0 as @level: no such control message */
struct odd_record {
	const char *bytes;	/* NULL: at an address where nothing is */
	size_t len;
	struct {
		int level, type;
		size_t len;
		uint8_t what;
	} msgs[3];
	size_t control;		/* how long all of them are, if not as @msgs says */
	int err;
};

#define IS(what) { SOL_TLS, TLS_SET_RECORD_TYPE, CMSG_LEN(1), what }
#define NOT_TLS { IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(1), REC_DATA }

static ssize_t send_odd(const struct conn *c, const struct odd_record *odd)
{
	static char control[3 * CMSG_SPACE(1)] __attribute__((aligned(8)));
	struct iovec iov = { (void *)(odd->bytes ? : (char *)1), odd->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control };
	struct cmsghdr *cmsg;
	int i;

	for (i = 0; i < 3 && odd->msgs[i].level; i++) {
		cmsg = (struct cmsghdr *)(control + i * CMSG_SPACE(1));
		cmsg->cmsg_level = odd->msgs[i].level;
		cmsg->cmsg_type = odd->msgs[i].type;
		cmsg->cmsg_len = odd->msgs[i].len;
		*CMSG_DATA(cmsg) = odd->msgs[i].what;
	}
	msg.msg_controllen = odd->control ? : i * CMSG_SPACE(1);
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

/* Records that are nearly an alert of close_notify */
static const struct odd_record near_misses[] = {
	{ "\1", 1, { IS(REC_ALERT) } },
	{ "\1\0\0", 3, { IS(REC_ALERT) } },
	{ "\1\0", 2, { IS(REC_HANDSHAKE) } },
	{ "\1\0", 2, { IS(REC_ALERT), IS(REC_DATA) } },
};

TEST_F(never_held, nearly_close_notify)
{
	struct conn *c = &self->s.conn;
	unsigned int i;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	for (i = 0; i < sizeof(near_misses) / sizeof(near_misses[0]); i++) {
		const struct odd_record *odd = &near_misses[i];

		ASSERT_EQ(odd->len, send_odd(c, odd));
		c->stream += odd->len + dir_overhead(&c->tx);
	}
	expect_not_notified(_metadata, &self->s);
}

/* Such as net/tls refuses: bad addresses, control messages that are none */
static const struct odd_record refused[] = {
	{ NULL, 2, { IS(REC_ALERT) }, .err = EFAULT },
	{ "\1\0", 2, { NOT_TLS }, .err = EINVAL },
	{ "\1\0", 2, { { SOL_TLS, TLS_GET_RECORD_TYPE, CMSG_LEN(1), REC_ALERT } },
	  .err = EINVAL },
	{ "\1\0", 2, { { SOL_TLS, TLS_SET_RECORD_TYPE, CMSG_LEN(0), REC_ALERT } },
	  .err = EINVAL },
	{ "\1\0", 2, { { SOL_TLS, TLS_SET_RECORD_TYPE, 1, REC_ALERT } },
	  .err = EINVAL },
	{ "\1\0", 2, { IS(REC_ALERT) }, CMSG_LEN(0), EINVAL },
	{ "\1\0", 2, { IS(REC_ALERT) }, sizeof(struct cmsghdr) / 2, EINVAL },
};

TEST_F(never_held, refused_messages)
{
	struct conn *c = &self->s.conn;
	unsigned int i;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		EXPECT_EQ(-1, send_odd(c, &refused[i]));
		EXPECT_EQ(refused[i].err, errno) {
			TH_LOG("message %u", i);
		}
	}
	expect_not_notified(_metadata, &self->s);
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
	expect_not_notified(_metadata, &self->s);
}

/* An alert has been sent that counts as close_notify. */
static void expect_notified(TEST_ARG, struct scene *s, int mode)
{
	struct conn *c = &s->conn;
	const struct flow *flow;

	reply_and_close_wait(_metadata, c);
	conn_close(c);
	if (!mode)
		return expect_cut(_metadata, s);
	while (peer_read(c, c->stream) > 0)
		;
	EXPECT_EQ(c->stream, c->raw);
	flow = wire_flow(&s->wire, c->port);
	EXPECT_EQ(c->stream, flow->acked_at_rst);
	EXPECT_EQ(1, drst_stat("CloseNotify"));
	expect_hold(_metadata, "RstSent");
}

/* The contract's "any level": close_notify marked fatal counts as one. */
TEST_F(never_held, but_close_notify_of_any_level_is)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	send_alert(_metadata, c, 2, 0);
	expect_notified(_metadata, &self->s, variant->mode);
}

/* The last type of a record counts, and other levels are not TLS's. */
TEST_F(never_held, but_close_notify_among_messages_is)
{
	static const struct odd_record among = {
		.bytes = "\1\0", .len = 2,
		.msgs = { IS(REC_DATA), IS(REC_ALERT), NOT_TLS },
	};
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	ASSERT_EQ(2, send_odd(c, &among));
	c->stream += 2 + dir_overhead(&c->tx);
	expect_notified(_metadata, &self->s, variant->mode);
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
	expect_nothing_held(_metadata, 0);
}

TEST_F(never_held, flushed_linger)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, SMALL);
	ASSERT_TRUE(conn_await_acked(c));
	conn_linger(c, 0);
	conn_close(c);
	expect_whole_rst(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
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
	expect_nothing_held(_metadata, 0);
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
	expect_nothing_held(_metadata, 0);
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
	ASSERT_TRUE(conn_await_stalled(c));
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
	expect_nothing_held(_metadata, 0);
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
	expect_nothing_held(_metadata, 0);
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
	expect_nothing_held(_metadata, 0);
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
	expect_nothing_held(_metadata, 0);
}

/* net/tls refuses it. */
TEST_F(never_held, not_connected)
{
	int fd;

	REQUIRE_MODE(variant->mode);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	EXPECT_EQ(ENOTCONN, errno);
	close(fd);
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

/* A socket of the kernel's, as the clients of NFS and NVMe over TLS have them */
TEST_F(never_held, kernel_socket)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	REQUIRE_TEST_MODULE("drst_kernel_socket");
	ksock_connect(c, &self->s.bed);
	ksock_tls(c);
	EXPECT_EQ(1, tls_stat("CurrTxSw"));
	ksock_send(c, BULK);
	ASSERT_EQ(2, pwrite(c->fd, close_notify, 2, REC_ALERT));
	peer_reply(c);
	peer_shutdown_wr(c);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
			       flow->acked[SIDE_B] == c->replied + 1));
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
	EXPECT_EQ(0, module_unload("drst_kernel_socket"));
}

/*
 * A socket that the kernel has accepted from a listener made by user space, as nfsd
 * does: nothing says at its birth that it is the kernel's. And one that it has connected,
 * and that gets a file before the ULP, as the NFS client's: only its birth says so.
 */
FIXTURE(kernels) {
	struct scene s;
};

FIXTURE_VARIANT(kernels) {
	int mode;
	bool file;	/* keys by a file, from tlshd; or else by the kernel */
	bool owned;	/* the kernel has sk_user_data while it uses the socket */
	bool ulp;	/* the file sets the ULP alone, keys are in the kernel's memory */
	bool connected;	/* by the kernel, or else accepted */
};

#define KERNELS(mode)							\
	FIXTURE_VARIANT_ADD(kernels, bare_mode##mode)			\
		{ mode, false, false };					\
	FIXTURE_VARIANT_ADD(kernels, bare_owned_mode##mode)		\
		{ mode, false, true };					\
	FIXTURE_VARIANT_ADD(kernels, file_owned_mode##mode)		\
		{ mode, true, true };					\
	FIXTURE_VARIANT_ADD(kernels, file_ulp_mode##mode)		\
		{ mode, false, false, true };				\
	FIXTURE_VARIANT_ADD(kernels, connected_file_mode##mode)		\
		{ mode, true, false, false, true }

KERNELS(0);
KERNELS(1);
KERNELS(2);

FIXTURE_SETUP(kernels)
{
	scene_open_spare(&self->s);
}

FIXTURE_TEARDOWN(kernels)
{
	EXPECT_TRUE(scene_close(&self->s));
	module_unload("drst_kernel_socket");
}

static void kernel_tls(TEST_ARG, struct scene *s,
		       const FIXTURE_VARIANT(kernels) *variant, bool rx)
{
	const struct conn_opts opts = { .rx = rx };
	struct conn *c = &s->conn;

	if (variant->connected)
		ksock_connect(c, &s->bed);
	else
		ksock_accept(c, &s->bed);
	if (variant->ulp)
		ksock_ulp_by_file(c);
	else if (variant->file)
		ksock_tls_by_file(c, &opts);
	else
		ksock_tls(c);
	EXPECT_EQ(1, tls_stat("CurrTxSw"));
	if (variant->owned)
		ksock_do(c, KSOCK_OWN, 1);
}

#define KERNEL_TLS(rx) do {						\
	REQUIRE_MODE(variant->mode);					\
	REQUIRE_TEST_MODULE("drst_kernel_socket");			\
	if (variant->ulp && !ksock_has_keys())				\
		SKIP(return, "its memcpy() warns");			\
	kernel_tls(_metadata, &self->s, variant, rx);			\
} while (0)

/* The kernel is done with the socket; it lets go of sk_user_data, then releases it. */
static void let_go(struct conn *c, bool owned)
{
	if (owned)
		ksock_do(c, KSOCK_OWN, 0);
	conn_close(c);
}

static void reply_unread(TEST_ARG, struct scene *s, bool fin)
{
	struct conn *c = &s->conn;

	peer_reply(c);
	if (fin)
		peer_shutdown_wr(c);
	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port,
			       flow->acked[SIDE_B] == c->replied + fin));
}

/* As svc_tcp_sock_detach(): close_notify, shutdown(), release */
TEST_F(kernels, notify_shutdown_release)
{
	struct conn *c = &self->s.conn;

	KERNEL_TLS(false);
	ksock_send(c, BULK);
	reply_unread(_metadata, &self->s, false);
	ksock_notify(c);
	ksock_do(c, KSOCK_SHUTDOWN, SHUT_RDWR);
	let_go(c, variant->owned);
	expect_cut(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
}

/* The alert is the first that the kernel sends when it has let go. */
TEST_F(kernels, notify_after_letting_go)
{
	struct conn *c = &self->s.conn;

	KERNEL_TLS(false);
	reply_unread(_metadata, &self->s, true);
	if (variant->owned)
		ksock_do(c, KSOCK_OWN, 0);
	ksock_send(c, BULK);
	ksock_notify(c);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
}

TEST_F(kernels, notify_release)
{
	struct conn *c = &self->s.conn;

	KERNEL_TLS(false);
	ksock_send(c, BULK);
	reply_unread(_metadata, &self->s, true);
	ksock_notify(c);
	let_go(c, variant->owned);
	expect_cut(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
}

/* Nothing is unread: FIN_WAIT1, and the peer's data comes later. */
TEST_F(kernels, release_then_data)
{
	struct conn *c = &self->s.conn;

	KERNEL_TLS(false);
	ksock_send(c, BULK);
	ksock_notify(c);
	let_go(c, variant->owned);
	peer_reply(c);
	expect_cut(_metadata, &self->s);
	expect_nothing_held(_metadata, 0);
}

/* What kTLS still has is the kernel's to lose, in mode 2, too. */
TEST_F(kernels, release_with_open_record)
{
	struct conn *c = &self->s.conn;
	struct result res;

	KERNEL_TLS(false);
	ksock_do(c, KSOCK_MORE, 1);
	ASSERT_EQ(1, write(c->fd, "x", 1));
	let_go(c, variant->owned);
	c->stream = BULK;
	peer_finish(c, &res);
	EXPECT_EQ(0, res.raw);
	EXPECT_EQ(0, res.final);
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw")));
	expect_nothing_held(_metadata, 0);
}

/* The peer's RST finds data that the kernel has not read. */
static void expect_rst_not_held(TEST_ARG, struct scene *s, bool owned)
{
	struct conn *c = &s->conn;

	peer_upload(c, 4, 700);
	peer_notify(c);
	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port,
			       flow->acked[SIDE_B] == c->replied));
	if (owned)
		ksock_do(c, KSOCK_OWN, 0);
	peer_reset(c);
	ASSERT_TRUE(EVENTUALLY(conn_diag_state(c) == TCP_CLOSE));
	expect_nothing_held(_metadata, 0);
	conn_close(c);
	expect_nothing_held(_metadata, 0);
}

/* The kernel has sent nothing so far, by which it would be known. */
TEST_F(kernels, peer_resets)
{
	KERNEL_TLS(variant->file);
	expect_rst_not_held(_metadata, &self->s, false);
}

TEST_F(kernels, peer_resets_after_letting_go)
{
	KERNEL_TLS(variant->file);
	ksock_send(&self->s.conn, 1);
	expect_rst_not_held(_metadata, &self->s, variant->owned);
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
	expect_no_cuts(_metadata);
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
