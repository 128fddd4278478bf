// SPDX-License-Identifier: GPL-2.0
/*
 * What is not held, and lost: a close() sends a RST while bytes are unacknowledged.
 * This is counted in every mode, so that an administrator knows before switching.
 *
 *	a close_notify was accepted	CutByMode	other knobs would have held it
 *	none				CutNotNotified	nothing would
 *
 * Not counted here:
 * - a hold that a limit refuses or ends: it has its own counter (hold.c, ending.c).
 *   So a connection that the knobs do not hold, and that a limit would have refused,
 *   is not counted at all: no mode would have saved it.
 * - data that arrives during close(), after drst_policy_cause() has looked: it comes
 *   after close() for a hold, too.
 */
#include "cut.h"
#include "ktls.h"
#include "policy.h"
#include "stat.h"
#include "tcp.h"
#include "trace.h"

/**
 * drst_cut_count() - count a close() that is not held, if it loses something
 * @sk: the connection, with all our hooks on
 * @cause: what drst_policy_cause() returned
 *
 * Context: process, socket lock held.
 */
void drst_cut_count(struct sock *sk, enum drst_cause cause)
{
	const struct net *net = sock_net(sk);
	bool notified;
	u32 bytes;

	sock_owned_by_me(sk);
	if (!drst_policy_cuts(sk, cause))
		return;
	/* If it is notified, mode 2 would have held it. */
	notified = drst_ktls_notified(sk);
	if (notified && !drst_hold_room(sk))
		return;

	bytes = drst_tcp_queued_bytes(sk) + drst_ktls_pending_bytes(sk);
	drst_stat_inc(net, notified ? DRST_STAT_CUT_BY_MODE :
				      DRST_STAT_CUT_NOT_NOTIFIED);
	drst_stat_add(net, DRST_STAT_CUT_BYTES, bytes);
	trace_tls_drst_cut(sk, cause, bytes, notified);
}
