// SPDX-License-Identifier: GPL-2.0
/*
 * What is not held, and lost, is counted: state at close() x cause x close_notify x
 * mode x hold_linger. Each row is played with all values of these two knobs, so it
 * shows as well that what a mode counts is what another saves.
 */
#include "kselftest_harness.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/scene.h"

enum cause {
	NONE,	/* nothing owed */
	UNREAD,	/* A: received data unread at close() */
	LINGER,	/* B: SO_LINGER {1, 0} */
	BOTH,	/* the program wants B; TCP looks for A first */
};

static bool is_unread(enum cause cause)
{
	return cause == UNREAD || cause == BOTH;
}

static bool is_linger(enum cause cause)
{
	return cause == LINGER || cause == BOTH;
}

struct row {
	int family;
	int state;	/* at close() */
	enum cause cause;
	bool notify;
};

SCENE_FIXTURE(cut)

/*
 * For hold_linger 0 and 1, in mode 0, 1 and 2: [M] cut, and another mode or
 * hold_linger would have held it; [N] cut, not notified; [H] held; [-] nothing.
 */
FIXTURE_VARIANT(cut) {
	struct row row;
	const char *want;
};

#define ROW(state, cause, want)						\
	FIXTURE_VARIANT_ADD(cut, state##_##cause) {			\
		{ AF_INET, TCP_##state, cause, true }, want		\
	};

#define ROW6(state, cause, want)					\
	FIXTURE_VARIANT_ADD(cut, ipv6_##state##_##cause) {		\
		{ AF_INET6, TCP_##state, cause, true }, want		\
	};

#define UNSAID(state, cause, want)					\
	FIXTURE_VARIANT_ADD(cut, not_notified_##state##_##cause) {	\
		{ AF_INET, TCP_##state, cause, false }, want		\
	};

ROW(ESTABLISHED, UNREAD, "MM MM HH")
ROW(ESTABLISHED, LINGER, "MM MM MH")
ROW(ESTABLISHED, BOTH, "MM MM MH")
ROW(ESTABLISHED, NONE, "-- HH HH")
ROW(CLOSE_WAIT, UNREAD, "MM HH HH")
ROW(CLOSE_WAIT, LINGER, "MM MH MH")
ROW(CLOSE_WAIT, BOTH, "MM MH MH")
ROW(CLOSE_WAIT, NONE, "-- HH HH")
ROW(FIN_WAIT1, UNREAD, "MM HH HH")
ROW(FIN_WAIT1, LINGER, "MM MH MH")
ROW(FIN_WAIT1, BOTH, "MM MH MH")
ROW(FIN_WAIT1, NONE, "-- HH HH")
ROW(CLOSING, UNREAD, "MM HH HH")
ROW(CLOSING, LINGER, "MM MH MH")
ROW(CLOSING, BOTH, "MM MH MH")
ROW(CLOSING, NONE, "-- HH HH")
ROW(LAST_ACK, UNREAD, "MM HH HH")
ROW(LAST_ACK, LINGER, "MM MH MH")
ROW(LAST_ACK, BOTH, "MM MH MH")
ROW(LAST_ACK, NONE, "-- HH HH")
/* Everything is acknowledged: the RST takes nothing away. */
ROW(FIN_WAIT2, UNREAD, "-- -- --")
ROW(FIN_WAIT2, LINGER, "-- -- --")
ROW(FIN_WAIT2, BOTH, "-- -- --")
ROW6(ESTABLISHED, UNREAD, "MM MM HH")
ROW6(ESTABLISHED, LINGER, "MM MM MH")
ROW6(CLOSE_WAIT, LINGER, "MM MH MH")
UNSAID(ESTABLISHED, UNREAD, "NN NN NN")
UNSAID(ESTABLISHED, LINGER, "NN NN NN")
UNSAID(ESTABLISHED, BOTH, "NN NN NN")
UNSAID(ESTABLISHED, NONE, "-- -- --")
UNSAID(CLOSE_WAIT, UNREAD, "NN NN NN")
UNSAID(CLOSE_WAIT, LINGER, "NN NN NN")
UNSAID(FIN_WAIT1, UNREAD, "NN NN NN")
UNSAID(FIN_WAIT1, LINGER, "NN NN NN")
UNSAID(CLOSING, UNREAD, "NN NN NN")
UNSAID(CLOSING, LINGER, "NN NN NN")
UNSAID(LAST_ACK, UNREAD, "NN NN NN")
UNSAID(LAST_ACK, LINGER, "NN NN NN")
UNSAID(FIN_WAIT2, UNREAD, "-- -- --")
UNSAID(FIN_WAIT2, LINGER, "-- -- --")

static void open_row(TEST_ARG, struct scene *s, const struct row *row)
{
	struct conn_opts opts = { .family = row->family };
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &opts);
	conn_send(c, row->state == TCP_FIN_WAIT2 ? SMALL : BULK);
	if (row->notify)
		conn_notify(c);
	if (is_unread(row->cause)) {
		peer_reply(c);
		ASSERT_TRUE(conn_await_unread(c));
	}
	reach_state(_metadata, c, row->state);
	if (is_linger(row->cause))
		conn_linger(c, 0);
	ASSERT_TRUE(conn_await_stalled(c));
}

/* Returns what was unacknowledged. */
static int close_row(TEST_ARG, struct scene *s, const struct row *row)
{
	int queued;

	open_row(_metadata, s, row);
	queued = conn_queued(&s->conn);
	conn_close(&s->conn);
	return queued;
}

/* What the peer sees of a connection that is not cut */
static enum outcome whole(const struct row *row)
{
	if (row->cause == NONE)
		return WHOLE_FIN;
	switch (row->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return WHOLE_RST;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		return WHOLE_FIN_RST;
	default:
		return WHOLE_FIN;
	}
}

static const char *ending(const struct row *row)
{
	if (row->cause == NONE)
		return "Flushed";
	return whole(row) == WHOLE_FIN ? "Moot" : "RstSent";
}

static void knobs_set(int mode, int hold_linger)
{
	MUST(drst_mode(mode));
	if (drst_present())
		drst_set("hold_linger", hold_linger);
}

static void play(TEST_ARG, struct scene *s, const struct row *row, char want)
{
	bool cut = want == 'M' || want == 'N';
	bool reset = cut || (row->cause != NONE && whole(row) != WHOLE_FIN);
	int queued;

	counters_note();
	queued = close_row(_metadata, s, row);
	expect_cuts(_metadata, want == 'M', want == 'N', cut ? queued : 0);
	expect_outcome(_metadata, s, cut ? CUT : whole(row));
	expect_hold(_metadata, want == 'H' ? ending(row) : NULL);
	/* What a hold comes to is not counted again. */
	expect_cuts(_metadata, want == 'M', want == 'N', cut ? queued : 0);
	expect_aborts(_metadata, reset && is_unread(row->cause),
		      reset && !is_unread(row->cause));
	conn_free(&s->conn);
}

TEST_F(cut, row)
{
	int mode, hold_linger;

	for (mode = 0; mode <= 2 && drst_mode(mode); mode++) {
		for (hold_linger = 0; hold_linger <= 1; hold_linger++) {
			knobs_set(mode, hold_linger);
			play(_metadata, &self->s, &variant->row,
			     variant->want[3 * mode + hold_linger]);
		}
	}
}

/* ---- limits ---- */

SCENE_FIXTURE(limit)

static const struct row unread = { AF_INET, TCP_ESTABLISHED, UNREAD, true };
static const struct row unread_fin = { AF_INET, TCP_CLOSE_WAIT, UNREAD, true };
static const struct row unsaid = { AF_INET, TCP_ESTABLISHED, UNREAD, false };

/* It is not the mode that holds nothing here, so no mode is said to save it. */
TEST_F(limit, max_held_zero)
{
	int mode, queued;

	REQUIRE_MODE(1);
	drst_set("max_held", 0);
	for (mode = 0; mode <= 2; mode++) {
		counters_note();
		drst_set("mode", mode);
		close_row(_metadata, &self->s, &unread);
		expect_cut(_metadata, &self->s);
		expect_no_cuts(_metadata);
		expect_hold(_metadata, mode == 2 ? "OverLimit" : NULL);
		conn_free(&self->s.conn);

		queued = close_row(_metadata, &self->s, &unsaid);
		expect_cut(_metadata, &self->s);
		expect_cuts(_metadata, 0, 1, queued);
		conn_free(&self->s.conn);
	}
}

/* Mode 1 holds as many as there may be: mode 2 would hold no more now. */
TEST_F(limit, max_held_reached)
{
	struct scene *s = &self->s;
	struct conn held;
	int queued;

	REQUIRE_MODE(1);
	drst_set("max_held", 1);
	close_row(_metadata, s, &unread_fin);
	EXPECT_TRUE(drst_adds_up(1));
	held = s->conn;

	close_row(_metadata, s, &unread);
	expect_cut(_metadata, s);
	expect_no_cuts(_metadata);
	conn_free(&s->conn);

	s->conn = held;
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
	conn_free(&s->conn);

	queued = close_row(_metadata, s, &unread);
	expect_cut(_metadata, s);
	expect_cuts(_metadata, 1, 0, queued);
}

/* A connection that was held is counted as what its hold came to. */
TEST_F(limit, timeout)
{
	REQUIRE_MODE(1);
	drst_set("timeout_ms", 1);
	close_row(_metadata, &self->s, &unread_fin);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, "TimedOut");
	expect_no_cuts(_metadata);
}

/* ---- what is a close() that resets, and what is not ---- */

SCENE_FIXTURE(close)

FIXTURE_VARIANT(close) {
	int mode;
};

FIXTURE_VARIANT_ADD(close, mode0) { 0 };
FIXTURE_VARIANT_ADD(close, mode1) { 1 };
FIXTURE_VARIANT_ADD(close, mode2) { 2 };

static const struct conn_opts defaults;

/* The peer's data comes after close(): cause C. */
TEST_F(close, data_afterwards)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(variant->mode);
	conn_open(&s->conn, &s->bed, &defaults);
	conn_upload(&s->conn, BULK);
	conn_close(&s->conn);
	peer_reply_by_mode(_metadata, s, variant->mode);
	expect_outcome(_metadata, s, variant->mode ? WHOLE_FIN_RST : CUT);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
	expect_no_cuts(_metadata);
}

/* ... or before it, and TCP has reset the connection by then. */
TEST_F(close, data_after_shutdown)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	peer_reply(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	expect_no_cuts(_metadata);
}

/* The reply was there before shutdown(), which does not read it. */
TEST_F(close, unread_before_shutdown)
{
	struct conn *c = &self->s.conn;
	int queued, mode = variant->mode;

	REQUIRE_MODE(mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	peer_reply(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_RDWR));
	ASSERT_TRUE(conn_await_stalled(c));
	queued = conn_queued(c);
	conn_close(c);
	expect_cuts(_metadata, !mode, 0, mode ? 0 : queued);
	expect_outcome(_metadata, &self->s, mode ? WHOLE_FIN_RST : CUT);
	expect_hold(_metadata, mode ? "RstSent" : NULL);
}

/* Closing one of two descriptors resets nothing. */
TEST_F(close, not_the_last)
{
	struct conn *c = &self->s.conn;
	bool held = variant->mode == 2;
	int queued, other;

	REQUIRE_MODE(variant->mode);
	open_row(_metadata, &self->s, &unread);
	queued = conn_queued(c);
	other = dup(c->fd);
	ASSERT_LT(0, other);
	conn_close(c);
	expect_no_cuts(_metadata);
	ASSERT_EQ(0, close(other));
	expect_cuts(_metadata, !held, 0, held ? 0 : queued);
	expect_outcome(_metadata, &self->s, held ? WHOLE_RST : CUT);
}

/* connect() to AF_UNSPEC is no close(). Newer kernels refuse it for TLS. */
TEST_F(close, disconnect)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct conn *c = &self->s.conn;
	int err, queued;

	REQUIRE_MODE(variant->mode);
	open_row(_metadata, &self->s, &unsaid);
	queued = conn_queued(c);
	err = connect(c->fd, &none, sizeof(none));
	expect_no_cuts(_metadata);
	conn_close(c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	if (err)
		expect_cuts(_metadata, 0, 1, queued);
	else
		expect_no_cuts(_metadata);
}

/* The peer's RST has ended the connection, or waits for the program's reads. */
TEST_F(close, by_the_peer)
{
	static const struct row rows[] = {
		{ AF_INET, TCP_ESTABLISHED, LINGER, true },
		{ AF_INET, TCP_ESTABLISHED, UNREAD, true },
	};
	struct conn *c = &self->s.conn;
	size_t i;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		open_row(_metadata, &self->s, &rows[i]);
		peer_reset(c);
		if (variant->mode == 2 && is_unread(rows[i].cause)) {
			ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		} else {
			ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
		}
		conn_close(c);
		EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
		expect_hold(_metadata, NULL);
		expect_no_cuts(_metadata);
		conn_free(c);
	}
}

/* The sum of more than one */
TEST_F(close, sums)
{
	struct scene *s = &self->s;
	long bytes = 0;
	int i;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < 5; i++) {
		struct row row = { AF_INET, TCP_ESTABLISHED, LINGER, i < 2 };

		if (drst_present())
			drst_set("hold_linger", 0);
		bytes += close_row(_metadata, s, &row);
		expect_cut(_metadata, s);
		conn_free(&s->conn);
	}
	expect_cuts(_metadata, 2, 3, bytes);
}

/*
 * All has been sent once, our FIN included, and is lost on the way. From LAST_ACK and
 * CLOSING SO_LINGER then drops the connection without a RST; unread data does not.
 */
FIXTURE(all_sent) {
	struct scene s;
};

FIXTURE_VARIANT(all_sent) {
	int state;
	enum cause cause;
	int mode;
	int resets;
	bool held;
};

#define ALL_SENT(state, cause, resets)					\
	FIXTURE_VARIANT_ADD(all_sent, state##_##cause##_mode0) {	\
		TCP_##state, cause, 0, resets, false			\
	};								\
	FIXTURE_VARIANT_ADD(all_sent, state##_##cause##_mode2) {	\
		TCP_##state, cause, 2, 0, true				\
	};

ALL_SENT(LAST_ACK, LINGER, 0)
ALL_SENT(CLOSING, LINGER, 0)
ALL_SENT(FIN_WAIT1, LINGER, 1)
ALL_SENT(LAST_ACK, UNREAD, 1)
ALL_SENT(CLOSING, UNREAD, 1)
ALL_SENT(FIN_WAIT1, UNREAD, 1)

/* Not in a spare bed: the link is not put back if the test fails. */
FIXTURE_SETUP(all_sent)
{
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(all_sent)
{
	link_impair(&self->s.bed, SIDE_A, 0, 0);
	EXPECT_TRUE(scene_close(&self->s));
}

static int unsent(const struct conn *c)
{
	int bytes;

	MUST(!ioctl(c->fd, SIOCOUTQNSD, &bytes));
	return bytes;
}

/* The peer's FIN acknowledges nothing, as the peer has not seen anything. */
static void send_and_lose(TEST_ARG, struct scene *s, const struct row *row)
{
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &defaults);
	if (is_unread(row->cause)) {
		peer_reply(c);
		ASSERT_TRUE(conn_await_unread(c));
	}
	link_impair(&s->bed, SIDE_A, 0, 100);
	sockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	conn_upload(c, SMALL);
	reach_state(_metadata, c, row->state);
	if (is_linger(row->cause))
		conn_linger(c, 0);
	EXPECT_EQ(c->stream + 1, conn_queued(c));
	EXPECT_EQ(0, unsent(c));
}

TEST_F(all_sent, close)
{
	const struct row row = { AF_INET, variant->state, variant->cause, true };
	struct scene *s = &self->s;
	int resets = variant->resets;
	long sent;

	REQUIRE_MODE(variant->mode);
	send_and_lose(_metadata, s, &row);
	sent = tcp_snmp("OutRsts");
	conn_close(&s->conn);
	EXPECT_EQ(resets, tcp_snmp("OutRsts") - sent);
	expect_cuts(_metadata, resets, 0, resets * (s->conn.stream + 1));
	if (!variant->held)
		return;
	link_impair(&s->bed, SIDE_A, 0, 0);
	expect_outcome(_metadata, s, whole(&row));
	expect_hold(_metadata, ending(&row));
	expect_no_cuts(_metadata);
}

TEST_HARNESS_MAIN
