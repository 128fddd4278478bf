/* SPDX-License-Identifier: GPL-2.0 */
/* What `ss` does, of the sender's socket, open or held. */
#ifndef SELFTESTS_DIAG_H
#define SELFTESTS_DIAG_H

#include "conn.h"

/* `ss -K`; returns 0 or -errno. */
int conn_destroy(const struct conn *conn);

/* The state that `ss` shows; TCP_CLOSE if it finds no such connection. */
int conn_diag_state(const struct conn *conn);

/* The name of the ULP that `ss -ti` shows: "" if there is none. */
void conn_ulp_name(const struct conn *conn, char *name, size_t size);

/*
 * Lists all TCP sockets of @family, and does `ss -K` to those with TLS, held ones too,
 * that @doomed() says; returns 0 or the first -errno, that a socket is gone not counted.
 */
int diag_destroy_tls(int family, bool (*doomed)(void));

#endif
