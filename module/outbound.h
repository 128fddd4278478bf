/* SPDX-License-Identifier: GPL-2.0 */
/* The outbound hold: this host has a RST pending. */
#ifndef _TLS_DRST_OUTBOUND_H
#define _TLS_DRST_OUTBOUND_H

#include <linux/completion.h>
#include <net/sock.h>

#include "hold.h"
#include "ktls.h"

/* See outbound.c. */
enum drst_outbound_stage {
	DRST_TAKEN,
	DRST_KTLS,
	DRST_TCP,
	DRST_OVER,
	DRST_NR_STAGES
};

/**
 * struct drst_outbound - an outbound hold
 * @hold:	what it shares with an inbound one
 * @before:	the socket's callbacks to go back to
 * @ulp_ops:	icsk_ulp_ops to go back to
 * @inode:	the process's struct socket, which has sk_wq in it
 * @done:	completed when the hold has ended
 * @acked:	tcp_sock.bytes_acked at the beginning
 * @snd_una:	tcp_sock.snd_una as last seen
 * @err:	sk_err on entering TCP_CLOSE; kept here, as a sender inside net/tls
 *		may take it from sk_err
 * @stage:	enum drst_outbound_stage
 * @notified:	the connection accepted a close_notify
 * @tls:	net/tls is not torn down yet
 * @awaited:	close() lingers (SO_LINGER), so the hold flushes
 * @waits:	that close() is still there
 * @handed:	and it calls tcp_close(), as the hold is over
 */
struct drst_outbound {
	struct drst_hold hold;
	struct drst_ktls_events before;
	const struct tcp_ulp_ops *ulp_ops;
	struct inode *inode;
	struct completion done;
	u64 acked;
	u32 snd_una;
	u16 err;
	u8 stage;
	bool notified : 1;
	bool tls : 1;
	bool awaited : 1;
	bool waits : 1;
	bool handed : 1;
};

/**
 * drst_outbound_flushes() - does a hold last until everything is acknowledged?
 * @out: the hold
 *
 * Otherwise it lasts until kTLS has given its records to TCP.
 *
 * Context: any.
 */
static inline bool drst_outbound_flushes(const struct drst_outbound *out)
{
	return out->notified || out->awaited;
}

bool drst_outbound_close_unlock(struct sock *sk, long timeout);

#endif /* _TLS_DRST_OUTBOUND_H */
