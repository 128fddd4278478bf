/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail on purpose (Documentation/fault-injection), but only
 * those made below the module's own code or below another range of the kernel's.
 */
#ifndef SELFTESTS_FAULT_H
#define SELFTESTS_FAULT_H

#include <stdbool.h>

/* Can this kernel do it? */
bool fault_supported(void);

/* Whose allocations: those of the module, which is loaded, or of a function. */
void fault_below_module(void);
void fault_below_function(const char *name);

/* The @nth allocation of this task from now on fails, once. */
void fault_arm(int nth);
/* Was there one? Nothing fails any more. */
bool fault_disarm(void);

/* All of them fail, in whatever context, or none. */
void fault_all(bool on);
/* How many did since then */
long fault_hits(void);

#endif
