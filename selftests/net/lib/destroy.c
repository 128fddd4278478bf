// SPDX-License-Identifier: GPL-2.0
#include "destroy.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

int conn_destroy(const struct conn *conn)
{
	struct {
		struct nlmsghdr hdr;
		struct inet_diag_req_v2 req;
	} msg = {
		.hdr = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.req = {
			.sdiag_family = AF_INET,
			.sdiag_protocol = IPPROTO_TCP,
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
	struct { struct nlmsghdr hdr; struct nlmsgerr err; char pad[256]; } ack;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	MUST(fd >= 0);
	MUST(inet_pton(AF_INET, "192.0.2.1", msg.req.id.idiag_src) == 1);
	MUST(inet_pton(AF_INET, "192.0.2.2", msg.req.id.idiag_dst) == 1);
	MUST(send(fd, &msg, sizeof(msg), 0) == sizeof(msg));
	MUST(recv(fd, &ack, sizeof(ack), 0) > 0);
	MUST(ack.hdr.nlmsg_type == NLMSG_ERROR);
	close(fd);
	return ack.err.error;
}
