// SPDX-License-Identifier: GPL-2.0
/*
 * What can happen around a connection that is held: its address, its route, its
 * device or its namespace goes, the path gets narrower, its process's cgroup has
 * no memory; and what can happen to the process that closes it.
 */
#include "kselftest_harness.h"

#include <linux/io_uring.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "inbound.h"

#define TIMEOUT_MS 300

static const struct conn_opts defaults;

/* All but the close() that owes a RST in CLOSE_WAIT. */
static void owe(TEST_ARG, struct conn *c)
{
	to_close_wait(_metadata, c);
}

static void open_and_upload(TEST_ARG, struct scene *s, int family, bool owing)
{
	struct conn_opts opts = { .family = family };

	conn_open(&s->conn, &s->bed, &opts);
	conn_upload(&s->conn, BULK);
	if (owing)
		owe(_metadata, &s->conn);
}

static void expect_by_mode(TEST_ARG, struct scene *s, int mode, bool owing)
{
	expect_outcome(_metadata, s, !owing ? WHOLE_FIN :
				     mode ? WHOLE_RST : CUT);
	expect_hold(_metadata, !mode ? NULL : owing ? "RstSent" : "Flushed");
}

/* ---- nothing can be sent ---- */

enum trouble { ADDRESS, BLACKHOLE, UNREACHABLE, DEVICE };

FIXTURE(path) {
	struct scene s;
	int elsewhere;		/* a third namespace */
};

FIXTURE_SETUP(path)
{
	scene_open(&self->s);
	self->elsewhere = ns_create(&self->s.bed);
}

FIXTURE_TEARDOWN(path)
{
	conn_free(&self->s.conn);
	EXPECT_TRUE(inbound_adds_up());
	EXPECT_TRUE(scene_close(&self->s));
	close(self->elsewhere);
}

FIXTURE_VARIANT(path) {
	enum trouble trouble;
	int mode;
	int family;
	bool owing;
};

FIXTURE_VARIANT_ADD(path, address_mode0) { ADDRESS, 0, AF_INET, true };
FIXTURE_VARIANT_ADD(path, address_mode1) { ADDRESS, 1, AF_INET, true };
FIXTURE_VARIANT_ADD(path, address_ipv6_mode2) { ADDRESS, 2, AF_INET6, true };
FIXTURE_VARIANT_ADD(path, address_nothing_owed) { ADDRESS, 1, AF_INET, false };
FIXTURE_VARIANT_ADD(path, blackhole_ipv6_mode0) { BLACKHOLE, 0, AF_INET6, true };
FIXTURE_VARIANT_ADD(path, blackhole_mode2) { BLACKHOLE, 2, AF_INET, true };
FIXTURE_VARIANT_ADD(path, unreachable_mode0) { UNREACHABLE, 0, AF_INET, false };
FIXTURE_VARIANT_ADD(path, unreachable_ipv6_mode1) { UNREACHABLE, 1, AF_INET6, true };
FIXTURE_VARIANT_ADD(path, unreachable_mode2) { UNREACHABLE, 2, AF_INET, false };
FIXTURE_VARIANT_ADD(path, device_mode0) { DEVICE, 0, AF_INET, true };
FIXTURE_VARIANT_ADD(path, device_mode1) { DEVICE, 1, AF_INET, true };
FIXTURE_VARIANT_ADD(path, device_ipv6_mode2) { DEVICE, 2, AF_INET6, false };

static void trouble_set(FIXTURE_DATA(path) *self, enum trouble what, int family,
			bool on)
{
	struct bed *bed = &self->s.bed;

	switch (what) {
	case ADDRESS:
		return addr_set(bed, SIDE_A, family, !on);
	case BLACKHOLE:
		return route_set(bed, SIDE_A, family, RTN_BLACKHOLE, on);
	case UNREACHABLE:
		return route_set(bed, SIDE_A, family, RTN_UNREACHABLE, on);
	case DEVICE:
		return (on ? link_leave : link_return)(bed, SIDE_A,
						       self->elsewhere);
	}
}

/* How often the sender has tried since something was acknowledged. */
static int tries_in_vain(const struct conn *c)
{
	static char text[65536];
	unsigned int port, timeouts, probes;
	char *line, *save;

	read_file(c->family == AF_INET ? "/proc/thread-self/net/tcp" :
					 "/proc/thread-self/net/tcp6",
		  text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%*d: %*[0-9A-F]:%x %*s %*s %*s %*s %x %*u %u",
			   &port, &timeouts, &probes) == 3 && port == c->port)
			return timeouts + probes;
	}
	return -1;
}

/* Vanilla's RST is one that got lost; the peer has to ask for another. */
TEST_F(path, comes_back)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, &self->s, variant->family, variant->owing);
	trouble_set(self, variant->trouble, variant->family, true);
	conn_close(c);
	if (variant->mode || !variant->owing) {
		/* Nearly always at once; TCP is free to wait for longer. */
		if (!EVENTUALLY(tries_in_vain(c) > 0))
			TH_LOG("no try in time");
		peer_drain(c);
	}
	if (variant->mode) {
		EXPECT_TRUE(drst_adds_up(1));
	}
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
	trouble_set(self, variant->trouble, variant->family, false);
	peer_keepalive(c);	/* asks, should a window update be lost */
	peer_drain(c);
	expect_by_mode(_metadata, &self->s, variant->mode, variant->owing);
}

/* A bound ends the hold, and nothing of it is left. */
TEST_F(path, stays_away)
{
	struct conn *c = &self->s.conn;

	if (!variant->mode)
		SKIP(return, "nothing is held in vanilla");
	REQUIRE_MODE(variant->mode);
	drst_set("timeout_ms", TIMEOUT_MS);
	open_and_upload(_metadata, &self->s, variant->family, variant->owing);
	trouble_set(self, variant->trouble, variant->family, true);
	conn_close(c);
	expect_hold(_metadata, "TimedOut");
	EXPECT_EQ(0, tls_stat("CurrTxSw"));
	trouble_set(self, variant->trouble, variant->family, false);
	/* The RST that was owed went nowhere; who asks now gets one. */
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
	peer_keepalive(c);	/* as above */
	if (variant->owing) {
		peer_drain(c);
		expect_cut(_metadata, &self->s);
	} else {
		expect_whole_fin(_metadata, &self->s);
	}
}

/* What has arrived is there to be read, whatever becomes of the path. */
TEST_F(path, inbound)
{
	const struct cell cell = {
		.mode = variant->mode,
		.family = variant->family,
		.rx = variant->owing,
		.state = TCP_FIN_WAIT2,
		.version = TLS_1_3_VERSION,
	};
	struct conn *c = &self->s.conn;

	if (!variant->mode)
		SKIP(return, "nothing is held in vanilla");
	REQUIRE_MODE(variant->mode);
	hold_in_cell(_metadata, &self->s, &cell);
	trouble_set(self, variant->trouble, variant->family, true);
	expect_held(_metadata, c, &cell);
	expect_delivered(_metadata, c, &cell);
	trouble_set(self, variant->trouble, variant->family, false);
}

/* ---- the path gets narrower, or says so ---- */

SCENE_FIXTURE(icmp)

FIXTURE_VARIANT(icmp) {
	int mode;
	bool owing;
};

FIXTURE_VARIANT_ADD(icmp, mode0) { 0, false };
FIXTURE_VARIANT_ADD(icmp, owing_mode1) { 1, true };
FIXTURE_VARIANT_ADD(icmp, mode1) { 1, false };
FIXTURE_VARIANT_ADD(icmp, owing_mode2) { 2, true };

/*
 * The queue that is left is sent in segments for packets of @mtu bytes: but for a
 * few at the beginning, so more than half way from 1500 to that will do.
 */
static void expect_narrow(TEST_ARG, struct scene *s, int mode, bool owing,
			  int mtu, int headers)
{
	const struct flow *flow = wire_flow(&s->wire, s->conn.port);
	int packets = flow->packets[SIDE_A];
	int left = s->conn.stream - flow->sent[SIDE_A];
	int half_way = (1500 + mtu) / 2 - headers;

	expect_by_mode(_metadata, s, mode, owing);
	packets = flow->packets[SIDE_A] - packets;
	EXPECT_LT(left / half_way, packets);
}

TEST_F(icmp, fragmentation_needed)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(variant->mode);
	link_single_packets(&s->bed, true);
	open_and_upload(_metadata, s, AF_INET, variant->owing);
	conn_close(&s->conn);
	peer_icmp(&s->conn, &s->bed, &s->wire, ICMP_FRAG_NEEDED, 600);
	expect_narrow(_metadata, s, variant->mode, variant->owing, 600, 40);
}

TEST_F(icmp, mtu_lowered)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(variant->mode);
	link_single_packets(&s->bed, true);
	open_and_upload(_metadata, s, AF_INET, variant->owing);
	conn_close(&s->conn);
	link_mtu(&s->bed, SIDE_A, 600);
	expect_narrow(_metadata, s, variant->mode, variant->owing, 600, 40);
}

TEST_F(icmp, mtu_lowered_ipv6)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(variant->mode);
	link_single_packets(&s->bed, true);
	open_and_upload(_metadata, s, AF_INET6, variant->owing);
	conn_close(&s->conn);
	link_mtu(&s->bed, SIDE_A, 1280);
	expect_narrow(_metadata, s, variant->mode, variant->owing, 1280, 60);
}

/*
 * With IP_RECVERR, TCP makes an error of the socket's out of it, and goes on. In
 * LAST_ACK that is what sk_err says still when all has been acknowledged.
 */
TEST_F(icmp, error_of_the_socket)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, s, AF_INET, variant->owing);
	sockopt(c->fd, IPPROTO_IP, IP_RECVERR, 1);
	if (!variant->owing) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	conn_close(c);
	peer_icmp(c, &s->bed, &s->wire, ICMP_PORT_UNREACH, 0);
	expect_by_mode(_metadata, s, variant->mode, variant->owing);
}

/* ---- namespaces ---- */

#define MANY 50
#define LITTLE 65536	/* and more than the peer's window takes */

FIXTURE(namespace) {
	struct scene s;
	struct conn conns[MANY];
	long refs;
};

FIXTURE_SETUP(namespace)
{
	self->refs = drst_users_before();
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(namespace)
{
	int i;

	for (i = 0; i < MANY; i++)
		conn_free(&self->conns[i]);
	EXPECT_TRUE(scene_close(&self->s));
	EXPECT_TRUE(EVENTUALLY(drst_users() <= self->refs));
}

FIXTURE_VARIANT(namespace) {
	int mode;
};

FIXTURE_VARIANT_ADD(namespace, mode0) { 0 };
FIXTURE_VARIANT_ADD(namespace, mode1) { 1 };
FIXTURE_VARIANT_ADD(namespace, mode2) { 2 };

/* Everything that keeps the sender's namespace is this child's in the end. */
static pid_t leave_to_child(TEST_ARG, FIXTURE_DATA(namespace) *self)
{
	pid_t pid = fork();
	int i;

	ASSERT_LE(0, pid);
	if (!pid) {
		for (i = 0; i < MANY; i++)
			close(self->conns[i].peer);
		for (;;)
			pause();
	}
	for (i = 0; i < MANY; i++)
		conn_close(&self->conns[i]);
	bed_enter(&self->s.bed, SIDE_B);
	close(self->s.bed.ns[SIDE_A]);
	self->s.bed.ns[SIDE_A] = -1;
	return pid;
}

/* The other end of the pair goes with the namespace. */
static bool namespace_gone(void)
{
	int tries = 4;
	bool gone;

	while (!(gone = EVENTUALLY(!if_nametoindex("veth0"))) && --tries)
		;
	return gone;
}

/* Nobody is in it any more, and yet it is there until all has been delivered. */
TEST_F(namespace, last_process_killed)
{
	struct scene *s = &self->s;
	struct conn *c;
	pid_t pid;
	int i;

	REQUIRE_MODE(variant->mode);
	for (i = 0; i < MANY; i++) {
		c = &self->conns[i];
		conn_open(c, &s->bed, &defaults);
		conn_upload(c, LITTLE);
		owe(_metadata, c);
	}
	pid = leave_to_child(_metadata, self);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	for (i = 0; i < MANY; i++) {
		if (variant->mode) {
			EXPECT_NE(0, if_nametoindex("veth0"));
		}
		s->conn = self->conns[i];
		expect_outcome(_metadata, s, variant->mode ? WHOLE_RST : CUT);
		self->conns[i] = s->conn;
	}
	memset(&s->conn, 0, sizeof(s->conn));
	EXPECT_TRUE(namespace_gone());
}

/* A third each: held, open and owing, with the peer's RST held. */
static void fill_namespace(TEST_ARG, FIXTURE_DATA(namespace) *self, int mode)
{
	const struct cell cell = { .mode = 2, .state = TCP_ESTABLISHED,
				   .rx = true, .family = AF_INET };
	struct conn *c;
	int i;

	bed_open(&self->s.bed);
	MUST(drst_mode(mode));
	for (i = 0; i < MANY; i++) {
		c = &self->conns[i];
		if (i % 3 == 2) {
			upload_in_cell(_metadata, &self->s, c, &cell);
			peer_reset(c);
			continue;
		}
		conn_open(c, &self->s.bed, &defaults);
		conn_upload(c, LITTLE);
		owe(_metadata, c);
		if (i % 3 == 1)
			conn_close(c);
	}
	if (mode)
		MUST(drst_stat_await("CurrHeld", (MANY + 1) / 3));
	if (mode == 2)
		MUST(drst_stat_await("CurrInHeld", MANY / 3));
}

/* With nothing left that could acknowledge: long before any bound. */
TEST_F(namespace, killed_with_both_ends)
{
	int ready[2];
	char byte;
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fill_namespace(_metadata, self, variant->mode);
		MUST(write(ready[1], "", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	if (drst_present()) {
		EXPECT_LT(self->refs, drst_users());
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	close(ready[0]);
	EXPECT_TRUE(EVENTUALLY(drst_users() <= self->refs));
}

/* ---- memory cgroups ---- */

#define CGROUPS "/sys/fs/cgroup/"

FIXTURE(cgroup) {
	struct scene s;
	char dir[64];
	bool there;
};

static int group_write(FIXTURE_DATA(cgroup) *self, const char *file,
		       const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", self->dir, file);
	return write_file(path, text);
}

FIXTURE_SETUP(cgroup)
{
	scene_open(&self->s);
	write_file(CGROUPS "cgroup.subtree_control", "+memory");
	snprintf(self->dir, sizeof(self->dir), CGROUPS "drst-%d", getpid());
	self->there = !mkdir(self->dir, 0755) &&
		      !group_write(self, "memory.max", "max");
}

FIXTURE_TEARDOWN(cgroup)
{
	rmdir(self->dir);
	EXPECT_TRUE(scene_close(&self->s));
}

FIXTURE_VARIANT(cgroup) {
	int mode;
	bool owing;
};

FIXTURE_VARIANT_ADD(cgroup, mode0) { 0, true };
FIXTURE_VARIANT_ADD(cgroup, mode1) { 1, true };
FIXTURE_VARIANT_ADD(cgroup, mode2) { 2, true };
FIXTURE_VARIANT_ADD(cgroup, nothing_owed_mode0) { 0, false };
FIXTURE_VARIANT_ADD(cgroup, nothing_owed_mode1) { 1, false };

#define REQUIRE_GROUP() do {						\
	if (!self->there)						\
		SKIP(return, "no memory controller of cgroup v2");	\
} while (0)

static void group_add(TEST_ARG, FIXTURE_DATA(cgroup) *self, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	ASSERT_EQ(0, group_write(self, "cgroup.procs", text));
}

/*
 * A child that closes two descriptors when it is told to. The first one is for
 * it to have all pages that it needs for the second.
 */
static pid_t closer(TEST_ARG, struct conn *c, int order[2], int done[2])
{
	int spare = dup(c->peer), fd, i;
	pid_t pid;

	ASSERT_EQ(0, pipe(order));
	ASSERT_EQ(0, pipe(done));
	pid = child(c);
	if (pid) {
		ASSERT_EQ(sizeof(spare), write(order[1], &spare, sizeof(spare)));
		ASSERT_EQ(sizeof(fd), read(done[0], &fd, sizeof(fd)));
		close(spare);
		return pid;
	}
	write_file("/proc/self/oom_score_adj", "-1000");
	for (i = 0; i < 2; i++) {
		syscall(SYS_read, order[0], &fd, sizeof(fd));
		syscall(SYS_close, fd);
		if (!i)
			syscall(SYS_write, done[1], &fd, sizeof(fd));
	}
	syscall(SYS_exit_group, 0);
	_exit(1);
}

/* Who closes cannot have a byte: it is vanilla that happens. */
TEST_F(cgroup, no_memory_at_close)
{
	struct conn *c = &self->s.conn;
	int order[2], done[2], fd;
	pid_t pid;

	REQUIRE_GROUP();
	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, &self->s, AF_INET, variant->owing);
	pid = closer(_metadata, c, order, done);
	ASSERT_EQ(0, group_write(self, "memory.max", "0"));
	group_add(_metadata, self, pid);
	fd = c->fd;
	conn_close(c);
	ASSERT_EQ(sizeof(fd), write(order[1], &fd, sizeof(fd)));
	EXPECT_EQ(0, child_status(pid, 10));
	expect_outcome(_metadata, &self->s, variant->owing ? CUT : WHOLE_FIN);
	expect_hold(_metadata, variant->mode ? "Memory" : NULL);
	EXPECT_TRUE(EVENTUALLY(!rmdir(self->dir)));
}

/* All processes of a group are killed, and it goes while they are held. */
TEST_F(cgroup, killed)
{
	struct conn *c = &self->s.conn;
	pid_t pid;

	REQUIRE_GROUP();
	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, &self->s, AF_INET, variant->owing);
	pid = child(c);
	if (!pid) {
		for (;;)
			pause();
	}
	group_add(_metadata, self, pid);
	conn_close(c);
	ASSERT_EQ(0, group_write(self, "cgroup.kill", "1"));
	EXPECT_EQ(-2, child_status(pid, 10));
	EXPECT_TRUE(EVENTUALLY(!rmdir(self->dir)));
	if (variant->mode) {
		EXPECT_EQ(1, drst_stat("CurrHeld"));
	}
	expect_by_mode(_metadata, &self->s, variant->mode, variant->owing);
}

/* The queue is charged to a group that has no memory, and then is not there. */
TEST_F(cgroup, charged_to_it)
{
	struct conn *c = &self->s.conn;

	REQUIRE_GROUP();
	REQUIRE_MODE(variant->mode);
	group_add(_metadata, self, getpid());
	open_and_upload(_metadata, &self->s, AF_INET, variant->owing);
	ASSERT_EQ(0, write_file(CGROUPS "cgroup.procs", "0"));
	conn_close(c);
	ASSERT_EQ(0, group_write(self, "memory.max", "0"));
	EXPECT_TRUE(EVENTUALLY(!rmdir(self->dir)));
	expect_by_mode(_metadata, &self->s, variant->mode, variant->owing);
}

/* ---- who closes ---- */

SCENE_FIXTURE(closing)

FIXTURE_VARIANT(closing) {
	int mode;
};

FIXTURE_VARIANT_ADD(closing, mode0) { 0 };
FIXTURE_VARIANT_ADD(closing, mode1) { 1 };
FIXTURE_VARIANT_ADD(closing, mode2) { 2 };

/* Sits this process, or thread, in the system call @nr? */
static bool sits_in(pid_t pid, long nr)
{
	char path[64];
	bool sits;
	long in;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "re");
	if (!f)
		return false;	/* it has gone */
	sits = fscanf(f, "%ld", &in) == 1 && in == nr;	/* or "running" */
	fclose(f);
	return sits;
}

/* close() that lingers for long, in a child; a signal ends the waiting. */
static void linger_interrupted(TEST_ARG, struct scene *s, int mode, int sig)
{
	struct sigaction action = { .sa_handler = signal_nothing };
	struct conn *c = &s->conn;
	int go[2], fd;
	char byte;
	pid_t pid;

	open_and_upload(_metadata, s, AF_INET, false);
	conn_linger(c, 1000);
	ASSERT_EQ(0, pipe(go));
	fd = c->fd;
	pid = child(c);
	if (!pid) {
		MUST(!sigaction(SIGUSR1, &action, NULL));
		MUST(read(go[0], &byte, 1) == 1);
		_exit(close(fd) ? 1 : 0);
	}
	conn_close(c);
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_TRUE(EVENTUALLY(sits_in(pid, SYS_close)));
	ASSERT_EQ(0, kill(pid, sig));
	EXPECT_EQ(sig == SIGKILL ? -2 : 0, child_status(pid, 10));
	expect_by_mode(_metadata, s, mode, false);
}

TEST_F(closing, linger_interrupted)
{
	REQUIRE_MODE(variant->mode);
	linger_interrupted(_metadata, &self->s, variant->mode, SIGUSR1);
}

TEST_F(closing, linger_killed)
{
	REQUIRE_MODE(variant->mode);
	linger_interrupted(_metadata, &self->s, variant->mode, SIGKILL);
}

/* A process that has shut its upload down both ways, and is stopped then */
static pid_t stop_after_shutdown(TEST_ARG, struct scene *s)
{
	struct conn *c = &s->conn;
	int status;
	pid_t pid;

	open_and_upload(_metadata, s, AF_INET, false);
	pid = child(c);
	if (!pid) {
		MUST(!shutdown(c->fd, SHUT_RDWR));
		raise(SIGSTOP);
		_exit(1);
	}
	conn_close(c);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	return pid;
}

/* The hold begins when the process is killed, not when it shuts down. */
TEST_F(closing, stopped_and_killed)
{
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	pid = stop_after_shutdown(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-2, child_status(pid, 10));
	peer_reply_by_mode(_metadata, &self->s, variant->mode);
	expect_outcome(_metadata, &self->s, variant->mode ? WHOLE_FIN_RST : CUT);
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/* What arrives while it is only stopped is answered as ever. */
TEST_F(closing, stopped_and_reset)
{
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	pid = stop_after_shutdown(_metadata, &self->s);
	peer_reply(&self->s.conn);
	expect_cut(_metadata, &self->s);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-2, child_status(pid, 10));
	expect_hold(_metadata, NULL);
	expect_aborts(_metadata, 0, 1);
}

/* All that has arrived, and then the reset. */
static int read_to_reset(int fd, size_t len)
{
	char buf[256];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0)
		len -= got;
	return got < 0 && errno == ECONNRESET && !len ? 0 : 1;
}

/* Stopped, it does not read, and a bound ends the hold of the peer's RST. */
TEST_F(closing, stopped_reader)
{
	struct conn *c = &self->s.conn;
	int status;
	pid_t pid;

	REQUIRE_MODE(variant->mode);
	if (variant->mode)
		drst_set("timeout_ms", TIMEOUT_MS);
	conn_open(c, &self->s.bed, &defaults);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	pid = child(c);
	if (!pid) {
		raise(SIGSTOP);
		_exit(read_to_reset(c->fd, c->replied));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	peer_reset(c);
	if (variant->mode == 2) {
		EXPECT_TRUE(drst_stat_await("InTimedOut", 1));
	}
	EXPECT_TRUE(conn_await_state(c, TCP_CLOSE));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_EQ(0, child_status(pid, 10));
	EXPECT_TRUE(inbound_adds_up());
}

/*
 * A thread sits in a call on the socket when another closes the descriptor: the
 * socket is closed when the call returns.
 */
struct sitter {
	struct conn *conn;
	int flags;
	pid_t tid;
	int fd;			/* stays known */
	ssize_t ret;
	pthread_t thread;
};

static void *sit_in_recv(void *arg)
{
	struct sitter *s = arg;
	char buf[4096];

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	/* Until the end of file. */
	s->ret = recv(s->fd, buf, sizeof(buf), s->flags | MSG_WAITALL);
	return NULL;
}

static void *sit_in_poll(void *arg)
{
	struct sitter *s = arg;
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->ret = ppoll(&p, 1, NULL, NULL);
	return NULL;
}

static void *sit_in_send(void *arg)
{
	struct sitter *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	conn_notify(s->conn);
	s->ret = 1;
	return NULL;
}

static void close_beside(TEST_ARG, struct scene *s, struct sitter *sitter,
			 void *(*sit)(void *), long nr)
{
	pid_t *tid = &sitter->tid;

	sitter->conn = &s->conn;
	sitter->fd = s->conn.fd;
	ASSERT_EQ(0, pthread_create(&sitter->thread, NULL, sit, sitter));
	ASSERT_TRUE(EVENTUALLY(__atomic_load_n(tid, __ATOMIC_ACQUIRE) &&
			       sits_in(*tid, nr)));
	conn_close(&s->conn);
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->fin[SIDE_A]);
	EXPECT_EQ(0, wire_flow(&s->wire, s->conn.port)->rst[SIDE_A]);
}

/* It all stays unread. */
TEST_F(closing, beside_recv)
{
	struct conn *c = &self->s.conn;
	struct sitter sitter = { .flags = MSG_PEEK };

	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, &self->s, AF_INET, false);
	close_beside(_metadata, &self->s, &sitter, sit_in_recv,
		     SYS_recvfrom);
	peer_reply(c);
	peer_shutdown_wr(c);
	ASSERT_EQ(0, pthread_join(sitter.thread, NULL));
	EXPECT_EQ((ssize_t)c->replied, sitter.ret);
	expect_by_mode(_metadata, &self->s, variant->mode, true);
}

/*
 * Nobody else could end a hold of the peer's RST. Without one the reader can lose
 * what comes right before it.
 */
TEST_F(closing, beside_recv_and_reset)
{
	struct conn *c = &self->s.conn;
	struct sitter sitter = { 0 };

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	close_beside(_metadata, &self->s, &sitter, sit_in_recv, SYS_recvfrom);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	peer_await_sent(c);
	peer_reset(c);
	ASSERT_EQ(0, pthread_join(sitter.thread, NULL));
	if (variant->mode == 2) {
		EXPECT_EQ((ssize_t)c->replied, sitter.ret);
	}
	EXPECT_TRUE(inbound_adds_up());
	expect_hold(_metadata, NULL);
}

TEST_F(closing, beside_poll)
{
	struct conn *c = &self->s.conn;
	struct sitter sitter = { 0 };

	REQUIRE_MODE(variant->mode);
	open_and_upload(_metadata, &self->s, AF_INET, false);
	close_beside(_metadata, &self->s, &sitter, sit_in_poll,
		     SYS_ppoll);
	peer_reply(c);
	peer_shutdown_wr(c);
	ASSERT_EQ(0, pthread_join(sitter.thread, NULL));
	EXPECT_EQ(1, sitter.ret);
	expect_by_mode(_metadata, &self->s, variant->mode, true);
}

/* As much room as three quarters of what TCP has now: none, for a while. */
static void take_room(struct conn *c)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	MUST(!getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	/* it gets doubled */
	sockopt(c->fd, SOL_SOCKET, SO_SNDBUF, mem[SK_MEMINFO_WMEM_QUEUED] / 8 * 3);
}

/* It is close_notify that waits for room, and gets it after close(). */
TEST_F(closing, beside_send)
{
	struct conn_opts opts = { .sndbuf = 131072 };
	struct conn *c = &self->s.conn;
	struct sitter sitter = { 0 };

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	while (conn_send_flags(c, REC_MAX_PLAIN, MSG_DONTWAIT) > 0)
		;
	take_room(c);
	owe(_metadata, c);
	close_beside(_metadata, &self->s, &sitter, sit_in_send,
		     SYS_sendmsg);
	/* No more than it needs: the rest is to be there at the end. */
	while (pthread_tryjoin_np(sitter.thread, NULL)) {
		if (sits_in(sitter.tid, SYS_sendmsg))
			ASSERT_LT(0, peer_read(c, 4096));
		pause_ms(1);
	}
	EXPECT_EQ(1, sitter.ret);
	expect_by_mode(_metadata, &self->s, variant->mode, true);
}

/* One request of io_uring's at a time. */
struct uring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqe;
};

static bool uring_open(struct uring *u)
{
	size_t size;

	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, 1, &u->params);
	if (u->fd < 0)
		return false;
	MUST(u->params.features & IORING_FEAT_SINGLE_MMAP);
	size = u->params.cq_off.cqes +
	       u->params.cq_entries * sizeof(struct io_uring_cqe) +
	       u->params.sq_entries * sizeof(uint32_t);
	u->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			IORING_OFF_SQ_RING);
	u->sqe = mmap(NULL, sizeof(*u->sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		      u->fd, IORING_OFF_SQES);
	MUST(u->rings != MAP_FAILED && u->sqe != MAP_FAILED);
	return true;
}

static void uring_poll(struct uring *u, int fd, unsigned int events)
{
	uint32_t *array = (void *)(u->rings + u->params.sq_off.array);
	uint32_t *tail = (void *)(u->rings + u->params.sq_off.tail);

	u->sqe->opcode = IORING_OP_POLL_ADD;
	u->sqe->fd = fd;
	u->sqe->poll32_events = uring_events(events);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) == 1);
}

static int uring_wait(struct uring *u)
{
	struct io_uring_cqe *cqe = (void *)(u->rings + u->params.cq_off.cqes);

	MUST(!syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS,
		      NULL, 0));
	return cqe->res;
}

/* The last reference is a request's. */
TEST_F(closing, beside_io_uring)
{
	struct conn *c = &self->s.conn;
	struct uring uring;

	REQUIRE_MODE(variant->mode);
	if (!uring_open(&uring))
		SKIP(return, "kernel without io_uring");
	open_and_upload(_metadata, &self->s, AF_INET, false);
	uring_poll(&uring, c->fd, POLLRDHUP);
	conn_close(c);
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->fin[SIDE_A]);
	peer_reply(c);
	peer_shutdown_wr(c);
	EXPECT_NE(0, uring_wait(&uring) & POLLRDHUP);
	expect_by_mode(_metadata, &self->s, variant->mode, true);
	close(uring.fd);
}

TEST_HARNESS_MAIN
