// SPDX-License-Identifier: GPL-2.0
/* Loading and unloading: the order of things, and its reverse. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "tls_drst.h"

unsigned int drst_net_id __read_mostly;

static int __net_init drst_net_init(struct net *net)
{
	int err;

	drst_hold_net_init(net);
	err = drst_stat_net_init(net);
	if (err)
		return err;

	err = drst_sysctl_net_init(net);
	if (err)
		drst_stat_net_exit(net);
	return err;
}

/* A held connection keeps its namespace alive, so none is left here. */
static void __net_exit drst_net_exit(struct net *net)
{
	drst_hold_net_exit(net);
	drst_sysctl_net_exit(net);
	drst_stat_net_exit(net);
}

static struct pernet_operations drst_net_ops = {
	.init = drst_net_init,
	.exit = drst_net_exit,
	.id   = &drst_net_id,
	.size = sizeof(struct drst_net),
};

static int __init drst_init(void)
{
	int err;

	err = drst_sysctl_check_defaults();
	if (err)
		return err;

	err = drst_hold_init();
	if (err)
		return err;

	err = register_pernet_subsys(&drst_net_ops);
	if (err)
		goto err_hold;

	err = drst_ulp_init();
	if (err)
		goto err_pernet;

	pr_info("loaded: a RST owed after close_notify waits for the send queue (mode %d)\n",
		drst_defaults[DRST_MODE]);
	return 0;

err_pernet:
	unregister_pernet_subsys(&drst_net_ops);
err_hold:
	drst_hold_exit();
	return err;
}

/*
 * Every socket whose ULP is ours pins the module, so none is left; what may
 * be left is the tail of a close() or of a hold that dropped the last pin.
 */
static void __exit drst_exit(void)
{
	drst_ulp_exit();
	drst_proto_exit();
	drst_hold_flush();
	unregister_pernet_subsys(&drst_net_ops);
	drst_hold_exit();
	pr_info("unloaded\n");
}

module_init(drst_init);
module_exit(drst_exit);

MODULE_DESCRIPTION("Deferred RST for kernel TLS: nothing sent is lost after close_notify");
MODULE_AUTHOR("The tls_drst authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: tls");
