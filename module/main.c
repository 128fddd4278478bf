// SPDX-License-Identifier: GPL-2.0
/*
 * tls_drst - deferred RST for kernel TLS
 *
 * The files, from top to bottom. A file calls those below it only.
 *
 *	main.c		the order of loading and unloading
 *	ulp.c		the TCP ULP named "tls" in front of net/tls
 *	hooks.c		what each overridden member does, and which file it asks
 *	proc.c		/proc/net/tls_drst_stat and /proc/net/tls_drst
 *	calls.c		what a process sees while the peer's RST is held
 *	inbound.c	the peer's RST, which waits for the reader
 *	outbound.c	this host's RST, which waits for the send queue
 *	ending.c	how an outbound hold ends
 *	cut.c		what is not held, and lost
 *	policy.c	which connections are held
 *	hold.c		what holds share
 *	table.c		all holds, for /proc and the look at memory
 *	ktls.c, tcp.c	every access to the internals of net/tls and TCP
 *	proto.c		copies of net/tls's tables
 *	trace.h, stat.c, sysctl.c, compat.h
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "hold.h"
#include "hooks.h"
#include "proc.h"
#include "proto.h"
#include "stat.h"
#include "sysctl.h"
#include "ulp.h"

static int __init drst_init(void)
{
	int err;

	err = drst_stat_init();
	if (err)
		return err;
	err = drst_hold_init();
	if (err)
		goto err_stat;
	err = drst_sysctl_init(drst_hold_lowered);
	if (err)
		goto err_hold;
	err = drst_proc_init();
	if (err)
		goto err_sysctl;
	drst_hooks_init();
	err = drst_ulp_init();
	if (err)
		goto err_proc;

	pr_info("loaded: a RST pending after close_notify waits for the send queue (mode %d)\n",
		drst_sysctl_default(DRST_MODE));
	return 0;

err_proc:
	drst_proc_exit();
err_sysctl:
	drst_sysctl_exit();
err_hold:
	drst_hold_exit();
err_stat:
	drst_stat_exit();
	return err;
}

/*
 * Every socket whose ULP is ours pins the module, so none is left. What may be left
 * is the tail of a close(), or of a hold, that has dropped the last pin.
 */
static void __exit drst_exit(void)
{
	drst_ulp_exit();
	drst_hooks_flush();
	drst_hold_flush();
	drst_proc_exit();
	drst_sysctl_exit();
	drst_hold_exit();
	drst_stat_exit();
	drst_proto_exit();
	pr_info("unloaded\n");
}

module_init(drst_init);
module_exit(drst_exit);

MODULE_DESCRIPTION("Deferred RST for kernel TLS: nothing sent is lost after close_notify");
MODULE_AUTHOR("The tls_drst authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: tls");
