// SPDX-License-Identifier: GPL-2.0
/* A TCP ULP that does nothing, under the name of another: insmod ... name=tls */
#include <linux/module.h>
#include <net/tcp.h>

static int foreign_init(struct sock *sk)
{
	return 0;
}

static struct tcp_ulp_ops foreign_ops = {
	.owner	= THIS_MODULE,
	.init	= foreign_init,
};

module_param_string(name, foreign_ops.name, sizeof(foreign_ops.name), 0);
MODULE_PARM_DESC(name, "what it is called");

static bool builtin;
module_param(builtin, bool, 0);
MODULE_PARM_DESC(builtin, "has no owner, like a ULP that is no module's");

static int __init foreign_load(void)
{
	if (builtin)
		foreign_ops.owner = NULL;
	return tcp_register_ulp(&foreign_ops);
}

static void __exit foreign_unload(void)
{
	tcp_unregister_ulp(&foreign_ops);
}

module_init(foreign_load);
module_exit(foreign_unload);

MODULE_DESCRIPTION("Selftests of tls_drst: a ULP that takes another's name");
MODULE_LICENSE("GPL");
