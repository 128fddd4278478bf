// SPDX-License-Identifier: GPL-2.0
/*
 * The contract's table "Inbound: a RST that the peer sent", cell by cell, and the
 * ways to read while it is held: every record comes, then vanilla's error.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "inbound.h"
#include "lib/busy.h"

INBOUND_FIXTURE(inbound);

#define CELL(mode, fam, name, rx, version, state)			\
	FIXTURE_VARIANT_ADD(inbound, name##_##rx##_##state##_mode##mode) { { \
		mode, fam, rx, TCP_##state, version } }
/* TLS 1.2 and 1.3 with each family and with each of tx and txrx. */
#define CELLS(mode, state)						\
	CELL(mode, AF_INET, ipv4, txrx, TLS_1_3_VERSION, state);	\
	CELL(mode, AF_INET6, ipv6, txrx, TLS_1_2_VERSION, state);	\
	CELL(mode, AF_INET, ipv4, tx, TLS_1_2_VERSION, state);		\
	CELL(mode, AF_INET6, ipv6, tx, TLS_1_3_VERSION, state)
#define ROW(state) CELLS(0, state); CELLS(1, state); CELLS(2, state)

ROW(ESTABLISHED);
ROW(CLOSE_WAIT);
ROW(FIN_WAIT1);
ROW(FIN_WAIT2);
ROW(CLOSING);
ROW(LAST_ACK);

/* In vanilla the whole is there as well, but behind HUP and ERR. */
TEST_F(inbound, cell)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	upload_in_cell(_metadata, &self->s, c, cell);
	peer_reset(c);
	expect_by_cell(_metadata, c, cell);
}

SCENE_FIXTURE(receives_only)

/* Who has no key to send is no concern of ours. */
TEST_F(receives_only, reset_now)
{
	const struct conn_opts opts = { 0 };
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(2);
	conn_connect(c, &self->s.bed, &opts);
	dir_init(&c->rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	MUST(!setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	MUST(!dir_install(&c->rx, c->fd, TLS_RX));
	peer_upload(c, RECORDS, RECORD_LEN);
	ASSERT_TRUE(conn_await_unread(c));
	peer_reset(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(POLLHUP | POLLERR, poll_now(c) & (POLLHUP | POLLERR));
	expect_never_held(_metadata);
}

INBOUND_FIXTURE(all_read);

#define READ_CELL(mode, rx, state)					\
	FIXTURE_VARIANT_ADD(all_read, rx##_##state##_mode##mode) { {	\
		mode, AF_INET, rx, TCP_##state, TLS_1_3_VERSION } }
#define READ_ROW(rx, state)						\
	READ_CELL(0, rx, state); READ_CELL(1, rx, state); READ_CELL(2, rx, state)

READ_ROW(tx, ESTABLISHED);
READ_ROW(txrx, CLOSE_WAIT);
READ_ROW(tx, FIN_WAIT1);
READ_ROW(txrx, FIN_WAIT2);
READ_ROW(tx, CLOSING);
READ_ROW(txrx, LAST_ACK);

static void expect_reset_now(TEST_ARG, struct conn *c, const struct cell *cell)
{
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_now(c) & ~POLLRDHUP);
	if (cell->rx)	/* asks for nothing, and is not told; TCP's recv() tells */
		EXPECT_EQ(0, recv(c->fd, "", 0, 0));
	EXPECT_EQ(reset_errno(cell), so_error(c));
	expect_never_held(_metadata);
}

TEST_F(all_read, reset_now)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;
	char buf[4096];

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	peer_upload(c, 1, RECORD_LEN);
	ASSERT_LT(0, recv(c->fd, buf, sizeof(buf), 0));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

/* A record, that is not sent yet; returns its length. */
static size_t seal_record(struct conn *c, uint8_t rec[REC_MAX])
{
	memset(rec, 'x', RECORD_LEN);
	return rec_seal(&c->rx, REC_DATA, rec, RECORD_LEN, rec);
}

/* Nobody can ever read half a record, so it is nothing to wait for. */
TEST_F(all_read, half_a_record)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;
	uint8_t rec[REC_MAX];

	REQUIRE_MODE(cell->mode);
	if (!cell->rx)
		SKIP(return, "for plain recv() it is data");
	open_cell(&self->s, c, cell);
	seal_record(c, rec);
	peer_send(c, rec, RECORD_LEN / 2);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

/* The FIN of some states stands where that byte would, and is none. */
TEST_F(all_read, all_but_the_last_byte)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;
	uint8_t rec[REC_MAX];
	size_t sealed;

	REQUIRE_MODE(cell->mode);
	if (!cell->rx)
		SKIP(return, "for plain recv() it is data");
	open_cell(&self->s, c, cell);
	sealed = seal_record(c, rec);
	peer_send(c, rec, sealed - 1);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

/* All that the peer has sent is with this end. */
static bool peer_await_acked(const struct conn *c)
{
	int queued;

	return EVENTUALLY(!ioctl(c->peer, SIOCOUTQ, &queued) && !queued);
}

/* kTLS sees nothing of a record from an urgent byte on. */
TEST_F(all_read, an_urgent_byte_within)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;
	uint8_t rec[REC_MAX];
	size_t sealed;

	REQUIRE_MODE(cell->mode);
	if (!cell->rx)
		SKIP(return, "for plain recv() it is data");
	open_cell(&self->s, c, cell);
	sealed = seal_record(c, rec);
	peer_send(c, rec, RECORD_LEN / 2);
	MUST(send(c->peer, rec + RECORD_LEN / 2, 1, MSG_OOB) == 1);
	peer_send(c, rec + RECORD_LEN / 2 + 1, sealed - RECORD_LEN / 2 - 1);
	ASSERT_TRUE(peer_await_acked(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

/* A record of TLS 1.2 that ends before its nonce does, so that kTLS waits for more */
TEST_F(all_read, shorter_than_its_nonce)
{
	struct cell tls12 = variant->cell;
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(tls12.mode);
	if (!tls12.rx)
		SKIP(return, "for plain recv() it is data");
	tls12.version = TLS_1_2_VERSION;
	open_cell(&self->s, c, &tls12);
	peer_send(c, "\x17\x03\x03\0\3abc", 8);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, tls12.state);
	peer_reset(c);
	expect_reset_now(_metadata, c, &tls12);
}

/* Nor is the beginning of its header. */
TEST_F(all_read, half_a_header)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	if (!cell->rx)
		SKIP(return, "for plain recv() it is data");
	open_cell(&self->s, c, cell);
	peer_send(c, "\x17\x03\x03", 3);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

static void expect_refused(TEST_ARG, struct scene *s, const struct cell *cell,
			   const void *text, size_t len)
{
	struct conn *c = &s->conn;

	REQUIRE_MODE(cell->mode);
	if (!cell->rx)
		SKIP(return, "for plain recv() it is data");
	if (cell->state == TCP_LAST_ACK)
		SKIP(return, "send() fails with what kTLS found");
	open_cell(s, c, cell);
	peer_send(c, text, len);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(EVENTUALLY(poll_now(c) & POLLERR));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	expect_reset_now(_metadata, c, cell);
}

/* Nor what is no record at all: kTLS has given up. */
TEST_F(all_read, no_record)
{
	expect_refused(_metadata, &self->s, &variant->cell,
		       "HTTP/1.1 400 Bad Request\r\n", 26);
}

/* Nor a whole one of another version. */
TEST_F(all_read, record_of_another_version)
{
	static const uint8_t rec[5 + 32] = { REC_DATA, 3, 2, 0, 32 };

	expect_refused(_metadata, &self->s, &variant->cell, rec, sizeof(rec));
}

INBOUND_FIXTURE(broken);

#define BROKEN_CELL(mode, state)					\
	FIXTURE_VARIANT_ADD(broken, state##_mode##mode) { {		\
		mode, AF_INET, txrx, TCP_##state, TLS_1_3_VERSION } }
BROKEN_CELL(0, ESTABLISHED);
BROKEN_CELL(2, ESTABLISHED);
BROKEN_CELL(0, FIN_WAIT2);
BROKEN_CELL(1, FIN_WAIT2);

/* An error that is kTLS's own shows, whether a reset is held or not. */
TEST_F(broken, record)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;
	bool holds = cell_holds(cell);
	uint8_t rec[REC_MAX] = "broken";
	char buf[RECORD_LEN];
	size_t len;
	int i;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	peer_upload(c, 1, RECORD_LEN);
	len = rec_seal(&c->rx, REC_DATA, rec, 6, rec);
	rec[len - 1] ^= 1;
	peer_send(c, rec, len);
	ASSERT_TRUE(conn_await_unread(c));
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(holds ? drst_stat_await("CurrInHeld", 1) :
			    conn_await_state(c, TCP_CLOSE));
	ASSERT_EQ(RECORD_LEN, recv(c->fd, buf, sizeof(buf), 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, recv(c->fd, buf, sizeof(buf), 0));
		EXPECT_EQ(EBADMSG, errno);
		EXPECT_EQ(POLLIN | POLLERR | (holds ? 0 : POLLHUP),
			  poll_now(c) & ~POLLRDHUP);
	}
	EXPECT_EQ(EBADMSG, so_error(c));
	if (!holds)
		return expect_never_held(_metadata);
	EXPECT_EQ(1, drst_stat("CurrInHeld"));
}

INBOUND_FIXTURE(reader);
HELD_CELLS(reader);

/* What one read can give: by kTLS it ends before the alert. */
static size_t at_once(const struct conn *c)
{
	return c->ktls_rx ? c->uploaded : c->replied;
}

/* How a hold of our own RST ends is no matter here. */
TEST_F(reader, final_is_no_matter)
{
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	drst_set("final", 1);
	hold_in_cell(_metadata, &self->s, cell);
	expect_held(_metadata, &self->s.conn, cell);
	expect_delivered(_metadata, &self->s.conn, cell);
}

/* In TCP_REPAIR nothing is held, whenever it was set. */
TEST_F(reader, in_repair)
{
	struct conn *c = &self->s.conn;
	const struct cell *cell = &variant->cell;

	REQUIRE_MODE(cell->mode);
	upload_in_cell(_metadata, &self->s, c, cell);
	sockopt(c->fd, IPPROTO_TCP, TCP_REPAIR, 1);
	peer_reset(c);
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	expect_never_held(_metadata);
}

TEST_F(reader, small_pieces)
{
	struct conn *c = &self->s.conn;

	HOLD();
	expect_upload(_metadata, c, &variant->cell, 64);
	EXPECT_EQ(1, drst_stat("InDelivered"));
}

TEST_F(reader, hup_comes_with_the_last_byte)
{
	struct conn *c = &self->s.conn;
	char buf[256];
	size_t got;
	ssize_t n;

	HOLD();
	for (got = 0; got < at_once(c); got += n) {
		EXPECT_EQ(poll_without_rst(&variant->cell), poll_now(c));
		n = recv(c->fd, buf, sizeof(buf), 0);
		ASSERT_LT(0, n);
	}
	if (c->ktls_rx) {
		struct msghdr msg = { };
		char control[64];
		struct iovec iov = { buf, sizeof(buf) };

		EXPECT_EQ(poll_without_rst(&variant->cell), poll_now(c));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		EXPECT_EQ(2, recvmsg(c->fd, &msg, 0));
	}
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_now(c) & ~POLLRDHUP);
	EXPECT_EQ(reset_errno(&variant->cell), so_error(c));
}

TEST_F(reader, peek)
{
	struct conn *c = &self->s.conn;
	char first[100], buf[8192];

	HOLD();
	ASSERT_EQ(100, recv(c->fd, first, 100, MSG_PEEK));
	ASSERT_EQ(100, recv(c->fd, buf, 100, MSG_PEEK));
	EXPECT_EQ(0, memcmp(first, buf, 100));
	EXPECT_LE(RECORD_LEN, recv(c->fd, buf, sizeof(buf), MSG_PEEK));
	EXPECT_EQ(0, memcmp(first, buf, 100));
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
}

TEST_F(reader, waitall)
{
	struct conn *c = &self->s.conn;
	static char buf[65536];

	HOLD();
	EXPECT_EQ(at_once(c), recv(c->fd, buf, sizeof(buf), MSG_WAITALL));
	if (c->ktls_rx)
		EXPECT_EQ(1, drst_stat("CurrInHeld"));
}

/* TCP names no sender, and has no errors queued. */
TEST_F(reader, names_and_errors)
{
	struct conn *c = &self->s.conn;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	char buf[64];

	HOLD();
	EXPECT_EQ(-1, recv(c->fd, buf, sizeof(buf), MSG_ERRQUEUE));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(sizeof(buf), recvfrom(c->fd, buf, sizeof(buf), MSG_PEEK,
					(struct sockaddr *)&name, &len));
	EXPECT_EQ(0, len);
	len = sizeof(name);
	EXPECT_EQ(0, getpeername(c->fd, (struct sockaddr *)&name, &len));
	EXPECT_EQ(variant->cell.family, name.ss_family);
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_EQ(-1, getpeername(c->fd, (struct sockaddr *)&name, &len));
	EXPECT_EQ(ENOTCONN, errno);
}

TEST_F(reader, dontwait)
{
	struct conn *c = &self->s.conn;
	static char buf[65536];

	HOLD();
	EXPECT_LE(RECORD_LEN, recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT));
}

/* A reader that waits for more than there will ever be. */
TEST_F(reader, rcvlowat)
{
	struct conn *c = &self->s.conn;
	static char buf[65536];
	int low = 32768;

	HOLD();
	ASSERT_EQ(0, setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low,
				sizeof(low)));
	EXPECT_EQ(poll_without_rst(&variant->cell), poll_now(c));
	EXPECT_EQ(at_once(c), recv(c->fd, buf, sizeof(buf), 0));
}

static void splice_all(int fd, int into, size_t want, size_t *got, int flags)
{
	char buf[4096];
	int p[2];
	ssize_t n;

	MUST(!pipe(p));
	for (*got = 0; *got < want; *got += n) {
		n = splice(fd, NULL, p[1], NULL, sizeof(buf), flags);
		if (n <= 0)
			break;
		MUST(read(p[0], buf, n) == n && write(into, buf, n) == n);
	}
	close(p[0]);
	close(p[1]);
}

static void expect_spliced(TEST_ARG, struct conn *c, const struct cell *cell,
			   int flags)
{
	int null = open("/dev/null", O_WRONLY);
	size_t got;

	splice_all(c->fd, null, at_once(c), &got, flags);
	close(null);
	EXPECT_EQ(at_once(c), got);
	if (!c->ktls_rx) {
		EXPECT_EQ(0, drst_stat("CurrInHeld"));
		splice_all(c->fd, -1, 1, &got, flags);
		EXPECT_EQ(0, got);
		expect_reset_known(_metadata, c);
		return;
	}
	/* The alert is no data: it stays where it is. */
	c->uploaded = 0;
	expect_delivered(_metadata, c, cell);
}

TEST_F(reader, splice)
{
	HOLD();
	expect_spliced(_metadata, &self->s.conn, &variant->cell, 0);
}

TEST_F(reader, splice_nonblock)
{
	HOLD();
	expect_spliced(_metadata, &self->s.conn, &variant->cell,
		       SPLICE_F_NONBLOCK);
}

/* poll() while another thread is inside recv(), with the socket lock */
TEST_F(reader, poll_beside_recv)
{
	struct conn *c = &self->s.conn;
	struct busy busy;

	HOLD();
	busy_begin(&busy, c->fd);
	EXPECT_EQ(poll_without_rst(&variant->cell), poll_now(c));
	busy_end(&busy);
	expect_held(_metadata, c, &variant->cell);
	expect_delivered(_metadata, c, &variant->cell);
}

static unsigned int epoll_next(int ep, int timeout)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, timeout) == 1 ? ev.events : 0;
}

static int epoll_on(int fd, unsigned int edge)
{
	struct epoll_event ev = { .events = EPOLLIN | edge };
	int ep = epoll_create1(0);

	MUST(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

TEST_F(reader, epoll_level)
{
	struct conn *c = &self->s.conn;
	int ep;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	ep = epoll_on(c->fd, 0);
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 10000));
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 10000));
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_NE(0, epoll_next(ep, 10000) & EPOLLHUP);
	close(ep);
}

/* A blocking recv() that peeks behind the data waits for as long as it may. */
static void expect_waits_for_more(TEST_ARG, struct conn *c)
{
	struct sigaction action = { .sa_handler = signal_nothing };
	struct itimerval often = { { 0, 250000 }, { 0, 250000 } }, never = { };
	struct timeval limit = { .tv_usec = 250000 }, none = { };
	long began = clock_ms(CLOCK_MONOTONIC);
	char buf[1];

	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	EXPECT_EQ(-1, recv(c->fd, buf, sizeof(buf), MSG_PEEK));
	EXPECT_EQ(EAGAIN, errno);
	expect_not_before(_metadata, began, 250);
	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)));
	MUST(!sigaction(SIGALRM, &action, NULL) &&
	     !setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(-1, recv(c->fd, buf, sizeof(buf), MSG_PEEK));
	EXPECT_EQ(EINTR, errno);
	MUST(!setitimer(ITIMER_REAL, &never, NULL));
}

/*
 * With SO_PEEK_OFF (TCP has it since 6.10) recv() can look behind the data: there is
 * no more than there was before the reset, and the reset is not told there.
 */
TEST_F(reader, peek_behind_the_data)
{
	struct conn *c = &self->s.conn;
	char buf[BULK];
	ssize_t behind;
	int err, off = 0;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	if (variant->cell.rx)
		SKIP(return, "kTLS's recv() does not know of it");
	if (setsockopt(c->fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)))
		SKIP(return, "this kernel's TCP has no SO_PEEK_OFF");
	while ((behind = recv(c->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)) > 0)
		;
	err = errno;
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	EXPECT_EQ(behind, recv(c->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT));
	EXPECT_TRUE(!behind || errno == err) {
		TH_LOG("%s, was %s", strerror(errno), strerror(err));
	}
	if (behind < 0)
		expect_waits_for_more(_metadata, c);
	off = -1;
	MUST(!setsockopt(c->fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)));
	expect_delivered(_metadata, c, &variant->cell);
}

/* The edge of the reset comes when everything has been read. */
TEST_F(reader, epoll_edge)
{
	struct conn *c = &self->s.conn;
	char buf[100];
	int ep;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	ep = epoll_on(c->fd, EPOLLET);
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 10000));
	ASSERT_EQ(100, recv(c->fd, buf, sizeof(buf), MSG_PEEK));
	epoll_next(ep, 0);	/* kTLS has found the next record */
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	EXPECT_EQ(0, epoll_next(ep, 100));
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_NE(0, epoll_next(ep, 10000) & EPOLLHUP);
	close(ep);
}

/* Somebody else reads: who waits for the end alone is woken. */
TEST_F(reader, poll_wakes_at_the_end)
{
	struct conn *c = &self->s.conn;
	struct pollfd p = { };
	pid_t pid;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	pid = child(c);
	if (!pid) {
		p.fd = c->fd;
		_exit(poll(&p, 1, 20000) != 1 || !(p.revents & POLLHUP));
	}
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	pause_ms(50);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_EQ(0, child_status(pid, 5));
}

/* To be closed by the peer only when the child sleeps */
static void open_for_child(TEST_ARG, struct scene *s, const struct cell *cell)
{
	struct conn *c = &s->conn;

	open_cell(s, c, cell);
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!peer_has_closed(cell))
		reach(_metadata, c, cell->state);
}

/* Data and a RST while the child sleeps: it does not run in between, so the RST is held. */
static void hold_beside_child(TEST_ARG, struct conn *c, const struct cell *cell,
			      pid_t pid, int records)
{
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	peer_upload(c, records, RECORD_LEN);
	if (peer_has_closed(cell))
		peer_shutdown_wr(c);
	peer_await_sent(c);
	peer_reset(c);
	EXPECT_TRUE(drst_stat_await("InHeld", 1));
	let_workers_in();
}

/* It has the first records, or has looked at them, and waits for more. */
static void expect_reader_returns(TEST_ARG, struct scene *s,
				  const struct cell *cell, int flags, int low)
{
	struct conn *c = &s->conn;
	static char buf[65536];
	ssize_t want, got;
	pid_t pid;

	open_for_child(_metadata, s, cell);
	peer_upload(c, RECORDS, RECORD_LEN);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	want = at_once(c) / RECORDS * (RECORDS + 1);
	if (low) {
		ASSERT_EQ(0, setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low,
					sizeof(low)));
	}
	keep_workers_out();
	pid = child(c);
	if (!pid) {
		got = recv(c->fd, buf, sizeof(buf), flags);
		/* TCP tells kTLS of no more below SO_RCVLOWAT: the next read finds it. */
		if (low && cell->rx && got == want - RECORD_LEN)
			got += recv(c->fd, buf, sizeof(buf), flags);
		_exit(got != want);
	}
	hold_beside_child(_metadata, c, cell, pid, 1);
	EXPECT_EQ(0, child_status(pid, 5));
}

TEST_F(reader, blocked_in_waitall)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_returns(_metadata, &self->s, &variant->cell, MSG_WAITALL,
			      0);
}

TEST_F(reader, blocked_in_peek_waitall)
{
	REQUIRE_MODE(variant->cell.mode);
	if (variant->cell.rx)
		SKIP(return, "kTLS does not wait for more when it peeks");
	expect_reader_returns(_metadata, &self->s, &variant->cell,
			      MSG_PEEK | MSG_WAITALL, 0);
}

TEST_F(reader, blocked_in_rcvlowat)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_reader_returns(_metadata, &self->s, &variant->cell, 0, 32768);
}

/* A program that waits in poll() for more than there will ever be */
TEST_F(reader, poll_blocked_in_rcvlowat)
{
	struct conn *c = &self->s.conn;
	struct pollfd p = { .events = POLLIN };
	int low = 32768;
	pid_t pid;

	REQUIRE_MODE(variant->cell.mode);
	open_for_child(_metadata, &self->s, &variant->cell);
	ASSERT_EQ(0, setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low,
				sizeof(low)));
	keep_workers_out();
	pid = child(c);
	if (!pid) {
		p.fd = c->fd;
		_exit(poll(&p, 1, 20000) != 1 || !(p.revents & POLLIN));
	}
	hold_beside_child(_metadata, c, &variant->cell, pid, RECORDS);
	EXPECT_EQ(0, child_status(pid, 5));
}

/* Keys for receiving that are installed only now */
TEST_F(reader, rx_keys_installed_while_held)
{
	struct conn *c = &self->s.conn;
	struct cell cell = variant->cell;
	struct tls_dir dir;

	if (cell.rx)
		SKIP(return, "has them");
	HOLD();
	dir = c->rx;
	dir.seq = 0;
	ASSERT_EQ(0, dir_install(&dir, c->fd, TLS_RX));
	c->ktls_rx = true;
	cell.rx = true;
	expect_held(_metadata, c, &cell);
	expect_delivered(_metadata, c, &cell);
}

/* A record whose end never comes does not keep the reset from the reader. */
TEST_F(reader, records_and_a_half)
{
	struct conn *c = &self->s.conn;
	uint8_t rec[REC_MAX];
	struct result res;

	REQUIRE_MODE(variant->cell.mode);
	if (!variant->cell.rx)
		SKIP(return, "for plain recv() it is data");
	open_cell(&self->s, c, &variant->cell);
	peer_upload(c, RECORDS, RECORD_LEN);
	seal_record(c, rec);
	peer_send(c, rec, RECORD_LEN / 2);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	reach(_metadata, c, variant->cell.state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	conn_finish(c, 8192, &res);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(c->uploaded, res.plain);
	EXPECT_EQ(ECONNRESET, res.final);
	EXPECT_EQ(1, drst_stat("InDelivered"));
}

TEST_HARNESS_MAIN
