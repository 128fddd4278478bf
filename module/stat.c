// SPDX-License-Identifier: GPL-2.0
/* Counters per network namespace and CPU, 64 bits wide on every architecture. */
#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "stat.h"

struct drst_mib {
	u64_stats_t mibs[DRST_NR_STATS];
	struct u64_stats_sync syncp;
};

struct drst_stat_net {
	struct drst_mib __percpu *mib;
};

static unsigned int drst_stat_net_id __read_mostly;

#define DRST_STAT(stat, name)						\
	[stat] = name,
static const char *const drst_stat_names[DRST_NR_STATS] = {
#include "stat_list.h"
};

#undef DRST_STAT

static struct drst_stat_net *drst_stat_pernet(const struct net *net)
{
	return net_generic(net, drst_stat_net_id);
}

/**
 * drst_stat_name() - the name of a counter
 * @stat: which one
 *
 * Context: any.
 * Return: the name without the prefix TlsDrst.
 */
const char *drst_stat_name(enum drst_stat stat)
{
	return drst_stat_names[stat];
}

/**
 * drst_stat_add() - add to a counter
 * @net: whose counter
 * @stat: which one
 * @n: how much
 *
 * Context: any but hard interrupts.
 */
void drst_stat_add(const struct net *net, enum drst_stat stat, u64 n)
{
	struct drst_mib *mib = get_cpu_ptr(drst_stat_pernet(net)->mib);
	unsigned long flags;

	/*
	 * On 32-bit kernels a softirq between the two writes would tear the
	 * value.
	 */
	flags = u64_stats_update_begin_irqsave(&mib->syncp);
	u64_stats_add(&mib->mibs[stat], n);
	u64_stats_update_end_irqrestore(&mib->syncp, flags);
	put_cpu_ptr(mib);
}

/**
 * drst_stat_sum() - read a counter
 * @net: whose counter
 * @stat: which one
 *
 * Context: any but hard interrupts.
 * Return: its value on all CPUs together.
 */
u64 drst_stat_sum(const struct net *net, enum drst_stat stat)
{
	const struct drst_mib *mib;
	unsigned int start;
	u64 sum = 0, one;
	int cpu;

	for_each_possible_cpu(cpu) {
		mib = per_cpu_ptr(drst_stat_pernet(net)->mib, cpu);
		do {
			start = u64_stats_fetch_begin(&mib->syncp);
			one = u64_stats_read(&mib->mibs[stat]);
		} while (u64_stats_fetch_retry(&mib->syncp, start));
		sum += one;
	}
	return sum;
}

static int __net_init drst_stat_net_init(struct net *net)
{
	struct drst_stat_net *sn = drst_stat_pernet(net);
	int cpu;

	sn->mib = alloc_percpu(struct drst_mib);
	if (!sn->mib)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(sn->mib, cpu)->syncp);
	return 0;
}

static void __net_exit drst_stat_net_exit(struct net *net)
{
	free_percpu(drst_stat_pernet(net)->mib);
}

static struct pernet_operations drst_stat_net_ops = {
	.init = drst_stat_net_init,
	.exit = drst_stat_net_exit,
	.id   = &drst_stat_net_id,
	.size = sizeof(struct drst_stat_net),
};

/**
 * drst_stat_init() - give every network namespace its counters
 *
 * Context: process, may sleep; at load.
 * Return: 0 or a negative errno.
 */
int drst_stat_init(void)
{
	return register_pernet_subsys(&drst_stat_net_ops);
}

/**
 * drst_stat_exit() - the reverse of drst_stat_init()
 *
 * Context: process, may sleep; at unload, when nothing counts any more.
 */
void drst_stat_exit(void)
{
	unregister_pernet_subsys(&drst_stat_net_ops);
}
