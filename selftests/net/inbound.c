// SPDX-License-Identifier: GPL-2.0
/*
 * The peer's RST, right behind its data: what read() and poll() say of both.
 * The peer uploads and resets, the socket under test reads late.
 */
#include "kselftest_harness.h"

#include <poll.h>

#include "lib/scene.h"

#define RECORDS 4
#define RECORD_LEN 1000

SCENE_FIXTURE(inbound)

FIXTURE_VARIANT(inbound) {
	int mode;
	int family;
	bool rx;
	int state;
	uint16_t version;
};

#define CELL(mode, fam, name, rx, state)				\
	FIXTURE_VARIANT_ADD(inbound, name##_mode##mode##_##rx##_##state) {	\
		mode, fam, rx, TCP_##state, TLS_1_3_VERSION }
#define CELLS(rx, state)						\
	CELL(0, AF_INET, ipv4, rx, state);				\
	CELL(1, AF_INET, ipv4, rx, state);				\
	CELL(2, AF_INET, ipv4, rx, state);				\
	CELL(0, AF_INET6, ipv6, rx, state);				\
	CELL(1, AF_INET6, ipv6, rx, state);				\
	CELL(2, AF_INET6, ipv6, rx, state)

/* What is installed of kTLS; the names are part of the variants' names. */
enum { tx, txrx };

CELLS(tx, ESTABLISHED);
CELLS(tx, CLOSE_WAIT);
CELLS(tx, FIN_WAIT2);
CELLS(txrx, ESTABLISHED);
CELLS(txrx, CLOSE_WAIT);
CELLS(txrx, FIN_WAIT2);

static bool holds(const FIXTURE_VARIANT(inbound) *variant)
{
	return variant->mode == 2 ||
	       (variant->mode == 1 && variant->state != TCP_ESTABLISHED);
}

/* The peer's upload, close_notify and RST; everything has arrived. */
static void peer_upload_and_reset(TEST_ARG, struct scene *s,
				  const FIXTURE_VARIANT(inbound) *variant)
{
	struct conn_opts opts = { .family = variant->family, .rx = variant->rx,
				  .version = variant->version };
	struct conn *c = &s->conn;
	char data[RECORD_LEN];
	int i;

	conn_open(c, &s->bed, &opts);
	if (variant->state == TCP_FIN_WAIT2) {
		ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
		ASSERT_TRUE(conn_await_state(c, TCP_FIN_WAIT2));
	}
	for (i = 0; i < RECORDS; i++) {
		memset(data, 'a' + i, sizeof(data));
		peer_record(c, REC_DATA, data, sizeof(data));
	}
	peer_record(c, REC_ALERT, close_notify, sizeof(close_notify));
	ASSERT_TRUE(conn_await_unread(c));
	if (variant->state == TCP_CLOSE_WAIT) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	peer_reset(c);
	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_B]));
	if (holds(variant)) {
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	} else {
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	}
}

static short poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	MUST(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Reads until the end; returns the bytes, and errno at the end in *final. */
static size_t read_all(int fd, bool rx, int *final, bool *alert)
{
	char buf[RECORD_LEN * 2], control[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg;
	struct cmsghdr *cmsg;
	size_t got = 0;
	ssize_t n;

	*alert = false;
	for (;;) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		n = recvmsg(fd, &msg, 0);
		if (n <= 0)
			break;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (rx && cmsg && *CMSG_DATA(cmsg) == REC_ALERT)
			*alert = n == 2 && buf[1] == 0;
		else
			got += n;
	}
	*final = n ? errno : 0;
	return got;
}

TEST_F(inbound, read_late)
{
	struct conn *c = &self->s.conn;
	int final, error = 0;
	socklen_t len = sizeof(error);
	bool alert;
	size_t got;

	REQUIRE_MODE(variant->mode);
	peer_upload_and_reset(_metadata, &self->s, variant);
	if (holds(variant)) {
		EXPECT_EQ(POLLIN, poll_now(c->fd) & ~POLLRDHUP);
	} else {
		EXPECT_NE(0, poll_now(c->fd) & POLLHUP);
	}
	got = read_all(c->fd, variant->rx, &final, &alert);
	if (holds(variant)) {
		if (variant->rx) {
			EXPECT_EQ(RECORDS * RECORD_LEN, got);
			EXPECT_TRUE(alert);
		} else {
			EXPECT_EQ(c->replied, got);
		}
		EXPECT_EQ(1, drst_stat("InHeld"));
		EXPECT_EQ(1, drst_stat("InDelivered"));
		EXPECT_NE(0, poll_now(c->fd) & POLLHUP);
	}
	TH_LOG("got %zu alert %d final %d", got, alert, final);
	EXPECT_EQ(0, getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len));
	TH_LOG("so_error %d", error);
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
}

TEST_HARNESS_MAIN
