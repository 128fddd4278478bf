// SPDX-License-Identifier: GPL-2.0
/*
 * Bugs that net/tls has had where this module works, too (docs/security.md has the list):
 * the receive queue changes under a TLS reader, and sk_prot is published to readers that
 * take no lock. What is asserted is what vanilla does; the debug kernel's KASAN watches.
 */
#include "kselftest_harness.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "inbound.h"
#include "lib/busy.h"
#include "lib/ksock.h"

#define PIECE 7

/*
 * ---- the receive queue changes under a TLS reader: CVE-2025-38616, -38471, -38018 ----
 *
 * A hold looks at the queue, at the strparser and at its anchor: at the RST, on each
 * poll() and after each call.
 */
INBOUND_FIXTURE(queue);
FIXTURE_VARIANT_ADD(queue, tls12_mode0) { { 0, AF_INET, txrx, TCP_ESTABLISHED,
	TLS_1_2_VERSION } };
FIXTURE_VARIANT_ADD(queue, tls12_mode2) { { 2, AF_INET, txrx, TCP_ESTABLISHED,
	TLS_1_2_VERSION } };
FIXTURE_VARIANT_ADD(queue, tls13_mode0) { { 0, AF_INET6, txrx, TCP_FIN_WAIT2,
	TLS_1_3_VERSION } };
FIXTURE_VARIANT_ADD(queue, tls13_mode1) { { 1, AF_INET6, txrx, TCP_FIN_WAIT2,
	TLS_1_3_VERSION } };

static void expect_reset_seen(TEST_ARG, const struct cell *cell)
{
	if (!cell->mode)
		return expect_never_held(_metadata);
	ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
}

/* As in <linux/tcp.h>, which does not go together with <netinet/tcp.h>. */
struct zerocopy_receive {
	uint64_t address;
	uint32_t length, recv_skip_hint, inq;
	int32_t err;
	uint64_t copybuf_address;
	int32_t copybuf_len;
	uint32_t flags;
};

/*
 * It is TCP's: takes the records as they came, all of them, though the strparser has
 * found the first. The reset's error comes with them.
 */
TEST_F(queue, taken_by_zerocopy_receive)
{
	struct conn *c = &self->s.conn;
	static char raw[2 * RECORDS * RECORD_LEN];
	struct zerocopy_receive zc = {
		.copybuf_address = (unsigned long)raw,
		.copybuf_len = sizeof(raw),
	};
	socklen_t len = sizeof(zc);
	size_t arrived;
	char byte;

	REQUIRE_MODE(variant->cell.mode);
	upload_in_cell(_metadata, &self->s, c, &variant->cell);
	arrived = c->replied;
	peer_reset(c);
	expect_reset_seen(_metadata, &variant->cell);
	ASSERT_EQ(0, getsockopt(c->fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len));
	EXPECT_EQ((int)arrived, zc.copybuf_len);
	EXPECT_EQ(-ECONNRESET, zc.err);
	EXPECT_EQ(0, recv(c->fd, &byte, 1, 0));
	expect_reset_known(_metadata, c);
	if (variant->cell.mode)
		EXPECT_EQ(1, drst_stat("InDelivered"));
}

/*
 * As io_uring's zero-copy receive, which is no call on the socket, takes it. Without TLS_RX
 * that is all there was: poll(), which cannot sleep, has the hold looked at.
 */
TEST_F(queue, taken_by_the_kernel)
{
	struct cell cell = variant->cell;
	struct conn *c = &self->s.conn;

	cell.rx = tx;
	REQUIRE_MODE(cell.mode);
	upload_in_cell(_metadata, &self->s, c, &cell);
	peer_reset(c);
	expect_reset_seen(_metadata, &cell);
	EXPECT_EQ((ssize_t)c->replied, ksock_take(c->fd));
	if (cell.mode) {
		EXPECT_EQ(1, drst_stat("CurrInHeld"));
		poll_now(c);
		EXPECT_TRUE(drst_stat_await("InDelivered", 1));
	}
	expect_reset_known(_metadata, c);
	EXPECT_EQ(ECONNRESET, so_error(c));
}

/* A reader that was in TCP's recv() before the socket had TLS. */
struct old_reader {
	pthread_t thread;
	pid_t tid;
	int fd;
	size_t len;
	ssize_t got;
};

static void *read_as_tcp(void *arg)
{
	struct old_reader *r = arg;
	char raw[REC_MAX];

	__atomic_store_n(&r->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	r->got = recv(r->fd, raw, r->len, MSG_WAITALL);
	return NULL;
}

static bool sleeps(const struct old_reader *r)
{
	pid_t tid = __atomic_load_n(&r->tid, __ATOMIC_ACQUIRE);

	return tid && child_sleeps(tid);
}

/* It shares our CPU, and runs when we sleep: what has arrived is all there by then. */
static void old_reader_start(TEST_ARG, struct old_reader *r, int fd, size_t len)
{
	r->fd = fd;
	r->len = len;
	r->tid = 0;
	cpu_stay();
	MUST(!pthread_create(&r->thread, NULL, read_as_tcp, r));
	ASSERT_TRUE(EVENTUALLY(sleeps(r)));
	keep_workers_out();
}

TEST_F(queue, taken_by_a_reader_from_before)
{
	const struct cell *cell = &variant->cell;
	struct conn_opts opts = { .family = cell->family, .rx = true,
				  .version = cell->version };
	struct conn *c = &self->s.conn;
	char plain[RECORD_LEN];
	struct old_reader r;
	size_t record;

	REQUIRE_MODE(cell->mode);
	dir_init(&c->rx, cell->version, TLS_CIPHER_AES_GCM_128, 2);
	record = RECORD_LEN + dir_overhead(&c->rx);
	conn_connect(c, &self->s.bed, &opts);
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	old_reader_start(_metadata, &r, c->fd, record);
	conn_tls(c, &opts);
	reach(_metadata, c, cell->state);
	peer_upload(c, RECORDS, RECORD_LEN);
	peer_notify(c);
	peer_await_sent(c);
	peer_reset(c);
	expect_reset_seen(_metadata, cell);
	let_workers_in();
	/* The strparser has found the first record; the old reader takes it away. */
	MUST(!pthread_join(r.thread, NULL));
	EXPECT_EQ((ssize_t)record, r.got);
	/* What TLS finds now is the second, and not what it waits for. */
	EXPECT_EQ(-1, recv(c->fd, plain, sizeof(plain), 0));
	EXPECT_EQ(EBADMSG, errno);
	EXPECT_EQ(-1, recv(c->fd, plain, sizeof(plain), 0));
}

/*
 * TCP puts together what is in its queue while the socket is in use and while it is not;
 * the strparser knows a record by its first bytes only. TCP leaves alone what the capture
 * has not read.
 */
static void peer_send_in_pieces(struct scene *s, size_t len)
{
	struct conn *c = &s->conn;
	uint8_t record[REC_MAX], content[RECORD_LEN] = { };
	size_t all = rec_seal(&c->rx, REC_DATA, content, len, record), n, at;

	for (at = 0; at < all; at += n) {
		n = all - at < PIECE ? all - at : PIECE;
		peer_send(c, record + at, n);
		wire_flow(&s->wire, c->port);
	}
}

TEST_F(queue, put_together_by_tcp)
{
	const struct cell *cell = &variant->cell;
	struct conn *c = &self->s.conn;
	size_t left = RECORDS * RECORD_LEN;
	char plain[RECORD_LEN];
	struct busy busy;
	ssize_t got;
	int i;

	REQUIRE_MODE(cell->mode);
	open_cell(&self->s, c, cell);
	sockopt(c->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	/* A socket in use acknowledges nothing, and the peer must not wait for that. */
	sockopt(c->peer, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20);
	reach(_metadata, c, cell->state);
	peer_send_in_pieces(&self->s, RECORD_LEN);
	ASSERT_TRUE(conn_await_unread(c));
	ASSERT_TRUE(await_readable(c));
	busy_begin(&busy, c->fd);
	for (i = 1; i < RECORDS; i++)
		peer_send_in_pieces(&self->s, RECORD_LEN);
	busy_end(&busy);
	/* What was not sent yet leaves by ACKs, on any CPU, and the RST must not overtake it. */
	ASSERT_TRUE(WIRE_AWAIT(&self->s.wire, c->port, flow->acked[SIDE_B] >= c->replied));
	peer_reset(c);
	EXPECT_LT(0, tcpext("TCPRcvCoalesce") + tcpext("TCPBacklogCoalesce"));
	/* Vanilla may give the error first. */
	while ((got = recv(c->fd, plain, sizeof(plain), 0)) > 0) {
		for (i = 0; i < got; i++)
			EXPECT_EQ(0, plain[i]);
		left -= got;
	}
	EXPECT_EQ(-1, got);
	EXPECT_EQ(ECONNRESET, errno);
	if (cell->mode) {
		EXPECT_EQ(0, left);
		EXPECT_EQ(1, drst_stat("InDelivered"));
	}
}

/*
 * ---- sk_prot is published to lockless readers: CVE-2024-36489 ----
 *
 * setsockopt() and its like read sk_prot and sock->ops without a lock, and call what they
 * find there.
 */
SCENE_FIXTURE(published)

FIXTURE_VARIANT(published) {
	int mode;
	struct conn_opts opts;
};

FIXTURE_VARIANT_ADD(published, mode0) { 0, { .family = AF_INET, .rx = true } };
FIXTURE_VARIANT_ADD(published, mode1_tx) { 1, { .family = AF_INET6 } };
FIXTURE_VARIANT_ADD(published, mode2_txrx) { 2, { .family = AF_INET, .rx = true } };

/* How far a socket is, as one of its callers sees it. */
enum far {
	PLAIN,
	ULP,		/* without keys */
	KEYS,
	UNKNOWN,
};

static enum far how_far(int fd)
{
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);

	if (!getsockopt(fd, SOL_TLS, TLS_TX, &info, &len))
		return KEYS;
	if (errno == ENOPROTOOPT || errno == EOPNOTSUPP)	/* IPv6, IPv4 */
		return PLAIN;
	return errno == EBUSY ? ULP : UNKNOWN;
}

struct caller {
	pthread_t thread;
	int fd;
	bool stop;
	enum far far;
	int backwards;		/* how often it saw less than before */
	int wrong;		/* calls that returned what none should */
};

static void call_all(struct caller *caller)
{
	struct pollfd p = { .fd = caller->fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	enum far far = how_far(caller->fd);
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);
	int on = 1;
	char byte;

	caller->backwards += far < caller->far;
	caller->far = far;
	caller->wrong += far == UNKNOWN;
	caller->wrong += poll(&p, 1, 0) != 1 || p.revents != POLLOUT;
	caller->wrong += recv(caller->fd, &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN;
	caller->wrong += setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0;
	caller->wrong += getpeername(caller->fd, (struct sockaddr *)&addr, &len) != 0;
}

static void *call_until(void *arg)
{
	struct caller *caller = arg;

	while (!__atomic_load_n(&caller->stop, __ATOMIC_RELAXED))
		call_all(caller);
	call_all(caller);
	return NULL;
}

#define CALLERS 2

static void publish(TEST_ARG, struct scene *s, const struct conn_opts *opts)
{
	struct caller callers[CALLERS] = { };
	struct conn *c = &s->conn;
	int i;

	conn_connect(c, &s->bed, opts);
	for (i = 0; i < CALLERS; i++) {
		callers[i].fd = c->fd;
		MUST(!pthread_create(&callers[i].thread, NULL, call_until, &callers[i]));
	}
	conn_tls(c, opts);
	for (i = 0; i < CALLERS; i++) {
		__atomic_store_n(&callers[i].stop, true, __ATOMIC_RELAXED);
		MUST(!pthread_join(callers[i].thread, NULL));
		EXPECT_EQ(KEYS, callers[i].far);
		EXPECT_EQ(0, callers[i].backwards);
		EXPECT_EQ(0, callers[i].wrong);
	}
}

TEST_F(published, to_callers_without_a_lock)
{
	int tries = env_number("PUBLISH_TRIES", 50), i;

	REQUIRE_MODE(variant->mode);
	for (i = 1; i <= tries; i++) {
		publish(_metadata, &self->s, &variant->opts);
		conn_notify(&self->s.conn);
		if (drst_present())
			EXPECT_EQ(i, drst_stat("CloseNotify"));
		conn_free(&self->s.conn);
	}
}

TEST_HARNESS_MAIN
