/* SPDX-License-Identifier: GPL-2.0 */
/* A TCP ULP named "tls" in front of net/tls. */
#ifndef _TLS_DRST_ULP_H
#define _TLS_DRST_ULP_H

int drst_ulp_init(void);
void drst_ulp_exit(void);

#endif /* _TLS_DRST_ULP_H */
