/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The threads that make a script's calls, so that each of them can block, and a
 * process, forked, that can have its share of them.
 */
#ifndef SELFTESTS_JUDGE_ACTOR_H
#define SELFTESTS_JUDGE_ACTOR_H

#include "call.h"

#define THREADS 8
#define ACTOR_URING (THREADS - 1)	/* the ring belongs to one thread */
#define ACTOR_CHILD THREADS
#define ACTORS (THREADS + 1)

struct actor {
	int tid;
	uint32_t busy;		/* a futex; set by who orders a call */
	int number;		/* of the step */
	struct call call;
	struct uring uring;
};

extern struct actor *actors;	/* shared with the child */

/* Once in a process. This thread comes before all the others from now on. */
void actors_start(void);

/* The thread for the next call, NULL if all are busy. */
struct actor *actor_for(const struct step *step);
void actor_begin(struct actor *actor);
bool actor_busy(const struct actor *actor);
/* Has it nothing to do, or does it sleep in its system call? */
bool actor_rests(const struct actor *actor);
/* Waits for it, for a moment. */
void actor_await(struct actor *actor);
/* A signal ends the call. */
void actor_interrupt(struct actor *actor);

void child_start(int peer);
void child_stop(void);

#endif
