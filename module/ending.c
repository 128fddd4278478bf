// SPDX-License-Identifier: GPL-2.0
/*
 * How an outbound hold ends: the first that applies.
 *
 *	what is found				counter		what goes out
 *	closed by the peer's RST		PeerReset	nothing
 *	closed by `ss -K`			Aborted		TCP's own RST
 *	closed by a time-out of TCP		TimedOut	nothing
 *	both sides have closed			Moot, Flushed	nothing
 *	a RST pending, no close_notify		RstSent		the RST, at once
 *	all acknowledged, no RST pending	Flushed		what TCP sends
 *	all acknowledged, a RST pending		RstSent,	the RST,
 *						FinSent		or FIN (final=1)
 *	TCP is short of memory			Memory		the RST, if it is pending
 *								or kTLS has records
 *	a limit of time strikes			TimedOut	likewise
 */
#include <net/tcp.h>

#include "ending.h"
#include "outbound.h"
#include "sysctl.h"
#include "tcp.h"

/*
 * How does a hold end if TCP has closed the connection? The error can also come
 * from an ICMP message (IP_RECVERR), which closes nothing. If everything is
 * acknowledged, it is not a time-out, and EPIPE is net/tls's, for a record that
 * came too late.
 */
static enum drst_stat drst_ending_closed(const struct drst_outbound *out)
{
	const struct sock *sk = out->hold.sk;

	switch (out->err ? out->err : sk->sk_err) {
	case ECONNRESET:
		return DRST_STAT_PEER_RESET;
	case ECONNABORTED:
		return DRST_STAT_ABORTED;
	case EPIPE:
		if (!drst_tcp_flushed(sk))
			return DRST_STAT_PEER_RESET;
		fallthrough;
	default:
		if (!drst_tcp_flushed(sk))
			return DRST_STAT_TIMED_OUT;	/* as tcp_write_err() */
		fallthrough;
	case 0:
		return out->hold.cause ? DRST_STAT_MOOT : DRST_STAT_FLUSHED;
	}
}

static enum drst_stat drst_ending_flushed(const struct drst_outbound *out)
{
	const struct sock *sk = out->hold.sk;

	if (!out->hold.cause)
		return DRST_STAT_FLUSHED;
	return drst_sysctl_knob(sock_net(sk), DRST_FINAL) &&
	       !drst_tcp_fin_resets(sk) ?
	       DRST_STAT_FIN_SENT : DRST_STAT_RST_SENT;
}

/**
 * drst_ending_due() - is an outbound hold to end, and how?
 * @out: the hold, between %DRST_TAKEN and %DRST_OVER
 * @how: the counter of its end
 *
 * Context: process, socket lock held.
 * Return: true if it ends now.
 */
bool drst_ending_due(const struct drst_outbound *out, enum drst_stat *how)
{
	const struct sock *sk = out->hold.sk;

	sock_owned_by_me(sk);

	if (sk->sk_state == TCP_CLOSE)
		*how = drst_ending_closed(out);
	else if (out->hold.cause && !out->notified)
		*how = DRST_STAT_RST_SENT;	/* as at any other time */
	else if (out->stage != DRST_KTLS &&
		 (drst_tcp_flushed(sk) || !drst_outbound_flushes(out)))
		*how = drst_ending_flushed(out);
	else if (drst_tcp_memory_short(sk))
		*how = DRST_STAT_MEMORY;
	else if (drst_hold_expired(&out->hold))
		*how = DRST_STAT_TIMED_OUT;
	else
		return false;
	return true;
}

/**
 * drst_ending_resets() - does ending in this way mean a RST?
 * @out: the hold, before %DRST_OVER
 * @how: what drst_ending_due() said
 *
 * Without a cause, TCP continues after a limit as if the module were not loaded.
 * %DRST_KTLS is the exception: records are lost there, so a RST tells the peer.
 *
 * Context: process, socket lock held.
 */
bool drst_ending_resets(const struct drst_outbound *out, enum drst_stat how)
{
	const struct sock *sk = out->hold.sk;

	sock_owned_by_me(sk);
	if (sk->sk_state == TCP_CLOSE)
		return false;
	switch (how) {
	case DRST_STAT_RST_SENT:
		return true;
	case DRST_STAT_FLUSHED:
		return drst_tcp_fin_resets(sk);
	case DRST_STAT_MEMORY:
	case DRST_STAT_TIMED_OUT:
		return out->hold.cause || out->stage == DRST_KTLS;
	default:
		return false;
	}
}
