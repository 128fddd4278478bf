// SPDX-License-Identifier: GPL-2.0
/*
 * The contract's table "Outbound: a RST that this host owes", cell by cell:
 * mode x state of the connection at close() x cause x address family.
 *
 * In every row the sender has sent content and close_notify, the peer's window
 * is full, and the peer reads nothing until close() has returned, which does not
 * wait: conn_close().
 */
#include "kselftest_harness.h"

#include "lib/scene.h"

enum cause {
	NONE,	/* nothing owed */
	UNREAD,	/* A: received data unread at close() */
	LINGER,	/* B: SO_LINGER {1, 0} */
	LATE,	/* C: data arrives after close() */
};

struct cell {
	int family;
	int state;	/* at close() */
	enum cause cause;
};

SCENE_FIXTURE(outbound)

FIXTURE_VARIANT(outbound) {
	struct cell cell;
	int mode;
	enum outcome want;
	const char *ending;	/* of the hold; NULL: not held */
};

#define CELL(state, cause, mode, want, ending)				\
	FIXTURE_VARIANT_ADD(outbound, ipv4_##state##_##cause##_mode##mode) { \
		{ AF_INET, TCP_##state, cause }, mode, want, ending	\
	};								\
	FIXTURE_VARIANT_ADD(outbound, ipv6_##state##_##cause##_mode##mode) { \
		{ AF_INET6, TCP_##state, cause }, mode, want, ending	\
	};

#define ROW(state, cause, want0, want1, ending1, want2, ending2)	\
	CELL(state, cause, 0, want0, NULL)				\
	CELL(state, cause, 1, want1, ending1)				\
	CELL(state, cause, 2, want2, ending2)

/*
 * state at close(), cause: mode 0; mode 1 and how the hold ends; mode 2 ...
 *
 * CLOSE_WAIT, CLOSING, LAST_ACK with cause C are below: beyond_fin.
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

/* Returns what was queued at close(). */
static int close_in_cell(TEST_ARG, struct scene *s, const struct cell *cell,
			 bool notify)
{
	struct conn_opts opts = { .family = cell->family };
	struct conn *c = &s->conn;
	int queued;

	conn_open(c, &s->bed, &opts);
	conn_send(c, cell->state == TCP_FIN_WAIT2 ? SMALL : BULK);
	if (notify)
		conn_notify(c);
	if (cell->cause == UNREAD) {
		peer_reply(c);
		MUST(conn_await_unread(c));
	}
	reach_state(_metadata, c, cell->state);
	if (cell->cause == LINGER)
		conn_linger(c, 0);
	queued = conn_queued(c);
	conn_close(c);
	return queued;
}

/* So many connections were reset, for this cause, and were counted so. */
static void expect_resets(TEST_ARG, const struct cell *cell, int resets)
{
	/* After close(), FIN_WAIT2 is a kind of TIME_WAIT: vanilla counts none. */
	bool counts = cell->state != TCP_FIN_WAIT2 || cell->cause != LATE;
	bool on_close = cell->cause == UNREAD;

	expect_aborts(_metadata, on_close ? resets : 0,
		      !on_close && counts ? resets : 0);
}

static int unacknowledged(struct scene *s)
{
	return s->conn.stream -
	       wire_flow(&s->wire, s->conn.port)->acked[SIDE_A];
}

/* Between what was queued before close() and what was after it. */
static void expect_bytes_counted(TEST_ARG, long before, long after)
{
	long flushed = drst_stat("FlushedBytes");

	EXPECT_GE(before + 1, flushed);		/* a FIN counts or does not */
	EXPECT_LE(after - 1, flushed);
}

TEST_F(outbound, cell)
{
	const struct cell *cell = &variant->cell;
	struct scene *s = &self->s;
	int before, after;

	REQUIRE_MODE(variant->mode);
	before = close_in_cell(_metadata, s, cell, true);
	after = unacknowledged(s);
	if (cell->cause == LATE) {
		peer_reply(&s->conn);
		if (variant->ending)
			expect_reply_taken(_metadata, s);
	}
	expect_outcome(_metadata, s, variant->want);
	expect_hold(_metadata, variant->ending);
	expect_resets(_metadata, cell, variant->want != WHOLE_FIN);
	if (variant->mode) {
		EXPECT_EQ(1, drst_stat("CloseNotify"));
	}
	if (variant->ending)
		expect_bytes_counted(_metadata, before, after);
}

/* Without close_notify, all is as in vanilla in every mode. */
SCENE_FIXTURE(not_notified)

FIXTURE_VARIANT(not_notified) {
	struct cell cell;
	enum outcome want;
};

#define SAME(state, cause, want)					\
	FIXTURE_VARIANT_ADD(not_notified, ipv4_##state##_##cause) {	\
		{ AF_INET, TCP_##state, cause }, want			\
	};								\
	FIXTURE_VARIANT_ADD(not_notified, ipv6_##state##_##cause) {	\
		{ AF_INET6, TCP_##state, cause }, want			\
	};

SAME(ESTABLISHED, UNREAD, CUT)
SAME(ESTABLISHED, LINGER, CUT)
SAME(ESTABLISHED, LATE, CUT)
SAME(CLOSE_WAIT, UNREAD, CUT)
SAME(CLOSE_WAIT, LINGER, CUT)
SAME(FIN_WAIT1, UNREAD, CUT)
SAME(FIN_WAIT1, LINGER, CUT)
SAME(FIN_WAIT1, LATE, CUT)
SAME(FIN_WAIT2, UNREAD, WHOLE_FIN_RST)
SAME(FIN_WAIT2, LINGER, WHOLE_FIN_RST)
SAME(FIN_WAIT2, LATE, WHOLE_FIN_RST)
SAME(CLOSING, UNREAD, CUT)
SAME(CLOSING, LINGER, CUT)
SAME(LAST_ACK, UNREAD, CUT)
SAME(LAST_ACK, LINGER, CUT)

TEST_F(not_notified, reset_in_every_mode)
{
	struct scene *s = &self->s;
	int mode;

	for (mode = 0; mode <= 2 && drst_mode(mode); mode++) {
		close_in_cell(_metadata, s, &variant->cell, false);
		if (variant->cell.cause == LATE)
			peer_reply(&s->conn);
		expect_outcome(_metadata, s, variant->want);
		expect_hold(_metadata, NULL);
		expect_resets(_metadata, &variant->cell, mode + 1);
		conn_free(&s->conn);
	}
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("CloseNotify"));
	}
}

/*
 * Cause C where the peer has sent its FIN. A TCP that keeps to the rules has no
 * data left then. TCP resets for data that begins before the FIN and ends behind
 * it, which somebody has to forge: the peer takes no acknowledgement of it, so
 * that such a hold ends by its bound.
 */
SCENE_FIXTURE(beyond_fin)

FIXTURE_VARIANT(beyond_fin) {
	struct cell cell;
	int mode;
};

#define FORGED(state, mode)						\
	FIXTURE_VARIANT_ADD(beyond_fin, ipv4_##state##_mode##mode) {	\
		{ AF_INET, TCP_##state, LATE }, mode			\
	};								\
	FIXTURE_VARIANT_ADD(beyond_fin, ipv6_##state##_mode##mode) {	\
		{ AF_INET6, TCP_##state, LATE }, mode			\
	};

FORGED(CLOSE_WAIT, 0)
FORGED(CLOSE_WAIT, 1)
FORGED(CLOSING, 0)
FORGED(CLOSING, 1)
FORGED(CLOSING, 2)
FORGED(LAST_ACK, 0)
FORGED(LAST_ACK, 2)

static void forge(struct scene *s)
{
	peer_segment_text(&s->conn, &s->bed, &s->wire, TH_ACK,
			  -SEGMENT_TEXT / 2);
}

TEST_F(beyond_fin, late_data)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(variant->mode);
	close_in_cell(_metadata, s, &variant->cell, true);
	forge(s);
	if (variant->mode) {
		EXPECT_TRUE(WIRE_AWAIT(&s->wire, s->conn.port,
				       flow->acked[SIDE_B] == flow->sent[SIDE_B] ||
				       flow->rst[SIDE_A]));
		EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
		EXPECT_TRUE(drst_adds_up(1));
		/* The bound is looked at when something comes. */
		drst_set("timeout_ms", 1);
		forge(s);
	}
	expect_cut(_metadata, s);
	expect_hold(_metadata, variant->mode ? "TimedOut" : NULL);
	expect_resets(_metadata, &variant->cell, 1);
}

TEST_HARNESS_MAIN
