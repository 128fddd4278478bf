// SPDX-License-Identifier: GPL-2.0
/*
 * What the calls of a process return while a reset is held (inbound.c): what
 * vanilla would return if the reset had not arrived yet. But where vanilla would wait
 * for the peer, the call ends: nothing would wake it.
 *
 * The hold can end, and with it struct drst_inbound, whenever the socket lock is
 * free. So no pointer to it outlives the lock, and a call that began under the hold
 * continues without it.
 *
 *	read_begin()  error hidden from net/tls --> its recvmsg() --> read_next()
 *	   ^							   |
 *	   +--- nothing came, but there is something, or the reset took effect
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <net/tcp.h>

#include "calls.h"
#include "compat.h"
#include "inbound.h"
#include "ktls.h"
#include "proto.h"
#include "tcp.h"

/* ---- reading ---- */

/*
 * One read of a process, for which net/tls may be called several times. @controllen is
 * @msg's from before net/tls ran; a splice() has no @msg. @hidden: the error is hidden,
 * and senders are kept out. @starved: the reset is held for what this call cannot read
 * now, such as a record that net/tls has no memory to parse.
 */
struct drst_calls_read {
	struct sock *sk;
	struct msghdr *msg;
	size_t controllen;
	size_t len;
	long timeo;
	bool peek;
	bool hidden;
	bool starved;
};

/*
 * Hides the error from net/tls, until drst_calls_read_judge(). A sender that was inside
 * net/tls when the reset came has to see it. So no sender is inside meanwhile. TCP's own
 * recvmsg() gives all data before the error.
 *
 * Return: 0 or the errno of a signal.
 */
static int drst_calls_read_begin(struct drst_calls_read *read)
{
	struct sock *sk = read->sk;
	struct drst_inbound *in;

	read->hidden = false;
	if (read->msg)
		read->controllen = read->msg->msg_controllen;
	if (!drst_ktls_receives(sk)) {
		drst_inbound_check(sk);
		return 0;
	}
	if (drst_ktls_lock_senders(sk))
		return sock_intr_errno(read->timeo);
	lock_sock(sk);
	drst_inbound_look(sk);
	in = drst_inbound_of(sk);
	read->hidden = in;
	if (in)
		drst_inbound_hide_error(in);
	release_sock(sk);
	if (!in)
		drst_ktls_unlock_senders(sk);
	return 0;
}

/* Relies on: net/tls puts the type of each record that it opens into msg_control. */
static bool drst_calls_read_has_type(const struct drst_calls_read *read)
{
	const struct msghdr *msg = read->msg;

	return msg && (msg->msg_controllen != read->controllen ||
		       msg->msg_flags & MSG_CTRUNC);
}

/* An empty record has given its type to @msg, and is not what this read returns. */
static void drst_calls_read_drop_type(struct drst_calls_read *read)
{
	struct msghdr *msg = read->msg;
	size_t used = read->controllen - msg->msg_controllen;

	if (msg->msg_control_is_user)
		msg->msg_control_user -= used;
	else
		msg->msg_control -= used;
	msg->msg_controllen = read->controllen;
	msg->msg_flags &= ~(MSG_CTRUNC | MSG_EOR);
}

/*
 * TCP's recvmsg() gives all data before the error, but with SO_PEEK_OFF it looks behind
 * the data. There is nothing before a FIN, and so far none has come: as ever, it waits.
 */
static bool drst_calls_peek_again(const struct drst_calls_read *read,
				  const struct drst_inbound *in, int err)
{
	struct sock *sk = read->sk;

	if (!read->peek || !read->len || !in || in->shutdown & RCV_SHUTDOWN ||
	    !drst_tcp_unread(sk) || (err && err != ECONNRESET))
		return false;
	cmpxchg(&sk->sk_err, 0, err);	/* SO_ERROR takes no lock */
	return true;
}

/*
 * Does a call that read @ret bytes, or failed, read once more? It does if it got
 * only the end or the reset: data may be left, or another reader ended the hold. An
 * empty record before one of another type is neither: vanilla gives 0 for it. (It does so
 * for an empty record that is no data, too; RFC 8446 s. 5.1 forbids these.)
 */
static bool drst_calls_read_again(const struct drst_calls_read *read,
				  struct drst_inbound *in, ssize_t ret)
{
	int err = -ret;

	if (!drst_ktls_receives(read->sk))
		return drst_calls_peek_again(read, in, err);
	if (!ret)
		return !drst_calls_read_has_type(read) ||
		       !drst_ktls_record_parsed(read->sk);
	if (err != ECONNRESET && err != EPIPE)
		return false;
	/*
	 * It took the reset's error, before the hold began, or without its
	 * knowledge.
	 */
	if (in && !in->err)
		in->err = err;
	return in;
}

/*
 * The reset is, or was, held while net/tls ran, with the error hidden or not.
 *
 * Return: true if the caller reads once more.
 */
static bool drst_calls_read_judge(struct drst_calls_read *read, ssize_t ret)
{
	struct sock *sk = read->sk;
	struct drst_inbound *in;
	bool again;

	lock_sock(sk);
	in = drst_inbound_of(sk);
	if (in && read->peek)
		drst_inbound_peeked(in);
	else if (in && ret > 0)
		drst_hold_progress(&in->hold);
	again = ret <= 0 && drst_calls_read_again(read, in, ret);
	if (in && (read->hidden || !in->hidden))
		drst_inbound_show_error(in);
	drst_inbound_look(sk);
	read->starved = drst_ktls_receives(sk) ?
			read->hidden && drst_inbound_of(sk) &&
				!drst_ktls_record_parsed(sk) :
			again;
	release_sock(sk);
	if (read->hidden)
		drst_ktls_unlock_senders(sk);
	return again;
}

/*
 * Call it after net/tls. A call that began before the hold may have to read once more,
 * too. If the hold has ended already, net/tls may have run while another reader hid the
 * error, and gives 0. It gives an error that it can see first.
 */
static bool drst_calls_read_end(struct drst_calls_read *read, ssize_t ret)
{
	struct sock *sk = read->sk;

	if (!read->hidden && !drst_inbound_held(sk) &&
	    (ret || !READ_ONCE(sk->sk_err) || !drst_ktls_was_held(sk)))
		return false;
	return drst_calls_read_judge(read, ret) && read->len;
}

/*
 * If the strparser of net/tls had no memory, it tries again from a work; or somebody else
 * reads. Wait as net/tls or TCP would.
 *
 * Return: 0, -EAGAIN or the errno of a signal.
 */
static int drst_calls_read_wait(struct drst_calls_read *read)
{
	long slept = min_t(long, read->timeo, DRST_HOLD_RETRY);

	if (!read->starved)
		return 0;
	if (!slept)
		return -EAGAIN;
	slept -= schedule_timeout_interruptible(slept);
	if (read->timeo != MAX_SCHEDULE_TIMEOUT)
		read->timeo -= slept;
	return signal_pending(current) ? sock_intr_errno(read->timeo) : 0;
}

/*
 * What comes after a call of net/tls that read @ret bytes, or failed.
 *
 * Return: 0 if that is what the process gets; 1 to read once more; a negative errno.
 */
static int drst_calls_read_next(struct drst_calls_read *read, ssize_t ret)
{
	if (!drst_calls_read_end(read, ret))
		return 0;
	if (read->msg)
		drst_calls_read_drop_type(read);
	return drst_calls_read_wait(read) ? : 1;
}

static int drst_calls_recvmsg_again(struct drst_calls_read *read,
				    struct socket *sock, int flags)
{
	const struct proto_ops *ops = drst_proto_tls_ops(sock);
	int ret, next;

	do {
		ret = drst_calls_read_begin(read);
		if (ret)
			return ret;
		ret = ops->recvmsg(sock, read->msg, read->len, flags);
		next = drst_calls_read_next(read, ret);
	} while (next > 0);
	return next ? : ret;
}

/*
 * Otherwise it reads the error queue or TCP's urgent byte, and 0 is not the end. To
 * net/tls MSG_OOB means nothing.
 */
static bool drst_calls_reads(const struct sock *sk, int flags)
{
	return !(flags & MSG_ERRQUEUE) &&
	       (drst_ktls_receives(sk) || !(flags & MSG_OOB));
}

/**
 * drst_calls_recvmsg() - recvmsg() of a socket whose reset may be held
 * @sock: the struct socket of a socket whose ULP is ours
 * @msg: where to
 * @len: how much at most, in bytes
 * @flags: MSG_ flags
 *
 * Context: process, socket lock not held, may sleep.
 * Return: bytes read, 0 at the end or a negative errno.
 */
int drst_calls_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		       int flags)
{
	struct drst_calls_read read = {
		.sk = sock->sk,
		.msg = msg,
		.len = len,
		.timeo = sock_rcvtimeo(sock->sk, flags & MSG_DONTWAIT),
		.peek = flags & MSG_PEEK,
	};

	if (!drst_calls_reads(sock->sk, flags))
		return drst_proto_tls_ops(sock)->recvmsg(sock, msg, len, flags);
	return drst_calls_recvmsg_again(&read, sock, flags);
}

/**
 * drst_calls_recvmsg_late() - a hold may have begun while a recvmsg() was under way
 * @sock: the struct socket of a socket whose ULP is ours
 * @msg: where to
 * @controllen: msg_controllen from before that recvmsg()
 * @len: how much at most, in bytes
 * @flags: MSG_ flags
 * @ret: what recvmsg() returned
 *
 * Context: process, socket lock not held, may sleep.
 * Return: @ret; or what reading once more gave, if @ret was the reset or the end.
 */
int drst_calls_recvmsg_late(struct socket *sock, struct msghdr *msg,
			    size_t controllen, size_t len, int flags, int ret)
{
	struct drst_calls_read read = {
		.sk = sock->sk,
		.msg = msg,
		.controllen = controllen,
		.len = len,
		.timeo = sock_rcvtimeo(sock->sk, flags & MSG_DONTWAIT),
		.peek = flags & MSG_PEEK,
	};

	if (!drst_calls_reads(sock->sk, flags) || !drst_calls_read_end(&read, ret))
		return ret;
	drst_calls_read_drop_type(&read);
	return drst_calls_recvmsg_again(&read, sock, flags);
}

static ssize_t drst_calls_splice_again(struct drst_calls_read *read,
				       struct socket *sock, loff_t *ppos,
				       struct pipe_inode_info *pipe,
				       unsigned int flags)
{
	const struct proto_ops *ops = drst_proto_tls_ops(sock);
	ssize_t ret;
	int next;

	do {
		ret = drst_calls_read_begin(read);
		if (ret)
			return ret;
		ret = ops->splice_read(sock, ppos, pipe, read->len, flags);
		next = drst_calls_read_next(read, ret);
	} while (next > 0);
	return next ? : ret;
}

/**
 * drst_calls_splice_read() - splice() from a socket whose reset may be held
 * @sock: the struct socket of a socket whose ULP is ours
 * @ppos: not used by TCP
 * @pipe: where to
 * @len: how much at most, in bytes
 * @flags: SPLICE_F_ flags
 *
 * Context: process, socket lock not held, may sleep.
 * Return: bytes read, 0 at the end or a negative errno.
 */
ssize_t drst_calls_splice_read(struct socket *sock, loff_t *ppos,
			       struct pipe_inode_info *pipe, size_t len,
			       unsigned int flags)
{
	struct drst_calls_read read = {
		.sk = sock->sk,
		.len = len,
		.timeo = sock_rcvtimeo(sock->sk, flags & SPLICE_F_NONBLOCK),
	};

	return drst_calls_splice_again(&read, sock, ppos, pipe, flags);
}

/**
 * drst_calls_splice_read_late() - as drst_calls_recvmsg_late(), for splice()
 * @sock: the struct socket of a socket whose ULP is ours
 * @ppos: not used by TCP
 * @pipe: where to
 * @len: how much at most, in bytes; more than 0, as all callers see to
 * @flags: SPLICE_F_ flags
 * @ret: what splice() returned
 *
 * Context: process, socket lock not held, may sleep.
 * Return: @ret; or what reading once more gave, if @ret was the reset or the end.
 */
ssize_t drst_calls_splice_read_late(struct socket *sock, loff_t *ppos,
				    struct pipe_inode_info *pipe, size_t len,
				    unsigned int flags, ssize_t ret)
{
	struct drst_calls_read read = {
		.sk = sock->sk,
		.len = len,
		.timeo = sock_rcvtimeo(sock->sk, flags & SPLICE_F_NONBLOCK),
	};

	if (!drst_calls_read_end(&read, ret))
		return ret;
	return drst_calls_splice_again(&read, sock, ppos, pipe, flags);
}

/* ---- everything else ---- */

/* Has the process been told? Then senders get EPIPE. */
static bool drst_calls_told(struct sock *sk)
{
	struct drst_inbound *in;
	bool told;

	lock_sock(sk);
	in = drst_inbound_of(sk);
	told = in && drst_inbound_told(in);
	release_sock(sk);
	return told;
}

/**
 * drst_calls_send_late() - a hold may have begun while a process was sending
 * @sk: a socket whose ULP is ours
 * @ret: what the process gets
 *
 * net/tls leaves ECONNRESET in sk_err, and with an offload EPIPE, too: whoever gets it
 * was told.
 *
 * Context: process, socket lock not held, may sleep.
 */
void drst_calls_send_late(struct sock *sk, int ret)
{
	struct drst_inbound *in;

	if (ret != -ECONNRESET && ret != -EPIPE)
		return;
	lock_sock(sk);
	in = drst_inbound_of(sk);
	if (in)
		drst_inbound_set_told(in, -ret);
	release_sock(sk);
}

/* A sender that finds the error taken must not get further: TCP has closed the connection. */
static int drst_calls_send_end(struct sock *sk, int flags, int ret)
{
	struct drst_inbound *in;

	if (ret <= 0) {
		drst_calls_send_late(sk, ret);
		return ret;
	}
	lock_sock(sk);
	in = drst_inbound_of(sk);
	if (in)
		ret = sk_stream_error(sk, flags, -EPIPE);
	release_sock(sk);
	return ret;
}

/**
 * drst_calls_sendmsg() - sendmsg() of a socket whose reset is held
 * @sk: a socket whose ULP is ours
 * @msg: what to send
 * @size: how much, in bytes
 *
 * If the process has been told, net/tls gets nothing to send, and looks at the rest of
 * @msg: a bad one has its error as ever.
 *
 * Context: process, socket lock not held, may sleep.
 * Return: what sendmsg() of net/tls says: the error of the reset, once; -EPIPE after
 * that, with SIGPIPE where that is wanted.
 */
int drst_calls_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	bool told = drst_calls_told(sk);
	int ret;

	if (told)
		iov_iter_truncate(&msg->msg_iter, 0);
	ret = drst_proto_tls(sk)->sendmsg(sk, msg,
					  iov_iter_count(&msg->msg_iter));
	if (!told)
		return drst_calls_send_end(sk, msg->msg_flags, ret);
	/* The record that was open can be with the crypto engine. */
	if ((!ret || ret == -EINPROGRESS) && size)
		ret = sk_stream_error(sk, msg->msg_flags, -EPIPE);
	return ret;
}

/**
 * drst_calls_sendpage() - sendpage() of a socket whose reset is held
 * @sk: a socket whose ULP is ours
 * @page: what to send
 * @offset: where in @page, in bytes
 * @size: how much, in bytes
 * @flags: MSG_ flags
 *
 * Context: process, socket lock not held, may sleep.
 * Return: as drst_calls_sendmsg().
 */
int drst_calls_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags)
{
	int ret;

	if (drst_calls_told(sk))
		return sk_stream_error(sk, flags, -EPIPE);
	ret = drst_sendpage(drst_proto_tls(sk), sk, page, offset, size, flags);
	return drst_calls_send_end(sk, flags, ret);
}

/**
 * drst_calls_poll() - what poll() says of a socket whose reset is held
 * @sk: any TCP socket
 * @mask: what net/tls's poll() says; is corrected
 *
 * HUP and RDHUP only for a FIN, or if the process has shut the socket down; ERR
 * only for messages in the error queue. IN and OUT as tcp_poll() says of a closed
 * connection, as neither blocks; @mask can be from before that. A call without a hook
 * may have read everything: queue the work, as poll() cannot sleep. The slock keeps
 * the hold alive; the lock's owner may still modify it.
 *
 * Context: process, socket lock not held.
 * Return: false if the reset is not held any more.
 */
bool drst_calls_poll(struct sock *sk, __poll_t *mask)
{
	struct drst_inbound *in;
	u8 shutdown;

	spin_lock_bh(&sk->sk_lock.slock);
	in = drst_inbound_of(sk);
	if (!in)
		goto unlock;
	shutdown = READ_ONCE(in->shutdown);
	*mask &= ~(EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	*mask |= EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
	if (!skb_queue_empty_lockless(&sk->sk_error_queue) ||
	    drst_inbound_other_error(sk))
		*mask |= EPOLLERR;
	if (shutdown & RCV_SHUTDOWN)
		*mask |= EPOLLRDHUP;
	if (shutdown == SHUTDOWN_MASK)
		*mask |= EPOLLHUP;
	if (!sock_owned_by_user(sk) && !drst_inbound_undelivered(sk))
		drst_hold_kick(&in->hold);
unlock:
	spin_unlock_bh(&sk->sk_lock.slock);
	return in;
}

/**
 * drst_calls_shutdown() - the process shuts down a socket whose reset is held
 * @sk: any TCP socket
 * @how: RCV_SHUTDOWN, SEND_SHUTDOWN or both
 *
 * Context: process, socket lock not held, may sleep.
 */
void drst_calls_shutdown(struct sock *sk, int how)
{
	struct drst_inbound *in;

	lock_sock(sk);
	in = drst_inbound_of(sk);
	if (in) {
		WRITE_ONCE(in->shutdown, in->shutdown | how);
		/* As tcp_close_state(): a FIN would have been sent. */
		if (how & SEND_SHUTDOWN && in->state == TCP_ESTABLISHED)
			in->state = TCP_FIN_WAIT1;
		if (how & SEND_SHUTDOWN && in->state == TCP_CLOSE_WAIT)
			in->state = TCP_LAST_ACK;
		/* inet_shutdown() has woken poll() too early. */
		sk->sk_state_change(sk);
	}
	release_sock(sk);
}

/**
 * drst_calls_state() - the state in which a process sees a connection
 * @sk: any TCP socket
 *
 * Context: process, socket lock not held, may sleep.
 * Return: enum of TCP's states.
 */
int drst_calls_state(struct sock *sk)
{
	struct drst_inbound *in;
	int state;

	lock_sock(sk);
	in = drst_inbound_of(sk);
	state = in ? in->state : sk->sk_state;
	release_sock(sk);
	return state;
}
