// SPDX-License-Identifier: GPL-2.0
/*
 * What each overridden member of net/tls's tables does, and which file it asks. No
 * other file knows them all.
 *
 *	struct proto		why				asks
 *	  setsockopt		net/tls changes sk_prot there	proto.c
 *	  sendmsg		to see the close_notify		ktls.c, calls.c
 *	  sendpage (till 6.5)	an error was told		calls.c
 *	  getsockopt		TCP_INFO while a reset is held	calls.c
 *	  close			a hold can begin		outbound.c
 *	  unhash		TCP resets: a hold can begin	inbound.c
 *	struct proto_ops
 *	  recvmsg, splice_read	data before the reset		calls.c
 *	  poll, getname,	a reset that is held does not	calls.c
 *	  shutdown, bind	show
 *
 * A socket that has only our ULP, or receives only, has setsockopt alone. For a
 * sender sk_user_data tells whether there is anything to do: a hold sets it, and so
 * does a kernel user of the socket.
 */
#include <linux/bpf-cgroup.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/srcu.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "calls.h"
#include "compat.h"
#include "hooks.h"
#include "inbound.h"
#include "ktls.h"
#include "outbound.h"
#include "policy.h"
#include "proto.h"
#include "stat.h"
#include "tcp.h"
#include "trace.h"

/*
 * Calls of drst_hooks_close() under way. Inside, tcp_cleanup_ulp() drops the
 * socket's pin on the module, so unloading has to wait for them.
 */
DEFINE_STATIC_SRCU(drst_hooks_closing);

static bool drst_hooks_owned(const struct sock *sk)
{
	return rcu_access_pointer(__sk_user_data(sk));
}

/* ---- sending ---- */

/*
 * Is this an alert record of close_notify (RFC 8446 s. 6.1, RFC 5246
 * s. 7.2.1)? Of several record types in a message net/tls takes the last.
 */
static bool drst_hooks_is_close_notify(struct msghdr *msg, size_t size)
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

static void drst_hooks_notified(struct sock *sk)
{
	drst_ktls_set_notified(sk);
	drst_stat_inc(sock_net(sk), DRST_STAT_CLOSE_NOTIFY);
	trace_tls_drst_notify(sk);
}

/* Not inlined, as drst_hooks_sendmsg_slow() */
static noinline int drst_hooks_not_sent(struct sock *sk, int err)
{
	drst_calls_send_late(sk, err);
	return err;
}

static int drst_hooks_sent(struct sock *sk, int ret)
{
	return likely(ret >= 0) ? ret : drst_hooks_not_sent(sk, ret);
}

/*
 * A control message, or sk_user_data is set. A process's data is in user memory.
 * The kernel's own alerts are in kernel memory (tls_alert_send()). Not inlined: the
 * stack frame would cost every other sendmsg(), too.
 */
static noinline int drst_hooks_sendmsg_slow(struct sock *sk, struct msghdr *msg,
					    size_t size)
{
	bool notify;
	int ret;

	if (drst_inbound_held(sk))
		return drst_calls_sendmsg(sk, msg, size);
	notify = msg->msg_controllen && drst_hooks_is_close_notify(msg, size);
	if (drst_hooks_owned(sk) ||
	    (notify && !user_backed_iter(&msg->msg_iter))) {
		drst_ktls_set_kernels(sk);
		notify = false;
	}

	ret = drst_proto_tls(sk)->sendmsg(sk, msg, size);
	if (notify && ret > 0)
		drst_hooks_notified(sk);
	return drst_hooks_sent(sk, ret);
}

static int drst_hooks_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	if (likely(!msg->msg_controllen && !drst_hooks_owned(sk)))
		return drst_hooks_sent(sk, drst_proto_tls(sk)->sendmsg(sk, msg,
								       size));
	return drst_hooks_sendmsg_slow(sk, msg, size);
}

static int drst_hooks_sendpage(struct sock *sk, struct page *page, int offset,
			       size_t size, int flags)
{
	if (unlikely(drst_inbound_held(sk)))
		return drst_calls_sendpage(sk, page, offset, size, flags);
	return drst_hooks_sent(sk, drst_sendpage(drst_proto_tls(sk), sk, page,
						 offset, size, flags));
}

/* ---- receiving ---- */

static int drst_hooks_recvmsg(struct socket *sock, struct msghdr *msg,
			      size_t len, int flags)
{
	size_t controllen = msg->msg_controllen;
	int ret;

	if (unlikely(drst_inbound_held(sock->sk)))
		return drst_calls_recvmsg(sock, msg, len, flags);
	ret = drst_proto_tls_ops(sock)->recvmsg(sock, msg, len, flags);
	if (unlikely(!ret || drst_inbound_held(sock->sk)))
		ret = drst_calls_recvmsg_late(sock, msg, controllen, len, flags,
					      ret);
	return ret;
}

static ssize_t drst_hooks_splice_read(struct socket *sock, loff_t *ppos,
				      struct pipe_inode_info *pipe, size_t len,
				      unsigned int flags)
{
	ssize_t ret;

	if (unlikely(drst_inbound_held(sock->sk)))
		return drst_calls_splice_read(sock, ppos, pipe, len, flags);
	ret = drst_proto_tls_ops(sock)->splice_read(sock, ppos, pipe, len,
						    flags);
	if (unlikely(!ret || drst_inbound_held(sock->sk)))
		ret = drst_calls_splice_read_late(sock, ppos, pipe, len, flags,
						  ret);
	return ret;
}

/*
 * net/tls's poll() reads fields that change when a hold begins and ends. A poll()
 * under way when a hold begins must not report the reset.
 */
static __poll_t drst_hooks_poll(struct file *file, struct socket *sock,
				struct poll_table_struct *wait)
{
	const struct proto_ops *ops = drst_proto_tls_ops(sock);
	struct sock *sk = sock->sk;
	bool had_hold = drst_inbound_held(sk);
	__poll_t mask;

	mask = ops->poll(file, sock, wait);
	smp_rmb();	/* pairs with smp_wmb() in drst_inbound_start() */
	if (unlikely(mask & EPOLLERR) && drst_tcp_reset_coming(sk) &&
	    skb_queue_empty_lockless(&sk->sk_error_queue))
		mask &= ~EPOLLERR;
	if (likely(!had_hold && !drst_inbound_held(sk)))
		return mask;
	if (!drst_calls_poll(sk, &mask))
		mask = ops->poll(file, sock, NULL);	/* it is over */
	return mask;
}

/* ---- options, names, shutdown() ---- */

static int drst_hooks_setsockopt(struct sock *sk, int level, int optname,
				 sockptr_t optval, unsigned int optlen)
{
	int err;

	err = drst_proto_tls(sk)->setsockopt(sk, level, optname, optval,
					     optlen);
	if (err || (level != SOL_TLS && !drst_inbound_held(sk)))
		return err;

	lock_sock(sk);
	/*
	 * The kernel gives keys to its own sockets from its own memory. So does a BPF
	 * program of a cgroup that looks at a process's setsockopt().
	 */
	if (level == SOL_TLS && (!sockptr_is_kernel(optval) ||
				 cgroup_bpf_enabled(CGROUP_SETSOCKOPT)))
		drst_hooks_wrap(sk);
	if (drst_proto_is_ours(READ_ONCE(sk->sk_prot)))
		drst_inbound_look(sk);	/* TCP_REPAIR ends a hold */
	else
		drst_inbound_lose(sk);
	release_sock(sk);
	return 0;
}

/* TCP_INFO begins with the state, which is a byte. */
static int drst_hooks_hide_state(struct sock *sk, char __user *optval,
				 int __user *optlen)
{
	int len;

	BUILD_BUG_ON(offsetof(struct tcp_info, tcpi_state));
	if (get_user(len, optlen))
		return -EFAULT;
	if (len > 0 && put_user((u8)drst_calls_state(sk), (u8 __user *)optval))
		return -EFAULT;
	return 0;
}

static int drst_hooks_getsockopt(struct sock *sk, int level, int optname,
				 char __user *optval, int __user *optlen)
{
	int err;

	err = drst_proto_tls(sk)->getsockopt(sk, level, optname, optval,
					     optlen);
	if (likely(!drst_inbound_held(sk)) || err || level != SOL_TCP)
		return err;
	if (optname == TCP_INFO)
		return drst_hooks_hide_state(sk, optval, optlen);
	drst_inbound_check(sk);	/* TCP_ZEROCOPY_RECEIVE reads */
	return 0;
}

/* The process does not know yet that TCP has closed the connection. */
static int drst_hooks_getname(struct socket *sock, struct sockaddr *addr,
			      int peer)
{
	int err = drst_proto_tls_ops(sock)->getname(sock, addr, peer);

	/* inet_getname() looks at the state for 1 only. */
	if (err == -ENOTCONN && drst_inbound_held(sock->sk))
		err = drst_proto_tls_ops(sock)->getname(sock, addr, 2);
	return err;
}

/* A connected socket is bound, though TCP_CLOSE has released its port. */
static int drst_hooks_bind(struct socket *sock, drst_sockaddr *addr, int len)
{
	if (drst_inbound_held(sock->sk))
		return -EINVAL;
	return drst_proto_tls_ops(sock)->bind(sock, addr, len);
}

static int drst_hooks_shutdown(struct socket *sock, int how)
{
	int err = drst_proto_tls_ops(sock)->shutdown(sock, how);

	if (err != -ENOTCONN || !drst_inbound_held(sock->sk))
		return err;
	/* inet_shutdown() maps SHUT_RD, SHUT_WR and SHUT_RDWR like this. */
	drst_calls_shutdown(sock->sk, how + 1);
	return 0;
}

/* ---- the end of a connection ---- */

/* tcp_set_state() calls this on the way to TCP_CLOSE. */
static void drst_hooks_unhash(struct sock *sk)
{
	drst_proto_tls(sk)->unhash(sk);
	drst_inbound_begin(sk);
}

static void drst_hooks_close(struct sock *sk, long timeout)
{
	const struct proto *tls = drst_proto_tls(sk);
	int closing = srcu_read_lock(&drst_hooks_closing);

	lock_sock(sk);
	drst_inbound_close(sk);
	if (!drst_outbound_close_unlock(sk, timeout))
		tls->close(sk, timeout);
	srcu_read_unlock(&drst_hooks_closing, closing);
}

/* ---- the tables ---- */

static void drst_hooks_edit(struct proto *prot)
{
	prot->sendmsg = drst_hooks_sendmsg;
	drst_set_sendpage(prot, drst_hooks_sendpage);
	prot->getsockopt = drst_hooks_getsockopt;
	prot->close = drst_hooks_close;
	prot->unhash = drst_hooks_unhash;
}

static void drst_hooks_edit_ops(struct proto_ops *ops)
{
	ops->poll = drst_hooks_poll;
	ops->recvmsg = drst_hooks_recvmsg;
	ops->getname = drst_hooks_getname;
	ops->shutdown = drst_hooks_shutdown;
	if (ops->splice_read)
		ops->splice_read = drst_hooks_splice_read;
}

static const struct drst_proto_hooks drst_hooks = {
	.setsockopt	= drst_hooks_setsockopt,
	.bind		= drst_hooks_bind,
	.edit		= drst_hooks_edit,
	.edit_ops	= drst_hooks_edit_ops,
};

/**
 * drst_hooks_wrap() - put our hooks on a socket if drst_policy_hooks() allows it
 * @sk: a socket that net/tls has just set up, or has changed in setsockopt()
 *
 * Without memory the socket stays as net/tls left it, and behaves as without this
 * module.
 *
 * Context: process, socket lock held, may sleep.
 */
void drst_hooks_wrap(struct sock *sk)
{
	if (drst_policy_hooks(sk))
		drst_proto_wrap(sk, drst_ktls_sends(sk));
}

/**
 * drst_hooks_init() - hand the hooks to the tables
 *
 * Context: process; at load, before any socket's ULP is ours.
 */
void drst_hooks_init(void)
{
	drst_proto_init(&drst_hooks);
}

/**
 * drst_hooks_flush() - wait until no call of a hook is under way
 *
 * Context: process, may sleep; at unload, when no socket's ULP is ours.
 */
void drst_hooks_flush(void)
{
	synchronize_srcu(&drst_hooks_closing);
	/*
	 * The last one has still to return from drst_hooks_close(). (A preemptible
	 * kernel without tracing and BPF has no better than synchronize_rcu() there.)
	 */
	synchronize_rcu_tasks();
	/* and others, in softirq, from drst_inbound_error_report(). */
	synchronize_rcu();
}
