// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/tls_drst_stat: one line per counter, as in net/tls/tls_proc.c.
 * /proc/net/tls_drst: one line per connection that is held now.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/inet_sock.h>
#include <net/net_namespace.h>

#include "hold.h"
#include "proc.h"
#include "stat.h"

static void drst_proc_line(struct seq_file *seq, const char *name, u64 value)
{
	seq_printf(seq, "TlsDrst%-25s\t%llu\n", name, value);
}

static int drst_proc_stat_show(struct seq_file *seq, void *v)
{
	const struct net *net = seq->private;
	int i;

	drst_proc_line(seq, "CurrHeld", drst_hold_now(net, DRST_OUTBOUND));
	drst_proc_line(seq, "CurrInHeld", drst_hold_now(net, DRST_INBOUND));
	for (i = 0; i < DRST_NR_STATS; i++)
		drst_proc_line(seq, drst_stat_name(i), drst_stat_sum(net, i));
	return 0;
}

/* ---- /proc/net/tls_drst ---- */

/* The position 0 is that of the line with the names. */
static void *drst_proc_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return *pos ? drst_table_from(pos) : SEQ_START_TOKEN;
}

static void *drst_proc_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return drst_table_from(pos);
}

static void drst_proc_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static void drst_proc_addr(struct seq_file *seq, const struct in6_addr *addr,
			   __be16 port)
{
	if (ipv6_addr_v4mapped(addr))
		seq_printf(seq, "%pI4:%u ", &addr->s6_addr32[3], ntohs(port));
	else
		seq_printf(seq, "[%pI6c]:%u ", addr, ntohs(port));
}

/* The state is a number, as in /proc/net/tcp; times are in ms. */
static void drst_proc_hold(struct seq_file *seq, const struct drst_hold *h)
{
	/* In this order: none is later than now. */
	unsigned long progress = READ_ONCE(h->progress), now = jiffies;
	const struct sock *sk = h->sk;
	struct in6_addr saddr, daddr;

	drst_hold_addrs(sk, &saddr, &daddr);
	drst_proc_addr(seq, &saddr, inet_sk(sk)->inet_sport);
	drst_proc_addr(seq, &daddr, sk->sk_dport);
	seq_printf(seq, "%02X %s %u %u %u %llx\n", READ_ONCE(sk->sk_state),
		   drst_hold_cause_name(READ_ONCE(h->cause)),
		   drst_hold_bytes(h), jiffies_to_msecs(now - h->began),
		   jiffies_to_msecs(now - progress),
		   (u64)atomic64_read(&sk->sk_cookie));
}

/*
 * No lock keeps the hold from its end: what it showed meanwhile is thrown away. The
 * reference is for @sk, which RCU does not keep.
 */
static int drst_proc_show(struct seq_file *seq, void *v)
{
	struct drst_hold *h;
	int ret = SEQ_SKIP;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "local remote state cause bytes held_ms idle_ms cookie\n");
		return 0;
	}
	h = container_of(v, struct drst_hold, entry);
	if (!refcount_inc_not_zero(&h->entry.ref))
		return SEQ_SKIP;
	if (net_eq(sock_net(h->sk), seq_file_net(seq))) {
		drst_proc_hold(seq, h);
		if (drst_table_listed(&h->entry))
			ret = 0;
	}
	drst_hold_put(h);
	return ret;
}

static const struct seq_operations drst_proc_seq_ops = {
	.start	= drst_proc_start,
	.next	= drst_proc_next,
	.stop	= drst_proc_stop,
	.show	= drst_proc_show,
};

/* ---- */

static int __net_init drst_proc_net_init(struct net *net)
{
	if (!proc_create_net_single("tls_drst_stat", 0444, net->proc_net,
				    drst_proc_stat_show, NULL))
		return -ENOMEM;
	if (proc_create_net("tls_drst", 0444, net->proc_net, &drst_proc_seq_ops,
			    sizeof(struct seq_net_private)))
		return 0;
	remove_proc_entry("tls_drst_stat", net->proc_net);
	return -ENOMEM;
}

static void __net_exit drst_proc_net_exit(struct net *net)
{
	remove_proc_entry("tls_drst", net->proc_net);
	remove_proc_entry("tls_drst_stat", net->proc_net);
}

static struct pernet_operations drst_proc_net_ops = {
	.init = drst_proc_net_init,
	.exit = drst_proc_net_exit,
};

/**
 * drst_proc_init() - show the counters and the holds
 *
 * Context: process, may sleep; at load.
 * Return: 0 or a negative errno.
 */
int drst_proc_init(void)
{
	return register_pernet_subsys(&drst_proc_net_ops);
}

/**
 * drst_proc_exit() - the reverse of drst_proc_init()
 *
 * Context: process, may sleep; at unload.
 */
void drst_proc_exit(void)
{
	unregister_pernet_subsys(&drst_proc_net_ops);
}
