// SPDX-License-Identifier: GPL-2.0
/*
 * An unprivileged user who wants held connections to stay for ever, many of
 * them: what he can have is bounded by the limits of init_net, whatever he does
 * in namespaces of his own. See docs/security.md.
 */
#include "kselftest_harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/found.h"
#include "lib/scene.h"

#define NOBODY 65534
#define TRIES 20
#define MAX_HELD 8
#define TIMEOUT_MS 3000
#define MAX_HOLD_MS 6000

/* What the user's process tells. */
struct booty {
	long held;		/* at most, at any time */
	int refused;		/* of the limits that it tried to raise */
	int done[2];		/* a pipe, with a byte when it has done it */
};

FIXTURE(hostile) {
	struct booty *booty;
	pid_t pid;
	long refs;
};

static void __attribute__((constructor)) limits_find(void)
{
	found_note_knobs(&found_machine);
}

FIXTURE_SETUP(hostile)
{
	self->booty = mmap(NULL, sizeof(*self->booty), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(self->booty != MAP_FAILED);
	MUST(!pipe(self->booty->done));
	if (!drst_present())
		return;
	self->refs = drst_users_before();
	drst_set("timeout_ms", TIMEOUT_MS);
	drst_set("max_hold_ms", MAX_HOLD_MS);
	drst_set("max_held", MAX_HELD);
}

FIXTURE_TEARDOWN(hostile)
{
	found_put_back(&found_machine);
}

static void become_nobody(void)
{
	MUST(!setresgid(NOBODY, NOBODY, NOBODY));
	MUST(!setresuid(NOBODY, NOBODY, NOBODY));
	MUST(!unshare(CLONE_NEWUSER));
}

static void owe(struct bed *bed, struct conn *c)
{
	const struct conn_opts defaults = { };

	conn_open(c, bed, &defaults);
	conn_upload(c, BULK);
	peer_reply(c);
	peer_shutdown_wr(c);
	MUST(conn_await_state(c, TCP_CLOSE_WAIT));
}

/* Holds as many as he can get: all before the bound of the first has struck. */
static void grab(struct bed *bed, struct conn *conns, struct booty *booty)
{
	long held;
	int i;

	bed_open(bed);
	drst_set("mode", 2);
	booty->refused += drst_try("timeout_ms", "86400000") == -EINVAL;
	booty->refused += drst_try("max_hold_ms", "86400000") == -EINVAL;
	booty->refused += drst_try("max_held", "1000000") == -EINVAL;
	for (i = 0; i < TRIES; i++)
		owe(bed, &conns[i]);
	for (i = 0; i < TRIES; i++) {
		conn_close(&conns[i]);
		held = drst_stat("CurrHeld");
		if (held > booty->held)
			booty->held = held;
	}
}

static void done(const struct booty *booty)
{
	MUST(write(booty->done[1], "", 1) == 1);
}

/* Starts @how as nobody, in a process of its own. */
static void start(TEST_ARG, FIXTURE_DATA(hostile) *self,
		  void (*how)(struct bed *, struct conn *, struct booty *))
{
	static struct conn conns[TRIES];
	static struct bed bed;

	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (self->pid) {
		close(self->booty->done[1]);
		return;
	}
	become_nobody();
	how(&bed, conns, self->booty);
	done(self->booty);
	pause();
}

static void expect_done(TEST_ARG, FIXTURE_DATA(hostile) *self)
{
	char byte;

	ASSERT_EQ(1, read(self->booty->done[0], &byte, 1));
}

static void expect_free_again(TEST_ARG, FIXTURE_DATA(hostile) *self)
{
	EXPECT_EQ(3, self->booty->refused);
	EXPECT_EQ(MAX_HELD, self->booty->held);
	EXPECT_TRUE(EVENTUALLY(drst_users() <= self->refs)) {
		TH_LOG("%ld references on the module, not %ld", drst_users(),
		       self->refs);
	}
}

/* Nothing that the holds wait for can come any more. */
static void cut_off(struct bed *bed, struct conn *conns, struct booty *booty)
{
	grab(bed, conns, booty);
	link_set_up(bed, SIDE_B, false);
}

TEST_F(hostile, unreachable_peers)
{
	REQUIRE_MODE(1);
	start(_metadata, self, cut_off);
	expect_done(_metadata, self);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	/* What they hold now is a namespace that nobody is in. */
	EXPECT_LT(self->refs, drst_users());
	expect_free_again(_metadata, self);
}

/* The limits of init_net become lower when he has begun. */
TEST_F(hostile, limits_lowered_later)
{
	REQUIRE_MODE(1);
	found_put_back(&found_machine);
	drst_set("max_held", MAX_HELD);
	start(_metadata, self, cut_off);
	expect_done(_metadata, self);
	EXPECT_EQ(MAX_HELD, self->booty->held);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	EXPECT_LT(self->refs, drst_users());
	drst_set("max_hold_ms", MAX_HOLD_MS);
	expect_free_again(_metadata, self);
}

/* Peers of his own that take a little now and then, for ever. */
static void trickle(struct bed *bed, struct conn *conns, struct booty *booty)
{
	int i;

	grab(bed, conns, booty);
	done(booty);
	for (;;) {
		for (i = 0; i < TRIES; i++)
			recv(conns[i].peer, (char [3000]) { 0 }, 3000,
			     MSG_DONTWAIT);
		pause_ms(50);
	}
}

TEST_F(hostile, peers_that_take_their_time)
{
	REQUIRE_MODE(1);
	start(_metadata, self, trickle);
	expect_done(_metadata, self);
	expect_free_again(_metadata, self);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
}

TEST_HARNESS_MAIN
