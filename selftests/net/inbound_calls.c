// SPDX-License-Identifier: GPL-2.0
/*
 * What the calls of a process give while a RST is held. The rule for the error: the
 * first call that can take it gets it, and nobody else. The variants of mode 0 show
 * what vanilla gives in the same place.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <sys/sendfile.h>

#include "inbound.h"

/* Long enough for a RST to overtake what is delayed by so much. */
#define DELAY_MS 2000

INBOUND_FIXTURE(told);

#define CELL(mode, rx, state)						\
	FIXTURE_VARIANT_ADD(told, rx##_##state##_mode##mode) { {	\
		mode, AF_INET, rx, TCP_##state, TLS_1_3_VERSION } }
#define ROW(rx, state)							\
	CELL(0, rx, state); CELL(1, rx, state); CELL(2, rx, state)

ROW(tx, ESTABLISHED);
ROW(txrx, ESTABLISHED);
ROW(tx, CLOSE_WAIT);
ROW(txrx, CLOSE_WAIT);
ROW(txrx, FIN_WAIT1);
ROW(tx, FIN_WAIT2);
ROW(tx, CLOSING);
ROW(txrx, LAST_ACK);

/* The RST has come, and is held if the cell is one that holds. */
static void reset_in_cell(TEST_ARG, struct scene *s, const struct cell *cell)
{
	if (cell_holds(cell))
		return hold_in_cell(_metadata, s, cell);
	upload_in_cell(_metadata, s, &s->conn, cell);
	peer_reset(&s->conn);
	ASSERT_TRUE(conn_await_state(&s->conn, TCP_CLOSE));
}

#define RESET() do {							\
	REQUIRE_MODE(variant->cell.mode);				\
	reset_in_cell(_metadata, &self->s, &variant->cell);		\
} while (0)

/* The errno of a send(), which has the signal with EPIPE, and with no other. */
static int send_error(TEST_ARG, const struct conn *c)
{
	int err;

	EXPECT_EQ(-1, send(c->fd, "x", 1, 0));
	err = errno;
	EXPECT_EQ(err == EPIPE, sigpipe_came());
	return err;
}


/*
 * @calls: 's' is send(), 'o' is SO_ERROR. The first is told, the others are not, nor
 * is the reader at the end.
 */
static void expect_first_is_told(TEST_ARG, struct scene *s,
				 const struct cell *cell, const char *calls)
{
	struct conn *c = &s->conn;
	bool told = false;
	int want;

	for (; *calls; calls++) {
		want = told ? 0 : reset_errno(cell);
		told = true;
		if (*calls == 'o') {
			EXPECT_EQ(want, so_error(c));
		} else {
			EXPECT_EQ(want ? want : EPIPE,
				  send_error(_metadata, c));
		}
		expect_held(_metadata, c, cell);
	}
	if (told)
		expect_told(_metadata, c);
	else
		expect_upload(_metadata, c, cell, 8192);
	EXPECT_EQ(1, drst_stat("InDelivered"));
}

/*
 * Every order of up to two calls before a read to the end. Behind that it is
 * vanilla's kTLS again, whose send() takes another record.
 */
TEST_F(told, once)
{
	static const char *const orders[] = {
		"", "s", "o", "ss", "so", "os", "oo",
	};
	const struct cell *cell = &variant->cell;
	struct scene *s = &self->s;
	unsigned int i;

	if (!cell_holds(cell))
		SKIP(return, "nothing is held");
	REQUIRE_MODE(cell->mode);
	sigpipe_block();
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		counters_note();
		hold_in_cell(_metadata, s, cell);
		expect_first_is_told(_metadata, s, cell, orders[i]);
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 0));
		conn_free(&s->conn);
	}
}

/* The error stays told when a limit ends the hold. */
TEST_F(told, once_before_a_limit)
{
	struct conn *c = &self->s.conn;
	char byte;

	if (!cell_holds(&variant->cell))
		SKIP(return, "nothing is held");
	REQUIRE_MODE(variant->cell.mode);
	hold_in_cell(_metadata, &self->s, &variant->cell);
	ASSERT_EQ(1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(reset_errno(&variant->cell), so_error(c));
	drst_set("timeout_ms", 1000);
	ASSERT_TRUE(drst_stat_await("InTimedOut", 1));
	EXPECT_EQ(0, so_error(c));
}

/* Whichever call comes first is told the same in every mode. */
TEST_F(told, send_first)
{
	RESET();
	sigpipe_block();
	EXPECT_EQ(reset_errno(&variant->cell),
		  send_error(_metadata, &self->s.conn));
}

TEST_F(told, so_error_first)
{
	struct conn *c = &self->s.conn;

	RESET();
	EXPECT_EQ(reset_errno(&variant->cell), so_error(c));
	EXPECT_EQ(0, so_error(c));
	expect_told(_metadata, c);
}

TEST_F(told, read_first)
{
	struct conn *c = &self->s.conn;
	char byte;

	RESET();
	expect_upload(_metadata, c, &variant->cell, 8192);
	EXPECT_EQ(0, recv(c->fd, &byte, 1, 0));
}

/* Reading some of the data takes no error. */
TEST_F(told, send_after_some_data)
{
	struct conn *c = &self->s.conn;
	char buf[RECORD_LEN];

	RESET();
	sigpipe_block();
	ASSERT_EQ(sizeof(buf), recv(c->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(reset_errno(&variant->cell), send_error(_metadata, c));
}

TEST_F(told, nothing_sent_tells_nothing)
{
	struct conn *c = &self->s.conn;

	RESET();
	if (cell_holds(&variant->cell))
		EXPECT_EQ(0, send(c->fd, "", 0, MSG_NOSIGNAL));
	expect_upload(_metadata, c, &variant->cell, 8192);
}

/* Ways to send a byte; each returns what its system call does. */
static ssize_t by_write(struct conn *c)
{
	return write(c->fd, "x", 1);
}

static ssize_t by_alert(struct conn *c)
{
	return conn_try_notify(c, 0) ? 1 : -1;
}

static ssize_t by_sendfile(struct conn *c)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	off_t pos = 0;
	ssize_t ret = sendfile(c->fd, file, &pos, 1);
	int err = errno;

	close(file);
	errno = err;
	return ret;
}

static ssize_t by_splice(struct conn *c)
{
	ssize_t ret;
	int p[2], err;

	MUST(!pipe(p) && write(p[1], "x", 1) == 1);
	ret = splice(p[0], NULL, c->fd, NULL, 1, 0);
	err = errno;
	close(p[0]);
	close(p[1]);
	errno = err;
	return ret;
}

TEST_F(told, each_way_to_send)
{
	static ssize_t (*const ways[])(struct conn *c) = {
		by_write, by_alert, by_sendfile, by_splice,
	};
	struct conn *c = &self->s.conn;
	unsigned int i;

	REQUIRE_MODE(variant->cell.mode);
	sigpipe_block();
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		counters_note();
		reset_in_cell(_metadata, &self->s, &variant->cell);
		EXPECT_EQ(-1, ways[i](c));
		EXPECT_EQ(reset_errno(&variant->cell), errno) {
			TH_LOG("way %u", i);
		}
		if (cell_holds(&variant->cell)) {
			EXPECT_EQ(-1, ways[i](c));
			EXPECT_EQ(EPIPE, errno);
			expect_told(_metadata, c);
			ASSERT_TRUE(drst_stat_await("CurrInHeld", 0));
		}
		conn_free(c);
	}
}

/* The socket takes nothing more, and nothing is under way. */
static void fill(TEST_ARG, const struct conn *c)
{
	static char buf[65536];

	do {
		while (send(c->fd, buf, sizeof(buf),
			    MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		ASSERT_EQ(EAGAIN, errno);
		ASSERT_TRUE(conn_await_stalled(c));
	} while (send(c->fd, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
}

/* A sender that waits for the peer's window */
TEST_F(told, blocked_sender)
{
	const struct cell *cell = &variant->cell;
	struct conn *c = &self->s.conn;
	struct conn_opts opts = { .sndbuf = 16384, .rx = cell->rx,
				  .family = cell->family,
				  .version = cell->version };
	struct result res;
	pid_t pid;

	REQUIRE_MODE(cell->mode);
	if (has_shut_down(cell))
		SKIP(return, "nothing can be sent there");
	conn_open(c, &self->s.bed, &opts);
	fill(_metadata, c);
	pid = child(c);
	if (!pid) {
		sigpipe_block();
		if (send(c->fd, "x", 1, 0) >= 0)
			_exit(0);
		_exit(errno + (sigpipe_came() ? 128 : 0));
	}
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	if (cell->state == TCP_CLOSE_WAIT) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	peer_reset(c);
	EXPECT_EQ(cell->state == TCP_CLOSE_WAIT ? EPIPE + 128 : ECONNRESET,
		  child_status(pid, 5));
	if (cell_holds(cell)) {
		ASSERT_TRUE(drst_stat_await("InHeld", 1));
		expect_held(_metadata, c, cell);
	}
	/*
	 * Nobody is told of the RST again. But kTLS itself may have found that its
	 * records do not go, in vanilla, too.
	 */
	conn_finish(c, 8192, &res);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(c->uploaded, res.plain);
	EXPECT_TRUE(res.alert);
	EXPECT_TRUE(!res.final || res.final == EPIPE) {
		TH_LOG("the read ends with %d", res.final);
	}
	EXPECT_NE(ECONNRESET, so_error(c));
}

/* The calls that look at the state, or change it */
TEST_F(told, state_bind_and_names)
{
	const struct cell *cell = &variant->cell;
	struct conn *c = &self->s.conn;
	bool holds = cell_holds(cell);
	struct sockaddr_storage any = { .ss_family = cell->family }, name;
	socklen_t len = sizeof(name);
	struct tcp_info info;

	RESET();
	EXPECT_EQ(holds ? 0 : -1,
		  getpeername(c->fd, (struct sockaddr *)&name, &len));
	len = 0;
	EXPECT_EQ(0, getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	EXPECT_EQ(0, len);
	len = sizeof(info);
	EXPECT_EQ(-1, getsockopt(c->fd, IPPROTO_TCP, 9999, &info, &len));
	EXPECT_EQ(ENOPROTOOPT, errno);
	len = 1;
	ASSERT_EQ(0, getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	EXPECT_EQ(1, len);
	EXPECT_EQ(holds ? cell->state : TCP_CLOSE, info.tcpi_state);
	EXPECT_EQ(TCP_CLOSE, conn_diag_state(c));
	EXPECT_EQ(-1, listen(c->fd, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, shutdown(c->fd, SHUT_RDWR + 1));
	EXPECT_EQ(EINVAL, errno);
	if (holds) {
		EXPECT_EQ(-1, bind(c->fd, (struct sockaddr *)&any,
				   sizeof(any)));
		EXPECT_EQ(EINVAL, errno);
		expect_held(_metadata, c, cell);
	}
	expect_upload(_metadata, c, cell, 8192);
	EXPECT_EQ(TCP_CLOSE, conn_state(c));
	len = sizeof(name);
	EXPECT_EQ(-1, getpeername(c->fd, (struct sockaddr *)&name, &len));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(0, bind(c->fd, (struct sockaddr *)&any, sizeof(any)));
}

INBOUND_FIXTURE(shown);
HELD_CELLS(shown);

/* The state that a process's own shutdown() leads to, before any ACK */
static int state_after_shutdown(int state, int how)
{
	if (how == SHUT_RD)
		return state;
	return state == TCP_ESTABLISHED ? TCP_FIN_WAIT1 :
	       state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : state;
}

/* What a process does itself shows at once, and no differently than without the RST. */
static void expect_own_shutdown_shows(TEST_ARG, struct scene *s,
				      const struct cell *cell, int how)
{
	struct conn *c = &s->conn;
	short want;

	upload_in_cell(_metadata, s, c, cell);
	ASSERT_EQ(0, shutdown(c->fd, how));
	want = poll_now(c);
	conn_free(c);

	hold_in_cell(_metadata, s, cell);
	EXPECT_EQ(0, shutdown(c->fd, how));
	EXPECT_EQ(want, poll_now(c));
	EXPECT_EQ(state_after_shutdown(cell->state, how), conn_state(c));
	/* A second one finds nothing to do. */
	EXPECT_EQ(0, shutdown(c->fd, how));
	EXPECT_EQ(want, poll_now(c));
	expect_delivered(_metadata, c, cell);
	EXPECT_EQ(-1, shutdown(c->fd, how));
	EXPECT_EQ(ENOTCONN, errno);
}

TEST_F(shown, shutdown_rd)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_own_shutdown_shows(_metadata, &self->s, &variant->cell, SHUT_RD);
}

TEST_F(shown, shutdown_wr)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_own_shutdown_shows(_metadata, &self->s, &variant->cell, SHUT_WR);
}

TEST_F(shown, shutdown_rdwr)
{
	REQUIRE_MODE(variant->cell.mode);
	expect_own_shutdown_shows(_metadata, &self->s, &variant->cell,
				  SHUT_RDWR);
}

static bool take_message(const struct conn *c)
{
	char control[512];
	struct msghdr msg = { .msg_control = control,
			      .msg_controllen = sizeof(control) };

	return recvmsg(c->fd, &msg, MSG_ERRQUEUE) >= 0;
}

/* A time stamp of something sent; @before: it comes before the RST */
static void expect_stamp_shows(TEST_ARG, struct scene *s,
			       const struct cell *cell, bool before)
{
	struct conn *c = &s->conn;
	struct pollfd p = { };
	short held = poll_without_rst(cell);
	pid_t pid;

	upload_in_cell(_metadata, s, c, cell);
	sockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPING,
		SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
	pid = child(c);
	if (!pid) {
		p.fd = c->fd;
		_exit(poll(&p, 1, 20000) != 1 || p.revents != POLLERR);
	}
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	if (!before) {
		*bed_altered = true;
		link_impair(&s->bed, SIDE_A, DELAY_MS, 0);
	}
	conn_send(c, 1);
	if (before)
		ASSERT_TRUE(EVENTUALLY(poll_now(c) & POLLERR));
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	if (!before) {
		EXPECT_EQ(held, poll_now(c));
		EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	}
	EXPECT_EQ(0, child_status(pid, 10));
	EXPECT_EQ(held | POLLERR, poll_now(c));
	EXPECT_TRUE(take_message(c));
	EXPECT_FALSE(take_message(c));
	EXPECT_EQ(EAGAIN, errno);
	expect_held(_metadata, c, cell);
	expect_delivered(_metadata, c, cell);
}

/* POLLERR is the message's, not the reset's: it comes and goes with the message. */
TEST_F(shown, message_from_before)
{
	REQUIRE_MODE(variant->cell.mode);
	if (has_shut_down(&variant->cell))
		SKIP(return, "nothing can be sent there");
	expect_stamp_shows(_metadata, &self->s, &variant->cell, true);
}

TEST_F(shown, message_wakes_poll)
{
	REQUIRE_MODE(variant->cell.mode);
	if (has_shut_down(&variant->cell))
		SKIP(return, "nothing can be sent there");
	expect_stamp_shows(_metadata, &self->s, &variant->cell, false);
}

/*
 * What kTLS finds wrong with a record wakes those that wait for errors only, as vanilla's
 * RST has done before.
 */
TEST_F(shown, bad_record_wakes_poll)
{
	struct conn *c = &self->s.conn;
	uint8_t rec[REC_MAX], byte;
	struct pollfd p = { };
	size_t sealed;
	pid_t pid;

	REQUIRE_MODE(variant->cell.mode);
	if (!variant->cell.rx)
		SKIP(return, "plain recv() does not look at records");
	open_cell(&self->s, c, &variant->cell);
	peer_upload(c, 1, 1);
	sealed = rec_seal(&c->rx, REC_DATA, "x", 1, rec);
	rec[sealed - 1] ^= 1;
	peer_send(c, rec, sealed);
	ASSERT_TRUE(EVENTUALLY(unread_bytes(c) == (int)(2 * sealed)));
	reach(_metadata, c, variant->cell.state);
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	p.fd = c->fd;
	pid = child(c);
	if (!pid)
		_exit(poll(&p, 1, 10000) == 1 && p.revents & POLLERR ? 0 : 1);
	ASSERT_TRUE(EVENTUALLY(child_sleeps(pid)));
	EXPECT_EQ(1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	EXPECT_EQ(-1, recv(c->fd, &byte, 1, 0));
	EXPECT_EQ(EBADMSG, errno);
	EXPECT_EQ(0, child_status(pid, 5));
}

/* A RST that finds a time stamp in the error queue; @options: more of SO_TIMESTAMPING's */
static void hold_behind_stamp(TEST_ARG, struct scene *s, const struct cell *cell,
			      int options)
{
	struct conn *c = &s->conn;

	upload_in_cell(_metadata, s, c, cell);
	sockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPING,
		SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | options);
	conn_send(c, 1);
	ASSERT_TRUE(EVENTUALLY(poll_now(c) & POLLERR));
	peer_reset(c);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
}

/* Nobody takes the message. */
TEST_F(shown, message_that_stays)
{
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	if (has_shut_down(&variant->cell))
		SKIP(return, "nothing can be sent there");
	hold_behind_stamp(_metadata, &self->s, &variant->cell, 0);
	EXPECT_EQ(poll_without_rst(&variant->cell) | POLLERR, poll_now(c));
	expect_delivered(_metadata, c, &variant->cell);
	EXPECT_TRUE(take_message(c));
}

/* 0 is then the length of a message, and not the end. MSG_PEEK changes nothing here. */
TEST_F(shown, message_without_data)
{
	char control[256], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct conn *c = &self->s.conn;

	REQUIRE_MODE(variant->cell.mode);
	if (has_shut_down(&variant->cell))
		SKIP(return, "nothing can be sent there");
	hold_behind_stamp(_metadata, &self->s, &variant->cell,
			  SOF_TIMESTAMPING_OPT_TSONLY);
	EXPECT_EQ(0, recvmsg(c->fd, &msg, MSG_ERRQUEUE | MSG_PEEK));
	EXPECT_LT(0, msg.msg_controllen);
	EXPECT_EQ(-1, recvmsg(c->fd, &msg, MSG_ERRQUEUE));
	EXPECT_EQ(EAGAIN, errno);
	expect_delivered(_metadata, c, &variant->cell);
}

/* ---- empty records ---- */

/*
 * What one call of recvmsg() gives: kTLS returns 0 for an empty record, if the next
 * one is of another type. That is not the end.
 */
struct got {
	ssize_t ret;
	int err;
	int type;	/* of the record; 0: not told */
};

static struct got read_record(const struct conn *c, int flags, bool types)
{
	char control[CMSG_SPACE(1)], buf[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = types ? control : NULL,
		.msg_controllen = types ? sizeof(control) : 0,
	};
	struct got got = { .ret = recvmsg(c->fd, &msg, flags) };
	struct cmsghdr *cmsg = got.ret >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	got.err = got.ret < 0 ? errno : 0;
	got.type = cmsg ? *CMSG_DATA(cmsg) : 0;
	return got;
}

INBOUND_FIXTURE(empty);

#define EMPTY(mode, version, state)					\
	FIXTURE_VARIANT_ADD(empty, version##_##state##_mode##mode) { {	\
		mode, AF_INET, txrx, TCP_##state, version } }
EMPTY(0, TLS_1_3_VERSION, ESTABLISHED);
EMPTY(2, TLS_1_3_VERSION, ESTABLISHED);
EMPTY(0, TLS_1_2_VERSION, CLOSE_WAIT);
EMPTY(1, TLS_1_2_VERSION, CLOSE_WAIT);
EMPTY(2, TLS_1_2_VERSION, CLOSE_WAIT);

struct record {
	uint8_t type;
	size_t len;
};

#define RECORDS_MAX 6
#define READS_MAX (2 * RECORDS_MAX)

/* What a peer can send, up to a record of type 0 */
static const struct record peers_records[][RECORDS_MAX] = {
	{ { REC_DATA, 10 }, { REC_DATA, 0 }, { REC_ALERT, 2 } },
	{ { REC_DATA, 0 }, { REC_ALERT, 2 } },
	{ { REC_DATA, 0 }, { REC_DATA, 10 } },
	{ { REC_DATA, 0 }, { REC_DATA, 0 }, { REC_HANDSHAKE, 30 }, { REC_DATA, 0 } },
	{ { REC_DATA, 10 }, { REC_DATA, 0 } },
	{ { REC_DATA, 0 } },
	{ { REC_HANDSHAKE, 30 }, { REC_DATA, 0 }, { REC_DATA, 10 }, { REC_ALERT, 2 } },
	{ { REC_ALERT, 0 }, { REC_DATA, 10 } },
	{ { REC_ALERT, 0 }, { REC_ALERT, 2 } },
};

static void peer_sends(struct conn *c, const struct record *record)
{
	static const uint8_t zeros[256];
	size_t sealed = 0;

	for (; record->type; record++) {
		sealed += record->len + dir_overhead(&c->rx);
		peer_record(c, record->type, zeros, record->len);
	}
	MUST(EVENTUALLY(unread_bytes(c) == (int)sealed));
}

/* Reads until there is an error; returns how many calls that were. */
static int read_all(const struct conn *c, int flags, bool types, struct got *got)
{
	int n = 0;

	do {
		got[n] = read_record(c, flags, types);
	} while (!got[n++].err && n < READS_MAX);
	return n;
}

/*
 * Call by call what a connection gives that is not reset. Then the error, where that one
 * has nothing more; in mode 0 the error may come sooner.
 */
static void expect_as_without_rst(TEST_ARG, struct scene *s,
				  const struct cell *cell, int kind,
				  int flags, bool types)
{
	struct got want[READS_MAX], got[READS_MAX];
	struct conn *c = &s->conn;
	int n, wanted, i;

	open_cell(s, c, cell);
	peer_sends(c, peers_records[kind]);
	wanted = read_all(c, MSG_DONTWAIT, types, want);
	ASSERT_GT(READS_MAX, wanted);
	conn_free(c);

	open_cell(s, c, cell);
	peer_sends(c, peers_records[kind]);
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(cell_holds(cell) ? drst_stat_await("InHeld", 1) :
				       conn_await_state(c, TCP_CLOSE));
	n = read_all(c, flags, types, got);
	for (i = 0; i < n && i < wanted; i++) {
		if (got[i].ret == want[i].ret && got[i].type == want[i].type &&
		    got[i].err == want[i].err)
			continue;
		if (got[i].err == reset_errno(cell) &&
		    (want[i].err == EAGAIN || !cell_holds(cell)))
			break;
		EXPECT_EQ(want[i].ret, got[i].ret);
		EXPECT_EQ(want[i].err, got[i].err);
		EXPECT_EQ(want[i].type, got[i].type);
		TH_LOG("records %d, flags %#x, types %d: call %d", kind, flags,
		       types, i);
	}
	if (cell_holds(cell))
		EXPECT_EQ(wanted, n);
	conn_free(c);
}

TEST_F(empty, records)
{
	const struct cell *cell = &variant->cell;
	int kind, how;

	REQUIRE_MODE(cell->mode);
	for (kind = 0; kind < (int)(sizeof(peers_records) / sizeof(peers_records[0])); kind++)
		for (how = 0; how < 4; how++) {
			counters_note();
			expect_as_without_rst(_metadata, &self->s, cell, kind,
					      how & 1 ? MSG_DONTWAIT : 0, how & 2);
		}
}

/* Looking at an empty record is no end of file either, however often. */
TEST_F(empty, peek)
{
	const struct cell *cell = &variant->cell;
	static const struct record lone[] = { { REC_DATA, 0 }, { 0 } };
	struct conn *c = &self->s.conn;
	struct got got;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	peer_sends(c, lone);
	reach(_metadata, c, cell->state);
	peer_reset(c);
	ASSERT_TRUE(cell_holds(cell) ? drst_stat_await("InHeld", 1) :
				       conn_await_state(c, TCP_CLOSE));
	got = read_record(c, MSG_PEEK | MSG_DONTWAIT, true);
	EXPECT_EQ(-1, got.ret);
	EXPECT_EQ(reset_errno(cell), got.err);
}

TEST_HARNESS_MAIN
