// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of net/tls's protos and proto_ops with our hooks in them.
 *
 * net/tls gives each socket one of its struct protos, by address family and by
 * what is offloaded, and one of its proto_ops. Each is copied when a socket is
 * first seen with it and the copy is kept until unload, so a lockless reader of
 * sk->sk_prot or sock->ops never meets freed memory. No table of net/tls or of
 * TCP is written.
 *
 * Overridden: setsockopt (net/tls changes sk_prot there), and once TX keys are
 * installed sendmsg (to see the close_notify), shutdown, close and unhash (to see
 * a reset); of the proto_ops poll, splice_read, getname and shutdown.
 *
 * Locking: sk->sk_prot is written with the socket lock held and under
 * sk_callback_lock, as net/tls does; it is read locklessly. The list of copies
 * grows under drst_copies_lock and is walked under RCU.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "hold.h"
#include "tls_drst.h"
#include "trace.h"

/* A copy, and what it is a copy of. */
struct drst_prot {
	const struct proto *tls;
	struct proto prot;
};

struct drst_proto {
	struct list_head list;
	struct drst_prot normal;
	struct drst_prot inbound;	/* while a RST of the peer's is held */
};

struct drst_ops {
	struct list_head list;
	const struct proto_ops *tls;
	struct proto_ops ops;
};

static LIST_HEAD(drst_protos);
static LIST_HEAD(drst_proto_ops);
static DEFINE_MUTEX(drst_copies_lock);

/*
 * Calls of drst_close() under way: inside, the socket's pin on the module is
 * dropped (tcp_cleanup_ulp()), so unloading has to wait for them.
 */
static atomic_t drst_closing = ATOMIC_INIT(0);

/* TCP's own protos and what is made of them: [0] IPv4, [1] IPv6. */
static const struct proto *drst_base_prots[2];
static struct proto drst_inner_prots[2];

static int drst_setsockopt(struct sock *sk, int level, int optname,
			   sockptr_t optval, unsigned int optlen);
static void drst_close(struct sock *sk, long timeout);
static __poll_t drst_poll(struct file *file, struct socket *sock,
			  struct poll_table_struct *wait);
static struct drst_ops *drst_ops_get(const struct proto_ops *tls);

static void drst_proto_set(struct sock *sk, struct proto *prot)
{
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_prot, prot);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* tls_sk_proto_close() ends here where TCP is to go on: see below. */
static void drst_inner_close(struct sock *sk, long timeout)
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
	int family = sk->sk_family == AF_INET6;

	drst_base_prots[family] = sk->sk_prot;
	drst_inner_prots[family] = *sk->sk_prot;
	drst_inner_prots[family].close = drst_inner_close;
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
	return drst_base_prots[sk->sk_family == AF_INET6];
}

/**
 * drst_proto_teardown() - take net/tls off a connection, leave TCP as it is
 * @sk: a connection with our hooks on that no process has open any more
 *
 * tls_sk_proto_close() frees net/tls's side and then calls close() of the proto
 * that net/tls has saved as the one below it; that is ours, once.
 *
 * Context: process, socket lock held at entry and exit, not in between; may sleep.
 * The callbacks sk_data_ready and sk_write_space are those from before net/tls
 * afterwards.
 */
void drst_proto_teardown(struct sock *sk)
{
	const struct proto *tls = drst_proto_tls(sk);

	tls_get_ctx(sk)->sk_proto =
		&drst_inner_prots[sk->sk_family == AF_INET6];
	release_sock(sk);

	tls->close(sk, 0);

	lock_sock(sk);
	drst_proto_set(sk, (struct proto *)drst_proto_base(sk));
}

/**
 * drst_proto_tls() - net/tls's proto of a socket
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 * Return: the proto under our hooks, or sk->sk_prot where they are not on.
 */
const struct proto *drst_proto_tls(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

	if (prot->setsockopt != drst_setsockopt)
		return prot;
	return container_of(prot, struct drst_prot, prot)->tls;
}

/**
 * drst_proto_is_ours() - are all our hooks on a socket?
 * @sk: any full socket
 *
 * Context: any.
 * Return: true if TX keys are installed and the socket is for us.
 */
bool drst_proto_is_ours(const struct sock *sk)
{
	return sk_fullsock(sk) && READ_ONCE(sk->sk_prot)->close == drst_close;
}

/**
 * drst_notified() - has a socket accepted a close_notify to send?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * Context: any.
 */
bool drst_notified(const struct sock *sk)
{
	return test_bit(DRST_NOTIFIED, &tls_get_ctx(sk)->flags);
}

/*
 * Is this an alert record of close_notify (RFC 8446 s. 6.1, RFC 5246
 * s. 7.2.1)? Of several record types in a message net/tls takes the last.
 */
static bool drst_is_close_notify(struct msghdr *msg, size_t size)
{
	struct iov_iter iter = msg->msg_iter;
	u8 type = TLS_RECORD_TYPE_DATA;
	struct cmsghdr *cmsg;
	u8 alert[2];

	if (size != sizeof(alert))
		return false;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return false;
		if (cmsg->cmsg_level == SOL_TLS &&
		    cmsg->cmsg_type == TLS_SET_RECORD_TYPE &&
		    cmsg->cmsg_len >= CMSG_LEN(sizeof(type)))
			type = *(u8 *)CMSG_DATA(cmsg);
	}
	return type == TLS_RECORD_TYPE_ALERT &&
	       copy_from_iter(alert, sizeof(alert), &iter) == sizeof(alert) &&
	       alert[1] == TLS_ALERT_DESC_CLOSE_NOTIFY;
}

/* Not inlined: its stack frame would cost every other sendmsg(), too. */
static noinline int drst_sendmsg_control(struct sock *sk, struct msghdr *msg,
					 size_t size, const struct proto *tls)
{
	bool notify = drst_is_close_notify(msg, size);
	int ret;

	ret = tls->sendmsg(sk, msg, size);
	if (notify && ret > 0) {
		set_bit(DRST_NOTIFIED, &tls_get_ctx(sk)->flags);
		drst_stat_inc(sock_net(sk), DRST_STAT_CLOSE_NOTIFY);
		trace_tls_drst_notify(sk);
	}
	return ret;
}

static int drst_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	const struct proto *tls = drst_proto_tls(sk);

	if (likely(!msg->msg_controllen))
		return tls->sendmsg(sk, msg, size);
	return drst_sendmsg_control(sk, msg, size, tls);
}

/* inet_shutdown() calls this with the socket lock held. */
static void drst_shutdown(struct sock *sk, int how)
{
	drst_proto_tls(sk)->shutdown(sk, how);
	drst_hold_shutdown(sk);
}

/* tcp_set_state() calls this on the way to TCP_CLOSE. */
static void drst_unhash(struct sock *sk)
{
	drst_proto_tls(sk)->unhash(sk);
	drst_inbound_reset(sk);
}

static void drst_close(struct sock *sk, long timeout)
{
	const struct proto *tls = drst_proto_tls(sk);

	atomic_inc(&drst_closing);
	if (!drst_hold_close(sk, timeout))
		tls->close(sk, timeout);
	if (atomic_dec_and_test(&drst_closing))
		wake_up_var(&drst_closing);
}

static int drst_setsockopt(struct sock *sk, int level, int optname,
			   sockptr_t optval, unsigned int optlen)
{
	int err;

	err = drst_proto_tls(sk)->setsockopt(sk, level, optname, optval,
					     optlen);
	if (level == SOL_TLS && !err) {
		lock_sock(sk);
		drst_proto_wrap(sk);
		drst_hold_rewrap(sk);
		release_sock(sk);
	}
	return err;
}

/*
 * net/tls rebuilds its tables in place when it meets a socket that a sockmap
 * has been at. A copy of such a table is of no use for other sockets; TCP's
 * own destroy tells them apart.
 */
static struct drst_proto *drst_proto_copy(const struct sock *sk,
					  const struct proto *tls, bool tx)
{
	struct drst_proto *dp;

	dp = kzalloc(sizeof(*dp), GFP_KERNEL);
	if (!dp)
		return NULL;

	dp->normal.tls = tls;
	dp->normal.prot = *tls;
	if (dp->normal.prot.destroy != drst_proto_base(sk)->destroy) {
		kfree(dp);
		return NULL;
	}
	dp->normal.prot.setsockopt = drst_setsockopt;
	if (tx) {
		dp->normal.prot.sendmsg = drst_sendmsg;
		dp->normal.prot.shutdown = drst_shutdown;
		dp->normal.prot.close = drst_close;
		dp->normal.prot.unhash = drst_unhash;
	}
	dp->inbound = dp->normal;
	dp->inbound.prot.recvmsg = drst_inbound_recvmsg_addr;
	dp->inbound.prot.sendmsg = drst_inbound_sendmsg;
#ifdef HAVE_PROTO_SENDPAGE
	dp->inbound.prot.sendpage = drst_inbound_sendpage;
#endif
	dp->inbound.prot.disconnect = drst_inbound_disconnect;
	return dp;
}

static struct proto *drst_proto_find(const struct proto *tls)
{
	struct drst_proto *dp;

	list_for_each_entry_rcu(dp, &drst_protos, list,
				lockdep_is_held(&drst_copies_lock)) {
		if (dp->normal.tls == tls)
			return &dp->normal.prot;
	}
	return NULL;
}

static struct proto *drst_proto_get(const struct sock *sk,
				    const struct proto *tls, bool tx)
{
	struct drst_proto *dp;
	struct proto *prot;

	rcu_read_lock();
	prot = drst_proto_find(tls);
	rcu_read_unlock();
	if (prot)
		return prot;

	mutex_lock(&drst_copies_lock);
	prot = drst_proto_find(tls);
	if (!prot) {
		dp = drst_proto_copy(sk, tls, tx);
		if (dp) {
			list_add_tail_rcu(&dp->list, &drst_protos);
			prot = &dp->normal.prot;
		}
	}
	mutex_unlock(&drst_copies_lock);
	return prot;
}

/**
 * drst_proto_wrap() - put our hooks on a socket
 * @sk: a socket that net/tls has just set up, or has changed in setsockopt()
 *
 * A socket that is not for us stays as net/tls left it, as does one for which
 * there is no memory: it behaves as without this module. Not for us are the
 * kernel's own sockets, MPTCP's, those of a sockmap (TCP's proto is not at the
 * base) and those whose records a TOE makes.
 *
 * Context: process, socket lock held, may sleep.
 */
void drst_proto_wrap(struct sock *sk)
{
	const struct proto *tls = READ_ONCE(sk->sk_prot);
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct drst_ops *dops = NULL;
	struct proto *prot;

	if (tls->setsockopt == drst_setsockopt)
		return;
	if (!ctx || ctx->sk_proto != drst_proto_base(sk) || drst_has_toe(ctx))
		return;
	if (sk->sk_kern_sock || sk_is_mptcp(sk))
		return;

	if (ctx->tx_conf != TLS_BASE) {
		dops = drst_ops_get(drst_ops_tls(sk->sk_socket));
		if (!dops)
			return;
	}
	prot = drst_proto_get(sk, tls, ctx->tx_conf != TLS_BASE);
	if (!prot)
		return;
	drst_proto_set(sk, prot);
	if (dops)
		WRITE_ONCE(sk->sk_socket->ops, &dops->ops);
}

/**
 * drst_proto_unwrap() - take our hooks off a socket for good
 * @sk: a socket that its last process closes, and that is not held
 *
 * From here to sock_orphan() the socket lock is free twice: a RST that came
 * meanwhile is not to be held, as nobody would end that hold.
 *
 * Context: process, socket lock held.
 */
void drst_proto_unwrap(struct sock *sk)
{
	drst_proto_set(sk, (struct proto *)drst_proto_tls(sk));
}

/**
 * drst_ops_tls() - net/tls's ops of a socket
 * @sock: the struct socket of a socket whose ULP is ours
 *
 * Context: any.
 * Return: the ops under ours, or sock->ops where ours are not on.
 */
const struct proto_ops *drst_ops_tls(const struct socket *sock)
{
	const struct proto_ops *ops = READ_ONCE(sock->ops);

	if (ops->poll != drst_poll)
		return ops;
	return container_of(ops, struct drst_ops, ops)->tls;
}

/*
 * Is there a hold that a poll() is to know of? Its beginning and its end change
 * sk_shutdown, which net/tls's poll() looks at: see drst_poll().
 */
static bool drst_poll_has_hold(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state_change) == drst_state_change;
}

/* A poll() under way when a hold begins must not tell of it, either. */
static __poll_t drst_poll(struct file *file, struct socket *sock,
			  struct poll_table_struct *wait)
{
	const struct proto_ops *ops = drst_ops_tls(sock);
	struct sock *sk = sock->sk;
	bool had_hold = drst_poll_has_hold(sk);
	__poll_t mask;

	mask = ops->poll(file, sock, wait);
	smp_rmb();	/* what it saw of a hold, we see, too */
	if (unlikely(mask & EPOLLERR) && drst_inbound_coming(sk))
		mask &= ~EPOLLERR;
	if (likely(!had_hold && !drst_poll_has_hold(sk)))
		return mask;
	if (!drst_hold_poll(sk, &mask))
		mask = ops->poll(file, sock, NULL);	/* it is over */
	return mask;
}

static ssize_t drst_splice_read(struct socket *sock, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags)
{
	const struct proto_ops *ops = drst_ops_tls(sock);

	if (unlikely(drst_poll_has_hold(sock->sk)))
		return drst_inbound_splice_read(sock, ppos, pipe, len, flags);
	return ops->splice_read(sock, ppos, pipe, len, flags);
}

/* Does a reset of the peer's wait for the application? */
static bool drst_proto_is_inbound(const struct sock *sk)
{
	return READ_ONCE(sk->sk_prot)->sendmsg == drst_inbound_sendmsg;
}

/* The application does not know yet that TCP has closed the connection. */
static int drst_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	/* inet_getname() looks at the state for 1 only. */
	if (peer && drst_proto_is_inbound(sock->sk))
		peer = 2;
	return drst_ops_tls(sock)->getname(sock, addr, peer);
}

static int drst_sock_shutdown(struct socket *sock, int how)
{
	int err = drst_ops_tls(sock)->shutdown(sock, how);

	return err == -ENOTCONN && drst_proto_is_inbound(sock->sk) ? 0 : err;
}

static struct drst_ops *drst_ops_find(const struct proto_ops *tls)
{
	struct drst_ops *dops;

	list_for_each_entry_rcu(dops, &drst_proto_ops, list,
				lockdep_is_held(&drst_copies_lock)) {
		if (dops->tls == tls)
			return dops;
	}
	return NULL;
}

static struct drst_ops *drst_ops_copy(const struct proto_ops *tls)
{
	struct drst_ops *dops;

	dops = kzalloc(sizeof(*dops), GFP_KERNEL);
	if (!dops)
		return NULL;

	dops->tls = tls;
	dops->ops = *tls;
	dops->ops.poll = drst_poll;
	dops->ops.getname = drst_getname;
	dops->ops.shutdown = drst_sock_shutdown;
	if (tls->splice_read)
		dops->ops.splice_read = drst_splice_read;
	list_add_tail_rcu(&dops->list, &drst_proto_ops);
	return dops;
}

static struct drst_ops *drst_ops_get(const struct proto_ops *tls)
{
	struct drst_ops *dops;

	rcu_read_lock();
	dops = drst_ops_find(tls);
	rcu_read_unlock();
	if (dops)
		return dops;

	mutex_lock(&drst_copies_lock);
	dops = drst_ops_find(tls);
	if (!dops)
		dops = drst_ops_copy(tls);
	mutex_unlock(&drst_copies_lock);
	return dops;
}

/**
 * drst_proto_inbound() - let reads and writes go by inbound.c
 * @sk: a socket that has a struct socket of user space
 *
 * Context: any, socket lock held.
 * Return: 0, or -ENOMEM where our hooks are not on.
 */
int drst_proto_inbound(struct sock *sk)
{
	struct drst_proto *dp;

	/* Without memory for a copy a socket stays as net/tls left it. */
	if (!drst_proto_is_ours(sk))
		return -ENOMEM;
	if (drst_proto_is_inbound(sk))
		return 0;
	dp = container_of(sk->sk_prot, struct drst_proto, normal.prot);
	drst_proto_set(sk, &dp->inbound.prot);
	return 0;
}

/**
 * drst_proto_normal() - the reverse of drst_proto_inbound()
 * @sk: the socket
 *
 * Context: any, socket lock held.
 */
void drst_proto_normal(struct sock *sk)
{
	struct drst_proto *dp;

	if (!drst_proto_is_inbound(sk))
		return;
	dp = container_of(sk->sk_prot, struct drst_proto, inbound.prot);
	drst_proto_set(sk, &dp->normal.prot);
}

/**
 * drst_proto_exit() - wait for the last close() and free the copies
 *
 * Context: process, may sleep; no socket's ULP is ours any more.
 */
void drst_proto_exit(void)
{
	struct drst_proto *dp, *next_dp;
	struct drst_ops *dops, *next_dops;

	wait_var_event(&drst_closing, !atomic_read(&drst_closing));
	/* The last one has still to return from drst_close(). */
	synchronize_rcu_tasks();

	list_for_each_entry_safe(dp, next_dp, &drst_protos, list)
		kfree(dp);
	list_for_each_entry_safe(dops, next_dops, &drst_proto_ops, list)
		kfree(dops);
}
