// SPDX-License-Identifier: GPL-2.0
/*
 * What holding costs with 0, 1, 100, ... other connections held:
 *
 *	release TIMES SECONDS HELD...
 *
 * The module is loaded. Prints lines of HELD KEY VALUE:
 *
 *	rst	nanoseconds from the last acknowledgement to the RST, as the peer's
 *		end of the wire sees both
 *	close	nanoseconds that close() takes
 *	slab	a slab cache of which holding takes or frees objects: its name, the
 *		bytes of an object, how many objects for each connection
 *	list	nanoseconds that it takes to read /proc/net/tls_drst
 *	work	how often a hold's work ran in SECONDS in which nothing came
 *	look	nanoseconds of each look at TCP's memory meanwhile
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"

/* Of one that is only there to be held: little, so that many fit into memory */
#define SMALL_WINDOW 1024
#define SMALL_UPLOAD 3072
/* Of one that is measured: the ordinary small window of a test, and more data */
#define UPLOAD 65536

/*
 * Those that are only held: so many ports of the sender, each connected to so many of
 * the peer. None is one that the kernel chooses.
 */
#define PORT 10000
#define PORTS 20000
#define LISTENERS 8

#define LIST "/proc/thread-self/net/tls_drst"
#define TRACEFS "/sys/kernel/tracing/"
#define WORK_EVENTS TRACEFS "events/workqueue/workqueue_execute_"

static struct bed bed;
static int listener, small_listeners[LISTENERS];

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---- the wire ---- */

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
	uint16_t port;		/* the other side's */
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
		.msg_control = control,
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

/* ---- one connection ---- */

static void listen_all(void)
{
	int i;

	listener = peer_listener(&bed, AF_INET);
	for (i = 0; i < LISTENERS; i++)
		small_listeners[i] = peer_listener_at(&bed, AF_INET,
						      PEER_PORT + 1 + i,
						      SMALL_WINDOW);
}

/* Its queue is full and it has something unread: close() owes a RST. */
static void make_ready(struct conn *c, const struct conn_opts *opts,
		       size_t upload)
{
	conn_open(c, &bed, opts);
	conn_upload(c, upload);
	peer_reply(c);
	MUST(conn_await_unread(c));
}

static void make_ready_to_be_held(struct conn *c, int i)
{
	const struct conn_opts opts = {
		.listener = small_listeners[i / PORTS],
		.port = PORT + i % PORTS,
	};

	make_ready(c, &opts, SMALL_UPLOAD);
}

static void make_ready_to_be_measured(struct conn *c)
{
	const struct conn_opts opts = { .listener = listener };

	make_ready(c, &opts, UPLOAD);
}

static uint64_t close_timed(struct conn *c)
{
	uint64_t start = now(), end;

	MUST(!close(c->fd));
	end = now();
	c->fd = -1;
	return end - start;
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

/* ---- memory ---- */

#define SLABS 512

struct slab {
	char name[64];
	long active;
	long size;
};

static int slabs_read(struct slab *slabs)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[512];
	int n = 0;

	MUST(file);
	while (n < SLABS && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld %*d %ld", slabs[n].name,
			   &slabs[n].active, &slabs[n].size) == 3)
			n++;
	fclose(file);
	return n;
}

/* Of both readings, what changed by an object for at least every second one. */
static void slabs_compare(const struct slab *before, const struct slab *after,
			  int n, int held)
{
	long change;
	int i;

	for (i = 0; i < n; i++) {
		change = after[i].active - before[i].active;
		if (labs(change) * 2 >= held)
			printf("%d slab %s %ld %+.2f\n", held, after[i].name,
			       after[i].size, (double)change / held);
	}
}

/* ---- is there any work to do for connections that are held and idle? ---- */

static void trace_open(void)
{
	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	MUST(!write_file(TRACEFS "buffer_size_kb", "16384"));
	MUST(!write_file(TRACEFS "trace_clock", "mono"));
}

static void work_watch(void)
{
	FILE *trace = fopen(TRACEFS "trace", "w");	/* empties it */

	MUST(trace);
	fclose(trace);
	MUST(!write_file(WORK_EVENTS "start/enable", "1"));
	MUST(!write_file(WORK_EVENTS "end/enable", "1"));
}

/* Of a line "task-pid [cpu] flags seconds: event: ..." of the trace */
static uint64_t event_ns(const char *event)
{
	do {
		event--;
	} while (event[-1] != ' ');
	return strtod(event, NULL) * 1e9;
}

/* How often did a hold's work run, how long did each look at TCP's memory take? */
struct work {
	int runs, looks;
	uint64_t look_ns[256];
};

/* Since work_watch() */
static void work_seen(struct work *work)
{
	uint64_t began = 0;
	const char *event;
	char line[512];
	FILE *trace;
	bool start;

	MUST(!write_file(WORK_EVENTS "start/enable", "0"));
	MUST(!write_file(WORK_EVENTS "end/enable", "0"));
	trace = fopen(TRACEFS "trace", "r");
	MUST(trace);
	work->runs = work->looks = 0;
	while (fgets(line, sizeof(line), trace)) {
		event = strstr(line, ": workqueue_execute_");
		if (!event)
			continue;
		start = strstr(event, "_start");
		work->runs += start && strstr(event, " drst_outbound_work");
		if (!strstr(event, " drst_hold_pressure_work"))
			continue;
		if (start) {
			began = event_ns(event);
		} else if (began && work->looks < 256) {
			work->look_ns[work->looks++] = event_ns(event) - began;
			began = 0;
		}
	}
	fclose(trace);
}

/* Only what is held is there, and the clock goes on. */
static void measure_idle(int held, int seconds)
{
	static struct work work;
	int i;

	work_watch();
	pause_ms(seconds * 1000);
	work_seen(&work);
	printf("%d work %d\n", held, work.runs);
	for (i = 0; i < work.looks; i++)
		printf("%d look %lu\n", held, work.look_ns[i]);
}

/* ---- /proc/net/tls_drst ---- */

static void measure_list(int held)
{
	static char text[1 << 16];
	int list = open(LIST, O_RDONLY | O_CLOEXEC), lines = 0;
	uint64_t start, taken = 0;
	ssize_t got;
	char *at;

	MUST(list >= 0);
	do {
		start = now();
		got = read(list, text, sizeof(text));
		taken += now() - start;
		for (at = text; at < text + got; at++)
			lines += *at == '\n';
	} while (got > 0);
	MUST(!got && lines == held + 1);
	close(list);
	printf("%d list %lu\n", held, taken);
}

/* ---- all of it, with so many held ---- */

static void measure(int held, int times, int seconds)
{
	static struct slab before[SLABS], after[SLABS];
	struct conn *conns = calloc(held + 1, sizeof(*conns));
	struct conn *last = &conns[held];
	static struct work work;
	char stats[4096];
	int fd, i, n;

	MUST(conns && held <= PORTS * LISTENERS);
	for (i = 0; i < held; i++)
		make_ready_to_be_held(&conns[i], i);
	slabs_read(before);
	for (i = 0; i < held; i++)
		conn_close(&conns[i]);
	if (drst_stat("CurrHeld") != held) {
		read_file(DRST_STAT, stats, sizeof(stats));
		fprintf(stderr, "%d were to be held:\n%s", held, stats);
		FATAL("a limit of the machine's");
	}
	n = slabs_read(after);
	if (held >= 1000)
		slabs_compare(before, after, n, held);
	if (held)
		measure_idle(held, seconds);
	for (i = 0; i < 3; i++)
		measure_list(held);

	fd = capture_open();
	work_watch();
	for (i = 0; i < times; i++) {
		make_ready_to_be_measured(last);
		printf("%d close %lu\n", held, close_timed(last));
		printf("%d rst %lu\n", held, release(fd, last));
		conn_free(last);
	}
	/* That there was none above is a finding only if there is some here. */
	work_seen(&work);
	MUST(work.runs >= times);
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

	if (argc < 4 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: release TIMES SECONDS HELD...\n");
		return 2;
	}
	MUST(!setrlimit(RLIMIT_NOFILE, &files));
	trace_open();
	/* What is measured is not how holds end for want of memory. */
	MUST(!write_file("/proc/sys/net/ipv4/tcp_mem",
			 "1000000 1000000 1000000"));
	/* Of a big machine: otherwise its chains grow with what is held. */
	MUST(!write_file("/proc/sys/net/ipv4/tcp_child_ehash_entries",
			 "262144"));
	bed_open(&bed);
	/* What is only held is not to fill the wire with probes of its windows. */
	MUST(!write_file("/proc/sys/net/ipv4/tcp_rto_min_us", "60000000"));
	listen_all();
	drst_set("mode", 2);
	drst_set("max_held", 1 << 20);
	drst_set("timeout_ms", 3600000);
	drst_set("max_hold_ms", 3600000);
	for (i = 3; i < argc; i++)
		measure(atoi(argv[i]), atoi(argv[1]), atoi(argv[2]));
	bed_close(&bed);
	return 0;
}
