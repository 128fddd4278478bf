// SPDX-License-Identifier: GPL-2.0
/*
 * The outbound hold: the last process has closed a connection, and TCP would throw
 * the send queue away now (RFC 2525 s. 2.17) or soon. The connection is kept until
 * its send queue is flushed.
 *
 *	close() --> TAKEN --> KTLS --> TCP --> OVER
 *		      |	       |	^	^
 *		      |	       +--------+-------+
 *		      +-----------------+
 *
 * TAKEN close() leaves the connection to the hold; inet_release() parts with it.
 * KTLS	 kTLS gives its records to TCP, by its own write_space work.
 * TCP	 net/tls is torn down. A FIN is queued if no RST is pending.
 * OVER	 The RST goes out, or the connection goes back to TCP.
 *
 * A hold begins at close(), not earlier: until then the process could see it. TCP
 * resets for data in FIN_WAIT1 because RCV_SHUTDOWN is set (RFC 1122 s. 4.2.2.13),
 * and recv(), poll() and ioctl() look at the same bit. So does a reader that is
 * blocked already, when it wakes. There is no other place in which a module could
 * keep the data from TCP. After close() no process looks. From TAKEN on
 * RCV_SHUTDOWN is off, and what arrives is thrown away, so the receive window stays
 * open.
 *
 * Contexts: the stages advance in close() and in the hold's work. TCP's callbacks,
 * which run in softirq, look and queue the work.
 *
 * Locking: the socket lock covers struct drst_outbound and the callbacks that point
 * here. TCP calls sk_state_change, sk_data_ready and sk_write_space with it held
 * (its spinlock part, in softirq). The work decides on the end, and sends the RST,
 * without dropping the lock. Events in OVER do not queue the work, and the callbacks
 * come off under the lock before OVER frees the hold.
 *
 * Lifetime: a hold has its own reference on the sock. It has taken over the
 * process's, which tcp_close() drops. It also has one on the inode of the process's
 * struct socket. The hold itself has two users at most: its work, and a close().
 */
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "compat.h"
#include "cut.h"
#include "ending.h"
#include "hold.h"
#include "ktls.h"
#include "outbound.h"
#include "policy.h"
#include "proto.h"
#include "stat.h"
#include "tcp.h"
#include "trace.h"

/*
 * The ULP of a connection while it is held. Only inet_diag reads it meanwhile:
 * `ss -tie` shows tcp-ulp-tls-held.
 */
static const struct tcp_ulp_ops drst_outbound_ulp_ops = {
	.name		= "tls-held",
	.owner		= THIS_MODULE,
};

/*
 * The struct socket of all connections that are held. The process's own is left
 * without ops by __sock_release(), and sk_setsockopt() would call them for a BPF
 * program. SOCK_NOSPACE is never cleared here (sk_stream_write_space() would), so
 * tcp_check_space() calls sk_write_space() for every ACK. Until 6.17 sock_i_uid()
 * and sock_i_ino() read its inode, and find 0, as for an orphan.
 */
static const struct proto_ops drst_outbound_ops = {
	.owner		= THIS_MODULE,
};

static struct socket_alloc drst_outbound_socket = {
	.socket = {
		.flags	= BIT(SOCK_NOSPACE),
		.ops	= &drst_outbound_ops,
	},
};

static void drst_outbound_work(struct work_struct *work);

static const struct drst_hold_kind drst_outbound_kind = {
	.direction	= DRST_OUTBOUND,
	.size		= sizeof(struct drst_outbound),
	.work		= drst_outbound_work,
	.bytes		= drst_tcp_queued_bytes,
	.held		= DRST_STAT_HELD,
	.over_limit	= DRST_STAT_OVER_LIMIT,
	.memory		= DRST_STAT_MEMORY,
};

/* The picture above: which stages a stage can come from, and its name. */
static const struct {
	const char *name;
	u8 from;
} drst_outbound_stages[DRST_NR_STAGES] = {
	[DRST_TAKEN]	= { "TAKEN", 0 },
	[DRST_KTLS]	= { "KTLS", BIT(DRST_TAKEN) },
	[DRST_TCP]	= { "TCP", BIT(DRST_TAKEN) | BIT(DRST_KTLS) },
	[DRST_OVER]	= { "OVER", BIT(DRST_KTLS) | BIT(DRST_TCP) },
};

/* The one place that changes the stage. */
static void drst_outbound_set_stage(struct drst_outbound *out,
				    enum drst_outbound_stage stage)
{
	sock_owned_by_me(out->hold.sk);
	DEBUG_NET_WARN_ON_ONCE(!(drst_outbound_stages[stage].from &
				 BIT(out->stage)));
	out->stage = stage;
	trace_tls_drst_stage(out->hold.sk, drst_outbound_stages[stage].name);
}

/* ---- events: socket lock held, any context ---- */

static void drst_outbound_state_change(struct sock *sk);

static struct drst_outbound *drst_outbound_of(const struct sock *sk)
{
	return drst_hold_of(sk, drst_outbound_state_change);
}

static void drst_outbound_kick(struct drst_outbound *out)
{
	drst_sock_locked(out->hold.sk);
	if (out->stage != DRST_TAKEN && out->stage != DRST_OVER)
		drst_hold_kick(&out->hold);
}

static bool drst_outbound_progress(struct drst_outbound *out)
{
	u32 snd_una = tcp_sk(out->hold.sk)->snd_una;

	drst_sock_locked(out->hold.sk);
	if (snd_una == out->snd_una)
		return false;
	out->snd_una = snd_una;
	drst_hold_progress(&out->hold);
	return true;
}

static void drst_outbound_state_change(struct sock *sk)
{
	struct drst_outbound *out = drst_outbound_of(sk);

	if (sk->sk_state == TCP_CLOSE && !out->err)
		out->err = sk->sk_err;
	out->hold.state_change(sk);
	drst_outbound_kick(out);
}

static void drst_outbound_data_ready(struct sock *sk)
{
	drst_outbound_kick(drst_outbound_of(sk));
}

/* Is there something for the work to do, now that an ACK has come? */
static bool drst_outbound_due(const struct drst_outbound *out)
{
	const struct sock *sk = out->hold.sk;

	if (drst_ktls_attached(sk))
		return drst_ktls_has_open_record(sk) || !drst_ktls_holds(sk);
	return drst_tcp_flushed(sk);
}

/* On every ACK, from tcp_check_space() */
static void drst_outbound_write_space(struct sock *sk)
{
	struct drst_outbound *out = drst_outbound_of(sk);
	bool last;

	drst_tcp_wake_sender(sk);
	drst_tcp_forget_messages(sk);
	/* If kTLS gets no memory now, only drst_outbound_arm() helps. */
	last = drst_outbound_progress(out) && drst_tcp_flushed(sk);
	if (last || drst_outbound_due(out))
		drst_outbound_kick(out);
}

static const struct drst_ktls_events drst_outbound_events = {
	.data_ready	= drst_outbound_data_ready,
	.write_space	= drst_outbound_write_space,
};

/*
 * Run the work when a limit strikes. If kTLS had no memory to give TCP anything, no
 * event comes: ask it again ten times a second.
 */
static void drst_outbound_arm(struct drst_outbound *out)
{
	bool starved = out->stage == DRST_KTLS &&
		       drst_tcp_flushed(out->hold.sk);

	drst_hold_arm(&out->hold, starved ? DRST_HOLD_RETRY : MAX_JIFFY_OFFSET);
}

/* ---- OVER ---- */

/* The RST is counted as vanilla counts its cause. */
static int drst_outbound_reset(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;

	NET_INC_STATS(sock_net(sk), out->hold.cause == DRST_CAUSE_UNREAD ?
		      LINUX_MIB_TCPABORTONCLOSE : LINUX_MIB_TCPABORTONDATA);
	return drst_tcp_reset(sk);
}

/*
 * No callback finds the hold from here on: sk_user_data is free. Without a struct
 * socket TCP is silent until tcp_close(), which would take it away.
 */
static void drst_outbound_detach(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;

	sock_owned_by_me(sk);
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_state_change, out->hold.state_change);
	WRITE_ONCE(sk->sk_data_ready, out->before.data_ready);
	WRITE_ONCE(sk->sk_write_space, out->before.write_space);
	DEBUG_NET_WARN_ON_ONCE(!test_bit(SOCK_NOSPACE, &sk->sk_socket->flags));
	WRITE_ONCE(sk->sk_socket, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	inet_csk(sk)->icsk_ulp_ops = out->ulp_ops;
	rcu_assign_sk_user_data(sk, NULL);
}

/* As the shutdown(SHUT_WR) of a process; nothing if there is a FIN already. */
static void drst_outbound_send_fin(struct sock *sk)
{
	sock_owned_by_me(sk);
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	drst_proto_base(sk)->shutdown(sk, SEND_SHUTDOWN);
}

/* No process has the connection open, and nothing is held: it is TCP's again. */
static void drst_outbound_tcp_close(struct drst_outbound *out, long timeout)
{
	struct sock *sk = out->hold.sk;

	drst_proto_base(sk)->close(sk, timeout);
	/* sk_wq is in it, on which that close() may have slept. */
	iput(out->inode);
}

/*
 * Leave the connection to tcp_close(). The stage is OVER, so nothing happens while
 * the socket lock is free. A process that lingers calls tcp_close() itself.
 */
static void drst_outbound_finish(struct drst_outbound *out, enum drst_stat how)
{
	struct sock *sk = out->hold.sk;
	bool handed;

	lock_sock(sk);
	if (out->tls)
		drst_ktls_teardown_relock(sk);
	/* __tcp_close() must not find a reason for a RST before it has sent a FIN. */
	if (how == DRST_STAT_FIN_SENT) {
		drst_tcp_discard(sk);
		drst_outbound_send_fin(sk);
	}
	sock_reset_flag(sk, SOCK_LINGER);
	drst_outbound_detach(out);
	handed = out->waits;
	out->handed = handed;
	release_sock(sk);

	if (!handed)
		drst_outbound_tcp_close(out, 0);
}

/*
 * End a hold. The socket lock is held at entry and released at exit. The RST goes
 * out before the release: no event comes between the decision and the RST.
 */
static void drst_outbound_end_unlock(struct drst_outbound *out,
				     enum drst_stat how)
{
	struct sock *sk = out->hold.sk;
	struct net *net = sock_net(sk);	/* sk's, which the hold keeps */
	u64 flushed = tcp_sk(sk)->bytes_acked - out->acked;
	bool resets = drst_ending_resets(out, how);
	int busy = 0;

	drst_outbound_set_stage(out, DRST_OVER);
	drst_hold_leave(&out->hold, sk->sk_state, how);
	if (resets)
		busy = drst_outbound_reset(out);
	release_sock(sk);
	if (busy)
		tcp_abort(sk, ECONNRESET);

	drst_outbound_finish(out, how);
	cancel_delayed_work(&out->hold.work);

	drst_stat_add(net, DRST_STAT_FLUSHED_BYTES, flushed);
	drst_hold_count(net, &drst_outbound_kind, how);

	complete(&out->done);
	drst_hold_put(&out->hold);
}

/* ---- KTLS and TCP ---- */

static void drst_outbound_discard(struct drst_outbound *out)
{
	if (drst_tcp_discard(out->hold.sk) &&
	    out->hold.cause == DRST_CAUSE_NONE)
		WRITE_ONCE(out->hold.cause, DRST_CAUSE_DATA);
}

/* Would close() have queued a FIN? Data may have come since. */
static bool drst_outbound_has_fin(const struct drst_outbound *out)
{
	return drst_outbound_flushes(out) && out->hold.cause != DRST_CAUSE_UNREAD &&
	       out->hold.cause != DRST_CAUSE_LINGER;
}

/*
 * kTLS holds nothing: take it off, and queue the FIN that vanilla would. The
 * socket lock is held at entry and exit, and dropped in between.
 */
static void drst_outbound_enter_tcp_relock(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;

	drst_ktls_teardown_relock(sk);
	/* After SHUT_WR the teardown gets EPIPE for its records. That is no reset. */
	WRITE_ONCE(sk->sk_err, 0);

	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_data_ready, drst_outbound_data_ready);
	WRITE_ONCE(sk->sk_write_space, drst_outbound_write_space);
	write_unlock_bh(&sk->sk_callback_lock);
	out->tls = false;
	if (drst_outbound_has_fin(out))
		drst_outbound_send_fin(sk);
	drst_outbound_set_stage(out, DRST_TCP);
	drst_outbound_discard(out);

	/* A corked tail has no FIN to push it out, so uncork the socket. */
	if (out->hold.cause) {
		release_sock(sk);
		tcp_sock_set_cork(sk, false);
		lock_sock(sk);
	}
}

static void drst_outbound_work(struct work_struct *work)
{
	struct drst_outbound *out = container_of(to_delayed_work(work),
						 struct drst_outbound,
						 hold.work);
	struct sock *sk = out->hold.sk;
	enum drst_stat how;

	lock_sock(sk);
	/* close() is still running, and checks the ending itself at its end. */
	if (out->stage == DRST_TAKEN)
		goto unlock;
	drst_outbound_discard(out);
	if (out->stage == DRST_KTLS && sk->sk_state != TCP_CLOSE &&
	    !drst_ktls_push(sk))
		drst_outbound_enter_tcp_relock(out);
	drst_outbound_progress(out);
	if (drst_ending_due(out, &how)) {
		drst_outbound_end_unlock(out, how);
		return;
	}
	drst_outbound_arm(out);
unlock:
	release_sock(sk);
}

/* ---- close() ---- */

/*
 * close() must not wake the cgroup's OOM killer: it would kill another process for
 * a hold that is optional.
 */
static struct drst_outbound *drst_outbound_new(struct sock *sk,
					       enum drst_cause cause)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN;
	struct drst_hold *h;
	struct drst_outbound *out;

	h = drst_hold_new(sk, &drst_outbound_kind, cause, gfp);
	if (!h)
		return NULL;
	out = container_of(h, struct drst_outbound, hold);
	init_completion(&out->done);
	out->acked = tcp_sk(sk)->bytes_acked;
	out->snd_una = tcp_sk(sk)->snd_una;
	out->ulp_ops = inet_csk(sk)->icsk_ulp_ops;
	out->notified = drst_ktls_notified(sk);
	out->tls = true;
	out->stage = DRST_TAKEN;
	return out;
}

/*
 * A connection parts with its process's struct socket, but not with the wait queue in
 * it, on which kTLS's worker may sleep.
 */
static void drst_outbound_part_with_socket(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;

	lockdep_assert_held_write(&sk->sk_callback_lock);
	out->inode = SOCK_INODE(sk->sk_socket);
	ihold(out->inode);
	WRITE_ONCE(sk->sk_socket, &drst_outbound_socket.socket);
}

/* The connection becomes the hold's. */
static void drst_outbound_take(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;

	sock_owned_by_me(sk);
	rcu_assign_sk_user_data(sk, out);
	drst_hold_enter(&out->hold);

	write_lock_bh(&sk->sk_callback_lock);
	drst_outbound_part_with_socket(out);
	out->before = drst_ktls_divert(sk, drst_outbound_events);
	WRITE_ONCE(sk->sk_state_change, drst_outbound_state_change);
	write_unlock_bh(&sk->sk_callback_lock);

	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~RCV_SHUTDOWN);
	WRITE_ONCE(sk->sk_rcvlowat, 1);	/* each byte is thrown away as it comes */
	sk->sk_sndtimeo = 0;	/* kTLS's worker must not sleep from now on, */
	drst_forget_recverr(sk);	/* nor give up after an ICMP message */
	drst_tcp_forget_messages(sk);
	inet_csk(sk)->icsk_ulp_ops = &drst_outbound_ulp_ops;
}

/*
 * Start a hold after drst_outbound_take(). Events are ignored until then. The
 * socket lock is held at entry and exit, and dropped in between.
 */
static void drst_outbound_start_relock(struct drst_outbound *out)
{
	struct sock *sk = out->hold.sk;
	enum drst_stat how;

	if (drst_ktls_pending(sk)) {
		WRITE_ONCE(sk->sk_err, 0);	/* what came before stops no record */
		sk->sk_write_space(sk);
		drst_outbound_set_stage(out, DRST_KTLS);
		drst_outbound_kick(out);
		return;
	}

	/* At once, not from the work: the FIN leaves as early as vanilla's. */
	drst_outbound_enter_tcp_relock(out);

	/* An event may have queued the work, and the work ended the hold. */
	if (out->stage == DRST_OVER)
		return;
	/* Queue the work only if it has something to do. */
	if (drst_ending_due(out, &how))
		drst_outbound_kick(out);
	else
		drst_outbound_arm(out);
}

/*
 * As sk_stream_wait_close(). A limit may end the hold earlier: TCP lingers for the rest
 * of the time then. If the process leaves first, the hold's work will call tcp_close().
 * The hold, or the connection that is handed over, pins the module meanwhile.
 */
static void drst_outbound_linger(struct drst_outbound *out, long timeout)
{
	struct sock *sk = out->hold.sk;
	bool handed;

	timeout = wait_for_completion_interruptible_timeout(&out->done, timeout);
	lock_sock(sk);
	out->waits = false;
	handed = out->handed;
	release_sock(sk);
	if (handed)
		drst_outbound_tcp_close(out, max(timeout, 0L));
}

/**
 * drst_outbound_close_unlock() - hold a connection that its last process closes
 * @sk: the connection, with all our hooks on and no inbound hold
 * @timeout: how long close() lingers (SO_LINGER), in jiffies, 0 for not at all
 *
 * If nothing is held, our copy of the proto comes off. From here to sock_orphan()
 * the socket lock is dropped twice. A RST that arrives in between must not be held:
 * nothing would ever end that hold.
 *
 * Context: process, may sleep. The socket lock is held at entry and released at
 * exit.
 * Return: true if the connection is held: the caller forgets it, as after
 * close(). false if nothing is held: the caller closes it.
 */
bool drst_outbound_close_unlock(struct sock *sk, long timeout)
{
	enum drst_cause cause = drst_policy_cause(sk);
	struct drst_outbound *out = NULL;
	/* As sk_stream_wait_close(), which does not wait after a RST. */
	bool waits = timeout && !cause;

	if (drst_policy_outbound(sk, cause))
		out = drst_outbound_new(sk, cause);
	else
		drst_cut_count(sk, cause);
	if (!out) {
		drst_proto_unwrap(sk);
		release_sock(sk);
		return false;
	}
	out->awaited = waits;
	out->waits = waits;
	refcount_inc(&out->hold.entry.ref);
	drst_outbound_take(out);
	drst_outbound_start_relock(out);
	release_sock(sk);

	if (waits)
		drst_outbound_linger(out, timeout);
	drst_hold_put(&out->hold);
	return true;
}
