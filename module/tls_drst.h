/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tls_drst - deferred RST for kernel TLS
 *
 * What the module's files tell each other. A socket is followed from file to
 * file in this order: ulp.c takes the seat of the "tls" ULP and is asked to
 * set it up, proto.c sees its close_notify, shutdown() and close(), hold.c
 * keeps it until its send queue is flushed.
 */
#ifndef _TLS_DRST_H
#define _TLS_DRST_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>

struct ctl_table_header;
struct drst_hold;
struct tcp_ulp_ops;

/*
 * A bit in tls_context.flags, of which net/tls uses the lowest few: the state of a
 * connection that is not held then costs no memory, and outlives the changes of
 * sk_prot.
 */
enum drst_flag {
	DRST_NOTIFIED = BITS_PER_LONG - 1,	/* close_notify accepted */
};

/* /proc/sys/net/tls_drst/; the order is that of drst_knobs[] in sysctl.c */
enum drst_knob {
	DRST_MODE,
	DRST_FINAL,
	DRST_TIMEOUT_MS,
	DRST_MAX_HOLD_MS,
	DRST_MAX_HELD,
	DRST_NR_KNOBS
};

/* /proc/net/tls_drst_stat; the order is that of drst_names[] in stat.c */
enum drst_stat {
	DRST_STAT_CLOSE_NOTIFY,
	DRST_STAT_HELD,
	DRST_STAT_FLUSHED,	/* the first of the ways in which a hold ends */
	DRST_STAT_RST_SENT,
	DRST_STAT_FIN_SENT,
	DRST_STAT_MOOT,
	DRST_STAT_TIMED_OUT,
	DRST_STAT_OVER_LIMIT,
	DRST_STAT_MEMORY,
	DRST_STAT_PEER_RESET,
	DRST_STAT_ABORTED,	/* the last of them */
	DRST_STAT_FLUSHED_BYTES,
	DRST_STAT_IN_HELD,
	DRST_STAT_IN_DELIVERED,	/* the first of the ways in which one ends */
	DRST_STAT_IN_CLOSED,
	DRST_STAT_IN_TIMED_OUT,
	DRST_STAT_IN_OVER_LIMIT,
	DRST_STAT_IN_MEMORY,	/* the last of them */
	DRST_NR_STATS
};

struct drst_mib {
	unsigned long mibs[DRST_NR_STATS];
};

/**
 * struct drst_net - what the module knows of a network namespace
 * @knob:	the sysctls, written by proc_dointvec_minmax(), read with
 *		drst_knob()
 * @held:	connections held now; bounded by %DRST_MAX_HELD
 * @in_held:	how many of them wait for the application to read
 * @pressure_work: looks at TCP's memory while something is held
 * @holds_lock:	covers @holds
 * @holds:	those that are counted in @held
 * @mib:	the counters
 * @table:	the sysctl table whose .data points into @knob
 * @header:	its registration
 */
struct drst_net {
	int knob[DRST_NR_KNOBS];
	atomic_t held;
	atomic_t in_held;
	struct delayed_work pressure_work;
	spinlock_t holds_lock;	/* covers holds */
	struct list_head holds;
	struct drst_mib __percpu *mib;
	struct ctl_table *table;
	struct ctl_table_header *header;
};

extern unsigned int drst_net_id;

static inline struct drst_net *drst_pernet(const struct net *net)
{
	return net_generic(net, drst_net_id);
}

static inline void drst_stat_add(const struct net *net, enum drst_stat stat,
				 unsigned long n)
{
	this_cpu_add(drst_pernet(net)->mib->mibs[stat], n);
}

static inline void drst_stat_inc(const struct net *net, enum drst_stat stat)
{
	drst_stat_add(net, stat, 1);
}

/* sysctl.c */
extern int drst_defaults[DRST_NR_KNOBS];

int drst_sysctl_check_defaults(void);
int drst_knob(const struct net *net, enum drst_knob knob);
int drst_sysctl_net_init(struct net *net);
void drst_sysctl_net_exit(struct net *net);

/* stat.c */
const char *drst_stat_name(enum drst_stat stat);
int drst_stat_net_init(struct net *net);
void drst_stat_net_exit(struct net *net);

/* ulp.c */
extern struct tcp_ulp_ops drst_ulp_ops;
extern const struct tcp_ulp_ops drst_held_ulp_ops;

int drst_ulp_init(void);
void drst_ulp_exit(void);

/* proto.c */
void drst_proto_learn(const struct sock *sk);
const struct proto *drst_proto_base(const struct sock *sk);
const struct proto *drst_proto_tls(const struct sock *sk);
void drst_proto_wrap(struct sock *sk);
void drst_proto_unwrap(struct sock *sk);
void drst_proto_teardown(struct sock *sk);
const struct proto_ops *drst_ops_tls(const struct socket *sock);
bool drst_proto_is_ours(const struct sock *sk);
int drst_proto_inbound(struct sock *sk);
void drst_proto_normal(struct sock *sk);
bool drst_notified(const struct sock *sk);
void drst_proto_exit(void);

/* hold.c */
bool drst_hold_close(struct sock *sk, long timeout);
void drst_hold_shutdown(struct sock *sk);
void drst_hold_net_init(struct net *net);
void drst_hold_net_exit(struct net *net);
int drst_hold_init(void);
void drst_hold_flush(void);
void drst_hold_exit(void);

/* inbound.c */
void drst_inbound_close(struct drst_hold *h);
void drst_hold_rewrap(struct sock *sk);
int drst_inbound_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			 int flags);
int drst_inbound_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
int drst_inbound_disconnect(struct sock *sk, int flags);
ssize_t drst_inbound_splice_read(struct socket *sock, loff_t *ppos,
				 struct pipe_inode_info *pipe, size_t len,
				 unsigned int flags);
void drst_inbound_reset(struct sock *sk);
bool drst_inbound_coming(const struct sock *sk);

#endif /* _TLS_DRST_H */
