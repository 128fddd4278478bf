/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AES-GCM that is done later and elsewhere, as by an accelerator: the kernel's
 * pcrypt over whatever it has for gcm(aes), for all who come after.
 */
#ifndef SELFTESTS_PCRYPT_H
#define SELFTESTS_PCRYPT_H

#include <stdbool.h>

/* False if this kernel does not have it, or has a lockdep that would complain of it. */
bool pcrypt_start(void);
/* Waits for those who still use it. */
void pcrypt_stop(void);

/* How many use it; each connection of kernel TLS does in each direction. */
int pcrypt_users(void);

/* From now on its work is done on this task's CPU, on which the task stays. */
void pcrypt_stay(void);

#endif
