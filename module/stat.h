/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of a network namespace. */
#ifndef _TLS_DRST_STAT_H
#define _TLS_DRST_STAT_H

#include <linux/types.h>

struct net;

/*
 * Every counter is one line here: its enum drst_stat, and its name in
 * /proc/net/tls_drst_stat without the prefix TlsDrst. The file has them in this
 * order.
 */
#define DRST_STATS(X)							\
	X(DRST_STAT_CLOSE_NOTIFY,	"CloseNotify")			\
	X(DRST_STAT_HELD,		"Held")				\
	/* the ways in which an outbound hold ends */			\
	X(DRST_STAT_FLUSHED,		"Flushed")			\
	X(DRST_STAT_RST_SENT,		"RstSent")			\
	X(DRST_STAT_FIN_SENT,		"FinSent")			\
	X(DRST_STAT_MOOT,		"Moot")				\
	X(DRST_STAT_TIMED_OUT,		"TimedOut")			\
	X(DRST_STAT_OVER_LIMIT,		"OverLimit")			\
	X(DRST_STAT_MEMORY,		"Memory")			\
	X(DRST_STAT_PEER_RESET,		"PeerReset")			\
	X(DRST_STAT_ABORTED,		"Aborted")			\
	X(DRST_STAT_FLUSHED_BYTES,	"FlushedBytes")			\
	X(DRST_STAT_IN_HELD,		"InHeld")			\
	/* the ways in which an inbound hold ends */			\
	X(DRST_STAT_IN_DELIVERED,	"InDelivered")			\
	X(DRST_STAT_IN_CLOSED,		"InClosed")			\
	X(DRST_STAT_IN_TIMED_OUT,	"InTimedOut")			\
	X(DRST_STAT_IN_OVER_LIMIT,	"InOverLimit")			\
	X(DRST_STAT_IN_MEMORY,		"InMemory")

#define DRST_STAT_ENUM(stat, name) stat,
enum drst_stat {
	DRST_STATS(DRST_STAT_ENUM)
	DRST_NR_STATS
};

const char *drst_stat_name(enum drst_stat stat);
void drst_stat_add(const struct net *net, enum drst_stat stat, u64 n);
u64 drst_stat_sum(const struct net *net, enum drst_stat stat);
int drst_stat_init(void);
void drst_stat_exit(void);

static inline void drst_stat_inc(const struct net *net, enum drst_stat stat)
{
	drst_stat_add(net, stat, 1);
}

#endif /* _TLS_DRST_STAT_H */
