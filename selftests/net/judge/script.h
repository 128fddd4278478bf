/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A script: what a program calls on its TLS connection, and what the peer does
 * meanwhile. A step is one line of text, such as "recv 100 WAITALL" or
 * "peer_data 10"; script.c has the words.
 */
#ifndef SELFTESTS_JUDGE_SCRIPT_H
#define SELFTESTS_JUDGE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEPS_MAX 32
#define TEXT_MAX 64
#define ARGS_MAX 2

/* What the model has to know of a step. */
enum kind {
	DO_READ,
	DO_SEND,
	DO_POLL,
	DO_GET,		/* asks for something and changes nothing */
	DO_SET,
	DO_SHUTDOWN,
	DO_BIND,
	DO_SO_ERROR,
	DO_CLOSE,
	DO_HANDLE,	/* descriptors: dup, fork, SCM_RIGHTS */
	DO_OTHER,
	BY_PEER,
};

struct call;
struct world;
struct step;

struct op {
	const char *name;
	enum kind kind;
	void (*call)(struct call *call);	/* of the program */
	void (*act)(struct world *w, const struct step *step);	/* of the peer */
	/* Of the peer's steps: what they consist of, in this order. */
	bool data, fin, rst;
};

struct step {
	char text[TEXT_MAX];
	const struct op *op;
	bool child;		/* the forked process makes the call */
	bool error_first;	/* somebody takes the error before: see model.h */
	long arg[ARGS_MAX];
};

struct script {
	const char *name;
	unsigned int seed;	/* of a random script */
	/* The line "with ...", which is optional and comes first. */
	char with[TEXT_MAX];
	bool rx, ipv6, tls12;
	bool full;		/* nothing can be sent before peer_open */
	int timeout_ms;		/* the module's knob, 0 for its default */
	int delay_ms;		/* of what the program's end sends */
	unsigned long gaps;	/* steps, by bits, that may be vanilla's: no hook sees them */
	int steps;
	struct step step[STEPS_MAX];
};

extern const struct op ops[];
extern const int n_ops;

/* Appends a line; ends the test if the line is not understood. */
void script_add(struct script *script, const char *line);

static inline bool is_op(const struct step *step, const char *name)
{
	return !__builtin_strcmp(step->op->name, name);
}

/* Flags of messages are the second argument of all reads and sends. */
#define STEP_FLAGS(step) ((int)(step)->arg[1])

#endif
