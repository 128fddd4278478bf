// SPDX-License-Identifier: GPL-2.0
/*
 * A RST right behind the data, many times: no data after an error, and no error
 * before the data; and two readers of the same. RACE_TRIES says how many times for
 * each reader, RACE_LOAD how many processes keep the CPUs busy; vanilla's own numbers
 * are what inbound_measure shows.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "inbound.h"
#include "lib/busy.h"
#include "lib/given.h"
#include "lib/ksock.h"
#include "lib/race.h"

SCENE_FIXTURE(race)

FIXTURE_VARIANT(race) {
	int mode;
	bool rx;
};

FIXTURE_VARIANT_ADD(race, mode1_tx) { 1, false };
FIXTURE_VARIANT_ADD(race, mode1_txrx) { 1, true };
FIXTURE_VARIANT_ADD(race, mode2_tx) { 2, false };
FIXTURE_VARIANT_ADD(race, mode2_txrx) { 2, true };

/* The tries are shared out among the states, the shapes and the families. */
static void race_all(struct race *race, struct bed *bed, int mode)
{
	int n = n_families();
	int first = mode == 2 ? RACE_ESTABLISHED : RACE_CLOSE_WAIT;
	int parts = (RACE_STATES - first) * 2 * n;
	int family;

	race->tries = (env_number("RACE_TRIES", 48) + parts - 1) / parts;
	for (race->state = first; race->state < RACE_STATES; race->state++) {
		for (family = 0; family < n; family++) {
			race->family = families[family];
			race->apart = false;
			race_run(race, bed);
			race->apart = true;
			race_run(race, bed);
		}
	}
}

static void expect_in_order(TEST_ARG, struct scene *s,
			    const FIXTURE_VARIANT(race) *variant,
			    enum race_reader reader)
{
	struct race race = {
		.reader = reader, .rx = variant->rx,
		.load = env_number("RACE_LOAD", 1),
	};

	REQUIRE_MODE(variant->mode);
	race_all(&race, &s->bed, variant->mode);
	EXPECT_EQ(0, race.early_error);
	EXPECT_EQ(0, race.early_hup);
	EXPECT_EQ(0, race.late_data);
	EXPECT_EQ(0, race.lost);
	EXPECT_EQ(0, race.unknown);
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(drst_stat("InHeld"), drst_stat("InDelivered"));
	/* The others may have read everything before the RST is looked at. */
	if (reader == READ_LATE)
		EXPECT_LT(0, drst_stat("InHeld"));
}

#define READER(name, reader)						\
	TEST_F_TIMEOUT(race, name, 3600)				\
	{								\
		expect_in_order(_metadata, &self->s, variant, reader);	\
	}

READER(recv, READ_RECV)
READER(pieces, READ_PIECES)
READER(poll, READ_POLL)
READER(epoll_level, READ_EPOLL_LT)
READER(epoll_edge, READ_EPOLL_ET)
READER(late, READ_LATE)

/* ---- two readers in two threads ---- */

#define PAIR_RECORDS 12
#define PAIR_LEN 64

/* How a pair of readers begins. */
enum pair_start {
	PAIR_HELD,	/* the RST is held already */
	PAIR_BLOCKED,	/* they wait for the first byte */
};

INBOUND_FIXTURE(pair);
FIXTURE_VARIANT_ADD(pair, ESTABLISHED_mode2) { { 2, AF_INET, txrx,
	TCP_ESTABLISHED, TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(pair, FIN_WAIT2_mode1) { { 1, AF_INET6, txrx,
	TCP_FIN_WAIT2, TLS_1_2_VERSION } };
FIXTURE_VARIANT_ADD(pair, FIN_WAIT2_mode2) { { 2, AF_INET, txrx,
	TCP_FIN_WAIT2, TLS_1_3_VERSION } };

struct pair_reader {
	pthread_t thread;
	pthread_barrier_t *start;	/* NULL: at once */
	int fd;
	int got[PAIR_RECORDS + 1];	/* how often each; the last is the alert */
	int alien;			/* no record of the peer's, or none whole */
	int final;			/* 0 or the errno at the end */
	int error_left;			/* SO_ERROR behind an end that is 0 */
	ssize_t data_left;		/* what another recv() gives there */
};

static ssize_t read_record(int fd, char *buf, size_t len, int flags,
			   uint8_t *type)
{
	char control[64];
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(fd, &msg, flags);
	struct cmsghdr *cmsg = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*type = cmsg ? *CMSG_DATA(cmsg) : REC_DATA;
	return got;
}

/* Every byte of a record is its number. */
static void note_record(struct pair_reader *r, const char *buf, ssize_t got,
			uint8_t type)
{
	int n = buf[0], i;

	if (type == REC_ALERT && got == sizeof(close_notify)) {
		r->got[PAIR_RECORDS]++;
		return;
	}
	if (type != REC_DATA || got != PAIR_LEN || n >= PAIR_RECORDS) {
		r->alien++;
		return;
	}
	for (i = 0; i < PAIR_LEN; i++)
		if (buf[i] != n)
			r->alien++;
	r->got[n]++;
}

static cpu_set_t anywhere;

static void *pair_read(void *arg)
{
	struct pair_reader *r = arg;
	const struct conn c = { .fd = r->fd };
	char buf[PAIR_LEN];
	uint8_t type;
	ssize_t got;

	MUST(!sched_setaffinity(0, sizeof(anywhere), &anywhere));
	if (r->start)
		pthread_barrier_wait(r->start);
	while ((got = read_record(r->fd, buf, sizeof(buf), 0, &type)) > 0)
		note_record(r, buf, got, type);
	r->final = got ? errno : 0;
	if (!r->final) {
		r->error_left = so_error(&c);
		r->data_left = read_record(r->fd, buf, sizeof(buf),
					   MSG_DONTWAIT, &type);
	}
	return NULL;
}

static void pair_send(struct conn *c)
{
	char data[PAIR_LEN];
	int i;

	for (i = 0; i < PAIR_RECORDS; i++) {
		memset(data, i, sizeof(data));
		peer_record(c, REC_DATA, data, sizeof(data));
	}
	peer_notify(c);
}

/* How many of the tries showed it */
struct pair_faults {
	int lost, doubled;	/* records */
	int alien;
	int untold;		/* nobody, or both, got the error */
	int clean;		/* an end of file, though nobody had been told by then */
	int late_data;
	int overtaken;		/* not judged */
};

/*
 * Each record comes once. One reader is told of the reset. The other gets the end of
 * file behind that, and not before.
 */
static void pair_judge(const struct pair_reader r[2], int error,
		       struct pair_faults *faults)
{
	int i, got;

	for (i = 0; i <= PAIR_RECORDS; i++) {
		got = r[0].got[i] + r[1].got[i];
		faults->lost += !got;
		faults->doubled += got > 1;
	}
	faults->untold += r[0].final + r[1].final != error;
	for (i = 0; i < 2; i++) {
		faults->alien += r[i].alien;
		faults->clean += r[i].error_left != 0;
		faults->late_data += r[i].data_left > 0;
	}
}

/*
 * On a busy machine the RST can overtake data that another CPU sends: TCP answers it
 * with a challenge ACK, and is reset by what the peer says to that (RFC 5961).
 */
static bool pair_all_arrived(const struct conn *c)
{
	/* The C library's struct ends before what the kernel has added since. */
	struct {
		struct tcp_info info;
		uint64_t pacing_rate, max_pacing_rate;
		uint64_t bytes_acked, bytes_received;
	} tcp;
	socklen_t len = sizeof(tcp);

	MUST(!getsockopt(c->fd, SOL_TCP, TCP_INFO, &tcp, &len));
	MUST(len == sizeof(tcp));
	return tcp.bytes_received >= c->replied;
}

static void pair_try(TEST_ARG, struct scene *s, const struct cell *cell,
		     enum pair_start how, struct pair_faults *faults)
{
	struct pair_reader r[2] = { };
	struct conn *c = &s->conn;
	pthread_barrier_t start;
	int i;

	open_cell(s, c, cell);
	/* Else an ACK lets data go from another CPU, and the RST overtakes it. */
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	reach(_metadata, c, cell->state);
	MUST(!pthread_barrier_init(&start, NULL, 3));
	for (i = 0; i < 2; i++) {
		r[i].fd = c->fd;
		r[i].start = how == PAIR_HELD ? &start : NULL;
		MUST(!pthread_create(&r[i].thread, NULL, pair_read, &r[i]));
	}
	pair_send(c);
	peer_await_sent(c);
	if (how == PAIR_HELD)
		ASSERT_TRUE(conn_await_unread(c));
	peer_reset(c);
	if (how == PAIR_HELD) {
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		pthread_barrier_wait(&start);
	}
	for (i = 0; i < 2; i++)
		MUST(!pthread_join(r[i].thread, NULL));
	MUST(!pthread_barrier_destroy(&start));
	if (pair_all_arrived(c))
		pair_judge(r, reset_errno(cell), faults);
	else
		faults->overtaken++;
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 0));
	conn_free(c);
}

static void pair_run(TEST_ARG, struct scene *s, const struct cell *cell,
		     enum pair_start how)
{
	int tries = 5 * env_number("RACE_TRIES", 48), i;
	struct pair_faults faults = { };

	REQUIRE_MODE(cell->mode);
	MUST(!sched_getaffinity(0, sizeof(anywhere), &anywhere));
	cpu_stay();	/* as in race_run(): the RST must not overtake the data */
	for (i = 0; i < tries; i++)
		pair_try(_metadata, s, cell, how, &faults);
	EXPECT_GT(tries / 2, faults.overtaken);
	EXPECT_EQ(0, faults.lost);
	EXPECT_EQ(0, faults.doubled);
	EXPECT_EQ(0, faults.alien);
	EXPECT_EQ(0, faults.untold);
	EXPECT_EQ(0, faults.clean);
	EXPECT_EQ(0, faults.late_data);
	EXPECT_EQ(drst_stat("InHeld"), drst_stat("InDelivered"));
	if (how == PAIR_HELD)
		EXPECT_EQ(tries, drst_stat("InHeld"));
}

TEST_F_TIMEOUT(pair, of_a_held_reset, 3600)
{
	pair_run(_metadata, &self->s, &variant->cell, PAIR_HELD);
}

TEST_F_TIMEOUT(pair, blocked_before, 3600)
{
	pair_run(_metadata, &self->s, &variant->cell, PAIR_BLOCKED);
}

/* ---- senders beside a reader ---- */

#define SENDERS 3

struct sender {
	pthread_t thread;
	pthread_barrier_t *start;
	int fd;
	ssize_t ret;
	int err;
};

static void *send_one(void *arg)
{
	struct sender *s = arg;

	MUST(!sched_setaffinity(0, sizeof(anywhere), &anywhere));
	pthread_barrier_wait(s->start);
	s->ret = send(s->fd, "x", 1, MSG_NOSIGNAL);
	s->err = errno;
	return NULL;
}

/* @n senders, and meanwhile a reader that reads all but the close_notify */
static void send_beside_reader(TEST_ARG, struct conn *c, struct sender *sender, int n)
{
	pthread_barrier_t start;
	char byte;
	int i;

	MUST(!pthread_barrier_init(&start, NULL, n + 1));
	for (i = 0; i < n; i++) {
		sender[i].fd = c->fd;
		sender[i].start = &start;
		MUST(!pthread_create(&sender[i].thread, NULL, send_one, &sender[i]));
	}
	pthread_barrier_wait(&start);
	for (i = 0; i < RECORD_LEN; i++)
		EXPECT_EQ(1, recv(c->fd, &byte, 1, 0));
	for (i = 0; i < n; i++)
		MUST(!pthread_join(sender[i].thread, NULL));
	MUST(!pthread_barrier_destroy(&start));
	EXPECT_EQ(0, so_error(c));
	ASSERT_EQ(1, drst_stat("CurrInHeld"));
	conn_free(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 0));
}

/* The error has been told; no sender gets a byte away, whoever reads meanwhile. */
static void senders_try(TEST_ARG, struct scene *s, const struct cell *cell,
			int *accepted)
{
	struct sender sender[SENDERS] = { };
	int i;

	hold_in_cell(_metadata, s, cell);
	ASSERT_EQ(reset_errno(cell), so_error(&s->conn));
	send_beside_reader(_metadata, &s->conn, sender, SENDERS);
	for (i = 0; i < SENDERS; i++)
		if (sender[i].ret != -1 || sender[i].err != EPIPE)
			++*accepted;
}

#define RACE_SENDERS() do {						\
	REQUIRE_MODE(variant->cell.mode);				\
	if (has_shut_down(&variant->cell))				\
		SKIP(return, "TCP itself refuses senders there");	\
	MUST(!sched_getaffinity(0, sizeof(anywhere), &anywhere));	\
	cpu_stay();							\
} while (0)

TEST_F_TIMEOUT(pair, senders_after_the_error, 3600)
{
	int tries = env_number("RACE_TRIES", 48), accepted = 0, i;

	RACE_SENDERS();
	for (i = 0; i < tries; i++) {
		counters_note();
		senders_try(_metadata, &self->s, &variant->cell, &accepted);
	}
	EXPECT_EQ(0, accepted);
}

/* A sender is told while a reader hides the error: nobody is told again. */
static void sender_try(TEST_ARG, struct scene *s, const struct cell *cell)
{
	struct sender sender = { };

	hold_in_cell(_metadata, s, cell);
	send_beside_reader(_metadata, &s->conn, &sender, 1);
	EXPECT_EQ(-1, sender.ret);
	EXPECT_EQ(reset_errno(cell), sender.err);
}

TEST_F_TIMEOUT(pair, sender_beside_reader, 3600)
{
	int tries = env_number("RACE_TRIES", 48), i;

	RACE_SENDERS();
	for (i = 0; i < tries; i++) {
		counters_note();
		sender_try(_metadata, &self->s, &variant->cell);
	}
}

/* ---- a RST that is seen inside recvmsg() ---- */

INBOUND_FIXTURE(inside);
FIXTURE_VARIANT_ADD(inside, mode0) { { 0, AF_INET, txrx, TCP_ESTABLISHED,
	TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(inside, ESTABLISHED_mode2) { { 2, AF_INET, txrx,
	TCP_ESTABLISHED, TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(inside, FIN_WAIT2_mode1) { { 1, AF_INET6, txrx,
	TCP_FIN_WAIT2, TLS_1_2_VERSION } };

/* What comes now waits in the backlog; true when it is there. */
static bool await_backlog(const struct conn *c, unsigned int more_than)
{
	return EVENTUALLY(tcp_backlog(c->fd) > more_than);
}

/* The RST waits in the backlog behind all that the peer has sent. */
static bool reset_into_backlog(struct conn *c)
{
	unsigned int queued;

	if (!await_backlog(c, 0))
		return false;
	peer_await_sent(c);
	queued = tcp_backlog(c->fd);
	peer_reset(c);
	return await_backlog(c, queued);
}

/*
 * A recv() of two records keeps the socket lock while it copies the first one. The
 * second, close_notify and the RST wait in the backlog. Since June 2026 recv() looks
 * there before it sleeps: the hold begins in the middle of it. Before, it sleeps.
 */
TEST_F(inside, recv_of_two_records)
{
	const struct cell *cell = &variant->cell;
	struct conn *c = &self->s.conn;
	struct busy busy;
	ssize_t got;
	char buf[16];
	uint8_t type;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	reach(_metadata, c, cell->state);
	peer_upload(c, 1, RECORD_LEN);
	ASSERT_TRUE(await_readable(c));
	busy_read(&busy, c->fd, 2 * RECORD_LEN, MSG_WAITALL);
	peer_upload(c, 1, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(reset_into_backlog(c));
	busy_end(&busy);

	if (!cell->mode) {
		/* Vanilla's error may come before the second record. */
		EXPECT_TRUE(busy.got == RECORD_LEN || busy.got == 2 * RECORD_LEN);
		return expect_never_held(_metadata);
	}
	c->taken[SIDE_A] = busy.got;
	if (busy.got != 2 * RECORD_LEN) {
		ASSERT_EQ(RECORD_LEN, busy.got);
		EXPECT_TRUE(conn_take(c, RECORD_LEN));
	}
	EXPECT_EQ(2, read_record(c->fd, buf, sizeof(buf), 0, &type));
	EXPECT_EQ(REC_ALERT, type);
	got = recv(c->fd, buf, sizeof(buf), 0);
	if (got) {
		EXPECT_EQ(-1, got);
		EXPECT_EQ(reset_errno(cell), errno);
		got = recv(c->fd, buf, sizeof(buf), 0);
	} else {
		/* Old kernels lose the error if recv() slept, and has data. */
		EXPECT_EQ(RECORD_LEN, busy.got);
	}
	EXPECT_EQ(0, got);
	EXPECT_EQ(1, drst_stat("InHeld"));
	EXPECT_TRUE(drst_stat_await("InDelivered", 1));
}

/* One record of peer_upload(): the errno, 255 if it is not all of it, or 0 */
static int by_recv(const struct conn *c)
{
	char buf[RECORD_LEN + 1];
	ssize_t got = recv(c->fd, buf, sizeof(buf), 0);

	return got < 0 ? errno : got == RECORD_LEN ? 0 : 255;
}

static int by_splice(const struct conn *c)
{
	ssize_t got;
	int p[2];

	MUST(!pipe(p));
	got = splice(c->fd, NULL, p[1], NULL, RECORD_LEN + 1, 0);
	return got < 0 ? errno : got == RECORD_LEN ? 0 : 255;
}

/* To net/tls it is a read as any. */
static int by_recv_oob(const struct conn *c)
{
	char buf[RECORD_LEN + 1];
	ssize_t got = recv(c->fd, buf, sizeof(buf), MSG_OOB);

	return got < 0 ? errno : got == RECORD_LEN ? 0 : 255;
}

/* With the type, of which there is to be one, whatever was read before */
static int by_recvmsg(const struct conn *c)
{
	char control[2 * CMSG_SPACE(1)], buf[RECORD_LEN + 1];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(c->fd, &msg, 0);

	if (got < 0)
		return errno;
	return got == RECORD_LEN && msg.msg_controllen == CMSG_SPACE(1) &&
	       *CMSG_DATA(CMSG_FIRSTHDR(&msg)) == REC_DATA ? 0 : 255;
}

static int by_kernel(const struct conn *c)
{
	ssize_t got = ksock_recv(c->fd);

	return got < 0 ? errno : got == RECORD_LEN ? 0 : 255;
}

/*
 * A reader sleeps, and send() keeps the socket lock: net/tls learns of the record by a
 * worker, and the reader, who is first, finds the error of the RST instead. In vanilla
 * that is what it gets. It may have met an empty record before it slept.
 */
static void expect_reader_is_first(TEST_ARG, struct scene *s,
				   const struct cell *cell,
				   int (*read_one)(const struct conn *c),
				   bool empty)
{
	struct conn *c = &s->conn;
	struct busy busy;
	pid_t pid;

	open_cell(s, c, cell);
	reach(_metadata, c, cell->state);
	if (empty) {
		peer_record(c, REC_DATA, "", 0);
		ASSERT_TRUE(await_readable(c));
	}
	keep_workers_out();
	pid = child(c);
	if (!pid)
		_exit(read_one(c));
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	busy_send(&busy, c->fd);
	peer_upload(c, 1, RECORD_LEN);
	ASSERT_TRUE(reset_into_backlog(c));
	busy_end(&busy);
	EXPECT_EQ(cell->mode ? 0 : reset_errno(cell), child_status(pid, 5));
	let_workers_in();
	if (!cell->mode)
		return expect_never_held(_metadata);
	EXPECT_EQ(1, drst_stat("InHeld"));
	EXPECT_TRUE(drst_stat_await("InDelivered", 1));
}

TEST_F(inside, recv_before_the_worker)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_is_first(_metadata, &self->s, &variant->cell, by_recv,
			       false);
}

TEST_F(inside, recvmsg_before_the_worker)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_is_first(_metadata, &self->s, &variant->cell, by_recvmsg,
			       true);
}

TEST_F(inside, kernel_before_the_worker)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_is_first(_metadata, &self->s, &variant->cell, by_kernel,
			       true);
}

TEST_F(inside, recv_oob_before_the_worker)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_is_first(_metadata, &self->s, &variant->cell, by_recv_oob,
			       false);
}

/* getpeername() waits for the socket lock while the hold begins. */
TEST_F(inside, getpeername)
{
	const struct cell *cell = &variant->cell;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct conn *c = &self->s.conn;
	struct busy busy;
	pid_t pid;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	reach(_metadata, c, cell->state);
	busy_send(&busy, c->fd);
	pid = child(c);
	if (!pid)
		_exit(getpeername(c->fd, (struct sockaddr *)&name, &len) ? errno : 0);
	ASSERT_TRUE(EVENTUALLY(child_waits(pid)));
	peer_upload(c, 1, RECORD_LEN);
	ASSERT_TRUE(reset_into_backlog(c));
	busy_end(&busy);
	EXPECT_EQ(cell->mode ? 0 : ENOTCONN, child_status(pid, 5));
	if (!cell->mode)
		return expect_never_held(_metadata);
	EXPECT_EQ(1, drst_stat("InHeld"));
}

TEST_F(inside, splice_before_the_worker)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_is_first(_metadata, &self->s, &variant->cell, by_splice,
			       false);
}

#define LARGE 6000
#define PIECE 1000

/*
 * Where the receive buffer has no room for a record, net/tls copies it out as it
 * comes. The last piece waits in the backlog with the RST.
 */
TEST_F(inside, record_larger_than_the_buffer)
{
	const struct cell *cell = &variant->cell;
	struct conn *c = &self->s.conn;
	static char data[LARGE], got[LARGE];
	static uint8_t rec[REC_MAX];
	unsigned int queued;
	struct busy busy;
	size_t len, sent;
	uint8_t type;
	int left;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	reach(_metadata, c, cell->state);
	sockopt(c->fd, SOL_SOCKET, SO_RCVBUF, 1);	/* the least there is */
	memset(data, 'x', sizeof(data));
	len = rec_seal(&c->rx, REC_DATA, data, sizeof(data), rec);
	for (sent = 0; sent < LARGE; sent += PIECE) {
		peer_send(c, rec + sent, PIECE);
		ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
				       flow->acked[SIDE_B] == c->replied));
	}
	ASSERT_EQ(0, ioctl(c->fd, SIOCINQ, &left));
	ASSERT_EQ(0, left) {
		TH_LOG("nothing was copied out");
	}
	busy_send(&busy, c->fd);
	peer_send(c, rec + sent, len - sent);
	ASSERT_TRUE(await_backlog(c, 0));
	queued = tcp_backlog(c->fd);
	peer_reset(c);
	ASSERT_TRUE(await_backlog(c, queued));
	busy_end(&busy);
	ASSERT_TRUE(await_readable(c));
	EXPECT_EQ(POLLIN | (cell->mode ? 0 : POLLERR | POLLHUP),
		  poll_now(c) & ~POLLRDHUP);
	if (!cell->mode)
		return expect_never_held(_metadata);
	EXPECT_EQ(1, drst_stat("CurrInHeld"));
	EXPECT_EQ(LARGE, read_record(c->fd, got, sizeof(got), 0, &type));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	EXPECT_EQ(-1, recv(c->fd, got, sizeof(got), 0));
	EXPECT_EQ(reset_errno(cell), errno);
	EXPECT_TRUE(drst_stat_await("InDelivered", 1));
}

TEST_HARNESS_MAIN
