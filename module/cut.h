/* SPDX-License-Identifier: GPL-2.0 */
/* What is not held, and lost. */
#ifndef _TLS_DRST_CUT_H
#define _TLS_DRST_CUT_H

#include <net/sock.h>

#include "hold.h"

void drst_cut_count(struct sock *sk, enum drst_cause cause);

#endif /* _TLS_DRST_CUT_H */
