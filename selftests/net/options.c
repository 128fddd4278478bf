// SPDX-License-Identifier: GPL-2.0
/*
 * What a program may have done to its socket before: options, sockmaps, ways of
 * connecting. All bytes arrive, and what is refused without the module is with it.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/net_tstamp.h>
#include <netinet/ip_icmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "inbound.h"
#include "lib/diag.h"
#include "lib/guard.h"
#include "lib/ksock.h"

static const struct conn_opts defaults;

/* ---- options ---- */

static void mark(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_MARK, 7);
}

static void priority(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_PRIORITY, 6);
}

static void device(int fd)
{
	MUST(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "veth0", 6));
}

static void user_timeout(int fd)
{
	sockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
}

static void keepalive(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
	sockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	sockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
}

/* A sender that blocks would wait for the peer: set when all is sent. */
static void notsent_lowat(int fd)
{
	sockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
}

/* So slow that most is still to be sent when close() is there. */
static void pacing(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, 2 << 20);
}

static void cork_and_uncork(int fd)
{
	sockopt(fd, IPPROTO_TCP, TCP_CORK, 1);
	sockopt(fd, IPPROTO_TCP, TCP_CORK, 0);
}

static void reno(int fd)
{
	MUST(!setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
}

static void small_segments(int fd)
{
	sockopt(fd, IPPROTO_TCP, TCP_MAXSEG, 200);
}

static void low_receive_mark(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_RCVLOWAT, 4096);
}

/* One of TLS's own: the keys stay as they are. */
static void zerocopy_sendfile(int fd)
{
	sockopt(fd, SOL_TLS, TLS_TX_ZEROCOPY_RO, 1);
}

static void timestamps(int fd)
{
	sockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_ACK |
		SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE);
}

SCENE_FIXTURE(option)

FIXTURE_VARIANT(option) {
	void (*before)(int fd);
	void (*after)(int fd);		/* all has been sent */
};

#define OPTION(name) FIXTURE_VARIANT_ADD(option, name) { .before = name }
#define OPTION_AFTER(name) FIXTURE_VARIANT_ADD(option, name) { .after = name }
OPTION(mark);
OPTION(priority);
OPTION(device);
OPTION(user_timeout);
OPTION(keepalive);
OPTION_AFTER(notsent_lowat);
OPTION(pacing);
OPTION(cork_and_uncork);
OPTION(reno);
OPTION(small_segments);
OPTION(low_receive_mark);
OPTION(timestamps);
OPTION(zerocopy_sendfile);

static void with_option(struct scene *s, const FIXTURE_VARIANT(option) *variant)
{
	conn_open(&s->conn, &s->bed, &defaults);
	if (variant->before)
		variant->before(s->conn.fd);
	conn_upload(&s->conn, BULK);
	if (variant->after)
		variant->after(s->conn.fd);
}

TEST_F(option, mode0)
{
	REQUIRE_MODE(0);
	with_option(&self->s, variant);
	close_unread(_metadata, &self->s.conn);
	expect_rst_by_mode(_metadata, &self->s, 0);
}

TEST_F(option, mode1)
{
	REQUIRE_MODE(1);
	with_option(&self->s, variant);
	close_unread(_metadata, &self->s.conn);
	expect_rst_by_mode(_metadata, &self->s, 1);
}

/* Nothing is owed at close(); the peer's record comes later. */
TEST_F(option, mode2)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	with_option(&self->s, variant);
	conn_close(c);
	peer_reply(c);
	expect_whole_fin_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

/* ---- what takes more than an option ---- */

SCENE_FIXTURE(special)

FIXTURE_VARIANT(special) {
	int mode;
};

FIXTURE_VARIANT_ADD(special, mode0) { 0 };
FIXTURE_VARIANT_ADD(special, mode1) { 1 };
FIXTURE_VARIANT_ADD(special, mode2) { 2 };

/* A connection that has been in TCP_REPAIR is one like any other afterwards. */
TEST_F(special, repair_on_and_off)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	sockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, 1);
	sockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, 0);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/*
 * An ICMP message that has become an error of the socket's (IP_RECVERR), and that
 * nobody took: in LAST_ACK it is there still when all has been acknowledged.
 */
TEST_F(special, error_not_taken)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	sockopt(c->fd, IPPROTO_IP, IP_RECVERR, 1);
	peer_icmp(c, &self->s.bed, &self->s.wire, ICMP_PORT_UNREACH, 0);
	ASSERT_TRUE(EVENTUALLY(poll_now(c) & POLLERR));
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLERR, poll_now(c));
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

TEST_F(special, zerocopy_is_refused)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	sockopt(c->fd, SOL_SOCKET, SO_ZEROCOPY, 1);
	EXPECT_EQ(-1, conn_send_flags(c, 4096, MSG_ZEROCOPY));
	EXPECT_EQ(EOPNOTSUPP, errno);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* Pages of the program's own are in TCP's queue, from before there was TLS. */
TEST_F(special, zerocopy_before_tls)
{
	const size_t early = 16 * 4096;
	struct conn *c = &self->s.conn;
	static char buf[16 * 4096];
	char *pages;

	REQUIRE_MODE(variant->mode);
	conn_connect(c, &self->s.bed, &defaults);
	sockopt(c->fd, SOL_SOCKET, SO_ZEROCOPY, 1);
	pages = mmap(NULL, early, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	memset(pages, 'z', early);
	ASSERT_EQ((ssize_t)early, send(c->fd, pages, early, MSG_ZEROCOPY));
	c->early = early;
	conn_tls(c, &defaults);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	munmap(pages, early);
	if (variant->mode) {
		ASSERT_EQ((ssize_t)early, recv(c->peer, buf, early, MSG_WAITALL));
		EXPECT_EQ('z', buf[0]);
		EXPECT_EQ(0, memcmp(buf, buf + 1, early - 1));
		expect_whole_rst(_metadata, &self->s);
	} else {
		EXPECT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->rst[SIDE_A]));
	}
	expect_hold(_metadata, variant->mode ? "RstSent" : NULL);
}

/* The peer's host has been restarted: it knows of no connection. */
TEST_F(special, peer_forgets)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	keepalive(c->fd);
	conn_upload(c, BULK);
	conn_close(c);
	sockopt(c->peer, IPPROTO_TCP, TCP_REPAIR, 1);
	ASSERT_EQ(0, close(c->peer));
	c->peer = -1;
	/* The next probe of its window finds out. */
	EXPECT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->rst[SIDE_B]));
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_A]);
	expect_hold(_metadata, variant->mode ? "PeerReset" : NULL);
}

/* The RST at the end is signed as all else is, so the peer takes it. */
TEST_F(special, tcp_md5)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	if (!guard_md5(c->peer))
		SKIP(return, "kernel without TCP_MD5SIG");
	ASSERT_TRUE(guard_md5(c->fd));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_F(special, tcp_ao)
{
	const struct conn_opts opts = { .prepare = guard_ao };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	if (!guard_has_ao())
		SKIP(return, "kernel without TCP_AO");
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* The peer's RST ends a hold, but one from too far is none. */
TEST_F(special, min_ttl)
{
	struct scene *s = &self->s;
	struct conn *c = &s->conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &s->bed, &defaults);
	conn_upload(c, BULK);
	ASSERT_TRUE(conn_await_stalled(c));
	guard_ttl(c);
	conn_close(c);
	peer_segment(c, &s->bed, &s->wire, TH_RST, 0);
	EXPECT_TRUE(EVENTUALLY(tcpext("TCPMinTTLDrop")));
	pause_ms(50);
	EXPECT_EQ(TCP_FIN_WAIT1, conn_diag_state(c));
	if (variant->mode) {
		EXPECT_TRUE(drst_adds_up(1));
	}
	peer_ttl(&s->bed, TTL_NEAR);
	peer_segment(c, &s->bed, &s->wire, TH_RST, 0);
	EXPECT_TRUE(EVENTUALLY(conn_diag_state(c) == TCP_CLOSE));
	expect_hold(_metadata, variant->mode ? "PeerReset" : NULL);
}

SCENE_FIXTURE(early)

FIXTURE_VARIANT(early) {
	int mode;
	bool passive;
	bool fast_open;
};

FIXTURE_VARIANT_ADD(early, fast_open_mode0) { 0, false, true };
FIXTURE_VARIANT_ADD(early, fast_open_mode1) { 1, false, true };
FIXTURE_VARIANT_ADD(early, fast_open_accepted_mode0) { 0, true, true };
FIXTURE_VARIANT_ADD(early, fast_open_accepted_mode2) { 2, true, true };
FIXTURE_VARIANT_ADD(early, defer_accept_mode1) { 1, true, false };
FIXTURE_VARIANT_ADD(early, defer_accept_peer_mode2) { 2, false, false };

/* Who connects speaks first, in plain text, and TLS begins after that. */
TEST_F(early, then_tls)
{
	struct conn_opts opts = { .passive = variant->passive,
				  .fast_open = variant->fast_open,
				  .defer_accept = !variant->fast_open };
	struct conn *c = &self->s.conn;
	enum side side;

	REQUIRE_MODE(variant->mode);
	for (side = SIDE_A; side <= SIDE_B; side++) {
		bed_enter(&self->s.bed, side);
		/* both sides, no cookies, every listener */
		MUST(!write_file("/proc/sys/net/ipv4/tcp_fastopen", "1543"));
	}
	conn_open(c, &self->s.bed, &opts);
	EXPECT_EQ(variant->fast_open, tcpext(variant->passive ?
			"TCPFastOpenPassive" : "TCPFastOpenActive"));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* ---- BPF ---- */

#define CGROUPS "/sys/fs/cgroup/"

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* A program that lets every setsockopt() pass: net/tls gets the keys from a copy then. */
static int bpf_setsockopt_passes(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCKOPT,
		.expected_attach_type = BPF_CGROUP_SETSOCKOPT,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

/*
 * A program that sets the sender's SO_RCVLOWAT on each acknowledgement, and counts in
 * @map. It asks for these calls in the first ones that come.
 */
static int bpf_sets_low_mark(int map)
{
#define INSN(op, d, s, o, i) { .code = op, .dst_reg = d, .src_reg = s, .off = o, .imm = i }
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 1, 6, offsetof(struct bpf_sock_ops, local_port), 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 5, PEER_PORT),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 1, 6, offsetof(struct bpf_sock_ops, op), 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 5, BPF_SOCK_OPS_RTT_CB),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, BPF_SOCK_OPS_RTT_CB_FLAG),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sock_ops_cb_flags_set),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 2),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, SOL_SOCKET),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, SO_RCVLOWAT),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, -4),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 5, 0, 0, 4),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_setsockopt),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 4, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 1, 2, 0, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
#undef INSN
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCK_OPS,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

/* A map of one element */
static int bpf_map(enum bpf_map_type type, unsigned int value_size)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = 4,
		.value_size = value_size,
		.max_entries = 1,
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static uint64_t bpf_counted(int map)
{
	uint64_t value;
	uint32_t key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};

	MUST(!bpf(BPF_MAP_LOOKUP_ELEM, &attr));
	return value;
}

static void bpf_attach(int program, enum bpf_attach_type type, const char *group)
{
	union bpf_attr attr = {
		.attach_bpf_fd = program,
		.attach_type = type,
	};
	int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	MUST(fd >= 0);
	attr.target_fd = fd;
	MUST(!bpf(BPF_PROG_ATTACH, &attr));
	close(fd);
}

/* The connection belongs to a group that has the program; we leave it again. */
static void conn_open_in_group(struct conn *c, struct bed *bed, const struct conn_opts *opts,
			       int program, enum bpf_attach_type type, char group[64])
{
	char file[96], pid[16];

	snprintf(group, 64, CGROUPS "bpf-%d", getpid());
	snprintf(file, sizeof(file), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", getpid());
	MUST(!mkdir(group, 0755));
	bpf_attach(program, type, group);
	MUST(!write_file(file, pid));
	conn_open(c, bed, opts);
	MUST(!write_file(CGROUPS "cgroup.procs", pid));
}

/* What a process does to its own socket, the kernel does from a copy: still its own. */
TEST_F(special, setsockopt_by_bpf)
{
	const struct conn_opts opts = { .rx = true };
	struct conn *c = &self->s.conn;
	int program = bpf_setsockopt_passes();
	char group[64];

	REQUIRE_MODE(variant->mode);
	if (program < 0 && errno == EINVAL)
		SKIP(return, "kernel without BPF for cgroups");
	if (!ksock_has_keys())
		SKIP(return, "vanilla's memcpy() of such keys warns");
	ASSERT_LE(0, program);
	conn_open_in_group(c, &self->s.bed, &opts, program, BPF_CGROUP_SETSOCKOPT, group);
	ASSERT_EQ(0, rmdir(group));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
	close(program);
}

/* A program that calls a held connection, as it may call an orphan */
TEST_F(special, held_and_called_by_bpf)
{
	struct conn *c = &self->s.conn;
	int map = bpf_map(BPF_MAP_TYPE_ARRAY, sizeof(uint64_t)), program;
	char group[64];
	uint64_t calls;

	REQUIRE_MODE(variant->mode);
	if (map < 0 && errno == ENOSYS)
		SKIP(return, "kernel without BPF");
	ASSERT_LE(0, map);
	program = bpf_sets_low_mark(map);
	if (program < 0 && errno == EINVAL)
		SKIP(return, "kernel without BPF for cgroups");
	ASSERT_LE(0, program);
	conn_open_in_group(c, &self->s.bed, &defaults, program, BPF_CGROUP_SOCK_OPS, group);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	calls = bpf_counted(map);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
	if (variant->mode)
		EXPECT_LT(calls, bpf_counted(map));
	ASSERT_EQ(0, rmdir(group));
	close(program);
	close(map);
}

/* ---- sockmaps ---- */

/* The only element becomes @fd or, with -1, is deleted. */
static int sockmap_set(int map, int fd)
{
	union bpf_attr attr = { .map_fd = map };
	uint32_t key = 0, value = fd;

	attr.key = (uintptr_t)&key;
	attr.value = fd < 0 ? 0 : (uintptr_t)&value;
	return bpf(fd < 0 ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM, &attr);
}

FIXTURE(sockmap) {
	struct scene s;
	int map;
};

FIXTURE_SETUP(sockmap)
{
	scene_open(&self->s);
	self->map = bpf_map(BPF_MAP_TYPE_SOCKMAP, sizeof(uint32_t));
}

FIXTURE_TEARDOWN(sockmap)
{
	EXPECT_TRUE(scene_close(&self->s));
	if (self->map >= 0)
		close(self->map);
}

FIXTURE_VARIANT(sockmap) {
	int mode;
};

FIXTURE_VARIANT_ADD(sockmap, mode0) { 0 };
FIXTURE_VARIANT_ADD(sockmap, mode1) { 1 };
FIXTURE_VARIANT_ADD(sockmap, mode2) { 2 };

#define REQUIRE_SOCKMAP() do {						\
	if (self->map < 0)						\
		SKIP(return, "kernel without sockmaps");		\
} while (0)

/* The kernel refuses it, and nothing has changed. */
TEST_F(sockmap, not_after_tls)
{
	struct conn *c = &self->s.conn;

	REQUIRE_SOCKMAP();
	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &defaults);
	EXPECT_EQ(-1, sockmap_set(self->map, c->fd));
	EXPECT_EQ(EINVAL, errno);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* In a sockmap with the ULP alone: not either. */
TEST_F(sockmap, not_after_ulp)
{
	struct conn *c = &self->s.conn;

	REQUIRE_SOCKMAP();
	REQUIRE_MODE(variant->mode);
	conn_connect(c, &self->s.bed, &defaults);
	ASSERT_EQ(0, setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	EXPECT_EQ(-1, sockmap_set(self->map, c->fd));
	EXPECT_EQ(EINVAL, errno);
	dir_init(&c->tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1);
	dir_init(&c->rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	ASSERT_EQ(0, dir_install(&c->tx, c->fd, TLS_TX));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/*
 * TLS for a socket in a sockmap is the kernel's to allow; since 7.x it does not.
 * Where it does, the socket stays vanilla's.
 */
static bool tls_in_sockmap(TEST_ARG, struct scene *s, int map)
{
	struct conn *c = &s->conn;
	int err;

	conn_connect(c, &s->bed, &defaults);
	ASSERT_EQ(0, sockmap_set(map, c->fd)) {
		return false;
	}
	ASSERT_EQ(0, setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4)) {
		return false;
	}
	dir_init(&c->tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1);
	dir_init(&c->rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	err = dir_install(&c->tx, c->fd, TLS_TX);
	if (!err)
		return true;
	EXPECT_EQ(-EINVAL, err);
	conn_close(c);
	expect_whole_fin(_metadata, s);
	return false;
}

TEST_F(sockmap, before_tls)
{
	struct conn *c = &self->s.conn;

	REQUIRE_SOCKMAP();
	REQUIRE_MODE(variant->mode);
	if (tls_in_sockmap(_metadata, &self->s, self->map)) {
		conn_upload(c, BULK);
		close_unread(_metadata, c);
		expect_cut(_metadata, &self->s);
	}
	expect_hold(_metadata, NULL);
}

TEST_F(sockmap, before_tls_nothing_owed)
{
	struct conn *c = &self->s.conn;

	REQUIRE_SOCKMAP();
	REQUIRE_MODE(variant->mode);
	if (tls_in_sockmap(_metadata, &self->s, self->map)) {
		conn_upload(c, BULK);
		conn_close(c);
		expect_whole_fin(_metadata, &self->s);
	}
	expect_hold(_metadata, NULL);
}

/* Out of the map again before TLS: as if it had never been there. */
TEST_F(sockmap, left_before_tls)
{
	struct conn *c = &self->s.conn;

	REQUIRE_SOCKMAP();
	REQUIRE_MODE(variant->mode);
	conn_connect(c, &self->s.bed, &defaults);
	ASSERT_EQ(0, sockmap_set(self->map, c->fd));
	ASSERT_EQ(0, sockmap_set(self->map, -1));
	conn_tls(c, &defaults);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_HARNESS_MAIN
