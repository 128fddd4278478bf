// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"
#include "race.h"

#define RECORDS 3
#define RECORD_LEN 100
#define PIECE 16
/* A reader that is told nothing for so long has been forgotten. */
#define PATIENCE_MS 10000

const char *const race_readers[] = {
	[READ_RECV]	= "recv",
	[READ_PIECES]	= "recv, 16 bytes each",
	[READ_POLL]	= "poll",
	[READ_EPOLL_LT]	= "epoll, level",
	[READ_EPOLL_ET]	= "epoll, edge",
	[READ_LATE]	= "late",
};

/* What one reader has seen. */
struct seen {
	size_t bytes;
	bool error;
	bool early_error;
	bool early_hup;
	bool late_data;
	bool ended;
};

/* One read of what is there: content and alerts alike. */
static ssize_t read_some(int fd, size_t len, int flags)
{
	char buf[8192], control[64];
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	return recvmsg(fd, &msg, flags);
}

/* After an error a program stops; what it leaves behind is looked at here. */
static void look_behind(int fd, struct seen *seen)
{
	ssize_t n;
	int tries;

	for (tries = 0; tries < 64; tries++) {
		n = read_some(fd, 8192, MSG_DONTWAIT);
		if (n <= 0)
			break;
		seen->bytes += n;
		seen->early_error = true;
		seen->late_data = true;
	}
}

/* false: nothing more is to be expected */
static bool take(int fd, size_t len, int flags, struct seen *seen)
{
	ssize_t n = read_some(fd, len, flags);

	if (n > 0) {
		seen->bytes += n;
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return flags & MSG_DONTWAIT;	/* else SO_RCVTIMEO */
	seen->ended = true;
	if (n < 0) {
		seen->error = true;
		look_behind(fd, seen);
	}
	return false;
}

static void by_recv(int fd, size_t len, struct seen *seen)
{
	while (take(fd, len, 0, seen))
		;
}

static void note_hup(int fd, unsigned int events, struct seen *seen)
{
	int unread = 0;

	/* Not recv(MSG_PEEK), which would take the error away. */
	if ((events & (POLLERR | POLLHUP)) && !ioctl(fd, SIOCINQ, &unread) &&
	    unread > 0)
		seen->early_hup = true;
}

static void by_poll(int fd, struct seen *seen)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	do {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			return;
		note_hup(fd, p.revents, seen);
	} while (take(fd, 8192, MSG_DONTWAIT, seen));
}

static void by_epoll(int fd, unsigned int edge, struct seen *seen)
{
	struct epoll_event ev = { .events = EPOLLIN | edge };
	int ep = epoll_create1(0);
	bool more = true;
	ssize_t n;

	MUST(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	while (more) {
		if (epoll_wait(ep, &ev, 1, PATIENCE_MS) != 1)
			break;
		note_hup(fd, ev.events, seen);
		if (!edge) {
			more = take(fd, 8192, MSG_DONTWAIT, seen);
			continue;
		}
		while ((n = read_some(fd, 8192, MSG_DONTWAIT)) > 0)
			seen->bytes += n;
		if (n < 0 && errno == EAGAIN)
			continue;
		seen->ended = true;
		seen->error = n < 0;
		look_behind(fd, seen);
		more = false;
	}
	close(ep);
}

static void read_by(enum race_reader reader, int fd, struct seen *seen)
{
	switch (reader) {
	case READ_RECV:
		return by_recv(fd, 8192, seen);
	case READ_PIECES:
		return by_recv(fd, PIECE, seen);
	case READ_EPOLL_LT:
		return by_epoll(fd, 0, seen);
	case READ_EPOLL_ET:
		return by_epoll(fd, EPOLLET, seen);
	default:
		return by_poll(fd, seen);
	}
}

/* The content and close_notify, and the RST right behind. */
static void upload_and_reset(struct conn *c, const struct race *race)
{
	uint8_t out[(RECORDS + 1) * (RECORD_LEN + 64)];
	char data[RECORD_LEN];
	size_t len = 0;
	int i, n;

	memset(data, 'x', sizeof(data));
	for (i = 0; i <= RECORDS; i++) {
		if (i < RECORDS)
			n = rec_seal(&c->rx, REC_DATA, data, sizeof(data),
				     out + len);
		else
			n = rec_seal(&c->rx, REC_ALERT, close_notify,
				     sizeof(close_notify), out + len);
		if (race->apart)
			peer_send(c, out + len, n);
		len += n;
	}
	if (!race->apart)
		peer_send(c, out, len);
	if (race->state == RACE_CLOSE_WAIT)
		peer_shutdown_wr(c);
	peer_await_sent(c);
	peer_reset(c);
}

/*
 * The reader is a thread that stays: it gets a socket by one pipe, says by the
 * other that it is about to read, and then what it has seen.
 */
struct reader {
	pthread_t thread;
	enum race_reader how;
	int order[2];
	int answer[2];
};

static void get(const int pipe[2], void *data, ssize_t len)
{
	MUST(read(pipe[0], data, len) == len);
}

static void put(const int pipe[2], const void *data, ssize_t len)
{
	MUST(write(pipe[1], data, len) == len);
}

/* A socket that is -1 is the end. */
static void *reader_main(void *arg)
{
	struct reader *r = arg;
	struct seen seen;
	char byte = 0;
	int fd;

	for (get(r->order, &fd, sizeof(fd)); fd >= 0;
	     get(r->order, &fd, sizeof(fd))) {
		put(r->answer, &byte, 1);
		if (r->how == READ_LATE)
			get(r->order, &byte, 1);
		memset(&seen, 0, sizeof(seen));
		read_by(r->how, fd, &seen);
		put(r->answer, &seen, sizeof(seen));
	}
	return NULL;
}

static void reader_start(struct reader *r, enum race_reader how)
{
	r->how = how;
	MUST(!pipe(r->order) && !pipe(r->answer));
	MUST(!pthread_create(&r->thread, NULL, reader_main, r));
}

static void reader_stop(struct reader *r)
{
	int fd = -1, i;

	put(r->order, &fd, sizeof(fd));
	MUST(!pthread_join(r->thread, NULL));
	for (i = 0; i < 2; i++) {
		close(r->order[i]);
		close(r->answer[i]);
	}
}

/* What is to be known of a reader that has been forgotten */
static void no_end(const struct conn *c, const struct seen *seen)
{
	char stat[2048] = "", *line, *save;
	int unread = -1;

	ioctl(c->fd, SIOCINQ, &unread);
	printf("# no end: state %d, %zu bytes read, %d unread, %ld challenge ACKs\n",
	       conn_state(c), seen->bytes, unread, tcpext("TCPChallengeACK"));
	if (drst_present())
		read_file(DRST_STAT, stat, sizeof(stat));
	for (line = strtok_r(stat, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, "In"))
			printf("# %s\n", line);
}

static void one_try(struct race *race, struct bed *bed, struct reader *r)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct conn_opts opts = { .family = race->family, .rx = race->rx };
	size_t want = RECORDS * RECORD_LEN + sizeof(close_notify);
	struct conn conn;
	struct seen seen;
	char byte;

	conn_open(&conn, bed, &opts);
	sockopt(conn.peer, SOL_TCP, TCP_NODELAY, 1);
	MUST(!setsockopt(conn.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)));
	if (race->state == RACE_FIN_WAIT2) {
		MUST(!shutdown(conn.fd, SHUT_WR));
		MUST(conn_await_state(&conn, TCP_FIN_WAIT2));
	}
	put(r->order, &conn.fd, sizeof(conn.fd));
	get(r->answer, &byte, 1);
	upload_and_reset(&conn, race);
	if (!race->rx)
		want = conn.replied;
	if (r->how == READ_LATE)
		put(r->order, &byte, 1);
	get(r->answer, &seen, sizeof(seen));

	if (!seen.ended)
		no_end(&conn, &seen);
	race->early_error += seen.early_error;
	race->early_hup += seen.early_hup;
	race->late_data += seen.late_data;
	race->lost += seen.bytes != want;
	race->unknown += !seen.ended ||
			 (!seen.error && race->state != RACE_CLOSE_WAIT);
	conn_free(&conn);
}

static pid_t spin(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		for (;;)
			getppid();
	return pid;
}

/**
 * race_run() - tries @race->tries times and counts
 * @race: what to try; the counts are added to what is there
 * @bed: where
 */
void race_run(struct race *race, struct bed *bed)
{
	int tries = race->tries, i;
	struct reader reader;
	cpu_set_t anywhere;
	pid_t load[8];

	MUST(!sched_getaffinity(0, sizeof(anywhere), &anywhere));
	for (i = 0; i < race->load; i++)
		load[i] = spin();
	reader_start(&reader, race->reader);
	/*
	 * As a network card's queue does: else the RST can overtake the data, and
	 * is none for TCP then.
	 */
	cpu_stay();
	for (; race->tries; race->tries--)
		one_try(race, bed, &reader);
	MUST(!sched_setaffinity(0, sizeof(anywhere), &anywhere));
	reader_stop(&reader);
	race->tries = tries;
	for (i = 0; i < race->load; i++) {
		kill(load[i], SIGKILL);
		waitpid(load[i], NULL, 0);
	}
}
