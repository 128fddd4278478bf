// SPDX-License-Identifier: GPL-2.0
/* /proc/sys/net/tls_drst/: five knobs for each network namespace. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "tls_drst.h"

#define DRST_DAY_MS (24 * 60 * 60 * 1000)

/* @limit: a bound that a namespace of an unprivileged user cannot raise */
static const struct {
	const char *name;
	int min;
	int max;
	bool limit;
} drst_knobs[] = {
	[DRST_MODE]		= { "mode", 0, 2, false },
	[DRST_FINAL]		= { "final", 0, 1, false },
	[DRST_TIMEOUT_MS]	= { "timeout_ms", 1, DRST_DAY_MS, true },
	[DRST_MAX_HOLD_MS]	= { "max_hold_ms", 1, DRST_DAY_MS, true },
	[DRST_MAX_HELD]		= { "max_held", 0, 1 << 20, true },
};

int drst_defaults[DRST_NR_KNOBS] = {
	[DRST_MODE]		= 1,
	[DRST_FINAL]		= 0,
	[DRST_TIMEOUT_MS]	= 60 * 1000,
	[DRST_MAX_HOLD_MS]	= 300 * 1000,
	[DRST_MAX_HELD]		= 4096,
};

module_param_named(mode, drst_defaults[DRST_MODE], int, 0444);
MODULE_PARM_DESC(mode, "mode of new network namespaces: 0 off, 1 states other than ESTABLISHED, 2 every state (1)");
module_param_named(final, drst_defaults[DRST_FINAL], int, 0444);
MODULE_PARM_DESC(final, "how new network namespaces end a hold: 0 with the RST, 1 with FIN instead (0)");
module_param_named(timeout_ms, drst_defaults[DRST_TIMEOUT_MS], int, 0444);
MODULE_PARM_DESC(timeout_ms, "bound on a hold without progress, in ms, in new network namespaces (60000)");
module_param_named(max_hold_ms, drst_defaults[DRST_MAX_HOLD_MS], int, 0444);
MODULE_PARM_DESC(max_hold_ms, "bound on a hold in all, in ms, in new network namespaces (300000)");
module_param_named(max_held, drst_defaults[DRST_MAX_HELD], int, 0444);
MODULE_PARM_DESC(max_held, "bound on connections held at once in each new network namespace (4096)");

/**
 * drst_sysctl_check_defaults() - are the module's parameters in range?
 *
 * Context: process.
 * Return: 0, or -EINVAL after a line in the log that names the parameter.
 */
int drst_sysctl_check_defaults(void)
{
	int i;

	BUILD_BUG_ON(ARRAY_SIZE(drst_knobs) != DRST_NR_KNOBS);

	for (i = 0; i < DRST_NR_KNOBS; i++) {
		if (drst_defaults[i] >= drst_knobs[i].min &&
		    drst_defaults[i] <= drst_knobs[i].max)
			continue;
		pr_err("%s=%d is out of range: give %d to %d\n",
		       drst_knobs[i].name, drst_defaults[i],
		       drst_knobs[i].min, drst_knobs[i].max);
		return -EINVAL;
	}
	return 0;
}

/* Is @knob of @net bounded by the same knob of init_net? */
static bool drst_knob_capped(const struct net *net, enum drst_knob knob)
{
	return drst_knobs[knob].limit && net->user_ns != &init_user_ns;
}

/**
 * drst_knob() - the value of a knob that is in force
 * @net: the namespace
 * @knob: which knob
 *
 * In a namespace of an unprivileged user a limit is never above init_net's,
 * also where init_net's was lowered later.
 *
 * Context: any.
 * Return: the value.
 */
int drst_knob(const struct net *net, enum drst_knob knob)
{
	int value = READ_ONCE(drst_pernet(net)->knob[knob]);

	if (drst_knob_capped(net, knob))
		value = min(value, READ_ONCE(drst_pernet(&init_net)->knob[knob]));
	return value;
}

/* Out of range is -EINVAL, by proc_dointvec_minmax(), and changes nothing. */
static int drst_sysctl_handler(drst_ctl_table *ctl, int write, void *buffer,
			       size_t *lenp, loff_t *ppos)
{
	struct net *net = ctl->extra1;
	int knob = (int *)ctl->data - drst_pernet(net)->knob;
	int min = drst_knobs[knob].min;
	int max = drst_knobs[knob].max;
	struct ctl_table bounded = *ctl;

	if (drst_knob_capped(net, knob))
		max = min(max, READ_ONCE(drst_pernet(&init_net)->knob[knob]));
	bounded.extra1 = &min;
	bounded.extra2 = &max;
	return proc_dointvec_minmax(&bounded, write, buffer, lenp, ppos);
}

/**
 * drst_sysctl_net_init() - set a namespace's knobs and show them
 * @net: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int drst_sysctl_net_init(struct net *net)
{
	struct drst_net *dn = drst_pernet(net);
	int i;

	/* One entry more: the empty one that ends a table before 6.6. */
	dn->table = kcalloc(DRST_NR_KNOBS + 1, sizeof(*dn->table), GFP_KERNEL);
	if (!dn->table)
		return -ENOMEM;

	for (i = 0; i < DRST_NR_KNOBS; i++) {
		dn->knob[i] = drst_defaults[i];
		dn->table[i].procname = drst_knobs[i].name;
		dn->table[i].data = &dn->knob[i];
		dn->table[i].maxlen = sizeof(int);
		dn->table[i].mode = 0644;
		dn->table[i].proc_handler = drst_sysctl_handler;
		dn->table[i].extra1 = net;
	}
	dn->header = drst_register_net_sysctl(net, "net/tls_drst", dn->table,
					      DRST_NR_KNOBS);
	if (!dn->header) {
		kfree(dn->table);
		return -ENOMEM;
	}
	return 0;
}

/**
 * drst_sysctl_net_exit() - the reverse of drst_sysctl_net_init()
 * @net: the namespace
 *
 * Context: process, may sleep.
 */
void drst_sysctl_net_exit(struct net *net)
{
	unregister_net_sysctl_table(drst_pernet(net)->header);
	kfree(drst_pernet(net)->table);
}
