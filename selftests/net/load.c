// SPDX-License-Identifier: GPL-2.0
/*
 * Very many connections: LOAD_CONNECTIONS one after the other, LOAD_HELD held at
 * once. What the contract promises each of them holds for all of them, and
 * afterwards nothing is left.
 */
#include "kselftest_harness.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lib/scene.h"

/* Twice the window of the peer. */
#define UPLOAD (32 << 10)
/* A late reader reads, or resets, when so many more have been started; */
#define LATE 8
/* a dead one is looked after when so many have, which gives its bound time. */
#define WINDOW 1024
#define TIMEOUT_MS 8000
/* Of what is free again the kernel keeps some for the next. */
#define SLABS_KEPT (4 << 20)

enum kind {
	READS_LATE,
	REPLIES_LATE,		/* owed only after close(): cause C */
	OWED_NOTHING,
	LINGERS,		/* cause B */
	SHUT_FIRST,		/* shutdown(RDWR), cause C before close() */
	DEAD,			/* the peer never reads */
	RUDE,			/* the peer resets */
	FAST,			/* the peer reads at once */
	KINDS
};

/* No scene: its capture has no room for so many. */
FIXTURE(load) {
	struct bed bed;
	struct conn_opts opts[2];
	int families;
};

FIXTURE_VARIANT(load) {
	int mode;
};

FIXTURE_VARIANT_ADD(load, mode1) { 1 };
FIXTURE_VARIANT_ADD(load, mode2) { 2 };

FIXTURE_SETUP(load)
{
	int i;

	bed_open(&self->bed);
	self->families = n_families();
	for (i = 0; i < self->families; i++) {
		self->opts[i].family = families[i];
		self->opts[i].listener = peer_listener(&self->bed, families[i]);
	}
}

FIXTURE_TEARDOWN(load)
{
	EXPECT_TRUE(drst_settled());
	bed_close(&self->bed);
}

static void start(FIXTURE_DATA(load) *self, struct conn *c, enum kind kind)
{
	conn_open(c, &self->bed, &self->opts[kind % self->families]);
	conn_upload(c, UPLOAD);
	switch (kind) {
	case LINGERS:
		conn_linger(c, 0);
		__attribute__((fallthrough));
	case READS_LATE:
	case DEAD:
	case RUDE:
	case FAST:
		peer_reply(c);
		peer_shutdown_wr(c);
		MUST(conn_await_state(c, TCP_CLOSE_WAIT));
		break;
	case SHUT_FIRST:
		MUST(!shutdown(c->fd, SHUT_RDWR));
		break;
	default:
		break;
	}
	conn_close(c);
	if (kind == REPLIES_LATE || kind == SHUT_FIRST)
		peer_reply(c);
	if (kind == RUDE)
		peer_reset(c);
}

/* What of the promise did not come true? NULL: nothing */
static const char *judge(struct conn *c, enum kind kind)
{
	struct result res;

	/*
	 * A dead peer reads only when it has been reset. One that had to drop
	 * what came before the RST takes it for a blind one (RFC 5961), and may
	 * have answered too often to ask: then it is a keepalive that finds out.
	 */
	if (kind == DEAD) {
		peer_keepalive(c);
		if (peer_error(c) != ECONNRESET)
			return "not reset";
	}
	peer_finish(c, &res);
	if (!res.intact)
		return "content changed";
	if (kind == DEAD)
		return NULL;
	if (res.plain != c->sent || !res.alert)
		return "not all arrived";
	if (kind == FAST || kind == READS_LATE || kind == LINGERS)
		return res.final == ECONNRESET ? NULL : "no RST at the end";
	return res.final ? "an error instead of the end of file" : NULL;
}

static void finish(TEST_ARG, struct conn *c, enum kind kind)
{
	const char *wrong = kind == RUDE ? NULL : judge(c, kind);

	EXPECT_EQ(NULL, wrong) {
		TH_LOG("kind %d: %s", kind, wrong);
	}
	conn_free(c);
}

/* Bytes of the kernel's slabs */
static long slab_bytes(void)
{
	char text[4096];
	const char *line;

	read_file("/proc/meminfo", text, sizeof(text));
	line = strstr(text, "\nSlab:");
	MUST(line);
	return atol(line + 6) * 1024;
}

static void finish_one(TEST_ARG, struct conn *window, int i, int total,
		       bool dead)
{
	if (i >= 0 && i < total && i % KINDS != FAST &&
	    (i % KINDS == DEAD) == dead)
		finish(_metadata, &window[i % WINDOW], i % KINDS);
}

static void allow_files(int files)
{
	struct rlimit limit = { files + 100, files + 100 };

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
}

TEST_F_TIMEOUT(load, one_after_the_other, 3600)
{
	int total = env_number("LOAD_CONNECTIONS", 400), i;
	struct conn *window;

	REQUIRE_MODE(variant->mode);
	allow_files(WINDOW);
	drst_set("timeout_ms", TIMEOUT_MS);
	window = calloc(WINDOW, sizeof(*window));
	ASSERT_NE(NULL, window);
	for (i = 0; i < total + WINDOW; i++) {
		finish_one(_metadata, window, i - LATE, total, false);
		finish_one(_metadata, window, i - WINDOW, total, true);
		if (i >= total)
			continue;
		start(self, &window[i % WINDOW], i % KINDS);
		if (i % KINDS == FAST)
			finish(_metadata, &window[i % WINDOW], FAST);
	}
	free(window);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(total, drst_stat("CloseNotify"));
	EXPECT_LT(0, drst_stat("RstSent"));
	EXPECT_LT(0, drst_stat("Flushed"));
	EXPECT_LT(0, drst_stat("TimedOut"));
	EXPECT_LT(0, drst_stat("PeerReset"));
	EXPECT_EQ(0, drst_stat("OverLimit") + drst_stat("Memory"));
	EXPECT_TRUE(EVENTUALLY(tcp_sockets() == 0));
}

/* The lines of the list, without its head */
static int listed(void)
{
	FILE *list = fopen("/proc/thread-self/net/tls_drst", "re");
	char line[256];
	int lines = -1;

	MUST(list);
	while (fgets(line, sizeof(line), list))
		lines++;
	fclose(list);
	return lines;
}

/*
 * Whoever has something to read, reads. A sender may have backed off as far as it
 * does (TCP_RTO_MAX), and to wait for each in its turn would take too long.
 */
static void finish_as_they_come(TEST_ARG, struct conn *conns, int total)
{
	struct epoll_event event = { .events = EPOLLIN };
	int readers = epoll_create1(EPOLL_CLOEXEC), i, left = total;
	struct conn *c;

	ASSERT_LE(0, readers);
	for (i = 0; i < total; i++) {
		event.data.ptr = &conns[i];
		ASSERT_EQ(0, epoll_ctl(readers, EPOLL_CTL_ADD, conns[i].peer,
				       &event));
	}
	while (left) {
		ASSERT_EQ(1, epoll_wait(readers, &event, 1, 150000));
		c = event.data.ptr;
		if (peer_read(c, c->stream - c->raw) > 0 && c->raw < c->stream)
			continue;
		finish(_metadata, c, READS_LATE);
		left--;
	}
	close(readers);
}

TEST_F_TIMEOUT(load, held_at_once, 3600)
{
	int total = env_number("LOAD_HELD", 100), i;
	long slabs, taken;
	struct conn *conns;

	REQUIRE_MODE(variant->mode);
	allow_files(total);
	drst_set("max_held", total);
	drst_set("timeout_ms", 3000000);
	drst_set("max_hold_ms", 3000000);
	conns = calloc(total + 1, sizeof(*conns));
	ASSERT_NE(NULL, conns);
	slabs = slab_bytes();
	for (i = 0; i < total; i++)
		start(self, &conns[i], READS_LATE);
	taken = slab_bytes() - slabs;
	EXPECT_EQ(total, drst_stat("CurrHeld"));
	EXPECT_LE(total, tcp_sockets());
	EXPECT_EQ(total, listed());
	EXPECT_TRUE(drst_adds_up(total));
	TH_LOG("%d held: %ld bytes of slab each", total, taken / total);

	/* One more is not held. */
	conn_open(&conns[total], &self->bed, self->opts);
	conn_upload(&conns[total], BULK);
	close_unread(_metadata, &conns[total]);
	EXPECT_EQ(1, drst_stat("OverLimit"));
	conn_free(&conns[total]);

	finish_as_they_come(_metadata, conns, total);
	free(conns);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(total, drst_stat("RstSent"));
	EXPECT_TRUE(EVENTUALLY(tcp_sockets() == 0));
	/* With fewer, what the kernel keeps would hide that all of it leaked. */
	if (taken / 2 <= SLABS_KEPT) {
		TH_LOG("too few to see slabs leak");
		return;
	}
	EXPECT_TRUE(EVENTUALLY(slab_bytes() - slabs < taken / 2 + SLABS_KEPT));
}

TEST_HARNESS_MAIN
