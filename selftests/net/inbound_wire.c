// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that a peer's TCP would not send: RSTs that vanilla does not accept,
 * and what comes behind one that is held. And RSTs in which others have a say:
 * netfilter, socket filters, TCP-MD5, TCP-AO, IP_MINTTL, IPsec.
 */
#include "kselftest_harness.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <stdlib.h>

#include "inbound.h"
#include "lib/busy.h"
#include "lib/guard.h"

INBOUND_FIXTURE(wire);
HELD_CELLS(wire);

INBOUND_FIXTURE(as_vanilla);
FIXTURE_VARIANT_ADD(as_vanilla, mode0) { { 0, AF_INET, txrx, TCP_ESTABLISHED,
					   TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(as_vanilla, mode0_close_wait) { { 0, AF_INET, tx,
					TCP_CLOSE_WAIT, TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(as_vanilla, mode1) { { 1, AF_INET6, tx, TCP_CLOSE_WAIT,
					   TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(as_vanilla, mode2) { { 2, AF_INET, txrx, TCP_FIN_WAIT2,
					   TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(as_vanilla, mode2_ipv6) { { 2, AF_INET6, txrx,
					TCP_ESTABLISHED, TLS_1_3_VERSION } };

#define RST(off) \
	peer_segment(&self->s.conn, &self->s.bed, &self->s.wire, TH_RST, off)

/* What this task has side b send from now on stays in order: await_received(). */
#define UPLOAD() do {							\
	REQUIRE_MODE(variant->cell.mode);				\
	upload_in_cell(_metadata, &self->s, &self->s.conn,		\
		       &variant->cell);					\
	cpu_stay();							\
} while (0)

#define HOLD_RST() do {							\
	UPLOAD();							\
	RST(0);								\
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));			\
} while (0)

/*
 * Mostly what side b sends is received within the call that sends it, but a softirq may be
 * put off. A frame that is nobody's comes last in the queue of this CPU: before it, all has been
 * received, or dropped.
 */
static void await_received(struct scene *s)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_802_EX1),
		.sll_halen = ETH_ALEN,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	struct timeval limit = { .tv_sec = 10 };
	int in, out;
	char byte;

	in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, to.sll_protocol);
	MUST(in >= 0 && !setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	bed_enter(&s->bed, SIDE_B);
	out = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	to.sll_ifindex = if_nametoindex("veth0");
	MUST(out >= 0 && sendto(out, "", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	bed_enter(&s->bed, SIDE_A);
	MUST(recv(in, &byte, 1, 0) == 1);
	close(out);
	close(in);
}

static bool system_does(const char *command)
{
	*bed_altered = true;
	return !system(command);
}

TEST_F(wire, second_rst)
{
	int i;

	HOLD_RST();
	for (i = 0; i < 3; i++)
		RST(0);
	await_received(&self->s);
	expect_held(_metadata, &self->s.conn, &variant->cell);
	EXPECT_EQ(1, drst_stat("InHeld"));
	expect_delivered(_metadata, &self->s.conn, &variant->cell);
}

/*
 * A peer that has closed answers an ACK of ours from before its last data: an old
 * RST that overtakes the good one. With the data still in the backlog either could
 * be good; the old one does not count, and must not keep the good one away.
 */
TEST_F(wire, old_rst_before_the_good_one)
{
	struct conn *c = &self->s.conn;
	struct busy busy;
	int before;

	REQUIRE_MODE(variant->cell.mode);
	if (peer_has_closed(&variant->cell))
		SKIP(return, "the peer has closed");
	open_cell(&self->s, c, &variant->cell);
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	peer_upload(c, RECORDS - 1, RECORD_LEN);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	reach(_metadata, c, variant->cell.state);
	before = wire_flow(&self->s.wire, c->port)->sent[SIDE_B];
	busy_begin(&busy, c->fd);
	peer_upload(c, 1, RECORD_LEN);
	peer_notify(c);
	RST(before - (int)wire_flow(&self->s.wire, c->port)->sent[SIDE_B]);
	RST(0);
	busy_end(&busy);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_EQ(1, drst_stat("InHeld"));
}

/* Of what comes behind a RST, nothing counts. */
TEST_F(wire, fin_after_the_rst)
{
	struct conn *c = &self->s.conn;

	HOLD_RST();
	if (peer_has_closed(&variant->cell))
		SKIP(return, "the FIN has been before");
	peer_segment(c, &self->s.bed, &self->s.wire, TH_FIN | TH_ACK, 0);
	await_received(&self->s);
	EXPECT_EQ(poll_without_rst(&variant->cell), poll_now(c));
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(wire, data_after_the_rst)
{
	struct conn *c = &self->s.conn;
	size_t before;
	struct result res;

	HOLD_RST();
	if (peer_has_closed(&variant->cell))
		SKIP(return, "the peer has closed");
	before = c->uploaded;
	peer_upload(c, 1, RECORD_LEN);
	await_received(&self->s);
	expect_held(_metadata, c, &variant->cell);
	conn_finish(c, 8192, &res);
	EXPECT_LE(before, res.plain);
	EXPECT_EQ(ECONNRESET, res.final);
	EXPECT_TRUE(drst_stat_await("InDelivered", 1));
}

/* A RST may say why (RFC 9293 s. 3.5.2); nobody reads that. */
TEST_F(wire, rst_with_text)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	peer_segment_text(c, &self->s.bed, &self->s.wire, TH_RST, 0);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_delivered(_metadata, c, &variant->cell);
}

/*
 * One before the exact number: vanilla takes it where the peer's FIN has been,
 * for peers that do not count that (tcp_reset_check()), so it is held, too.
 */
TEST_F(as_vanilla, rst_that_does_not_count_the_fin)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	UPLOAD();
	RST(-1);
	if (peer_has_closed(cell) && cell->mode) {
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		expect_held(_metadata, c, cell);
		expect_delivered(_metadata, c, cell);
		return;
	}
	if (peer_has_closed(cell)) {
		EXPECT_TRUE(conn_await_state(c, TCP_CLOSE));
	} else {
		await_received(&self->s);
		EXPECT_EQ(cell->state, conn_state(c));
	}
	expect_never_held(_metadata);
}

/* In the window, but not exact: a challenge ACK (RFC 5961 s. 3.2) */
TEST_F(as_vanilla, blind_rst_is_challenged)
{
	struct conn *c = &self->s.conn;
	struct result res;

	UPLOAD();
	RST(100);
	EXPECT_TRUE(EVENTUALLY(tcpext("TCPChallengeACK") == 1));
	EXPECT_EQ(variant->cell.state, conn_state(c));
	expect_never_held(_metadata);
	peer_reset(c);
	conn_finish(c, 8192, &res);
	EXPECT_EQ(c->uploaded, res.plain);
	EXPECT_TRUE(res.alert);
}

/* The same while the socket is in use most of the time */
TEST_F(as_vanilla, blind_rsts_under_a_busy_reader)
{
	struct conn *c = &self->s.conn;
	char buf[4096];
	pid_t pid;
	int i;

	UPLOAD();
	pid = child(c);
	if (!pid) {
		cpu_run_on(sched_getcpu() + 1);
		for (;;)
			recv(c->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	}
	for (i = 0; i < 200; i++)
		RST(1 + i);
	await_received(&self->s);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_LE(1, tcpext("TCPChallengeACK"));
	EXPECT_EQ(variant->cell.state, conn_state(c));
	expect_never_held(_metadata);
}

TEST_F(as_vanilla, rst_out_of_window_is_ignored)
{
	struct conn *c = &self->s.conn;
	int before;

	UPLOAD();
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
			       flow->acked[SIDE_B] == flow->sent[SIDE_B]));
	before = wire_flow(&self->s.wire, c->port)->packets[SIDE_A];
	RST(-1000);
	RST(50 << 20);
	await_received(&self->s);
	EXPECT_EQ(variant->cell.state, conn_state(c));
	EXPECT_EQ(0, tcpext("TCPChallengeACK"));
	EXPECT_EQ(before, wire_flow(&self->s.wire, c->port)->packets[SIDE_A]);
	expect_never_held(_metadata);
}

TEST_F(as_vanilla, broken_checksum_is_ignored)
{
	UPLOAD();
	peer_segment_broken(&self->s.conn, &self->s.bed, &self->s.wire, TH_RST,
			    0);
	await_received(&self->s);
	EXPECT_EQ(variant->cell.state, conn_state(&self->s.conn));
	expect_never_held(_metadata);
}

static int filter(const struct conn *c, unsigned int pass)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, pass);
	struct sock_fprog prog = { .len = 1, .filter = &all };

	return setsockopt(c->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

TEST_F(wire, socket_filter_lets_it_pass)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	ASSERT_EQ(0, filter(c, ~0));
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(as_vanilla, rst_dropped_by_a_socket_filter)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	ASSERT_EQ(0, filter(c, 0));
	peer_reset(c);
	await_received(&self->s);
	EXPECT_EQ(variant->cell.state, conn_state(c));
	expect_never_held(_metadata);
}

static void expect_ignored(TEST_ARG, struct scene *s, const struct cell *cell)
{
	await_received(s);
	EXPECT_EQ(cell->state, conn_state(&s->conn));
	expect_never_held(_metadata);
}

/* The peer's own RST is signed, the one of another is not. */
TEST_F(wire, tcp_md5)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	if (!guard_md5(c->peer))
		SKIP(return, "kernel without TCP_MD5SIG");
	ASSERT_TRUE(guard_md5(c->fd));
	RST(0);
	expect_ignored(_metadata, &self->s, &variant->cell);
	peer_reset(c);
	expect_by_cell(_metadata, c, &variant->cell);
}

TEST_F(as_vanilla, tcp_ao)
{
	struct conn *c = &self->s.conn;

	if (!guard_has_ao())
		SKIP(return, "kernel without TCP_AO");
	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell_with(_metadata, &self->s, c, &variant->cell,
			    (struct conn_opts){ .prepare = guard_ao });
	cpu_stay();
	RST(0);
	EXPECT_TRUE(EVENTUALLY(tcpext("TCPAORequired") == 1));
	expect_ignored(_metadata, &self->s, &variant->cell);
	peer_reset(c);
	expect_by_cell(_metadata, c, &variant->cell);
}

/* The same RST counts if it comes from near enough. */
TEST_F(as_vanilla, rst_from_too_far)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	guard_ttl(c);
	RST(0);
	EXPECT_TRUE(EVENTUALLY(tcpext("TCPMinTTLDrop") == 1));
	expect_ignored(_metadata, &self->s, &variant->cell);
	peer_ttl(&self->s.bed, TTL_NEAR);
	RST(0);
	expect_by_cell(_metadata, c, &variant->cell);
}

/* To the capture, what is encrypted is no segment. */
TEST_F(as_vanilla, rst_not_encrypted)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	if (!ipsec_start(&self->s.bed, SIDE_A, c->family))
		SKIP(return, "no ip xfrm, or no ESP");
	RST(0);
	expect_ignored(_metadata, &self->s, &variant->cell);
	EXPECT_EQ(1, wire_flow(&self->s.wire, c->port)->rst[SIDE_B]);
	ASSERT_TRUE(ipsec_start(&self->s.bed, SIDE_B, c->family));
	peer_reset(c);
	expect_by_cell(_metadata, c, &variant->cell);
	EXPECT_EQ(1, wire_flow(&self->s.wire, c->port)->rst[SIDE_B]);
}

INBOUND_FIXTURE(beyond_fin);

#define BEYOND(mode, fam, rx, state)					\
	FIXTURE_VARIANT_ADD(beyond_fin, rx##_##state##_mode##mode) { {	\
		mode, fam, rx, TCP_##state, TLS_1_3_VERSION } }
BEYOND(0, AF_INET, tx, CLOSE_WAIT);
BEYOND(1, AF_INET6, txrx, CLOSE_WAIT);
BEYOND(2, AF_INET, tx, CLOSE_WAIT);
BEYOND(0, AF_INET6, txrx, CLOSING);
BEYOND(1, AF_INET, tx, CLOSING);
BEYOND(2, AF_INET6, txrx, LAST_ACK);
BEYOND(1, AF_INET, tx, LAST_ACK);

/*
 * Data behind the peer's FIN, which has to be forged: TCP itself resets. Its RST goes
 * out in any mode, and what has arrived is read first, as if the peer had reset.
 */
TEST_F(beyond_fin, tcp_resets_itself)
{
	struct conn *c = &self->s.conn;

	UPLOAD();
	peer_segment_text(c, &self->s.bed, &self->s.wire, TH_ACK,
			  -SEGMENT_TEXT / 2);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->rst[SIDE_A]));
	EXPECT_EQ(1, tcpext("TCPAbortOnData"));
	EXPECT_EQ(0, wire_flow(&self->s.wire, c->port)->rst[SIDE_B]);
	expect_by_cell(_metadata, c, &variant->cell);
}

static bool nft(const char *rule)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c %s' 2>&1",
		 rule);
	return system_does(command);
}

/* A firewall that drops the RST has the first word. */
TEST_F(as_vanilla, rst_dropped_by_a_firewall)
{
	UPLOAD();
	if (!nft("tcp flags rst drop"))
		SKIP(return, "no nft");
	peer_reset(&self->s.conn);
	await_received(&self->s);
	EXPECT_EQ(variant->cell.state, conn_state(&self->s.conn));
	expect_never_held(_metadata);
}

TEST_F(wire, conntrack)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	if (!nft("ct state established,related counter accept"))
		SKIP(return, "no nft");
	hold_in_cell(_metadata, &self->s, &variant->cell);
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(wire, syn_cookies)
{
	struct conn_opts opts = { .family = variant->cell.family,
				  .rx = variant->cell.rx, .passive = true,
				  .version = variant->cell.version };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	MUST(!write_file("/proc/sys/net/ipv4/tcp_syncookies", "2"));
	conn_open(c, &self->s.bed, &opts);
	EXPECT_EQ(1, tcpext("SyncookiesRecv"));
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	reach(_metadata, c, variant->cell.state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_delivered(_metadata, c, &variant->cell);
}

/* A RST for a connection in TIME_WAIT is nobody's. */
TEST_F(wire, rst_in_time_wait)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	open_cell(&self->s, c, &variant->cell);
	ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	ASSERT_TRUE(conn_await_state(c, TCP_FIN_WAIT2));
	conn_close(c);
	peer_shutdown_wr(c);
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port,
			       flow->acked[SIDE_B] == 1));
	cpu_stay();
	RST(0);
	await_received(&self->s);
	expect_never_held(_metadata);
}

/* The next connection of the same ports takes the place of TIME_WAIT. */
TEST_F(wire, time_wait_reused)
{
	const struct cell *cell = &variant->cell;
	struct conn_opts opts = { .family = cell->family, .rx = cell->rx,
				  .version = cell->version, .passive = true };
	struct conn *c = &self->s.conn;

	if (time_waits()) {
		EXPECT_TRUE(scene_close(&self->s));
		scene_open(&self->s);
	}
	REQUIRE_MODE(cell->mode);
	conn_open(c, &self->s.bed, &opts);
	opts.port = c->port;
	conn_close(c);
	peer_shutdown_wr(c);
	ASSERT_TRUE(EVENTUALLY(time_waits() == 1));
	conn_free(c);
	conn_open(c, &self->s.bed, &opts);
	EXPECT_EQ(0, time_waits());
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	expect_delivered(_metadata, c, cell);
}

TEST_HARNESS_MAIN
