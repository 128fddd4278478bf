// SPDX-License-Identifier: GPL-2.0
/*
 * Who closes, and how: processes that are killed or exit, descriptors that are
 * shared. Only the last one to go closes the connection.
 */
#include "kselftest_harness.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/scene.h"

SCENE_FIXTURE(process)

FIXTURE_VARIANT(process) {
	int mode;
	enum outcome want;
	const char *ending;
};

FIXTURE_VARIANT_ADD(process, mode0) { 0, CUT, NULL };
FIXTURE_VARIANT_ADD(process, mode1) { 1, WHOLE_RST, "RstSent" };
FIXTURE_VARIANT_ADD(process, mode2) { 2, WHOLE_RST, "RstSent" };

/* All but the close() that owes a RST in CLOSE_WAIT. */
static void upload_unread(TEST_ARG, struct scene *s)
{
	static const struct conn_opts defaults;
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &defaults);
	conn_upload(c, BULK);
	to_close_wait(_metadata, c);
}

/* Leaves the sender's descriptor to a child that does nothing with it. */
static pid_t give_to_child(TEST_ARG, struct conn *c)
{
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			pause();
	}
	ASSERT_LT(0, pid);
	conn_close(c);
	return pid;
}

/* No packet but acknowledgements has come from the sender's side. */
static void expect_open(TEST_ARG, struct scene *s)
{
	const struct flow *flow = wire_flow(&s->wire, s->conn.port);

	EXPECT_EQ(0, flow->rst[SIDE_A]);
	EXPECT_EQ(0, flow->fin[SIDE_A]);
	if (drst_present()) {
		EXPECT_EQ(0, drst_stat("Held"));
	}
}

TEST_F(process, exits_without_close)
{
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	upload_unread(_metadata, &self->s);
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	/* That was not the last descriptor; this is. */
	expect_open(_metadata, &self->s);
	conn_close(&self->s.conn);
	expect_outcome(_metadata, &self->s, variant->want);
	expect_hold(_metadata, variant->ending);
}

TEST_F(process, dup)
{
	struct conn *c = &self->s.conn;
	int other;

	REQUIRE_MODE(variant->mode);
	upload_unread(_metadata, &self->s);
	other = dup(c->fd);
	ASSERT_LT(0, other);
	conn_close(c);
	expect_open(_metadata, &self->s);
	ASSERT_EQ(0, close(other));
	expect_outcome(_metadata, &self->s, variant->want);
	expect_hold(_metadata, variant->ending);
}

static void pass_descriptor(TEST_ARG, int over, int fd)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = { .cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	ASSERT_EQ(1, sendmsg(over, &msg, 0));
}

/* The last reference is a message that nobody has received. */
TEST_F(process, descriptor_in_flight)
{
	struct conn *c = &self->s.conn;
	int pair[2];

	REQUIRE_MODE(variant->mode);
	upload_unread(_metadata, &self->s);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pass_descriptor(_metadata, pair[0], c->fd);
	conn_close(c);
	expect_open(_metadata, &self->s);
	close(pair[0]);
	close(pair[1]);
	expect_outcome(_metadata, &self->s, variant->want);
	expect_hold(_metadata, variant->ending);
}

/* The connection is notified, not a process: another one has sent the alert. */
TEST_F(process, notified_by_child)
{
	static const struct conn_opts defaults;
	struct conn *c = &self->s.conn;
	int status;
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	pid = fork();
	if (!pid) {
		conn_notify(c);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	c->notified = true;
	c->stream += sizeof(close_notify) + dir_overhead(&c->tx);
	close_unread(_metadata, c);
	expect_outcome(_metadata, &self->s, variant->want);
	expect_hold(_metadata, variant->ending);
}

/* kill -9: nobody calls close(). SO_LINGER { 1, 0 } counts all the same. */
SCENE_FIXTURE(killed)

FIXTURE_VARIANT(killed) {
	int mode;
	int family;
	bool close_wait;	/* or else ESTABLISHED */
	bool unread;
	bool linger;
};

#define KILLED(name, ...)						\
	FIXTURE_VARIANT_ADD(killed, name##_mode0) { 0, __VA_ARGS__ };	\
	FIXTURE_VARIANT_ADD(killed, name##_mode1) { 1, __VA_ARGS__ };	\
	FIXTURE_VARIANT_ADD(killed, name##_mode2) { 2, __VA_ARGS__ };

KILLED(ipv4_CLOSE_WAIT_unread, AF_INET, true, true, false)
KILLED(ipv4_CLOSE_WAIT_linger, AF_INET, true, false, true)
KILLED(ipv6_CLOSE_WAIT_linger, AF_INET6, true, false, true)
KILLED(ipv6_CLOSE_WAIT_both, AF_INET6, true, true, true)
KILLED(ipv4_ESTABLISHED_unread, AF_INET, false, true, false)
KILLED(ipv4_ESTABLISHED_linger, AF_INET, false, false, true)
KILLED(ipv6_ESTABLISHED_linger, AF_INET6, false, false, true)

TEST_F(killed, by_signal)
{
	struct conn_opts opts = { .family = variant->family };
	struct scene *s = &self->s;
	struct conn *c = &s->conn;
	bool held = variant->mode == 2 ||
		    (variant->mode == 1 && variant->close_wait);
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &s->bed, &opts);
	conn_upload(c, BULK);
	if (variant->unread) {
		peer_reply(c);
		ASSERT_TRUE(conn_await_unread(c));
	}
	if (variant->close_wait) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	if (variant->linger)
		conn_linger(c, 0);
	pid = give_to_child(_metadata, c);
	expect_open(_metadata, s);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	expect_outcome(_metadata, s, held ? WHOLE_RST : CUT);
	expect_hold(_metadata, held ? "RstSent" : NULL);
	expect_aborts(_metadata, variant->unread, !variant->unread);
	if (drst_present()) {
		EXPECT_EQ(!held, drst_stat("CutByMode"));
	}
}

TEST_HARNESS_MAIN
