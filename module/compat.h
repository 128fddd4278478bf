/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions. Each is probed by Kbuild in the headers
 * that the module is built against; nothing looks at version numbers.
 */
#ifndef _TLS_DRST_COMPAT_H
#define _TLS_DRST_COMPAT_H

#include <linux/sysctl.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>
#include <net/tls.h>

/* RFC 8446 s. 5.1 and 6.1; the kernel has names for them since 6.6. */
#ifdef HAVE_TLS_PROT_H
#include <net/tls_prot.h>
#else
#define TLS_RECORD_TYPE_ALERT		21
#define TLS_ALERT_DESC_CLOSE_NOTIFY	0
#endif

/* 6.10: sk_memory_allocated() and its like moved out of net/sock.h. */
#ifdef HAVE_PROTO_MEMORY_H
#include <net/proto_memory.h>
#endif

/* 6.11: proc handlers take a const table. */
#ifdef HAVE_CONST_CTL_TABLE
#define drst_ctl_table const struct ctl_table
#else
#define drst_ctl_table struct ctl_table
#endif

/*
 * 6.6: tables are registered with their size; before, an empty entry ends
 * them. Tables handed in here have both.
 */
static inline struct ctl_table_header *
drst_register_net_sysctl(struct net *net, const char *path,
			 struct ctl_table *table, size_t size)
{
#ifdef HAVE_REGISTER_NET_SYSCTL_SZ
	return register_net_sysctl_sz(net, path, table, size);
#else
	return register_net_sysctl(net, path, table);
#endif
}

/* Until 6.5 sendfile() and splice() to a socket had a proto member of their own. */
#ifdef HAVE_PROTO_SENDPAGE
static inline int drst_inbound_sendpage(struct sock *sk, struct page *page,
					int offset, size_t size, int flags)
{
	return sk_stream_error(sk, flags, -EPIPE);
}
#endif

/* Does a socket take signed segments only (TCP-MD5; 6.7: TCP-AO)? */
static inline bool drst_has_auth(const struct sock *sk)
{
#ifdef CONFIG_TCP_MD5SIG
	if (rcu_access_pointer(tcp_sk(sk)->md5sig_info))
		return true;
#endif
#ifdef CONFIG_TCP_AO
	if (rcu_access_pointer(tcp_sk(sk)->ao_info))
		return true;
#endif
	return false;
}

/*
 * The connection of a segment, with a reference for sock_gen_put(), which can be
 * in TIME_WAIT; or NULL. In softirq, behind the routing.
 */
static inline struct sock *drst_lookup_ipv4(struct net *net,
					    struct sk_buff *skb,
					    const struct iphdr *iph,
					    const struct tcphdr *th)
{
	return __inet_lookup_established(net, net->ipv4.tcp_death_row.hashinfo,
					 iph->saddr, th->source, iph->daddr,
					 ntohs(th->dest), inet_iif(skb),
					 inet_sdif(skb));
}

#if IS_ENABLED(CONFIG_IPV6)
static inline struct sock *drst_lookup_ipv6(struct net *net,
					    struct sk_buff *skb,
					    const struct ipv6hdr *iph,
					    const struct tcphdr *th)
{
	return __inet6_lookup_established(net, net->ipv4.tcp_death_row.hashinfo,
					  &iph->saddr, th->source, &iph->daddr,
					  ntohs(th->dest), inet6_iif(skb),
					  inet6_sdif(skb));
}
#endif

#endif /* _TLS_DRST_COMPAT_H */
