/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the inbound hold share: the peer uploads, says close_notify
 * and resets, and the socket under test has read nothing of it.
 */
#ifndef SELFTESTS_INBOUND_H
#define SELFTESTS_INBOUND_H

#include <poll.h>
#include <signal.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/diag.h"
#include "lib/scene.h"

#define RECORDS 4
#define RECORD_LEN 700

/* What is installed of kTLS; the names are part of the variants' names. */
enum { tx, txrx };

struct cell {
	int mode;
	int family;
	bool rx;
	int state;		/* of the connection when the RST comes */
	uint16_t version;
};

static inline bool cell_holds(const struct cell *cell)
{
	return cell->mode == 2 ||
	       (cell->mode == 1 && cell->state != TCP_ESTABLISHED);
}

/* Has the peer's FIN come before its RST? */
static inline bool peer_has_closed(const struct cell *cell)
{
	return cell->state == TCP_CLOSE_WAIT || cell->state == TCP_CLOSING ||
	       cell->state == TCP_LAST_ACK;
}

/* Has the process shut down its own direction before the RST comes? */
static inline bool has_shut_down(const struct cell *cell)
{
	return cell->state != TCP_ESTABLISHED && cell->state != TCP_CLOSE_WAIT;
}

/* What poll_now() gives for data and for what either side has closed by itself. */
static inline short poll_without_rst(const struct cell *cell)
{
	return POLLIN | (peer_has_closed(cell) ? POLLRDHUP : 0) |
	       (peer_has_closed(cell) && has_shut_down(cell) ? POLLHUP : 0);
}

/* What vanilla's TCP makes of the RST. */
static inline int reset_errno(const struct cell *cell)
{
	return cell->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
}

/* recv() of plain TCP tells the end of file first. */
static inline int final_errno(const struct cell *cell)
{
	return cell->rx || !peer_has_closed(cell) ? reset_errno(cell) : 0;
}

static inline int so_error(const struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	MUST(!getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len));
	return error;
}

static inline int unread_bytes(const struct conn *c)
{
	int bytes;

	MUST(!ioctl(c->fd, SIOCINQ, &bytes));
	return bytes;
}

static inline short poll_now(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLRDHUP };

	MUST(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static inline bool await_readable(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && p.revents & POLLIN;
}

/* With more options than those that are the cell's. */
static inline void open_cell_with(struct scene *s, struct conn *c,
				  const struct cell *cell, struct conn_opts opts)
{
	opts.family = cell->family;
	opts.rx = cell->rx;
	opts.version = cell->version;
	conn_open(c, &s->bed, &opts);
}

static inline void open_cell(struct scene *s, struct conn *c,
			     const struct cell *cell)
{
	open_cell_with(s, c, cell, (struct conn_opts){ });
}

static inline void reach(TEST_ARG, struct conn *c, int state)
{
	if (state == TCP_FIN_WAIT1 || state == TCP_CLOSING ||
	    state == TCP_LAST_ACK)
		conn_send(c, BULK);	/* the FIN waits behind it */
	if (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK) {
		peer_shutdown_wr(c);
		ASSERT_TRUE(conn_await_state(c, TCP_CLOSE_WAIT));
	}
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		ASSERT_EQ(0, shutdown(c->fd, SHUT_WR));
	if (state == TCP_CLOSING)
		peer_shutdown_wr(c);
	ASSERT_TRUE(conn_await_state(c, state)) {
		TH_LOG("state %d, not %d", conn_state(c), state);
	}
}

/* Everything but the RST. */
static inline void upload_in_cell_with(TEST_ARG, struct scene *s, struct conn *c,
				       const struct cell *cell,
				       struct conn_opts opts)
{
	open_cell_with(s, c, cell, opts);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	reach(_metadata, c, cell->state);
}

static inline void upload_in_cell(TEST_ARG, struct scene *s, struct conn *c,
				  const struct cell *cell)
{
	upload_in_cell_with(_metadata, s, c, cell, (struct conn_opts){ });
}

/* ... and the RST, which is held now. */
static inline void hold_in_cell(TEST_ARG, struct scene *s,
				const struct cell *cell)
{
	upload_in_cell(_metadata, s, &s->conn, cell);
	peer_reset(&s->conn);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
	EXPECT_EQ(1, drst_stat("InHeld"));
}

/*
 * TCP has closed the connection, but the process does not see it: poll() and
 * TCP_INFO give what they gave before the RST.
 */
static inline void expect_held(TEST_ARG, const struct conn *c,
			       const struct cell *cell)
{
	EXPECT_EQ(poll_without_rst(cell), poll_now(c));
	EXPECT_EQ(cell->state, conn_state(c));
	EXPECT_EQ(TCP_CLOSE, conn_diag_state(c));
	EXPECT_EQ(1, drst_stat("CurrInHeld"));
}

static inline void expect_reset_known(TEST_ARG, const struct conn *c)
{
	EXPECT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_NE(0, poll_now(c) & POLLHUP);
}

/* Reads everything, then @final: an errno, or 0 for the end of file. */
static inline void expect_content(TEST_ARG, struct conn *c, size_t piece,
				  int final)
{
	struct result res;

	conn_finish(c, piece, &res);
	EXPECT_TRUE(res.intact);
	EXPECT_EQ(c->uploaded, res.plain);
	EXPECT_TRUE(res.alert);
	EXPECT_EQ(final, res.final);
}

/* Reads everything, then vanilla's errno. */
static inline void expect_upload(TEST_ARG, struct conn *c,
				 const struct cell *cell, size_t piece)
{
	int final = final_errno(cell);
	char byte;

	expect_content(_metadata, c, piece, final);
	if (!final)	/* the end stays, for one who peeks, too */
		EXPECT_EQ(0, recv(c->fd, &byte, 1, MSG_PEEK));
	EXPECT_EQ(final ? 0 : reset_errno(cell), so_error(c));
	expect_reset_known(_metadata, c);
}

/* Reads everything, and no error: somebody has been told of the reset. */
static inline void expect_told(TEST_ARG, struct conn *c)
{
	expect_content(_metadata, c, 8192, 0);
	EXPECT_EQ(0, so_error(c));
	expect_reset_known(_metadata, c);
}

/* As expect_upload(), and the hold has ended with that. */
static inline void expect_delivered(TEST_ARG, struct conn *c,
				    const struct cell *cell)
{
	expect_upload(_metadata, c, cell, 8192);
	EXPECT_TRUE(drst_stat_await("CurrInHeld", 0));
	EXPECT_EQ(1, drst_stat("InDelivered"));
}

static inline void expect_never_held(TEST_ARG)
{
	if (!drst_present())
		return;
	EXPECT_EQ(0, drst_stat("InHeld"));
	EXPECT_EQ(0, drst_stat("CurrInHeld"));
}

/* The peer's RST has come: it is held if the mode says so. */
static inline void expect_by_cell(TEST_ARG, struct conn *c,
				  const struct cell *cell)
{
	if (cell_holds(cell)) {
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		expect_held(_metadata, c, cell);
		return expect_delivered(_metadata, c, cell);
	}
	ASSERT_TRUE(conn_await_state(c, TCP_CLOSE));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, poll_now(c) & ~POLLRDHUP);
	expect_never_held(_metadata);
	expect_upload(_metadata, c, cell, 8192);
}

/* Every hold has ended in exactly one way. */
static inline bool inbound_adds_up(void)
{
	if (!drst_present())
		return true;
	return drst_stat_await("CurrInHeld", 0) &&
	       drst_stat("InHeld") == drst_stat("InDelivered") +
				      drst_stat("InClosed") +
				      drst_stat("InTimedOut") +
				      drst_stat("InOverLimit") +
				      drst_stat("InMemory");
}

/* Children have no business with the peer's socket: its RST is the parent's. */
static inline pid_t child(struct conn *c)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		close(c->peer);
	return pid;
}

static inline bool child_is(pid_t pid, const char *state)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_file(path, text, sizeof(text));
	return strstr(text, state);
}

static inline bool child_sleeps(pid_t pid)
{
	return child_is(pid, ") S ");
}

/* For a socket's lock, as no signal ends it. */
static inline bool child_waits(pid_t pid)
{
	return child_is(pid, ") D ");
}

/* The child's exit status; -1 if it hangs for @seconds, -2 if a signal ended it. */
static inline int child_status(pid_t pid, int seconds)
{
	int status, tries = seconds * 100;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (!tries--) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		pause_ms(10);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/*
 * close() that lingers. Once this process sleeps there, a child reads all that the peer
 * gets: does it end with close_notify (@alert)? Returns the child, whose status is 0 then.
 */
static inline pid_t close_beside_reader(TEST_ARG, struct conn *c, bool alert)
{
	struct result res;
	pid_t reader = fork();

	MUST(reader >= 0);
	if (!reader) {
		close(c->fd);
		raise(SIGSTOP);
		if (!EVENTUALLY(child_sleeps(getppid())))
			_exit(1);
		peer_finish(c, &res);
		_exit(res.intact && res.alert == alert && !res.final ? 0 : 2);
	}
	EXPECT_EQ(reader, waitpid(reader, NULL, WUNTRACED));
	EXPECT_EQ(0, kill(reader, SIGCONT));
	conn_close_timed(c);
	return reader;
}

#define INBOUND_FIXTURE(name)						\
	FIXTURE(name) {							\
		struct scene s;						\
	};								\
	FIXTURE_SETUP(name) {						\
		scene_open_spare(&self->s);				\
	}								\
	FIXTURE_TEARDOWN(name) {					\
		conn_free(&self->s.conn);				\
		EXPECT_TRUE(inbound_adds_up());				\
		EXPECT_TRUE(scene_close(&self->s));			\
	}								\
	FIXTURE_VARIANT(name) {						\
		struct cell cell;					\
	}

/* A handful of cells in which a RST is held, one of each kind. */
#define HELD_CELLS(name)						\
	FIXTURE_VARIANT_ADD(name, txrx_FIN_WAIT2) { { 1, AF_INET, txrx,	\
		TCP_FIN_WAIT2, TLS_1_3_VERSION } };			\
	FIXTURE_VARIANT_ADD(name, tx_CLOSE_WAIT) { { 1, AF_INET, tx,	\
		TCP_CLOSE_WAIT, TLS_1_2_VERSION } };			\
	FIXTURE_VARIANT_ADD(name, tx_ESTABLISHED) { { 2, AF_INET6, tx,	\
		TCP_ESTABLISHED, TLS_1_3_VERSION } };			\
	FIXTURE_VARIANT_ADD(name, txrx_ESTABLISHED) { { 2, AF_INET6, txrx, \
		TCP_ESTABLISHED, TLS_1_2_VERSION } }

#define HOLD() do {							\
	REQUIRE_MODE(variant->cell.mode);				\
	hold_in_cell(_metadata, &self->s, &variant->cell);		\
} while (0)

#endif
