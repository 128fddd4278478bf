// SPDX-License-Identifier: GPL-2.0
/*
 * A connection never outlives max_hold_ms, whatever the peer or the path to it does, or
 * does not do: the hold ends, and the socket leaves the kernel. This is so if a RST is
 * pending or records of kTLS are lost. If neither is the case, TCP continues as in
 * vanilla when the hold is over.
 *
 * There is no test for the stage TAKEN: it is over when close() returns, and
 * conn_close() fails if that waits.
 */
#include "kselftest_harness.h"

#include <linux/filter.h>

#include "inbound.h"
#include "lib/diag.h"

#define HOLD_MS 1200
#define PAUSE_MS 50

/* What is held */
enum what {
	RST_PENDING,	/* in CLOSE_WAIT: data is unread */
	RST_LINGER,	/* in ESTABLISHED: SO_LINGER */
	KTLS_RECORDS,	/* kTLS has records for which TCP has no room */
	FIN_ONLY,	/* no RST is pending */
};

/* What the peer or the path does to it. The window is shut in the first three. */
enum deaf {
	IGNORES_RST,
	PATH_LOSES,	/* all that we send */
	ZERO_WINDOW,
	BYTE_BY_BYTE,	/* acknowledges a byte now and then */
};

FIXTURE(deaf) {
	struct scene s;
	long users;
};

FIXTURE_VARIANT(deaf) {
	int mode;
	enum what what;
	enum deaf deaf;
	int family;
};

#define DEAF(n, what)							\
	FIXTURE_VARIANT_ADD(deaf, mode##n##_##what##_IGNORES_RST) {	\
		n, what, IGNORES_RST, AF_INET };			\
	FIXTURE_VARIANT_ADD(deaf, mode##n##_##what##_PATH_LOSES) {	\
		n, what, PATH_LOSES, AF_INET6 };			\
	FIXTURE_VARIANT_ADD(deaf, mode##n##_##what##_ZERO_WINDOW) {	\
		n, what, ZERO_WINDOW, AF_INET6 };			\
	FIXTURE_VARIANT_ADD(deaf, mode##n##_##what##_BYTE_BY_BYTE) {	\
		n, what, BYTE_BY_BYTE, AF_INET }

DEAF(0, RST_PENDING);
DEAF(1, RST_PENDING);
DEAF(0, RST_LINGER);
DEAF(2, RST_LINGER);
DEAF(0, KTLS_RECORDS);
DEAF(2, KTLS_RECORDS);
DEAF(0, FIN_ONLY);
DEAF(1, FIN_ONLY);

FIXTURE_SETUP(deaf)
{
	scene_open_spare(&self->s);
	self->users = drst_users_before();
}

FIXTURE_TEARDOWN(deaf)
{
	EXPECT_TRUE(scene_close(&self->s));
}

static void begin(TEST_ARG, struct scene *s, enum what what, int family)
{
	struct conn_opts opts = { .family = family };
	struct conn *c = &s->conn;

	link_single_packets(&s->bed, what == KTLS_RECORDS);
	conn_open(c, &s->bed, &opts);
	if (what == KTLS_RECORDS) {
		conn_send(c, BULK);
		conn_leave_open(c);
		conn_leave_no_room(c);
	} else {
		conn_upload(c, BULK);
	}
	ASSERT_TRUE(conn_await_stalled(c));
	if (what == RST_PENDING)
		to_close_wait(_metadata, c);
	if (what == RST_LINGER)
		conn_linger(c, 0);
}

static void drop_resets(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct tcphdr, th_flags)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_RST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0),
	};
	struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code,
	};

	MUST(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
}

static void turn_deaf(TEST_ARG, struct scene *s, enum deaf deaf)
{
	struct conn *c = &s->conn;

	if (deaf == IGNORES_RST)
		drop_resets(c->peer);
	if (deaf == PATH_LOSES || deaf == BYTE_BY_BYTE)
		link_impair(&s->bed, SIDE_A, 0, 100);
	if (deaf == BYTE_BY_BYTE) {
		/* Into the window that this opens; all of it is lost. */
		peer_drain(c);
		ASSERT_TRUE(conn_await_in_flight(c));
	}
}

/* The peer's part until @over. */
#define STAY_DEAF(s, deaf, over)					\
	EVENTUALLY(({							\
		if ((deaf) == BYTE_BY_BYTE) {				\
			peer_ack_more(&(s)->conn, &(s)->bed, &(s)->wire, 1); \
			pause_ms(PAUSE_MS);				\
		}							\
		(over);							\
	}))

/* Not only closed: destroyed. */
static void expect_gone(TEST_ARG, struct scene *s, long users)
{
	EXPECT_TRUE(EVENTUALLY(!tcp_sockets())) {
		TH_LOG("a TCP socket is left, in state %d",
		       conn_diag_state(&s->conn));
	}
	EXPECT_TRUE(EVENTUALLY(drst_users() <= users)) {
		TH_LOG("%ld references on the module, not %ld", drst_users(),
		       users);
	}
}

/*
 * The socket is TCP's own affair, as an orphan that still wants to send. It would do so for
 * minutes, and pin the module: `ss -K` ends that.
 */
static void expect_orphan(TEST_ARG, struct scene *s, long users)
{
	char ulp[64];

	EXPECT_EQ(1, tcp_sockets());
	EXPECT_EQ(TCP_FIN_WAIT1, conn_diag_state(&s->conn));
	conn_ulp_name(&s->conn, ulp, sizeof(ulp));
	EXPECT_STREQ("tls", ulp);
	EXPECT_EQ(0, conn_destroy(&s->conn));
	expect_gone(_metadata, s, users);
}

static bool peer_is_open(const struct conn *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	MUST(!getsockopt(c->peer, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info.tcpi_state != TCP_CLOSE;
}

/* What it does by itself now does not bring the connection back. */
static void expect_ignored(TEST_ARG, struct scene *s)
{
	struct conn *c = &s->conn;
	int resets;

	ASSERT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_A]));
	EXPECT_TRUE(peer_is_open(c));
	resets = wire_flow(&s->wire, c->port)->rst[SIDE_A];
	peer_drain(c);	/* a window update */
	EXPECT_TRUE(WIRE_AWAIT(&s->wire, c->port, flow->rst[SIDE_A] > resets));
	EXPECT_TRUE(peer_is_open(c));
	EXPECT_EQ(0, tcp_sockets());
}

/* Without our module a connection is reset at once, or it is an orphan from now on. */
static bool is_reset(enum what what)
{
	return what == RST_PENDING || what == RST_LINGER;
}

TEST_F(deaf, is_gone_in_time)
{
	struct scene *s = &self->s;
	enum what what = variant->what;
	bool orphan;
	long began;

	REQUIRE_MODE(variant->mode);
	if (variant->mode)
		drst_set("max_hold_ms", HOLD_MS);
	begin(_metadata, s, what, variant->family);
	turn_deaf(_metadata, s, variant->deaf);
	began = clock_ms(CLOCK_MONOTONIC);
	conn_close(&s->conn);
	if (variant->mode) {
		EXPECT_TRUE(STAY_DEAF(s, variant->deaf, drst_stat("TimedOut")));
		expect_not_before(_metadata, began, HOLD_MS);
	}
	expect_hold(_metadata, variant->mode ? "TimedOut" : NULL);

	orphan = variant->mode ? what == FIN_ONLY : !is_reset(what);
	expect_aborts(_metadata, !orphan && what == RST_PENDING,
		      !orphan && what != RST_PENDING);
	if (orphan)
		return expect_orphan(_metadata, s, self->users);
	expect_gone(_metadata, s, self->users);
	if (variant->deaf == IGNORES_RST)
		expect_ignored(_metadata, s);
}

/*
 * The peer's RST is held: TCP has closed the connection, and it is the process that is
 * deaf. Its socket is not shown any more, and goes with its descriptor.
 */
INBOUND_FIXTURE(unread);
HELD_CELLS(unread);
FIXTURE_VARIANT_ADD(unread, mode0) { { 0, AF_INET, txrx, TCP_ESTABLISHED,
	TLS_1_3_VERSION } };

static int read_a_byte(const struct conn *c)
{
	char byte;
	bool got = recv(c->fd, &byte, 1, MSG_DONTWAIT) == 1;

	pause_ms(PAUSE_MS);
	return got;
}

static void expect_over_in_time(TEST_ARG, struct scene *s,
				const struct cell *cell, bool reads)
{
	const long ms = reads ? 3 * HOLD_MS : HOLD_MS;	/* for more than one read */
	struct conn *c = &s->conn;
	long began, users = drst_users_before();
	int got = 0;

	REQUIRE_MODE(cell->mode);
	if (cell->mode)
		drst_set("max_hold_ms", ms);
	upload_in_cell(_metadata, s, c, cell);
	began = clock_ms(CLOCK_MONOTONIC);
	peer_reset(c);
	if (cell->mode) {
		EXPECT_TRUE(EVENTUALLY(({
			if (reads)
				got += read_a_byte(c);
			drst_stat("InTimedOut");
		})));
		expect_not_before(_metadata, began, ms);
		EXPECT_EQ(reads, got > 1);
		EXPECT_EQ(1, drst_stat("InHeld"));
		EXPECT_EQ(0, drst_stat("CurrInHeld"));
	}
	expect_reset_known(_metadata, c);
	if (!cell->mode)
		expect_never_held(_metadata);
	EXPECT_EQ(0, tcp_sockets());
	EXPECT_EQ(TCP_CLOSE, conn_diag_state(c));
	conn_close(c);
	expect_gone(_metadata, s, users);
}

TEST_F(unread, nothing_is_read)
{
	expect_over_in_time(_metadata, &self->s, &variant->cell, false);
}

TEST_F(unread, byte_by_byte)
{
	expect_over_in_time(_metadata, &self->s, &variant->cell, true);
}

TEST_HARNESS_MAIN
