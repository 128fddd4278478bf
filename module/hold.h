/* SPDX-License-Identifier: GPL-2.0 */
/* What the outbound (hold.c) and the inbound hold (inbound.c) share. */
#ifndef _TLS_DRST_HOLD_H
#define _TLS_DRST_HOLD_H

#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <net/tcp.h>

struct tcp_ulp_ops;

/* Of an outbound hold: see hold.c; of an inbound one: see inbound.c. */
enum drst_stage {
	DRST_SHUT,
	DRST_TAKEN,
	DRST_KTLS,
	DRST_TCP,
	DRST_RST,	/* inbound: not looked at yet */
	DRST_INBOUND,
	DRST_OVER,
};

/**
 * struct drst_hold - a connection that is held
 * @sk:		the connection
 * @sock:	its struct socket since close(); NULL before
 * @rst:	the RST that the peer sent, in %DRST_RST and %DRST_INBOUND
 * @ulp_ops:	its ULP while it is not held
 * @state_change: callbacks of the socket to go back to
 * @data_ready:	likewise
 * @write_space: likewise
 * @work:	advances the hold, on events and when a bound is due
 * @done:	completed when the hold has ended
 * @ref:	users of this structure
 * @acked:	tcp_sock.bytes_acked at the beginning
 * @began:	jiffies at the beginning
 * @progress:	jiffies when @seen last moved
 * @seen:	tcp_sock.snd_una as last seen; .copied_seq of an inbound hold
 * @rcv_nxt:	tcp_sock.rcv_nxt at shutdown()
 * @err:	sk_err when TCP got to TCP_CLOSE; a recv() takes it away
 * @stage:	enum drst_stage
 * @owed:	enum drst_owed
 * @notified:	the connection accepted a close_notify
 * @tls:	net/tls is not torn down yet
 * @drains:	what arrives is thrown away; @data_ready is set
 * @peer_fin:	a FIN has come: SOCK_DONE and RCV_SHUTDOWN are TCP's
 */
struct drst_hold {
	struct sock *sk;
	struct socket *sock;
	struct sk_buff *rst;
	const struct tcp_ulp_ops *ulp_ops;

	void (*state_change)(struct sock *sk);
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);

	struct delayed_work work;
	struct completion done;
	refcount_t ref;

	u64 acked;
	unsigned long began;
	unsigned long progress;
	u32 seen;
	u32 rcv_nxt;
	int err;

	u8 stage;
	u8 owed;
	bool notified;
	bool tls;
	bool drains;
	bool peer_fin;
};

extern struct workqueue_struct *drst_wq;

struct drst_hold *drst_hold_of(const struct sock *sk);
struct drst_hold *drst_hold_alloc(struct sock *sk, work_func_t work, gfp_t gfp);
void drst_state_change(struct sock *sk);
void drst_hold_put(struct drst_hold *h);
bool drst_hold_admit(const struct net *net);
bool drst_memory_short(const struct sock *sk);
bool drst_unread(const struct sock *sk);
unsigned long drst_hold_expires(const struct drst_hold *h);
void drst_hold_arm(struct drst_hold *h);

#endif /* _TLS_DRST_HOLD_H */
