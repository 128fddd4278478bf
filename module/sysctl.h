/* SPDX-License-Identifier: GPL-2.0 */
/* The knobs of a network namespace. */
#ifndef _TLS_DRST_SYSCTL_H
#define _TLS_DRST_SYSCTL_H

struct net;

#define DRST_DAY_MS (24 * 60 * 60 * 1000)

/*
 * Every knob is one line here: its enum drst_knob, its name, the least and the
 * greatest value, the default, whether it is a limit (in the namespaces of
 * unprivileged users a limit is never above init_net's), and what modinfo says
 * of the module parameter of this name.
 */
#define DRST_KNOBS(X)							\
	X(DRST_MODE, mode, 0, 2, 1, false,				\
	  "mode of new network namespaces: 0 off, 1 states other than ESTABLISHED, 2 every state (1)") \
	X(DRST_FINAL, final, 0, 1, 0, false,				\
	  "how new network namespaces end a hold: 0 with the RST, 1 with FIN instead (0)") \
	X(DRST_TIMEOUT_MS, timeout_ms, 1, DRST_DAY_MS, 60 * 1000, true,	\
	  "limit of a hold without progress, in ms, in new network namespaces (60000)") \
	X(DRST_MAX_HOLD_MS, max_hold_ms, 1, DRST_DAY_MS, 300 * 1000, true, \
	  "limit of a hold in all, in ms, in new network namespaces (300000)") \
	X(DRST_MAX_HELD, max_held, 0, 1 << 20, 4096, true,		\
	  "limit of connections held at once in each new network namespace (4096)")

#define DRST_KNOB_ENUM(knob, ...) knob,
enum drst_knob {
	DRST_KNOBS(DRST_KNOB_ENUM)
	DRST_NR_KNOBS
};

int drst_sysctl_default(enum drst_knob knob);
int drst_sysctl_knob(const struct net *net, enum drst_knob knob);
int drst_sysctl_init(void);
void drst_sysctl_exit(void);

#endif /* _TLS_DRST_SYSCTL_H */
