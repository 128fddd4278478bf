/* SPDX-License-Identifier: GPL-2.0 */
/* The program's end as `ss` shows it: looking there does not touch the descriptor. */
#ifndef SELFTESTS_JUDGE_LOOK_H
#define SELFTESTS_JUDGE_LOOK_H

#include <stdbool.h>
#include <stdint.h>

struct view {
	int state;		/* 0: there is no such connection (any more) */
	unsigned int unread;
	unsigned int queued;
	unsigned int in_flight;	/* segments that are not acknowledged */
	unsigned int window;	/* the peer's */
	uint64_t received;
};

/* A socket to ask with, of the network namespace of this thread. */
int look_open(void);
void look(int fd, bool ipv6, uint16_t port, struct view *view);

/* Does nothing else run on this machine? */
bool all_quiet(void);

#endif
