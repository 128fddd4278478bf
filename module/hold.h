/* SPDX-License-Identifier: GPL-2.0 */
/* What the outbound (hold.c) and the inbound hold (inbound.c) share. */
#ifndef _TLS_DRST_HOLD_H
#define _TLS_DRST_HOLD_H

#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "tls_drst.h"

/* Of an outbound hold: see hold.c; of an inbound one: see inbound.c. */
enum drst_stage {
	DRST_SHUT,
	DRST_TAKEN,
	DRST_KTLS,
	DRST_TCP,
	DRST_INBOUND,
	DRST_OVER,
};

/* Why is a RST owed? */
enum drst_owed {
	DRST_OWED_NOTHING,
	DRST_OWED_UNREAD,	/* received data unread at close() */
	DRST_OWED_LINGER,	/* SO_LINGER { 1, 0 } */
	DRST_OWED_DATA,		/* data after close() or shutdown() */
	DRST_OWED_BY_PEER,	/* inbound */
	DRST_NR_OWED
};

/**
 * struct drst_hold - a connection that is held
 * @sk:		the connection
 * @state_change: callbacks of the socket to go back to
 * @error_report: likewise
 * @data_ready:	likewise
 * @write_space: likewise
 * @work:	advances the hold, on events and when a bound is due
 * @done:	completed when the hold has ended
 * @list:	in drst_net.holds, from the beginning to the end
 * @ref:	users of this structure
 * @bytes:	drst_hold_bytes() at the beginning
 * @began_ns:	ktime_get_ns() at the beginning
 * @acked:	tcp_sock.bytes_acked at the beginning
 * @began:	jiffies at the beginning
 * @progress:	jiffies when @seen last moved
 * @seen:	tcp_sock.snd_una as last seen; .copied_seq of an inbound hold
 * @rcv_nxt:	tcp_sock.rcv_nxt at shutdown()
 * @err:	sk_err when TCP got to TCP_CLOSE; a recv() takes it away, or an
 *		inbound hold does
 * @state:	the connection's when the hold came to its end; that of an inbound
 *		one when it began
 * @stage:	enum drst_stage
 * @owed:	enum drst_owed
 * @closed:	the process has closed the connection: from %DRST_TAKEN on
 * @notified:	the connection accepted a close_notify
 * @tls:	net/tls is not torn down yet
 * @drains:	what arrives is thrown away; @data_ready is set
 * @peer_fin:	a FIN has come: SOCK_DONE and RCV_SHUTDOWN are TCP's
 */
struct drst_hold {
	struct sock *sk;

	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);

	struct delayed_work work;
	struct completion done;

	struct list_head list;
	refcount_t ref;
	u32 bytes;
	u64 began_ns;

	u64 acked;
	unsigned long began;
	unsigned long progress;
	u32 seen;
	u32 rcv_nxt;
	int err;

	u8 state;
	u8 stage;
	u8 owed;
	bool closed;
	bool notified;
	bool tls;
	bool drains;
	bool peer_fin;
};

extern struct workqueue_struct *drst_wq;

extern const char *const drst_owed_names[DRST_NR_OWED];

struct drst_hold *drst_hold_of(const struct sock *sk);
struct drst_hold *drst_hold_new(struct sock *sk, enum drst_owed owed,
				work_func_t work, gfp_t gfp);
void drst_state_change(struct sock *sk);
void drst_hold_put(struct drst_hold *h);
void drst_hold_redrain(struct drst_hold *h);
bool drst_hold_poll(struct sock *sk, __poll_t *mask);
__poll_t drst_inbound_poll(struct drst_hold *h, __poll_t mask);
u32 drst_hold_bytes(const struct drst_hold *h);
void drst_hold_enter(struct drst_hold *h);
void drst_hold_leave(struct drst_hold *h, enum drst_stat how);
bool drst_memory_short(const struct sock *sk);
bool drst_unread(const struct sock *sk);
unsigned long drst_hold_expires(const struct drst_hold *h);
void drst_hold_arm(struct drst_hold *h);

/* The addresses of a connection as IPv6 ones, those of IPv4 mapped. */
static inline void drst_sock_addrs(const struct sock *sk,
				   struct in6_addr *saddr,
				   struct in6_addr *daddr)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		*saddr = sk->sk_v6_rcv_saddr;
		*daddr = sk->sk_v6_daddr;
		return;
	}
#endif
	ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, saddr);
	ipv6_addr_set_v4mapped(sk->sk_daddr, daddr);
}

#endif /* _TLS_DRST_HOLD_H */
