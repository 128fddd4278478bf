// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/sys/net/tls_drst/: the knobs of each network namespace. On a kernel without
 * sysctl the module's parameters alone set them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat.h"
#include "sysctl.h"

/**
 * struct drst_sysctl_net - the knobs of a network namespace
 * @knob:	their values, written by proc_dointvec_minmax()
 * @table:	the sysctl table, whose .data points into @knob
 * @header:	its registration
 */
struct drst_sysctl_net {
	int knob[DRST_NR_KNOBS];
	struct ctl_table *table;
	struct ctl_table_header *header;
};

static unsigned int drst_sysctl_net_id __read_mostly;

/* Is to know of limits that got lower; see drst_sysctl_init(). */
static void (*drst_sysctl_lowered)(const struct net *net) __read_mostly;

#define DRST_SYSCTL_DAY_MS (24 * 60 * 60 * 1000)

/*
 * @value: what new network namespaces begin with; the module's parameter
 * @limit: the namespaces of unprivileged users cannot exceed init_net's value
 */
static struct {
	const char *name;
	int min;
	int max;
	int value;
	bool limit;
} drst_sysctl_knobs[] = {
	[DRST_MODE]	   = { "mode", 0, 2, 1, false },
	[DRST_FINAL]	   = { "final", 0, 1, 0, false },
	[DRST_HOLD_LINGER] = { "hold_linger", 0, 1, 1, false },
	[DRST_TIMEOUT_MS]  = { "timeout_ms", 1, DRST_SYSCTL_DAY_MS, 60000, true },
	[DRST_MAX_HOLD_MS] = { "max_hold_ms", 1, DRST_SYSCTL_DAY_MS, 300000, true },
	[DRST_MAX_HELD]	   = { "max_held", 0, 1 << 20, 4096, true },
};

module_param_named(mode, drst_sysctl_knobs[DRST_MODE].value, int, 0444);
MODULE_PARM_DESC(mode, "mode of new network namespaces: 0 off, 1 states other than ESTABLISHED, 2 every state (1)");
module_param_named(final, drst_sysctl_knobs[DRST_FINAL].value, int, 0444);
MODULE_PARM_DESC(final, "how new network namespaces end a hold: 0 with the RST, 1 with FIN instead (0)");
module_param_named(hold_linger, drst_sysctl_knobs[DRST_HOLD_LINGER].value, int, 0444);
MODULE_PARM_DESC(hold_linger, "what a close() with SO_LINGER {1, 0} is in new network namespaces: 0 an abort, never held, 1 held as any other (1)");
module_param_named(timeout_ms, drst_sysctl_knobs[DRST_TIMEOUT_MS].value, int, 0444);
MODULE_PARM_DESC(timeout_ms, "limit of a hold without progress, in ms, in new network namespaces (60000)");
module_param_named(max_hold_ms, drst_sysctl_knobs[DRST_MAX_HOLD_MS].value, int, 0444);
MODULE_PARM_DESC(max_hold_ms, "limit of a hold in all, in ms, in new network namespaces (300000)");
module_param_named(max_held, drst_sysctl_knobs[DRST_MAX_HELD].value, int, 0444);
MODULE_PARM_DESC(max_held, "limit of connections held at once in each new network namespace (4096)");

static struct drst_sysctl_net *drst_sysctl_pernet(const struct net *net)
{
	return net_generic(net, drst_sysctl_net_id);
}

static int drst_sysctl_check_defaults(void)
{
	int i;

	BUILD_BUG_ON(ARRAY_SIZE(drst_sysctl_knobs) != DRST_NR_KNOBS);

	for (i = 0; i < DRST_NR_KNOBS; i++) {
		if (drst_sysctl_knobs[i].value >= drst_sysctl_knobs[i].min &&
		    drst_sysctl_knobs[i].value <= drst_sysctl_knobs[i].max)
			continue;
		pr_err("%s=%d is out of range: give %d to %d\n",
		       drst_sysctl_knobs[i].name, drst_sysctl_knobs[i].value,
		       drst_sysctl_knobs[i].min, drst_sysctl_knobs[i].max);
		return -EINVAL;
	}
	return 0;
}

/**
 * drst_sysctl_default() - the value that a new network namespace begins with
 * @knob: of which knob
 *
 * Context: any.
 * Return: the module's parameter.
 */
int drst_sysctl_default(enum drst_knob knob)
{
	return drst_sysctl_knobs[knob].value;
}

/* Is @knob of @net limited by the same knob of init_net? */
static bool drst_sysctl_capped(const struct net *net, enum drst_knob knob)
{
	return drst_sysctl_knobs[knob].limit && net->user_ns != &init_user_ns;
}

static int drst_sysctl_cap(enum drst_knob knob)
{
	return READ_ONCE(drst_sysctl_pernet(&init_net)->knob[knob]);
}

/**
 * drst_sysctl_knob() - the value of a knob that is in force
 * @net: the namespace
 * @knob: which knob
 *
 * In a namespace of an unprivileged user a limit is never above init_net's,
 * even if init_net's was lowered later.
 *
 * Context: any.
 * Return: the value.
 */
int drst_sysctl_knob(const struct net *net, enum drst_knob knob)
{
	int value = READ_ONCE(drst_sysctl_pernet(net)->knob[knob]);

	if (drst_sysctl_capped(net, knob))
		value = min(value, drst_sysctl_cap(knob));
	return value;
}

#ifdef CONFIG_SYSCTL
/* proc_dointvec_minmax() refuses a value out of range, and changes nothing then. */
static int drst_sysctl_handler(drst_ctl_table *ctl, int write, void *buffer,
			       size_t *lenp, loff_t *ppos)
{
	struct net *net = ctl->extra1;
	int knob = (int *)ctl->data - drst_sysctl_pernet(net)->knob;
	int min = drst_sysctl_knobs[knob].min;
	int max = drst_sysctl_knobs[knob].max;
	struct ctl_table bounded = *ctl;
	int old = drst_sysctl_knob(net, knob);
	int err;

	if (drst_sysctl_capped(net, knob))
		max = min(max, drst_sysctl_cap(knob));
	bounded.extra1 = &min;
	bounded.extra2 = &max;
	err = proc_dointvec_minmax(&bounded, write, buffer, lenp, ppos);
	if (drst_sysctl_knobs[knob].limit && drst_sysctl_knob(net, knob) < old)
		drst_sysctl_lowered(net);
	return err;
}

static int __net_init drst_sysctl_show(struct net *net)
{
	struct drst_sysctl_net *sn = drst_sysctl_pernet(net);
	int i;

	/* One entry more: the empty one that ends a table before 6.6. */
	sn->table = kcalloc(DRST_NR_KNOBS + 1, sizeof(*sn->table), GFP_KERNEL);
	if (!sn->table)
		return -ENOMEM;

	for (i = 0; i < DRST_NR_KNOBS; i++) {
		sn->table[i].procname = drst_sysctl_knobs[i].name;
		sn->table[i].data = &sn->knob[i];
		sn->table[i].maxlen = sizeof(int);
		sn->table[i].mode = 0644;
		sn->table[i].proc_handler = drst_sysctl_handler;
		sn->table[i].extra1 = net;
	}
	sn->header = drst_register_net_sysctl(net, "net/tls_drst", sn->table,
					      DRST_NR_KNOBS);
	if (!sn->header) {
		kfree(sn->table);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit drst_sysctl_net_exit(struct net *net)
{
	unregister_net_sysctl_table(drst_sysctl_pernet(net)->header);
	kfree(drst_sysctl_pernet(net)->table);
}
#else
static int __net_init drst_sysctl_show(struct net *net)
{
	return 0;
}

static void __net_exit drst_sysctl_net_exit(struct net *net)
{
}
#endif

static int __net_init drst_sysctl_net_init(struct net *net)
{
	int i;

	for (i = 0; i < DRST_NR_KNOBS; i++)
		drst_sysctl_pernet(net)->knob[i] = drst_sysctl_knobs[i].value;
	return drst_sysctl_show(net);
}

static struct pernet_operations drst_sysctl_net_ops = {
	.init = drst_sysctl_net_init,
	.exit = drst_sysctl_net_exit,
	.id   = &drst_sysctl_net_id,
	.size = sizeof(struct drst_sysctl_net),
};

/**
 * drst_sysctl_init() - check the module's parameters, show the knobs
 * @lowered: is called when a limit of a namespace got lower, in process context. The
 *	     limits of init_net are limits of others, too.
 *
 * Context: process, may sleep; at load.
 * Return: 0; -EINVAL after a line in the log that names the parameter; or
 * another negative errno.
 */
int drst_sysctl_init(void (*lowered)(const struct net *net))
{
	drst_sysctl_lowered = lowered;
	return drst_sysctl_check_defaults() ? :
	       register_pernet_subsys(&drst_sysctl_net_ops);
}

/**
 * drst_sysctl_exit() - the reverse of drst_sysctl_init()
 *
 * Context: process, may sleep; at unload, when no knob is read any more.
 */
void drst_sysctl_exit(void)
{
	unregister_pernet_subsys(&drst_sysctl_net_ops);
}
