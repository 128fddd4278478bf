// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds of sockets, and options set on them: what they mean for close() in
 * vanilla they go on meaning, and a hold delivers all the same.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "inbound.h"
#include "lib/given.h"

SCENE_FIXTURE(sockets)

FIXTURE_VARIANT(sockets) {
	int mode;
	int family;
};

FIXTURE_VARIANT_ADD(sockets, ipv4_mode0) { 0, AF_INET };
FIXTURE_VARIANT_ADD(sockets, ipv4_mode1) { 1, AF_INET };
FIXTURE_VARIANT_ADD(sockets, ipv6_mode0) { 0, AF_INET6 };
FIXTURE_VARIANT_ADD(sockets, ipv6_mode1) { 1, AF_INET6 };
FIXTURE_VARIANT_ADD(sockets, ipv4_mode2) { 2, AF_INET };

static void sender_open(struct scene *s, int family)
{
	struct conn_opts opts = { .family = family };

	conn_open(&s->conn, &s->bed, &opts);
}

TEST_F(sockets, accepted)
{
	struct conn_opts opts = { .family = variant->family, .passive = true };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* An IPv6 socket, and IPv4 on the wire. */
TEST_F(sockets, mapped)
{
	struct conn_opts opts = { .mapped = true };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_F(sockets, mapped_accepted)
{
	struct conn_opts opts = { .mapped = true, .passive = true };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* Becoming an IPv4 socket would change the protocol under TLS: refused. */
TEST_F(sockets, addrform_is_refused)
{
	struct conn_opts opts = { .mapped = true };
	struct conn *c = &self->s.conn;
	int family = AF_INET;

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	EXPECT_EQ(-1, setsockopt(c->fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family,
				 sizeof(family)));
	EXPECT_EQ(EBUSY, errno);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* A cork keeps the tail back: close() has to pull it. */
TEST_F(sockets, corked)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	sockopt(c->fd, IPPROTO_TCP, TCP_CORK, 1);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* As long as TCP's timer takes, it does not send what is corked by itself. */
#define RTO_MS 100000

/* All of it is acknowledged while close() still runs. */
TEST_F(sockets, corked_tail_only)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	route_rto_min(&self->s.bed, SIDE_A, variant->family, RTO_MS);
	sender_open(&self->s, variant->family);
	sockopt(c->fd, IPPROTO_TCP, TCP_CORK, 1);
	conn_upload(c, SMALL);
	to_close_wait(_metadata, c);
	ASSERT_TRUE(conn_await_stalled(c));
	sockopt(c->peer, IPPROTO_TCP, TCP_QUICKACK, 1);
	conn_close(c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_F(sockets, corked_nothing_owed)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	sockopt(c->fd, IPPROTO_TCP, TCP_CORK, 1);
	conn_upload(c, BULK);
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* No time for FIN_WAIT2: vanilla resets as soon as the FIN is acknowledged. */
TEST_F(sockets, linger2_negative)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	sockopt(c->fd, IPPROTO_TCP, TCP_LINGER2, -1);
	conn_upload(c, BULK);
	conn_close(c);
	expect_whole_fin_rst(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
	expect_aborts(_metadata, 0, 1);
	EXPECT_EQ(0, tcpext("TCPAbortOnLinger"));
}

/* SO_LINGER with time: close() waits that long, and does not reset. */
TEST_F(sockets, linger_with_time)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_linger(c, 1);
	conn_upload(c, BULK);
	EXPECT_LE(900, conn_close_timed(c));
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* ... or until everything has been acknowledged, if that comes first. */
TEST_F(sockets, linger_until_acknowledged)
{
	struct conn *c = &self->s.conn;
	pid_t reader;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_linger(c, 1000);
	conn_upload(c, BULK);
	reader = close_beside_reader(_metadata, c, true);
	EXPECT_EQ(c->stream + 1,
		  wire_flow(&self->s.wire, c->port)->acked[SIDE_A]);
	EXPECT_EQ(0, child_status(reader, 10));
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* A child is the last to close, and lingers. */
static pid_t close_in_child(TEST_ARG, struct conn *c)
{
	pid_t closer = child(c);

	if (!closer) {
		raise(SIGSTOP);
		_exit(close(c->fd) != 0);
	}
	EXPECT_EQ(closer, waitpid(closer, NULL, WUNTRACED));
	EXPECT_EQ(0, close(c->fd));
	c->fd = -1;
	EXPECT_EQ(0, kill(closer, SIGCONT));
	EXPECT_TRUE(EVENTUALLY(child_sleeps(closer)));
	return closer;
}

/* A limit ends a hold, and not the lingering: TCP goes on with it. */
TEST_F(sockets, linger_behind_a_limit)
{
	struct conn *c = &self->s.conn;
	pid_t closer;
	int packets;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_linger(c, 1000);
	conn_upload(c, BULK);
	if (variant->mode)
		drst_set("timeout_ms", 300);
	closer = close_in_child(_metadata, c);
	if (variant->mode)
		ASSERT_TRUE(drst_stat_await("TimedOut", 1));
	/* the peer's window is full */
	packets = wire_flow(&self->s.wire, c->port)->packets[SIDE_A];
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->packets[SIDE_A] > packets));
	EXPECT_TRUE(child_sleeps(closer));
	expect_whole_fin(_metadata, &self->s);
	EXPECT_EQ(0, child_status(closer, 10));
	expect_hold(_metadata, variant->mode ? "TimedOut" : NULL);
}

/* ... nor does a signal end more than the wait. */
TEST_F(sockets, linger_until_a_signal)
{
	struct conn *c = &self->s.conn;
	pid_t closer;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_linger(c, 1000);
	conn_upload(c, BULK);
	closer = close_in_child(_metadata, c);
	ASSERT_EQ(0, kill(closer, SIGKILL));
	EXPECT_EQ(-2, child_status(closer, 10));
	expect_whole_fin(_metadata, &self->s);
	expect_hold(_metadata, variant->mode ? "Flushed" : NULL);
}

/* ... but an owed RST does not wait. */
TEST_F(sockets, linger_with_time_unread)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_linger(c, 1000);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

TEST_F(sockets, watched_by_epoll)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };
	struct conn *c = &self->s.conn;
	int epfd = epoll_create1(0);

	REQUIRE_MODE(variant->mode);
	ASSERT_LE(0, epfd);
	sender_open(&self->s, variant->family);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &event));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
	/* The descriptor has gone, and its events with it. */
	EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	close(epfd);
}

TEST_F(sockets, nonblocking)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	ASSERT_EQ(0, fcntl(c->fd, F_SETFL, O_NONBLOCK));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
}

/* The way of a server that sends files. */
TEST_F(sockets, sendfile)
{
	struct conn *c = &self->s.conn;
	int file = memfd_create("content", 0);

	REQUIRE_MODE(variant->mode);
	sender_open(&self->s, variant->family);
	conn_write_content(file, BULK);
	ASSERT_EQ(BULK, conn_sendfile(c, file, BULK));
	conn_notify(c);
	c->stream = tcp_given(c->fd);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
	close(file);
}

/* The counters of kernel TLS itself are left right. */
TEST_F(sockets, tls_stat_balances)
{
	struct conn *c = &self->s.conn;
	struct conn_opts opts = { .family = variant->family, .rx = true };

	REQUIRE_MODE(variant->mode);
	conn_open(c, &self->s.bed, &opts);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_rst_by_mode(_metadata, &self->s, variant->mode);
	EXPECT_TRUE(EVENTUALLY(!tls_stat("CurrTxSw") && !tls_stat("CurrRxSw")));
	EXPECT_EQ(1, tls_stat("TxSw"));
	EXPECT_EQ(1, tls_stat("RxSw"));
}

TEST_HARNESS_MAIN
