/* SPDX-License-Identifier: GPL-2.0 */
/* One run of a script: the connection, and what the program has seen. */
#ifndef SELFTESTS_JUDGE_WORLD_H
#define SELFTESTS_JUDGE_WORLD_H

#include "../lib/conn.h"
#include "actor.h"
#include "look.h"
#include "script.h"

#define FDS_MAX 4

/*
 * What a run has shown. A call returns in its own step, in a later one (something
 * happened then that ended it), or in the step behind the last, where a signal ends
 * what still blocks.
 */
struct run {
	struct outcome out[STEPS_MAX];
	int when[STEPS_MAX];
	unsigned int sigio[STEPS_MAX + 1];	/* 1 << POLL_... */
	int held[STEPS_MAX + 1];		/* CurrInHeld, afterwards */
	/* For the model: */
	int state[STEPS_MAX + 1];	/* TCP's before the step, 0: gone */
	size_t arrived[STEPS_MAX];	/* content of the step that can be read */
	bool open[STEPS_MAX + 1];	/* before it, the program had a descriptor */
};

struct world {
	const struct script *script;
	struct bed *bed;
	struct run *run;
	struct conn conn;
	int fds[FDS_MAX];	/* the program's descriptors; it uses the last */
	int n_fds;
	int passed;		/* descriptors that are in a message */
	int epoll;
	int file;
	int flight[2];
	int look;
	int step;
	struct view view;
	/* What the peer has done: this is waited for. */
	uint64_t sent;		/* bytes */
	bool fin, rst;
	bool open_window;	/* the peer is to read what comes, in this step */
	size_t written;		/* content, by the peer */
	size_t read;		/* content, by the program */
};

void world_run(const struct script *script, struct bed *bed, int mode,
	       struct run *run);

#endif
