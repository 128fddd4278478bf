// SPDX-License-Identifier: GPL-2.0
/*
 * Every access to TCP's internals: see ktls.c.
 *
 * Other files rely on these as well:
 *
 * inet_release()	calls sk_prot->close() in process context, and clears
 *			sock->sk afterwards without a look at the sock
 * tcp_set_state()	calls sk_prot->unhash() on the way to TCP_CLOSE, with the
 *			old sk_state still there
 * tcp_check_space()	calls sk_write_space() for an ACK only while SOCK_NOSPACE is
 *			set in the struct socket
 * tcp_recvmsg()	gives all data before the error
 * sk_socket		while its file is NULL, nobody looks at more of it than flags, ops
 *			and the inode's i_uid and i_ino
 * tcp_register_ulp()	finds ULPs by name; tcp_cleanup_ulp() drops the pin on
 *			icsk_ulp_ops->owner
 * inet_diag		shows icsk_ulp_ops->name
 */
#include <net/tcp.h>

#include "compat.h"
#include "proto.h"
#include "tcp.h"

/**
 * drst_tcp_pretend_established() - say that a socket is in TCP_ESTABLISHED
 * @sk: a socket of our own, in no hash table and without a peer
 * @yes: false takes it back
 *
 * Relies on: tls_init() takes a socket in TCP_ESTABLISHED only.
 *
 * Context: process.
 */
void drst_tcp_pretend_established(struct sock *sk, bool yes)
{
	sk->sk_state = yes ? TCP_ESTABLISHED : TCP_CLOSE;
}

/**
 * drst_tcp_unread() - has a socket received data that was not read?
 * @sk: a TCP socket
 *
 * Relies on: __tcp_close() computes data_was_unread in this way.
 *
 * Context: any, socket lock held.
 */
bool drst_tcp_unread(const struct sock *sk)
{
	const struct sk_buff *skb;
	u32 end_seq;

	drst_sock_locked(sk);
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		end_seq = TCP_SKB_CB(skb)->end_seq;
		if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN)
			end_seq--;
		if (after(end_seq, tcp_sk(sk)->copied_seq))
			return true;
	}
	return false;
}

/**
 * drst_tcp_unread_bytes() - how much is in TCP's receive queue?
 * @sk: a TCP socket
 *
 * Context: any.
 * Return: bytes.
 */
u32 drst_tcp_unread_bytes(const struct sock *sk)
{
	return READ_ONCE(tcp_sk(sk)->rcv_nxt) -
	       READ_ONCE(tcp_sk(sk)->copied_seq);
}

/**
 * drst_tcp_queued_bytes() - how much is in TCP's send queue?
 * @sk: a TCP socket
 *
 * Context: any.
 * Return: bytes that are not acknowledged, without those that kTLS keeps.
 */
u32 drst_tcp_queued_bytes(const struct sock *sk)
{
	return READ_ONCE(tcp_sk(sk)->write_seq) -
	       READ_ONCE(tcp_sk(sk)->snd_una);
}

/**
 * drst_tcp_flushed() - has everything that TCP was given been acknowledged?
 * @sk: a TCP socket
 *
 * Context: any.
 */
bool drst_tcp_flushed(const struct sock *sk)
{
	return !drst_tcp_queued_bytes(sk);
}

/**
 * drst_tcp_close_resets() - does close() send the RST that it has a reason for?
 * @sk: a connection with something unacknowledged, not in TCP_REPAIR
 * @unread: the reason is drst_tcp_unread(), otherwise SO_LINGER {1, 0}
 *
 * Relies on: __tcp_close() sends it from every state if data is unread. Otherwise it
 * calls tcp_disconnect(), which sends none from CLOSING and LAST_ACK if everything,
 * our FIN included, has been sent once.
 *
 * Context: process, socket lock held.
 */
bool drst_tcp_close_resets(const struct sock *sk, bool unread)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	sock_owned_by_me(sk);
	return unread || tp->snd_nxt != tp->write_seq ||
	       !((1 << sk->sk_state) & (TCPF_CLOSING | TCPF_LAST_ACK));
}

/**
 * drst_tcp_memory_short() - is TCP short of memory?
 * @sk: a TCP socket
 *
 * TCP's own memory (tcp_mem), not a cgroup's; see tcp_check_oom().
 *
 * Context: any.
 */
bool drst_tcp_memory_short(const struct sock *sk)
{
	return READ_ONCE(tcp_memory_pressure) ||
	       sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}

/**
 * drst_tcp_reset_error() - the error that tcp_reset() gives a connection
 * @state: its state when the RST arrives
 *
 * Relies on: only tcp_reset() sets these errors in these states and closes the
 * connection.
 *
 * Context: any.
 * Return: errno, positive.
 */
int drst_tcp_reset_error(int state)
{
	return state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
}

/**
 * drst_tcp_reset_coming() - is TCP in the middle of a reset?
 * @sk: a TCP socket
 *
 * Relies on: tcp_reset() sets sk_err, has sk_prot->unhash() called, sets sk_state
 * and sk_shutdown, and wakes pollers when it is done.
 *
 * Context: any, socket lock not needed.
 * Return: true if sk_err is a reset's, and the reset is not done yet.
 */
bool drst_tcp_reset_coming(const struct sock *sk)
{
	int err = READ_ONCE(sk->sk_err);
	int state;

	smp_rmb();	/* pairs with smp_wmb() in tcp_reset(), behind sk_err */
	state = inet_sk_state_load(sk);
	return state != TCP_CLOSE && err == drst_tcp_reset_error(state);
}

static int drst_tcp_eat(read_descriptor_t *desc, struct sk_buff *skb,
			unsigned int offset, size_t len)
{
	return len;
}

/**
 * drst_tcp_discard() - throw away what has arrived
 * @sk: a connection that no process has open any more
 *
 * Relies on: tcp_read_sock() sends ACKs and window updates, and stops in front of
 * an urgent byte.
 *
 * Context: process, socket lock held.
 * Return: true if there was data.
 */
bool drst_tcp_discard(struct sock *sk)
{
	read_descriptor_t desc = { .count = 1 };

	sock_owned_by_me(sk);
	WRITE_ONCE(tcp_sk(sk)->urg_data, 0);
	return !skb_queue_empty(&sk->sk_receive_queue) &&
	       tcp_read_sock(sk, &desc, drst_tcp_eat) > 0;
}

/**
 * drst_tcp_forget_messages() - throw away the messages of the error queue
 * @sk: a connection that no process has open any more
 *
 * They take room of the receive buffer, as timestamps and MSG_ZEROCOPY's do, and
 * would close the window.
 *
 * Context: any, socket lock held.
 */
void drst_tcp_forget_messages(struct sock *sk)
{
	drst_sock_locked(sk);
	if (!skb_queue_empty_lockless(&sk->sk_error_queue))
		skb_queue_purge(&sk->sk_error_queue);
}

/**
 * drst_tcp_wake_sender() - wake the sender that waits for room in the send queue
 * @sk: a connection that no process has open any more
 *
 * As sk_stream_write_space(), which would clear SOCK_NOSPACE, too.
 *
 * Relies on: sk_stream_wait_memory() looks for itself whether there is room.
 *
 * Context: any, socket lock held.
 */
void drst_tcp_wake_sender(struct sock *sk)
{
	struct socket_wq *wq;

	drst_sock_locked(sk);
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM |
						      EPOLLWRBAND);
	rcu_read_unlock();
}

/**
 * drst_tcp_fin_resets() - would the ACK of our FIN have reset an orphan?
 * @sk: a connection
 *
 * Relies on: tcp_rcv_state_process() resets an orphan that comes to FIN_WAIT2 with
 * TCP_LINGER2 below 0, and counts it as TCPAbortOnData.
 *
 * Context: process, socket lock held.
 */
bool drst_tcp_fin_resets(const struct sock *sk)
{
	sock_owned_by_me(sk);
	return sk->sk_state == TCP_FIN_WAIT2 &&
	       READ_ONCE(tcp_sk(sk)->linger2) < 0;
}

/**
 * drst_tcp_reset() - send the RST and close a connection
 * @sk: a connection that no process has open any more, not in TCP_CLOSE
 *
 * As __tcp_close() does for SO_LINGER {1, 0}. From CLOSING and LAST_ACK
 * tcp_disconnect() sends no RST if everything was sent. But our FIN is
 * unacknowledged there, so a limit has to reset. FIN_WAIT1 makes it do so. Nobody
 * sees that state: the socket lock is held.
 *
 * Relies on: tcp_disconnect() sends the RST in the states of tcp_need_reset().
 *
 * Context: process, socket lock held. Addresses and sequence numbers are gone
 * afterwards.
 * Return: 0, or -EBUSY: kernels between 6.1.33 and 6.6 do nothing while kTLS's worker
 * sleeps on the socket.
 */
int drst_tcp_reset(struct sock *sk)
{
	sock_owned_by_me(sk);
	if ((1 << sk->sk_state) & (TCPF_CLOSING | TCPF_LAST_ACK))
		inet_sk_set_state(sk, TCP_FIN_WAIT1);
	return drst_proto_base(sk)->disconnect(sk, 0);
}
