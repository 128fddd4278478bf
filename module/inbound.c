// SPDX-License-Identifier: GPL-2.0
/*
 * The inbound hold: a RST of the peer's, kept until the application has read
 * what arrived before it (z/VM PH01192).
 *
 *	RST arrives ----> RST ----> INBOUND ----> OVER
 *			   |                       ^
 *			   +-----------------------+
 *
 * RST	   A netfilter hook behind all others has taken the segment out of the
 *	   way of tcp_v4_rcv(), whose checks it has made. The work is to look at it.
 * INBOUND The application has data to read. TCP does not know of the RST, but the
 *	   peer is not there any more: nobody waits for more than has arrived
 *	   (RCV_SHUTDOWN), and new data to send is refused.
 * OVER	   TCP gets the segment through sk_backlog_rcv(), as if it had come in
 *	   while the socket was in use, and does what it does with a RST.
 *
 * Contexts: the hook runs in softirq, the rest in process context (recvmsg(),
 * poll(), close(), the work).
 *
 * Locking: as in hold.c. Of one socket one RST at a time is held
 * (DRST_RST_HELD), and some can wait to be looked at (DRST_RST_SEEN): who has
 * closed answers each of our ACKs with a RST, and an old one must not keep the
 * good one away. The bits are in tls_context.flags.
 * A hold is in sk_user_data from INBOUND to OVER. Its work has the one reference
 * on it; who ends the hold elsewhere has the work run, and drop it.
 *
 * The hook is registered for a namespace while that has sockets with our ULP and
 * a mode that holds; drst_net.nf_mutex covers that.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/poll.h>
#include <linux/splice.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip6_checksum.h>
#include <net/tls.h>
#include <net/xfrm.h>

#include "compat.h"
#include "hold.h"
#include "tls_drst.h"

/* After the last socket the hook stays for as long: they come and go. */
#define DRST_NF_LINGER (10 * HZ)

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

/* The contract's inbound table. Socket lock held. */
static bool drst_inbound_wanted(const struct sock *sk)
{
	int mode = drst_knob(sock_net(sk), DRST_MODE);

	if (!mode || sk->sk_user_data || sock_flag(sk, SOCK_DEAD) ||
	    tcp_sk(sk)->repair || !drst_proto_is_ours(sk))
		return false;
	/* TCP_CLOSE: another RST was before this one. */
	if (sk->sk_state == TCP_CLOSE ||
	    (sk->sk_state == TCP_ESTABLISHED && mode != 2))
		return false;
	return drst_undelivered(sk);
}

/* ---- the end ---- */

/* Socket lock held by this task: TCP gets the RST. */
static void drst_inbound_apply(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	tcp_segs_in(tcp_sk(sk), h->rst);
	sk->sk_backlog_rcv(sk, h->rst);
	h->rst = NULL;
}

static void drst_rst_forget(const struct sock *sk, int bit)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx)
		clear_bit(bit, &ctx->flags);
}

/* Socket lock held by this task. The reference stays for the caller to drop. */
static void drst_inbound_end(struct drst_hold *h, enum drst_stat how)
{
	struct sock *sk = h->sk;
	const struct net *net = sock_net(sk);
	struct drst_net *dn = drst_pernet(net);

	h->state = sk->sk_state;
	h->stage = DRST_OVER;
	drst_hold_leave(h, how);
	drst_proto_normal(sk);
	sk->sk_state_change = h->state_change;
	rcu_assign_sk_user_data(sk, NULL);
	drst_rst_forget(sk, DRST_RST_HELD);

	/* It was good when it came (RFC 5961 s. 3.2), whatever came since. */
	TCP_SKB_CB(h->rst)->seq = tcp_sk(sk)->rcv_nxt;
	TCP_SKB_CB(h->rst)->end_seq = tcp_sk(sk)->rcv_nxt;
	drst_inbound_apply(h);

	atomic_dec(&dn->held);
	/* A mode that holds nothing left the hook for this one. */
	if (atomic_dec_and_test(&dn->in_held) && !READ_ONCE(dn->knob[DRST_MODE]))
		mod_delayed_work(drst_wq, &dn->nf_work, 0);
	drst_stat_inc(net, how);
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
	if (sk->sk_state == TCP_CLOSE)
		*how = DRST_STAT_IN_CLOSED;	/* ss -K, or TCP's time-out */
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
 * Does the reset take effect now, because everything has been read or a bound
 * strikes? Then the next call of the application's meets it.
 */
static void drst_inbound_check(struct sock *sk)
{
	struct drst_hold *h;
	enum drst_stat how;

	lock_sock(sk);
	h = drst_hold_of(sk);
	if (h && h->stage == DRST_INBOUND && drst_inbound_ends(h, &how))
		drst_inbound_end_elsewhere(h, how);
	release_sock(sk);
}

/**
 * drst_inbound_recvmsg() - recvmsg() of a socket whose reset is held
 * @sk: the socket
 * @msg: where to
 * @len: how much at most, in bytes
 * @flags: MSG_ flags
 *
 * What has arrived is all there will be, so nothing is waited for.
 *
 * Context: process, socket lock not held, may sleep.
 * Return: bytes read, 0 at the end or a negative errno.
 */
int drst_inbound_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			 int flags)
{
	const struct proto *tls = drst_proto_tls(sk);
	int ret;

	if (flags & MSG_ERRQUEUE)
		return drst_recvmsg(tls, sk, msg, len, flags);

	drst_inbound_check(sk);
	ret = drst_recvmsg(tls, sk, msg, len,
			   (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
	drst_inbound_check(sk);
	if (ret != -EAGAIN)
		return ret;
	return drst_recvmsg(tls, sk, msg, len, flags);
}

/**
 * drst_inbound_sendmsg() - sendmsg() of a socket whose reset is held
 * @sk: the socket
 * @msg: what to send
 * @size: how much, in bytes
 *
 * kTLS does not look at SEND_SHUTDOWN and would take records for nobody.
 *
 * Context: process, socket lock not held.
 * Return: -EPIPE, after SIGPIPE where that is wanted, as tcp_sendmsg().
 */
int drst_inbound_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	return sk_stream_error(sk, msg->msg_flags, -EPIPE);
}

/**
 * drst_inbound_shutdown() - shutdown() of a socket whose reset is held
 * @sk: the socket
 * @how: SEND_SHUTDOWN, RCV_SHUTDOWN
 *
 * There is nobody to send a FIN to.
 *
 * Context: process, socket lock held.
 */
void drst_inbound_shutdown(struct sock *sk, int how)
{
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
	const struct proto_ops *ops = drst_ops_tls(sock);
	ssize_t ret;

	drst_inbound_check(sock->sk);
	ret = ops->splice_read(sock, ppos, pipe, len,
			       flags | SPLICE_F_NONBLOCK);
	drst_inbound_check(sock->sk);
	if (ret != -EAGAIN)
		return ret;
	return drst_ops_tls(sock)->splice_read(sock, ppos, pipe, len, flags);
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

/* ---- the beginning ---- */

/* Socket lock held by this task. */
static bool drst_inbound_begin(struct drst_hold *h)
{
	struct sock *sk = h->sk;
	const struct net *net = sock_net(sk);

	drst_stat_inc(net, DRST_STAT_IN_HELD);
	if (drst_memory_short(sk)) {
		drst_stat_inc(net, DRST_STAT_IN_MEMORY);
		return false;
	}
	if (!drst_hold_admit(net)) {
		drst_stat_inc(net, DRST_STAT_IN_OVER_LIMIT);
		return false;
	}
	if (drst_proto_inbound(sk)) {
		atomic_dec(&drst_pernet(net)->held);
		drst_stat_inc(net, DRST_STAT_IN_MEMORY);
		return false;
	}
	atomic_inc(&drst_pernet(net)->in_held);
	set_bit(DRST_RST_HELD, &tls_get_ctx(sk)->flags);
	h->stage = DRST_INBOUND;
	h->seen = tcp_sk(sk)->copied_seq;
	h->began = jiffies;
	h->progress = jiffies;
	h->owed = DRST_OWED_BY_PEER;
	h->peer_fin = sk->sk_shutdown & RCV_SHUTDOWN;
	h->state_change = sk->sk_state_change;
	rcu_assign_sk_user_data(sk, h);
	/* drst_hold_poll(), which has the spinlock only, sees all of it or nothing. */
	smp_store_release(&sk->sk_state_change, drst_state_change);
	drst_hold_enter(h);

	/* Wake who waits for more data, or for SO_RCVLOWAT. */
	smp_wmb();	/* drst_poll(): who sees this sees the hold */
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | RCV_SHUTDOWN);
	h->state_change(sk);
	return true;
}

/*
 * Senders get EPIPE from drst_inbound_sendmsg(), except those that were in
 * net/tls's already and wait for space. SEND_SHUTDOWN sends them away. Socket lock
 * held.
 */
static void drst_inbound_wake_senders(struct drst_hold *h)
{
	struct sock *sk = h->sk;

	if (!sk->sk_write_pending || sk->sk_shutdown & SEND_SHUTDOWN)
		return;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	h->state_change(sk);
}

static bool drst_rst_is_held(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	return ctx && test_bit(DRST_RST_HELD, &ctx->flags);
}

/*
 * Is this the RST's number? RFC 5961 s. 3.2, and in tcp_reset_check() that of a
 * peer that does not count its FIN: one that has closed, and answers our ACK of
 * its data alone. (What TCP takes behind missing data goes the ordinary way.)
 * Socket lock held.
 */
static bool drst_rst_fits(const struct sock *sk, u32 seq)
{
	u32 rcv_nxt = tcp_sk(sk)->rcv_nxt;

	if (seq == rcv_nxt)
		return true;
	return seq == rcv_nxt - 1 &&
	       (1 << sk->sk_state) & (TCPF_CLOSE_WAIT | TCPF_LAST_ACK |
				      TCPF_CLOSING);
}

/* Socket lock held by this task: look at a RST that has just come. */
static bool drst_inbound_look(struct drst_hold *h)
{
	struct sock *sk = h->sk;
	bool second = drst_rst_is_held(sk);
	bool held;

	held = !second && tls_get_ctx(sk) &&
	       drst_rst_fits(sk, TCP_SKB_CB(h->rst)->seq) &&
	       drst_inbound_wanted(sk) && drst_inbound_begin(h);
	drst_rst_forget(sk, h->seen_bit);
	if (second) {
		kfree_skb(h->rst);
		h->rst = NULL;
	} else if (!held) {
		drst_inbound_apply(h);
	}
	return held;
}

static void drst_inbound_work(struct work_struct *work)
{
	struct drst_hold *h = container_of(to_delayed_work(work),
					   struct drst_hold, work);
	struct sock *sk = h->sk;
	enum drst_stat how;
	bool held = false;

	lock_sock(sk);
	if (h->stage == DRST_RST) {
		held = drst_inbound_look(h);
	} else if (h->stage == DRST_INBOUND) {
		if (drst_inbound_ends(h, &how))
			drst_inbound_end(h, how);
		else
			held = true;
	}
	if (held) {
		drst_inbound_wake_senders(h);
		drst_hold_arm(h);
	}
	release_sock(sk);
	if (held)
		return;
	cancel_delayed_work(&h->work);
	drst_hold_put(h);
}

/* ---- the hook ---- */

/*
 * Where something else has a say in which segments TCP takes, the RST goes the
 * ordinary way: TCP-MD5 and TCP-AO, a socket filter, a minimal TTL, IPsec.
 */
static bool drst_rst_is_plain(struct sock *sk, struct sk_buff *skb)
{
	if (drst_has_auth(sk) || rcu_access_pointer(sk->sk_filter) ||
	    READ_ONCE(inet_sk(sk)->min_ttl))
		return false;
#if IS_ENABLED(CONFIG_IPV6)
	if (skb->protocol == htons(ETH_P_IPV6))
		return !READ_ONCE(inet6_sk(sk)->min_hopcount) &&
		       xfrm6_policy_check(sk, XFRM_POLICY_IN, skb);
#endif
	return xfrm4_policy_check(sk, XFRM_POLICY_IN, skb);
}

/*
 * Could TCP take this RST, and is there something to hold it for? Data in the
 * backlog may bring rcv_nxt to it, while the socket is in use.
 */
static bool drst_rst_matters(struct sock *sk, u32 seq)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	bool matters;

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		matters = !before(seq, tp->rcv_nxt - 1) &&
			  !after(seq, tp->rcv_nxt + tcp_receive_window(tp));
	else
		matters = drst_rst_fits(sk, seq) && tls_get_ctx(sk) &&
			  (drst_inbound_wanted(sk) || drst_rst_is_held(sk));
	bh_unlock_sock(sk);
	return matters;
}

/* What tcp_v4_rcv() and tcp_v6_rcv() do to a segment before they hand it on. */
static void drst_rst_prepare(struct sk_buff *skb, unsigned int thoff)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	struct inet6_skb_parm parm = *IP6CB(skb);
	const struct tcphdr *th;

	__skb_pull(skb, thoff);
	skb_reset_transport_header(skb);
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb->dev = NULL;
	skb->ip_summed = CHECKSUM_UNNECESSARY;	/* nf_checksum() */

	th = tcp_hdr(skb);
	memset(cb, 0, sizeof(*cb));
	cb->header.h6 = parm;
	cb->seq = ntohl(th->seq);
	cb->end_seq = cb->seq + skb->len - th->doff * 4;
	cb->ack_seq = ntohl(th->ack_seq);
	cb->tcp_flags = TCPHDR_RST | (th->ack ? TCPHDR_ACK : 0);
}

/*
 * A bit for a RST that is to be looked at, -1 if there are enough of them: one
 * more that went the ordinary way could go past the hold that they bring.
 */
static int drst_rst_seen_bit(struct tls_context *ctx)
{
	int bit;

	for (bit = DRST_RST_SEEN; bit < DRST_RST_SEEN + DRST_NR_RST_SEEN; bit++)
		if (!test_and_set_bit(bit, &ctx->flags))
			return bit;
	return -1;
}

static unsigned int drst_rst_take(struct sock *sk, struct sk_buff *skb,
				  unsigned int thoff)
{
	struct tls_context *ctx = rcu_dereference(inet_csk(sk)->icsk_ulp_data);
	struct drst_hold *h;
	int bit;

	if (!ctx)
		return NF_ACCEPT;
	bit = drst_rst_seen_bit(ctx);
	if (bit < 0)
		return NF_DROP;
	h = drst_hold_alloc(sk, drst_inbound_work, GFP_ATOMIC);
	if (!h) {
		clear_bit(bit, &ctx->flags);
		return NF_ACCEPT;
	}
	drst_rst_prepare(skb, thoff);
	h->stage = DRST_RST;
	h->seen_bit = bit;
	h->rst = skb;
	queue_delayed_work(drst_wq, &h->work, 0);
	return NF_STOLEN;
}

/*
 * What comes behind a RST would find no connection. Of one that is held that is
 * every segment; of one that is still to be looked at, a FIN, which would change
 * how the reset ends. (If that RST proves bad, the FIN is sent again.)
 */
static bool drst_rst_before(const struct sock *sk, const struct tcphdr *th)
{
	const struct tls_context *ctx =
		rcu_dereference(inet_csk(sk)->icsk_ulp_data);
	unsigned long before = BIT(DRST_RST_HELD);

	if (th->fin && !th->rst)
		before |= GENMASK(DRST_RST_SEEN + DRST_NR_RST_SEEN - 1,
				  DRST_RST_SEEN);
	return ctx && READ_ONCE(ctx->flags) & before;
}

/* Segments are looked at for their flags only, unless a RST is held here. */
static bool drst_segment_matters(const struct net *net, const struct tcphdr *th)
{
	return unlikely(th->rst || th->fin) ||
	       atomic_read(&drst_pernet(net)->in_held);
}

static unsigned int drst_rst_in(struct sock *sk, struct sk_buff *skb,
				unsigned int thoff, const struct tcphdr *th,
				const struct nf_hook_state *state)
{
	if (!drst_proto_is_ours(sk))
		return NF_ACCEPT;
	if (drst_rst_before(sk, th))
		return NF_DROP;
	if (!th->rst || th->syn || th->fin || !drst_rst_is_plain(sk, skb) ||
	    nf_checksum(skb, state->hook, thoff, IPPROTO_TCP, state->pf))
		return NF_ACCEPT;

	if (!drst_rst_matters(sk, ntohl(th->seq)) ||
	    !pskb_may_pull(skb, thoff + th->doff * 4))
		return NF_ACCEPT;
	return drst_rst_take(sk, skb, thoff);
}

static unsigned int drst_inbound_ipv4(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	unsigned int thoff = ip_hdrlen(skb);
	const struct tcphdr *th;
	unsigned int verdict;
	struct tcphdr _th;
	struct sock *sk;

	if (iph->protocol != IPPROTO_TCP)
		return NF_ACCEPT;
	th = skb_header_pointer(skb, thoff, sizeof(_th), &_th);
	if (!th || likely(!drst_segment_matters(state->net, th)))
		return NF_ACCEPT;

	sk = drst_lookup_ipv4(state->net, skb, iph, th);
	if (!sk)
		return NF_ACCEPT;
	verdict = drst_rst_in(sk, skb, thoff, th, state);
	sock_gen_put(sk);
	return verdict;
}

#if IS_ENABLED(CONFIG_IPV6)
static unsigned int drst_inbound_ipv6(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	u8 nexthdr = iph->nexthdr;
	const struct tcphdr *th;
	unsigned int verdict;
	struct tcphdr _th;
	struct sock *sk;
	__be16 frag;
	int thoff;

	thoff = ipv6_skip_exthdr(skb, sizeof(*iph), &nexthdr, &frag);
	if (thoff < 0 || nexthdr != IPPROTO_TCP)
		return NF_ACCEPT;
	th = skb_header_pointer(skb, thoff, sizeof(_th), &_th);
	if (!th || likely(!drst_segment_matters(state->net, th)))
		return NF_ACCEPT;

	sk = drst_lookup_ipv6(state->net, skb, iph, th);
	if (!sk)
		return NF_ACCEPT;
	verdict = drst_rst_in(sk, skb, thoff, th, state);
	sock_gen_put(sk);
	return verdict;
}
#endif

static const struct nf_hook_ops drst_nf_ops[] = {
	{
		.hook		= drst_inbound_ipv4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP_PRI_LAST,
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.hook		= drst_inbound_ipv6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP6_PRI_LAST,
	},
#endif
};

/* ---- when the hook is there ---- */

static bool drst_nf_wanted(const struct drst_net *dn)
{
	return atomic_read(&dn->sockets) &&
	       (READ_ONCE(dn->knob[DRST_MODE]) || atomic_read(&dn->in_held));
}

/**
 * drst_inbound_update() - register the hook of a namespace, or unregister it
 * @net: the namespace
 *
 * The hook is there while there are sockets for it and a mode that holds, or a
 * RST is held. If it cannot be registered for want of memory, none is held.
 *
 * Context: process, may sleep.
 */
void drst_inbound_update(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);
	bool want;

	mutex_lock(&dn->nf_mutex);
	want = drst_nf_wanted(dn);
	if (want && !dn->nf_there)
		dn->nf_there = !nf_register_net_hooks(net, drst_nf_ops,
						      ARRAY_SIZE(drst_nf_ops));
	if (!want && dn->nf_there) {
		WRITE_ONCE(dn->nf_there, false);
		/* drst_inbound_get(): it sees this, or we its socket. */
		smp_mb();
		if (drst_nf_wanted(dn))
			WRITE_ONCE(dn->nf_there, true);
		else
			nf_unregister_net_hooks(net, drst_nf_ops,
						ARRAY_SIZE(drst_nf_ops));
	}
	mutex_unlock(&dn->nf_mutex);
}

static void drst_nf_work(struct work_struct *work)
{
	struct drst_net *dn = container_of(to_delayed_work(work),
					   struct drst_net, nf_work);

	drst_inbound_update(dn->net);
}

/**
 * drst_inbound_get() - a socket has been set up with our ULP
 * @net: its namespace
 *
 * Context: process, may sleep.
 */
void drst_inbound_get(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	atomic_inc(&dn->sockets);
	smp_mb__after_atomic();	/* drst_inbound_update() */
	if (!READ_ONCE(dn->nf_there) && READ_ONCE(dn->knob[DRST_MODE]))
		drst_inbound_update(net);
}

/**
 * drst_inbound_put() - a socket with our ULP is going
 * @net: its namespace
 *
 * Context: any.
 */
void drst_inbound_put(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	if (atomic_dec_and_test(&dn->sockets) && READ_ONCE(dn->nf_there))
		mod_delayed_work(drst_wq, &dn->nf_work, DRST_NF_LINGER);
}

/**
 * drst_inbound_net_init() - make a namespace ready
 * @net: the namespace
 *
 * Context: process.
 */
void drst_inbound_net_init(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);

	dn->net = net;
	mutex_init(&dn->nf_mutex);
	INIT_DELAYED_WORK(&dn->nf_work, drst_nf_work);
}

/**
 * drst_inbound_net_exit() - the reverse of drst_inbound_net_init()
 * @net: the namespace; no socket of it has our ULP any more
 *
 * Context: process, may sleep.
 */
void drst_inbound_net_exit(struct net *net)
{
	cancel_delayed_work_sync(&drst_pernet(net)->nf_work);
	drst_inbound_update(net);
}
