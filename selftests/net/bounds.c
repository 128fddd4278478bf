// SPDX-License-Identifier: GPL-2.0
/*
 * The bounds of a hold. Each one ends it with the RST that vanilla would have
 * sent in the first place: the peer finds the same cut stream, and the kernel's
 * counters the same cause. Those for records that kTLS holds are in records.c.
 */
#include "kselftest_harness.h"

#include "inbound.h"
#include "lib/found.h"

/* Short for the test, and long beside the pauses of a slow reader. */
#define TIMEOUT_MS 800
/* For a test that a machine under load must not fail by being late. */
#define PATIENT_MS 3000
#define PAUSE_MS 80

SCENE_FIXTURE(bounds)

FIXTURE_VARIANT(bounds) {
	int family;
};

FIXTURE_VARIANT_ADD(bounds, ipv4) { AF_INET };
FIXTURE_VARIANT_ADD(bounds, ipv6) { AF_INET6 };

static void upload(struct scene *s, struct conn *c, int family, size_t len)
{
	struct conn_opts opts = { .family = family };

	conn_open(c, &s->bed, &opts);
	conn_upload(c, len);
}

/* To the brink: one more step, close(), and a RST is owed in CLOSE_WAIT. */
static void upload_unread(TEST_ARG, struct scene *s, struct conn *c, int family)
{
	upload(s, c, family, BULK);
	to_close_wait(_metadata, c);
}

/* A bound of time has struck, and not too early. */
static void expect_timed_out(TEST_ARG, struct scene *s, long began, long ms)
{
	expect_cut(_metadata, s);
	expect_not_before(_metadata, began, ms);
	expect_hold(_metadata, "TimedOut");
}

TEST_F(bounds, timeout_silent_peer)
{
	struct scene *s = &self->s;
	long began;

	REQUIRE_MODE(1);
	drst_set("timeout_ms", PATIENT_MS);
	upload_unread(_metadata, s, &s->conn, variant->family);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	expect_timed_out(_metadata, s, began, PATIENT_MS);
	expect_aborts(_metadata, 1, 0);
}

/* A limit that becomes lower while a connection is held strikes earlier. */
static void expect_lowered(TEST_ARG, struct scene *s, int family, const char *knob)
{
	long began;

	REQUIRE_MODE(1);
	upload_unread(_metadata, s, &s->conn, family);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	drst_set(knob, TIMEOUT_MS);
	expect_timed_out(_metadata, s, began, TIMEOUT_MS);
}

TEST_F(bounds, timeout_lowered)
{
	expect_lowered(_metadata, &self->s, variant->family, "timeout_ms");
}

TEST_F(bounds, max_hold_lowered)
{
	expect_lowered(_metadata, &self->s, variant->family, "max_hold_ms");
}

/* Zero window from the start of the hold, cause C instead of A. */
TEST_F(bounds, timeout_after_late_data)
{
	struct scene *s = &self->s;
	long began;

	REQUIRE_MODE(1);
	drst_set("timeout_ms", TIMEOUT_MS);
	upload(s, &s->conn, variant->family, BULK);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	peer_reply(&s->conn);
	expect_timed_out(_metadata, s, began, TIMEOUT_MS);
	expect_aborts(_metadata, 0, 1);
}

TEST_F(bounds, timeout_mode2_established)
{
	struct scene *s = &self->s;
	long began;

	REQUIRE_MODE(2);
	drst_set("timeout_ms", TIMEOUT_MS);
	upload(s, &s->conn, variant->family, BULK);
	conn_linger(&s->conn, 0);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	expect_timed_out(_metadata, s, began, TIMEOUT_MS);
	expect_aborts(_metadata, 0, 1);
}

/*
 * Both sides have closed. Our FIN is behind the data, so there is something left to
 * reset, and the end is counted once.
 */
static void expect_timed_out_closed(TEST_ARG, struct scene *s, int family,
				    int state, bool linger)
{
	struct conn *c = &s->conn;
	long began;

	REQUIRE_MODE(1);
	drst_set("timeout_ms", PATIENT_MS);
	upload(s, c, family, BULK);
	if (linger)
		conn_linger(c, 0);
	else
		peer_reply(c);
	if (state == TCP_LAST_ACK) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	if (state == TCP_CLOSING)
		peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, state));
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(c);
	EXPECT_TRUE(drst_adds_up(1));
	expect_timed_out(_metadata, s, began, PATIENT_MS);
	EXPECT_EQ(1, wire_flow(&s->wire, c->port)->rst_ack[SIDE_A]);
	expect_aborts(_metadata, !linger, linger);
	EXPECT_EQ(0, tcpext("TCPAbortOnTimeout"));
}

TEST_F(bounds, timeout_in_closing)
{
	expect_timed_out_closed(_metadata, &self->s, variant->family,
				TCP_CLOSING, false);
}

TEST_F(bounds, timeout_in_closing_linger)
{
	expect_timed_out_closed(_metadata, &self->s, variant->family,
				TCP_CLOSING, true);
}

TEST_F(bounds, timeout_in_last_ack)
{
	expect_timed_out_closed(_metadata, &self->s, variant->family,
				TCP_LAST_ACK, false);
}

TEST_F(bounds, timeout_in_last_ack_linger)
{
	expect_timed_out_closed(_metadata, &self->s, variant->family,
				TCP_LAST_ACK, true);
}

/* Progress keeps a hold alive for longer than timeout_ms. */
TEST_F(bounds, timeout_not_while_progress)
{
	struct scene *s = &self->s;
	int reads = 2 * PATIENT_MS / PAUSE_MS;

	REQUIRE_MODE(1);
	drst_set("timeout_ms", PATIENT_MS);
	upload_unread(_metadata, s, &s->conn, variant->family);
	conn_close(&s->conn);
	while (reads--) {
		ASSERT_LT(0, peer_read(&s->conn, 2048));
		pause_ms(PAUSE_MS);
	}
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

/* ... but not for longer than max_hold_ms. */
TEST_F(bounds, max_hold_despite_progress)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;
	int reads = BULK / 2048 - 10;
	long began;

	REQUIRE_MODE(1);
	drst_set("max_hold_ms", TIMEOUT_MS);
	upload_unread(_metadata, s, c, variant->family);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(c);
	while (reads-- && !wire_flow(&s->wire, c->port)->rst[SIDE_A]) {
		ASSERT_LT(0, peer_read(c, 2048));
		pause_ms(PAUSE_MS);
	}
	expect_timed_out(_metadata, s, began, TIMEOUT_MS);
	expect_aborts(_metadata, 1, 0);
}

TEST_F(bounds, max_held_zero_holds_nothing)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	drst_set("max_held", 0);
	upload_unread(_metadata, s, &s->conn, variant->family);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_hold(_metadata, "OverLimit");
	expect_aborts(_metadata, 1, 0);
}

/* A close that owes nothing is not watched; for the wire that is vanilla. */
TEST_F(bounds, max_held_zero_nothing_owed)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	drst_set("max_held", 0);
	upload(s, &s->conn, variant->family, BULK);
	conn_close(&s->conn);
	expect_whole_fin(_metadata, s);
	expect_hold(_metadata, "OverLimit");
}

TEST_F(bounds, max_held_zero_late_data)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	drst_set("max_held", 0);
	upload(s, &s->conn, variant->family, BULK);
	conn_close(&s->conn);
	peer_reply(&s->conn);
	expect_cut(_metadata, s);
	expect_hold(_metadata, "OverLimit");
}

TEST_F(bounds, max_held_one_more_is_reset)
{
	struct scene *s = &self->s;
	struct conn first;

	REQUIRE_MODE(1);
	drst_set("max_held", 1);
	upload_unread(_metadata, s, &first, variant->family);
	upload_unread(_metadata, s, &s->conn, variant->family);
	conn_close(&first);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	EXPECT_TRUE(drst_adds_up(1));
	EXPECT_EQ(1, drst_stat("OverLimit"));
	/* The one that is held has not suffered. */
	conn_free(&s->conn);
	s->conn = first;
	expect_whole_rst(_metadata, s);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(1, drst_stat("RstSent"));
	EXPECT_EQ(2, drst_stat("Held"));
}

/* A hold that has ended makes room for the next. */
TEST_F(bounds, max_held_room_comes_back)
{
	struct scene *s = &self->s;
	int i;

	REQUIRE_MODE(1);
	drst_set("max_held", 1);
	for (i = 1; i <= 3; i++) {
		upload_unread(_metadata, s, &s->conn, variant->family);
		conn_close(&s->conn);
		expect_whole_rst(_metadata, s);
		EXPECT_TRUE(drst_settled());
		EXPECT_EQ(i, drst_stat("RstSent"));
		conn_free(&s->conn);
	}
	EXPECT_EQ(0, drst_stat("OverLimit"));
}

/* What is held already stays so when the limit is lowered. */
TEST_F(bounds, max_held_lowered)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_unread(_metadata, s, &s->conn, variant->family);
	conn_close(&s->conn);
	drst_set("max_held", 0);
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

/*
 * Far from the limit a CPU tells the others only now and then how many have begun on
 * it. A limit that is lowered counts them all.
 */
TEST_F(bounds, max_held_counts_each)
{
	struct scene *s = &self->s;
	struct conn held[9];
	const int n = sizeof(held) / sizeof(*held);
	int i;

	REQUIRE_MODE(1);
	drst_set("max_held", 1 << 20);
	for (i = 0; i < n; i++) {
		upload_unread(_metadata, s, &held[i], variant->family);
		if (i == n - 1)
			drst_set("max_held", n);
		cpu_run_on(i);
		conn_close(&held[i]);
	}
	EXPECT_EQ(0, drst_stat("OverLimit"));
	EXPECT_TRUE(drst_adds_up(n));
	upload_unread(_metadata, s, &s->conn, variant->family);
	cpu_run_on(n - 1);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	EXPECT_EQ(1, drst_stat("OverLimit"));
	EXPECT_TRUE(drst_adds_up(n));
	for (i = 0; i < n; i++) {
		peer_reset(&held[i]);
		conn_free(&held[i]);
	}
	EXPECT_TRUE(drst_settled());
}

/* A hold whose mode is switched off lasts, too. */
TEST_F(bounds, mode_lowered)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_unread(_metadata, s, &s->conn, variant->family);
	conn_close(&s->conn);
	drst_set("mode", 0);
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

/* The mode that counts is that at close(). */
TEST_F(bounds, mode_raised_before_close)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	drst_set("mode", 0);
	upload_unread(_metadata, s, &s->conn, variant->family);
	drst_set("mode", 1);
	conn_close(&s->conn);
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

/* TCP memory is one for the whole machine, and so is its limit. */
#define TCP_MEM "/proc/sys/net/ipv4/tcp_mem"
/* Far over what TCP accounts in batches per CPU. */
#define HEAVY (6 << 20)

static void __attribute__((constructor)) tcp_mem_find(void)
{
	found_note(&found_machine, TCP_MEM);
}

static void tcp_mem_set(struct scene *s, const char *limits)
{
	bed_enter_home(&s->bed);
	MUST(!write_file(TCP_MEM, limits));
	bed_enter(&s->bed, SIDE_A);
}

static void tcp_mem_put_back(struct scene *s)
{
	bed_enter_home(&s->bed);
	found_put_back(&found_machine);
	bed_enter(&s->bed, SIDE_A);
}

FIXTURE(memory) {
	struct scene s;
};

FIXTURE_SETUP(memory)
{
	scene_open(&self->s);
	tcp_mem_put_back(&self->s);
}

FIXTURE_TEARDOWN(memory)
{
	tcp_mem_put_back(&self->s);
	EXPECT_TRUE(scene_close(&self->s));
}

/*
 * The peer is short of memory as well, being on the same machine, and may have
 * to drop what comes before the RST: then it is a keepalive that finds out.
 */
static void upload_heavy(TEST_ARG, struct scene *s)
{
	upload(s, &s->conn, AF_INET, HEAVY);
	peer_keepalive(&s->conn);
	to_close_wait(_metadata, &s->conn);
}

TEST_F(memory, pressure_at_close)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_heavy(_metadata, s);
	tcp_mem_set(s, "1 1 1");
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
	expect_aborts(_metadata, 1, 0);
}

/*
 * Pressure begins above the second number; the third is a limit that nobody comes
 * near. TCP finds out as somebody wants more.
 */
static void press_softly(struct scene *s)
{
	const struct conn_opts defaults = { 0 };
	struct conn other;

	tcp_mem_set(s, "1 1 10000000");
	conn_open(&other, &s->bed, &defaults);
	conn_send(&other, 65536);
	conn_free(&other);
}

TEST_F(memory, soft_pressure_at_close)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_heavy(_metadata, s);
	press_softly(s);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
}

/* Each look has the next one follow at once, not a second later. */
TEST_F(memory, pressure_ends_all)
{
	const struct conn_opts defaults = { 0 };
	struct scene *s = &self->s;
	struct conn many[20];
	long began;
	size_t i;

	REQUIRE_MODE(1);
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		conn_open(&many[i], &s->bed, &defaults);
		conn_upload(&many[i], BULK);
		conn_close(&many[i]);
	}
	EXPECT_EQ(ARRAY_SIZE(many), drst_stat("CurrHeld"));
	began = clock_ms(CLOCK_MONOTONIC);
	tcp_mem_set(s, "1 1 1");
	EXPECT_TRUE(drst_settled());
	EXPECT_GT((long)ARRAY_SIZE(many) * 1000 / 2, clock_ms(CLOCK_MONOTONIC) - began);
	EXPECT_EQ(ARRAY_SIZE(many), drst_stat("Memory"));
	for (i = 0; i < ARRAY_SIZE(many); i++)
		conn_free(&many[i]);
}

/* In mode 0 nothing is held; under pressure no mode would. */
TEST_F(memory, pressure_is_no_mode)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(0);
	upload_heavy(_metadata, s);
	tcp_mem_set(s, "1 1 1");
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_hold(_metadata, NULL);
	expect_no_cuts(_metadata);
}

/* How long the hold that is there has lasted, as /proc/net/tls_drst says */
static long held_ms(void)
{
	char text[512];
	long ms = 0;

	read_file("/proc/thread-self/net/tls_drst", text, sizeof(text));
	sscanf(text, "%*[^\n]%*s%*s%*s%*s%*s%ld", &ms);
	return ms;
}

/* Once a second something looks at the memory: the first look finds enough. */
static void press_after_a_look(TEST_ARG, struct scene *s)
{
	ASSERT_TRUE(EVENTUALLY(held_ms() > 1500));
	tcp_mem_set(s, "1 1 1");
}

static void hold_heavy(TEST_ARG, struct scene *s)
{
	upload_heavy(_metadata, s);
	conn_close(&s->conn);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
}

TEST_F(memory, pressure_while_held)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	hold_heavy(_metadata, s);
	tcp_mem_set(s, "1 1 1");
	/* A second at most, and the look at the memory finds out. */
	ASSERT_LT(0, peer_read(&s->conn, 65536));
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
	expect_aborts(_metadata, 1, 0);
}

/*
 * A record that is open and finds no room: kTLS goes on holding it, and though
 * nothing is owed the peer is told.
 */
TEST_F(memory, pressure_while_ktls_holds)
{
	const struct conn_opts defaults = { 0 };
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(2);
	link_single_packets(&s->bed, true);
	conn_open(c, &s->bed, &defaults);
	conn_send(c, HEAVY);
	conn_leave_open(c);
	conn_leave_no_room(c);
	peer_keepalive(c);
	conn_close(c);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	tcp_mem_set(s, "1 1 1");
	ASSERT_LT(0, peer_read(c, 65536));
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
}

TEST_F(memory, soft_pressure_while_held)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	hold_heavy(_metadata, s);
	press_softly(s);
	EXPECT_TRUE(drst_stat_await("CurrHeld", 0));
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
}

/* Nothing comes from the peer: it is a look that finds out. */
TEST_F(memory, pressure_while_held_and_silence)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	hold_heavy(_metadata, s);
	press_after_a_look(_metadata, s);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(1, drst_stat("Memory"));
	expect_cut(_metadata, s);
	expect_hold(_metadata, "Memory");
}

/* The inbound hold: the machine's memory is in another connection. */
static void upload_beside_heavy(TEST_ARG, struct scene *s, struct conn *heavy)
{
	const struct conn_opts defaults = { 0 };

	conn_open(heavy, &s->bed, &defaults);
	conn_send(heavy, HEAVY);
	conn_open(&s->conn, &s->bed, &defaults);
	peer_upload(&s->conn, 1, 1000);
	ASSERT_TRUE(conn_await_unread(&s->conn));
}

TEST_F(memory, inbound_pressure)
{
	struct scene *s = &self->s;
	struct conn heavy;

	REQUIRE_MODE(2);
	upload_beside_heavy(_metadata, s, &heavy);
	tcp_mem_set(s, "1 1 1");
	peer_reset(&s->conn);
	EXPECT_TRUE(conn_await_state(&s->conn, TCP_CLOSE));
	EXPECT_EQ(1, drst_stat("InMemory"));
	EXPECT_TRUE(inbound_adds_up());
	conn_free(&heavy);
}

static void hold_beside_heavy(TEST_ARG, struct scene *s, struct conn *heavy)
{
	upload_beside_heavy(_metadata, s, heavy);
	peer_reset(&s->conn);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
}

TEST_F(memory, inbound_pressure_while_held)
{
	struct scene *s = &self->s;
	struct conn heavy;
	char byte;

	REQUIRE_MODE(2);
	hold_beside_heavy(_metadata, s, &heavy);
	tcp_mem_set(s, "1 1 1");
	/* The next event, and the data is still there after it. */
	EXPECT_EQ(1, recv(s->conn.fd, &byte, 1, 0));
	EXPECT_EQ(1, drst_stat("InMemory"));
	expect_reset_known(_metadata, &s->conn);
	EXPECT_TRUE(inbound_adds_up());
	conn_free(&heavy);
}

TEST_F(memory, inbound_pressure_while_held_and_silence)
{
	struct scene *s = &self->s;
	struct conn heavy;

	REQUIRE_MODE(2);
	hold_beside_heavy(_metadata, s, &heavy);
	press_after_a_look(_metadata, s);
	EXPECT_TRUE(drst_stat_await("InMemory", 1));
	EXPECT_TRUE(inbound_adds_up());
	conn_free(&heavy);
}

TEST_F(memory, no_pressure)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_heavy(_metadata, s);
	conn_close(&s->conn);
	expect_whole_rst(_metadata, s);
	expect_hold(_metadata, "RstSent");
}

TEST_F(memory, no_pressure_mode0)
{
	struct scene *s = &self->s;
	int queued;

	REQUIRE_MODE(0);
	upload_heavy(_metadata, s);
	ASSERT_TRUE(conn_await_stalled(&s->conn));
	queued = conn_queued(&s->conn);
	conn_close(&s->conn);
	expect_cut(_metadata, s);
	expect_cuts(_metadata, 1, 0, queued);
}

TEST_HARNESS_MAIN
