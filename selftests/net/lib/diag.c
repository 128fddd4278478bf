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

static void diag_ask(const struct conn *conn, int type, union answer *answer)
{
	struct {
		struct nlmsghdr hdr;
		struct inet_diag_req_v2 req;
	} msg = {
		.hdr = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.req = {
			.sdiag_family = conn->family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = ~0u,
			.id = {
				.idiag_sport = htons(conn->port),
				.idiag_dport = htons(PEER_PORT),
				.idiag_cookie = {
					INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE
				},
			},
		},
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool ipv4 = conn->family == AF_INET;

	MUST(fd >= 0);
	MUST(inet_pton(conn->family, ipv4 ? "192.0.2.1" : "2001:db8::1",
		       msg.req.id.idiag_src) == 1);
	MUST(inet_pton(conn->family, ipv4 ? "192.0.2.2" : "2001:db8::2",
		       msg.req.id.idiag_dst) == 1);
	MUST(send(fd, &msg, sizeof(msg), 0) == sizeof(msg));
	MUST(recv(fd, answer, sizeof(*answer), 0) > 0);
	close(fd);
}

int conn_destroy(const struct conn *conn)
{
	union answer answer;

	diag_ask(conn, SOCK_DESTROY, &answer);
	MUST(answer.hdr.nlmsg_type == NLMSG_ERROR);
	return ((struct nlmsgerr *)NLMSG_DATA(&answer.hdr))->error;
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

void conn_ulp_name(const struct conn *conn, char *name, size_t size)
{
	struct inet_diag_msg *diag;
	union answer answer;
	struct rtattr *rta;

	diag_ask(conn, SOCK_DIAG_BY_FAMILY, &answer);
	MUST(answer.hdr.nlmsg_type == SOCK_DIAG_BY_FAMILY);
	diag = NLMSG_DATA(&answer.hdr);
	rta = attr_find((struct rtattr *)(diag + 1),
			answer.hdr.nlmsg_len - NLMSG_LENGTH(sizeof(*diag)),
			INET_DIAG_ULP_INFO);
	if (rta)
		rta = attr_find(RTA_DATA(rta), RTA_PAYLOAD(rta),
				INET_ULP_INFO_NAME);
	snprintf(name, size, "%s", rta ? (char *)RTA_DATA(rta) : "");
}

struct request {
	struct nlmsghdr hdr;
	struct inet_diag_req_v2 req;
};

static int diag_send(struct request *msg, int type, int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	MUST(fd >= 0);
	msg->hdr.nlmsg_len = sizeof(*msg);
	msg->hdr.nlmsg_type = type;
	msg->hdr.nlmsg_flags = NLM_F_REQUEST | flags;
	MUST(send(fd, msg, sizeof(*msg), 0) == sizeof(*msg));
	return fd;
}

static bool diag_is_tls(const struct nlmsghdr *hdr)
{
	struct inet_diag_msg *diag = NLMSG_DATA(hdr);
	struct rtattr *rta;

	rta = attr_find((struct rtattr *)(diag + 1),
			hdr->nlmsg_len - NLMSG_LENGTH(sizeof(*diag)),
			INET_DIAG_ULP_INFO);
	if (rta)
		rta = attr_find(RTA_DATA(rta), RTA_PAYLOAD(rta),
				INET_ULP_INFO_NAME);
	return rta && !strncmp(RTA_DATA(rta), "tls", 3);
}

static int diag_destroy(const struct inet_diag_msg *diag)
{
	struct request msg = { .req = {
		.sdiag_family = diag->idiag_family,
		.sdiag_protocol = IPPROTO_TCP,
		.id = diag->id,
	} };
	union answer answer;
	int fd = diag_send(&msg, SOCK_DESTROY, NLM_F_ACK);
	int err;

	MUST(recv(fd, &answer, sizeof(answer), 0) > 0);
	close(fd);
	MUST(answer.hdr.nlmsg_type == NLMSG_ERROR);
	err = ((struct nlmsgerr *)NLMSG_DATA(&answer.hdr))->error;
	return err == -ENOENT ? 0 : err;
}

int diag_destroy_tls(int family, bool (*doomed)(void))
{
	struct request msg = { .req = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = ~0u,
	} };
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
