// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "walk.h"

#define ERR_BAND (1u << POLL_ERR)

/* ---- data ---- */

static bool consumes(const struct step *step)
{
	return step->op->kind == DO_READ &&
	       !(STEP_FLAGS(step) & (MSG_PEEK | MSG_ERRQUEUE));
}

/*
 * A reader that waits takes what there is when it begins, and is not woken later for
 * less than SO_RCVLOWAT.
 */
static void reader_takes(struct model *m, int k, int i)
{
	if (k != i && m->left < m->lowat)
		return;
	m->hands[k] += m->left;
	m->left = 0;
}

void count_reads(struct model *m, int i)
{
	const struct run *base = m->base;
	size_t got;
	int k;

	for (k = 0; k <= i; k++) {
		if (!consumes(step_of(m, k)) || base->out[k].ret <= 0)
			continue;
		if (base->when[k] == i) {
			got = base->out[k].ret - m->hands[k];
			m->left -= got < m->left ? got : m->left;
		} else if (base->when[k] > i && !base->out[k].skipped) {
			reader_takes(m, k, i);
		}
	}
}

/* Does TCP take data, or answer it with a reset of its own? */
static bool takes_data(const struct model *m, int i)
{
	int state = m->base->state[i];

	return state == TCP_ESTABLISHED ||
	       (!(m->shut & RCV) &&
		(state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2));
}

static void count_arrival(struct model *m, int i)
{
	if (takes_data(m, i))
		m->left += m->base->arrived[i];
}

/* ---- a reset ---- */

static int state_after_fin(int state)
{
	switch (state) {
	case TCP_ESTABLISHED:
		return TCP_CLOSE_WAIT;
	case TCP_FIN_WAIT1:
		return TCP_CLOSING;
	default:
		return state;
	}
}

/* Does the connection end in step @i, and not in the ordinary way? */
static bool resets(const struct model *m, int i)
{
	const struct step *step = step_of(m, i);
	int state = m->base->state[i];

	if (!state || m->base->state[i + 1] || !m->base->open[i])
		return false;
	if (step->op->kind == DO_CLOSE || step->op->kind == DO_OTHER)
		return false;
	if (step->op->rst || is_op(step, "peer_close") || step->op->data)
		return true;
	return step->op->kind == DO_SEND && state == TCP_CLOSE_WAIT;
}

void hold_ends(struct model *m, int i)
{
	m->held = false;
	m->edge_due = true;
	m->owed = m->taken && !m->told;
	wake_polls(m, i, mask_reset(m));
	m->want->run.sigio[i] |= m->err_band;
}

/* Senders that wait have the error, or lose it: see sk_stream_error(). */
static bool senders_told(const struct model *m, int i)
{
	int k;

	for (k = 0; k < i; k++)
		if (step_of(m, k)->op->kind == DO_SEND &&
		    !m->base->out[k].skipped && m->base->when[k] == i)
			return true;
	return false;
}

/*
 * kTLS's reader that waits for SO_RCVLOWAT has not looked for a record, and takes
 * vanilla's error before the data. It is to give the data.
 */
static void readers_have_data(struct model *m, int i)
{
	struct outcome *out;
	int k;

	for (k = 0; k < i; k++) {
		out = want_out(m, k);
		if (!consumes(step_of(m, k)) || m->base->when[k] != i ||
		    out->err != m->err || !m->left)
			continue;
		*out = (struct outcome){ .inq = -1 };
		out->ret = step_of(m, k)->arg[0];
		if ((size_t)out->ret > m->left)
			out->ret = m->left;
		m->left -= out->ret;
		m->taken = true;
		m->robbed = true;
	}
}

/* TCP resets by itself for data in these states; the module cannot tell that apart. */
static bool resets_itself(const struct model *m)
{
	return m->shut & RCV && (m->state == TCP_FIN_WAIT1 ||
				 m->state == TCP_FIN_WAIT2);
}

static void reset_comes(struct model *m, int i)
{
	const struct op *op = step_of(m, i)->op;

	m->state = m->base->state[i];
	if (op->fin && op->rst)
		m->state = state_after_fin(m->state);
	m->fin = m->state == TCP_CLOSE_WAIT || m->state == TCP_CLOSING ||
		 m->state == TCP_LAST_ACK;
	m->err = m->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	if (!m->mode || !m->left || resets_itself(m) ||
	    (m->mode == 1 && m->state == TCP_ESTABLISHED))
		return;
	count_reads(m, i);
	readers_have_data(m, i);
	if (!m->left) {		/* a reader has taken it, and it is over */
		m->owed = m->taken;
		return;
	}
	m->held = true;
	m->told = senders_told(m, i);
	m->err_band = m->base->sigio[i] & ERR_BAND;
	m->want->run.sigio[i] &= ~ERR_BAND;
	wake_polls(m, i, mask_held(m));
}

/* ---- the other steps ---- */

/* EPOLLET: vanilla's edge came with the reset, and may be spent. */
static void edge_of_the_end(struct model *m, int i)
{
	const struct step *step = step_of(m, i);

	if (!m->edge_due || !is_op(step, "epoll_wait") || !by_edges(m, step))
		return;
	m->edge_due = false;
	set_poll(m, i, i, mask_reset(m));
}

/* The hold is over, and the error that vanilla has not any more is there. */
static void owed_step(struct model *m, int i)
{
	struct outcome err = { .ret = -1, .err = m->err, .inq = -1 };
	const struct step *step = step_of(m, i);

	switch (step->op->kind) {
	case DO_READ:
		if (STEP_FLAGS(step) & MSG_ERRQUEUE)
			return;
		*want_out(m, i) = err;
		m->owed = false;
		return;
	case DO_SEND:
		/* net/tls leaves ECONNRESET where it is. */
		err.sigpipe = m->err == EPIPE &&
			      !(STEP_FLAGS(step) & MSG_NOSIGNAL);
		*want_out(m, i) = err;
		m->owed = m->err != EPIPE;
		replace(m, i, "nothing");
		return;
	case DO_SO_ERROR:
		want_out(m, i)->value = m->err;
		m->owed = false;
		return;
	case DO_POLL:
		set_poll(m, i, i, mask_reset(m));
		return;
	default:
		return;
	}
}

static void plain_step(struct model *m, int i)
{
	const struct step *step = step_of(m, i);
	const struct outcome *out = &m->base->out[i];

	count_arrival(m, i);
	if (resets(m, i))
		reset_comes(m, i);
	if (!m->held)
		count_reads(m, i);
	if (m->owed && !out->skipped)
		owed_step(m, i);
	if (out->skipped || out->ret < 0)
		return;
	if (step->op->kind == DO_SHUTDOWN)
		m->shut |= step->arg[0] + 1;
	if (is_op(step, "rcvlowat"))
		m->lowat = step->arg[0];
	if (is_op(step, "epoll_add"))
		m->epoll_events = step->arg[0];
	if (is_op(step, "tstamp"))
		m->stamps = true;
	if (m->stamps && step->op->kind == DO_SEND)
		*(m->script->delay_ms ? &m->stamps_due : &m->errors_queued) += 1;
	if (STEP_FLAGS(step) & MSG_ERRQUEUE && step->op->kind == DO_READ)
		m->errors_queued--;
	edge_of_the_end(m, i);
}

static void walk(struct model *m)
{
	int i;

	for (i = 0; i < m->script->steps; i++) {
		if (m->held)
			held_step(m, i);
		else
			plain_step(m, i);
		m->want->run.held[i] = m->held;
	}
}

void model_expect(const struct script *script, const struct script *played,
		  int mode, const struct run *base, struct expected *expected)
{
	static struct script shadow;
	struct model m = { .script = script, .played = played, .mode = mode,
			   .base = base, .want = expected, .shadow = &shadow };

	shadow = *script;
	memset(expected, 0, sizeof(*expected));
	expected->run = *base;
	walk(&m);
}

bool model_shadow(const struct script *script, const struct script *played,
		  int mode, const struct run *base, struct script *shadow)
{
	static struct expected expected;
	struct model m = { .script = script, .played = played, .mode = mode,
			   .base = base, .want = &expected, .shadow = shadow };
	int i;

	*shadow = *script;
	for (i = 0; i < script->steps; i++)
		shadow->step[i].error_first = played->step[i].error_first;
	memset(&expected, 0, sizeof(expected));
	expected.run = *base;
	walk(&m);
	return memcmp(shadow, played, sizeof(*shadow));
}
