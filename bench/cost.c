// SPDX-License-Identifier: GPL-2.0
/*
 * What operations cost, in nanoseconds of CLOCK_MONOTONIC: on a guest whose clock
 * counts instructions (vm run --icount) that is how many there were.
 *
 *	cost ROUNDS STATE...	STATE: absent, mode0, mode1, mode2
 *
 * The states take turns, forth and back. A line for each measurement, the median of
 * many:
 *
 *	ROUND STATE OPERATION NANOSECONDS
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"

#define MODULE "tls_drst"

static struct bed bed;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---- the module's state ---- */

static void module_in(void)
{
	const char *ko = getenv("TLS_DRST_KO");
	int fd;

	if (drst_present())
		return;
	MUST(ko);
	fd = open(ko, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !syscall(SYS_finit_module, fd, "", 0));
	close(fd);
}

static void module_out(void)
{
	MUST(EVENTUALLY(!drst_present() ||
			!syscall(SYS_delete_module, MODULE, O_NONBLOCK)));
}

static void enter_state(const char *state)
{
	if (!strcmp(state, "absent"))
		return module_out();
	module_in();
	MUST(!strncmp(state, "mode", 4));
	drst_set("mode", atoi(state + 4));
}

/* ---- what is measured ---- */

static uint64_t samples[1000];
static int taken;

static void sample(uint64_t start)
{
	MUST(taken < (int)(sizeof(samples) / sizeof(*samples)));
	samples[taken++] = now() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* In the middle there is no timer's tick, nor anything else that comes between. */
static uint64_t median(void)
{
	qsort(samples, taken, sizeof(*samples), compare);
	return samples[taken / 2];
}

/* ---- operations, each with all its repetitions ---- */

static char payload[16384];

/* A connection without TLS is measured where there is one with. */
static void beside_open(struct conn *beside, bool ktls)
{
	const struct conn_opts opts = { 0 };

	if (ktls)
		memset(beside, 0, sizeof(*beside));
	else
		conn_open(beside, &bed, &opts);
}

/* A stream in which each piece is read before the next is sent. */
static void stream(size_t len, bool ktls, int times)
{
	struct conn_opts opts = { .rcvbuf = 1 << 20 };
	static char in[2 * sizeof(payload)];
	struct conn conn, beside;
	uint64_t start;
	ssize_t want, got;
	int i;

	beside_open(&beside, ktls);
	if (ktls)
		conn_open(&conn, &bed, &opts);
	else
		conn_connect(&conn, &bed, &opts);
	want = ktls ? (ssize_t)(len + dir_overhead(&conn.tx)) : (ssize_t)len;
	for (i = 0; i < times; i++) {
		start = now();
		MUST(send(conn.fd, payload, len, 0) == (ssize_t)len);
		sample(start);
		for (got = 0; got < want;)
			got += recv(conn.peer, in, want - got, 0);
	}
	conn_free(&conn);
	conn_free(&beside);
}

/* One record is there to be read. */
static void record_arrives(struct conn *c, size_t len)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	peer_upload(c, 1, len);
	MUST(poll(&p, 1, 10000) == 1);
}

static void send_16k(int times) { stream(16384, true, times); }
static void send_1k(int times) { stream(1024, true, times); }
static void send_1(int times) { stream(1, true, times); }
static void tcp_16k(int times) { stream(16384, false, times); }
static void tcp_1(int times) { stream(1, false, times); }

/* Records of @len bytes that wait in the socket are read. */
static void receive(size_t len, int times)
{
	struct conn_opts opts = { .rx = true };
	static char in[sizeof(payload)];
	uint64_t start;
	struct conn conn;
	ssize_t got;
	int i;

	conn_open(&conn, &bed, &opts);
	for (i = 0; i < times; i++) {
		record_arrives(&conn, len);
		start = now();
		for (got = 0; got < (ssize_t)len;)
			got += recv(conn.fd, in, len - got, 0);
		sample(start);
	}
	conn_free(&conn);
}

static void recv_16k(int times) { receive(16384, times); }
static void recv_1k(int times) { receive(1024, times); }

static void sendfile_16k(int times)
{
	struct conn_opts opts = { .rcvbuf = 1 << 20 };
	static char in[sizeof(payload)];
	int file = open("/tmp/cost.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t start;
	struct conn conn;
	off_t off;
	int i;

	MUST(file >= 0 && write(file, payload, sizeof(payload)) == sizeof(payload));
	conn_open(&conn, &bed, &opts);
	for (i = 0; i < times; i++) {
		off = 0;
		start = now();
		MUST(sendfile(conn.fd, file, &off, sizeof(payload)) ==
		     sizeof(payload));
		sample(start);
		while (recv(conn.peer, in, sizeof(in), MSG_DONTWAIT) > 0)
			;
	}
	conn_free(&conn);
	close(file);
}

/* From a pipe to the connection, and the reverse */
static void splice_16k(int times)
{
	struct conn_opts opts = { .rcvbuf = 1 << 20 };
	static char in[2 * sizeof(payload)];
	const ssize_t len = sizeof(payload);
	uint64_t start;
	struct conn conn;
	int ends[2], i;

	MUST(!pipe(ends));
	conn_open(&conn, &bed, &opts);
	for (i = 0; i < times; i++) {
		MUST(write(ends[1], payload, len) == len);
		start = now();
		MUST(splice(ends[0], NULL, conn.fd, NULL, len, 0) == len);
		sample(start);
		while (recv(conn.peer, in, sizeof(in), MSG_DONTWAIT) > 0)
			;
	}
	conn_free(&conn);
	close(ends[0]);
	close(ends[1]);
}

static void splice_recv_16k(int times)
{
	struct conn_opts opts = { .rx = true };
	static char in[sizeof(payload)];
	const ssize_t len = sizeof(payload);
	uint64_t start;
	struct conn conn;
	int ends[2], i;
	ssize_t got;

	MUST(!pipe(ends));
	conn_open(&conn, &bed, &opts);
	for (i = 0; i < times; i++) {
		record_arrives(&conn, len);
		start = now();
		for (got = 0; got < len;)
			got += splice(conn.fd, NULL, ends[1], NULL, len - got, 0);
		sample(start);
		MUST(read(ends[0], in, len) == len);
	}
	conn_free(&conn);
	close(ends[0]);
	close(ends[1]);
}

/* A whole short connection, closed when everything has been acknowledged. */
static void connections(bool ktls, int times)
{
	struct conn_opts opts = { .rx = true };
	uint64_t start;
	struct conn conn, beside;
	char in[1024];
	int i;

	beside_open(&beside, ktls);
	for (i = 0; i < times; i++) {
		start = now();
		if (ktls)
			conn_open(&conn, &bed, &opts);
		else
			conn_connect(&conn, &bed, &opts);
		MUST(send(conn.fd, payload, 500, 0) == 500);
		if (ktls)
			conn_notify(&conn);
		MUST(recv(conn.peer, in, sizeof(in), 0) > 0);
		/* The peer's delayed acknowledgement is not what is timed. */
		sockopt(conn.peer, IPPROTO_TCP, TCP_QUICKACK, 1);
		while (conn_queued(&conn))
			;
		MUST(!close(conn.fd));
		conn.fd = -1;
		sample(start);
		conn_free(&conn);
	}
	conn_free(&beside);
}

static void connection(int times) { connections(true, times); }
static void tcp_connection(int times) { connections(false, times); }

/* close() alone, with a full send queue and, if @unread, a RST that is owed. */
static void close_full(bool unread, int times)
{
	const struct conn_opts opts = { 0 };
	uint64_t start;
	struct conn conn;
	int i;

	for (i = 0; i < times; i++) {
		conn_open(&conn, &bed, &opts);
		conn_upload(&conn, 65536);
		if (unread) {
			peer_reply(&conn);
			peer_shutdown_wr(&conn);
			MUST(conn_await_state(&conn, TCP_CLOSE_WAIT));
		}
		start = now();
		MUST(!close(conn.fd));
		sample(start);
		conn.fd = -1;
		conn_free(&conn);
	}
}

static void close_owing(int times) { close_full(true, times); }
static void close_plain(int times) { close_full(false, times); }

static const struct op {
	const char *name;
	void (*run)(int times);
	int times;
} ops[] = {
	{ "send_16k", send_16k, 200 },
	{ "send_1k", send_1k, 500 },
	{ "send_1", send_1, 500 },
	{ "sendfile_16k", sendfile_16k, 200 },
	{ "splice_16k", splice_16k, 200 },
	{ "recv_16k", recv_16k, 100 },
	{ "recv_1k", recv_1k, 200 },
	{ "splice_recv_16k", splice_recv_16k, 100 },
	{ "connection", connection, 50 },
	{ "close_queue", close_plain, 50 },
	{ "close_queue_owing", close_owing, 50 },
	{ "tcp_send_16k", tcp_16k, 200 },
	{ "tcp_send_1", tcp_1, 500 },
	{ "tcp_connection", tcp_connection, 50 },
};

static void measure(int round, const char *state)
{
	const struct op *op;

	enter_state(state);
	for (op = ops; op < ops + sizeof(ops) / sizeof(*ops); op++) {
		taken = 0;
		op->run(op->times);
		printf("%d %s %s %lu\n", round, state, op->name, median());
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, round, i;

	if (rounds < 1) {
		fprintf(stderr, "usage: cost ROUNDS absent|mode0|mode1|mode2...\n");
		return 2;
	}
	bed_open(&bed);
	/* Forth and back, so that no state is always the last one. */
	for (round = 0; round < rounds; round++)
		for (i = 2; i < argc; i++)
			measure(round, argv[round % 2 ? argc + 1 - i : i]);
	bed_close(&bed);
	return 0;
}
