// SPDX-License-Identifier: GPL-2.0
/*
 * What a process sees of its TLS connection: scripts of system calls and of what the
 * peer does meanwhile, played in vanilla and in each mode, and compared call by call.
 * judge/model.c knows the only differences that the contract allows.
 *
 *	JUDGE_SEED=n JUDGE_SCRIPTS=count	random scripts, from seed n on
 *	JUDGE_MODES=12				which modes; 0 is vanilla once more
 *	JUDGE_BASE=file				mode 0 is compared with what a run
 *						without the module kept there
 */
#include "kselftest_harness.h"

#include "judge/compare.h"
#include "judge/random.h"
#include "lib/bed.h"
#include "lib/drst.h"
#include "lib/spare.h"

#define WRITTEN_TIMEOUT 300
#define RANDOM_TIMEOUT 7200
#define RANDOM_SCRIPTS 50
#define FAILURES_MAX 10		/* more say nothing new */

FIXTURE(written) {
	struct bed bed;
};

FIXTURE_SETUP(written)
{
	spare_open(&self->bed);
}

FIXTURE_TEARDOWN(written)
{
	spare_close(&self->bed);
	softirqs_first(false);
}

FIXTURE_VARIANT(written) {
	const char *name;
	const char *line[STEPS_MAX];
};

#define SCRIPT(name, ...) \
	FIXTURE_VARIANT_ADD(written, name) { #name, { __VA_ARGS__ } }

#include "judge/written.h"

TEST_F_TIMEOUT(written, as_vanilla, WRITTEN_TIMEOUT)
{
	struct script script = { .name = variant->name };
	const char *const *line = variant->line;

	while (*line)
		script_add(&script, *line++);
	EXPECT_EQ(0, judge_script(&script, &self->bed));
}

FIXTURE(random) {
	struct bed bed;
};

FIXTURE_SETUP(random)
{
	spare_open(&self->bed);
}

FIXTURE_TEARDOWN(random)
{
	spare_close(&self->bed);
	softirqs_first(false);
}

TEST_F_TIMEOUT(random, as_vanilla, RANDOM_TIMEOUT)
{
	unsigned int seed = env_number("JUDGE_SEED", 1);
	int scripts = env_number("JUDGE_SCRIPTS", RANDOM_SCRIPTS);
	struct script script;
	int failures = 0;

	for (; scripts && failures < FAILURES_MAX; scripts--, seed++) {
		random_script(&script, seed);
		failures += !!judge_script(&script, &self->bed);
	}
	printf("# a reset was held in %d runs\n", judge_holds);
	EXPECT_EQ(0, failures);
}

TEST_HARNESS_MAIN
