// SPDX-License-Identifier: GPL-2.0
/*
 * The calls while a reset is held. Each function is a row of the contract ("What the
 * process sees", inbound); a call that has none gives what vanilla gives.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "walk.h"

void replace(struct model *m, int i, const char *line)
{
	struct script one = {};

	script_add(&one, line);
	m->shadow->step[i] = one.step[0];
}

/*
 * "The first send() gives the error that vanilla's first send() gives (ECONNRESET
 * without SIGPIPE, in CLOSE_WAIT EPIPE with it), later ones EPIPE."
 */
static void held_send(struct model *m, int i)
{
	const struct step *step = step_of(m, i);
	struct outcome out = { .ret = -1, .inq = -1 };

	if (m->base->out[i].err == EINVAL)
		return;		/* net/tls does not take such flags */
	out.err = m->told ? EPIPE : m->err;
	out.sigpipe = out.err == EPIPE &&
		      !(STEP_FLAGS(step) & MSG_NOSIGNAL);
	*want_out(m, i) = out;
	m->want->run.when[i] = i;
	replace(m, i, m->told ? "nothing" : "so_error");
	m->told = true;
}

/*
 * "poll() shows neither ERR nor HUP nor RDHUP for it. Messages in the error queue
 * keep their POLLERR." An edge too many does no harm.
 */
static void held_poll(struct model *m, int i)
{
	set_poll(m, i, i, mask_held(m));
	if (!by_edges(m, step_of(m, i)))
		return;
	m->want->loose[i].until = m->script->steps + 1;
	m->want->loose[i].may_show = mask_held(m);
}

/*
 * "Every call returns as vanilla would with that reset not arrived yet": names and
 * TCP_INFO. FIONREAD and SIOCOUTQ are the same before and after a reset.
 */
static void held_get(struct model *m, int i)
{
	struct outcome *out = want_out(m, i);

	if (is_op(step_of(m, i), "state"))
		out->value = m->state;
	if (is_op(step_of(m, i), "peername"))
		*out = (struct outcome){ .value = NAME_PEER, .inq = -1 };
	if (is_op(step_of(m, i), "sockname"))
		*out = (struct outcome){ .value = NAME_OWN, .inq = -1 };
}

/*
 * Likewise: it succeeds, and poll() shows it. The state goes on, but for what only
 * an acknowledgement brings.
 */
static void held_shutdown(struct model *m, int i)
{
	int how = step_of(m, i)->arg[0] + 1;

	*want_out(m, i) = (struct outcome){ .inq = -1 };
	m->shut |= how;
	if (how & SEND && m->state == TCP_ESTABLISHED)
		m->state = TCP_FIN_WAIT1;
	if (how & SEND && m->state == TCP_CLOSE_WAIT)
		m->state = TCP_LAST_ACK;
	replace(m, i, "nothing");
	wake_polls(m, i, mask_held(m));
}

/* Likewise: a connected socket is bound. */
static void held_bind(struct model *m, int i)
{
	*want_out(m, i) = (struct outcome){ .ret = -1, .err = EINVAL,
					    .inq = -1 };
	replace(m, i, "nothing");
}

/* Can it give vanilla's error before the data? */
static bool looks_for_errors(const struct model *m, const struct step *step)
{
	return m->script->rx || is_op(step, "recvmmsg") ||
	       is_op(step, "zerocopy");
}

/*
 * "Reads give what arrived before the reset": as vanilla's do after it, but some of
 * those give the error first. The read that takes the last byte ends the hold.
 */
static void held_read(struct model *m, int i)
{
	if (STEP_FLAGS(step_of(m, i)) & MSG_ERRQUEUE) {
		m->errors_queued -= m->base->out[i].ret >= 0;
		return;
	}
	m->taken |= m->played->step[i].error_first;
	if (looks_for_errors(m, step_of(m, i)) && !m->taken)
		m->shadow->step[i].error_first = true;
	if (m->robbed && want_out(m, i)->ret > (long)m->left)
		want_out(m, i)->ret = m->left;
	count_reads(m, i);
	if (!m->left)
		hold_ends(m, i);
}

/* "SO_ERROR shows it, and who has been told once is not told twice." */
static void held_so_error(struct model *m, int i)
{
	if (m->taken)
		want_out(m, i)->value = m->told ? 0 : m->err;
	m->told = true;
}

/* timeout_ms ends the hold; a packet that was under way brings its timestamp. */
static void held_pause(struct model *m, int i)
{
	const struct script *s = m->script;
	long ms = step_of(m, i)->arg[0];

	if (s->delay_ms && ms > s->delay_ms && m->stamps_due) {
		m->errors_queued += m->stamps_due;
		m->stamps_due = 0;
		wake_polls(m, i, mask_held(m));
	}
	if (s->timeout_ms && ms > s->timeout_ms)
		hold_ends(m, i);
}

/* A child has none of the descriptors that were made since. */
static bool has_no_descriptor(const struct model *m, int i)
{
	const struct step *step = step_of(m, i);
	const struct outcome *out = &m->base->out[i];

	return out->err == EBADF ||
	       (step->child && step->op->kind == DO_POLL && out->value == POLLNVAL);
}

void held_step(struct model *m, int i)
{
	const struct step *step = step_of(m, i);

	if (m->base->out[i].skipped || has_no_descriptor(m, i))
		return;
	switch (step->op->kind) {
	case DO_READ:
		return held_read(m, i);
	case DO_SEND:
		return held_send(m, i);
	case DO_POLL:
		return held_poll(m, i);
	case DO_GET:
		return held_get(m, i);
	case DO_SHUTDOWN:
		return held_shutdown(m, i);
	case DO_BIND:
		return held_bind(m, i);
	case DO_SO_ERROR:
		return held_so_error(m, i);
	case BY_PEER:
		if (is_op(step, "pause"))
			held_pause(m, i);
		return;
	default:
		if (!m->base->open[i + 1])
			m->held = false;	/* close() has ended it */
	}
}
