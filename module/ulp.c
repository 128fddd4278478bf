// SPDX-License-Identifier: GPL-2.0
/*
 * A TCP ULP named "tls" in front of net/tls.
 *
 * net/tls registers its struct tcp_ulp_ops privately. The only way to it that the
 * kernel exports is to set the ULP on a socket and to read icsk_ulp_ops back, so
 * that is done once, on a socket of our own. From then on sockets that ask for
 * "tls" come to us. net/tls sets them up, and then they get our hooks.
 *
 * Lifetimes: net/tls stays pinned while its ops are out of the kernel's list. Each
 * socket set up here pins this module from setsockopt(TCP_ULP) to
 * tcp_cleanup_ulp(), as it would pin net/tls. That pin makes rmmod fail.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/net.h>
#include <net/tcp.h>

#include "hooks.h"
#include "ktls.h"
#include "proto.h"
#include "tcp.h"
#include "ulp.h"

/* The ops of net/tls, and ours, copied from them; written at load and unload only. */
static struct tcp_ulp_ops *tls_ulp_ops;
static struct tcp_ulp_ops drst_ulp_ops;

static int drst_ulp_sock_init(struct sock *sk)
{
	int err;

	/* net/tls has to find the socket as it would without us. */
	err = tls_ulp_ops->init(sk);
	if (err)
		return err;

	drst_hooks_wrap(sk);
	return 0;
}

/* Read net/tls's ops off a socket of our own. */
static int drst_ulp_borrow(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct proto *base = sk->sk_prot;
	struct tcp_ulp_ops *ops;
	int err;

	drst_tcp_pretend_established(sk, true);
	err = base->setsockopt(sk, SOL_TCP, TCP_ULP, KERNEL_SOCKPTR("tls"),
			       sizeof("tls"));
	drst_tcp_pretend_established(sk, false);
	if (err) {
		pr_err("no \"tls\" ULP (%pe): the kernel needs CONFIG_TLS; try modprobe tls\n",
		       ERR_PTR(err));
		return err;
	}
	if (!drst_ktls_is_net_tls(sk, base)) {
		pr_err("the ULP named \"tls\" is not net/tls of this kernel: unload what replaces it\n");
		return -EOPNOTSUPP;
	}

	ops = (struct tcp_ulp_ops *)inet_csk(sk)->icsk_ulp_ops;
	__module_get(ops->owner);	/* the socket has a reference */
	tls_ulp_ops = ops;
	return 0;
}

static int drst_ulp_probe(void)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err) {
		pr_err("no TCP socket to be had: %pe\n", ERR_PTR(err));
		return err;
	}
	drst_proto_learn(sock->sk);
	err = drst_ulp_borrow(sock);
	sock_release(sock);
	if (err)
		return err;

	/* IPv6 sockets that can be made only later are not held. */
	if (!sock_create_kern(&init_net, AF_INET6, SOCK_STREAM, IPPROTO_TCP,
			      &sock)) {
		drst_proto_learn(sock->sk);
		sock_release(sock);
	}
	return 0;
}

/**
 * drst_ulp_init() - find net/tls and register in front of it
 *
 * A ULP named "tls" exists at every moment. Ours is registered under another name,
 * and renamed while tcp_ulp_find() still finds net/tls's first. Then net/tls's is
 * unregistered.
 *
 * Context: process, may sleep.
 * Return: 0, or a negative errno after a line in the log.
 */
int drst_ulp_init(void)
{
	int err;

	err = drst_ulp_probe();
	if (err)
		return err;

	drst_ulp_ops = *tls_ulp_ops;
	drst_ulp_ops.owner = THIS_MODULE;
	drst_ulp_ops.init = drst_ulp_sock_init;
	strscpy(drst_ulp_ops.name, "tls_drst", sizeof(drst_ulp_ops.name));

	err = tcp_register_ulp(&drst_ulp_ops);
	if (err) {
		pr_err("a ULP named tls_drst is there already\n");
		module_put(tls_ulp_ops->owner);
		return -EBUSY;	/* not EEXIST: modprobe takes that for loaded */
	}
	strscpy(drst_ulp_ops.name, tls_ulp_ops->name, sizeof(drst_ulp_ops.name));
	tcp_unregister_ulp(tls_ulp_ops);
	return 0;
}

/**
 * drst_ulp_exit() - unregister, give the name back to net/tls
 *
 * The kernel refuses setsockopt(TCP_ULP) with ENOENT from the moment at which it
 * finds this module unused until net/tls is back in the list. For these
 * microseconds a program sees what it sees on a kernel without TLS.
 *
 * Context: process, may sleep.
 */
void drst_ulp_exit(void)
{
	bool back;

	strscpy(drst_ulp_ops.name, "tls_drst", sizeof(drst_ulp_ops.name));
	back = !tcp_register_ulp(tls_ulp_ops);
	tcp_unregister_ulp(&drst_ulp_ops);
	if (back)
		module_put(tls_ulp_ops->owner);
	else	/* net/tls stays pinned: it would unregister what is in no list */
		pr_err("the ULP named \"tls\" is taken: kernel TLS is off until reboot\n");
}
