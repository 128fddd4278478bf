/* SPDX-License-Identifier: GPL-2.0 */
/* What the peer does in a script, and what this process does for itself. */
#ifndef SELFTESTS_JUDGE_PEER_H
#define SELFTESTS_JUDGE_PEER_H

#include "script.h"

#define ACTS(X)								\
	X(peer_data) X(peer_notify) X(peer_ticket) X(peer_half)		\
	X(peer_fin) X(peer_rst) X(peer_close) X(peer_data_rst)		\
	X(peer_data_fin) X(peer_fin_rst) X(peer_open) X(nothing)	\
	X(pause) X(fork) X(child_exit)

#define DECLARE_ACT(name)						\
	void act_##name(struct world *w, const struct step *step);
ACTS(DECLARE_ACT)

/* The byte at @pos of what the peer sends. */
uint8_t peer_byte(size_t pos);

/* Reads what the peer's socket has; returns how much that was. */
size_t peer_take_all(struct world *w);

#endif
