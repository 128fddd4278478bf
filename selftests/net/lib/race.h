/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A peer that uploads a little, says close_notify and resets, all in one go, and
 * a reader that is at it in one of several ways: who comes first?
 */
#ifndef SELFTESTS_RACE_H
#define SELFTESTS_RACE_H

#include "bed.h"

enum race_reader {
	READ_RECV,	/* waits in recv() */
	READ_PIECES,	/* the same, a few bytes at a time */
	READ_POLL,	/* waits in poll(), then one recv() */
	READ_EPOLL_LT,
	READ_EPOLL_ET,	/* reads until EAGAIN */
	READ_LATE,	/* looks only when the RST has been sent */
	RACE_READERS
};

enum race_state {
	RACE_ESTABLISHED,
	RACE_CLOSE_WAIT,	/* the peer sends a FIN before its RST */
	RACE_FIN_WAIT2,		/* the reader has shut its own direction down */
	RACE_STATES
};

struct race {
	enum race_reader reader;
	enum race_state state;
	bool rx;		/* kTLS for receiving, too */
	bool apart;		/* the peer sends each record by itself */
	int family;
	int load;		/* processes that keep the CPUs busy */
	int tries;
	/* how many of the tries showed it */
	int early_error;	/* an error while there was data to be read */
	int early_hup;		/* poll() said ERR or HUP, likewise */
	int late_data;		/* data after an error */
	int lost;		/* some bytes never came */
	int unknown;		/* no end, or one that is no reset */
};

extern const char *const race_readers[];

void race_run(struct race *race, struct bed *bed);

#endif
