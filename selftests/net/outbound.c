// SPDX-License-Identifier: GPL-2.0
/*
 * The contract's table "Outbound: a RST that this host owes", cell by cell:
 * mode x state of the connection at close() x cause x address family.
 *
 * In every row the sender has sent content and close_notify, the peer's window
 * is full, and the peer reads nothing until close() has returned: that the test
 * goes on is what shows that close() does not wait.
 */
#include "kselftest_harness.h"

#include "lib/scene.h"

enum cause {
	NONE,	/* nothing owed */
	UNREAD,	/* A: received data unread at close() */
	LINGER,	/* B: SO_LINGER {1, 0} */
	LATE,	/* C: data arrives after close() */
};

SCENE_FIXTURE(outbound)

FIXTURE_VARIANT(outbound) {
	int family;
	int mode;
	int state;
	enum cause cause;
	enum outcome want;
	const char *ending;	/* of the hold; NULL: not held */
};

#define CELL(_state, _cause, _mode, _want, _ending)			\
	FIXTURE_VARIANT_ADD(outbound, ipv4_##_state##_##_cause##_mode##_mode) {	\
		AF_INET, _mode, TCP_##_state, _cause, _want, _ending	\
	};								\
	FIXTURE_VARIANT_ADD(outbound, ipv6_##_state##_##_cause##_mode##_mode) {	\
		AF_INET6, _mode, TCP_##_state, _cause, _want, _ending	\
	};

#define ROW(state, cause, want0, want1, ending1, want2, ending2)	\
	CELL(state, cause, 0, want0, NULL)				\
	CELL(state, cause, 1, want1, ending1)				\
	CELL(state, cause, 2, want2, ending2)

/*
 * state at close(), cause: mode 0; mode 1 and how the hold ends; mode 2 ...
 *
 * CLOSE_WAIT, CLOSING, LAST_ACK with cause C: the peer has sent its FIN, so a
 * TCP that keeps to the rules has no data left to send.
 */
ROW(ESTABLISHED, UNREAD, CUT, CUT, NULL,		WHOLE_RST, "RstSent")
ROW(ESTABLISHED, LINGER, CUT, CUT, NULL,		WHOLE_RST, "RstSent")
ROW(CLOSE_WAIT, UNREAD,	 CUT, WHOLE_RST, "RstSent",	WHOLE_RST, "RstSent")
ROW(CLOSE_WAIT, LINGER,	 CUT, WHOLE_RST, "RstSent",	WHOLE_RST, "RstSent")
ROW(FIN_WAIT1, UNREAD,	 CUT, WHOLE_FIN_RST, "RstSent",	WHOLE_FIN_RST, "RstSent")
ROW(FIN_WAIT1, LINGER,	 CUT, WHOLE_FIN_RST, "RstSent",	WHOLE_FIN_RST, "RstSent")
ROW(FIN_WAIT1, LATE,	 CUT, WHOLE_FIN_RST, "RstSent",	WHOLE_FIN_RST, "RstSent")
/* A plain close(): it is in FIN_WAIT1 that the peer's data hits. */
ROW(ESTABLISHED, LATE,	 CUT, WHOLE_FIN_RST, "RstSent",	WHOLE_FIN_RST, "RstSent")
/* Both sides have closed by the time that everything is acknowledged. */
ROW(CLOSING, UNREAD,	 CUT, WHOLE_FIN, "Moot",	WHOLE_FIN, "Moot")
ROW(CLOSING, LINGER,	 CUT, WHOLE_FIN, "Moot",	WHOLE_FIN, "Moot")
ROW(LAST_ACK, UNREAD,	 CUT, WHOLE_FIN, "Moot",	WHOLE_FIN, "Moot")
ROW(LAST_ACK, LINGER,	 CUT, WHOLE_FIN, "Moot",	WHOLE_FIN, "Moot")
/* In FIN_WAIT2 everything is acknowledged: nothing to hold, RST as ever. */
ROW(FIN_WAIT2, UNREAD,	 WHOLE_FIN_RST, WHOLE_FIN_RST, NULL, WHOLE_FIN_RST, NULL)
ROW(FIN_WAIT2, LINGER,	 WHOLE_FIN_RST, WHOLE_FIN_RST, NULL, WHOLE_FIN_RST, NULL)
ROW(FIN_WAIT2, LATE,	 WHOLE_FIN_RST, WHOLE_FIN_RST, NULL, WHOLE_FIN_RST, NULL)
/* Nothing is owed, and nothing happens: the wire shows vanilla. */
ROW(ESTABLISHED, NONE,	 WHOLE_FIN, WHOLE_FIN, "Flushed", WHOLE_FIN, "Flushed")
ROW(CLOSE_WAIT, NONE,	 WHOLE_FIN, WHOLE_FIN, "Flushed", WHOLE_FIN, "Flushed")
ROW(FIN_WAIT1, NONE,	 WHOLE_FIN, WHOLE_FIN, "Flushed", WHOLE_FIN, "Flushed")
ROW(CLOSING, NONE,	 WHOLE_FIN, WHOLE_FIN, "Flushed", WHOLE_FIN, "Flushed")
ROW(LAST_ACK, NONE,	 WHOLE_FIN, WHOLE_FIN, "Flushed", WHOLE_FIN, "Flushed")

static void reach(TEST_ARG, struct conn *c, int state)
{
	switch (state) {
	case TCP_CLOSE_WAIT:
		peer_shutdown_wr(c);
		break;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
		break;
	case TCP_CLOSING:
		ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
		peer_shutdown_wr(c);
		break;
	case TCP_LAST_ACK:
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
		ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
		break;
	}
	ASSERT_TRUE(conn_await_state(c, state));
}

/* Vanilla's own counters say that the cause has struck. */
static void expect_vanilla_counter(TEST_ARG, enum cause cause)
{
	EXPECT_EQ(1, tcpext(cause == UNREAD ? "TCPAbortOnClose" :
					      "TCPAbortOnData"));
}

static void expect_bytes_counted(TEST_ARG, long queued)
{
	long flushed = drst_stat("FlushedBytes");

	EXPECT_LE(queued - 1, flushed);		/* a FIN counts or does not */
	EXPECT_GE(queued + 1, flushed);
}

TEST_F(outbound, cell)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;
	struct conn_opts opts = { .family = variant->family };
	int queued;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &s->bed, &opts);
	conn_upload(c, variant->state == TCP_FIN_WAIT2 ? SMALL : BULK);
	if (variant->cause == UNREAD) {
		peer_reply(c);
		ASSERT_TRUE(conn_await_unread(c));
	}
	reach(_metadata, c, variant->state);
	if (variant->cause == LINGER)
		conn_linger0(c);
	/* No acknowledgement is to come between the two. */
	ASSERT_TRUE(conn_await_stalled(c));
	queued = conn_queued(c);
	conn_close(c);
	if (variant->cause == LATE) {
		peer_reply(c);
		if (variant->ending)
			expect_reply_taken(_metadata, s);
	}
	expect_outcome(_metadata, s, variant->want);
	if (variant->want == CUT)
		expect_vanilla_counter(_metadata, variant->cause);
	expect_hold(_metadata, variant->ending);
	if (variant->mode) {
		EXPECT_EQ(1, drst_stat("CloseNotify"));
	}
	if (variant->ending)
		expect_bytes_counted(_metadata, queued);
}

TEST_HARNESS_MAIN
