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
};

/*
 * @base is vanilla's run of @played, which is @script or what model_shadow() has
 * made of it.
 */
void model_expect(const struct script *script, const struct script *played,
		  int mode, const struct run *base, struct expected *expected);

/*
 * The script whose vanilla run shows what is to come. It differs where a hold takes
 * the program another way than vanilla:
 *  - a send() that is told of the reset becomes the SO_ERROR that takes the error, and
 *    one that is told nothing, a bind() or a shutdown() becomes nothing;
 *  - the error is taken before kTLS's reader looks, which can give it before the data.
 *    The model then says itself who meets it after the data.
 * Returns false if it is @played.
 */
bool model_shadow(const struct script *script, const struct script *played,
		  int mode, const struct run *base, struct script *shadow);

#endif
