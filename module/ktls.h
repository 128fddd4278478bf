/* SPDX-License-Identifier: GPL-2.0 */
/* Every access to the internals of net/tls. */
#ifndef _TLS_DRST_KTLS_H
#define _TLS_DRST_KTLS_H

#include <net/sock.h>

/* Callbacks of struct sock. */
struct drst_ktls_events {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
};

bool drst_ktls_is_net_tls(const struct sock *sk, const struct proto *base);
bool drst_ktls_attached(const struct sock *sk);
bool drst_ktls_suits(const struct sock *sk);
bool drst_ktls_sends(const struct sock *sk);
bool drst_ktls_receives(const struct sock *sk);
void drst_ktls_set_notified(struct sock *sk);
bool drst_ktls_notified(const struct sock *sk);
void drst_ktls_set_kernels(struct sock *sk);
bool drst_ktls_kernels(const struct sock *sk);
void drst_ktls_set_was_held(struct sock *sk);
bool drst_ktls_was_held(const struct sock *sk);
bool drst_ktls_holds(const struct sock *sk);
bool drst_ktls_pending(const struct sock *sk);
u32 drst_ktls_pending_bytes(const struct sock *sk);
bool drst_ktls_has_open_record(const struct sock *sk);
bool drst_ktls_push(struct sock *sk);
int drst_ktls_lock_senders(struct sock *sk);
void drst_ktls_unlock_senders(struct sock *sk);
bool drst_ktls_record_parsed(const struct sock *sk);
bool drst_ktls_record_ready(const struct sock *sk);
struct drst_ktls_events drst_ktls_divert(struct sock *sk,
					 struct drst_ktls_events to);
void drst_ktls_teardown_relock(struct sock *sk);

#endif /* _TLS_DRST_KTLS_H */
