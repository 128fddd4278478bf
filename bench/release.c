// SPDX-License-Identifier: GPL-2.0
/*
 * From the last acknowledgement to the RST, as the peer's end of the wire sees
 * them, with 1, 100, ... other connections held:
 *
 *	release TIMES HELD...
 *
 * A line for each release: HELD NANOSECONDS. The module is loaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"

/* A little over the peer's window: a held connection is small. */
#define UPLOAD 24576

static struct bed bed;

static int capture_open(void)
{
	int on = 1, bytes = 16 << 20, fd;

	bed_enter(&bed, SIDE_B);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	MUST(fd >= 0);
	MUST(!setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	MUST(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)));
	bed_enter(&bed, SIDE_A);
	return fd;
}

struct packet {
	bool outgoing;		/* from the peer */
	bool rst;
	uint16_t port;		/* the sender's */
	uint64_t ns;
};

static bool capture_next(int fd, struct packet *packet, int flags)
{
	struct { struct iphdr ip; struct tcphdr tcp; char rest[64]; } head;
	struct iovec iov = { &head, sizeof(head) };
	struct sockaddr_ll from;
	char control[128];
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct timespec *ts;

	do {
		msg.msg_controllen = sizeof(control);
		if (recvmsg(fd, &msg, flags) < 0) {
			MUST(errno == EAGAIN);
			return false;
		}
	} while (head.ip.version != 4 || head.ip.protocol != IPPROTO_TCP);
	ts = (struct timespec *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	packet->ns = ts->tv_sec * 1000000000ULL + ts->tv_nsec;
	packet->outgoing = from.sll_pkttype == PACKET_OUTGOING;
	packet->rst = head.tcp.th_flags & TH_RST;
	packet->port = ntohs(packet->outgoing ? head.tcp.th_dport :
						head.tcp.th_sport);
	return true;
}

static void capture_drain(int fd)
{
	struct packet packet;

	while (capture_next(fd, &packet, MSG_DONTWAIT))
		;
}

static void hold(struct conn *c)
{
	const struct conn_opts opts = { 0 };

	conn_open(c, &bed, &opts);
	conn_upload(c, UPLOAD);
	peer_reply(c);
	peer_shutdown_wr(c);
	MUST(conn_await_state(c, TCP_CLOSE_WAIT));
	conn_close(c);
}

/* The peer reads everything; when was its last word, and when the RST? */
static uint64_t release(int fd, struct conn *c)
{
	struct packet packet;
	struct result res;
	uint64_t acked = 0;

	capture_drain(fd);
	peer_finish(c, &res);
	MUST(res.alert && res.final == ECONNRESET);
	for (;;) {
		MUST(capture_next(fd, &packet, 0));
		if (packet.port != c->port)
			continue;
		if (packet.outgoing)
			acked = packet.ns;
		else if (packet.rst)
			break;
	}
	MUST(acked && packet.ns >= acked);
	return packet.ns - acked;
}

static void measure(int held, int times)
{
	struct conn *conns = calloc(held + 1, sizeof(*conns));
	int fd = capture_open();
	int i;

	MUST(conns);
	for (i = 0; i < held; i++)
		hold(&conns[i]);
	MUST(drst_stat("CurrHeld") == held);
	for (i = 0; i < times; i++) {
		hold(&conns[held]);
		printf("%d %lu\n", held, release(fd, &conns[held]));
		conn_free(&conns[held]);
	}
	fflush(stdout);
	close(fd);
	for (i = 0; i < held; i++) {
		peer_reset(&conns[i]);
		conn_free(&conns[i]);
	}
	MUST(drst_stat_await("CurrHeld", 0));
	free(conns);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 20, 1 << 20 };
	int i;

	if (argc < 3 || atoi(argv[1]) < 1) {
		fprintf(stderr, "usage: release TIMES HELD...\n");
		return 2;
	}
	MUST(!setrlimit(RLIMIT_NOFILE, &files));
	bed_open(&bed);
	drst_set("mode", 2);
	drst_set("max_held", 1 << 20);
	drst_set("timeout_ms", 3600000);
	drst_set("max_hold_ms", 3600000);
	for (i = 2; i < argc; i++)
		measure(atoi(argv[i]), atoi(argv[1]));
	bed_close(&bed);
	return 0;
}
