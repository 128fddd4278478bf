/* SPDX-License-Identifier: GPL-2.0 */
/* Every access to TCP's internals. */
#ifndef _TLS_DRST_TCP_H
#define _TLS_DRST_TCP_H

#include <net/sock.h>

void drst_tcp_pretend_established(struct sock *sk, bool yes);
bool drst_tcp_unread(const struct sock *sk);
u32 drst_tcp_unread_bytes(const struct sock *sk);
u32 drst_tcp_queued_bytes(const struct sock *sk);
bool drst_tcp_flushed(const struct sock *sk);
bool drst_tcp_close_resets(const struct sock *sk, bool unread);
bool drst_tcp_memory_short(const struct sock *sk);
int drst_tcp_reset_error(int state);
bool drst_tcp_reset_coming(const struct sock *sk);
bool drst_tcp_discard(struct sock *sk);
void drst_tcp_forget_messages(struct sock *sk);
void drst_tcp_wake_sender(struct sock *sk);
bool drst_tcp_fin_resets(const struct sock *sk);
int drst_tcp_reset(struct sock *sk);

#endif /* _TLS_DRST_TCP_H */
