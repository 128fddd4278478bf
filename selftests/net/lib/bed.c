// SPDX-License-Identifier: GPL-2.0
#include "bed.h"
#include "drst.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>	/* before the kernel's own */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NETEM_TICKS_PER_MS 15625	/* of 64 ns */
#define SYSCTL_NET "/proc/sys/net/"
#define EXIT_SKIPPED 4			/* KSFT_SKIP */
#define GSO_MAX_SEGS 65535	/* what a device has at first */

bool *bed_altered;

__attribute__((constructor)) static void share_with_children(void)
{
	bed_altered = mmap(NULL, sizeof(*bed_altered), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(bed_altered != MAP_FAILED);
}

void fatal(const char *file, int line, const char *what)
{
	printf("# %s:%d: %s: %s\n", file, line, what, strerror(errno));
	fflush(stdout);
	abort();
}

char *(*skip_reason)(void);

/* By UDP: sockets of TCP are counted. */
bool ipv6_present(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	else if (errno != EAFNOSUPPORT)
		FATAL("socket(AF_INET6)");
	return fd >= 0;
}

const int families[] = { AF_INET, AF_INET6 };

int n_families(void)
{
	return ipv6_present() ? 2 : 1;
}

void require_ipv6(void)
{
	if (ipv6_present())
		return;
	if (skip_reason)
		strcpy(skip_reason(), "kernel without IPv6");
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

long clock_ms(clockid_t clock)
{
	struct timespec now;

	MUST(!clock_gettime(clock, &now));
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A netlink request under construction. */
struct nlreq {
	struct nlmsghdr hdr;
	char body[512];
};

static void *nl_put(struct nlreq *req, const void *data, size_t len)
{
	void *at = (char *)req + NLMSG_ALIGN(req->hdr.nlmsg_len);

	if (len)
		memcpy(at, data, len);
	req->hdr.nlmsg_len = NLMSG_ALIGN(req->hdr.nlmsg_len) + len;
	return at;
}

static struct rtattr *nl_attr(struct nlreq *req, int type, const void *data,
			      size_t len)
{
	struct rtattr rta = { .rta_len = RTA_LENGTH(len), .rta_type = type };
	struct rtattr *at = nl_put(req, &rta, sizeof(rta));

	nl_put(req, data, len);
	return at;
}

static void nl_nest_end(struct nlreq *req, struct rtattr *nest)
{
	nest->rta_len = (char *)req + req->hdr.nlmsg_len - (char *)nest;
}

static void nl_start(struct nlreq *req, int type, int flags, const void *head,
		     size_t len)
{
	memset(req, 0, sizeof(*req));
	req->hdr.nlmsg_len = NLMSG_HDRLEN;
	req->hdr.nlmsg_type = type;
	req->hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nl_put(req, head, len);
}

/* A socket that is told of what happens to @groups in this namespace. */
static int nl_socket(__u32 groups)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = groups,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	MUST(fd >= 0);
	MUST(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

static void nl_do(struct nlreq *req, const char *what)
{
	struct { struct nlmsghdr hdr; struct nlmsgerr err; char pad[512]; } ack;
	int fd = nl_socket(0);

	*bed_altered = true;
	MUST(send(fd, req, req->hdr.nlmsg_len, 0) == (ssize_t)req->hdr.nlmsg_len);
	MUST(recv(fd, &ack, sizeof(ack), 0) > 0);
	close(fd);
	errno = -ack.err.error;
	if (ack.hdr.nlmsg_type != NLMSG_ERROR || ack.err.error)
		FATAL(what);
}

static void veth_create(int ns_b)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct rtattr *info, *data, *peer;
	struct nlreq req;

	nl_start(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	nl_attr(&req, IFLA_IFNAME, "veth0", 6);
	info = nl_attr(&req, IFLA_LINKINFO, NULL, 0);
	nl_attr(&req, IFLA_INFO_KIND, "veth", 5);
	data = nl_attr(&req, IFLA_INFO_DATA, NULL, 0);
	peer = nl_attr(&req, VETH_INFO_PEER, NULL, 0);
	nl_put(&req, &ifi, sizeof(ifi));
	nl_attr(&req, IFLA_IFNAME, "veth0", 6);
	nl_attr(&req, IFLA_NET_NS_FD, &ns_b, sizeof(ns_b));
	nl_nest_end(&req, peer);
	nl_nest_end(&req, data);
	nl_nest_end(&req, info);
	nl_do(&req, "RTM_NEWLINK veth");
}

/* Puts the address of @side where @addr is; returns its length. */
static int addr_of(enum side side, int family, char *addr)
{
	static const char * const text[][2] = {
		[SIDE_A] = { "192.0.2.1", "2001:db8::1" },
		[SIDE_B] = { "192.0.2.2", "2001:db8::2" },
	};

	MUST(inet_pton(family, text[side][family == AF_INET6], addr) == 1);
	return family == AF_INET ? 4 : 16;
}

static void addr_change(enum side side, int family, bool there)
{
	struct ifaddrmsg ifa = {
		.ifa_family = family,
		.ifa_prefixlen = family == AF_INET ? 24 : 64,
		.ifa_flags = IFA_F_NODAD,	/* usable at once */
		.ifa_index = if_nametoindex("veth0"),
	};
	struct nlreq req;
	char addr[16];
	int len = addr_of(side, family, addr);

	nl_start(&req, there ? RTM_NEWADDR : RTM_DELADDR,
		 there ? NLM_F_CREATE : 0, &ifa, sizeof(ifa));
	nl_attr(&req, IFA_LOCAL, addr, len);
	nl_attr(&req, IFA_ADDRESS, addr, len);
	nl_do(&req, "RTM_NEWADDR, RTM_DELADDR");
}

void addr_set(struct bed *bed, enum side side, int family, bool there)
{
	bed_enter(bed, side);
	addr_change(side, family, there);
	bed_enter(bed, SIDE_A);
}

/* A route to the other side; what is left of it is the caller's to add. */
static void route_start(struct nlreq *req, enum side side, int family, bool there,
			struct rtmsg rtm)
{
	enum side to = side == SIDE_A ? SIDE_B : SIDE_A;
	char addr[16];
	int len = addr_of(to, family, addr);

	rtm.rtm_family = family;
	rtm.rtm_table = RT_TABLE_MAIN;
	rtm.rtm_protocol = RTPROT_STATIC;
	rtm.rtm_dst_len = 8 * len;
	nl_start(req, there ? RTM_NEWROUTE : RTM_DELROUTE,
		 there ? NLM_F_CREATE | NLM_F_EXCL : 0, &rtm, sizeof(rtm));
	nl_attr(req, RTA_DST, addr, len);
}

void route_set(struct bed *bed, enum side side, int family, int type,
	       bool there)
{
	struct rtmsg rtm = {
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = type,
	};
	struct nlreq req;

	bed_enter(bed, side);
	route_start(&req, side, family, there, rtm);
	nl_do(&req, "RTM_NEWROUTE, RTM_DELROUTE");
	bed_enter(bed, SIDE_A);
}

static void link_flags(unsigned int flags)
{
	struct ifinfomsg ifi = {
		.ifi_index = if_nametoindex("veth0"),
		.ifi_flags = flags,
		.ifi_change = IFF_UP,
	};
	struct nlreq req;

	nl_start(&req, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	nl_do(&req, "RTM_NEWLINK flags");
}

void link_set_up(struct bed *bed, enum side side, bool up)
{
	bed_enter(bed, side);
	link_flags(up ? IFF_UP : 0);
	bed_enter(bed, SIDE_A);
}

static void link_set(struct bed *bed, enum side side, int attr, __u32 value)
{
	struct ifinfomsg ifi = { 0 };
	struct nlreq req;

	bed_enter(bed, side);
	ifi.ifi_index = if_nametoindex("veth0");
	nl_start(&req, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	nl_attr(&req, attr, &value, sizeof(value));
	nl_do(&req, "RTM_NEWLINK attribute");
	bed_enter(bed, SIDE_A);
}

void route_rto_min(struct bed *bed, enum side side, int family, uint32_t ms)
{
	struct rtmsg rtm = {
		.rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	const __u32 lock = 1 << RTAX_RTO_MIN;	/* else TCP ignores it */
	struct rtattr *metrics;
	struct nlreq req;
	__u32 device;

	*bed_altered = true;
	bed_enter(bed, side);
	device = if_nametoindex("veth0");
	route_start(&req, side, family, true, rtm);
	nl_attr(&req, RTA_OIF, &device, sizeof(device));
	metrics = nl_attr(&req, RTA_METRICS, NULL, 0);
	nl_attr(&req, RTAX_LOCK, &lock, sizeof(lock));
	nl_attr(&req, RTAX_RTO_MIN, &ms, sizeof(ms));
	nl_nest_end(&req, metrics);
	nl_do(&req, "RTM_NEWROUTE rto_min");
	bed_enter(bed, SIDE_A);
}

void link_mtu(struct bed *bed, enum side side, unsigned int mtu)
{
	link_set(bed, side, IFLA_MTU, mtu);
}

void link_single_packets(struct bed *bed, bool single)
{
	bool altered = *bed_altered;

	link_set(bed, SIDE_A, IFLA_GSO_MAX_SEGS, single ? 1 : GSO_MAX_SEGS);
	bed->single = single;
	*bed_altered = altered;
}

void link_impair(struct bed *bed, enum side side, unsigned int delay_ms,
		 unsigned int loss_percent)
{
	struct tc_netem_qopt opt = {
		.latency = NETEM_TICKS_PER_MS * delay_ms,
		.limit = 10000,
		.loss = (__u32)(0xffffffffULL * loss_percent / 100),
	};
	struct tcmsg tcm = { .tcm_parent = TC_H_ROOT };
	struct nlreq req;

	bed_enter(bed, side);
	tcm.tcm_ifindex = if_nametoindex("veth0");
	nl_start(&req, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &tcm,
		 sizeof(tcm));
	nl_attr(&req, TCA_KIND, "netem", 6);
	nl_attr(&req, TCA_OPTIONS, &opt, sizeof(opt));
	nl_do(&req, "RTM_NEWQDISC netem");
	bed_enter(bed, SIDE_A);
}

void ns_enter(int ns)
{
	MUST(setns(ns, CLONE_NEWNET) == 0);
}

void bed_enter(struct bed *bed, enum side side)
{
	ns_enter(bed->ns[side]);
}

void bed_enter_home(struct bed *bed)
{
	ns_enter(bed->home);
}

int ns_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static void side_up(struct bed *bed, enum side side)
{
	bed_enter(bed, side);
	addr_change(side, AF_INET, true);
	if (ipv6_present())
		addr_change(side, AF_INET6, true);
	link_flags(IFF_UP);
}

static void link_to(int ns)
{
	struct ifinfomsg ifi = { .ifi_index = if_nametoindex("veth0") };
	struct nlreq req;

	nl_start(&req, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	nl_attr(&req, IFLA_NET_NS_FD, &ns, sizeof(ns));
	nl_do(&req, "RTM_NEWLINK net_ns_fd");
}

void link_leave(struct bed *bed, enum side side, int ns)
{
	bed_enter(bed, side);
	link_to(ns);
	bed_enter(bed, SIDE_A);
}

void link_return(struct bed *bed, enum side side, int ns)
{
	ns_enter(ns);
	link_to(bed->ns[side]);
	side_up(bed, side);
	bed_enter(bed, SIDE_A);
}

int ns_create(struct bed *bed)
{
	int ns;

	MUST(unshare(CLONE_NEWNET) == 0);
	ns = ns_current();
	bed_enter(bed, SIDE_A);
	return ns;
}

static bool link_is_up(const struct nlmsghdr *hdr)
{
	const struct rtattr *rta = IFLA_RTA(NLMSG_DATA(hdr));
	int len = IFLA_PAYLOAD(hdr);

	if (hdr->nlmsg_type != RTM_NEWLINK)
		return false;
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len))
		if (rta->rta_type == IFLA_OPERSTATE)
			return *(__u8 *)RTA_DATA(rta) == IF_OPER_UP;
	return false;
}

/*
 * Side A's coming up brings B up, but B's queue a moment later (linkwatch): until
 * then it drops what it is to send, an ARP reply, which costs a second.
 */
static void link_await_up(int news)
{
	char msg[8192];

	do {
		MUST(recv(news, msg, sizeof(msg), 0) > 0);
	} while (!link_is_up((struct nlmsghdr *)msg));
	close(news);
}

void bed_open(struct bed *bed)
{
	int news;

	bed->spare = bed->single = false;
	bed->home = ns_current();
	MUST(unshare(CLONE_NEWNET) == 0);
	bed->ns[SIDE_B] = ns_current();
	MUST(unshare(CLONE_NEWNET) == 0);
	bed->ns[SIDE_A] = ns_current();
	veth_create(bed->ns[SIDE_B]);
	side_up(bed, SIDE_B);
	news = nl_socket(RTMGRP_LINK);
	side_up(bed, SIDE_A);
	link_await_up(news);
}

void bed_close(struct bed *bed)
{
	bed_enter_home(bed);
	close(bed->ns[SIDE_A]);
	close(bed->ns[SIDE_B]);
	close(bed->home);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(text);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	if (!strncmp(path, SYSCTL_NET, strlen(SYSCTL_NET)) &&
	    strncmp(path, DRST_SYSCTL, strlen(DRST_SYSCTL)))
		*bed_altered = true;
	ret = write(fd, text, len);
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

void read_file(const char *path, char *buf, unsigned int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int have = 0;
	ssize_t got;

	if (fd < 0)
		FATAL(path);
	while (have < size - 1 &&
	       (got = read(fd, buf + have, size - 1 - have)) > 0)
		have += got;
	buf[have] = '\0';
	close(fd);
}

int net_number(const char *file, const char *what)
{
	char path[64], text[512];
	const char *line;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	read_file(path, text, sizeof(text));
	line = strstr(text, what);
	MUST(line);
	return atoi(line + strlen(what));
}

int tcp_sockets(void)
{
	int n = net_number("sockstat", "TCP: inuse ");

	if (ipv6_present())
		n += net_number("sockstat6", "TCP6: inuse ");
	return n;
}

int time_waits(void)
{
	return net_number("sockstat", " tw ");
}

void signal_nothing(int sig)
{
	(void)sig;
}

void cpu_run_on(int n)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(n % sysconf(_SC_NPROCESSORS_ONLN), &cpu);
	MUST(!sched_setaffinity(0, sizeof(cpu), &cpu));
}

void cpu_stay(void)
{
	cpu_run_on(sched_getcpu());
}

/* Of this CPU; it is among the first threads of the kernel. */
static pid_t ksoftirqd(void)
{
	char path[32], name[32], here[32];
	bool found = false;
	FILE *comm;
	pid_t pid;

	snprintf(name, sizeof(name), "ksoftirqd/%d\n", sched_getcpu());
	for (pid = 2; !found && pid < 1000; pid++) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		comm = fopen(path, "r");
		if (!comm)
			continue;
		found = fgets(here, sizeof(here), comm) && !strcmp(here, name);
		fclose(comm);
	}
	MUST(found);
	return pid - 1;
}

static void be_scheduled(pid_t pid, int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	MUST(!sched_setscheduler(pid, policy, &param));
}

void softirqs_first(bool first)
{
	if (first)
		be_scheduled(ksoftirqd(), SCHED_FIFO, 2);
	else
		be_scheduled(ksoftirqd(), SCHED_OTHER, 0);
}

void keep_workers_out(void)
{
	cpu_stay();
	softirqs_first(true);
	be_scheduled(0, SCHED_FIFO, 1);
}

void let_workers_in(void)
{
	be_scheduled(0, SCHED_OTHER, 0);
	softirqs_first(false);
}

uint32_t uring_events(uint32_t events)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return events << 16 | events >> 16;
#else
	return events;
#endif
}

void sockopt(int fd, int level, int name, int value)
{
	MUST(!setsockopt(fd, level, name, &value, sizeof(value)));
}

int env_number(const char *name, int otherwise)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (!text)
		return otherwise;
	n = strtol(text, &end, 10);
	if (end == text || *end || n < 0 || n > INT_MAX)
		FATAL(name);
	return n;
}

void sigpipe_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
}

bool sigpipe_came(void)
{
	const struct timespec now = { };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return sigtimedwait(&set, NULL, &now) == SIGPIPE;
}
