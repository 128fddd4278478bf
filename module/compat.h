/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions and configurations. Kbuild probes the
 * versions' in the headers that the module is built against; nothing looks at
 * version numbers. What is here calls the kernel only.
 */
#ifndef _TLS_DRST_COMPAT_H
#define _TLS_DRST_COMPAT_H

#include <linux/sysctl.h>
#include <net/tcp.h>
#include <net/tls.h>

/* sock_owned_by_me() for softirq, too. Without lockdep there is no lockdep_sock_is_held(). */
static inline void drst_sock_locked(const struct sock *sk)
{
#ifdef CONFIG_LOCKDEP
	WARN_ON_ONCE(!lockdep_sock_is_held(sk) && debug_locks);
#endif
}

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

/* 6.19: bind() takes an address of which only the length is known. */
#ifdef HAVE_SOCKADDR_UNSIZED
#define drst_sockaddr struct sockaddr_unsized
#else
#define drst_sockaddr struct sockaddr
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
static inline void
drst_set_sendpage(struct proto *prot,
		  int (*sendpage)(struct sock *sk, struct page *page,
				  int offset, size_t size, int flags))
{
#ifdef HAVE_PROTO_SENDPAGE
	prot->sendpage = sendpage;
#endif
}

static inline int drst_sendpage(const struct proto *prot, struct sock *sk,
				struct page *page, int offset, size_t size,
				int flags)
{
#ifdef HAVE_PROTO_SENDPAGE
	return prot->sendpage(sk, page, offset, size, flags);
#else
	return -EOPNOTSUPP;
#endif
}

/* Until 7.x a TOE could make the records. */
static inline bool drst_has_toe(const struct tls_context *ctx)
{
#ifdef HAVE_TLS_TOE
	return ctx->tx_conf == TLS_HW_RECORD;
#else
	return false;
#endif
}

/* 6.7: IP socket options became bits. */
static inline void drst_forget_recverr(struct sock *sk)
{
#ifdef inet_clear_bit
	inet_clear_bit(RECVERR, sk);
	inet_clear_bit(RECVERR6, sk);
#else
	inet_sk(sk)->recverr = 0;
#if IS_ENABLED(CONFIG_IPV6)
	if (inet6_sk(sk))
		inet6_sk(sk)->recverr = 0;
#endif
#endif
}

#endif /* _TLS_DRST_COMPAT_H */
