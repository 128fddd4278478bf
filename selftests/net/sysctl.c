// SPDX-License-Identifier: GPL-2.0
/*
 * The knobs: defaults, ranges, who may turn them, and that each network
 * namespace has its own; the file of counters.
 */
#include "kselftest_harness.h"

#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/found.h"
#include "lib/scene.h"

static const struct {
	const char *name;
	long def, min, max;
} knobs[] = {
	{ "mode", 1, 0, 2 },
	{ "final", 0, 0, 1 },
	{ "hold_linger", 1, 0, 1 },
	{ "timeout_ms", 60000, 1, 86400000 },
	{ "max_hold_ms", 300000, 1, 86400000 },
	{ "max_held", 4096, 0, 1 << 20 },
};

#define KNOBS ARRAY_SIZE(knobs)

FIXTURE(sysctl) {
	struct bed bed;
};

FIXTURE_SETUP(sysctl)
{
	bed_open(&self->bed);
}

FIXTURE_TEARDOWN(sysctl)
{
	EXPECT_TRUE(drst_settled());
	bed_close(&self->bed);
}

/* There is nothing to see of a module that is not there. */
#define REQUIRE_MODULE() REQUIRE_MODE(1)

TEST_F(sysctl, absent_means_absent)
{
	if (drst_present())
		SKIP(return, "the module is loaded");
	ASSERT_FALSE(drst_mode(1));
	EXPECT_EQ(-1, access(DRST_STAT, F_OK));
}

TEST_F(sysctl, defaults)
{
	size_t i;

	if (drst_present()) {
		for (i = 0; i < KNOBS; i++) {
			EXPECT_EQ(knobs[i].def, drst_get(knobs[i].name)) {
				TH_LOG("%s", knobs[i].name);
			}
		}
		return;
	}
	REQUIRE_MODULE();
}

TEST_F(sysctl, values_are_taken)
{
	REQUIRE_MODULE();
	drst_set("mode", 2);
	EXPECT_EQ(2, drst_get("mode"));
	drst_set("mode", 0);
	EXPECT_EQ(0, drst_get("mode"));
	drst_set("final", 1);
	EXPECT_EQ(1, drst_get("final"));
	drst_set("hold_linger", 0);
	EXPECT_EQ(0, drst_get("hold_linger"));
	drst_set("timeout_ms", 1234);
	EXPECT_EQ(1234, drst_get("timeout_ms"));
	drst_set("max_hold_ms", 12345);
	EXPECT_EQ(12345, drst_get("max_hold_ms"));
	drst_set("max_held", 0);
	EXPECT_EQ(0, drst_get("max_held"));
	drst_set("max_held", 1);
	EXPECT_EQ(1, drst_get("max_held"));
}

static void expect_refused(TEST_ARG, const char *knob, const char *text)
{
	long before = drst_get(knob);

	EXPECT_EQ(-EINVAL, drst_try(knob, text)) {
		TH_LOG("%s = '%s'", knob, text);
	}
	EXPECT_EQ(before, drst_get(knob)) {
		TH_LOG("%s = '%s' changed it", knob, text);
	}
}

TEST_F(sysctl, bad_values_are_refused)
{
	static const char * const bad[] = {
		"-1", "-2147483649", "9223372036854775808",
		"18446744073709551616", "x", "one", "1x",
	};
	size_t i, j;

	REQUIRE_MODULE();
	for (i = 0; i < KNOBS; i++)
		for (j = 0; j < ARRAY_SIZE(bad); j++)
			expect_refused(_metadata, knobs[i].name, bad[j]);
	expect_refused(_metadata, "mode", "3");
	expect_refused(_metadata, "mode", "257");
	expect_refused(_metadata, "mode", "4294967296");
	expect_refused(_metadata, "mode", "4294967297");
	expect_refused(_metadata, "final", "2");
	expect_refused(_metadata, "final", "4294967297");
	expect_refused(_metadata, "hold_linger", "2");
	expect_refused(_metadata, "hold_linger", "4294967297");
	expect_refused(_metadata, "timeout_ms", "4294967296");
	expect_refused(_metadata, "max_hold_ms", "4294967296");
	expect_refused(_metadata, "max_held", "4294967296");
}

/* The last value that is taken, and the first that is not */
static void expect_edge(TEST_ARG, const char *knob, long last, long first)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", last);
	EXPECT_EQ(0, drst_try(knob, text)) {
		TH_LOG("%s = %ld", knob, last);
	}
	EXPECT_EQ(last, drst_get(knob));
	snprintf(text, sizeof(text), "%ld", first);
	expect_refused(_metadata, knob, text);
}

TEST_F(sysctl, ranges_to_the_edge)
{
	size_t i;

	REQUIRE_MODULE();
	for (i = 0; i < KNOBS; i++) {
		expect_edge(_metadata, knobs[i].name, knobs[i].min,
			    knobs[i].min - 1);
		expect_edge(_metadata, knobs[i].name, knobs[i].max,
			    knobs[i].max + 1);
	}
}

TEST_F(sysctl, each_namespace_has_its_own)
{
	size_t i;

	REQUIRE_MODULE();
	drst_set("mode", 2);
	drst_set("final", 1);
	drst_set("hold_linger", 0);
	drst_set("timeout_ms", 1000);
	drst_set("max_hold_ms", 2000);
	drst_set("max_held", 3);
	bed_enter(&self->bed, SIDE_B);
	for (i = 0; i < KNOBS; i++)
		EXPECT_EQ(knobs[i].def, drst_get(knobs[i].name));
	drst_set("mode", 0);
	bed_enter(&self->bed, SIDE_A);
	EXPECT_EQ(2, drst_get("mode"));
}

TEST_F(sysctl, modes_of_the_files)
{
	struct stat st;

	REQUIRE_MODULE();
	ASSERT_EQ(0, stat(DRST_SYSCTL "mode", &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	ASSERT_EQ(0, stat(DRST_STAT, &st));
	EXPECT_EQ(0444, st.st_mode & 07777);
	ASSERT_EQ(0, stat("/proc/thread-self/net/tls_drst", &st));
	EXPECT_EQ(0444, st.st_mode & 07777);
}

TEST_F(sysctl, counters_start_at_zero_and_keep_the_format)
{
	char text[4096], *line, *save, name[64], expected[128];
	unsigned long val;
	int lines = 0;

	REQUIRE_MODULE();
	read_file(DRST_STAT, text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), lines++) {
		ASSERT_EQ(2, sscanf(line, "%63s %lu", name, &val));
		EXPECT_EQ(0, strncmp(name, "TlsDrst", 7));
		EXPECT_EQ(0, val);
		snprintf(expected, sizeof(expected), "%-32s\t%lu", name, val);
		EXPECT_STREQ(expected, line);
	}
	EXPECT_LE(13, lines);
}

#define NOBODY 65534

/* Runs in a child that has become nobody, in namespaces of its own. */
static int nobody_in_userns(const char *knob, const char *text)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 2;
	/* If @text is refused, the default does not look as if it were taken. */
	drst_try(knob, "0");
	drst_try(knob, text);
	return 0;
}

/* What the namespace of an unprivileged user ends up with after @text. */
static long nobody_gets(TEST_ARG, const char *knob, const char *text)
{
	int pipefd[2], status;
	long value = -1;
	pid_t pid;

	ASSERT_EQ(0, pipe(pipefd));
	pid = fork();
	if (!pid) {
		status = nobody_in_userns(knob, text);
		if (!status) {
			value = drst_get(knob);
			status = write(pipefd[1], &value, sizeof(value)) < 0;
		}
		_exit(status);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(sizeof(value), read(pipefd[0], &value, sizeof(value)));
	return value;
}

/* The limits are init_net's, whatever they are. */
TEST_F(sysctl, userns_cannot_exceed_init_net)
{
	static const char * const limits[] = {
		"timeout_ms", "max_hold_ms", "max_held"
	};
	char above[32], below[32];
	long limit;
	size_t i;

	REQUIRE_MODULE();
	for (i = 0; i < 3; i++) {
		bed_enter_home(&self->bed);
		limit = drst_get(limits[i]);
		bed_enter(&self->bed, SIDE_A);
		snprintf(above, sizeof(above), "%ld", limit + 1);
		snprintf(below, sizeof(below), "%ld", limit - 1);
		EXPECT_GE(limit, nobody_gets(_metadata, limits[i], above));
		EXPECT_EQ(limit - 1, nobody_gets(_metadata, limits[i], below));
	}
}

static void __attribute__((constructor)) knobs_find(void)
{
	found_note_knobs(&found_machine);
}

/* What is no limit is each namespace's own: init_net's value binds nobody. */
FIXTURE(userns) {
	struct bed bed;
	long of_init_net;
};

FIXTURE_VARIANT(userns) {
	const char *knob;
	long value;
};

FIXTURE_VARIANT_ADD(userns, mode) { "mode", 2 };
FIXTURE_VARIANT_ADD(userns, final) { "final", 1 };
FIXTURE_VARIANT_ADD(userns, hold_linger) { "hold_linger", 1 };

FIXTURE_SETUP(userns)
{
	bed_open(&self->bed);
	if (!drst_present())
		return;
	bed_enter_home(&self->bed);
	self->of_init_net = drst_get(variant->knob);
	drst_set(variant->knob, 0);
	bed_enter(&self->bed, SIDE_A);
}

FIXTURE_TEARDOWN(userns)
{
	bed_enter_home(&self->bed);
	if (drst_present())
		drst_set(variant->knob, self->of_init_net);
	bed_close(&self->bed);
}

TEST_F(userns, chooses_by_itself)
{
	char text[32];

	REQUIRE_MODULE();
	snprintf(text, sizeof(text), "%ld", variant->value);
	EXPECT_EQ(variant->value, nobody_gets(_metadata, variant->knob, text));
}

/* An unprivileged user has no say at all in the namespace of root. */
TEST_F(sysctl, user_cannot_write)
{
	pid_t pid;
	int status;

	REQUIRE_MODULE();
	pid = fork();
	if (!pid) {
		if (setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		_exit(drst_try("mode", "0") == -EACCES ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, drst_get("mode"));
}

/* Two namespaces, two modes, the same close(): each goes by its own. */
FIXTURE(two_namespaces) {
	struct scene vanilla, held;
};

FIXTURE_SETUP(two_namespaces)
{
	scene_open(&self->vanilla);
	ns_enter(self->vanilla.bed.home);
	scene_open(&self->held);
}

FIXTURE_TEARDOWN(two_namespaces)
{
	EXPECT_TRUE(scene_close(&self->held));
	bed_enter(&self->vanilla.bed, SIDE_A);
	EXPECT_TRUE(scene_close(&self->vanilla));
}

static void upload_and_close(TEST_ARG, struct scene *s)
{
	static const struct conn_opts defaults;

	conn_open(&s->conn, &s->bed, &defaults);
	conn_upload(&s->conn, BULK);
	close_unread(_metadata, &s->conn);
}

TEST_F(two_namespaces, each_by_its_own_mode)
{
	bed_enter(&self->vanilla.bed, SIDE_A);
	REQUIRE_MODE(0);
	upload_and_close(_metadata, &self->vanilla);
	expect_cut(_metadata, &self->vanilla);
	expect_hold(_metadata, NULL);
	if (drst_present()) {
		EXPECT_EQ(1, drst_stat("CutByMode"));
	}

	bed_enter(&self->held.bed, SIDE_A);
	REQUIRE_MODE(1);
	upload_and_close(_metadata, &self->held);
	EXPECT_TRUE(drst_adds_up(1));
	bed_enter(&self->vanilla.bed, SIDE_A);
	EXPECT_EQ(0, drst_stat("CurrHeld"));
	bed_enter(&self->held.bed, SIDE_A);
	expect_whole_rst(_metadata, &self->held);
	expect_hold(_metadata, "RstSent");
	expect_no_cuts(_metadata);
}

TEST_F(two_namespaces, each_its_own_limit)
{
	bed_enter(&self->vanilla.bed, SIDE_A);
	REQUIRE_MODE(1);
	drst_set("max_held", 1);
	upload_and_close(_metadata, &self->vanilla);
	bed_enter(&self->held.bed, SIDE_A);
	drst_set("max_held", 1);
	upload_and_close(_metadata, &self->held);
	expect_whole_rst(_metadata, &self->held);
	expect_hold(_metadata, "RstSent");
	bed_enter(&self->vanilla.bed, SIDE_A);
	expect_whole_rst(_metadata, &self->vanilla);
	expect_hold(_metadata, "RstSent");
}

/*
 * A held connection keeps its namespace alive, until its bound and no longer:
 * with the namespace goes its end of the veth pair, and with that the other.
 */
FIXTURE(teardown) {
	struct scene s;
};

FIXTURE_SETUP(teardown)
{
	scene_open(&self->s);
}

FIXTURE_TEARDOWN(teardown)
{
	scene_close(&self->s);
}

/* Lets go of all that we have of side a. */
static void leave_side_a(struct bed *bed)
{
	bed_enter(bed, SIDE_B);
	close(bed->ns[SIDE_A]);
	bed->ns[SIDE_A] = -1;
}

static bool veth_gone(void)
{
	return !if_nametoindex("veth0");
}

TEST_F(teardown, namespace_goes_after_the_bound)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_and_close(_metadata, s);
	EXPECT_TRUE(drst_adds_up(1));
	drst_set("timeout_ms", 300);
	leave_side_a(&s->bed);
	expect_cut(_metadata, s);
	EXPECT_TRUE(EVENTUALLY(veth_gone()));
}

TEST_F(teardown, namespace_goes_after_the_flush)
{
	struct scene *s = &self->s;

	REQUIRE_MODE(1);
	upload_and_close(_metadata, s);
	leave_side_a(&s->bed);
	expect_whole_rst(_metadata, s);
	EXPECT_TRUE(EVENTUALLY(veth_gone()));
}

TEST_HARNESS_MAIN
