// SPDX-License-Identifier: GPL-2.0
/*
 * The inbound hold: the peer's RST ends the connection at once, but the process
 * learns of it when it has read what arrived before (z/VM PH01192).
 *
 *	tcp_reset() ----> HELD ----> OVER
 *	  in unhash()		all is read | a limit strikes | close()
 *
 * HELD	TCP has closed the connection, as it always does. The receive queue is still
 *	there, and the error is in sk_err. send() and SO_ERROR give it once. poll()
 *	does not show it, and net/tls's readers do not see it. The error queue works
 *	as in vanilla.
 * OVER	The process sees what tcp_reset() left, unless a call took the error.
 *
 * The hold begins in the unhash() of our protos. tcp_set_state() calls it on the
 * way to TCP_CLOSE: sk_err is set already, sk_state and sk_shutdown are still those
 * from before the reset.
 *
 * What a process sees, and what arranges it:
 *   poll()	drst_calls_poll() leaves ERR, HUP and RDHUP out
 *   recv()	TCP's gives data before the error. net/tls's may look at sk_err
 *		first, so the error is in struct drst_inbound while it runs
 *   send()	gives the error, once; EPIPE after that
 *   SIGIO,	tcp_reset() calls sk_error_report() once at its end; that call is
 *   io_uring	kept for the end of the hold
 *
 * Contexts: a hold begins where TCP takes the RST, in softirq or, from the backlog,
 * in release_sock(). It ends in process context.
 *
 * Locking: the socket lock covers struct drst_inbound. Any ending outside the work
 * queues the work, which drops the only reference. drst_hooks_poll() reads without
 * the lock, so the order of writes matters: the hold is ready, then sk_state_change
 * shows it, then TCP changes sk_state and sk_shutdown.
 */
#include <linux/slab.h>
#include <net/tcp.h>

#include "compat.h"
#include "hold.h"
#include "inbound.h"
#include "ktls.h"
#include "policy.h"
#include "tcp.h"

static void drst_inbound_work(struct work_struct *work);

static const struct drst_hold_kind drst_inbound_kind = {
	.direction	= DRST_INBOUND,
	.size		= sizeof(struct drst_inbound),
	.work		= drst_inbound_work,
	.bytes		= drst_tcp_unread_bytes,
	.held		= DRST_STAT_IN_HELD,
	.over_limit	= DRST_STAT_IN_OVER_LIMIT,
	.memory		= DRST_STAT_IN_MEMORY,
};

/**
 * drst_inbound_of() - the inbound hold of a socket
 * @sk: any TCP socket
 *
 * Context: socket lock held, by this task or by softirq.
 * Return: the hold or NULL.
 */
struct drst_inbound *drst_inbound_of(const struct sock *sk)
{
	return drst_hold_of(sk, drst_inbound_state_change);
}

/*
 * Wake the calls that wait, as none will get more: recv(), send(). Of those that poll,
 * wake only those that learn something: room to send, or less data than SO_RCVLOWAT.
 * EPOLLMSG is nobody's: a wakeup without a key would be for all.
 */
static void drst_inbound_wake_calls(struct sock *sk)
{
	__poll_t key = EPOLLMSG;
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	/* Its barrier pairs with that of tcp_poll() behind SOCK_NOSPACE. */
	if (skwq_has_sleeper(wq)) {
		if (test_bit(SOCK_NOSPACE, &sk->sk_socket->flags))
			key |= EPOLLOUT | EPOLLWRNORM;
		if (sk->sk_rcvlowat > 1)
			key |= EPOLLIN | EPOLLRDNORM;
		wake_up_interruptible_poll(&wq->wait, key);
	}
	rcu_read_unlock();
}

/**
 * drst_inbound_state_change() - sk_state_change of a socket whose reset is held
 * @sk: the socket
 *
 * The first call is tcp_done()'s. Others are of shutdown().
 *
 * Context: socket lock held, by this task or by softirq.
 */
void drst_inbound_state_change(struct sock *sk)
{
	struct drst_inbound *in = drst_inbound_of(sk);

	if (in->kept_wakeup) {
		in->hold.state_change(sk);
		return;
	}
	in->kept_wakeup = true;
	drst_inbound_wake_calls(sk);
}

/*
 * sk_error_report of a socket whose reset is held. The first call is that of
 * tcp_reset(), and is kept for the end of the hold. Later calls are passed on if
 * the error queue has a message, or net/tls an error of its own. If such a call comes
 * first, it is kept, and that of tcp_reset() is passed on in its place. Not all callers
 * have the socket lock: RCU keeps the hold.
 */
static void drst_inbound_error_report(struct sock *sk)
{
	struct drst_inbound *in;

	rcu_read_lock();
	smp_rmb();	/* pairs with smp_store_release() in drst_inbound_start() */
	in = rcu_dereference(__sk_user_data(sk));
	if (!in) {
		smp_rmb();	/* pairs with smp_wmb() in drst_inbound_end() */
		sk->sk_error_report(sk);
	} else if (atomic_xchg(&in->kept_report, 1) &&
		   (!skb_queue_empty_lockless(&sk->sk_error_queue) ||
		    drst_inbound_other_error(sk))) {
		in->error_report(sk);
	}
	rcu_read_unlock();
}

/* ---- the error ---- */

/**
 * drst_inbound_undelivered() - is there something for the process to read?
 * @sk: a socket whose ULP is ours
 *
 * Context: any, socket lock held.
 */
bool drst_inbound_undelivered(const struct sock *sk)
{
	return drst_ktls_receives(sk) ? drst_ktls_record_ready(sk) :
					drst_tcp_unread(sk);
}

/**
 * drst_inbound_other_error() - has a socket an error that is not the reset's?
 * @sk: the socket
 *
 * Context: any.
 */
bool drst_inbound_other_error(const struct sock *sk)
{
	int err = READ_ONCE(sk->sk_err);

	return err && err != ECONNRESET && err != EPIPE;
}

/**
 * drst_inbound_hide_error() - a reader of net/tls is about to run
 * @in: the hold
 *
 * TCP's recvmsg() gives all data before the error. That of net/tls does not
 * (tls_rx_rec_wait()), so it must not see the error.
 *
 * Context: process, socket lock held.
 */
void drst_inbound_hide_error(struct drst_inbound *in)
{
	struct sock *sk = in->hold.sk;

	sock_owned_by_me(sk);
	in->hidden = true;
	in->err = xchg(&sk->sk_err, 0);	/* SO_ERROR takes no lock */
}

/**
 * drst_inbound_show_error() - the reader has run, or the hold is over
 * @in: the hold
 *
 * If net/tls has set an error meanwhile, that error stays; but the EPIPE of a sender
 * that TCP refuses is a consequence of the reset.
 *
 * Context: process, socket lock held.
 */
void drst_inbound_show_error(struct drst_inbound *in)
{
	struct sock *sk = in->hold.sk;

	sock_owned_by_me(sk);
	if (in->err && (!sk->sk_err || sk->sk_err == EPIPE))
		WRITE_ONCE(sk->sk_err, in->err);
	in->err = 0;
	in->hidden = false;
}

/**
 * drst_inbound_told() - has a call told the process of the reset?
 * @in: the hold
 *
 * Context: process, socket lock held.
 */
bool drst_inbound_told(const struct drst_inbound *in)
{
	sock_owned_by_me(in->hold.sk);
	return !in->err && !READ_ONCE(in->hold.sk->sk_err);
}

/**
 * drst_inbound_set_told() - a call has told the process of the reset
 * @in: the hold
 * @err: by this errno, positive
 *
 * Context: process, socket lock held.
 */
void drst_inbound_set_told(struct drst_inbound *in, int err)
{
	sock_owned_by_me(in->hold.sk);
	if (in->err == err)
		in->err = 0;
	cmpxchg(&in->hold.sk->sk_err, err, 0);	/* SO_ERROR takes no lock */
}

/**
 * drst_inbound_peeked() - a call has peeked, which is no progress
 * @in: the hold
 *
 * net/tls takes the records that it peeks at from TCP.
 *
 * Context: process, socket lock held.
 */
void drst_inbound_peeked(struct drst_inbound *in)
{
	sock_owned_by_me(in->hold.sk);
	in->copied_seq = tcp_sk(in->hold.sk)->copied_seq;
}

/* ---- the end ---- */

/* Does not drop the hold's reference. */
static void drst_inbound_end(struct drst_inbound *in, enum drst_stat how)
{
	struct sock *sk = in->hold.sk;

	sock_owned_by_me(sk);
	DEBUG_NET_WARN_ON_ONCE(in->over);
	in->over = true;
	drst_hold_leave(&in->hold, in->state, how);
	drst_inbound_show_error(in);
	/* Pairs with smp_rmb() in tcp_poll(): who sees no hold sees the error. */
	smp_store_release(&sk->sk_state_change, in->hold.state_change);
	WRITE_ONCE(sk->sk_error_report, in->error_report);
	smp_wmb();	/* pairs with smp_rmb() in drst_inbound_error_report() */
	rcu_assign_sk_user_data(sk, NULL);
	drst_hold_count(sock_net(sk), &drst_inbound_kind, how);

	sk->sk_state_change(sk);
	sk_error_report(sk);
}

/*
 * As drst_inbound_end(), outside the work. Cancelling the work would prove nothing:
 * it may be queued and, at the same time, wait for the socket lock.
 */
static void drst_inbound_end_elsewhere(struct drst_inbound *in,
				       enum drst_stat how)
{
	drst_inbound_end(in, how);
	drst_hold_kick(&in->hold);
}

static bool drst_inbound_ends(struct drst_inbound *in, enum drst_stat *how)
{
	struct sock *sk = in->hold.sk;
	u32 copied_seq = tcp_sk(sk)->copied_seq;

	sock_owned_by_me(sk);
	if (copied_seq != in->copied_seq) {
		in->copied_seq = copied_seq;
		drst_hold_progress(&in->hold);
	}
	if (tcp_sk(sk)->repair)
		*how = DRST_STAT_IN_CLOSED;
	else if (!drst_inbound_undelivered(sk))
		*how = DRST_STAT_IN_DELIVERED;
	else if (drst_tcp_memory_short(sk))
		*how = DRST_STAT_IN_MEMORY;
	else if (drst_hold_expired(&in->hold))
		*how = DRST_STAT_IN_TIMED_OUT;
	else
		return false;
	return true;
}

static void drst_inbound_work(struct work_struct *work)
{
	struct drst_inbound *in = container_of(to_delayed_work(work),
					       struct drst_inbound, hold.work);
	struct sock *sk = in->hold.sk;
	enum drst_stat how;

	lock_sock(sk);
	if (!in->over && drst_inbound_ends(in, &how))
		drst_inbound_end(in, how);
	if (!in->over) {
		drst_hold_arm(&in->hold, MAX_JIFFY_OFFSET);
		release_sock(sk);
		return;
	}
	release_sock(sk);
	cancel_delayed_work(&in->hold.work);
	drst_hold_put(&in->hold);
}

/**
 * drst_inbound_look() - does the reset take effect now?
 * @sk: any TCP socket
 *
 * It does if everything has been read, or a limit strikes. The next call of the
 * process sees it.
 *
 * Context: process, socket lock held.
 */
void drst_inbound_look(struct sock *sk)
{
	struct drst_inbound *in = drst_inbound_of(sk);
	enum drst_stat how;

	if (in && drst_inbound_ends(in, &how))
		drst_inbound_end_elsewhere(in, how);
}

/**
 * drst_inbound_check() - drst_inbound_look() for callers without the socket lock
 * @sk: any TCP socket
 *
 * Context: process, socket lock not held, may sleep.
 */
void drst_inbound_check(struct sock *sk)
{
	lock_sock(sk);
	drst_inbound_look(sk);
	release_sock(sk);
}

/**
 * drst_inbound_close() - the last process closes a socket
 * @sk: any TCP socket; an inbound hold of it is over afterwards
 *
 * Context: process, socket lock held.
 */
void drst_inbound_close(struct sock *sk)
{
	struct drst_inbound *in = drst_inbound_of(sk);

	if (in)
		drst_inbound_end_elsewhere(in, DRST_STAT_IN_CLOSED);
}

/**
 * drst_inbound_lose() - a socket has lost our hooks
 * @sk: any TCP socket; an inbound hold of it is over afterwards
 *
 * Context: process, socket lock held.
 */
void drst_inbound_lose(struct sock *sk)
{
	struct drst_inbound *in = drst_inbound_of(sk);

	if (in)
		drst_inbound_end_elsewhere(in, DRST_STAT_IN_MEMORY);
}

/* ---- the beginning ---- */

static void drst_inbound_start(struct drst_inbound *in)
{
	struct sock *sk = in->hold.sk;

	in->copied_seq = tcp_sk(sk)->copied_seq;
	in->state = sk->sk_state;
	in->shutdown = sk->sk_shutdown;
	in->error_report = sk->sk_error_report;
	drst_ktls_set_was_held(sk);
	drst_hold_enter(&in->hold);
	drst_hold_arm(&in->hold, MAX_JIFFY_OFFSET);

	rcu_assign_sk_user_data(sk, in);
	/* Pairs with smp_rmb() in drst_inbound_error_report(). */
	smp_store_release(&sk->sk_error_report, drst_inbound_error_report);
	/* Pairs with smp_load_acquire() in drst_hold_of(). */
	smp_store_release(&sk->sk_state_change, drst_inbound_state_change);
	smp_wmb();	/* pairs with smp_rmb() in drst_hooks_poll() */
}

/**
 * drst_inbound_begin() - TCP closes a connection: hold the reset?
 * @sk: the socket, with all our hooks on; sk_state is still the old one
 *
 * tcp_done() then sets TCP_CLOSE and SHUTDOWN_MASK, and calls sk_state_change().
 *
 * Context: any, socket lock held.
 */
void drst_inbound_begin(struct sock *sk)
{
	struct drst_hold *h;

	if (sk->sk_err != drst_tcp_reset_error(sk->sk_state) ||
	    !drst_policy_inbound(sk) || !drst_inbound_undelivered(sk))
		return;

	h = drst_hold_new(sk, &drst_inbound_kind, DRST_CAUSE_PEER, GFP_ATOMIC);
	if (h)
		drst_inbound_start(container_of(h, struct drst_inbound, hold));
}
