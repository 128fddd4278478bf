// SPDX-License-Identifier: GPL-2.0
/* The TCP sockets of a network namespace, by sock_diag(7) */
#include "drstat.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 diag;
};

static const struct rtattr *find_attribute(const struct rtattr *a, int len, int type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* Whether the ULP is called tls, or tls-held: a connection that tls_drst holds */
static bool is_ktls(const struct rtattr *ulp)
{
	const struct rtattr *name =
		find_attribute(RTA_DATA(ulp), (int)RTA_PAYLOAD(ulp), INET_ULP_INFO_NAME);

	return name && RTA_PAYLOAD(name) >= 3 && !memcmp(RTA_DATA(name), "tls", 3);
}

static bool add(struct sockets *s, const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(nlh);
	int len = (int)(nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	const struct rtattr *attributes = (const struct rtattr *)(msg + 1);
	const struct rtattr *ulp = find_attribute(attributes, len, INET_DIAG_ULP_INFO);
	struct tcp_socket *more;

	/* The kernel shows the mark to those to whom it shows the ULP; a newer one shows that to all. */
	if (ulp || find_attribute(attributes, len, INET_DIAG_MARK))
		s->ulp_seen = true;
	more = with_room(s->socket, s->n, &s->room, sizeof(*more));
	if (!more)
		return false;
	s->socket = more;
	s->socket[s->n++] = (struct tcp_socket){
		.inode = msg->idiag_inode,
		.listening = msg->idiag_state == TCP_LISTEN,
		.ktls = ulp && is_ktls(ulp),
	};
	return true;
}

/* Return: 0: there is more; 1: that was all; or a negative errno. */
static int take(struct sockets *s, const void *buf, ssize_t got)
{
	const struct nlmsghdr *nlh = buf;
	unsigned int len = (unsigned int)got;

	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
		if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY && !add(s, nlh))
			return -ENOMEM;
	}
	return 0;
}

/* Return: 0 or a negative errno. */
static int dump(struct sockets *s, int fd, int family)
{
	struct request request = {
		.head = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.diag = {
			.sdiag_family = (__u8)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1), /* the ULP comes with it */
			.idiag_states = ~(1U << TCP_TIME_WAIT),
		},
	};
	static char buf[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	int err = 0;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	while (!err) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);

		if (got > 0)
			err = take(s, buf, got);
		else if (errno != EINTR)
			err = got ? -errno : -EIO;
	}
	return err < 0 ? err : 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct tcp_socket *one = a, *other = b;

	return (one->inode > other->inode) - (one->inode < other->inode);
}

void sockets_read(struct sockets *s)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int err = fd < 0 ? -errno : 0;

	if (!err)
		err = dump(s, fd, AF_INET);
	if (!err)
		err = dump(s, fd, AF_INET6);
	/* ENOENT: no inet_diag, or no IPv6 */
	if (err && !(err == -ENOENT && s->n))
		s->trouble = strerror(-err);
	if (fd >= 0)
		close(fd);
	if (s->n)
		qsort(s->socket, s->n, sizeof(*s->socket), by_inode);
}

const struct tcp_socket *sockets_find(const struct sockets *s, unsigned int inode)
{
	struct tcp_socket key = { .inode = inode };

	return s->n && inode ? bsearch(&key, s->socket, s->n, sizeof(key), by_inode) : NULL;
}
