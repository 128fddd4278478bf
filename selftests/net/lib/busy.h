/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A socket that is in use: a recv() or send() keeps its lock until it may go on, so
 * what arrives meanwhile waits in the backlog.
 */
#ifndef SELFTESTS_BUSY_H
#define SELFTESTS_BUSY_H

#include <pthread.h>
#include <sys/types.h>

struct busy {
	pthread_t thread;
	int fd;
	size_t len;
	int flags;
	ssize_t got;		/* what the call returned, after busy_end() */
	int faults;		/* a userfaultfd(2) */
	void *page;
};

/* @fd has data to read, which stays unread. */
void busy_begin(struct busy *busy, int fd);
/* The same by a recv() of up to a page, which reads. */
void busy_read(struct busy *busy, int fd, size_t len, int flags);
/* By a send() of a byte; there need not be data. */
void busy_send(struct busy *busy, int fd);
void busy_end(struct busy *busy);

#endif
