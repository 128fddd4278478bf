// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of net/tls's protos and proto_ops with hooks in them.
 *
 * net/tls gives each socket one of its struct protos, by address family and by what
 * is offloaded, and one of its proto_ops. This file copies each of them when it
 * first sees a socket with it, and keeps the copy until unload. So a lockless
 * reader of sk->sk_prot or sock->ops never sees freed memory. No table of net/tls
 * or of TCP is written.
 *
 *	sk->sk_prot --> copy { hooks } --> net/tls's table --> TCP's (the base)
 *
 * This file does not know what the hooks do: hooks.c hands them in. Every copy has
 * drst_proto_setsockopt() or drst_proto_bind(), which tell a copy from another
 * table.
 *
 * Locking: sk->sk_prot is written under the socket lock and sk_callback_lock, as
 * in net/tls, and is read locklessly. drst_proto_lock covers the growth of the
 * lists of copies, which are walked under RCU.
 */
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "compat.h"
#include "proto.h"

struct drst_proto_ops {
	struct list_head list;
	const struct proto_ops *tls;
	struct proto_ops ops;
};

static LIST_HEAD(drst_protos);
static LIST_HEAD(drst_proto_ops);
static DEFINE_MUTEX(drst_proto_lock);

static const struct drst_proto_hooks *drst_proto_hooks __read_mostly;

/* TCP's own protos and what is made of them: [0] IPv4, [1] IPv6. */
static const struct proto *drst_proto_bases[2];
static struct proto drst_proto_closeless_prots[2];

/* ---- what tells a copy from another table ---- */

/**
 * drst_proto_setsockopt() - setsockopt() of every copy of a proto
 * @sk: see setsockopt() of struct proto
 * @level: likewise
 * @optname: likewise
 * @optval: likewise
 * @optlen: likewise
 *
 * Context: process, socket lock not held, may sleep.
 * Return: 0 or a negative errno.
 */
int drst_proto_setsockopt(struct sock *sk, int level, int optname,
			  sockptr_t optval, unsigned int optlen)
{
	return drst_proto_hooks->setsockopt(sk, level, optname, optval, optlen);
}

/* bind() of every copy of a proto_ops */
static int drst_proto_bind(struct socket *sock, drst_sockaddr *addr, int len)
{
	return drst_proto_hooks->bind(sock, addr, len);
}

/**
 * drst_proto_tls_ops() - net/tls's ops of a socket
 * @sock: the struct socket of a socket whose ULP is ours
 *
 * Context: any.
 * Return: the ops under our copy, or sock->ops if our copy is not on.
 */
const struct proto_ops *drst_proto_tls_ops(const struct socket *sock)
{
	const struct proto_ops *ops = READ_ONCE(sock->ops);

	if (ops->bind != drst_proto_bind)
		return ops;
	return container_of(ops, struct drst_proto_ops, ops)->tls;
}

/* ---- TCP's own ---- */

static int drst_proto_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET6;
}

static void drst_proto_no_close(struct sock *sk, long timeout)
{
}

/**
 * drst_proto_learn() - note TCP's own proto of an address family
 * @sk: a TCP socket without ULP, of IPv4 or IPv6
 *
 * Context: process; at load, before any socket's ULP is ours.
 */
void drst_proto_learn(const struct sock *sk)
{
	struct proto *closeless = &drst_proto_closeless_prots[drst_proto_family(sk)];

	drst_proto_bases[drst_proto_family(sk)] = sk->sk_prot;
	*closeless = *sk->sk_prot;
	closeless->close = drst_proto_no_close;
}

/**
 * drst_proto_base() - TCP's own proto for a socket
 * @sk: an IPv4 or IPv6 TCP socket
 *
 * Context: any.
 * Return: &tcp_prot or &tcpv6_prot.
 */
const struct proto *drst_proto_base(const struct sock *sk)
{
	return drst_proto_bases[drst_proto_family(sk)];
}

/**
 * drst_proto_closeless() - TCP's own proto, but for a close() that does nothing
 * @sk: an IPv4 or IPv6 TCP socket
 *
 * Context: any.
 * Return: the proto; it has no const, as tls_context.sk_proto has none.
 */
struct proto *drst_proto_closeless(const struct sock *sk)
{
	return &drst_proto_closeless_prots[drst_proto_family(sk)];
}

/**
 * drst_proto_set() - give a socket another proto
 * @sk: the socket
 * @prot: the proto. It is never written, though sk_prot has no const.
 *
 * Context: any, socket lock held.
 */
void drst_proto_set(struct sock *sk, const struct proto *prot)
{
	drst_sock_locked(sk);
	write_lock_bh(&sk->sk_callback_lock);
	/*
	 * A copy may be new: pairs with the dependency of each lockless reader, as
	 * sock_common_setsockopt().
	 */
	smp_store_release(&sk->sk_prot, (struct proto *)prot);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* ---- the copies ---- */

/*
 * Is this a copy of a whole table of net/tls over TCP's own proto?
 *
 * net/tls rebuilds its tables in place when a socket whose proto a sockmap has
 * replaced gets the ULP. (Since June 2026 such a socket gets no keys.)
 * Such a table does not fit other sockets; its destroy() is not TCP's. A copy made
 * during the rebuild may mix both. It then differs from the rebuilt table, or has
 * the other destroy(), and is not used.
 */
static bool drst_proto_is_whole(const struct proto *copy,
				const struct proto *tls,
				const struct proto *base)
{
	smp_rmb();	/* pairs with smp_store_release() in tls_build_proto() */
	return copy->destroy == base->destroy &&
	       copy->unhash == base->unhash &&
	       !memcmp(copy, tls, sizeof(*copy));
}

static struct drst_proto *drst_proto_copy(const struct sock *sk,
					  const struct proto *tls, bool sends)
{
	struct drst_proto *dp;

	lockdep_assert_held(&drst_proto_lock);
	dp = kzalloc(sizeof(*dp), GFP_KERNEL);
	if (!dp)
		return NULL;

	dp->tls = tls;
	memcpy(&dp->prot, tls, sizeof(*tls));
	if (!drst_proto_is_whole(&dp->prot, tls, drst_proto_base(sk))) {
		kfree(dp);
		return NULL;
	}
	dp->prot.setsockopt = drst_proto_setsockopt;
	if (sends)
		drst_proto_hooks->edit(&dp->prot);
	list_add_tail_rcu(&dp->list, &drst_protos);
	return dp;
}

static struct drst_proto *drst_proto_find(const struct proto *tls)
{
	struct drst_proto *dp;

	list_for_each_entry_rcu(dp, &drst_protos, list,
				lockdep_is_held(&drst_proto_lock)) {
		if (dp->tls == tls)
			return dp;
	}
	return NULL;
}

static const struct proto *drst_proto_get(const struct sock *sk,
					  const struct proto *tls, bool sends)
{
	struct drst_proto *dp;

	rcu_read_lock();
	dp = drst_proto_find(tls);
	rcu_read_unlock();
	if (!dp) {
		mutex_lock(&drst_proto_lock);
		dp = drst_proto_find(tls) ? : drst_proto_copy(sk, tls, sends);
		mutex_unlock(&drst_proto_lock);
	}
	return dp ? &dp->prot : NULL;
}

static struct drst_proto_ops *drst_proto_copy_ops(const struct proto_ops *tls)
{
	struct drst_proto_ops *dops;

	lockdep_assert_held(&drst_proto_lock);
	dops = kzalloc(sizeof(*dops), GFP_KERNEL);
	if (!dops)
		return NULL;

	dops->tls = tls;
	dops->ops = *tls;
	dops->ops.bind = drst_proto_bind;
	drst_proto_hooks->edit_ops(&dops->ops);
	list_add_tail_rcu(&dops->list, &drst_proto_ops);
	return dops;
}

static struct drst_proto_ops *drst_proto_find_ops(const struct proto_ops *tls)
{
	struct drst_proto_ops *dops;

	list_for_each_entry_rcu(dops, &drst_proto_ops, list,
				lockdep_is_held(&drst_proto_lock)) {
		if (dops->tls == tls)
			return dops;
	}
	return NULL;
}

static const struct proto_ops *drst_proto_get_ops(const struct proto_ops *tls)
{
	struct drst_proto_ops *dops;

	rcu_read_lock();
	dops = drst_proto_find_ops(tls);
	rcu_read_unlock();
	if (!dops) {
		mutex_lock(&drst_proto_lock);
		dops = drst_proto_find_ops(tls) ? : drst_proto_copy_ops(tls);
		mutex_unlock(&drst_proto_lock);
	}
	return dops ? &dops->ops : NULL;
}

/**
 * drst_proto_wrap() - put our copies on a socket
 * @sk: a socket that net/tls has just set up, or has changed in setsockopt()
 * @sends: it sends by kTLS, so it gets all hooks, and the proto_ops, too
 *
 * Context: process, socket lock held, may sleep.
 * Return: 0, or -ENOMEM if there is no copy. Then the socket stays as net/tls left
 * it.
 */
int drst_proto_wrap(struct sock *sk, bool sends)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);
	const struct proto_ops *ops = NULL;

	sock_owned_by_me(sk);
	if (drst_proto_is_ours(prot))
		return 0;
	if (sends) {
		ops = drst_proto_get_ops(drst_proto_tls_ops(sk->sk_socket));
		if (!ops)
			return -ENOMEM;
	}
	prot = drst_proto_get(sk, prot, sends);
	if (!prot)
		return -ENOMEM;
	drst_proto_set(sk, prot);
	if (ops)	/* pairs with the dependency of its readers, as sock_poll() */
		smp_store_release(&sk->sk_socket->ops, ops);
	return 0;
}

/**
 * drst_proto_unwrap() - take our copy of the proto off a socket for good
 * @sk: a socket that its last process closes
 *
 * Context: process, socket lock held.
 */
void drst_proto_unwrap(struct sock *sk)
{
	drst_proto_set(sk, drst_proto_tls(sk));
}

/**
 * drst_proto_init() - take the hooks
 * @hooks: what goes into the copies; the pointer is kept
 *
 * Context: process; at load, before any socket's ULP is ours.
 */
void drst_proto_init(const struct drst_proto_hooks *hooks)
{
	drst_proto_hooks = hooks;
}

/**
 * drst_proto_exit() - free the copies
 *
 * Context: process; at unload. No socket's ULP is ours any more, and no call of a
 * hook is under way.
 */
void drst_proto_exit(void)
{
	struct drst_proto *dp, *next_dp;
	struct drst_proto_ops *dops, *next_dops;

	list_for_each_entry_safe(dp, next_dp, &drst_protos, list)
		kfree(dp);
	list_for_each_entry_safe(dops, next_dops, &drst_proto_ops, list)
		kfree(dops);
}
