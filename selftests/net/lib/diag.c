// SPDX-License-Identifier: GPL-2.0
#include "diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union answer {
	struct nlmsghdr hdr;
	char room[4096];
};

struct request {
	struct nlmsghdr hdr;
	struct inet_diag_req_v2 req;
};

/* Returns the descriptor on which the answer comes. */
static int diag_send(struct request *msg, int type, int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	MUST(fd >= 0);
	msg->hdr.nlmsg_len = sizeof(*msg);
	msg->hdr.nlmsg_type = type;
	msg->hdr.nlmsg_flags = NLM_F_REQUEST | flags;
	msg->req.sdiag_protocol = IPPROTO_TCP;
	msg->req.idiag_ext = 1 << (INET_DIAG_INFO - 1);
	msg->req.idiag_states = ~0u;
	MUST(send(fd, msg, sizeof(*msg), 0) == sizeof(*msg));
	return fd;
}

static void diag_ask_id(int family, const struct inet_diag_sockid *id, int type,
			union answer *answer)
{
	struct request msg = { .req = { .sdiag_family = family, .id = *id } };
	int fd = diag_send(&msg, type, NLM_F_ACK);

	MUST(recv(fd, answer, sizeof(*answer), 0) > 0);
	close(fd);
}

static void diag_ask(const struct conn *conn, int type, union answer *answer)
{
	struct inet_diag_sockid id = {
		.idiag_sport = htons(conn->port),
		.idiag_dport = htons(PEER_PORT),
		.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
	};
	bool ipv4 = conn->family == AF_INET;

	MUST(inet_pton(conn->family, ipv4 ? "192.0.2.1" : "2001:db8::1",
		       id.idiag_src) == 1);
	MUST(inet_pton(conn->family, ipv4 ? "192.0.2.2" : "2001:db8::2",
		       id.idiag_dst) == 1);
	diag_ask_id(conn->family, &id, type, answer);
}

/* Of SOCK_DESTROY */
static int destroy_error(const union answer *answer)
{
	MUST(answer->hdr.nlmsg_type == NLMSG_ERROR);
	return ((struct nlmsgerr *)NLMSG_DATA(&answer->hdr))->error;
}

int conn_destroy(const struct conn *conn)
{
	union answer answer;

	diag_ask(conn, SOCK_DESTROY, &answer);
	return destroy_error(&answer);
}

static struct rtattr *attr_find(struct rtattr *rta, int len, int type)
{
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len))
		if ((rta->rta_type & NLA_TYPE_MASK) == type)
			return rta;
	return NULL;
}

int conn_diag_state(const struct conn *conn)
{
	union answer answer;

	diag_ask(conn, SOCK_DIAG_BY_FAMILY, &answer);
	if (answer.hdr.nlmsg_type == NLMSG_ERROR) {
		MUST(((struct nlmsgerr *)NLMSG_DATA(&answer.hdr))->error ==
		     -ENOENT);
		return TCP_CLOSE;
	}
	MUST(answer.hdr.nlmsg_type == SOCK_DIAG_BY_FAMILY);
	return ((struct inet_diag_msg *)NLMSG_DATA(&answer.hdr))->idiag_state;
}

/* The name of the ULP that a message of inet_diag has, or NULL */
static const char *ulp_name(const struct nlmsghdr *hdr)
{
	struct inet_diag_msg *diag = NLMSG_DATA(hdr);
	struct rtattr *rta;

	rta = attr_find((struct rtattr *)(diag + 1),
			hdr->nlmsg_len - NLMSG_LENGTH(sizeof(*diag)),
			INET_DIAG_ULP_INFO);
	if (rta)
		rta = attr_find(RTA_DATA(rta), RTA_PAYLOAD(rta),
				INET_ULP_INFO_NAME);
	return rta ? RTA_DATA(rta) : NULL;
}

void conn_ulp_name(const struct conn *conn, char *name, size_t size)
{
	union answer answer;
	const char *found;

	diag_ask(conn, SOCK_DIAG_BY_FAMILY, &answer);
	MUST(answer.hdr.nlmsg_type == SOCK_DIAG_BY_FAMILY);
	found = ulp_name(&answer.hdr);
	snprintf(name, size, "%s", found ? found : "");
}

static bool diag_is_tls(const struct nlmsghdr *hdr)
{
	const char *name = ulp_name(hdr);

	return name && !strncmp(name, "tls", 3);
}

static int diag_destroy(const struct inet_diag_msg *diag)
{
	union answer answer;
	int err;

	diag_ask_id(diag->idiag_family, &diag->id, SOCK_DESTROY, &answer);
	err = destroy_error(&answer);
	return err == -ENOENT ? 0 : err;
}

int diag_destroy_tls(int family, bool (*doomed)(void))
{
	struct request msg = { .req = { .sdiag_family = family } };
	int fd = diag_send(&msg, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	char room[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *hdr;
	int len, err = 0;

	for (;;) {
		len = recv(fd, room, sizeof(room), 0);
		MUST(len > 0);
		for (hdr = (void *)room; NLMSG_OK(hdr, len);
		     hdr = NLMSG_NEXT(hdr, len)) {
			if (hdr->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
				close(fd);
				return err;
			}
			if (diag_is_tls(hdr) && doomed() && !err)
				err = diag_destroy(NLMSG_DATA(hdr));
		}
	}
}
