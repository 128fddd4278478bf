/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTESTS_CHAOS_H
#define SELFTESTS_CHAOS_H

#include "../lib/conn.h"

#define THREADS 3		/* of a process, at most */
#define CALLS 40		/* of a thread, at most */
#define LONGEST 20000		/* of a call, in bytes */
#define CONTENT (8 * CALLS * LONGEST)	/* more than a thread can send */
#define STREAM (2 * THREADS * CONTENT)	/* more than a peer can get */

/* What all processes see. */
extern struct chaos {
	bool over, lull;	/* no connections from now on; for a while */
	int wrong;		/* what should not have been, of which the first is told: */
	char first[200];
	long connections, judged, calls, namespaces, reloads;
	long notified, held, inbound;
} *chaos;

void chaos_begin(void);
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
void count(long *what);

/* Each task, a thread or process, has a series of its own. */
void seed(unsigned int task);
unsigned int pick(unsigned int n);	/* 0 to n - 1 */
bool one_in(unsigned int n);
size_t some(size_t most);		/* at least 1, mostly few */
#define ONE_OF(array) ((array)[pick(sizeof(array) / sizeof((array)[0]))])

/* No call on @fd waits for long: SO_RCVTIMEO, SO_SNDTIMEO. As calls go: -1 is an error. */
ssize_t do_timeouts(int fd);

/*
 * The process at the end with kernel TLS. Where it is @tidy one thread writes, and nothing behind
 * a close_notify, so that the peer can judge. @file has the content, for sendfile().
 */
void be_party(const struct conn *c, int file, bool tidy, unsigned int task)
	__attribute__((noreturn));

#endif
