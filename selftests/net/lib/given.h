/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_GIVEN_H
#define SELFTESTS_GIVEN_H

/*
 * How many bytes TCP has been given to send on this socket, acknowledged or not,
 * in one look: no acknowledgement comes between. Not after shutdown(), as a FIN
 * counts until it is sent.
 */
long tcp_given(int fd);

/* How much memory the segments take that wait until a socket is not in use any more. */
unsigned int tcp_backlog(int fd);

#endif
