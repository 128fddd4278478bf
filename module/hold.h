/* SPDX-License-Identifier: GPL-2.0 */
/* What outbound and inbound holds share. */
#ifndef _TLS_DRST_HOLD_H
#define _TLS_DRST_HOLD_H

#include <linux/workqueue.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "stat.h"
#include "table.h"

/* Where net/tls has no memory now, and no event comes: jiffies between two tries */
#define DRST_HOLD_RETRY (HZ / 10)

/* Why is the RST pending? */
enum drst_cause {
	DRST_CAUSE_NONE,	/* it is not, so far */
	DRST_CAUSE_UNREAD,	/* received data unread at close() */
	DRST_CAUSE_LINGER,	/* SO_LINGER { 1, 0 } at close() */
	DRST_CAUSE_DATA,	/* data after close() */
	DRST_CAUSE_PEER,	/* the peer has sent it: an inbound hold */
	DRST_NR_CAUSES
};

enum drst_direction {
	DRST_OUTBOUND,
	DRST_INBOUND,
	DRST_NR_DIRECTIONS
};

/**
 * struct drst_hold_kind - what differs between outbound and inbound holds
 * @direction:	which it is
 * @size:	of the structure that begins with struct drst_hold
 * @work:	advances a hold, on events and when a limit strikes
 * @bytes:	how much a hold waits for, in bytes
 * @held:	counts the beginnings
 * @over_limit:	counts those that %DRST_MAX_HELD refuses
 * @memory:	counts those that are refused for want of memory
 */
struct drst_hold_kind {
	enum drst_direction direction;
	size_t size;
	work_func_t work;
	u32 (*bytes)(const struct sock *sk);
	enum drst_stat held;
	enum drst_stat over_limit;
	enum drst_stat memory;
};

/**
 * struct drst_hold - a connection that is held
 * @sk:		the connection; the hold has a reference on it
 * @kind:	which kind of hold
 * @state_change: sk_state_change from before the hold
 * @work:	see struct drst_hold_kind
 * @entry:	in the table, from the beginning to the end; and the users of this structure
 * @rcu:	frees it
 * @began_ns:	ktime_get_ns() at the beginning
 * @began:	jiffies at the beginning
 * @progress:	jiffies of the last progress, which is what %DRST_TIMEOUT_MS limits
 * @bytes:	what @kind->bytes said at the beginning
 * @cause:	enum drst_cause
 *
 * The socket lock covers all but @entry and @work. /proc/net/tls_drst reads
 * @progress and @cause without it.
 */
struct drst_hold {
	struct sock *sk;
	const struct drst_hold_kind *kind;
	void (*state_change)(struct sock *sk);
	struct delayed_work work;
	struct drst_table_entry entry;
	struct rcu_head rcu;
	u64 began_ns;
	unsigned long began;
	unsigned long progress;
	u32 bytes;
	u8 cause;
};

struct drst_hold *drst_hold_new(struct sock *sk,
				const struct drst_hold_kind *kind,
				enum drst_cause cause, gfp_t gfp);
bool drst_hold_room(const struct sock *sk);
void drst_hold_put(struct drst_hold *h);
void drst_hold_enter(struct drst_hold *h);
void drst_hold_leave(struct drst_hold *h, int state, enum drst_stat how);
void drst_hold_count(struct net *net, const struct drst_hold_kind *kind,
		     enum drst_stat how);
void drst_hold_progress(struct drst_hold *h);
bool drst_hold_expired(const struct drst_hold *h);
void drst_hold_arm(struct drst_hold *h, unsigned long longest);
void drst_hold_kick(struct drst_hold *h);
void drst_hold_lowered(const struct net *net);
void *drst_hold_of(const struct sock *sk, void (*state_change)(struct sock *));

const char *drst_hold_cause_name(enum drst_cause cause);
u32 drst_hold_bytes(const struct drst_hold *h);
u64 drst_hold_now(const struct net *net, enum drst_direction direction);

int drst_hold_init(void);
void drst_hold_flush(void);
void drst_hold_exit(void);

/* The addresses of a connection as IPv6 ones, those of IPv4 mapped. */
static inline void drst_hold_addrs(const struct sock *sk,
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
