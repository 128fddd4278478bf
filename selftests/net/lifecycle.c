// SPDX-License-Identifier: GPL-2.0
/*
 * The module comes and goes under live TLS connections. The path of its file is
 * in the environment's TLS_DRST_KO. Whether it was loaded before the test is
 * what the test leaves behind.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/scene.h"

FIXTURE(lifecycle) {
	struct scene s;
	const char *ko;
};

/*
 * The machine is left as it was found by the first process alone, after the
 * last test: whatever has become of the tests' own processes.
 */
static pid_t first_process;
static bool found_loaded;

static void __attribute__((constructor)) machine_find(void)
{
	first_process = getpid();
	found_loaded = drst_present();
}

static void __attribute__((destructor)) machine_restore(void)
{
	const char *ko = getenv("TLS_DRST_KO");

	if (getpid() != first_process || !ko)
		return;
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
					"mode=2 final=1 timeout_ms=1000 max_hold_ms=2000 max_held=3"));
	bed_open(&later);
	EXPECT_EQ(2, drst_get("mode"));
	EXPECT_EQ(1, drst_get("final"));
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
	EXPECT_EQ(-EINVAL, drst_load(self->ko, "max_held=x"));
	EXPECT_FALSE(drst_present());
}

/* The module's lines in the kernel's log from now on; not those of insmod. */
static int log_lines(int kmsg)
{
	char text[1024];
	int lines = 0;
	ssize_t got;

	while ((got = read(kmsg, text, sizeof(text) - 1)) > 0) {
		text[got] = '\0';
		if (strstr(text, ";" "tls_drst: ") && !strstr(text, "taint"))
			lines++;
	}
	return lines;
}

TEST_F(lifecycle, one_line_each_in_the_log)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	REQUIRE_KO();
	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);
	ASSERT_EQ(0, drst_load(self->ko, ""));
	EXPECT_EQ(1, log_lines(kmsg));
	ASSERT_EQ(0, drst_unload());
	EXPECT_EQ(1, log_lines(kmsg));
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

/* Not a byte is lost of what an older connection sends across it all. */
TEST_F(lifecycle, traffic_across_reloads)
{
	struct conn *c = &self->s.conn;
	int i;

	REQUIRE_KO();
	conn_open(c, &self->s.bed, &defaults);
	for (i = 0; i < 5; i++) {
		conn_send(c, BULK / 8);
		ASSERT_EQ(0, drst_load(self->ko, ""));
		conn_send(c, BULK / 8);
		ASSERT_TRUE(drst_unloaded());
	}
	conn_notify(c);
	conn_close(c);
	expect_whole_fin(_metadata, &self->s);
}

static void expect_busy(TEST_ARG)
{
	int err = drst_unload();

	EXPECT_TRUE(err == -EBUSY || err == -EWOULDBLOCK) {
		TH_LOG("delete_module: %d", err);
	}
	EXPECT_TRUE(drst_present());
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

static void open_for_ever(struct scene *s, struct removals *removals)
{
	struct conn *c = &s->conn;

	for (;;) {
		conn_connect(c, &s->bed, &defaults);
		if (ulp_tls(c, removals)) {
			dir_init(&c->tx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 1);
			MUST(!dir_install(&c->tx, c->fd, TLS_TX));
			conn_upload(c, SMALL);
		}
		conn_free(c);
	}
}

/*
 * Inserting the module leaves no moment without a ULP of the name tls. RELOADS
 * is how often.
 */
TEST_F_TIMEOUT(lifecycle, reload_under_new_connections, 600)
{
	struct removals *removals;
	int rounds, status;
	pid_t pid;

	REQUIRE_KO();
	removals = mmap(NULL, sizeof(*removals), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, removals);
	pid = fork();
	if (!pid)
		open_for_ever(&self->s, removals);
	ASSERT_LT(0, pid);
	for (rounds = env_number("RELOADS", 5); rounds; rounds--) {
		EXPECT_EQ(0, drst_load(self->ko, ""));
		__sync_fetch_and_add(&removals->count, 1);
		EXPECT_TRUE(drst_unloaded());
		__sync_fetch_and_add(&removals->count, 1);
	}
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST_HARNESS_MAIN
