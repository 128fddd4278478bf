// SPDX-License-Identifier: GPL-2.0
/*
 * Every access to the internals of net/tls; tcp.c is the same for TCP. For a new
 * kernel, compare these two files with its net/tls/ and net/ipv4/tcp*.c: what still
 * compiles may have another meaning. Each function states its assumptions in
 * "Relies on".
 *
 * Other files rely on these as well:
 *
 * tls_init(),		choose sk_prot and sock->ops by family and by what is
 * update_sk_prot()	offloaded, under the socket lock; proto.c finds its copies
 *			by that pointer
 * tls_sw_sendmsg()	returns sk_err before it takes anything
 * tls_rx_rec_wait()	looks at sk_err before it looks for a record
 */
#include <linux/scatterlist.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "ktls.h"
#include "proto.h"
#include "tcp.h"

/*
 * Bits in tls_context.flags, of which net/tls uses the lowest few. So the state of
 * a connection that is not held costs no memory, and survives changes of sk_prot.
 */
enum drst_ktls_flag {
	DRST_KTLS_NOTIFIED = BITS_PER_LONG - 1,	/* accepted a close_notify */
	DRST_KTLS_KERNELS = BITS_PER_LONG - 2,	/* the kernel uses the socket */
	DRST_KTLS_WAS_HELD = BITS_PER_LONG - 3,	/* its reset has been held */
};

/* ---- net/tls: what a socket is ---- */

/**
 * drst_ktls_is_net_tls() - is the ULP of a socket net/tls as this module knows it?
 * @sk: a socket that has just got the ULP named "tls"
 * @base: its proto from before
 *
 * Relies on: tls_init() makes a tls_context with neither direction set up, and
 * changes sk_prot.
 *
 * Context: process.
 */
bool drst_ktls_is_net_tls(const struct sock *sk, const struct proto *base)
{
	const struct tcp_ulp_ops *ops = inet_csk(sk)->icsk_ulp_ops;
	const struct tls_context *ctx = tls_get_ctx(sk);

	if (ops->owner && strcmp(module_name(ops->owner), "tls"))
		return false;
	return ctx && ctx->sk == sk && ctx->sk_proto == base &&
	       ctx->tx_conf == TLS_BASE && ctx->rx_conf == TLS_BASE &&
	       sk->sk_prot != base;
}

/**
 * drst_ktls_attached() - does a socket still have net/tls?
 * @sk: a socket whose ULP is ours
 *
 * Relies on: tls_sk_proto_close() puts tls_context.sk_proto into sk_prot under the
 * socket lock, then drops that lock, and frees what events that come meanwhile must not
 * look at. icsk_ulp_data does not tell: with an offload it stays.
 *
 * Context: any, socket lock held.
 */
bool drst_ktls_attached(const struct sock *sk)
{
	drst_sock_locked(sk);
	return drst_proto_is_ours(READ_ONCE(sk->sk_prot));
}

/**
 * drst_ktls_suits() - does net/tls's state of a socket allow a hold?
 * @sk: a socket whose ULP is ours
 *
 * It does not in a sockmap, where TCP's proto is not at the base, nor if a TOE
 * makes the records.
 *
 * Relies on: tls_context.sk_proto is sk_prot from before tls_init().
 *
 * Context: process, socket lock held.
 */
bool drst_ktls_suits(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	sock_owned_by_me(sk);
	return ctx && ctx->sk_proto == drst_proto_base(sk) && !drst_has_toe(ctx);
}

/**
 * drst_ktls_sends() - does a socket send by kTLS?
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
bool drst_ktls_sends(const struct sock *sk)
{
	return tls_get_ctx(sk)->tx_conf != TLS_BASE;
}

/**
 * drst_ktls_receives() - does a socket receive by kTLS?
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
bool drst_ktls_receives(const struct sock *sk)
{
	return tls_get_ctx(sk)->rx_conf != TLS_BASE;
}

/**
 * drst_ktls_set_notified() - a socket has accepted a close_notify to send
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
void drst_ktls_set_notified(struct sock *sk)
{
	set_bit(DRST_KTLS_NOTIFIED, &tls_get_ctx(sk)->flags);
}

/**
 * drst_ktls_notified() - has a socket accepted a close_notify to send?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * Context: any.
 */
bool drst_ktls_notified(const struct sock *sk)
{
	return test_bit(DRST_KTLS_NOTIFIED, &tls_get_ctx(sk)->flags);
}

/**
 * drst_ktls_set_kernels() - the kernel uses a socket: never hold it
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
void drst_ktls_set_kernels(struct sock *sk)
{
	set_bit(DRST_KTLS_KERNELS, &tls_get_ctx(sk)->flags);
}

/**
 * drst_ktls_kernels() - has the kernel been seen to use a socket?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * Context: any.
 */
bool drst_ktls_kernels(const struct sock *sk)
{
	return test_bit(DRST_KTLS_KERNELS, &tls_get_ctx(sk)->flags);
}

/**
 * drst_ktls_set_was_held() - an inbound hold begins
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
void drst_ktls_set_was_held(struct sock *sk)
{
	set_bit(DRST_KTLS_WAS_HELD, &tls_get_ctx(sk)->flags);
}

/**
 * drst_ktls_was_held() - has there been an inbound hold of a socket?
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 */
bool drst_ktls_was_held(const struct sock *sk)
{
	return test_bit(DRST_KTLS_WAS_HELD, &tls_get_ctx(sk)->flags);
}

/* ---- net/tls: sending ---- */

/**
 * drst_ktls_holds() - does kTLS hold records that it accepted?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * Relies on: the open record is in pending_open_record_frags, all others (being
 * encrypted, ready, partly sent) are in tx_list.
 *
 * Context: any, socket lock held.
 */
bool drst_ktls_holds(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	drst_sock_locked(sk);
	if (ctx->partially_sent_record || ctx->pending_open_record_frags)
		return true;
	return ctx->tx_conf == TLS_SW &&
	       !list_empty(&tls_sw_ctx_tx(ctx)->tx_list);
}

/**
 * drst_ktls_pending() - does kTLS hold records that can still go?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * After SHUT_WR TCP takes nothing more. A record whose encryption has failed is never
 * ready. An error in sk_err stops a sender, but the last close() can take that out.
 *
 * Relies on: tls_encrypt_done() leaves the error in async_wait.err. SEND_SHUTDOWN is
 * set before TCP leaves TCP_ESTABLISHED and TCP_CLOSE_WAIT for a state in which a FIN
 * is queued.
 *
 * Context: any, socket lock held, not in TCP_CLOSE.
 */
bool drst_ktls_pending(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	if (sk->sk_shutdown & SEND_SHUTDOWN ||
	    (ctx->tx_conf == TLS_SW && tls_sw_ctx_tx(ctx)->async_wait.err))
		return false;
	return drst_ktls_holds(sk);
}

/**
 * drst_ktls_pending_bytes() - how much of drst_ktls_pending() can be seen?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * The rest of the record that TCP has taken in part. The lengths of the others are
 * net/tls's secret.
 *
 * Relies on: partially_sent_record is a list for sg_next(), of which TCP has
 * partially_sent_offset bytes of the first entry.
 *
 * Context: process, socket lock held.
 * Return: bytes.
 */
u32 drst_ktls_pending_bytes(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct scatterlist *sg = ctx->partially_sent_record;
	u32 bytes = 0;

	sock_owned_by_me(sk);
	if (!sg || !drst_ktls_pending(sk))
		return 0;
	for (; sg; sg = sg_next(sg))
		bytes += sg->length;
	return bytes - ctx->partially_sent_offset;
}

/**
 * drst_ktls_has_open_record() - has kTLS a record that is not closed yet?
 * @sk: a socket whose ULP is ours; net/tls is not torn down yet
 *
 * Context: any, socket lock held.
 */
bool drst_ktls_has_open_record(const struct sock *sk)
{
	return tls_get_ctx(sk)->pending_open_record_frags;
}

/**
 * drst_ktls_push() - let kTLS give its records to TCP
 * @sk: a connection that no process has open any more
 *
 * The write_space handler of net/tls queues its worker for the records that are
 * ready. The open one has to be closed first, under tx_lock. The worker may sleep
 * with that lock, so this only tries it: the next ACK brings the caller back.
 *
 * Relies on: push_pending_record() wants tx_lock and the socket lock, as in
 * tls_sw_push_pending_record(). If it cannot encrypt, it drops the record and sets
 * EBADMSG, with which the others would stay.
 *
 * Context: process, socket lock held.
 * Return: true while kTLS holds records that can go.
 */
bool drst_ktls_push(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	sock_owned_by_me(sk);
	if (!drst_ktls_pending(sk))
		return false;
	if (ctx->pending_open_record_frags && mutex_trylock(&ctx->tx_lock)) {
		ctx->push_pending_record(sk, MSG_DONTWAIT);
		mutex_unlock(&ctx->tx_lock);
	}
	if (sk->sk_err == EBADMSG)
		WRITE_ONCE(sk->sk_err, 0);
	/* With nothing in flight no ACK will come to start the worker. */
	if (drst_tcp_flushed(sk) && !ctx->pending_open_record_frags)
		sk->sk_write_space(sk);
	return drst_ktls_pending(sk);
}

/**
 * drst_ktls_lock_senders() - wait until no sender is inside net/tls, let none in
 * @sk: a socket whose ULP is ours, which a process has open
 *
 * Relies on: every way to send takes tx_lock before the socket lock, and receiving
 * does not take it.
 *
 * Context: process, socket lock not held, may sleep.
 * Return: 0, or -EINTR after a signal: sock_intr_errno() says more.
 */
int drst_ktls_lock_senders(struct sock *sk)
{
	return mutex_lock_interruptible(&tls_get_ctx(sk)->tx_lock);
}

/**
 * drst_ktls_unlock_senders() - the reverse of drst_ktls_lock_senders()
 * @sk: the socket
 *
 * Context: process.
 */
void drst_ktls_unlock_senders(struct sock *sk)
{
	mutex_unlock(&tls_get_ctx(sk)->tx_lock);
}

/* ---- net/tls: receiving ---- */

/*
 * The length of the record that begins with what the strparser has copied, and goes on
 * in the receive queue; 0 if unknown
 */
static unsigned int drst_ktls_record_len(const struct sock *sk, u32 copied)
{
	const struct tls_strparser *strp = &tls_sw_ctx_rx(tls_get_ctx(sk))->strp;
	u32 seq = tcp_sk(sk)->copied_seq - copied;
	u8 header[TLS_HEADER_SIZE];
	struct sk_buff *skb;
	unsigned int got;
	u32 offset, n;

	got = min_t(u32, copied, sizeof(header));
	if (got && skb_copy_bits(strp->anchor, 0, header, got))
		return 0;
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		if (got == sizeof(header))
			break;
		offset = seq + got - TCP_SKB_CB(skb)->seq;
		if (offset >= skb->len)
			continue;
		n = min_t(u32, skb->len - offset, sizeof(header) - got);
		if (skb_copy_bits(skb, offset, header + got, n))
			return 0;
		got += n;
	}
	return got == sizeof(header) ?
	       sizeof(header) + (header[3] << 8 | header[4]) : 0;
}

/* Nothing comes of an empty record of data. MSG_PEEK leaves it in rx_list. */
static bool drst_ktls_record_is_empty(const struct sk_buff *skb)
{
	const struct sk_skb_cb *cb = (const struct sk_skb_cb *)skb->cb;

	return !cb->strp.strp.full_len &&
	       cb->tls.control == TLS_RECORD_TYPE_DATA;
}

/**
 * drst_ktls_record_parsed() - has kTLS's reader a record that it can take?
 * @sk: a socket that receives by kTLS
 *
 * Relies on: decrypted records are in rx_list; msg_ready is the strparser's.
 *
 * Context: any, socket lock held.
 */
bool drst_ktls_record_parsed(const struct sock *sk)
{
	const struct tls_sw_context_rx *rx = tls_sw_ctx_rx(tls_get_ctx(sk));
	const struct sk_buff *skb;

	drst_sock_locked(sk);
	skb_queue_walk(&rx->rx_list, skb)
		if (!drst_ktls_record_is_empty(skb))
			return true;
	/* Before 6.9 msg_ready was a bit, on which READ_ONCE() does not work. */
	return data_race(rx->strp.msg_ready);
}

/**
 * drst_ktls_record_ready() - has kTLS a record to deliver, now or when it has parsed?
 * @sk: a socket that receives by kTLS
 *
 * A record whose end never arrives cannot be read.
 *
 * Relies on: the strparser leaves a record in the receive queue until it is delivered,
 * except in copy_mode, where the copied part is in its anchor; stm.full_len is the
 * record's length or 0. tls_rx_msg_size() wants prepend_size bytes, of which a record
 * can have less. Of the queue it sees what tcp_inq() counts: not the FIN, nor what is
 * behind an urgent byte.
 *
 * Context: any, socket lock held.
 */
bool drst_ktls_record_ready(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	const struct tls_strparser *strp = &tls_sw_ctx_rx(ctx)->strp;
	unsigned int copied = strp->copy_mode ? strp->anchor->len : 0;
	unsigned int len = strp->stm.full_len;

	if (drst_ktls_record_parsed(sk))
		return true;
	/* The strparser stops at what is no record, and says so in sk_err. */
	if (strp->stopped || !drst_tcp_unread(sk))
		return false;

	if (!len)
		len = drst_ktls_record_len(sk, copied);
	return len && copied + tcp_inq((struct sock *)sk) >=
		      max_t(unsigned int, len, ctx->prot_info.prepend_size);
}

/* ---- net/tls: taking it off ---- */

/**
 * drst_ktls_divert() - take the events of a connection away from net/tls
 * @sk: a connection that no process has open any more
 * @to: data_ready becomes sk_data_ready(); write_space is called where net/tls
 *     calls the sk_write_space() that it saved
 *
 * The strparser must not look at the receive queue any more: the caller throws
 * away what arrives. It stops as in tls_sw_release_resources_rx(), which comes
 * later.
 *
 * Relies on: tls_write_space() calls ctx->sk_write_space() at its end;
 * saved_data_ready is put back when net/tls is torn down.
 *
 * Context: process, socket lock and sk_callback_lock held.
 * Return: the callbacks from before net/tls.
 */
struct drst_ktls_events drst_ktls_divert(struct sock *sk,
					 struct drst_ktls_events to)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct drst_ktls_events old = {
		.data_ready = sk->sk_data_ready,
		.write_space = ctx->sk_write_space,
	};

	sock_owned_by_me(sk);
	lockdep_assert_held_write(&sk->sk_callback_lock);
	if (ctx->rx_conf != TLS_BASE) {
		tls_sw_ctx_rx(ctx)->strp.stopped = 1;
		old.data_ready = tls_sw_ctx_rx(ctx)->saved_data_ready;
	}
	WRITE_ONCE(sk->sk_data_ready, to.data_ready);
	ctx->sk_write_space = to.write_space;
	return old;
}

/**
 * drst_ktls_teardown_relock() - take net/tls off a connection, leave TCP as it is
 * @sk: a connection that no process has open any more
 *
 * tls_sk_proto_close() frees net/tls's part and then calls close() of the saved
 * proto, which does nothing here.
 *
 * Relies on: tls_sk_proto_close() ends with ctx->sk_proto->close(), and puts
 * sk_data_ready and sk_write_space from before net/tls back. It waits for its worker,
 * which may wait for room in the send queue, and leaves with an error.
 *
 * Context: process, may sleep. The socket lock is held at entry and exit; it is
 * dropped in between.
 */
void drst_ktls_teardown_relock(struct sock *sk)
{
	const struct proto *tls = drst_proto_tls(sk);

	sock_owned_by_me(sk);
	tls_get_ctx(sk)->sk_proto = drst_proto_closeless(sk);
	if (sk->sk_write_pending) {
		WRITE_ONCE(sk->sk_err, EPIPE);
		sk_error_report(sk);
	}
	release_sock(sk);

	tls->close(sk, 0);

	lock_sock(sk);
	drst_proto_set(sk, drst_proto_base(sk));
}
