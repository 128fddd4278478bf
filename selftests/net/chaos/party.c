// SPDX-License-Identifier: GPL-2.0
/* What the threads of a process do with its connection: any call, in any order. */
#include "chaos.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define COPIES 3		/* descriptors of the connection that the threads know */

static struct party {
	int fd[COPIES];
	int pipe[2], post[2], epoll, file;
	bool tidy, done;
	struct conn conn;	/* the keys, and how much was sent */
} party;

/* After an error, who knows how much was taken? */
static ssize_t wrote(ssize_t ret)
{
	if (ret > 0)
		party.conn.sent += ret;
	else if (ret < 0 && errno != EAGAIN && errno != EOPNOTSUPP)
		party.done = true;
	return ret;
}

static ssize_t send_content(int fd, size_t len, int flags)
{
	struct conn c = party.conn;

	c.fd = fd;
	return wrote(conn_send_flags(&c, len, flags));
}

static ssize_t do_send(int fd)
{
	static const int flags[] = { 0, MSG_MORE, MSG_DONTWAIT, MSG_MORE | MSG_DONTWAIT,
				     MSG_ZEROCOPY };

	return send_content(fd, some(LONGEST), ONE_OF(flags));
}

static ssize_t do_sendfile(int fd)
{
	off_t at = party.conn.sent % CONTENT;

	return wrote(sendfile(fd, party.file, &at, some(LONGEST)));
}

static ssize_t do_notify(int fd)
{
	party.done = true;
	return record_send(fd, REC_ALERT, close_notify, 2, one_in(2) ? MSG_DONTWAIT : 0);
}

static ssize_t do_record(int fd)
{
	static const uint8_t types[] = { REC_ALERT, REC_HANDSHAKE, REC_DATA, 20, 99 };

	return record_send(fd, ONE_OF(types), key_update, KEY_UPDATE_LEN, 0);
}

static ssize_t do_splice_in(int fd)
{
	static const char text[LONGEST];
	ssize_t ret = write(party.pipe[1], text, some(LONGEST));

	return ret < 0 ? ret : splice(party.pipe[0], NULL, fd, NULL, ret,
				      one_in(2) ? SPLICE_F_MORE : 0);
}

static ssize_t do_splice_out(int fd)
{
	ssize_t ret = splice(fd, NULL, party.pipe[1], NULL, some(LONGEST), 0);
	char buf[4096];

	while (one_in(2) && read(party.pipe[0], buf, sizeof(buf)) > 0)
		;
	return ret;
}

static ssize_t do_recv(int fd)
{
	static const int flags[] = { 0, 0, MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC,
				     MSG_PEEK | MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB };
	char buf[LONGEST], control[256];
	struct iovec iov = { buf, some(LONGEST) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = one_in(4) ? 0 : sizeof(control),
	};

	return recvmsg(fd, &msg, ONE_OF(flags));
}

static ssize_t do_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = pick(2) * POLLIN | pick(2) * POLLOUT |
						pick(2) * POLLRDHUP | pick(2) * POLLPRI };

	return poll(&p, 1, pick(20));
}

static ssize_t do_epoll(int fd)
{
	static const int how[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	struct epoll_event event = { .events = pick(2) * EPOLLIN | pick(2) * EPOLLOUT |
					       pick(2) * EPOLLRDHUP | pick(2) * EPOLLET };

	if (epoll_ctl(party.epoll, ONE_OF(how), fd, &event) && errno != ENOENT &&
	    errno != EEXIST)
		return -1;
	return epoll_wait(party.epoll, &event, 1, pick(20));
}

static ssize_t do_ask(int fd)
{
	static const unsigned int ioctls[] = { SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK };
	static const int opts[][3] = {
		{ IPPROTO_TCP, TCP_INFO, 256 }, { SOL_SOCKET, SO_ERROR, 4 },
		{ IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, 40 }, { IPPROTO_TCP, TCP_ULP, 8 },
		{ SOL_TLS, TLS_TX, 40 }, { SOL_SOCKET, SO_PEEK_OFF, 4 },
	};
	const int *opt = ONE_OF(opts);
	char value[256] = { 0 };
	socklen_t len = opt[2];

	if (one_in(3))
		return ioctl(fd, ONE_OF(ioctls), value);
	if (one_in(6))
		return getpeername(fd, (void *)value, &len);
	return getsockopt(fd, opt[0], opt[1], value, &len);
}

static ssize_t do_set(int fd)
{
	static const int opts[][3] = {
		{ SOL_SOCKET, SO_RCVLOWAT, 30000 }, { SOL_SOCKET, SO_PEEK_OFF, 1000 },
		{ SOL_SOCKET, SO_SNDBUF, 100000 }, { SOL_SOCKET, SO_RCVBUF, 100000 },
		{ SOL_SOCKET, SO_ZEROCOPY, 2 }, { SOL_SOCKET, SO_OOBINLINE, 2 },
		{ IPPROTO_TCP, TCP_CORK, 2 }, { IPPROTO_TCP, TCP_NODELAY, 2 },
		{ IPPROTO_TCP, TCP_REPAIR, 2 }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 500 },
		{ IPPROTO_TCP, TCP_LINGER2, -1 }, { IPPROTO_TCP, TCP_INQ, 2 },
		{ IPPROTO_IP, IP_RECVERR, 2 }, { SOL_TLS, TLS_RX_EXPECT_NO_PAD, 2 },
	};
	const int *opt = ONE_OF(opts);
	int value = opt[2] > 0 ? (int)pick(opt[2]) : opt[2];

	return setsockopt(fd, opt[0], opt[1], &value, sizeof(value));
}

static ssize_t do_linger(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = pick(2) };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

ssize_t do_timeouts(int fd)
{
	struct timeval tv = { .tv_usec = 1000 + pick(100000) };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ?:
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* TLS_TX again, or TLS_RX later. From 6.14 on TLS 1.3 takes keys for a second time. */
static ssize_t do_keys(int fd)
{
	int err = one_in(2) ? dir_install(&party.conn.tx, fd, TLS_TX) :
			      dir_install(&party.conn.rx, fd, TLS_RX);

	errno = -err;
	return err ? -1 : 0;
}

static ssize_t do_shutdown(int fd)
{
	return shutdown(fd, pick(3));
}

static ssize_t do_disconnect(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none));
}

static void keep(int fd)
{
	int empty = -1;

	if (fd >= 0 && !__atomic_compare_exchange_n(&party.fd[pick(COPIES)], &empty, fd, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		close(fd);
}

static ssize_t do_dup(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	keep(fd);
	return fd < 0 ? fd : 0;
}

/* One descriptor goes on its way, one that was on its way may arrive. */
static ssize_t do_pass(int fd)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { &(char){ 0 }, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t ret;

	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	ret = sendmsg(party.post[0], &msg, MSG_DONTWAIT);
	if (one_in(2) && recvmsg(party.post[1], &msg, MSG_DONTWAIT) == 1) {
		memcpy(&fd, CMSG_DATA(&control.hdr), sizeof(fd));
		keep(fd);
	}
	return ret;
}

static ssize_t do_fork(int fd)
{
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -1 : 0;
	do_recv(fd);
	pause_ms(pick(30));
	_exit(0);
}

static ssize_t do_close(int fd)
{
	fd = __atomic_exchange_n(&party.fd[pick(COPIES)], -1, __ATOMIC_SEQ_CST);
	return fd < 0 ? 0 : close(fd);
}

static ssize_t do_die(int fd)
{
	return fd < 0 ? 0 : kill(getpid(), SIGKILL);
}

/* What is held. The other threads may be in the middle of anything. */
static ssize_t do_leave(int fd)
{
	int i;

	for (i = pick(6); i; i--)
		send_content(fd, LONGEST, MSG_DONTWAIT | MSG_MORE * pick(2));
	if (do_notify(fd) < 0)
		return -1;
	if (one_in(3))
		_exit(0);
	for (i = 0; i < 2 * COPIES; i++)
		do_close(fd);
	return 0;
}

/* Calls that WRITE are one thread's where the peer judges, those that SPOIL that are nobody's. */
static const struct call {
	ssize_t (*make)(int fd);
	const char *name;
	int share;	/* in percent */
	enum { ANY, WRITES, SPOILS } kind;
} calls[] = {
	{ do_send, "send", 13, WRITES }, { do_sendfile, "sendfile", 4, WRITES },
	{ do_notify, "close_notify", 3, WRITES }, { do_leave, "upload", 8, WRITES },
	{ do_record, "record", 3, SPOILS }, { do_splice_in, "splice to", 2, SPOILS },
	{ do_splice_out, "splice from", 3, ANY }, { do_recv, "recvmsg", 16, ANY },
	{ do_poll, "poll", 5, ANY }, { do_epoll, "epoll", 6, ANY },
	{ do_ask, "getsockopt, ioctl", 10, ANY }, { do_set, "setsockopt", 7, ANY },
	{ do_linger, "SO_LINGER", 3, ANY }, { do_timeouts, "SO_RCVTIMEO", 1, ANY },
	{ do_keys, "TLS_TX, TLS_RX", 2, SPOILS }, { do_shutdown, "shutdown", 2, ANY },
	{ do_disconnect, "connect", 1, ANY }, { do_dup, "dup", 3, ANY },
	{ do_pass, "SCM_RIGHTS", 2, ANY }, { do_fork, "fork", 1, ANY },
	{ do_close, "close", 4, ANY }, { do_die, "kill", 1, ANY },
};

static const struct call *any_call(void)
{
	int at = pick(100), i;

	for (i = 0; at >= calls[i].share; i++)
		at -= calls[i].share;
	return &calls[i];
}

/* Anybody may have closed, shut down or destroyed anything. */
static bool plausible(int err)
{
	static const int errnos[] = {
		EAGAIN, EBADF, EBADMSG, EBUSY, ECONNABORTED, ECONNRESET, EINPROGRESS, EINVAL, EIO,
		EKEYEXPIRED, EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE,
		ETIMEDOUT,
	};
	const int n = sizeof(errnos) / sizeof(errnos[0]);
	int i;

	for (i = 0; i < n && errnos[i] != err; i++)
		;
	return i < n;
}

/* Another thread may close it before it is used. */
static int any_fd(void)
{
	int i, first = pick(COPIES), fd = -1;

	for (i = 0; fd < 0 && i < COPIES; i++)
		fd = party.fd[(first + i) % COPIES];
	return fd;
}

static void *make_calls(void *task)
{
	bool writer = (uintptr_t)task % THREADS == 0;
	const struct call *call;
	ssize_t ret;
	int i;

	seed((uintptr_t)task);
	for (i = pick(CALLS); i < CALLS; i++) {
		call = any_call();
		if (party.tidy && call->kind != ANY &&
		    (call->kind == SPOILS || !writer || party.done))
			continue;
		ret = call->make(any_fd());
		if (ret > LONGEST || ret < -1 || (ret < 0 && !plausible(errno)))
			wrong("%s gives %zd, errno %d", call->name, ret, errno);
		count(&chaos->calls);
	}
	return NULL;
}

void be_party(const struct conn *c, int file, bool tidy, unsigned int task)
{
	uintptr_t i, threads = 2 + pick(THREADS - 1);
	pthread_t thread[THREADS];

	MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
	signal(SIGCHLD, SIG_IGN);
	party.conn = *c;
	party.fd[0] = c->fd;
	for (i = 1; i < COPIES; i++)
		party.fd[i] = -1;
	party.tidy = tidy;
	party.file = file;
	party.epoll = epoll_create1(EPOLL_CLOEXEC);
	MUST(party.epoll >= 0 && !pipe2(party.pipe, O_NONBLOCK | O_CLOEXEC));
	MUST(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, party.post));
	for (i = 1; i < threads; i++)
		MUST(!pthread_create(&thread[i], NULL, make_calls, (void *)(task * THREADS + i)));
	make_calls((void *)(uintptr_t)(task * THREADS));
	/* Or else the others are in the middle of it. */
	if (!one_in(3))
		for (i = 1; i < threads; i++)
			pthread_join(thread[i], NULL);
	_exit(0);
}
