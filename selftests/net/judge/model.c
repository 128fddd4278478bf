// SPDX-License-Identifier: GPL-2.0
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "wait.h"

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)
#define ERR_BAND (1u << POLL_ERR)

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

static const struct step *step_of(const struct model *m, int i)
{
	return &m->script->step[i];
}

static struct outcome *want_out(struct model *m, int i)
{
	return &m->want->run.out[i];
}

/* ---- what poll() shows ---- */

static long mask_held(const struct model *m)
{
	bool rcv = m->fin || m->shut & RCV;
	long mask = READABLE | WRITABLE;

	if (rcv)
		mask |= POLLRDHUP;
	if (rcv && m->shut & SEND)
		mask |= POLLHUP;
	if (m->errors_queued > 0)
		mask |= POLLERR;
	return mask;
}

static long mask_reset(const struct model *m)
{
	long mask = READABLE | WRITABLE | POLLRDHUP | POLLHUP;

	return m->told && m->errors_queued <= 0 ? mask : mask | POLLERR;
}

static long select_value(long mask, long sets)
{
	long value = 0;

	if (mask & (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR))
		value |= 1;
	if (mask & (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR))
		value |= 2;
	if (mask & POLLPRI)
		value |= 4;
	return value & sets;
}

/* What a call that waits for events shows of @mask; ret 0 if nothing. */
static struct outcome poll_outcome(const struct model *m,
				   const struct step *step, long mask)
{
	struct outcome out = { .inq = -1 };
	long events = step->arg[0];

	if (is_op(step, "epoll_wait"))
		events = m->epoll_events;
	if (is_op(step, "select")) {
		out.value = select_value(mask, events);
		out.ret = __builtin_popcountl(out.value);
		return out;
	}
	if (!strncmp(step->op->name, "uring", 5))
		events |= POLLRDHUP;	/* io_uring tells of it unasked */
	out.value = mask & (events | POLLERR | POLLHUP);
	out.ret = !!out.value;
	return out;
}

static bool waits(const struct step *step)
{
	return !is_op(step, "epoll_wait") ?
	       step->arg[1] || is_op(step, "uring_poll") : step->arg[1];
}

/* It may be told of an edge once more. */
static bool by_edges(const struct model *m, const struct step *step)
{
	return (is_op(step, "epoll_wait") && m->epoll_events & EPOLLET) ||
	       is_op(step, "uring_next") ||
	       (is_op(step, "uring_poll") && step->arg[1] == WAIT_MULTI);
}

/* Was the descriptor that the call of step @k waits on closed since? */
static bool closed_since(const struct model *m, int k)
{
	int i, depth = 0;

	for (i = k + 1; i < m->script->steps; i++) {
		if (m->base->out[i].skipped || step_of(m, i)->child)
			continue;
		depth += is_op(step_of(m, i), "dup") +
			 is_op(step_of(m, i), "take");
		depth -= step_of(m, i)->op->kind == DO_CLOSE;
		if (depth < 0)
			return true;
	}
	return false;
}

/* The signal that ends it has poll() look at its descriptor once more. */
static struct outcome interrupted(const struct model *m, int k)
{
	if (is_op(step_of(m, k), "poll") && closed_since(m, k))
		return (struct outcome){ .ret = 1, .value = POLLNVAL, .inq = -1 };
	return (struct outcome){ .ret = -1, .err = EINTR, .inq = -1 };
}

static void set_poll(struct model *m, int k, int i, long mask)
{
	struct outcome out = poll_outcome(m, step_of(m, k), mask);
	int last = m->script->steps;

	m->want->run.when[k] = i;
	if (!out.ret && waits(step_of(m, k))) {
		m->want->run.when[k] = last;
		out = interrupted(m, k);
	}
	*want_out(m, k) = out;
}

static bool pending_poll(const struct model *m, int k, int i)
{
	return step_of(m, k)->op->kind == DO_POLL &&
	       !m->base->out[k].skipped && m->want->run.when[k] >= i;
}

/* Those that waited before step @i look again. */
static void wake_polls(struct model *m, int i, long mask)
{
	int k;

	for (k = 0; k < i; k++) {
		if (!pending_poll(m, k, i))
			continue;
		set_poll(m, k, i, mask);
		if (m->held && by_edges(m, step_of(m, k))) {
			m->want->loose[k].until = m->script->steps + 1;
			m->want->loose[k].may_show = mask;
		}
	}
}

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

/* What the calls that return in step @i have read */
static void count_reads(struct model *m, int i)
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

static void hold_ends(struct model *m, int i)
{
	m->held = false;
	m->edge_due = true;
	m->owed = m->taken && !m->told;
	wake_polls(m, i, mask_reset(m));
	m->want->run.sigio[i] |= m->err_band;
	m->want->any_sigio[i] = m->told;
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

static void reset_comes(struct model *m, int i)
{
	const struct op *op = step_of(m, i)->op;

	m->state = m->base->state[i];
	if (op->fin && op->rst)
		m->state = state_after_fin(m->state);
	m->fin = m->state == TCP_CLOSE_WAIT || m->state == TCP_CLOSING ||
		 m->state == TCP_LAST_ACK;
	m->err = m->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	if (!m->mode || !m->left ||
	    (m->mode == 1 && m->state == TCP_ESTABLISHED))
		return;
	count_reads(m, i);
	readers_have_data(m, i);
	if (!m->left) {		/* a reader has taken it, and it is over */
		m->owed = m->taken;
		return;
	}
	m->held = true;
	m->told = senders_told(m, i) || op->kind == DO_SEND;
	m->err_band = m->base->sigio[i] & ERR_BAND;
	m->want->run.sigio[i] &= ~ERR_BAND;
	wake_polls(m, i, mask_held(m));
}

/* ---- calls while a reset is held: each a row of the contract ---- */

static void replace(struct model *m, int i, const char *line)
{
	struct script one = {};

	script_add(&one, line);
	m->shadow->step[i] = one.step[0];
}

static void held_send(struct model *m, int i)
{
	const struct step *step = step_of(m, i);
	struct outcome out = { .ret = -1, .inq = -1 };

	out.err = m->told ? EPIPE : m->err;
	out.sigpipe = out.err == EPIPE &&
		      !(STEP_FLAGS(step) & MSG_NOSIGNAL);
	*want_out(m, i) = out;
	m->want->run.when[i] = i;
	replace(m, i, m->told ? "nothing" : "so_error");
	m->told = true;
}

static void held_poll(struct model *m, int i)
{
	set_poll(m, i, i, mask_held(m));
	if (!by_edges(m, step_of(m, i)))
		return;
	m->want->loose[i].until = m->script->steps + 1;
	m->want->loose[i].may_show = mask_held(m);
}

static void held_get(struct model *m, int i)
{
	struct outcome *out = want_out(m, i);

	if (is_op(step_of(m, i), "state"))
		out->value = m->state;
	if (is_op(step_of(m, i), "peername"))
		*out = (struct outcome){ .value = 2, .inq = -1 };
	if (is_op(step_of(m, i), "sockname"))
		*out = (struct outcome){ .value = 1 * 2 + 1, .inq = -1 };
}

/* The state goes on as if the reset had not arrived, and no acknowledgement came. */
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

static void held_bind(struct model *m, int i)
{
	*want_out(m, i) = (struct outcome){ .ret = -1, .err = EINVAL,
					    .inq = -1 };
	replace(m, i, "nothing");
}

static void held_read(struct model *m, int i)
{
	if (STEP_FLAGS(step_of(m, i)) & MSG_ERRQUEUE) {
		m->errors_queued -= m->base->out[i].ret >= 0;
		return;
	}
	m->taken |= m->played->step[i].error_first;
	if (m->script->rx && !m->taken)
		m->shadow->step[i].error_first = true;
	if (m->robbed && want_out(m, i)->ret > (long)m->left)
		want_out(m, i)->ret = m->left;
	count_reads(m, i);
	if (!m->left)
		hold_ends(m, i);
}

static void held_so_error(struct model *m, int i)
{
	if (m->taken)
		want_out(m, i)->value = m->told ? 0 : m->err;
	m->told = true;
}

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

static void held_step(struct model *m, int i)
{
	const struct step *step = step_of(m, i);

	/* A child that was forked when there was no descriptor has none. */
	if (m->base->out[i].skipped || m->base->out[i].err == EBADF)
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
