/* SPDX-License-Identifier: GPL-2.0 */
/* What each overridden member of net/tls's tables does. */
#ifndef _TLS_DRST_HOOKS_H
#define _TLS_DRST_HOOKS_H

#include <net/sock.h>

void drst_hooks_wrap(struct sock *sk);
void drst_hooks_init(void);
void drst_hooks_flush(void);

#endif /* _TLS_DRST_HOOKS_H */
