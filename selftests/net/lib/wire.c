// SPDX-License-Identifier: GPL-2.0
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#define __FAVOR_BSD
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

/* Large enough that no packet of a test is lost for want of room. */
#define CAPTURE_BYTES (256 << 20)

void wire_open(struct wire *wire, struct bed *bed)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int bytes = CAPTURE_BYTES;

	memset(wire, 0, sizeof(*wire));
	bed_enter(bed, SIDE_B);
	sll.sll_ifindex = if_nametoindex("veth0");
	wire->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(wire->fd >= 0);
	MUST(!setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			 sizeof(bytes)));
	MUST(!bind(wire->fd, (struct sockaddr *)&sll, sizeof(sll)));
	bed_enter(bed, SIDE_A);
}

void wire_close(struct wire *wire)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	MUST(!getsockopt(wire->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
	MUST(stats.tp_drops == 0);
	close(wire->fd);
}

static struct flow *flow_of(struct wire *wire, uint16_t port)
{
	int i;

	for (i = 0; i < WIRE_FLOWS; i++) {
		struct flow *flow = &wire->flows[i];

		if (!flow->port)
			flow->port = port;
		if (flow->port == port)
			return flow;
	}
	FATAL("more connections than the capture can tell apart");
}

static void segment(struct wire *wire, const struct tcphdr *th, uint32_t len)
{
	enum side from = ntohs(th->th_sport) == PEER_PORT ? SIDE_B : SIDE_A;
	enum side to = from == SIDE_A ? SIDE_B : SIDE_A;
	struct flow *flow = flow_of(wire, ntohs(from == SIDE_A ? th->th_sport :
						th->th_dport));
	uint32_t end = ntohl(th->th_seq) + 1;

	/* Ports are drawn: another connection may get one that has been. */
	if ((th->th_flags & (TH_SYN | TH_ACK)) == TH_SYN && flow->isn[from] &&
	    flow->isn[from] != end)
		*flow = (struct flow){ .port = flow->port };

	flow->packets[from]++;
	if (th->th_flags & TH_SYN) {
		flow->isn[from] = end;
		return;
	}
	if (th->th_flags & TH_RST) {
		if (from == SIDE_A && !flow->rst[SIDE_A]) {
			flow->acked_at_rst = flow->acked[SIDE_A];
			flow->reply_at_rst = flow->sent[SIDE_B];
		}
		flow->rst[from]++;
		flow->rst_ack[from] += !!(th->th_flags & TH_ACK);
		return;		/* its sequence and ack numbers are no data's */
	}
	if (th->th_flags & TH_ACK) {
		end = ntohl(th->th_ack) - flow->isn[to];
		if ((int32_t)(end - flow->acked[to]) > 0)
			flow->acked[to] = end;
	}
	end = ntohl(th->th_seq) - flow->isn[from] + len;
	if (th->th_flags & TH_FIN) {
		flow->fin[from]++;
		end++;
	}
	if ((int32_t)(end - flow->sent[from]) > 0)
		flow->sent[from] = end;
}

static void packet(struct wire *wire, const uint8_t *data, size_t have)
{
	const struct ip *ip = (const void *)data;
	const struct ip6_hdr *ip6 = (const void *)data;
	const struct tcphdr *th;
	uint32_t head, total;

	if (have >= sizeof(*ip) && ip->ip_v == 4 && ip->ip_p == IPPROTO_TCP) {
		head = ip->ip_hl * 4;
		total = ntohs(ip->ip_len);
	} else if (have >= sizeof(*ip6) && ip->ip_v == 6 &&
		   ip6->ip6_nxt == IPPROTO_TCP) {
		head = sizeof(*ip6);
		total = head + ntohs(ip6->ip6_plen);
	} else {
		return;		/* neighbour discovery and such */
	}
	th = (const void *)(data + head);
	if (have < head + sizeof(*th))
		return;
	segment(wire, th, total - head - th->th_off * 4);
}

/* Takes in one packet; false if there is none. */
static bool wire_take(struct wire *wire)
{
	union {
		uint8_t bytes[128];
		uint32_t align;
	} head;
	ssize_t got = recv(wire->fd, head.bytes, sizeof(head), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return false;
	MUST(got >= 0 || errno == ENETDOWN);
	if (got > 0)
		packet(wire, head.bytes, got);
	return true;
}

const struct flow *wire_flow(struct wire *wire, uint16_t port)
{
	while (wire_take(wire))
		;
	return flow_of(wire, port);
}

bool wire_next(struct wire *wire)
{
	struct pollfd pfd = { .fd = wire->fd, .events = POLLIN };

	return poll(&pfd, 1, WAIT_MS) == 1;
}
