// SPDX-License-Identifier: GPL-2.0
/* The program's calls: each runs in a thread of its own, see actor.c. */
#include "call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../lib/bed.h"
#include "../lib/tlsrec.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef TCP_CM_INQ
#define TCP_CM_INQ TCP_INQ
#endif

#define SEND_MAX (1 << 20)

static const char zeros[SEND_MAX];

void finish(struct call *call, long ret)
{
	call->out.ret = ret;
	call->out.err = ret < 0 ? errno : 0;
}

static size_t read_size(const struct call *call)
{
	MUST(call->step->arg[0] <= DATA_MAX);
	return call->step->arg[0];
}

static size_t send_size(const struct call *call)
{
	MUST(call->step->arg[0] <= SEND_MAX);
	return call->step->arg[0];
}

/* ---- reading ---- */

void call_recv(struct call *call)
{
	finish(call, recv(call->fd, call->data, read_size(call),
			  STEP_FLAGS(call->step)));
}

static void note_control(struct call *call, struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_TLS)
			call->out.type = *CMSG_DATA(cmsg);
		else if (cmsg->cmsg_level == SOL_TCP &&
			 cmsg->cmsg_type == TCP_CM_INQ)
			memcpy(&call->out.inq, CMSG_DATA(cmsg), sizeof(int));
		else
			call->out.value++;	/* of the error queue */
	}
}

void call_recvmsg(struct call *call)
{
	char control[512];
	struct iovec iov = { call->data, read_size(call) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	finish(call, recvmsg(call->fd, &msg, STEP_FLAGS(call->step)));
	if (call->out.ret < 0)
		return;
	call->out.flags = msg.msg_flags &
			  (MSG_EOR | MSG_TRUNC | MSG_CTRUNC | MSG_ERRQUEUE);
	note_control(call, &msg);
}

/* One message, so that what is said of it is what recv() would say. */
void call_recvmmsg(struct call *call)
{
	struct iovec iov = { call->data, read_size(call) };
	struct mmsghdr msg = {
		.msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 },
	};

	finish(call, recvmmsg(call->fd, &msg, 1, STEP_FLAGS(call->step), NULL));
	if (call->out.ret == 1)
		call->out.ret = msg.msg_len;
}

void call_readv(struct call *call)
{
	size_t half = read_size(call) / 2;
	struct iovec iov[] = {
		{ call->data, half },
		{ call->data + half, read_size(call) - half },
	};

	finish(call, readv(call->fd, iov, 2));
}

void call_splice(struct call *call)
{
	ssize_t got;
	int p[2];

	MUST(!pipe2(p, O_CLOEXEC));
	got = splice(call->fd, NULL, p[1], NULL, read_size(call),
		     STEP_FLAGS(call->step) & MSG_DONTWAIT ?
		     SPLICE_F_NONBLOCK : 0);
	finish(call, got);
	if (got > 0)
		MUST(read(p[0], call->data, got) == got);
	close(p[0]);
	close(p[1]);
}

/* ---- sending ---- */

void call_send(struct call *call)
{
	finish(call, send(call->fd, zeros, send_size(call),
			  STEP_FLAGS(call->step)));
}

void call_sendmsg(struct call *call)
{
	struct iovec iov = { (void *)zeros, send_size(call) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	finish(call, sendmsg(call->fd, &msg, STEP_FLAGS(call->step)));
}

void call_sendfile(struct call *call)
{
	off_t pos = 0;

	finish(call, sendfile(call->fd, call->file, &pos, send_size(call)));
}

void call_notify(struct call *call)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(1)];
	} control = { .hdr = {
		.cmsg_len = CMSG_LEN(1), .cmsg_level = SOL_TLS,
		.cmsg_type = TLS_SET_RECORD_TYPE } };
	struct iovec iov = { (void *)close_notify, sizeof(close_notify) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	*CMSG_DATA(&control.hdr) = REC_ALERT;
	finish(call, sendmsg(call->fd, &msg, STEP_FLAGS(call->step)));
}

/* ---- options ---- */

void call_shutdown(struct call *call)
{
	finish(call, shutdown(call->fd, call->step->arg[0]));
}

static void get_option(struct call *call, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	finish(call, getsockopt(call->fd, level, name, &value, &len));
	call->out.value = value;
}

void call_so_error(struct call *call)
{
	get_option(call, SOL_SOCKET, SO_ERROR);
}

static void get_number(struct call *call, unsigned long request)
{
	int value = 0;

	finish(call, ioctl(call->fd, request, &value));
	call->out.value = value;
}

void call_fionread(struct call *call)
{
	get_number(call, FIONREAD);
}

/* How much is queued depends on the machine. */
void call_outq(struct call *call)
{
	get_number(call, SIOCOUTQ);
	call->out.value = !!call->out.value;
}

void call_state(struct call *call)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	finish(call, getsockopt(call->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	call->out.value = info.tcpi_state;
}

union name {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Ports are different ones each time. */
static long name_value(const union name *name)
{
	int octet = name->in6.sin6_addr.s6_addr[15];

	if (name->sa.sa_family == AF_INET)
		octet = ntohl(name->in.sin_addr.s_addr) & 0xff;
	return NAME(octet, !!name->in.sin_port);
}

static void get_name(struct call *call,
		     int (*get)(int fd, struct sockaddr *sa, socklen_t *len))
{
	union name name = {};
	socklen_t len = sizeof(name);

	finish(call, get(call->fd, &name.sa, &len));
	call->out.value = name_value(&name);
}

void call_peername(struct call *call)
{
	get_name(call, getpeername);
}

void call_sockname(struct call *call)
{
	get_name(call, getsockname);
}

static void set_option(struct call *call, int level, int name, int value)
{
	finish(call, setsockopt(call->fd, level, name, &value, sizeof(value)));
}

void call_rcvlowat(struct call *call)
{
	set_option(call, SOL_SOCKET, SO_RCVLOWAT, call->step->arg[0]);
}

static void set_timeout(struct call *call, int name)
{
	long ms = call->step->arg[0];
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	finish(call, setsockopt(call->fd, SOL_SOCKET, name, &tv, sizeof(tv)));
}

void call_rcvtimeo(struct call *call)
{
	set_timeout(call, SO_RCVTIMEO);
}

void call_sndtimeo(struct call *call)
{
	set_timeout(call, SO_SNDTIMEO);
}

void call_inq(struct call *call)
{
	set_option(call, IPPROTO_TCP, TCP_INQ, 1);
}

void call_tstamp(struct call *call)
{
	set_option(call, SOL_SOCKET, SO_TIMESTAMPING,
		   SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
		   SOF_TIMESTAMPING_OPT_TSONLY);
}

void call_async(struct call *call)
{
	int flags = fcntl(call->fd, F_GETFL);

	MUST(!fcntl(call->fd, F_SETOWN, getpid()));
	MUST(!fcntl(call->fd, F_SETSIG, JUDGE_SIGIO));
	finish(call, fcntl(call->fd, F_SETFL, flags | O_ASYNC));
}

void call_linger0(struct call *call)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	finish(call, setsockopt(call->fd, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
}

/* ---- the connection and its descriptors ---- */

void call_disconnect(struct call *call)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	finish(call, connect(call->fd, &none, sizeof(none)));
}

void call_bind(struct call *call)
{
	union name name = {};
	socklen_t len = sizeof(name);

	MUST(!getsockname(call->fd, &name.sa, &len));
	name.in.sin_port = 0;
	finish(call, bind(call->fd, &name.sa, len));
}

void call_listen(struct call *call)
{
	finish(call, listen(call->fd, 1));
}

void call_dup(struct call *call)
{
	finish(call, fcntl(call->fd, F_DUPFD_CLOEXEC, 0));
}

void call_close(struct call *call)
{
	finish(call, close(call->fd));
}

/* The descriptor goes into a message, which nobody has received yet. */
void call_pass(struct call *call)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} rights = { .hdr = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &rights,
			      .msg_controllen = sizeof(rights) };

	memcpy(CMSG_DATA(&rights.hdr), &call->fd, sizeof(int));
	finish(call, sendmsg(call->flight, &msg, 0));
}

void call_take(struct call *call)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &rights,
			      .msg_controllen = sizeof(rights) };
	int fd;

	MUST(recvmsg(call->flight, &msg, MSG_CMSG_CLOEXEC) == 1);
	MUST(msg.msg_controllen == sizeof(rights));
	memcpy(&fd, CMSG_DATA(&rights.hdr), sizeof(fd));
	finish(call, fd);
}
