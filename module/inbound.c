// SPDX-License-Identifier: GPL-2.0
/*
 * The inbound hold: a RST of the peer's ends the connection at once, but the
 * application learns of it when it has read what arrived before (z/VM PH01192).
 *
 *	tcp_reset() ----> INBOUND ----> OVER
 *
 * INBOUND TCP has closed the connection, as it always does, and left the receive
 *	   queue as it is. The error is the hold's, and poll() does not tell.
 * OVER	   The error is in sk_err, as tcp_reset() left it.
 *
 * The beginning is in the unhash() of our protos: tcp_set_state() calls it on the
 * way to TCP_CLOSE, while sk_state and sk_shutdown are those from before the
 * reset and the error is there.
 *
 * Contexts: a hold begins where TCP takes the RST, in softirq or, from the
 * backlog, in release_sock(). The rest is in process context (recvmsg(), poll(),
 * close(), the work).
 *
 * Locking: as in hold.c. A hold is in sk_user_data from INBOUND to OVER. Its work
 * has the one reference on it; who ends the hold elsewhere has the work run, and
 * drop it. Who reads without the socket lock (drst_poll()) is told by the order:
 * the hold is made ready, then sk_state_change shows it, then the error goes, and
 * then TCP changes sk_state and sk_shutdown.
 */
#include <linux/poll.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "hold.h"
#include "tls_drst.h"

/* ---- is there something to be read? ---- */

/* The length of the record at the head of the receive queue, 0 if unknown */
static unsigned int drst_record_len(const struct sock *sk)
{
	u32 seq = tcp_sk(sk)->copied_seq;
	u8 header[TLS_HEADER_SIZE];
	struct sk_buff *skb;
	unsigned int got = 0;
	u32 offset, n;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		offset = seq + got - TCP_SKB_CB(skb)->seq;
		if (offset >= skb->len)
			continue;
		n = min_t(u32, skb->len - offset, sizeof(header) - got);
		if (skb_copy_bits(skb, offset, header + got, n))
			return 0;
		got += n;
		if (got == sizeof(header))
			return sizeof(header) + (header[3] << 8 | header[4]);
	}
	return 0;
}

/*
 * Has kTLS RX a record to deliver? A record of which the end will never come
 * cannot be read, so nobody waits for its being read.
 */
static bool drst_record_ready(const struct sock *sk,
			      const struct tls_context *ctx)
{
	const struct tls_sw_context_rx *rx = tls_sw_ctx_rx(ctx);
	const struct tls_strparser *strp = &rx->strp;
	unsigned int len = strp->stm.full_len;
	unsigned int have;

	if (!skb_queue_empty(&rx->rx_list) || READ_ONCE(strp->msg_ready))
		return true;
	if (!drst_unread(sk))
		return false;

	have = tcp_sk(sk)->rcv_nxt - tcp_sk(sk)->copied_seq;
	if (strp->copy_mode)
		have += strp->anchor->len;
	else if (!len)
		len = drst_record_len(sk);
	return len && have >= len;
}

/* Socket lock held. */
static bool drst_undelivered(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx->rx_conf != TLS_BASE)
		return drst_record_ready(sk, ctx);
	return drst_unread(sk);
}

/*
 * The contract's inbound table. Socket lock held; sk_state is the one that the
 * RST found.
 */
static bool drst_inbound_wanted(const struct sock *sk)
{
	int mode = drst_knob(sock_net(sk), DRST_MODE);

	if (!mode || sk->sk_user_data || sock_flag(sk, SOCK_DEAD) ||
	    tcp_sk(sk)->repair)
		return false;
	if (sk->sk_state == TCP_ESTABLISHED && mode != 2)
		return false;
	return drst_undelivered(sk);
}

/* ---- the end ---- */

/*
 * Has the application left the connection by connect(AF_UNSPEC)? TCP_CLOSE has
 * both directions shut down but there (tcp_disconnect()).
 */
static bool drst_inbound_disconnected(const struct sock *sk)
{
	return sk->sk_shutdown != SHUTDOWN_MASK;
}

/* Socket lock held by this task. The reference stays for the caller to drop. */
static void drst_inbound_end(struct drst_hold *h, enum drst_stat how)
{
	struct sock *sk = h->sk;
	const struct net *net = sock_net(sk);
	struct drst_net *dn = drst_pernet(net);

	h->stage = DRST_OVER;
	drst_hold_leave(h, how);
	drst_proto_normal(sk);
	WRITE_ONCE(sk->sk_state_change, h->state_change);
	WRITE_ONCE(sk->sk_error_report, h->error_report);
	rcu_assign_sk_user_data(sk, NULL);

	atomic_dec(&dn->held);
	atomic_dec(&dn->in_held);
	drst_stat_inc(net, how);

	if (drst_inbound_disconnected(sk))
		return;
	/* As tcp_reset(). An error of kTLS's is the later one. */
	if (!READ_ONCE(sk->sk_err))
		WRITE_ONCE(sk->sk_err, h->err);
	smp_wmb();	/* tcp_poll() */
	sk->sk_state_change(sk);
	sk_error_report(sk);
}

/*
 * As drst_inbound_end(), for others than the work. The work may be queued and, at
 * the same time, wait for the socket lock, so cancelling it would prove nothing.
 */
static void drst_inbound_end_elsewhere(struct drst_hold *h, enum drst_stat how)
{
	drst_inbound_end(h, how);
	mod_delayed_work(drst_wq, &h->work, 0);
}

/**
 * drst_inbound_close() - an application closes a socket whose reset is held
 * @h: the hold, in %DRST_INBOUND
 *
 * Context: process, socket lock held; the hold is over afterwards.
 */
void drst_inbound_close(struct drst_hold *h)
{
	drst_inbound_end_elsewhere(h, DRST_STAT_IN_CLOSED);
}

/**
 * drst_hold_rewrap() - net/tls has changed a socket that has a hold
 * @sk: the socket, with our ordinary hooks on
 *
 * Context: process, socket lock held, may sleep.
 */
void drst_hold_rewrap(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);

	if (!h)
		return;
	if (h->stage == DRST_SHUT)
		drst_hold_redrain(h);
	if (h->stage == DRST_INBOUND && drst_proto_inbound(sk))
		drst_inbound_end_elsewhere(h, DRST_STAT_IN_MEMORY);
}

/* ---- while it is held ---- */

static bool drst_inbound_ends(struct drst_hold *h, enum drst_stat *how)
{
	struct sock *sk = h->sk;
	u32 copied_seq = tcp_sk(sk)->copied_seq;

	if (copied_seq != h->seen) {
		h->seen = copied_seq;
		h->progress = jiffies;
	}
	if (drst_inbound_disconnected(sk))
		*how = DRST_STAT_IN_CLOSED;
	else if (!drst_undelivered(sk))
		*how = DRST_STAT_IN_DELIVERED;
	else if (drst_memory_short(sk))
		*how = DRST_STAT_IN_MEMORY;
	else if (time_after_eq(jiffies, drst_hold_expires(h)))
		*how = DRST_STAT_IN_TIMED_OUT;
	else
		return false;
	return true;
}

/*
 * Does the application learn of the reset now, because everything has been read or
 * a bound strikes? Then its next call meets it. Socket lock held by this task.
 */
static void drst_inbound_look(struct sock *sk)
{
	struct drst_hold *h = drst_hold_of(sk);
	enum drst_stat how;

	if (h && h->stage == DRST_INBOUND && drst_inbound_ends(h, &how))
		drst_inbound_end_elsewhere(h, how);
}

static void drst_inbound_check(struct sock *sk)
{
	lock_sock(sk);
	drst_inbound_look(sk);
	release_sock(sk);
}

/**
 * drst_inbound_recvmsg() - recvmsg() of a socket whose reset is held
 * @sk: the socket
 * @msg: where to
 * @len: how much at most, in bytes
 * @flags: MSG_ flags
 *
 * Context: process, socket lock not held, may sleep.
 * Return: bytes read, 0 at the end or a negative errno.
 */
int drst_inbound_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			 int flags)
{
	int ret;

	drst_inbound_check(sk);
	ret = drst_recvmsg(drst_proto_tls(sk), sk, msg, len, flags);
	drst_inbound_check(sk);
	return ret;
}

/**
 * drst_inbound_sendmsg() - sendmsg() of a socket whose reset is held
 * @sk: the socket
 * @msg: what to send
 * @size: how much, in bytes
 *
 * kTLS would take records, and leave the error that TCP gives it for the reader.
 *
 * Context: process, socket lock not held.
 * Return: -EPIPE, after SIGPIPE where that is wanted, as tcp_sendmsg().
 */
int drst_inbound_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	return sk_stream_error(sk, msg->msg_flags, -EPIPE);
}

/**
 * drst_inbound_disconnect() - connect(AF_UNSPEC) of a socket whose reset is held
 * @sk: the socket
 * @flags: O_NONBLOCK
 *
 * Context: process, socket lock held.
 * Return: 0, or a negative errno where net/tls lets nobody disconnect.
 */
int drst_inbound_disconnect(struct sock *sk, int flags)
{
	int err = drst_proto_tls(sk)->disconnect(sk, flags);

	drst_inbound_look(sk);
	return err;
}

/**
 * drst_inbound_splice_read() - splice() from a socket whose reset is held
 * @sock: the struct socket
 * @ppos: not used by TCP
 * @pipe: where to
 * @len: how much at most, in bytes
 * @flags: SPLICE_F_ flags
 *
 * Context: process, socket lock not held, may sleep.
 * Return: bytes read, 0 at the end or a negative errno.
 */
ssize_t drst_inbound_splice_read(struct socket *sock, loff_t *ppos,
				 struct pipe_inode_info *pipe, size_t len,
				 unsigned int flags)
{
	ssize_t ret;

	drst_inbound_check(sock->sk);
	ret = drst_ops_tls(sock)->splice_read(sock, ppos, pipe, len, flags);
	drst_inbound_check(sock->sk);
	return ret;
}

/**
 * drst_inbound_poll() - poll() of a socket whose reset is held
 * @h: the hold, in %DRST_INBOUND
 * @mask: what net/tls's poll() says
 *
 * Neither HUP nor ERR, nor RDHUP without a FIN. Where everything has been read by
 * a call that began before the hold did, the work is told: here nothing can sleep.
 *
 * Context: process, socket lock held (its spinlock part).
 * Return: EPOLL bits.
 */
__poll_t drst_inbound_poll(struct drst_hold *h, __poll_t mask)
{
	struct sock *sk = h->sk;

	mask &= ~(EPOLLHUP | EPOLLERR);
	if (!h->peer_fin)
		mask &= ~EPOLLRDHUP;
	if (!sock_owned_by_user(sk) && !drst_undelivered(sk))
		mod_delayed_work(drst_wq, &h->work, 0);
	return mask;
}

static void drst_inbound_work(struct work_struct *work)
{
	struct drst_hold *h = container_of(to_delayed_work(work),
					   struct drst_hold, work);
	struct sock *sk = h->sk;
	enum drst_stat how;
	bool over;

	lock_sock(sk);
	if (h->stage == DRST_INBOUND && drst_inbound_ends(h, &how))
		drst_inbound_end(h, how);
	over = h->stage == DRST_OVER;
	if (!over)
		drst_hold_arm(h);
	release_sock(sk);
	if (!over)
		return;
	cancel_delayed_work(&h->work);
	drst_hold_put(h);
}

/* ---- the beginning ---- */

/* The error that tcp_reset() gives a connection in a state, and nothing else does. */
static int drst_reset_error(int state)
{
	return state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
}

/**
 * drst_inbound_coming() - is TCP in the middle of a reset?
 * @sk: a TCP socket
 *
 * tcp_reset() gives the error before drst_inbound_reset() can take it. It wakes
 * whoever polls when it is done.
 *
 * Context: any, socket lock not needed.
 * Return: true if the error in sk_err is not to be told of yet.
 */
bool drst_inbound_coming(const struct sock *sk)
{
	int err = READ_ONCE(sk->sk_err);
	int state;

	smp_rmb();	/* drst_inbound_begin(): without an error, there is a hold */
	state = inet_sk_state_load(sk);
	return state != TCP_CLOSE && err == drst_reset_error(state);
}

/*
 * sk_error_report of a socket whose reset is held: nobody is to be told of an
 * error. A sender that the reset found inside net/tls leaves its EPIPE
 * (tls_err_abort()), which the reader would meet. The hold is not looked at, as
 * not all callers have the socket lock.
 */
static void drst_inbound_error_report(struct sock *sk)
{
	if (READ_ONCE(sk->sk_err) == EPIPE)
		WRITE_ONCE(sk->sk_err, 0);
}

static void drst_inbound_begin(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	atomic_inc(&drst_pernet(sock_net(sk))->in_held);
	h->stage = DRST_INBOUND;
	h->seen = tcp_sk(sk)->copied_seq;
	h->err = sk->sk_err;
	h->state = sk->sk_state;
	h->peer_fin = sk->sk_shutdown & RCV_SHUTDOWN;
	h->error_report = sk->sk_error_report;
	drst_hold_enter(h);
	drst_hold_arm(h);

	rcu_assign_sk_user_data(sk, h);
	drst_proto_inbound(sk);
	WRITE_ONCE(sk->sk_error_report, drst_inbound_error_report);
	/* drst_hold_poll(), which has the spinlock only, sees all of it or nothing. */
	smp_store_release(&sk->sk_state_change, drst_state_change);
	smp_wmb();	/* drst_inbound_coming() */
	WRITE_ONCE(sk->sk_err, 0);
	smp_wmb();	/* drst_poll(): who sees what TCP does next sees the hold */
}

/**
 * drst_inbound_reset() - TCP closes a connection
 * @sk: the socket, with all our hooks on; sk_state is the one that it leaves
 *
 * tcp_done() goes on: to TCP_CLOSE, SHUTDOWN_MASK and sk_state_change(), which
 * brings the work.
 *
 * Context: any, socket lock held.
 */
void drst_inbound_reset(struct sock *sk)
{
	struct drst_hold *h;

	if (READ_ONCE(sk->sk_err) != drst_reset_error(sk->sk_state) ||
	    !drst_inbound_wanted(sk))
		return;

	h = drst_hold_new(sk, DRST_OWED_BY_PEER, drst_inbound_work, GFP_ATOMIC);
	if (h)
		drst_inbound_begin(h);
}
