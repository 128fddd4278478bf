/* SPDX-License-Identifier: GPL-2.0 */
/* The knobs of a network namespace. */
#ifndef _TLS_DRST_SYSCTL_H
#define _TLS_DRST_SYSCTL_H

struct net;

/* The order is that of drst_sysctl_knobs[] in sysctl.c. */
enum drst_knob {
	DRST_MODE,
	DRST_FINAL,
	DRST_HOLD_LINGER,
	DRST_TIMEOUT_MS,
	DRST_MAX_HOLD_MS,
	DRST_MAX_HELD,
	DRST_NR_KNOBS
};

int drst_sysctl_default(enum drst_knob knob);
int drst_sysctl_knob(const struct net *net, enum drst_knob knob);
int drst_sysctl_init(void (*lowered)(const struct net *net));
void drst_sysctl_exit(void);

#endif /* _TLS_DRST_SYSCTL_H */
