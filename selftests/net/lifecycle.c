// SPDX-License-Identifier: GPL-2.0
/*
 * The module comes and goes under live TLS connections. The path of its file is
 * in the environment's TLS_DRST_KO. Whether it was loaded before the test is
 * what the test leaves behind.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/found.h"
#include "lib/scene.h"

FIXTURE(lifecycle) {
	struct scene s;
	const char *ko;
};

bool inserts_module = true;

/* What the kernel calls to get a module */
#define MODPROBE "/proc/sys/kernel/modprobe"

static bool found_loaded;

static void __attribute__((constructor)) module_find(void)
{
	found_loaded = drst_present();
	found_note(&found_machine, MODPROBE);
}

/* As found_machine, which has to be there first: to load it, the kernel calls modprobe. */
static void __attribute__((destructor)) module_put_back(void)
{
	const char *ko = getenv("TLS_DRST_KO");

	if (!first_process() || !ko)
		return;
	module_unload("drst_foreign_ulp");
	found_put_back(&found_machine);
	if (!found_loaded)
		drst_unloaded();
	else if (!drst_present())
		drst_load(ko, "");
}

FIXTURE_SETUP(lifecycle)
{
	self->ko = getenv("TLS_DRST_KO");
	if (self->ko)
		MUST(drst_unloaded());
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(lifecycle)
{
	EXPECT_TRUE(scene_close(&self->s));
	if (self->ko) {
		EXPECT_TRUE(drst_unloaded());
	}
}

#define REQUIRE_KO() do {						\
	if (!self->ko) {						\
		MUST(!drst_mode(1));					\
		SKIP(return, "no TLS_DRST_KO, as TLS_DRST_ABSENT=1 says"); \
	}								\
} while (0)

static const struct conn_opts defaults;

TEST_F(lifecycle, insert_remove_insert)
{
	int i;

	REQUIRE_KO();
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, drst_load(self->ko, ""));
		EXPECT_TRUE(drst_present());
		EXPECT_EQ(1, drst_get("mode"));
		ASSERT_EQ(0, drst_unload());
		EXPECT_FALSE(drst_present());
	}
}

TEST_F(lifecycle, second_insert_is_refused)
{
	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	EXPECT_EQ(-EEXIST, drst_load(self->ko, ""));
	EXPECT_TRUE(drst_present());
}

/* The parameters are the defaults of namespaces, and are checked like these. */
TEST_F(lifecycle, parameters)
{
	struct bed later;

	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko,
					"mode=2 final=1 hold_linger=0 timeout_ms=1000 max_hold_ms=2000 max_held=3"));
	bed_open(&later);
	EXPECT_EQ(2, drst_get("mode"));
	EXPECT_EQ(1, drst_get("final"));
	EXPECT_EQ(0, drst_get("hold_linger"));
	EXPECT_EQ(1000, drst_get("timeout_ms"));
	EXPECT_EQ(2000, drst_get("max_hold_ms"));
	EXPECT_EQ(3, drst_get("max_held"));
	bed_close(&later);
}

TEST_F(lifecycle, bad_parameters_are_refused)
{
	REQUIRE_KO();
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "mode=3"));
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "final=-1"));
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "timeout_ms=0"));
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "max_hold_ms=86400001"));
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "max_held=1048577"));
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "max_held=x"));
	EXPECT_FALSE(drst_present());
}

/* The kernel's log from now on */
static int log_open(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	MUST(kmsg >= 0 && lseek(kmsg, 0, SEEK_END) >= 0);
	return kmsg;
}

/*
 * The module's lines there, not those of insmod. All have to say @what; those that
 * do not count as many.
 */
static int log_lines(int kmsg, const char *what)
{
	char text[1024];
	int lines = 0;
	ssize_t got;

	while ((got = read(kmsg, text, sizeof(text) - 1)) > 0) {
		text[got] = '\0';
		if (strstr(text, ";" "tls_drst: ") && !strstr(text, "taint"))
			lines += strstr(text, what) ? 1 : 100;
	}
	return lines;
}

TEST_F(lifecycle, one_line_each_in_the_log)
{
	int kmsg;

	REQUIRE_KO();
	kmsg = log_open();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	EXPECT_EQ(1, log_lines(kmsg, ": loaded"));
	ASSERT_EQ(0, drst_unload());
	EXPECT_EQ(1, log_lines(kmsg, ": unloaded"));
	close(kmsg);
}

TEST_F(lifecycle, mode_in_the_log)
{
	int kmsg;

	REQUIRE_KO();
	kmsg = log_open();
	ASSERT_EQ(0, drst_load(self->ko, "mode=2"));
	EXPECT_EQ(1, log_lines(kmsg, "(mode 2)"));
	close(kmsg);
}

TEST_F(lifecycle, works_when_inserted_late)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	/* These namespaces are older than the module. */
	ASSERT_EQ(0, drst_load(self->ko, ""));
	EXPECT_EQ(1, drst_get("mode"));
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_whole_rst(_metadata, &self->s);
	expect_hold(_metadata, "RstSent");
}

/* A connection from before the load stays what it was, mode or no mode. */
TEST_F(lifecycle, older_connection_is_vanilla)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	conn_open(c, &self->s.bed, &defaults);
	conn_send(c, BULK);
	ASSERT_EQ(0, drst_load(self->ko, ""));
	drst_set("mode", 2);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
	EXPECT_EQ(0, drst_stat("CloseNotify"));
}

/* ULP set before the load, keys after it: vanilla too. */
TEST_F(lifecycle, older_ulp_is_vanilla)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	conn_connect(c, &self->s.bed, &defaults);
	ASSERT_EQ(0, setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	ASSERT_EQ(0, drst_load(self->ko, ""));
	drst_set("mode", 2);
	dir_init(&c->tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1);
	dir_init(&c->rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	ASSERT_EQ(0, dir_install(&c->tx, c->fd, TLS_TX));
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_cut(_metadata, &self->s);
	expect_hold(_metadata, NULL);
}

static void expect_busy(TEST_ARG)
{
	int err = drst_unload();

	EXPECT_TRUE(err == -EBUSY || err == -EWOULDBLOCK) {
		TH_LOG("delete_module: %d", err);
	}
	EXPECT_TRUE(drst_present());
}

/* A connection with traffic both ways, driven by a process of its own. */
struct traffic {
	pid_t pid;
	int rounds;	/* of records, one each way, that came as they were sent */
	bool stop;
	bool held;	/* is what it owes at the end held back? */
};

#define RECORD 4000

static void traffic_end(struct conn *c, bool held)
{
	struct result res;

	c->sent = 0;
	c->stream = 0;
	conn_upload(c, BULK);
	peer_reply(c);
	peer_shutdown_wr(c);
	MUST(conn_await_state(c, TCP_CLOSE_WAIT));
	conn_close(c);
	peer_finish(c, &res);
	MUST(res.intact && res.final == ECONNRESET);
	MUST(res.alert == held && (res.plain == BULK) == held);
}

/* In each direction there is a record on its way all the time. */
static void traffic_drive(struct scene *s, int family,
			  volatile struct traffic *t)
{
	struct conn_opts opts = { .family = family, .rx = true };
	struct conn *c = &s->conn;

	conn_open(c, &s->bed, &opts);
	conn_send(c, RECORD);
	peer_upload(c, 1, RECORD);
	while (!t->stop) {
		conn_send(c, RECORD);
		peer_upload(c, 1, RECORD);
		MUST(peer_take(c, RECORD) && conn_take(c, RECORD));
		t->rounds++;
	}
	MUST(peer_take(c, RECORD) && conn_take(c, RECORD));
	traffic_end(c, t->held);
	exit(0);
}

/* One by IPv4, one by IPv6 where there is that */
#define PAIR 2

static void traffic_start(struct scene *s, volatile struct traffic *t)
{
	pid_t pid;
	int i;

	for (i = 0; i < n_families(); i++) {
		t[i] = (struct traffic){ 0 };
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
			traffic_drive(s, families[i], &t[i]);
		}
		t[i].pid = pid;
	}
}

/* Sees to it that some more has been sent and received since it was called. */
static bool traffic_moves(const volatile struct traffic *t)
{
	int i, before[PAIR];

	for (i = 0; i < n_families(); i++)
		before[i] = t[i].rounds;
	for (i = 0; i < n_families(); i++)
		if (!EVENTUALLY(t[i].rounds > before[i] + 2))
			return false;
	return true;
}

static bool traffic_stop(volatile struct traffic *t, bool held)
{
	bool good = true;
	int i, status;

	for (i = 0; i < n_families(); i++) {
		t[i].held = held;
		t[i].stop = true;
		MUST(waitpid(t[i].pid, &status, 0) == t[i].pid);
		good = good && !status;
	}
	return good;
}

/*
 * Traffic of connections from before the load, which stay vanilla, and of such that
 * are opened under the module and are to end before it can go.
 */
TEST_F_TIMEOUT(lifecycle, traffic_across_reloads, 600)
{
	volatile struct traffic *older, *newer;
	int rounds;

	REQUIRE_KO();
	older = mmap(NULL, 2 * PAIR * sizeof(*older), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, older);
	newer = older + PAIR;
	/* No capture has room for all that goes over this wire. */
	wire_close(&self->s.wire);
	traffic_start(&self->s, older);
	ASSERT_TRUE(traffic_moves(older));
	for (rounds = env_number("RELOADS", 5); rounds; rounds--) {
		ASSERT_EQ(0, drst_load(self->ko, ""));
		EXPECT_TRUE(traffic_moves(older));
		traffic_start(&self->s, newer);
		EXPECT_TRUE(traffic_moves(newer));
		expect_busy(_metadata);
		EXPECT_TRUE(traffic_stop(newer, true));
		EXPECT_TRUE(drst_stat_await("RstSent", n_families()));
		if (rounds == 1) {
			EXPECT_TRUE(traffic_stop(older, false));
		}
		EXPECT_EQ(n_families(), drst_stat("Held"));
		ASSERT_TRUE(drst_unloaded());
		if (rounds > 1) {
			EXPECT_TRUE(traffic_moves(older));
		}
	}
	wire_open(&self->s.wire, &self->s.bed);
}

TEST_F(lifecycle, busy_while_open)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	conn_open(c, &self->s.bed, &defaults);
	expect_busy(_metadata);
	conn_upload(c, BULK);
	expect_busy(_metadata);
	close_unread(_metadata, c);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_unloaded());
}

TEST_F(lifecycle, busy_while_held)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_busy(_metadata);
	expect_whole_rst(_metadata, &self->s);
	EXPECT_TRUE(drst_unloaded());
}

TEST_F(lifecycle, busy_while_watched)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	conn_close(c);
	expect_busy(_metadata);
	expect_whole_fin(_metadata, &self->s);
	EXPECT_TRUE(drst_unloaded());
}

/*
 * Keys to receive with change what the socket is, while its reset is held or just
 * then. Whatever comes first: nothing stays held, and the module can go.
 */
struct rx_keys {
	struct tls_dir dir;
	int fd;
	int err;
};

static void *install_rx(void *arg)
{
	struct rx_keys *keys = arg;

	keys->err = dir_install(&keys->dir, keys->fd, TLS_RX);
	return NULL;
}

/* @beside: in another thread, with the RST on its way; or else when it is held */
static void rx_keys_try(TEST_ARG, struct scene *s, int family, bool beside)
{
	const struct conn_opts opts = { .family = family };
	struct conn *c = &s->conn;
	struct rx_keys keys;
	pthread_t thread;

	conn_open(c, &s->bed, &opts);
	keys = (struct rx_keys){ .dir = c->rx, .fd = c->fd };
	peer_upload(c, 3, 200);
	peer_notify(c);
	ASSERT_TRUE(conn_await_unread(c));
	if (beside) {
		MUST(!pthread_create(&thread, NULL, install_rx, &keys));
		peer_reset(c);
		MUST(!pthread_join(thread, NULL));
	} else {
		peer_reset(c);
		ASSERT_TRUE(drst_stat_await("CurrInHeld", 1));
		install_rx(&keys);
		EXPECT_EQ(0, keys.err);
		EXPECT_EQ(1, drst_stat("CurrInHeld"));
	}
	/* TCP may be through before the keys come: then there is no TLS any more. */
	EXPECT_TRUE(!keys.err || beside);
	if (!keys.err && !beside) {
		c->ktls_rx = true;
		EXPECT_TRUE(conn_take(c, 200));
	}
	conn_close(c);
	EXPECT_TRUE(drst_stat_await("CurrInHeld", 0));
	conn_free(c);
}

TEST_F_TIMEOUT(lifecycle, rx_keys_while_held, 600)
{
	int rounds = env_number("RELOADS", 3), i;

	REQUIRE_KO();
	while (rounds--) {
		ASSERT_EQ(0, drst_load(self->ko, ""));
		drst_set("mode", 2);
		for (i = 0; i < 20; i++)
			rx_keys_try(_metadata, &self->s,
				    families[i % n_families()], i % 4 > 1);
		EXPECT_TRUE(drst_settled());
		ASSERT_TRUE(drst_unloaded());
	}
}

TEST_F(lifecycle, vanilla_again_after_removal)
{
	struct conn *c = &self->s.conn;

	REQUIRE_KO();
	ASSERT_EQ(0, drst_load(self->ko, ""));
	ASSERT_EQ(0, drst_unload());
	conn_open(c, &self->s.bed, &defaults);
	conn_upload(c, BULK);
	close_unread(_metadata, c);
	expect_cut(_metadata, &self->s);
}

/*
 * A process that sets up TLS without a pause. While the module is on its way
 * out it cannot be had, and for that moment the kernel knows of no ULP tls:
 * ENOENT, as without kernel TLS at all. At any other time that is an error.
 */
struct removals {
	int count;	/* odd while one is under way */
	int rounds;	/* of that process: connections that delivered all */
};

static bool ulp_tls(struct conn *c, volatile struct removals *removals)
{
	int before = removals->count;

	if (!setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 4))
		return true;
	MUST(errno == ENOENT);
	MUST(before % 2 || removals->count != before);
	return false;
}

/* Not a byte is lost of what they send meanwhile. The longer ones are held under the module. */
static void open_for_ever(struct scene *s, volatile struct removals *removals)
{
	struct conn_opts opts = { 0 };
	struct conn *c = &s->conn;
	struct result res;
	unsigned int i;
	size_t len;

	for (i = 0;; i++) {
		len = i % 3 ? SMALL : BULK;
		opts.family = families[i % n_families()];
		conn_connect(c, &s->bed, &opts);
		if (ulp_tls(c, removals)) {
			dir_init(&c->tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1);
			MUST(!dir_install(&c->tx, c->fd, TLS_TX));
			conn_upload(c, len);
			conn_close(c);
			peer_finish(c, &res);
			MUST(res.intact && res.alert && res.plain == len);
			MUST(!res.final);
			removals->rounds++;
		}
		conn_free(c);
	}
}

/*
 * A connection has begun since, and has delivered all. A peer_finish() that hangs gives up
 * sooner than this, so that the process says what is wrong.
 */
static bool round_ends(const volatile struct removals *removals)
{
	int before = removals->rounds;

	return EVENTUALLY(removals->rounds > before + 1) ||
	       EVENTUALLY(removals->rounds > before + 1);
}

/*
 * Inserting the module leaves no moment without a ULP of the name tls. RELOADS
 * is how often.
 */
TEST_F_TIMEOUT(lifecycle, reload_under_new_connections, 600)
{
	volatile struct removals *removals;
	int rounds, status;
	pid_t pid;

	REQUIRE_KO();
	removals = mmap(NULL, sizeof(*removals), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, removals);
	pid = fork();
	if (!pid) {
		MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		open_for_ever(&self->s, removals);
	}
	ASSERT_LT(0, pid);
	for (rounds = env_number("RELOADS", 5); rounds; rounds--) {
		EXPECT_EQ(0, drst_load(self->ko, ""));
		ASSERT_TRUE(round_ends(removals));
		EXPECT_TRUE(EVENTUALLY(drst_stat("Held")));
		__sync_fetch_and_add(&removals->count, 1);
		EXPECT_TRUE(drst_unloaded());
		__sync_fetch_and_add(&removals->count, 1);
		ASSERT_TRUE(round_ends(removals));
	}
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* EIO and ENOENT are fine. @reads: of each file, how many gave something. */
static void read_for_ever(volatile int *reads)
{
	static const char *const files[] = {
		"/proc/thread-self/net/tls_drst", "/proc/thread-self/net/tls_drst_stat",
	};
	char text[4096];
	int i, fd;

	for (i = 0;; i = !i) {
		fd = open(files[i], O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && read(fd, text, sizeof(text)) > 0)
			reads[i]++;
		close(fd);
	}
}

/* The files are there only while the module is. */
static bool both_are_read(const volatile int *reads)
{
	int before[] = { reads[0], reads[1] };

	return EVENTUALLY(reads[0] > before[0] && reads[1] > before[1]);
}

/* Whoever reads the files meanwhile sees them, or does not. */
TEST_F_TIMEOUT(lifecycle, files_read_across_reloads, 600)
{
	volatile int *reads;
	int rounds, status;
	pid_t pid;

	REQUIRE_KO();
	reads = mmap(NULL, 2 * sizeof(*reads), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, reads);
	pid = fork();
	if (!pid) {
		MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		read_for_ever(reads);
	}
	ASSERT_LT(0, pid);
	for (rounds = env_number("RELOADS", 5); rounds; rounds--) {
		EXPECT_EQ(0, drst_load(self->ko, ""));
		EXPECT_TRUE(both_are_read(reads));
		EXPECT_TRUE(drst_unloaded());
	}
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* A kernel without what the module needs. */
FIXTURE(lacking) {
	const char *ko;
};

FIXTURE_VARIANT(lacking) {
	const char *modprobe;	/* NULL: the machine's own */
	const char *foreign;	/* a ULP of the name that is the module's, if any */
	int err;
	const char *line;	/* of the log */
};

FIXTURE_VARIANT_ADD(lacking, tls) {
	"/bin/false", NULL, -ENOENT, "no \"tls\" ULP"
};
FIXTURE_VARIANT_ADD(lacking, tls_but_for_its_name) {
	"/bin/false", "name=tls", -EOPNOTSUPP, "is not net/tls"
};
FIXTURE_VARIANT_ADD(lacking, tls_but_for_its_name_builtin) {
	"/bin/false", "name=tls builtin=1", -EOPNOTSUPP, "is not net/tls"
};
#define LIKE_TLS(what)							\
	FIXTURE_VARIANT_ADD(lacking, tls_but_for_its_##what) {		\
		"/bin/false", "name=tls builtin=1 wrong=" #what,	\
		-EOPNOTSUPP, "is not net/tls"				\
	}
LIKE_TLS(sk);
LIKE_TLS(sk_proto);
LIKE_TLS(tx_conf);
LIKE_TLS(rx_conf);
LIKE_TLS(sk_prot);
FIXTURE_VARIANT_ADD(lacking, room_for_its_own_name) {
	NULL, "name=tls_drst", -EBUSY, "named tls_drst is there already"
};

static bool ulp_available(const char *name)
{
	char text[256], *save, *word;

	read_file("/proc/sys/net/ipv4/tcp_available_ulp", text, sizeof(text));
	for (word = strtok_r(text, " \n", &save); word;
	     word = strtok_r(NULL, " \n", &save))
		if (!strcmp(word, name))
			return true;
	return false;
}

/* Nobody uses net/tls, and it is gone now. */
static bool net_tls_gone(void)
{
	int err = module_unload("tls");

	return !err || err == -ENOENT;
}

FIXTURE_SETUP(lacking)
{
	self->ko = getenv("TLS_DRST_KO");
	if (!self->ko)
		return;
	MUST(drst_unloaded());
	MUST(EVENTUALLY(net_tls_gone()));
	if (variant->modprobe)
		MUST(!write_file(MODPROBE, variant->modprobe));
}

FIXTURE_TEARDOWN(lacking)
{
	found_put_back(&found_machine);
	if (self->ko) {
		EXPECT_TRUE(drst_unloaded());
	}
}

TEST_F(lacking, insert_fails_cleanly)
{
	int kmsg;

	REQUIRE_KO();
	if (ulp_available("tls"))
		SKIP(return, "kernel with TLS built in");
	if (variant->foreign) {
		REQUIRE_TEST_MODULE("drst_foreign_ulp");
		ASSERT_EQ(0, drst_load(test_module("drst_foreign_ulp"),
				       variant->foreign));
	}
	kmsg = log_open();
	EXPECT_EQ(variant->err, drst_load(self->ko, ""));
	EXPECT_EQ(1, log_lines(kmsg, variant->line));
	close(kmsg);

	/* Nothing of it is left, and nobody is kept from going. */
	EXPECT_FALSE(drst_present());
	EXPECT_NE(0, access("/sys/module/tls_drst", F_OK));
	EXPECT_NE(0, access("/proc/thread-self/net/tls_drst", F_OK));
	EXPECT_NE(0, access(DRST_STAT, F_OK));
	if (variant->foreign) {
		EXPECT_EQ(0, module_unload("drst_foreign_ulp"));
	}
	EXPECT_FALSE(ulp_available("tls_drst"));
	EXPECT_TRUE(net_tls_gone());

	/* Mended, it works. */
	found_put_back(&found_machine);
	EXPECT_EQ(0, drst_load(self->ko, ""));
	EXPECT_TRUE(ulp_available("tls"));
	EXPECT_EQ(0, drst_unload());
	EXPECT_TRUE(ulp_available("tls"));
	EXPECT_TRUE(net_tls_gone());
}

TEST_HARNESS_MAIN
