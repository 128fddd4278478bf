/* SPDX-License-Identifier: GPL-2.0 */
/* One system call of a script, and what came of it. */
#ifndef SELFTESTS_JUDGE_CALL_H
#define SELFTESTS_JUDGE_CALL_H

#include <linux/io_uring.h>

#include "script.h"

#define DATA_MAX 16384

/* What is compared. */
struct outcome {
	bool skipped;		/* see may_start() */
	bool waited;		/* a timeout of the program's own ended it */
	bool sigpipe;
	bool corrupt;		/* not the bytes that the peer sent */
	long ret;
	int err;
	long value;		/* what the call filled in: revents, an option ... */
	int type;		/* of the TLS record, 0 if none was told */
	int inq;		/* TCP_CM_INQ, -1 if there was none */
	int flags;		/* msg_flags */
};

/* What peername and sockname show: the last octet of the address, and is there a port? */
#define NAME(octet, port) ((octet) * 2 + (port))
#define NAME_OWN NAME(1, true)
#define NAME_PEER NAME(2, true)

struct uring {
	int fd;			/* 0: there is none */
	struct io_uring_params params;
	char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
};

struct call {
	const struct step *step;
	int fd;
	int epoll;
	int file;		/* for sendfile() */
	int flight;		/* for SCM_RIGHTS: one end of a socketpair */
	struct uring *uring;
	struct outcome out;
	uint8_t data[DATA_MAX];
};

/* The name of every op of the program's has a call_...() of its own. */
#define CALLS(X)							\
	X(recv) X(recvmsg) X(recvmmsg) X(readv) X(splice) X(zerocopy)	\
	X(send) X(sendmsg) X(sendfile) X(notify)			\
	X(poll) X(select) X(epoll_add) X(epoll_wait)			\
	X(uring_recv) X(uring_poll) X(uring_next) X(uring_close)	\
	X(shutdown) X(so_error) X(fionread) X(outq) X(state)		\
	X(peername) X(sockname) X(rcvlowat) X(rcvtimeo) X(sndtimeo)	\
	X(inq) X(tstamp) X(async) X(linger0) X(disconnect) X(bind)	\
	X(listen) X(dup) X(pass) X(take) X(close)

#define DECLARE_CALL(name) void call_##name(struct call *call);
CALLS(DECLARE_CALL)

/* What async has the kernel send. */
#define JUDGE_SIGIO (SIGRTMIN + 1)

void uring_drop(struct uring *u);
void finish(struct call *call, long ret);

#endif
