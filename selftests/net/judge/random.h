/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_JUDGE_RANDOM_H
#define SELFTESTS_JUDGE_RANDOM_H

#include "script.h"

/* The same script for the same seed, on any machine. */
void random_script(struct script *script, unsigned int seed);

#endif
