/* SPDX-License-Identifier: GPL-2.0 */
/* The inbound hold: the peer has sent a RST. */
#ifndef _TLS_DRST_INBOUND_H
#define _TLS_DRST_INBOUND_H

#include <net/sock.h>

#include "hold.h"

/**
 * struct drst_inbound - an inbound hold
 * @hold:	what it shares with an outbound one
 * @error_report: sk_error_report to go back to
 * @copied_seq:	tcp_sock.copied_seq as last seen
 * @err:	the error, while it is hidden; else it is in sk_err
 * @kept_report: the report of tcp_reset() has been kept
 * @over:	the process can see the reset
 * @state:	the state in which the process sees the connection
 * @shutdown:	RCV_SHUTDOWN and SEND_SHUTDOWN, as the process knows them
 * @hidden:	a reader that must not see the error is running
 * @kept_wakeup: the wakeup of tcp_done() has been kept from those that poll
 */
struct drst_inbound {
	struct drst_hold hold;
	void (*error_report)(struct sock *sk);
	u32 copied_seq;
	int err;
	atomic_t kept_report;
	bool over;
	u8 state;
	u8 shutdown;
	bool hidden;
	bool kept_wakeup;
};

void drst_inbound_state_change(struct sock *sk);

/**
 * drst_inbound_held() - is there an inbound hold on a socket?
 * @sk: any TCP socket
 *
 * Context: any. Without the socket lock the answer can be old.
 */
static inline bool drst_inbound_held(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state_change) == drst_inbound_state_change;
}

struct drst_inbound *drst_inbound_of(const struct sock *sk);
bool drst_inbound_undelivered(const struct sock *sk);
bool drst_inbound_other_error(const struct sock *sk);
void drst_inbound_hide_error(struct drst_inbound *in);
void drst_inbound_show_error(struct drst_inbound *in);
bool drst_inbound_told(const struct drst_inbound *in);
void drst_inbound_set_told(struct drst_inbound *in, int err);
void drst_inbound_peeked(struct drst_inbound *in);
void drst_inbound_begin(struct sock *sk);
void drst_inbound_look(struct sock *sk);
void drst_inbound_check(struct sock *sk);
void drst_inbound_close(struct sock *sk);
void drst_inbound_lose(struct sock *sk);

#endif /* _TLS_DRST_INBOUND_H */
