// SPDX-License-Identifier: GPL-2.0
/*
 * The hold: a connection whose process has closed it, kept until its send
 * queue is flushed.
 *
 *	  shutdown(RDWR)            close()
 *	        |                      |
 *	      SHUT ----- close() --> TAKEN --> KTLS --> TCP --> OVER
 *	        |                                |       |        ^
 *	        +--------------------------------+-------+--------+
 *
 * SHUT	 The process still has its descriptor. RCV_SHUTDOWN is hidden from TCP
 *	 (tcp_rcv_state_process() would answer data with a RST); SOCK_DONE and
 *	 our poll() show it to the process. Where it left nothing unread, what
 *	 arrives is thrown away.
 * TAKEN close() leaves the connection and its struct socket to the hold;
 *	 inet_release() parts with both.
 * KTLS	 kTLS gives its records to TCP, by its own write_space work.
 * TCP	 net/tls is torn down; a FIN is queued where nothing is owed.
 * OVER	 The RST goes out, or the connection goes back to TCP.
 *
 * The inbound hold (inbound.c) has a socket at other times than this one.
 *
 * From TAKEN on RCV_SHUTDOWN is off, and all that arrives is thrown away so that
 * the receive window stays open.
 *
 * Contexts: the stages advance in close(), in shutdown() and in the hold's work
 * only. TCP's callbacks, which run in softirq, look and queue the work.
 *
 * Locking: the socket lock covers struct drst_hold and the callbacks that point
 * here; TCP calls sk_state_change, sk_data_ready and sk_write_space with it
 * held (its spinlock part, in softirq). A stage in which events matter is left
 * under the lock, so nothing queues the work afterwards: OVER can free.
 *
 * Lifetime: a hold has a reference on the sock. From TAKEN on it also has the
 * one that was the process's, which tcp_close() drops, and one on the inode that
 * the struct socket lives in. The hold itself has two users at most: its work,
 * and a close().
 */
#include <linux/slab.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "hold.h"
#include "tls_drst.h"
#include "trace.h"

const char *const drst_owed_names[DRST_NR_OWED] = {
	[DRST_OWED_NOTHING]	= "none",
	[DRST_OWED_UNREAD]	= "unread",
	[DRST_OWED_LINGER]	= "linger",
	[DRST_OWED_DATA]	= "data",
	[DRST_OWED_BY_PEER]	= "peer",
};

struct workqueue_struct *drst_wq;

static void drst_hold_work(struct work_struct *work);

/**
 * drst_hold_of() - the hold of a socket
 * @sk: any TCP socket
 *
 * sk_user_data is anybody's - KCM takes a TLS socket, too -, but is a hold as
 * long as this sk_state_change is there.
 *
 * Context: socket lock held, by this task or by softirq.
 * Return: the hold or NULL.
 */
struct drst_hold *drst_hold_of(const struct sock *sk)
{
	/* The hold was made ready before: drst_hold_poll() owns nothing. */
	if (smp_load_acquire(&sk->sk_state_change) != drst_state_change)
		return NULL;
	return rcu_dereference_protected(__sk_user_data(sk),
					 lockdep_sock_is_held(sk));
}

/**
 * drst_hold_put() - one user of a hold less
 * @h: the hold; freed, with its reference on the sock, after the last user
 *
 * Context: any, socket lock not needed.
 */
void drst_hold_put(struct drst_hold *h)
{
	if (!refcount_dec_and_test(&h->ref))
		return;
	sock_put(h->sk);
	kfree(h);
}

/* ---- what can be seen of it: trace.h, stat.c ---- */

/**
 * drst_hold_bytes() - what a hold waits for
 * @h: the hold
 *
 * Context: any.
 * Return: bytes in TCP's send queue or, inbound, in its receive queue; without
 * those that kTLS keeps.
 */
u32 drst_hold_bytes(const struct drst_hold *h)
{
	const struct tcp_sock *tp = tcp_sk(h->sk);

	if (h->owed == DRST_OWED_BY_PEER)
		return READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);
	return READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_una);
}

/**
 * drst_hold_enter() - a hold has begun
 * @h: the hold, which has been counted
 *
 * Context: any, socket lock held.
 */
void drst_hold_enter(struct drst_hold *h)
{
	struct drst_net *dn = drst_pernet(sock_net(h->sk));

	h->began_ns = ktime_get_ns();
	h->bytes = drst_hold_bytes(h);
	spin_lock_bh(&dn->holds_lock);
	list_add_tail(&h->list, &dn->holds);
	spin_unlock_bh(&dn->holds_lock);
	queue_delayed_work(drst_wq, &dn->pressure_work, HZ);
	trace_tls_drst_hold(h);
}

/**
 * drst_hold_leave() - a hold has come to its end
 * @h: the hold, with its .state
 * @how: what it is to be counted as
 *
 * Context: process.
 */
void drst_hold_leave(struct drst_hold *h, enum drst_stat how)
{
	struct drst_net *dn = drst_pernet(sock_net(h->sk));

	spin_lock_bh(&dn->holds_lock);
	list_del(&h->list);
	spin_unlock_bh(&dn->holds_lock);
	trace_tls_drst_release(h, drst_stat_name(how));
}

/* ---- what is in the send queue ---- */

static bool drst_tcp_flushed(const struct sock *sk)
{
	return tcp_sk(sk)->snd_una == tcp_sk(sk)->write_seq;
}

/*
 * Does kTLS hold records that it accepted: open, being encrypted, ready or
 * partly sent? (All but the open one are in tx_list.)
 */
static bool drst_ktls_holds(const struct tls_context *ctx)
{
	if (ctx->partially_sent_record || ctx->pending_open_record_frags)
		return true;
	return ctx->tx_conf == TLS_SW &&
	       !list_empty(&tls_sw_ctx_tx(ctx)->tx_list);
}

/* Can they still go? After SHUT_WR or an error TCP takes nothing more. */
static bool drst_ktls_pending(const struct sock *sk)
{
	return drst_ktls_holds(tls_get_ctx(sk)) && !sk->sk_err &&
	       !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

/**
 * drst_memory_short() - is TCP short of memory?
 * @sk: a TCP socket
 *
 * TCP's own memory (tcp_mem), not a cgroup's; see tcp_check_oom().
 *
 * Context: any.
 */
bool drst_memory_short(const struct sock *sk)
{
	return READ_ONCE(tcp_memory_pressure) ||
	       sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}

/*
 * A connection whose peer is silent has no event before a bound of time, and
 * nobody is told when TCP gets short of memory: one look a second for all that
 * a namespace holds. A hold leaves the list before its work is cancelled, so the
 * work may be queued from here without the socket lock.
 */
static void drst_pressure_work(struct work_struct *work)
{
	struct drst_net *dn = container_of(to_delayed_work(work),
					   struct drst_net, pressure_work);
	struct drst_hold *h;

	spin_lock_bh(&dn->holds_lock);
	h = list_first_entry_or_null(&dn->holds, struct drst_hold, list);
	if (h) {
		if (drst_memory_short(h->sk))
			list_for_each_entry(h, &dn->holds, list)
				mod_delayed_work(drst_wq, &h->work, 0);
		queue_delayed_work(drst_wq, &dn->pressure_work, HZ);
	}
	spin_unlock_bh(&dn->holds_lock);
}

/* ---- events: socket lock held, any context ---- */

static void drst_hold_kick(struct drst_hold *h)
{
	if (h->stage != DRST_TAKEN && h->stage != DRST_OVER)
		mod_delayed_work(drst_wq, &h->work, 0);
}

static bool drst_hold_progress(struct drst_hold *h)
{
	u32 snd_una = tcp_sk(h->sk)->snd_una;

	if (snd_una == h->seen)
		return false;
	h->seen = snd_una;
	h->progress = jiffies;
	return true;
}

/**
 * drst_state_change() - sk_state_change of a connection that is held
 * @sk: the connection
 *
 * Context: socket lock held, by this task or by softirq.
 */
void drst_state_change(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);

	if (sk->sk_state == TCP_CLOSING)
		h->peer_fin = true;
	if (sk->sk_state == TCP_CLOSE && !h->err)
		h->err = sk->sk_err;
	/* A reset connection has an error for recv(), not an end of file. */
	if (h->stage == DRST_SHUT && sk->sk_state == TCP_CLOSE && sk->sk_err &&
	    !h->peer_fin)
		sock_reset_flag(sk, SOCK_DONE);
	h->state_change(sk);
	drst_hold_kick(h);
}

static void drst_data_ready(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);

	/* kTLS's strparser can be late: drst_hold_redrain() */
	if (h)
		drst_hold_kick(h);
}

/* Is there something for the work to do, now that an ACK has come? */
static bool drst_hold_due(const struct drst_hold *h)
{
	const struct tls_context *ctx = tls_get_ctx(h->sk);

	if (READ_ONCE(tcp_memory_pressure))
		return true;
	if (h->stage == DRST_KTLS && ctx)
		return ctx->pending_open_record_frags || !drst_ktls_holds(ctx);
	return drst_tcp_flushed(h->sk);
}

/* On every ACK: tcp_check_space() calls this while SOCK_NOSPACE is set. */
static void drst_write_space(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);
	bool last;

	/* kTLS's worker may wait for space in sk_stream_wait_memory(). */
	h->write_space(sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	/* Should kTLS get no memory now, only drst_hold_arm() helps. */
	last = drst_hold_progress(h) && drst_tcp_flushed(sk);
	if (last || drst_hold_due(h))
		drst_hold_kick(h);
}

/* ---- the beginning ---- */

/* One connection more is counted in drst_net.held, if the limit allows it. */
static bool drst_hold_admit(const struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	if (atomic_inc_return(&dn->held) <= drst_knob(net, DRST_MAX_HELD))
		return true;
	atomic_dec(&dn->held);
	return false;
}

static struct drst_hold *drst_hold_alloc(struct sock *sk, work_func_t work,
					 gfp_t gfp)
{
	struct drst_hold *h;

	h = kzalloc(sizeof(*h), gfp);
	if (!h)
		return NULL;

	INIT_DELAYED_WORK(&h->work, work);
	init_completion(&h->done);
	refcount_set(&h->ref, 1);
	sock_hold(sk);
	h->sk = sk;
	h->began = jiffies;
	h->progress = h->began;
	h->acked = tcp_sk(sk)->bytes_acked;
	h->seen = tcp_sk(sk)->snd_una;
	h->rcv_nxt = tcp_sk(sk)->rcv_nxt;
	h->tls = true;
	h->state_change = sk->sk_state_change;
	return h;
}

/**
 * drst_hold_new() - make a hold, unless a bound refuses it
 * @sk: the connection
 * @owed: why a RST is owed, %DRST_OWED_BY_PEER for an inbound hold
 * @work: what advances the hold
 * @gfp: for kmalloc()
 *
 * One that is refused has begun and ended at once, so that holds begun are always
 * holds ended plus holds now.
 *
 * Context: as @gfp says, socket lock held.
 * Return: a hold with one user and a reference on @sk, counted in drst_net.held;
 * or NULL.
 */
struct drst_hold *drst_hold_new(struct sock *sk, enum drst_owed owed,
				work_func_t work, gfp_t gfp)
{
	bool in = owed == DRST_OWED_BY_PEER;
	enum drst_stat refused = in ? DRST_STAT_IN_MEMORY : DRST_STAT_MEMORY;
	struct net *net = sock_net(sk);
	struct drst_hold *h;

	drst_stat_inc(net, in ? DRST_STAT_IN_HELD : DRST_STAT_HELD);
	if (drst_memory_short(sk))
		goto refuse;
	if (!drst_hold_admit(net)) {
		refused = in ? DRST_STAT_IN_OVER_LIMIT : DRST_STAT_OVER_LIMIT;
		goto refuse;
	}
	h = drst_hold_alloc(sk, work, gfp);
	if (!h) {
		atomic_dec(&drst_pernet(net)->held);
		goto refuse;
	}
	h->owed = owed;
	return h;

refuse:
	drst_stat_inc(net, refused);
	return NULL;
}

/* Socket lock held, may sleep. */
static struct drst_hold *drst_hold_begin(struct sock *sk, enum drst_owed owed)
{
	struct drst_hold *h;

	h = drst_hold_new(sk, owed, drst_hold_work, GFP_KERNEL_ACCOUNT);
	if (!h)
		return NULL;
	h->notified = drst_notified(sk);
	rcu_assign_sk_user_data(sk, h);
	drst_hold_enter(h);
	return h;
}

/* Socket lock held: the callbacks are those from before the hold. */
static void drst_hold_uncall(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_state_change = h->state_change;
	if (h->drains)
		sk->sk_data_ready = h->data_ready;
	if (h->closed)
		sk->sk_write_space = h->write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Socket lock held: sk_user_data is free, so nobody meets the hold again. */
static void drst_hold_detach(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	drst_hold_uncall(h);
	inet_csk(sk)->icsk_ulp_ops = &drst_ulp_ops;
	rcu_assign_sk_user_data(sk, NULL);
}

/* ---- what arrives is thrown away ---- */

/**
 * drst_unread() - has a socket received data that was not read?
 * @sk: a TCP socket
 *
 * Context: socket lock held.
 * Return: what __tcp_close() calls data_was_unread.
 */
bool drst_unread(const struct sock *sk)
{
	const struct sk_buff *skb;
	u32 end_seq;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		end_seq = TCP_SKB_CB(skb)->end_seq;
		if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN)
			end_seq--;
		if (after(end_seq, tcp_sk(sk)->copied_seq))
			return true;
	}
	return false;
}

static int drst_eat(read_descriptor_t *desc, struct sk_buff *skb,
		    unsigned int offset, size_t len)
{
	return len;
}

/* Socket lock held. As tcp_read_sock(): ACKs and window updates go out. */
static void drst_hold_discard(struct drst_hold *h)
{
	read_descriptor_t desc = { .count = 1 };
	struct sock *sk = h->sk;

	/* Else tcp_read_sock() stops in front of an urgent byte. */
	WRITE_ONCE(tcp_sk(sk)->urg_data, 0);
	if (tcp_read_sock(sk, &desc, drst_eat) > 0 &&
	    h->owed == DRST_OWED_NOTHING)
		h->owed = DRST_OWED_DATA;
}

/*
 * The strparser of kTLS RX must not look at the receive queue any more; it is
 * stopped as tls_sw_release_resources_rx() does, which comes later.
 */
static void drst_ktls_stop_rx(const struct tls_context *ctx)
{
	if (ctx->rx_conf != TLS_BASE)
		tls_sw_ctx_rx(ctx)->strp.stopped = 1;
}

/* From now on: throw away what arrives. Socket and sk_callback_lock held. */
static void drst_hold_drain(struct drst_hold *h, const struct tls_context *ctx)
{
	drst_ktls_stop_rx(ctx);
	h->data_ready = h->sk->sk_data_ready;
	h->sk->sk_data_ready = drst_data_ready;
	h->drains = true;
}

/**
 * drst_hold_redrain() - kTLS has been set up to receive on a socket in SHUT
 * @h: its hold
 *
 * net/tls has put its own sk_data_ready in, and taken ours for the one before.
 *
 * Context: process, socket lock held.
 */
void drst_hold_redrain(struct drst_hold *h)
{
	const struct tls_context *ctx = tls_get_ctx(h->sk);

	if (!h->drains || h->sk->sk_data_ready == drst_data_ready)
		return;
	write_lock_bh(&h->sk->sk_callback_lock);
	if (ctx->rx_conf != TLS_BASE)
		tls_sw_ctx_rx(ctx)->saved_data_ready = h->data_ready;
	drst_hold_drain(h, ctx);
	write_unlock_bh(&h->sk->sk_callback_lock);
}

/* ---- SHUT ---- */

/* Socket lock held. */
static void drst_hide_rcv_shutdown(struct sock *sk)
{
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~RCV_SHUTDOWN);
	sock_set_flag(sk, SOCK_DONE);
}

/* Has data come since shutdown()? A FIN, which TCP shows by itself, has not. */
static bool drst_shut_got_data(const struct drst_hold *h)
{
	u32 got = tcp_sk(h->sk)->rcv_nxt - h->rcv_nxt;

	return got > (h->sk->sk_shutdown & RCV_SHUTDOWN ? 1 : 0);
}

/* Socket lock held: the socket is the process's alone again. */
static void drst_hold_unshut(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	if (drst_shut_got_data(h))
		h->owed = DRST_OWED_DATA;
	drst_proto_normal(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	if (!h->peer_fin)
		sock_reset_flag(sk, SOCK_DONE);
}

/**
 * drst_hold_shutdown() - a process has shut its socket down
 * @sk: the socket; TCP has done its part, a FIN is queued where one was due
 *
 * With both directions shut down, data that arrives in FIN_WAIT1 makes TCP
 * throw the send queue away (RFC 1122 s. 4.2.2.13). Of a notified connection it
 * is kept out of TCP's sight, until everything is acknowledged, that the
 * receive direction is shut down.
 *
 * Context: process, socket lock held, may sleep.
 */
void drst_hold_shutdown(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);

	if (sk->sk_shutdown != SHUTDOWN_MASK || sk->sk_state != TCP_FIN_WAIT1)
		return;
	if (h) {
		if (h->stage == DRST_SHUT)
			drst_hide_rcv_shutdown(sk);
		return;
	}
	if (!drst_knob(sock_net(sk), DRST_MODE) || !drst_notified(sk) ||
	    tcp_sk(sk)->repair || sk->sk_user_data)
		return;

	h = drst_hold_begin(sk, DRST_OWED_NOTHING);
	if (!h)
		return;
	h->stage = DRST_SHUT;
	write_lock_bh(&sk->sk_callback_lock);
	/* drst_hold_poll(), which has the spinlock only, sees the hold as it is. */
	smp_store_release(&sk->sk_state_change, drst_state_change);
	if (!drst_unread(sk))
		drst_hold_drain(h, tls_get_ctx(sk));
	write_unlock_bh(&sk->sk_callback_lock);
	smp_wmb();	/* drst_poll(): who sees the next sees the hold */
	drst_hide_rcv_shutdown(sk);
	drst_hold_kick(h);
}

/**
 * drst_hold_poll() - what poll() is to say of a socket that has a hold
 * @sk: the socket
 * @mask: what net/tls's poll() says; is set right
 *
 * The spinlock is enough for the hold to stay, as who ends it has the socket
 * lock to give back first; but who owns the socket may change it meanwhile.
 *
 * Context: process, socket lock not held.
 * Return: false if there is no hold any more.
 */
bool drst_hold_poll(struct sock *sk, __poll_t *mask)
{
	struct drst_hold *h;

	spin_lock_bh(&sk->sk_lock.slock);
	h = drst_hold_of(sk);
	if (h && h->stage == DRST_INBOUND)
		*mask = drst_inbound_poll(h, *mask);
	else if (h && h->owed != DRST_OWED_BY_PEER)
		/* As tcp_poll() says of SHUTDOWN_MASK. */
		*mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP;
	spin_unlock_bh(&sk->sk_lock.slock);
	return h;
}

/* ---- the end ---- */

/*
 * Send the RST. tcp_abort() sends none from CLOSING and LAST_ACK, where it can
 * be wanted when a bound is due: there, as in FIN_WAIT1, our FIN is not
 * acknowledged. It is counted as vanilla counts its cause.
 *
 * Return: false if the connection was closed before.
 */
static bool drst_hold_reset(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	lock_sock(sk);
	if ((1 << sk->sk_state) & (TCPF_CLOSING | TCPF_LAST_ACK))
		inet_sk_set_state(sk, TCP_FIN_WAIT1);
	release_sock(sk);

	if (tcp_abort(sk, ECONNRESET))
		return false;
	NET_INC_STATS(sock_net(sk), h->owed == DRST_OWED_UNREAD ?
		      LINUX_MIB_TCPABORTONCLOSE : LINUX_MIB_TCPABORTONDATA);
	return true;
}

/*
 * How does a hold end whose connection has got to TCP_CLOSE by itself? An error
 * can be an ICMP message's, too (IP_RECVERR), which ends nothing: what has been
 * acknowledged has not timed out.
 */
static enum drst_stat drst_hold_closed(const struct drst_hold *h)
{
	switch (h->err ? h->err : h->sk->sk_err) {
	case ECONNRESET:
	case EPIPE:
		return DRST_STAT_PEER_RESET;
	case ECONNABORTED:
		return DRST_STAT_ABORTED;
	default:
		if (!drst_tcp_flushed(h->sk))
			return DRST_STAT_TIMED_OUT;	/* as tcp_write_err() */
		fallthrough;
	case 0:
		return h->owed ? DRST_STAT_MOOT : DRST_STAT_FLUSHED;
	}
}

static enum drst_stat drst_hold_flushed(const struct drst_hold *h)
{
	if (!h->owed)
		return DRST_STAT_FLUSHED;
	return drst_knob(sock_net(h->sk), DRST_FINAL) ? DRST_STAT_FIN_SENT :
							 DRST_STAT_RST_SENT;
}

/**
 * drst_hold_expires() - when is a bound of time due?
 * @h: the hold
 *
 * Context: socket lock held.
 * Return: jiffies.
 */
unsigned long drst_hold_expires(const struct drst_hold *h)
{
	const struct net *net = sock_net(h->sk);
	unsigned long idle, all;

	idle = h->progress + msecs_to_jiffies(drst_knob(net, DRST_TIMEOUT_MS));
	all = h->began + msecs_to_jiffies(drst_knob(net, DRST_MAX_HOLD_MS));
	return time_before(idle, all) ? idle : all;
}

/* Socket lock held. Is the hold to end, and how? */
static bool drst_hold_ends(struct drst_hold *h, enum drst_stat *how)
{
	struct sock *sk = h->sk;

	if (h->stage == DRST_SHUT && drst_shut_got_data(h))
		h->owed = DRST_OWED_DATA;
	drst_hold_progress(h);

	if (sk->sk_state == TCP_CLOSE)
		*how = drst_hold_closed(h);
	else if (h->owed && !h->notified)
		*how = DRST_STAT_RST_SENT;	/* as at any other time */
	else if (h->stage != DRST_KTLS &&
		 (drst_tcp_flushed(sk) || !h->notified))
		*how = drst_hold_flushed(h);
	else if (drst_memory_short(sk))
		*how = DRST_STAT_MEMORY;
	else if (time_after_eq(jiffies, drst_hold_expires(h)))
		*how = DRST_STAT_TIMED_OUT;
	else
		return false;
	return true;
}

/*
 * Does ending in this way mean a RST? A bound that is due ends a connection
 * that owes nothing as vanilla would have it, except that vanilla's close()
 * would free what kTLS still holds and say nothing to the peer.
 */
static bool drst_hold_end_resets(const struct drst_hold *h, enum drst_stat how)
{
	switch (how) {
	case DRST_STAT_RST_SENT:
		return true;
	case DRST_STAT_MEMORY:
	case DRST_STAT_TIMED_OUT:
		return h->owed || h->stage == DRST_KTLS;
	default:
		return false;
	}
}

/*
 * The process's struct socket goes on with the connection, after a RST that is
 * due: a close() that found no hold would leave nothing to reset.
 */
static void drst_hold_give_back(struct drst_hold *h)
{
	lock_sock(h->sk);
	drst_hold_detach(h);
	release_sock(h->sk);
}

/* tcp_close() the connection, which nobody else has open. */
static void drst_hold_finish(struct drst_hold *h, enum drst_stat how)
{
	struct sock *sk = h->sk;
	struct socket *sock = sk->sk_socket;

	lock_sock(sk);
	if (h->tls)
		drst_proto_teardown(sk);
	/* For __tcp_close() not to find a reason for a RST. */
	if (how == DRST_STAT_FIN_SENT)
		drst_hold_discard(h);
	sock_reset_flag(sk, SOCK_LINGER);
	drst_hold_detach(h);
	release_sock(sk);

	drst_proto_base(sk)->close(sk, 0);

	iput(SOCK_INODE(sock));
}

/* The stage is OVER, no event queues the work; how it was is in @rst. */
static void drst_hold_end(struct drst_hold *h, enum drst_stat how, bool rst)
{
	struct net *net = get_net(sock_net(h->sk));
	u64 flushed = tcp_sk(h->sk)->bytes_acked - h->acked;

	if (rst && !drst_hold_reset(h) && how == DRST_STAT_RST_SENT)
		how = drst_hold_closed(h);
	drst_hold_leave(h, how);
	if (h->closed)
		drst_hold_finish(h, how);
	else
		drst_hold_give_back(h);
	cancel_delayed_work(&h->work);

	atomic_dec(&drst_pernet(net)->held);
	drst_stat_add(net, DRST_STAT_FLUSHED_BYTES, flushed);
	drst_stat_inc(net, how);
	put_net(net);

	complete(&h->done);
	drst_hold_put(h);
}

/* ---- KTLS and TCP ---- */

/*
 * Let kTLS give its records to TCP. Its write_space handler queues the worker
 * for those that are ready; the open one has to be closed first, which is done
 * under tx_lock. The worker can sleep with that lock, so it is only tried: the
 * next ACK brings us here again.
 *
 * Socket lock held. Return: true while kTLS holds records that can go.
 */
static bool drst_ktls_push(struct drst_hold *h)
{
	struct sock *sk = h->sk;
	struct tls_context *ctx = tls_get_ctx(sk);

	if (!drst_ktls_pending(sk))
		return false;
	if (ctx->pending_open_record_frags && mutex_trylock(&ctx->tx_lock)) {
		ctx->push_pending_record(sk, MSG_DONTWAIT);
		mutex_unlock(&ctx->tx_lock);
	}
	/* With nothing under way no ACK will come to start the worker. */
	if (drst_tcp_flushed(sk) && !ctx->pending_open_record_frags)
		sk->sk_write_space(sk);
	return drst_ktls_pending(sk);
}

/*
 * kTLS holds nothing: take it off, and queue the FIN that vanilla would. Socket
 * lock held at entry and exit, not in between.
 */
static void drst_hold_enter_tcp(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	drst_proto_teardown(sk);

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = drst_data_ready;
	sk->sk_write_space = drst_write_space;
	write_unlock_bh(&sk->sk_callback_lock);
	h->tls = false;
	/* A close() that owed nothing; data may have come since. */
	if (h->notified && h->owed != DRST_OWED_UNREAD &&
	    h->owed != DRST_OWED_LINGER) {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
		drst_proto_base(sk)->shutdown(sk, SEND_SHUTDOWN);
	}
	h->stage = DRST_TCP;
	drst_hold_discard(h);

	/* Where no FIN pushes it out, a corked tail would wait. */
	if (h->owed) {
		release_sock(sk);
		tcp_sock_set_cork(sk, false);
		lock_sock(sk);
	}
}

/**
 * drst_hold_arm() - be back when a bound is due
 * @h: the hold; nothing changes where an event has queued its work
 *
 * kTLS that could not give TCP anything, for want of memory, gets no event at
 * all: it is asked again ten times a second.
 *
 * Context: socket lock held.
 */
void drst_hold_arm(struct drst_hold *h)
{
	unsigned long expires = drst_hold_expires(h);
	unsigned long delay = 1;

	if (time_after(expires, jiffies))
		delay = expires - jiffies;
	if (h->stage == DRST_KTLS && drst_tcp_flushed(h->sk))
		delay = min_t(unsigned long, delay, HZ / 10);
	/* Once more for a reader that was on its way when the hold began. */
	if (h->stage == DRST_INBOUND &&
	    time_before(jiffies, h->began + HZ / 10))
		delay = min_t(unsigned long, delay, HZ / 10);
	queue_delayed_work(drst_wq, &h->work, delay);
}

static void drst_hold_work(struct work_struct *work)
{
	struct drst_hold *h = container_of(to_delayed_work(work),
					   struct drst_hold, work);
	struct sock *sk = h->sk;
	enum drst_stat how;
	bool rst;

	lock_sock(sk);
	if (h->stage == DRST_TAKEN) {
		release_sock(sk);
		return;
	}
	if (h->drains)
		drst_hold_discard(h);
	if (h->stage == DRST_KTLS && sk->sk_state != TCP_CLOSE &&
	    !drst_ktls_push(h))
		drst_hold_enter_tcp(h);
	if (!drst_hold_ends(h, &how)) {
		drst_hold_arm(h);
		release_sock(sk);
		return;
	}
	rst = drst_hold_end_resets(h, how);
	h->state = sk->sk_state;
	h->stage = DRST_OVER;
	/* Data that comes from now on is TCP's to answer. */
	if (!h->closed)
		drst_hold_unshut(h);
	release_sock(sk);
	drst_hold_end(h, how, rst);
}

/* ---- close() ---- */

/* What __tcp_close() would find reason for a RST in. Socket lock held. */
static enum drst_owed drst_owed_at_close(const struct sock *sk)
{
	if (drst_unread(sk))
		return DRST_OWED_UNREAD;
	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		return DRST_OWED_LINGER;
	return DRST_OWED_NOTHING;
}

/* The contract's outbound table. Socket lock held. */
static bool drst_hold_wanted(const struct sock *sk, enum drst_owed owed)
{
	int mode = drst_knob(sock_net(sk), DRST_MODE);
	bool ktls;

	if (!mode || tcp_sk(sk)->repair || sk->sk_user_data)
		return false;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				     TCPF_FIN_WAIT1 | TCPF_CLOSING |
				     TCPF_LAST_ACK)))
		return false;

	ktls = drst_ktls_pending(sk);
	if (!ktls && drst_tcp_flushed(sk))
		return false;
	if (!drst_notified(sk))
		return mode == 2 && ktls && !owed;
	return mode == 2 || !owed || sk->sk_state != TCP_ESTABLISHED;
}

/*
 * Take a hold in SHUT over from its work. Socket lock held at entry and exit,
 * not in between.
 * Return: the hold, in TAKEN, or NULL where it has ended.
 */
static struct drst_hold *drst_hold_retake(struct drst_hold *h)
{
	struct sock *sk = h->sk;
	bool over = h->stage == DRST_OVER;

	if (!over)
		h->stage = DRST_TAKEN;
	refcount_inc(&h->ref);
	release_sock(sk);

	if (over)
		wait_for_completion(&h->done);
	else
		cancel_delayed_work_sync(&h->work);

	lock_sock(sk);
	if (!over) {
		drst_hold_unshut(h);
		drst_hold_uncall(h);
		h->drains = false;
	}
	drst_hold_put(h);
	return over ? NULL : h;
}

/*
 * Keep the process's struct socket, which lives in its inode, when the process
 * goes. The file goes, too, and is not to be met by way of it. Of a socket
 * without a file, __sock_release() drops the reference that the file's dentry
 * would have had. sk_callback_lock held.
 */
static void drst_hold_keep_socket(struct socket *sock)
{
	ihold(SOCK_INODE(sock));
	if (sock->file) {
		ihold(SOCK_INODE(sock));
		WRITE_ONCE(sock->file, NULL);
	}
	/* Without it tcp_check_space() is silent. */
	set_bit(SOCK_NOSPACE, &sock->flags);
}

/* The connection and its struct socket are the hold's. Socket lock held. */
static void drst_hold_take(struct drst_hold *h, enum drst_owed owed)
{
	struct sock *sk = h->sk;
	struct tls_context *ctx = tls_get_ctx(sk);

	h->stage = DRST_TAKEN;
	h->closed = true;
	if (!h->owed)
		h->owed = owed;

	write_lock_bh(&sk->sk_callback_lock);
	drst_hold_keep_socket(sk->sk_socket);
	drst_hold_drain(h, ctx);
	/* net/tls is to be torn down, and its handler with it. */
	if (ctx->rx_conf != TLS_BASE)
		h->data_ready = tls_sw_ctx_rx(ctx)->saved_data_ready;
	h->write_space = ctx->sk_write_space;
	sk->sk_state_change = drst_state_change;
	ctx->sk_write_space = drst_write_space;
	write_unlock_bh(&sk->sk_callback_lock);

	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~RCV_SHUTDOWN);
	sk->sk_sndtimeo = 0;	/* kTLS's worker is not to sleep from now on */
	drst_forget_recverr(sk);	/* nor to give up for an ICMP message */
	inet_csk(sk)->icsk_ulp_ops = &drst_held_ulp_ops;
}

/*
 * Start a hold that has been taken; no event is looked at before. Socket lock
 * held at entry and exit, not in between.
 */
static void drst_hold_start(struct drst_hold *h)
{
	struct sock *sk = h->sk;
	enum drst_stat how;

	if (drst_ktls_pending(sk)) {
		sk->sk_write_space(sk);
		h->stage = DRST_KTLS;
		drst_hold_kick(h);
		return;
	}

	/* At once, not from the work: the FIN leaves as early as vanilla's. */
	drst_hold_enter_tcp(h);

	/* An event may have brought the work, and the end, meanwhile. */
	if (h->stage == DRST_OVER)
		return;
	/* The work is woken only where there is something for it to do. */
	if (drst_hold_ends(h, &how))
		drst_hold_kick(h);
	else
		drst_hold_arm(h);
}

/**
 * drst_hold_close() - hold a connection that its last process closes
 * @sk: the connection
 * @timeout: how long close() lingers (SO_LINGER), in jiffies, 0 for not at all
 *
 * Context: process, socket lock not held, may sleep.
 * Return: true if the connection is held: the caller forgets it, as after
 * close(). false if nothing is held: the caller closes it.
 */
bool drst_hold_close(struct sock *sk, long timeout)
{
	struct drst_hold *h;
	enum drst_owed owed;

	lock_sock(sk);
	h = drst_hold_of(sk);
	if (h && h->stage == DRST_INBOUND) {
		drst_inbound_close(h);
		h = NULL;
	}
	if (h)
		h = drst_hold_retake(h);
	owed = drst_owed_at_close(sk);
	if (!h && drst_hold_wanted(sk, owed))
		h = drst_hold_begin(sk, owed);
	if (!h) {
		drst_proto_unwrap(sk);
		release_sock(sk);
		return false;
	}
	drst_hold_take(h, owed);
	refcount_inc(&h->ref);
	drst_hold_start(h);
	release_sock(sk);

	/* As sk_stream_wait_close(), which a RST does not wait for. */
	if (timeout && !owed)
		wait_for_completion_interruptible_timeout(&h->done, timeout);
	drst_hold_put(h);
	return true;
}

/**
 * drst_hold_net_init() - make a namespace ready
 * @net: the namespace
 *
 * Context: process.
 */
void drst_hold_net_init(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	spin_lock_init(&dn->holds_lock);
	INIT_LIST_HEAD(&dn->holds);
	INIT_DELAYED_WORK(&dn->pressure_work, drst_pressure_work);
}

/**
 * drst_hold_net_exit() - the reverse of drst_hold_net_init()
 * @net: the namespace; nothing of it is held any more
 *
 * Context: process, may sleep.
 */
void drst_hold_net_exit(struct net *net)
{
	cancel_delayed_work_sync(&drst_pernet(net)->pressure_work);
}

/**
 * drst_hold_init() - make ready to hold
 *
 * Context: process, may sleep; at load.
 * Return: 0 or -ENOMEM.
 */
int drst_hold_init(void)
{
	drst_wq = alloc_workqueue("tls_drst", WQ_UNBOUND, 0);
	return drst_wq ? 0 : -ENOMEM;
}

/**
 * drst_hold_flush() - wait for the last hold's work to return
 *
 * It counts the end of the hold after it has dropped the socket's pin on the
 * module.
 *
 * Context: process, may sleep; at unload, when no socket's ULP is ours.
 */
void drst_hold_flush(void)
{
	flush_workqueue(drst_wq);
}

/**
 * drst_hold_exit() - the reverse of drst_hold_init()
 *
 * Context: process, may sleep; at unload, when no namespace has work left.
 */
void drst_hold_exit(void)
{
	destroy_workqueue(drst_wq);
}
