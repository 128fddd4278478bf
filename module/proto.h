/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of net/tls's protos and proto_ops, on and off a socket. */
#ifndef _TLS_DRST_PROTO_H
#define _TLS_DRST_PROTO_H

#include <linux/net.h>
#include <net/sock.h>

#include "compat.h"

/**
 * struct drst_proto_hooks - what goes into the copies
 * @setsockopt:	for the copy of a proto
 * @bind:	for the copy of a proto_ops
 * @edit:	puts the other hooks into the copy of a proto that sends by kTLS
 * @edit_ops:	puts the other hooks into the copy of a proto_ops
 */
struct drst_proto_hooks {
	int (*setsockopt)(struct sock *sk, int level, int optname,
			  sockptr_t optval, unsigned int optlen);
	int (*bind)(struct socket *sock, drst_sockaddr *addr, int len);
	void (*edit)(struct proto *prot);
	void (*edit_ops)(struct proto_ops *ops);
};

/* A copy, and what it is a copy of. */
struct drst_proto {
	struct list_head list;
	const struct proto *tls;
	struct proto prot;
};

int drst_proto_setsockopt(struct sock *sk, int level, int optname,
			  sockptr_t optval, unsigned int optlen);

/**
 * drst_proto_is_ours() - is the proto of a socket one of our copies?
 * @prot: sk->sk_prot of any socket
 *
 * Context: any.
 */
static inline bool drst_proto_is_ours(const struct proto *prot)
{
	return prot->setsockopt == drst_proto_setsockopt;
}

/**
 * drst_proto_tls() - net/tls's proto of a socket
 * @sk: a socket whose ULP is ours
 *
 * Context: any.
 * Return: the proto under our copy, or sk->sk_prot if our copy is not on.
 */
static inline const struct proto *drst_proto_tls(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

	if (!drst_proto_is_ours(prot))
		return prot;
	return container_of(prot, struct drst_proto, prot)->tls;
}

const struct proto_ops *drst_proto_tls_ops(const struct socket *sock);
const struct proto *drst_proto_base(const struct sock *sk);
void drst_proto_set(struct sock *sk, const struct proto *prot);
int drst_proto_wrap(struct sock *sk, bool sends);
void drst_proto_unwrap(struct sock *sk);
struct proto *drst_proto_closeless(const struct sock *sk);
void drst_proto_learn(const struct sock *sk);
void drst_proto_init(const struct drst_proto_hooks *hooks);
void drst_proto_exit(void);

#endif /* _TLS_DRST_PROTO_H */
