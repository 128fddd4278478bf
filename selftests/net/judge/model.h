/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a script is to show in modes 1 and 2, made from what it has shown in
 * vanilla: the same, but for the rows of the contract about a reset that is held.
 */
#ifndef SELFTESTS_JUDGE_MODEL_H
#define SELFTESTS_JUDGE_MODEL_H

#include "world.h"

struct expected {
	struct run run;
	/*
	 * An edge is allowed where nothing has changed: this call may return
	 * before the step @until, with events out of @may_show only.
	 */
	struct {
		int until;	/* 0: exact */
		long may_show;
	} loose[STEPS_MAX];
	long ignore[STEPS_MAX];		/* bits of outcome.value */
	bool any_sigio[STEPS_MAX];
	bool replaced;			/* see model_shadow() */
};

/* @base is vanilla's run of @script, or of its shadow. */
void model_expect(const struct script *script, int mode, const struct run *base,
		  struct expected *expected);

/*
 * The script whose vanilla run shows what comes after a hold in which the program
 * was told of the reset by other calls than vanilla's: a send() that is told then
 * becomes the SO_ERROR that takes the error, and a bind() or shutdown() nothing.
 * False if there is none of these, and @script is as good.
 */
bool model_shadow(const struct script *script, int mode, const struct run *base,
		  struct script *shadow);

#endif
