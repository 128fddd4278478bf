/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_DESTROY_H
#define SELFTESTS_DESTROY_H

#include "conn.h"

/* `ss -K` of the sender's socket, open or held; returns 0 or -errno. */
int conn_destroy(const struct conn *conn);

#endif
