// SPDX-License-Identifier: GPL-2.0
/*
 * The ways to end a TLS connection whose peer reads slowly and has sent session
 * tickets that nobody reads, doing the same job in turn:
 *
 *	rivals MIB TIMES
 *
 * Prints lines of NAME KEY VALUE; the times are in milliseconds. "killed" is what
 * the peer gets of a program that is killed while it is at it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"

#define SHORT 2000
/* What the slow reader takes at a time, and how often. */
#define GULP 65536
#define GULP_MS 4

static struct bed bed;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

/* ---- the ways: all send close_notify first ---- */

static void end_plain(struct conn *c)
{
	conn_notify(c);
	close(c->fd);
}

static void end_linger(struct conn *c)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 60 };

	conn_notify(c);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->fd);
}

/* As nginx's lingering_close: shut down, read until the peer closes, close. */
static void end_lingering(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char buf[4096];

	conn_notify(c);
	shutdown(c->fd, SHUT_WR);
	while (poll(&p, 1, 30000) > 0 && recv(c->fd, buf, sizeof(buf), 0) > 0)
		;
	close(c->fd);
}

/* As SSL_shutdown() called twice: the peer's close_notify is waited for. */
static void end_two_way(struct conn *c)
{
	char buf[4096];

	conn_notify(c);
	while (recv(c->fd, buf, sizeof(buf), 0) > 0)
		;
	close(c->fd);
}

static const struct way {
	const char *name;
	void (*end)(struct conn *c);
	int mode;		/* of the module */
} ways[] = {
	{ "close", end_plain, 0 },
	{ "SO_LINGER", end_linger, 0 },
	{ "lingering_close", end_lingering, 0 },
	{ "two_way_shutdown", end_two_way, 0 },
	{ "tls_drst", end_plain, 2 },
};

/* ---- the job ---- */

struct job {
	struct conn conn;
	pid_t pid;
	int told[2];		/* the program tells when it is through */
};

static void job_start(struct job *job, const struct way *way, size_t len)
{
	const struct conn_opts opts = { .rcvbuf = 65536 };

	conn_open(&job->conn, &bed, &opts);
	peer_reply(&job->conn);
	peer_reply(&job->conn);
	MUST(conn_await_unread(&job->conn));
	MUST(!pipe(job->told));
	job->pid = fork();
	MUST(job->pid >= 0);
	if (!job->pid) {
		double start;

		close(job->conn.peer);
		conn_send(&job->conn, len);
		start = now_ms();
		write(job->told[1], &start, sizeof(start));
		way->end(&job->conn);
		start = now_ms();
		write(job->told[1], &start, sizeof(start));
		_exit(0);
	}
	close(job->conn.fd);
	job->conn.fd = -1;
	close(job->told[1]);
	job->conn.sent = len;
	job->conn.stream = stream_length(&job->conn, len);
	job->conn.notified = true;
}

/* Everything as the slow reader it is; the peer then says goodbye. */
static void peer_reads_slowly(struct job *job, struct result *res)
{
	while (peer_read(&job->conn, GULP) > 0) {
		pause_ms(GULP_MS);
		if (job->conn.raw >= job->conn.stream) {
			peer_notify(&job->conn);
			break;
		}
	}
	peer_finish(&job->conn, res);
	peer_shutdown_wr(&job->conn);
}

/* Connections of the sender's namespace, without those in TIME_WAIT */
static bool all_freed(void)
{
	char text[512];
	int inuse;

	read_file("/proc/thread-self/net/sockstat", text, sizeof(text));
	MUST(sscanf(strstr(text, "TCP: "), "TCP: inuse %d", &inuse) == 1);
	return inuse == 0;
}

static void report(const struct way *way, const char *key, double value)
{
	printf("%s %s %.3f\n", way->name, key, value);
	fflush(stdout);
}

static void one_big(const struct way *way, size_t len, bool killed)
{
	double began = 0, ended = 0;
	struct result res;
	struct job job;

	job_start(&job, way, len);
	MUST(read(job.told[0], &began, sizeof(began)) == sizeof(began));
	if (killed) {
		pause_ms(20);
		kill(job.pid, SIGKILL);
	}
	peer_reads_slowly(&job, &res);
	if (killed) {
		report(way, "killed_delivered", res.plain * 100.0 / len);
	} else {
		MUST(read(job.told[0], &ended, sizeof(ended)) == sizeof(ended));
		report(way, "delivered", res.plain * 100.0 / len);
		report(way, "close_notify", res.alert);
		report(way, "blocked", ended - began);
		MUST(EVENTUALLY(all_freed()));
		report(way, "freed", now_ms() - began);
	}
	waitpid(job.pid, NULL, 0);
	close(job.told[0]);
	conn_free(&job.conn);
}

int main(int argc, char **argv)
{
	size_t len;
	int times, i;
	const struct way *way;

	if (argc != 3 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: rivals MIB TIMES\n");
		return 2;
	}
	len = (size_t)atoi(argv[1]) << 20;
	times = atoi(argv[2]);
	bed_open(&bed);
	for (i = 0; i < times; i++) {
		for (way = ways; way < ways + sizeof(ways) / sizeof(*ways); way++) {
			drst_set("mode", way->mode);
			one_big(way, len, false);
			one_big(way, len, true);
		}
	}
	bed_close(&bed);
	return 0;
}
