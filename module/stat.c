// SPDX-License-Identifier: GPL-2.0
/* /proc/net/tls_drst_stat: one counter a line, as in net/tls/tls_proc.c. */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "tls_drst.h"

static const char *const drst_names[] = {
	[DRST_STAT_CLOSE_NOTIFY]	= "TlsDrstCloseNotify",
	[DRST_STAT_HELD]		= "TlsDrstHeld",
	[DRST_STAT_FLUSHED]		= "TlsDrstFlushed",
	[DRST_STAT_RST_SENT]		= "TlsDrstRstSent",
	[DRST_STAT_FIN_SENT]		= "TlsDrstFinSent",
	[DRST_STAT_MOOT]		= "TlsDrstMoot",
	[DRST_STAT_TIMED_OUT]		= "TlsDrstTimedOut",
	[DRST_STAT_OVER_LIMIT]		= "TlsDrstOverLimit",
	[DRST_STAT_MEMORY]		= "TlsDrstMemory",
	[DRST_STAT_PEER_RESET]		= "TlsDrstPeerReset",
	[DRST_STAT_ABORTED]		= "TlsDrstAborted",
	[DRST_STAT_FLUSHED_BYTES]	= "TlsDrstFlushedBytes",
	[DRST_STAT_IN_HELD]		= "TlsDrstInHeld",
	[DRST_STAT_IN_DELIVERED]	= "TlsDrstInDelivered",
	[DRST_STAT_IN_CLOSED]		= "TlsDrstInClosed",
	[DRST_STAT_IN_TIMED_OUT]	= "TlsDrstInTimedOut",
	[DRST_STAT_IN_OVER_LIMIT]	= "TlsDrstInOverLimit",
	[DRST_STAT_IN_MEMORY]		= "TlsDrstInMemory",
};

static void drst_stat_line(struct seq_file *seq, const char *name,
			   unsigned long value)
{
	seq_printf(seq, "%-32s\t%lu\n", name, value);
}

static unsigned long drst_stat_sum(const struct drst_net *dn, int stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(dn->mib, cpu)->mibs[stat]);
	return sum;
}

static int drst_stat_show(struct seq_file *seq, void *v)
{
	struct drst_net *dn = drst_pernet(seq->private);
	int i;

	drst_stat_line(seq, "TlsDrstCurrHeld",
		       atomic_read(&dn->held) - atomic_read(&dn->in_held));
	drst_stat_line(seq, "TlsDrstCurrInHeld", atomic_read(&dn->in_held));
	for (i = 0; i < DRST_NR_STATS; i++)
		drst_stat_line(seq, drst_names[i],
			       drst_stat_sum(dn, i));
	return 0;
}

/**
 * drst_stat_net_init() - make the counters of a namespace and show them
 * @net: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int drst_stat_net_init(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	BUILD_BUG_ON(ARRAY_SIZE(drst_names) != DRST_NR_STATS);

	dn->mib = alloc_percpu(struct drst_mib);
	if (!dn->mib)
		return -ENOMEM;
	if (!proc_create_net_single("tls_drst_stat", 0444, net->proc_net,
				    drst_stat_show, NULL)) {
		free_percpu(dn->mib);
		return -ENOMEM;
	}
	return 0;
}

/**
 * drst_stat_net_exit() - the reverse of drst_stat_net_init()
 * @net: the namespace; no connection of it is held any more
 *
 * Context: process, may sleep.
 */
void drst_stat_net_exit(struct net *net)
{
	remove_proc_entry("tls_drst_stat", net->proc_net);
	free_percpu(drst_pernet(net)->mib);
}
