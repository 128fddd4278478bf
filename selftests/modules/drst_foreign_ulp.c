// SPDX-License-Identifier: GPL-2.0
/* A TCP ULP that does nothing, under the name of another: insmod ... name=tls */
#include <linux/module.h>
#include <net/tcp.h>
#include <net/tls.h>

/* As net/tls does, but for one thing: insmod ... wrong=sk */
static char *wrong;
module_param(wrong, charp, 0);
MODULE_PARM_DESC(wrong, "sk, sk_proto, tx_conf, rx_conf or sk_prot; else nothing is done");

static struct tls_context foreign_ctx;
static struct proto foreign_prot;

static bool foreign_is_wrong(const char *what)
{
	return !strcmp(wrong, what);
}

static int foreign_init(struct sock *sk)
{
	if (!wrong)
		return 0;

	foreign_ctx.sk = foreign_is_wrong("sk") ? NULL : sk;
	foreign_ctx.sk_proto = foreign_is_wrong("sk_proto") ? NULL : sk->sk_prot;
	foreign_ctx.tx_conf = foreign_is_wrong("tx_conf") ? TLS_SW : TLS_BASE;
	foreign_ctx.rx_conf = foreign_is_wrong("rx_conf") ? TLS_SW : TLS_BASE;
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, &foreign_ctx);
	foreign_prot = *sk->sk_prot;
	if (!foreign_is_wrong("sk_prot"))
		sk->sk_prot = &foreign_prot;
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
