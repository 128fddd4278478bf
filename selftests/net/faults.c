// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations fail: each that the module makes, or that is made below it, in
 * turn. Nothing is lost but what the contract says, nothing is leaked, and the
 * counters add up. For a kernel with CONFIG_FAULT_INJECTION: vm --kernel debug.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "inbound.h"
#include "lib/fault.h"

/* More than any step takes: there is an end to each series. */
#define MANY 1000

FIXTURE(faults) {
	struct scene s;
};

FIXTURE_SETUP(faults)
{
	MUST(fault_supported());
	fault_below_module();
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(faults)
{
	fault_all(false);
	conn_free(&self->s.conn);
	EXPECT_TRUE(inbound_adds_up());
	EXPECT_TRUE(scene_close(&self->s));
}

FIXTURE_VARIANT(faults) {
	bool rx;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(faults, tx) { false, TLS_1_3_VERSION };
FIXTURE_VARIANT_ADD(faults, txrx) { true, TLS_1_2_VERSION };

/* For each allocation of @step one round of @before, @step, @after. */
#define EACH_FAULT(before, step, after) do {				\
	bool hit = true;						\
	int nth;							\
									\
	for (nth = 1; hit && nth < MANY; nth++) {			\
		before;							\
		fault_arm(nth);						\
		step;							\
		hit = fault_disarm();					\
		after;							\
	}								\
	EXPECT_FALSE(hit);						\
	EXPECT_LT(2, nth) {						\
		TH_LOG("there was no allocation to fail");		\
	}								\
} while (0)

static void open_variant(struct scene *s, const FIXTURE_VARIANT(faults) *variant)
{
	struct conn_opts opts = { .rx = variant->rx,
				  .version = variant->version };

	conn_open(&s->conn, &s->bed, &opts);
}

/* Whole or, with a fault, perhaps cut as vanilla does it; never anything else. */
static void expect_whole_or_cut(TEST_ARG, struct scene *s, bool hit)
{
	struct conn *c = &s->conn;
	struct result res;

	peer_finish(c, &res);
	EXPECT_TRUE(res.intact);
	if (!hit || res.alert) {
		EXPECT_EQ(c->sent, res.plain);
		EXPECT_TRUE(res.alert);
	} else {
		/* Without the alert it is cut, however much has arrived. */
		EXPECT_GE(c->sent, res.plain);
	}
	EXPECT_TRUE(drst_settled());
	conn_free(c);
}

/* A socket whose TLS could not be set up can have it later. */
TEST_F(faults, setting_up)
{
	struct conn_opts opts = { .rx = variant->rx,
				  .version = variant->version };
	struct conn *c = &self->s.conn;
	int err_ulp = 0, err_tx = 0, err_rx = 0;

	REQUIRE_MODE(2);
	EACH_FAULT(
		conn_connect(c, &self->s.bed, &opts);
		dir_init(&c->tx, opts.version, TLS_CIPHER_AES_GCM_128, 1);
		dir_init(&c->rx, opts.version, TLS_CIPHER_AES_GCM_128, 2);
		c->ktls_rx = variant->rx;
		err_tx = 0;
		err_rx = 0,

		err_ulp = setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4);
		if (!err_ulp)
			err_tx = dir_install(&c->tx, c->fd, TLS_TX);
		if (!err_ulp && !err_tx && variant->rx)
			err_rx = dir_install(&c->rx, c->fd, TLS_RX),

		ASSERT_TRUE(hit || !(err_ulp | err_tx | err_rx));
		MUST(!err_ulp || !setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
		MUST(!(err_ulp | err_tx) || !dir_install(&c->tx, c->fd, TLS_TX));
		MUST(!(err_ulp | err_tx | err_rx) || !variant->rx ||
		     !dir_install(&c->rx, c->fd, TLS_RX));
		conn_upload(c, BULK);
		close_unread(_metadata, c);
		expect_whole_rst(_metadata, &self->s);
		conn_free(c)
	);
}

/*
 * An alert that is refused was not sent; one that is accepted, was. kTLS that
 * could not encrypt has given the connection up: EBADMSG.
 */
TEST_F(faults, close_notify)
{
	struct conn *c = &self->s.conn;
	int err = 0;

	REQUIRE_MODE(2);
	EACH_FAULT(
		open_variant(&self->s, variant);
		conn_send(c, SMALL),

		err = conn_try_notify(c, 0) ? 0 : errno,

		if (err && err != EBADMSG)
			conn_notify(c);
		if (c->notified)
			close_unread(_metadata, c);
		expect_whole_or_cut(_metadata, &self->s, !c->notified)
	);
}

TEST_F(faults, close_owing)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	EACH_FAULT(
		open_variant(&self->s, variant);
		conn_upload(c, BULK);
		to_close_wait(_metadata, c),

		conn_close(c),

		expect_whole_or_cut(_metadata, &self->s, hit)
	);
}

/* Nothing is owed yet: where it cannot be watched, vanilla delivers all. */
TEST_F(faults, close_owing_nothing)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	EACH_FAULT(
		open_variant(&self->s, variant);
		conn_upload(c, BULK),

		conn_close(c),

		expect_whole_or_cut(_metadata, &self->s, false)
	);
}

TEST_F(faults, shutdown_and_close)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	EACH_FAULT(
		open_variant(&self->s, variant);
		conn_upload(c, BULK),

		MUST(!shutdown(c->fd, SHUT_RDWR));
		conn_close(c);
		peer_reply(c),

		expect_whole_or_cut(_metadata, &self->s, hit)
	);
}

/* Every allocation of the work's and of TCP's below it fails. */
TEST_F(faults, while_held)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	open_variant(&self->s, variant);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	EXPECT_EQ(1, drst_stat("CurrHeld"));
	fault_all(true);
	expect_whole_or_cut(_metadata, &self->s, true);
	fault_all(false);
	EXPECT_LT(0, fault_hits());
}

/* A RST that cannot be held takes effect at once, as in vanilla. */
TEST_F(faults, inbound_not_held)
{
	const struct cell cell = { 2, AF_INET, variant->rx, TCP_ESTABLISHED,
				   variant->version };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	upload_in_cell(_metadata, &self->s, c, &cell);
	fault_all(true);
	peer_reset(c);
	EXPECT_TRUE(conn_await_state(c, TCP_CLOSE));
	fault_all(false);
	EXPECT_EQ(1, drst_stat("InHeld"));
	EXPECT_EQ(1, drst_stat("InMemory"));
	expect_upload(_metadata, c, &cell, 8192);
}

TEST_F(faults, inbound_held)
{
	const struct cell cell = { 2, AF_INET6, variant->rx, TCP_FIN_WAIT2,
				   variant->version };
	struct conn *c = &self->s.conn;
	char buf[64];

	REQUIRE_MODE(2);
	hold_in_cell(_metadata, &self->s, &cell);
	fault_all(true);
	poll_now(c);
	/* net/tls ends a connection with EBADMSG if it has no memory to decrypt */
	if (!variant->rx)
		recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
	send(c->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(c->fd, SHUT_WR);
	fault_all(false);
	/* None of these calls needs memory of ours. */
	EXPECT_EQ(0, fault_hits());
	expect_told(_metadata, c);
	EXPECT_TRUE(drst_stat_await("InDelivered", 1));
}

FIXTURE(loading) {
	const char *ko;
	bool was_loaded;
};

FIXTURE_SETUP(loading)
{
	MUST(fault_supported());
	self->ko = getenv("TLS_DRST_KO");
	self->was_loaded = drst_present();
}

FIXTURE_TEARDOWN(loading)
{
	if (self->was_loaded && !drst_present())
		drst_load(self->ko, "");
}

/*
 * How many pairs of a workqueue and a pool there are, or more: what a CPU allocates
 * from counts as used. kmemleak would not miss one of a workqueue that nobody destroys,
 * as all are in a list of the kernel's.
 */
static long workqueue_pools(void)
{
	char text[256];

	write_file("/sys/kernel/slab/pool_workqueue/shrink", "1");
	read_file("/sys/kernel/slab/pool_workqueue/objects", text, sizeof(text));
	return atol(text);
}

#define SERIES 9

/*
 * insmod: all or nothing. What alloc_workqueue() allocates is not the same each time, so
 * the first series can miss one behind it; the others have those of the namespaces. They are
 * so many that a workqueue left by each outweighs what else comes and goes.
 */
TEST_F_TIMEOUT(loading, insmod, 900)
{
	long pools;
	int err = 0, i;

	ASSERT_NE(NULL, self->ko);
	ASSERT_TRUE(drst_unloaded());
	pools = workqueue_pools();
	for (i = 0; i < SERIES; i++) {
		fault_below_function(i ? "register_pernet_subsys" :
				     "do_one_initcall");
		EACH_FAULT(
			,
			err = drst_load(self->ko, ""),

			ASSERT_TRUE(hit || !err);
			ASSERT_EQ(!err, drst_present());
			ASSERT_TRUE(drst_unloaded())
		);
	}
	EXPECT_TRUE(EVENTUALLY(workqueue_pools() < pools + SERIES)) {
		TH_LOG("pools of workqueues: %ld, once %ld", workqueue_pools(), pools);
	}
	ASSERT_EQ(0, drst_load(self->ko, ""));
}

/*
 * Keys to receive with, which come while a reset is held, want another copy of a
 * table. Where there is no memory for it, the socket loses our hooks, and nothing may
 * stay held.
 */
TEST_F_TIMEOUT(loading, rx_keys_while_held, 900)
{
	const struct cell cell = { 2, AF_INET, tx, TCP_ESTABLISHED,
				   TLS_1_3_VERSION };
	struct conn *c;
	struct tls_dir dir;
	struct scene s;
	int err = 0;

	ASSERT_NE(NULL, self->ko);
	scene_open(&s);
	c = &s.conn;
	EACH_FAULT(
		ASSERT_TRUE(drst_unloaded());
		ASSERT_EQ(0, drst_load(self->ko, ""));
		fault_below_module();
		drst_set("mode", 2);
		hold_in_cell(_metadata, &s, &cell);
		dir = c->rx;
		dir.seq = 0,

		err = dir_install(&dir, c->fd, TLS_RX),

		ASSERT_TRUE(hit || !err);
		if (err) {
			EXPECT_EQ(1, drst_stat("CurrInHeld"));
		} else if (drst_stat("CurrInHeld")) {
			expect_held(_metadata, c, &cell);
		} else {
			EXPECT_EQ(1, drst_stat("InMemory"));
		}
		conn_close(c);
		EXPECT_TRUE(inbound_adds_up());
		conn_free(c)
	);
	EXPECT_TRUE(scene_close(&s));
	ASSERT_TRUE(drst_unloaded());
	ASSERT_EQ(0, drst_load(self->ko, ""));
}

/* A namespace comes with the module's part of it or not at all. */
TEST_F(loading, namespace)
{
	int err = 0;

	MUST(drst_mode(1));
	fault_below_module();
	EACH_FAULT(
		,
		err = unshare(CLONE_NEWNET),

		ASSERT_TRUE(hit || !err);
		ASSERT_TRUE(err || drst_present())
	);
}

TEST_HARNESS_MAIN
