// SPDX-License-Identifier: GPL-2.0
/*
 * What can be seen of a held connection: /proc/net/tls_drst, ss -ti, and the
 * tracepoints tls_drst:*.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "inbound.h"
#include "lib/diag.h"

#define TRACING "/sys/kernel/tracing/"
#define LIST "/proc/thread-self/net/tls_drst"
#define LATE_MS 1000	/* by which jiffies may be late on a busy host */

static void trace_events(const char *on)
{
	MUST(!write_file(TRACING "events/tls_drst/enable", on));
}

FIXTURE(visible) {
	struct scene s;
};

FIXTURE_SETUP(visible)
{
	scene_open(&self->s);
	if (!drst_present())
		return;
	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
	trace_events("1");
}

FIXTURE_TEARDOWN(visible)
{
	if (drst_present())
		trace_events("0");
	conn_free(&self->s.conn);
	EXPECT_TRUE(inbound_adds_up());
	EXPECT_TRUE(scene_close(&self->s));
}

FIXTURE_VARIANT(visible) {
	int family;
	const char *from, *to;	/* as the tracepoints write them */
	const char *local, *remote;	/* as the list does */
};

FIXTURE_VARIANT_ADD(visible, ipv4) {
	AF_INET, "[::ffff:192.0.2.1]", "[::ffff:192.0.2.2]", "192.0.2.1", "192.0.2.2"
};
FIXTURE_VARIANT_ADD(visible, ipv6) {
	AF_INET6, "[2001:db8::1]", "[2001:db8::2]", "[2001:db8::1]", "[2001:db8::2]"
};

static void upload(struct scene *s, int family)
{
	struct conn_opts opts = { .family = family };

	conn_open(&s->conn, &s->bed, &opts);
	conn_upload(&s->conn, BULK);
}

/* `ss -ti` tells a held connection by the name of its ULP. */
TEST_F(visible, ulp_name)
{
	struct conn *c = &self->s.conn;
	char name[64];

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	conn_ulp_name(c, name, sizeof(name));
	EXPECT_STREQ("tls", name);
	conn_close(c);
	EXPECT_TRUE(drst_adds_up(1));
	conn_ulp_name(c, name, sizeof(name));
	EXPECT_STREQ("tls-held", name);
}

/* What /proc/net/tcp says of the sender's socket; false if there is none. */
static bool owner_of(const struct conn *c, unsigned int *uid, unsigned long *ino)
{
	FILE *file = fopen(c->family == AF_INET6 ?
			   "/proc/thread-self/net/tcp6" :
			   "/proc/thread-self/net/tcp", "r");
	unsigned int port = 0;
	char line[512];

	MUST(file);
	while (port != c->port && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %u %*d %lu",
			   &port, uid, ino) != 3)
			port = 0;
	fclose(file);
	return port == c->port;
}

static unsigned int uid_after_close(TEST_ARG, struct scene *s, int family, int mode)
{
	struct conn_opts opts = { .family = family };
	unsigned int uid = -1;
	unsigned long ino = 0, before;
	struct conn conn, *c = &conn;
	struct stat st;

	MUST(drst_mode(mode));
	conn_open(c, &s->bed, &opts);
	conn_upload(c, BULK);
	MUST(!fchown(c->fd, 12345, -1) && !fstat(c->fd, &st));
	EXPECT_TRUE(owner_of(c, &uid, &before));
	EXPECT_EQ(12345, uid);
	EXPECT_EQ(st.st_ino, before);
	conn_close(c);
	EXPECT_TRUE(drst_adds_up(mode));
	EXPECT_TRUE(owner_of(c, &uid, &ino));
	EXPECT_TRUE(!ino || (mode && ino == before));
	close(c->peer);
	return uid;
}

/* As with any orphan, the user is to be seen since 6.18, and not before. */
TEST_F(visible, owner)
{
	unsigned int orphans;

	REQUIRE_MODE(1);
	orphans = uid_after_close(_metadata, &self->s, variant->family, 0);
	EXPECT_TRUE(orphans == 0 || orphans == 12345);
	EXPECT_EQ(orphans, uid_after_close(_metadata, &self->s, variant->family, 1));
}

/* The lines of the list, without its head */
static int listed(char *text, size_t size)
{
	const char *p;
	int lines = -1;

	read_file(LIST, text, size);
	for (p = text; (p = strchr(p, '\n')); p++)
		lines++;
	return lines;
}

struct line {
	char local[80], remote[80], cause[16];
	unsigned int state, bytes, held, idle;
	unsigned long long cookie;
};

/* The only line of the list; false if there are more, or none. */
static bool listed_one(struct line *line)
{
	char text[4096];

	return listed(text, sizeof(text)) == 1 &&
	       sscanf(strchr(text, '\n') + 1, "%79s %79s %X %15s %u %u %u %llx",
		      line->local, line->remote, &line->state, line->cause,
		      &line->bytes, &line->held, &line->idle, &line->cookie) == 8;
}

/* @name: SO_COOKIE, SO_NETNS_COOKIE */
static unsigned long long cookie_of(const struct conn *c, int name)
{
	unsigned long long cookie;
	socklen_t len = sizeof(cookie);

	MUST(!getsockopt(c->fd, SOL_SOCKET, name, &cookie, &len));
	return cookie;
}

TEST_F(visible, list)
{
	struct conn *c = &self->s.conn;
	char text[4096], want[80];
	unsigned long long cookie;
	struct line line;
	long opened;
	int queued;

	REQUIRE_MODE(1);
	opened = clock_ms(CLOCK_MONOTONIC);
	upload(&self->s, variant->family);
	to_close_wait(_metadata, c);
	ASSERT_TRUE(conn_await_stalled(c));
	queued = conn_queued(c);
	cookie = cookie_of(c, SO_COOKIE);
	EXPECT_EQ(0, listed(text, sizeof(text)));
	conn_close(c);
	ASSERT_TRUE(listed_one(&line));
	EXPECT_EQ(TCP_CLOSE_WAIT, line.state);
	EXPECT_STREQ("unread", line.cause);
	EXPECT_EQ(queued, line.bytes);
	EXPECT_GE(clock_ms(CLOCK_MONOTONIC) - opened + LATE_MS, line.held);
	EXPECT_GE(line.held, line.idle);
	EXPECT_EQ(cookie, line.cookie);
	snprintf(want, sizeof(want), "%s:%u", variant->local, c->port);
	EXPECT_STREQ(want, line.local);
	snprintf(want, sizeof(want), "%s:%d", variant->remote, PEER_PORT);
	EXPECT_STREQ(want, line.remote);
	bed_enter(&self->s.bed, SIDE_B);	/* whose list has its own only */
	EXPECT_EQ(0, listed(text, sizeof(text)));
	bed_enter(&self->s.bed, SIDE_A);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	EXPECT_EQ(0, listed(text, sizeof(text)));
}

/* With an acknowledgement idle_ms begins again, and held_ms goes on. */
TEST_F(visible, list_idle)
{
	struct conn *c = &self->s.conn;
	struct line silent, line;

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	ASSERT_TRUE(conn_await_stalled(c));
	close_unread(_metadata, c);
	ASSERT_TRUE(EVENTUALLY(listed_one(&silent) && silent.idle >= 400));
	ASSERT_LT(0, peer_read(c, 16384));
	ASSERT_TRUE(EVENTUALLY(listed_one(&line) && line.idle + 300 < line.held));
	EXPECT_GT(silent.bytes, line.bytes);
	expect_whole_rst(_metadata, &self->s);
}

TEST_F(visible, list_inbound)
{
	const struct cell cell = { 2, variant->family, txrx, TCP_ESTABLISHED,
				   TLS_1_3_VERSION };
	char text[4096], what[64];

	REQUIRE_MODE(2);
	hold_in_cell(_metadata, &self->s, &cell);
	ASSERT_EQ(1, listed(text, sizeof(text)));
	snprintf(what, sizeof(what), " 07 peer %d ", unread_bytes(&self->s.conn));
	EXPECT_TRUE(strstr(text, what)) {
		TH_LOG("%s", text);
	}
	expect_delivered(_metadata, &self->s.conn, &cell);
	EXPECT_EQ(0, listed(text, sizeof(text)));
}

/* MSG_PEEK is no progress, though kTLS takes the records from TCP for it. */
TEST_F(visible, list_inbound_peek)
{
	const struct cell cell = { 2, variant->family, txrx, TCP_ESTABLISHED,
				   TLS_1_3_VERSION };
	char buf[RECORDS * RECORD_LEN];
	struct line line;

	REQUIRE_MODE(2);
	hold_in_cell(_metadata, &self->s, &cell);
	ASSERT_TRUE(EVENTUALLY(listed_one(&line) && line.idle >= 300));
	EXPECT_LT(0, recv(self->s.conn.fd, buf, sizeof(buf), MSG_PEEK));
	ASSERT_TRUE(listed_one(&line));
	EXPECT_LE(300, line.idle);
	expect_delivered(_metadata, &self->s.conn, &cell);
}

/* The line of the trace with this event and this connection, up to its end */
static const char *traced(char *text, size_t size, const char *event,
			  const struct conn *c,
			  const FIXTURE_VARIANT(visible) *variant)
{
	char tuple[128];
	char *line, *save;

	snprintf(tuple, sizeof(tuple), " src=%s:%u dst=%s:%d ", variant->from,
		 c->port, variant->to, PEER_PORT);
	read_file(TRACING "trace", text, size);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, event) && strstr(line, tuple))
			return line;
	return NULL;
}

#define EXPECT_TRACED(event, what) do {					\
	const char *_line = traced(text, sizeof(text), event ": ", c, variant); \
									\
	EXPECT_NE(NULL, _line) {					\
		TH_LOG("no " event);					\
	}								\
	EXPECT_TRUE(_line && strstr(_line, what)) {			\
		TH_LOG("%s", _line);					\
	}								\
} while (0)

TEST_F(visible, traced)
{
	struct conn *c = &self->s.conn;
	static char text[65536];
	char what[128];
	int queued;

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	EXPECT_TRACED("tls_drst_notify", "state=ESTABLISHED");
	ASSERT_TRUE(conn_await_stalled(c));
	queued = conn_queued(c);
	close_unread(_metadata, c);
	snprintf(what, sizeof(what), "state=CLOSE_WAIT cause=unread bytes=%d",
		 queued);
	EXPECT_TRACED("tls_drst_hold", what);
	EXPECT_TRACED("tls_drst_stage", "state=CLOSE_WAIT stage=TCP");
	EXPECT_EQ(NULL, traced(text, sizeof(text), "tls_drst_release", c,
			       variant));
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	snprintf(what, sizeof(what),
		 "state=CLOSE_WAIT cause=unread how=RstSent held=%d bytes=0 ns=",
		 queued);
	EXPECT_TRACED("tls_drst_release", what);
}

/* A RST becomes pending after close(). */
TEST_F(visible, cause_data)
{
	struct conn *c = &self->s.conn;
	static char text[65536];
	struct line line;

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	ASSERT_TRUE(conn_await_stalled(c));
	conn_close(c);
	ASSERT_TRUE(listed_one(&line));
	EXPECT_STREQ("none", line.cause);
	EXPECT_TRACED("tls_drst_hold", " cause=none ");
	peer_reply(c);
	EXPECT_TRUE(EVENTUALLY(listed_one(&line) && !strcmp("data", line.cause))) {
		TH_LOG("%s", line.cause);
	}
	expect_whole_fin_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	EXPECT_TRACED("tls_drst_release", " cause=data how=RstSent ");
}

TEST_F(visible, cause_linger)
{
	struct conn *c = &self->s.conn;
	static char text[65536];
	struct line line;

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	reach_state(_metadata, c, TCP_CLOSE_WAIT);
	conn_linger(c, 0);
	conn_close(c);
	ASSERT_TRUE(listed_one(&line));
	EXPECT_STREQ("linger", line.cause);
	EXPECT_TRACED("tls_drst_hold", " cause=linger ");
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	EXPECT_TRACED("tls_drst_release", " cause=linger how=RstSent ");
}

#define TIMEOUT_MS 300

TEST_F(visible, traced_timed_out)
{
	struct conn *c = &self->s.conn;
	unsigned int held, bytes;
	unsigned long long ns;
	static char text[65536];
	const char *line;
	char how[24];

	REQUIRE_MODE(1);
	drst_set("timeout_ms", TIMEOUT_MS);
	upload(&self->s, variant->family);
	ASSERT_TRUE(conn_await_stalled(c));
	close_unread(_metadata, c);
	expect_cut(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	line = traced(text, sizeof(text), "tls_drst_release: ", c, variant);
	ASSERT_NE(NULL, line);
	ASSERT_EQ(4, sscanf(strstr(line, " how=") ?: "",
			    " how=%23s held=%u bytes=%u ns=%llu", how, &held,
			    &bytes, &ns)) {
		TH_LOG("%s", line);
	}
	EXPECT_STREQ("TimedOut", how);
	EXPECT_LE(bytes, held);
	EXPECT_EQ(c->stream - wire_flow(&self->s.wire, c->port)->acked_at_rst,
		  bytes);
	EXPECT_LE((TIMEOUT_MS - 100) * 1000000ULL, ns);	/* jiffies may be late */
}

/* By which a reader of the trace knows one connection from another */
TEST_F(visible, traced_identity)
{
	static const char *const events[] = {
		"tls_drst_notify: ", "tls_drst_hold: ", "tls_drst_stage: ",
		"tls_drst_release: ",
	};
	const struct conn_opts opts = { .family = variant->family };
	unsigned long long cookie, netns, traced_cookie, traced_netns;
	struct conn *c = &self->s.conn;
	static char text[65536];
	const char *line;
	char skaddr[32];
	size_t i;

	REQUIRE_MODE(1);
	conn_open(c, &self->s.bed, &opts);
	cookie = cookie_of(c, SO_COOKIE);
	netns = cookie_of(c, SO_NETNS_COOKIE);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_settled());
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		line = traced(text, sizeof(text), events[i], c, variant);
		ASSERT_NE(NULL, line);
		ASSERT_EQ(3, sscanf(strstr(line, "skaddr=") ?: "",
				    "skaddr=%31s netns=%llu cookie=%llx", skaddr,
				    &traced_netns, &traced_cookie)) {
			TH_LOG("%s", line);
		}
		EXPECT_EQ(cookie, traced_cookie);
		EXPECT_EQ(netns, traced_netns);
		EXPECT_LT(strspn(skaddr, "0"), strlen(skaddr));
	}
}

/* Records that kTLS holds at close() are TCP's before the hold is over. */
TEST_F(visible, traced_stages)
{
	const struct conn_opts opts = { .family = variant->family };
	const char *ktls, *tcp, *over;
	struct conn *c = &self->s.conn;
	static char text[65536];

	REQUIRE_MODE(2);
	conn_open(c, &self->s.bed, &opts);
	conn_send(c, BULK);
	conn_leave_open(c);
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	/* The text is the same each time, and so a line's place in it. */
	ktls = traced(text, sizeof(text), " stage=KTLS", c, variant);
	tcp = traced(text, sizeof(text), " stage=TCP", c, variant);
	over = traced(text, sizeof(text), " stage=OVER", c, variant);
	ASSERT_TRUE(ktls && tcp && over);
	EXPECT_LT(ktls, tcp);
	EXPECT_LT(tcp, over);
}

/* How often do works with this function run within a while? */
static int works_run(const char *function)
{
	char dir[64], path[128], want[64];
	static char text[1 << 20];
	const char *p = text;
	int runs = 0;

	snprintf(dir, sizeof(dir), TRACING "instances/drst-%d", getpid());
	MUST(!mkdir(dir, 0755));
	snprintf(path, sizeof(path),
		 "%s/events/workqueue/workqueue_execute_start/enable", dir);
	MUST(!write_file(path, "1"));
	/* A limit that gets lower is a reason to look. */
	drst_set("timeout_ms", drst_get("timeout_ms") - 1);
	pause_ms(400);
	MUST(!write_file(path, "0"));
	snprintf(path, sizeof(path), "%s/trace", dir);
	read_file(path, text, sizeof(text));
	rmdir(dir);
	snprintf(want, sizeof(want), ": function %s", function);
	while ((p = strstr(p, want))) {
		p++;
		runs++;
	}
	return runs;
}

#define EXPECT_RESTS(function) do {					\
	int _runs = works_run(function);				\
									\
	EXPECT_LT(0, _runs);						\
	EXPECT_GE(5, _runs);						\
} while (0)

/* While nothing comes from the peer, a hold rests. */
TEST_F(visible, work_rests)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	ASSERT_TRUE(conn_await_stalled(c));
	close_unread(_metadata, c);
	EXPECT_TRUE(drst_adds_up(1));
	EXPECT_RESTS("drst_outbound_work");
	expect_whole_rst(_metadata, &self->s);
}

TEST_F(visible, inbound_work_rests)
{
	const struct cell cell = { 2, variant->family, txrx, TCP_ESTABLISHED,
				   TLS_1_3_VERSION };

	REQUIRE_MODE(2);
	hold_in_cell(_metadata, &self->s, &cell);
	EXPECT_RESTS("drst_inbound_work");
	expect_delivered(_metadata, &self->s.conn, &cell);
}

/* Who closes what would have been held, and with how much left */
TEST_F(visible, traced_cut)
{
	struct conn *c = &self->s.conn;
	static char text[65536];
	char what[256];
	int queued;

	REQUIRE_MODE(0);
	if (!drst_present())
		SKIP(return, "vanilla has no tracepoint for it");
	MUST(!prctl(PR_SET_NAME, "the closer"));
	upload(&self->s, variant->family);
	conn_linger(c, 0);
	ASSERT_TRUE(conn_await_stalled(c));
	queued = conn_queued(c);
	EXPECT_EQ(NULL, traced(text, sizeof(text), "tls_drst_cut", c, variant));
	conn_close(c);
	snprintf(what, sizeof(what),
		 "state=ESTABLISHED cause=linger bytes=%d notified=1 pid=%d comm=the closer",
		 queued, getpid());
	EXPECT_TRACED("tls_drst_cut", what);
	expect_cut(_metadata, &self->s);
	expect_cuts(_metadata, 1, 0, queued);
}

static void *close_by_thread(void *conn)
{
	MUST(!prctl(PR_SET_NAME, "second thread"));
	conn_close(conn);
	return NULL;
}

/* The PID is the process's, whichever thread closes. */
TEST_F(visible, traced_cut_thread)
{
	struct conn *c = &self->s.conn;
	static char text[65536];
	pthread_t thread;
	char what[64];

	REQUIRE_MODE(0);
	if (!drst_present())
		SKIP(return, "vanilla has no tracepoint for it");
	upload(&self->s, variant->family);
	conn_linger(c, 0);
	MUST(!pthread_create(&thread, NULL, close_by_thread, c));
	MUST(!pthread_join(thread, NULL));
	snprintf(what, sizeof(what), " pid=%d comm=second thread", getpid());
	EXPECT_TRACED("tls_drst_cut", what);
	expect_cut(_metadata, &self->s);
}

/* A process that is killed, without close_notify */
TEST_F(visible, traced_cut_killed)
{
	const struct conn_opts opts = { .family = variant->family };
	struct conn *c = &self->s.conn;
	static char text[65536];
	char what[256];
	pid_t pid;

	REQUIRE_MODE(2);
	conn_open(c, &self->s.bed, &opts);
	conn_send(c, BULK);
	to_close_wait(_metadata, c);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	ASSERT_LT(0, pid);
	conn_close(c);
	EXPECT_EQ(NULL, traced(text, sizeof(text), "tls_drst_cut", c, variant));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	expect_cut(_metadata, &self->s);
	snprintf(what, sizeof(what), " notified=0 pid=%d comm=", pid);
	EXPECT_TRACED("tls_drst_cut", "state=CLOSE_WAIT cause=unread bytes=");
	EXPECT_TRACED("tls_drst_cut", what);
}

/* What is held is no cut, and what is flushed loses nothing. */
TEST_F(visible, not_traced)
{
	const struct conn_opts opts = { .family = variant->family };
	struct conn *c = &self->s.conn;
	static char text[65536];

	REQUIRE_MODE(1);
	upload(&self->s, variant->family);
	close_unread(_metadata, c);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_EQ(NULL, traced(text, sizeof(text), "tls_drst_cut", c, variant));
	conn_free(c);

	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, SMALL);
	ASSERT_TRUE(conn_await_acked(c));
	conn_linger(c, 0);
	conn_close(c);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_EQ(NULL, traced(text, sizeof(text), "tls_drst_cut", c, variant));
}

/* perf and trace-cmd do not know the kernel's enums: a format has their numbers. */
TEST_F(visible, trace_format)
{
	char text[8192];

	REQUIRE_MODE(1);
	read_file(TRACING "events/tls_drst/tls_drst_release/format", text,
		  sizeof(text));
	EXPECT_TRUE(strstr(text, "\"ESTABLISHED\"") &&
		    strstr(text, "\"unread\"")) {
		TH_LOG("%s", text);
	}
	EXPECT_FALSE(strstr(text, "TCP_") || strstr(text, "DRST_")) {
		TH_LOG("%s", text);
	}
}

TEST_F(visible, traced_inbound)
{
	const struct cell cell = { 2, variant->family, tx, TCP_ESTABLISHED,
				   TLS_1_3_VERSION };
	struct conn *c = &self->s.conn;
	static char text[65536];
	char what[128];
	int bytes;

	REQUIRE_MODE(2);
	hold_in_cell(_metadata, &self->s, &cell);
	bytes = unread_bytes(c);
	snprintf(what, sizeof(what), "state=ESTABLISHED cause=peer bytes=%d",
		 bytes);
	EXPECT_TRACED("tls_drst_hold", what);
	expect_delivered(_metadata, c, &cell);
	snprintf(what, sizeof(what),
		 "state=ESTABLISHED cause=peer how=InDelivered held=%d bytes=0 ns=",
		 bytes);
	EXPECT_TRACED("tls_drst_release", what);
}

/* What two processes share: the one reads gauges until the other says stop. */
struct gauges {
	volatile bool stop;
	volatile long reads;
	volatile unsigned long long most[2];	/* CurrHeld, CurrInHeld */
};

static unsigned long long gauge_in(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	MUST(line);
	return strtoull(line + strlen(name), NULL, 10);
}

static void gauges_read(struct gauges *g)
{
	static const char *const names[] = {
		"TlsDrstCurrHeld ", "TlsDrstCurrInHeld ",
	};
	unsigned long long value;
	char text[2048];
	ssize_t len;
	int fd, i;

	fd = open(DRST_STAT, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	for (; !g->stop; g->reads++) {
		len = pread(fd, text, sizeof(text) - 1, 0);
		MUST(len > 0);
		text[len] = '\0';
		for (i = 0; i < 2; i++) {
			value = gauge_in(text, names[i]);
			if (value > g->most[i])
				g->most[i] = value;
		}
	}
	close(fd);
}

#define BATCH 50

/* A few inbound holds begin one after the other, and end nearly at once. */
static void hold_batch(TEST_ARG, struct scene *s)
{
	const struct conn_opts opts = { 0 };
	struct conn conns[BATCH];
	int i;

	for (i = 0; i < BATCH; i++) {
		conn_open(&conns[i], &s->bed, &opts);
		peer_upload(&conns[i], 1, RECORD_LEN);
		ASSERT_TRUE(conn_await_unread(&conns[i]));
		peer_reset(&conns[i]);
	}
	ASSERT_TRUE(drst_stat_await("CurrInHeld", BATCH));
	for (i = 0; i < BATCH; i++)
		conn_close(&conns[i]);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 0));
}

/*
 * Readers beside holds that begin and end. GAUGE_HOLDS says how many. No gauge is
 * ever more than what is held, nor less than nothing, which would be a huge number.
 */
TEST_F(visible, gauges)
{
	int batches = (env_number("GAUGE_HOLDS", 400) + BATCH - 1) / BATCH, i;
	struct gauges *g;
	pid_t pid;

	REQUIRE_MODE(2);
	trace_events("0");
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(g != MAP_FAILED);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		gauges_read(g);
		_exit(0);
	}
	ASSERT_TRUE(EVENTUALLY(g->reads));
	for (i = 0; i < batches; i++)
		hold_batch(_metadata, &self->s);
	g->stop = true;
	EXPECT_EQ(0, child_status(pid, 10));
	EXPECT_LT(batches, g->reads);
	EXPECT_EQ(0, g->most[0]);
	EXPECT_LT(0, g->most[1]);
	EXPECT_GE(BATCH, g->most[1]);
	EXPECT_EQ(batches * BATCH, drst_stat("InClosed"));
}

TEST_HARNESS_MAIN
