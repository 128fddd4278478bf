/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a host demands of a segment besides its numbers: a signature, a short way,
 * encryption.
 */
#ifndef SELFTESTS_GUARD_H
#define SELFTESTS_GUARD_H

#include "conn.h"

/* A connected socket wants TCP-MD5 from now on. False: this kernel has none. */
bool guard_md5(int fd);

/* TCP-AO (RFC 5925), since 6.7: the two ends want it before they connect (conn_opts.prepare). */
bool guard_has_ao(void);
void guard_ao(int fd);

/* The sender's socket takes only what no router has passed on: IP_MINTTL. */
#define TTL_NEAR 255
void guard_ttl(struct conn *conn);
/* With what the peer's host sends from now on, of each family */
void peer_ttl(struct bed *bed, int ttl);

/*
 * The host @side sends TCP to the other by ESP, and takes nothing else of it. False: no
 * `ip xfrm`, or a kernel without ESP.
 */
bool ipsec_start(struct bed *bed, enum side side, int family);
/* It forgets its "policy" or "state". */
void ipsec_forget(struct bed *bed, enum side side, const char *what);

#endif
