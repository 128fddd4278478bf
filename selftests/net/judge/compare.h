/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_JUDGE_COMPARE_H
#define SELFTESTS_JUDGE_COMPARE_H

#include "model.h"

/*
 * Plays @script in vanilla and in each of the modes. Prints the script and the steps
 * that differ; returns in how many modes some do.
 */
int judge_script(const struct script *script, struct bed *bed);

/* In how many runs there was an inbound hold. */
extern int judge_holds;

#endif
