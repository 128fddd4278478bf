// SPDX-License-Identifier: GPL-2.0
/*
 * stream_test.c - the ends of a stream, one by one, over loopback TCP
 *
 * The peer is a thread with a plain OpenSSL of its own, so that tls_stream.c is not
 * tested against itself. What the kernel does only now and then, an error handed out
 * before the data that has arrived, is made to happen each time: read(2) and its
 * relatives are replaced here, and OpenSSL's calls come by, too.
 */
#undef _FORTIFY_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io.h"
#include "tap.h"
#include "tls_stream.h"

#define WAIT_MS 5000

/* ------------------------------------------------------------------ errors before data */

static atomic_int reset_next_read = -1; /* the descriptor whose next read fails */
static atomic_int resets_given;

static bool give_reset(int fd)
{
	int expected = fd;

	if (!atomic_compare_exchange_strong(&reset_next_read, &expected, -1))
		return false;
	atomic_fetch_add(&resets_given, 1);
	errno = ECONNRESET;
	return true;
}

ssize_t read(int fd, void *buf, size_t n)
{
	return give_reset(fd) ? -1 : syscall(SYS_read, fd, buf, n);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	return give_reset(fd) ? -1 : syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return give_reset(fd) ? -1 : syscall(SYS_recvmsg, fd, msg, flags);
}

/* ------------------------------------------------------------------ two ends */

static SSL_CTX *server_ctx, *client_ctx;
static bool ktls; /* the stream under test may use it */

static void make_contexts(int version)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	server_ctx = SSL_CTX_new(TLS_server_method());
	client_ctx = SSL_CTX_new(TLS_client_method());
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	if (!X509_sign(cert, key, EVP_sha256()) || !SSL_CTX_use_certificate(server_ctx, cert) ||
	    !SSL_CTX_use_PrivateKey(server_ctx, key))
		abort();
	SSL_CTX_set_min_proto_version(server_ctx, version);
	SSL_CTX_set_max_proto_version(server_ctx, version);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void free_contexts(void)
{
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
}

static void tcp_pair(int *a, int *b, int rcvbuf)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	*a = socket(AF_INET, SOCK_STREAM, 0);
	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	if (bind(l, (struct sockaddr *)&at, len) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&at, &len) ||
	    connect(*a, (struct sockaddr *)&at, len))
		abort();
	*b = accept(l, NULL, NULL);
	/* The peers count on what they send being on its way at once. */
	setsockopt(*b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(l);
}

struct peer {
	int fd;
	SSL *ssl;
	void (*act)(struct peer *p);
	pthread_t thread;
	/* what the stream under test has done */
	sem_t started;
	sem_t read;  /* all of the data, or as much as it will */
	sem_t ended; /* come to the end of reading */
	sem_t go;    /* the test, that the peer may */
};

static void await(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

/*
 * The peer is the server, so that the stream under test is sent tickets. It does not act
 * before that has its keys: the kernel takes none for a connection that the peer has closed.
 */
static void *run_peer(void *arg)
{
	struct peer *p = arg;

	p->ssl = SSL_new(server_ctx);
	SSL_set_fd(p->ssl, p->fd);
	if (SSL_accept(p->ssl) == 1) {
		await(&p->started);
		p->act(p);
	}
	SSL_free(p->ssl);
	close(p->fd);
	return NULL;
}

static void start_peer(struct peer *p, void (*act)(struct peer *p))
{
	p->act = act;
	sem_init(&p->started, 0, 0);
	sem_init(&p->read, 0, 0);
	sem_init(&p->ended, 0, 0);
	sem_init(&p->go, 0, 0);
	pthread_create(&p->thread, NULL, run_peer, p);
}

static struct tls_stream *begin(struct peer *p, void (*act)(struct peer *p), int rcvbuf)
{
	struct tls_start how = { .ctx = client_ctx, .ktls = ktls };
	struct tls_stream *s;
	int fd;

	tcp_pair(&fd, &p->fd, rcvbuf);
	start_peer(p, act);
	s = tls_stream_new(fd);
	if (!s || tls_stream_start(s, &how, WAIT_MS) != TS_OK)
		abort();
	sem_post(&p->started);
	return s;
}

static void finish(struct peer *p, struct tls_stream *s)
{
	pthread_join(p->thread, NULL);
	tls_stream_free(s);
}

/* Read up to *total of max bytes, waiting as a program does. Return: TS_OK, or how it ended. */
static enum ts_status read_up_to(struct tls_stream *s, size_t max, size_t *total)
{
	enum ts_status st;
	char buf[4096];
	size_t n;

	while (*total < max) {
		st = tls_stream_read(s, buf, sizeof(buf), &n);
		if (st == TS_WAIT &&
		    io_wait(tls_stream_fd(s), tls_stream_read_events(s), WAIT_MS) <= 0)
			return TS_TIMEOUT;
		if (st != TS_OK && st != TS_WAIT)
			return st;
		*total += n;
	}
	return TS_OK;
}

/* ------------------------------------------------------------------ what peers do */

static char data[30000];

/* Read to the end. The peer is told of it. */
static enum ts_status read_all(struct peer *p, struct tls_stream *s, size_t *total)
{
	enum ts_status st;

	*total = 0;
	st = read_up_to(s, sizeof(data), total);
	sem_post(&p->read);
	if (st == TS_OK)
		st = read_up_to(s, SIZE_MAX, total);
	sem_post(&p->ended);
	return st;
}

static void send_data(struct peer *p)
{
	if (SSL_write(p->ssl, data, sizeof(data)) != sizeof(data))
		abort();
}

static void linger0(struct peer *p)
{
	struct linger now = { 1, 0 };

	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void end_clean(struct peer *p)
{
	send_data(p);
	SSL_shutdown(p->ssl);
}

static void end_bare_fin(struct peer *p)
{
	send_data(p);
	shutdown(p->fd, SHUT_WR);
}

static void end_reset(struct peer *p)
{
	send_data(p);
	await(&p->read);
	linger0(p);
}

static void end_notify_reset(struct peer *p)
{
	end_clean(p);
	await(&p->ended);
	linger0(p);
}

static void end_cut_record(struct peer *p)
{
	/* A record that promises 16 KiB and has 5 bytes. */
	static const char half[] = "\x17\x03\x03\x40\x00hello";

	send_data(p);
	if (send(p->fd, half, sizeof(half) - 1, 0) < 0)
		abort();
	await(&p->read);
	linger0(p);
}

static void end_garbage(struct peer *p)
{
	char junk[40] = "\x17\x03\x03\x00\x20";

	send_data(p);
	if (send(p->fd, junk, 37, 0) < 0)
		abort();
	shutdown(p->fd, SHUT_WR);
}

static void end_notify_then_more(struct peer *p)
{
	end_clean(p);
	if (send(p->fd, data, 1000, 0) < 0)
		abort();
	await(&p->ended);
}

/* ------------------------------------------------------------------ tests of reading */

static void expect_end(const char *name, void (*act)(struct peer *p), enum ts_status want)
{
	struct peer p;
	struct tls_stream *s = begin(&p, act, 0);
	enum ts_status got, again;
	size_t total, more;
	char c;

	got = read_all(&p, s, &total);
	pthread_join(p.thread, NULL);
	again = tls_stream_read(s, &c, 1, &more);
	ok(got == want && total == sizeof(data), "%s: %s after %zu bytes (%s)", name, ts_name(got),
	   total, tls_stream_why(s));
	ok(again == want && !more, "%s: and stays so", name);
	tls_stream_free(s);
}

/* Wait until everything is in the receive queue: the peer's FIN is behind it. */
static void await_queue(int fd)
{
	if (io_wait(fd, POLLRDHUP, WAIT_MS) <= 0)
		abort();
}

static void test_reset_overtakes(void)
{
	struct peer p;
	struct tls_stream *s = begin(&p, end_clean, 0);
	int given = atomic_load(&resets_given);
	enum ts_status got;
	size_t total;

	await_queue(tls_stream_fd(s));
	atomic_store(&reset_next_read, tls_stream_fd(s));
	got = read_all(&p, s, &total);
	ok(atomic_load(&resets_given) == given + 1, "ECONNRESET came before the data");
	ok(got == TS_END_CLOSE_NOTIFY && total == sizeof(data), "and yet: %s after %zu bytes",
	   ts_name(got), total);
	finish(&p, s);
}

/* The same without the filter: if this passed, the test above would show nothing. */
static void test_plain_openssl_loses(void)
{
	struct peer p;
	SSL *ssl = SSL_new(client_ctx);
	size_t total = 0, n;
	char buf[4096];
	int fd;

	tcp_pair(&fd, &p.fd, 0);
	start_peer(&p, end_clean);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		abort();
	sem_post(&p.started);
	await_queue(fd);
	atomic_store(&reset_next_read, fd);
	while (SSL_read_ex(ssl, buf, sizeof(buf), &n))
		total += n;
	ok(total < sizeof(data) && !(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN),
	   "control: OpenSSL alone loses it, %zu bytes", total);
	pthread_join(p.thread, NULL);
	SSL_free(ssl);
	close(fd);
}

/* The same at the last moment: all data read, the error stands before the close_notify. */
static void test_reset_before_notify(void)
{
	struct peer p;
	struct tls_stream *s = begin(&p, end_clean, 0);
	size_t total = 0, n;
	enum ts_status st;
	char c;

	await_queue(tls_stream_fd(s));
	read_up_to(s, sizeof(data), &total);
	atomic_store(&reset_next_read, tls_stream_fd(s));
	st = tls_stream_read(s, &c, 1, &n);
	ok(total == sizeof(data) && st == TS_END_CLOSE_NOTIFY && reset_next_read == -1,
	   "ECONNRESET right before close_notify: %s", ts_name(st));
	finish(&p, s);
}

static void test_plain_end(bool reset)
{
	struct tls_stream *s;
	struct linger now = { 1, 0 };
	enum ts_status st;
	size_t total = 0;
	int a, b;

	tcp_pair(&a, &b, 0);
	if (send(b, data, sizeof(data), 0) != sizeof(data))
		abort();
	s = tls_stream_new(a);
	read_up_to(s, sizeof(data), &total);
	if (reset)
		setsockopt(b, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(b);
	st = read_up_to(s, SIZE_MAX, &total);
	ok(st == (reset ? TS_END_RESET : TS_END_EOF) && total == sizeof(data),
	   "no TLS, %s: %s after %zu bytes", reset ? "RST" : "FIN", ts_name(st), total);
	tls_stream_free(s);
}

/* ------------------------------------------------------------------ tests of writing */

static void read_slowly(struct peer *p)
{
	char buf[4096];

	await(&p->go);
	while (SSL_read(p->ssl, buf, sizeof(buf)) > 0)
		;
}

static void read_then_reset(struct peer *p)
{
	char buf[1000];

	await(&p->go);
	if (SSL_read(p->ssl, buf, sizeof(buf)) > 0)
		linger0(p);
}

/* Write more than the peer's buffer takes, but no more than ours does. */
static bool fill(struct tls_stream *s)
{
	size_t n, total = 0;

	while (total < 200000) {
		size_t len = sizeof(data) < 200000 - total ? sizeof(data) : 200000 - total;

		if (tls_stream_write(s, data, len, &n) != TS_OK)
			return false;
		total += n;
	}
	return true;
}

static void test_await_ack(void)
{
	struct peer p;
	struct tls_stream *s;
	uint64_t missing = 0;
	enum ts_status st;

	s = begin(&p, read_slowly, 4096);
	ok(fill(s) && tls_stream_notify(s, TS_NOTIFY_SETTLED, WAIT_MS) == TS_OK,
	   "200000 bytes and close_notify written");
	tls_stream_half_close(s);
	st = tls_stream_await_ack(s, 300, &missing);
	ok(st == TS_TIMEOUT && missing > 100000, "nobody reads: %s, %lu bytes missing", ts_name(st),
	   (unsigned long)missing);
	sem_post(&p.go);
	st = tls_stream_await_ack(s, WAIT_MS, &missing);
	ok(st == TS_OK && !missing, "somebody reads: %s, %lu missing", ts_name(st),
	   (unsigned long)missing);
	tls_stream_linger(s, -1, WAIT_MS);
	ok(tls_stream_unread(s) == 0, "nothing unread at close");
	finish(&p, s);
}

static void test_await_ack_reset(void)
{
	struct peer p;
	struct tls_stream *s;
	uint64_t missing = 0;
	enum ts_status st;

	s = begin(&p, read_then_reset, 4096);
	ok(fill(s) && tls_stream_notify(s, TS_NOTIFY_SETTLED, WAIT_MS) == TS_OK,
	   "200000 bytes and close_notify written");
	sem_post(&p.go);
	st = tls_stream_await_ack(s, WAIT_MS, &missing);
	ok(st == TS_END_RESET && missing > 100000, "the peer resets: %s, %lu bytes missing",
	   ts_name(st), (unsigned long)missing);
	finish(&p, s);
}

static bool have_ktls(void)
{
	char list[256] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_ulp", "re");

	if (f && !fgets(list, sizeof(list), f))
		*list = '\0';
	if (f)
		fclose(f);
	return strstr(list, "tls") != NULL;
}

static void test_ktls(int version)
{
	bool rx;
	struct peer p;
	struct tls_stream *s = begin(&p, end_clean, 0);
	size_t total;

	/* OpenSSL has the kernel receive TLS 1.3 since 3.2. */
	rx = ktls && (version == TLS1_2_VERSION || OpenSSL_version_num() >= 0x30200000L);
	ok(tls_stream_ktls(s, true) == ktls && tls_stream_ktls(s, false) == rx,
	   "kTLS TX %s, RX %s, %s", ktls ? "yes" : "no", rx ? "yes" : "no",
	   OpenSSL_version(OPENSSL_VERSION));
	read_all(&p, s, &total);
	finish(&p, s);
}

static void test_version(int version)
{
	make_contexts(version);
	printf("# %s, %s\n", version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2",
	       ktls ? "kTLS" : "user space");
	test_ktls(version);
	expect_end("close_notify and FIN", end_clean, TS_END_CLOSE_NOTIFY);
	expect_end("close_notify and RST", end_notify_reset, TS_END_CLOSE_NOTIFY);
	expect_end("close_notify and more", end_notify_then_more, TS_END_CLOSE_NOTIFY);
	expect_end("FIN alone", end_bare_fin, TS_END_TRUNCATED);
	expect_end("RST alone", end_reset, TS_END_RESET);
	expect_end("RST inside a record", end_cut_record, TS_END_RESET);
	expect_end("a record that does not authenticate", end_garbage, TS_ERROR);
	test_reset_overtakes();
	test_reset_before_notify();
	test_plain_openssl_loses();
	test_await_ack();
	test_await_ack_reset();
	free_contexts();
}

static bool is_blocked(int sig)
{
	sigset_t mask;

	return !pthread_sigmask(SIG_SETMASK, NULL, &mask) && sigismember(&mask, sig) == 1;
}

static void on_usr1(int sig)
{
	(void)sig;
	abort();
}

/* A caller's signal stays blocked: in waits, while the alert is sent, and after all. */
static void test_mask(const char *who)
{
	sigset_t usr1, pending;
	struct peer p;
	struct tls_stream *s;
	uint64_t missing;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	signal(SIGUSR1, on_usr1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	s = begin(&p, read_slowly, 0);
	sem_post(&p.go);
	ok(tls_stream_notify(s, TS_NOTIFY_SETTLED, WAIT_MS) == TS_OK &&
		   tls_stream_await_ack(s, WAIT_MS, &missing) == TS_OK,
	   "%s: close_notify", who);
	sigpending(&pending);
	ok(is_blocked(SIGUSR1) && sigismember(&pending, SIGUSR1) == 1,
	   "%s: the thread's mask is its own", who);
	finish(&p, s);
}

int main(void)
{
	make_contexts(TLS1_3_VERSION);
	test_mask("without io_init()");
	if (io_init())
		abort();
	ok(is_blocked(SIGTERM), "io_init() blocks");
	test_mask("with io_init()");
	ok(is_blocked(SIGTERM), "what it blocks stays so");
	free_contexts();
	test_version(TLS1_2_VERSION);
	test_version(TLS1_3_VERSION);
	ktls = have_ktls();
	if (ktls) {
		test_version(TLS1_2_VERSION);
		test_version(TLS1_3_VERSION);
	} else if (getenv("FTPS_NEEDS_KTLS")) {
		ok(false, "this kernel has kTLS");
	} else {
		ok(true, "the same with kTLS # SKIP this kernel has none");
	}
	ktls = false;
	test_plain_end(false);
	test_plain_end(true);
	return tap_done();
}
