/* SPDX-License-Identifier: GPL-2.0 */
/* Which connections are held. */
#ifndef _TLS_DRST_POLICY_H
#define _TLS_DRST_POLICY_H

#include <net/sock.h>

#include "hold.h"

bool drst_policy_hooks(const struct sock *sk);
enum drst_cause drst_policy_cause(const struct sock *sk);
bool drst_policy_outbound(const struct sock *sk, enum drst_cause cause);
bool drst_policy_cuts(const struct sock *sk, enum drst_cause cause);
bool drst_policy_inbound(const struct sock *sk);

#endif /* _TLS_DRST_POLICY_H */
