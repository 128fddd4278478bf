/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bed that a test leaves as good as new is the next test's: to make one and to
 * end it costs more than most tests do, ten times so where KASAN checks it.
 */
#ifndef SELFTESTS_SPARE_H
#define SELFTESTS_SPARE_H

#include <stdbool.h>

#include "bed.h"

/*
 * Opens a bed for one test: the last one's, or a fresh one. The caller is in a. Of
 * the tests before, there may be connections in TIME_WAIT.
 */
void spare_open(struct bed *bed);

/* Leaves it to the next test, if nothing of this one is left in it; ends it else. */
void spare_close(struct bed *bed);

#endif
