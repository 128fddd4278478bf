/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The model while it walks through a script: model.c knows when a reset is held,
 * polls.c what poll() and its like show, held.c what the other calls give then.
 */
#ifndef SELFTESTS_JUDGE_WALK_H
#define SELFTESTS_JUDGE_WALK_H

#include "model.h"

enum { RCV = 1, SEND = 2 };

struct model {
	const struct script *script;
	const struct script *played;
	int mode;
	const struct run *base;
	struct expected *want;
	struct script *shadow;	/* what is to be played */

	size_t left;		/* content that can be read */
	size_t hands[STEPS_MAX]; /* content that a reader has, who still waits */
	int shut;		/* by the program: RCV, SEND */
	bool fin;
	unsigned int lowat;
	int errors_queued;	/* messages in the error queue, at least */
	bool stamps;		/* SO_TIMESTAMPING is on */
	int stamps_due;		/* the device has not sent it yet */
	long epoll_events;

	bool held;
	bool edge_due;		/* the edge of the end, for EPOLLET */
	bool told;		/* the program knows of the reset */
	bool taken;		/* vanilla's error was: step.error_first */
	bool owed;		/* ... so the next one is to meet it */
	bool robbed;		/* vanilla's reader has not read what this one has */
	int err;
	int state;		/* before the reset */
	unsigned int err_band;	/* vanilla's SIGIO of the reset */
};

static inline const struct step *step_of(const struct model *m, int i)
{
	return &m->script->step[i];
}

static inline struct outcome *want_out(struct model *m, int i)
{
	return &m->want->run.out[i];
}

/* Those who wait for events */
long mask_held(const struct model *m);
long mask_reset(const struct model *m);
bool by_edges(const struct model *m, const struct step *step);
/* The call of step @k looks in step @i. */
void set_poll(struct model *m, int k, int i, long mask);
/* Those that waited before step @i look again. */
void wake_polls(struct model *m, int i, long mask);

/* Counts what the calls that return in step @i have read. */
void count_reads(struct model *m, int i);
void hold_ends(struct model *m, int i);
/* What is played in vanilla instead of step @i */
void replace(struct model *m, int i, const char *line);

void held_step(struct model *m, int i);

#endif
