// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/tls_drst_stat: one counter a line, as in net/tls/tls_proc.c.
 * /proc/net/tls_drst: one connection a line that is held now.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "hold.h"
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

/* What is left of a counter's name where it is clear whose it is */
#define DRST_PREFIX_LEN (sizeof("TlsDrst") - 1)

/**
 * drst_stat_name() - the name of a counter
 * @stat: which one
 *
 * Context: any.
 * Return: the name without the prefix TlsDrst.
 */
const char *drst_stat_name(enum drst_stat stat)
{
	return drst_names[stat] + DRST_PREFIX_LEN;
}

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

/* ---- /proc/net/tls_drst ---- */

static struct drst_net *drst_seq_net(struct seq_file *seq)
{
	return drst_pernet(seq_file_net(seq));
}

static void *drst_held_start(struct seq_file *seq, loff_t *pos)
	__acquires(&drst_seq_net(seq)->holds_lock)
{
	struct drst_net *dn = drst_seq_net(seq);

	spin_lock_bh(&dn->holds_lock);
	return seq_list_start_head(&dn->holds, *pos);
}

static void *drst_held_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return seq_list_next(v, &drst_seq_net(seq)->holds, pos);
}

static void drst_held_stop(struct seq_file *seq, void *v)
	__releases(&drst_seq_net(seq)->holds_lock)
{
	spin_unlock_bh(&drst_seq_net(seq)->holds_lock);
}

static void drst_held_addr(struct seq_file *seq, const struct in6_addr *addr,
			   __be16 port)
{
	if (ipv6_addr_v4mapped(addr))
		seq_printf(seq, "%pI4:%u ", &addr->s6_addr32[3], ntohs(port));
	else
		seq_printf(seq, "[%pI6c]:%u ", addr, ntohs(port));
}

/* The state is a number, as in /proc/net/tcp; times are in ms. */
static int drst_held_show(struct seq_file *seq, void *v)
{
	const struct drst_hold *h = list_entry(v, struct drst_hold, list);
	struct in6_addr saddr, daddr;
	const struct sock *sk;

	if (v == &drst_seq_net(seq)->holds) {
		seq_puts(seq, "local remote state cause bytes held_ms idle_ms cookie\n");
		return 0;
	}
	sk = h->sk;
	drst_sock_addrs(sk, &saddr, &daddr);
	drst_held_addr(seq, &saddr, inet_sk(sk)->inet_sport);
	drst_held_addr(seq, &daddr, sk->sk_dport);
	seq_printf(seq, "%02X %s %u %u %u %llx\n", READ_ONCE(sk->sk_state),
		   drst_owed_names[READ_ONCE(h->owed)], drst_hold_bytes(h),
		   jiffies_to_msecs(jiffies - h->began),
		   jiffies_to_msecs(jiffies - READ_ONCE(h->progress)),
		   (u64)atomic64_read(&sk->sk_cookie));
	return 0;
}

static const struct seq_operations drst_held_seq_ops = {
	.start	= drst_held_start,
	.next	= drst_held_next,
	.stop	= drst_held_stop,
	.show	= drst_held_show,
};

/* ---- */

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
				    drst_stat_show, NULL))
		goto free_mib;
	if (!proc_create_net("tls_drst", 0444, net->proc_net,
			     &drst_held_seq_ops, sizeof(struct seq_net_private)))
		goto remove_stat;
	return 0;

remove_stat:
	remove_proc_entry("tls_drst_stat", net->proc_net);
free_mib:
	free_percpu(dn->mib);
	return -ENOMEM;
}

/**
 * drst_stat_net_exit() - the reverse of drst_stat_net_init()
 * @net: the namespace; no connection of it is held any more
 *
 * Context: process, may sleep.
 */
void drst_stat_net_exit(struct net *net)
{
	remove_proc_entry("tls_drst", net->proc_net);
	remove_proc_entry("tls_drst_stat", net->proc_net);
	free_percpu(drst_pernet(net)->mib);
}
