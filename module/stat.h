/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of a network namespace. */
#ifndef _TLS_DRST_STAT_H
#define _TLS_DRST_STAT_H

#include <linux/types.h>

struct net;

#define DRST_STAT(stat, ...) stat,
enum drst_stat {
#include "stat_list.h"
	DRST_NR_STATS
};

#undef DRST_STAT

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
