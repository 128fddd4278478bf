// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, at random: for CHAOS_SECONDS (10), CHAOS_WORKERS (4) workers make TLS
 * connections. Of each, one end is in the hands of a process whose threads make any call on
 * the same socket, until it is killed or ends; its peer is the worker. Beside them knobs
 * change, sockets are listed and destroyed, namespaces and the module go and come.
 *
 * No errno is implausible, the peer decrypts what was sent, and afterwards nothing is left. The
 * rest is the kernel's to say: KASAN, lockdep, WARN_ON(). CHAOS_SEED (1) has each task choose the
 * same again, but not in the same order beside the others.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "chaos/chaos.h"
#include "inbound.h"
#include "lib/diag.h"
#include "lib/scene.h"

#define STALE 8			/* peers that a worker keeps for a while */
#define LIMIT_MS 2000		/* of a hold */
#define GUARD_PORT (PEER_PORT + 1000)

/* ---- the peer, and the worker that it is ---- */

enum { TX = 1, RX = 2 };

static int content;	/* a file */

struct worker {
	struct bed *bed, own;
	int listener[2];
	unsigned int task;
	struct conn stale[STALE];
};

/* Sends as much of it as is taken at once. */
static void peer_says(struct conn *c, uint8_t type, const void *data, size_t len)
{
	uint8_t rec[REC_MAX];

	len = rec_seal(&c->rx, type, data, len, rec);
	send(c->peer, rec, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void peer_acts(struct conn *c, bool reads)
{
	struct linger abort = { .l_onoff = 1 };
	char junk[3000] = { 0 };
	int what = pick(80);

	if (what < 40 && reads)
		peer_read(c, LONGEST);
	else if (what < 46)
		peer_says(c, REC_DATA, junk, some(sizeof(junk)));
	else if (what < 48)
		peer_says(c, REC_ALERT, close_notify, sizeof(close_notify));
	else if (what < 50)
		peer_says(c, REC_HANDSHAKE, key_update, KEY_UPDATE_LEN);
	else if (what == 50)
		send(c->peer, junk, some(sizeof(junk)),
		     MSG_NOSIGNAL | MSG_DONTWAIT | (one_in(2) ? MSG_OOB : 0));
	else if (what == 51)
		shutdown(c->peer, pick(3));
	else if (what == 52)
		setsockopt(c->peer, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	else if (what == 53 && one_in(2))
		c->peer = close(c->peer) - 1;
	else
		pause_ms(pick(20));
}

/* Returns which directions have keys; 0 where there was no ULP "tls", by rmmod: see lifecycle. */
static int open_any(struct worker *w, struct conn *c)
{
	static const uint16_t ciphers[] = { TLS_CIPHER_AES_GCM_128, TLS_CIPHER_AES_GCM_256,
					    TLS_CIPHER_CHACHA20_POLY1305 };
	int family = pick(n_families());
	struct conn_opts opts = {
		.family = families[family],
		.version = one_in(2) ? TLS_1_2_VERSION : TLS_1_3_VERSION,
		.cipher = ONE_OF(ciphers),
		.sndbuf = one_in(2) ? some(100000) : 0,
		.mapped = !family && ipv6_present() && one_in(3),
		.passive = one_in(2),
	};
	int how = 1 + pick(3);

	if (!opts.passive)
		opts.listener = w->listener[family];
	conn_connect(c, w->bed, &opts);
	c->stream = STREAM;	/* what peer_read() has room for */
	dir_init(&c->tx, opts.version, opts.cipher, 1);
	dir_init(&c->rx, opts.version, opts.cipher, 2);
	MUST(!do_timeouts(c->fd) && !do_timeouts(c->peer));
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4))
		return errno == ENOENT ? 0 : (wrong("TCP_ULP: %d", errno), 0);
	if (((how & TX) && dir_install(&c->tx, c->fd, TLS_TX)) ||
	    ((how & RX) && dir_install(&c->rx, c->fd, TLS_RX)))
		wrong("no keys: %d", errno);
	return how;
}

static void await_party(pid_t pid, struct conn *c, bool reads)
{
	long until = clock_ms(CLOCK_MONOTONIC) + 10 + pick(1500);
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (clock_ms(CLOCK_MONOTONIC) >= until)
			kill(pid, SIGKILL);
		if (c->peer >= 0)
			peer_acts(c, reads);
		else
			pause_ms(1);
	}
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		wrong("a process ended with status %#x", status);
}

static void one_connection(struct worker *w)
{
	struct conn *c = &w->stale[pick(STALE)];
	bool tidy, reads = one_in(2);
	struct result res;
	pid_t pid;
	int how;

	conn_free(c);
	how = open_any(w, c);
	if (!how)
		return;
	tidy = (how & TX) && one_in(3);
	w->task += 1000;
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(c->peer);
		be_party(c, content, tidy, w->task);
	}
	if (!one_in(5))
		c->fd = close(c->fd) - 1;
	await_party(pid, c, reads);
	if (c->fd >= 0)
		c->fd = close(c->fd) - 1;
	count(&chaos->connections);
	if (!tidy || !reads || c->peer < 0)
		return;
	peer_finish(c, &res);
	if (!res.intact)
		wrong("port %d: %zu bytes of %zu as they were sent", c->port, res.plain, res.raw);
	count(&chaos->judged);
}

static void knob(const char *name, int value)
{
	char number[16];
	int err;

	snprintf(number, sizeof(number), "%d", value);
	err = drst_try(name, number);
	if (err && err != -ENOENT)	/* rmmod */
		wrong("%s = %d: %d", name, value, err);
}

static void usual_limits(void)
{
	knob("timeout_ms", LIMIT_MS);
	knob("max_hold_ms", LIMIT_MS);
}

static void any_knob(void)
{
	static const struct {
		const char *name;
		int least, most;
	} knobs[] = {
		{ "mode", 0, 2 }, { "mode", 1, 2 }, { "final", 0, 1 }, { "hold_linger", 0, 1 },
		{ "timeout_ms", 1, LIMIT_MS }, { "max_hold_ms", 1, LIMIT_MS },
		{ "max_held", 0, 20 },
	};
	int i = pick(ARRAY_SIZE(knobs));

	knob(knobs[i].name, knobs[i].least + pick(knobs[i].most - knobs[i].least + 1));
}

static void listen_all(struct worker *w, int port)
{
	int i;

	for (i = 0; i < n_families(); i++)
		w->listener[i] = peer_listener_at(w->bed, families[i], port, 1 + some(60000));
}

static void work(struct bed *bed, int nr)
{
	struct worker w = { .bed = bed, .task = nr };
	int i;

	listen_all(&w, PEER_PORT + 1 + nr);
	while (!chaos->over) {
		for (i = 0; chaos->lull && i < STALE; i++)
			conn_free(&w.stale[i]);
		if (chaos->lull)
			pause_ms(1);
		else
			one_connection(&w);
	}
	exit(0);
}

/* Namespaces of its own, which it leaves with all that lives there. */
static void wander(struct bed *bed, int nr)
{
	struct worker w = { .bed = &w.own, .task = nr };
	int i;

	(void)bed;
	while (!chaos->over) {
		bed_open(w.bed);
		usual_limits();
		count(&chaos->namespaces);
		listen_all(&w, PEER_PORT + 1);
		for (i = 0; i < 5 && !chaos->over && !chaos->lull; i++) {
			any_knob();
			one_connection(&w);
		}
		for (i = 0; i < n_families(); i++)
			close(w.listener[i]);
		bed_close(w.bed);
		for (i = 0; chaos->lull && i < STALE; i++)
			conn_free(&w.stale[i]);
		while (chaos->lull)
			pause_ms(1);
	}
	exit(0);
}

/* ---- what goes on beside them ---- */

static bool doomed(void)
{
	return one_in(20);
}

static void look_and_change(struct bed *bed, int nr)
{
	static char buf[1 << 14];
	int fd, err;

	(void)bed;
	(void)nr;
	while (!chaos->over) {
		any_knob();
		fd = open(one_in(2) ? DRST_STAT : "/proc/thread-self/net/tls_drst",
			  O_RDONLY | O_CLOEXEC);
		memset(buf, 0, sizeof(buf));
		if (read(fd, buf, sizeof(buf) - 1) > 0 && strstr(buf, "TlsDrst") &&
		    strchr(buf, '-'))
			wrong("less than 0: %.100s", strchr(buf, '-') - 50);
		close(fd);
		err = one_in(3) ? diag_destroy_tls(families[pick(n_families())], doomed) : 0;
		if (err)
			wrong("SOCK_DESTROY: %d", err);
		pause_ms(pick(50));
	}
	exit(0);
}

/* Those since the module was loaded, but for the namespaces of wander() */
static void note_holds(void)
{
	chaos->held += drst_stat("Held");
	chaos->notified += drst_stat("CloseNotify");
	chaos->inbound += drst_stat("InHeld");
}

static bool unload(void)
{
	int err = drst_unload();

	if (err && err != -EWOULDBLOCK && err != -EBUSY)
		wrong("delete_module: %d", err);
	return !err;
}

/* While there is a connection, the module stays. */
static void unload_in_vain(struct bed *bed, int listener)
{
	const struct conn_opts opts = { .listener = listener };
	struct conn c;

	conn_open(&c, bed, &opts);
	if (unload())
		wrong("no module, but a connection");
	conn_free(&c);
}

/* The workers begin again while the module goes and comes. */
static void reload(const char *ko)
{
	int i, err;

	chaos->lull = true;
	(void)EVENTUALLY(!drst_users());
	note_holds();
	chaos->lull = false;
	for (i = 0; i < 20; i++) {
		if (!unload())
			continue;
		err = drst_load(ko, "");
		if (err)
			wrong("insmod: %d", err);
		usual_limits();
		count(&chaos->reloads);
	}
}

static void change_module(struct bed *bed, int nr)
{
	int listener = peer_listener_at(bed, AF_INET, GUARD_PORT, 0);
	const char *ko = getenv("TLS_DRST_KO");

	(void)nr;
	while (!chaos->over && ko && drst_present()) {
		pause_ms(pick(5000));
		unload_in_vain(bed, listener);
		if (one_in(5))
			reload(ko);
	}
	exit(0);
}

/* ---- the test ---- */

FIXTURE(chaos) {
	struct bed bed;
};

FIXTURE_SETUP(chaos)
{
	content = memfd_create("content", MFD_CLOEXEC);
	MUST(content >= 0);
	conn_write_content(content, CONTENT);
	chaos_begin();
	bed_open(&self->bed);
}

FIXTURE_TEARDOWN(chaos)
{
	bed_close(&self->bed);
}

static void start(void (*task)(struct bed *, int), struct bed *bed, int nr)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return;
	MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
	/* close() raises it, too, if net/tls then tries to send behind a shutdown(). */
	signal(SIGPIPE, SIG_IGN);
	seed(nr);
	task(bed, nr);
}

/* Minutes, for orphans that are TCP's alone: a peer of theirs that is gone tells nobody. */
#define AT_LAST(cond) (EVENTUALLY(cond) || EVENTUALLY(cond) || EVENTUALLY(cond) ||	\
		       EVENTUALLY(cond) || EVENTUALLY(cond) || EVENTUALLY(cond))

/* Chance has it all happen, if there is time. */
#define TIME_FOR_HOLDS 60
#define TIME_FOR_RELOADS 600

static void expect_chaos(TEST_ARG, int seconds)
{
	EXPECT_LT(0, chaos->connections);
	if (seconds >= TIME_FOR_HOLDS) {
		EXPECT_LT(0, chaos->judged);
		EXPECT_TRUE(chaos->held || !drst_present());
	}
	if (seconds >= TIME_FOR_RELOADS && getenv("TLS_DRST_KO") && drst_present())
		EXPECT_LT(0, chaos->reloads);
}

static void expect_all_over(TEST_ARG, struct bed *bed)
{
	const char *ko = getenv("TLS_DRST_KO");
	enum side side;

	if (drst_present()) {
		usual_limits();
		EXPECT_TRUE(drst_settled());
		EXPECT_TRUE(EVENTUALLY(inbound_adds_up()));
		note_holds();
	}
	for (side = SIDE_A; side <= SIDE_B; side++) {
		bed_enter(bed, side);
		EXPECT_TRUE(AT_LAST(!tcp_sockets()));
	}
	EXPECT_TRUE(AT_LAST(!drst_users()));
	if (drst_present() && ko) {
		EXPECT_TRUE(drst_unloaded());
		EXPECT_EQ(0, drst_load(ko, ""));
	}
}

TEST_F_TIMEOUT(chaos, all_at_once, 7200)
{
	int workers = env_number("CHAOS_WORKERS", 4), i, status;
	int seconds = env_number("CHAOS_SECONDS", 10);

	REQUIRE_MODE(drst_present());
	for (i = 0; i < workers; i++)
		start(i % 4 == 3 ? wander : work, &self->bed, i);
	start(look_and_change, &self->bed, i++);
	start(change_module, &self->bed, i++);
	pause_ms(seconds * 1000);
	chaos->over = true;
	while (wait(&status) > 0)
		EXPECT_EQ(0, status);
	EXPECT_EQ(0, chaos->wrong) {
		TH_LOG("%s", chaos->first);
	}
	expect_all_over(_metadata, &self->bed);
	expect_chaos(_metadata, seconds);
	TH_LOG("CHAOS_SEED=%d: %ld connections, %ld judged, %ld calls",
	       env_number("CHAOS_SEED", 1), chaos->connections, chaos->judged, chaos->calls);
	TH_LOG("%ld close_notify, %ld held, %ld inbound, %ld namespaces, %ld reloads",
	       chaos->notified, chaos->held, chaos->inbound, chaos->namespaces, chaos->reloads);
}

TEST_HARNESS_MAIN
