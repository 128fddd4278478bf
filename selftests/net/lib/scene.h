/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What nearly every test needs: a bed, a capture and one connection; and the
 * ways a connection can end for the peer. To be included after
 * kselftest_harness.h, once in a program.
 */
#ifndef SELFTESTS_SCENE_H
#define SELFTESTS_SCENE_H

#include "bed.h"
#include "conn.h"
#include "drst.h"
#include "spare.h"
#include "wire.h"

#include <errno.h>

/*
 * Seconds for a test that names none: only what hangs takes so long. The
 * harness's own, 30, are too few where KASAN checks what an emulated CPU does.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

/* All tests have one place for why they are skipped, from the first one's start on. */
static inline char *scene_skip_reason(void)
{
	struct __fixture_metadata *f;
	struct __test_metadata *t;

	for (f = __fixture_list; f; f = f->next)
		for (t = f->tests; t; t = t->next)
			if (t->results)
				return t->results->reason;
	FATAL("no test has begun");
}

__attribute__((constructor)) static inline void scene_tells_reason(void)
{
	skip_reason = scene_skip_reason;
}

struct scene {
	struct bed bed;
	struct wire wire;
	struct conn conn;
};

/* In a fresh bed. */
static inline void scene_open(struct scene *s)
{
	bed_open(&s->bed);
	wire_open(&s->wire, &s->bed);
}

/* In the one before's, if that is as good. */
static inline void scene_open_spare(struct scene *s)
{
	spare_open(&s->bed);
	wire_open(&s->wire, &s->bed);
}

/*
 * Ends what a failed test may have left, so that nothing is held into the
 * next one; true if the counters then add up.
 */
static inline bool scene_close(struct scene *s)
{
	bool settled;

	conn_free(&s->conn);
	settled = drst_settled();
	wire_close(&s->wire);
	spare_close(&s->bed);
	return settled;
}

/* A fixture that is a scene, with the counters judged at the end. */
#define SCENE_FIXTURE(name)						\
	FIXTURE(name) {							\
		struct scene s;						\
	};								\
	FIXTURE_SETUP(name) {						\
		scene_open_spare(&self->s);				\
	}								\
	FIXTURE_TEARDOWN(name) {					\
		EXPECT_TRUE(scene_close(&self->s));			\
	}

enum outcome {
	CUT,		/* RST at once: the tail is lost, close_notify too */
	WHOLE_RST,	/* everything, then RST */
	WHOLE_FIN_RST,	/* everything and the FIN behind it, then RST */
	WHOLE_FIN,	/* everything and the FIN, no RST */
};

#define TEST_ARG struct __test_metadata *_metadata

static inline void expect_cut(TEST_ARG, struct scene *s)
{
	struct conn *c = &s->conn;
	const struct flow *flow;
	struct result res;

	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_A]));
	peer_finish(c, &res);
	EXPECT_EQ(ECONNRESET, res.final);
	EXPECT_TRUE(res.intact);
	EXPECT_LT(res.plain, c->sent);
	EXPECT_FALSE(res.alert);
	flow = wire_flow(&s->wire, c->port);
	EXPECT_EQ(0, flow->fin[SIDE_A]);
	EXPECT_LT(flow->acked_at_rst, c->early + c->stream);
}

static inline void expect_whole(TEST_ARG, struct scene *s, int final)
{
	struct conn *c = &s->conn;
	struct result res;

	peer_finish(c, &res);
	EXPECT_EQ(final, res.final);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(c->sent, res.plain);
	EXPECT_EQ(c->stream, res.raw);
	EXPECT_EQ(c->notified, res.alert);
}

static inline void expect_whole_rst(TEST_ARG, struct scene *s)
{
	const struct flow *flow;

	expect_whole(_metadata, s, ECONNRESET);
	flow = wire_flow(&s->wire, s->conn.port);
	EXPECT_EQ(1, flow->rst_ack[SIDE_A]);
	EXPECT_EQ(0, flow->fin[SIDE_A]);
	EXPECT_EQ(s->conn.early + s->conn.stream, flow->acked_at_rst);
}

/* The peer has seen the end of file; the RST shows as its socket's error. */
static inline void expect_whole_fin_rst(TEST_ARG, struct scene *s)
{
	const struct flow *flow;

	expect_whole(_metadata, s, 0);
	ASSERT_TRUE(WIRE_AWAIT(&s->wire, s->conn.port, flow->rst[SIDE_A]));
	EXPECT_EQ(EPIPE, peer_error(&s->conn));
	flow = wire_flow(&s->wire, s->conn.port);
	/* One without ACK answers the peer, as vanilla's does; so what crosses gets one more. */
	EXPECT_GE(1, flow->rst_ack[SIDE_A]);
	EXPECT_LE(1, flow->fin[SIDE_A]);
	EXPECT_EQ(s->conn.early + s->conn.stream + 1, flow->acked_at_rst);
}

static inline void expect_whole_fin(TEST_ARG, struct scene *s)
{
	const struct flow *flow;

	expect_whole(_metadata, s, 0);
	EXPECT_TRUE(WIRE_AWAIT(&s->wire, s->conn.port, flow->acked[SIDE_A] ==
			       s->conn.early + s->conn.stream + 1));
	EXPECT_TRUE(drst_settled());
	flow = wire_flow(&s->wire, s->conn.port);
	EXPECT_LE(1, flow->fin[SIDE_A]);
	/* One without ACK answers a window update that came when all was over. */
	EXPECT_EQ(0, flow->rst_ack[SIDE_A]);
}

static inline void expect_outcome(TEST_ARG, struct scene *s, enum outcome want)
{
	switch (want) {
	case CUT:
		return expect_cut(_metadata, s);
	case WHOLE_RST:
		return expect_whole_rst(_metadata, s);
	case WHOLE_FIN_RST:
		return expect_whole_fin_rst(_metadata, s);
	case WHOLE_FIN:
		return expect_whole_fin(_metadata, s);
	}
}

/* One hold has been, and it ended as @ending says; NULL: there was none. */
static inline void expect_hold(TEST_ARG, const char *ending)
{
	if (!drst_present())
		return;
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(ending ? 1 : 0, drst_stat("Held"));
	if (ending) {
		EXPECT_EQ(1, drst_stat(ending)) {
			TH_LOG("the hold did not end as %s", ending);
		}
	}
}

/*
 * The kernel's own counters of RSTs that were owed: cause A; causes B and C. A
 * hold counts the RST that it sends as vanilla does, and no other.
 */
static inline void expect_aborts(TEST_ARG, int on_close, int on_data)
{
	EXPECT_EQ(on_close, tcpext("TCPAbortOnClose"));
	EXPECT_EQ(on_data, tcpext("TCPAbortOnData"));
}

/*
 * What was not held, and lost, as the counters have it: in closes after close_notify,
 * in others, and in bytes.
 */
static inline void expect_cuts(TEST_ARG, int by_mode, int not_notified,
			       long bytes)
{
	if (!drst_present())
		return;
	EXPECT_EQ(by_mode, drst_stat("CutByMode"));
	EXPECT_EQ(not_notified, drst_stat("CutNotNotified"));
	EXPECT_EQ(bytes, drst_stat("CutBytes"));
}

static inline void expect_no_cuts(TEST_ARG)
{
	expect_cuts(_metadata, 0, 0, 0);
}

/* From TCP_ESTABLISHED; to TCP_FIN_WAIT2 if the peer has room for everything. */
static inline void reach_state(TEST_ARG, struct conn *c, int state)
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

/* From here close() owes a RST: data is unread, and the peer has closed. */
static inline void to_close_wait(TEST_ARG, struct conn *c)
{
	peer_reply(c);
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
}

static inline void close_unread(TEST_ARG, struct conn *c)
{
	to_close_wait(_metadata, c);
	conn_close(c);
}

/* The outcome of close_unread(), or of any other owed RST without our FIN. */
static inline void expect_rst_by_mode(TEST_ARG, struct scene *s, int mode)
{
	expect_outcome(_metadata, s, mode ? WHOLE_RST : CUT);
	expect_hold(_metadata, mode ? "RstSent" : NULL);
}

/* A bound was not due before @ms from @began; jiffies may have been late. */
static inline void expect_not_before(TEST_ARG, long began, long ms)
{
	EXPECT_LE(ms - 100, clock_ms(CLOCK_MONOTONIC) - began);
}

/* The peer's reply has been taken in, and no RST was the answer. */
static inline void expect_reply_taken(TEST_ARG, struct scene *s)
{
	EXPECT_TRUE(WIRE_AWAIT(&s->wire, s->conn.port,
			       flow->acked[SIDE_B] >= s->conn.replied ||
			       flow->rst[SIDE_A]));
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
}

/* The peer replies, which in mode 0 is answered with a RST. */
static inline void peer_reply_by_mode(TEST_ARG, struct scene *s, int mode)
{
	peer_reply(&s->conn);
	if (mode)
		expect_reply_taken(_metadata, s);
}

#endif
