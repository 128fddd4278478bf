// SPDX-License-Identifier: GPL-2.0
/*
 * Which connections are held: by mode, state and cause, and which never.
 *
 *				   mode 0   mode 1   mode 2
 *	outbound, no close_notify    -	      -	     (records of kTLS only)
 *	outbound, ESTABLISHED	     -	      -	      held
 *	outbound, other states	     -	     held     held
 *	inbound,  ESTABLISHED	     -	      -	      held
 *	inbound,  other states	     -	     held     held
 *
 * With hold_linger = 0 a close() with SO_LINGER {1, 0} is never held. That goes by
 * the option, not by the cause: the program asks for an abort, and does not know
 * whether data is unread. __tcp_close() looks for unread data first, so such a RST
 * has the cause "unread" if there is any.
 *
 * A socket that the kernel uses is never held. These marks show each such use:
 *
 *	NFS client, NVMe/TCP host,	sock_create_kern(): sk_kern_sock
 *	SMC, RDS, rxrpc, io_uring's	(SMC's and MPTCP's inner TCP sockets, too; they
 *	own				take no ULP from user space)
 *	nfsd, nvmet/TCP, ksmbd		kernel_accept(), perhaps from a listener of
 *					user space. No file when net/tls is set up.
 *					If tlshd had a file: sk_user_data when they
 *					send, or a close_notify from kernel memory
 *	KCM, espintcp, sockmap		sk_user_data (sockmap: TCP's proto is not at the
 *					base, and since June 2026 no keys for kTLS)
 *	MPTCP				takes no ULP but its own
 *	TOE				drst_has_toe()
 *	TCP_REPAIR			checked whenever a hold would begin
 */
#include <net/tcp.h>

#include "compat.h"
#include "ktls.h"
#include "policy.h"
#include "sysctl.h"
#include "tcp.h"

/**
 * drst_policy_hooks() - does a socket get our hooks?
 * @sk: a socket that net/tls has just set up
 *
 * Context: process, socket lock held.
 */
bool drst_policy_hooks(const struct sock *sk)
{
	sock_owned_by_me(sk);
	return drst_ktls_suits(sk) && !sk->sk_kern_sock && sk->sk_socket->file;
}

static bool drst_policy_allowed(const struct sock *sk)
{
	drst_sock_locked(sk);
	return !drst_ktls_kernels(sk) && !sk->sk_user_data &&
	       !tcp_sk(sk)->repair;
}

/* SO_LINGER {1, 0} */
static bool drst_policy_aborts(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
}

/**
 * drst_policy_cause() - why would __tcp_close() send a RST?
 * @sk: a TCP socket
 *
 * Context: process, socket lock held.
 * Return: the cause; %DRST_CAUSE_NONE if it would send a FIN.
 */
enum drst_cause drst_policy_cause(const struct sock *sk)
{
	if (drst_tcp_unread(sk))
		return DRST_CAUSE_UNREAD;
	if (drst_policy_aborts(sk))
		return DRST_CAUSE_LINGER;
	return DRST_CAUSE_NONE;
}

/* Is something unacknowledged that TCP still has to deliver? */
static bool drst_policy_unflushed(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				      TCPF_FIN_WAIT1 | TCPF_CLOSING |
				      TCPF_LAST_ACK) &&
	       (drst_ktls_pending(sk) || !drst_tcp_flushed(sk));
}

/**
 * drst_policy_outbound() - is a connection to be held as its last process closes it?
 * @sk: the connection, with all our hooks on
 * @cause: what drst_policy_cause() returned
 *
 * Context: process, socket lock held.
 */
bool drst_policy_outbound(const struct sock *sk, enum drst_cause cause)
{
	const struct net *net = sock_net(sk);
	int mode = drst_sysctl_knob(net, DRST_MODE);

	if (!mode || !drst_policy_allowed(sk) || !drst_policy_unflushed(sk))
		return false;
	if (drst_policy_aborts(sk) && !drst_sysctl_knob(net, DRST_HOLD_LINGER))
		return false;
	if (!drst_ktls_notified(sk))
		return mode == 2 && !cause && drst_ktls_pending(sk);
	return mode == 2 || !cause || sk->sk_state != TCP_ESTABLISHED;
}

/**
 * drst_policy_cuts() - does close() send a RST while something is unacknowledged?
 * @sk: the connection, with all our hooks on
 * @cause: what drst_policy_cause() returned
 *
 * Context: process, socket lock held.
 * Return: false also for a socket that the kernel uses.
 */
bool drst_policy_cuts(const struct sock *sk, enum drst_cause cause)
{
	return cause && drst_policy_allowed(sk) && drst_policy_unflushed(sk) &&
	       drst_tcp_close_resets(sk, cause == DRST_CAUSE_UNREAD);
}

/*
 * After shutdown(SHUT_RD) or SHUT_RDWR, TCP itself resets for data in these states
 * (RFC 1122 s. 4.2.2.13), and nothing tells its reset from the peer's. In other states
 * RCV_SHUTDOWN is the peer's FIN, and TCP resets only for data behind it, which a peer
 * that keeps to RFC 9293 does not send.
 */
static bool drst_policy_resets_itself(const struct sock *sk)
{
	return sk->sk_shutdown & RCV_SHUTDOWN &&
	       (1 << sk->sk_state) & (TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2);
}

/**
 * drst_policy_inbound() - is the peer's RST to be held, if data is undelivered?
 * @sk: the connection, with all our hooks on; sk_state is the one before the RST
 *
 * Context: any, socket lock held.
 */
bool drst_policy_inbound(const struct sock *sk)
{
	int mode = drst_sysctl_knob(sock_net(sk), DRST_MODE);

	if (!mode || !drst_policy_allowed(sk) || drst_policy_resets_itself(sk))
		return false;
	return mode == 2 || sk->sk_state != TCP_ESTABLISHED;
}
