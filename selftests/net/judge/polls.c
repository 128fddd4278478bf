// SPDX-License-Identifier: GPL-2.0
/* What the calls that wait for events show, and when they return. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "wait.h"
#include "walk.h"

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

long mask_held(const struct model *m)
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

long mask_reset(const struct model *m)
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
	return step->arg[1] || is_op(step, "uring_poll") ||
	       is_op(step, "uring_next");
}

/* It may be told of an edge once more. */
bool by_edges(const struct model *m, const struct step *step)
{
	return (is_op(step, "epoll_wait") && m->epoll_events & EPOLLET) ||
	       is_op(step, "uring_next") ||
	       (is_op(step, "uring_poll") && step->arg[1] == WAIT_MULTI);
}

/* Was the descriptor that the call of step @k waits on closed before step @end? */
static bool closed_before(const struct model *m, int k, int end)
{
	int i, depth = 0;

	for (i = k + 1; i < end; i++) {
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

/* What wakes poll() has it look at its descriptor once more: in step @i, or a signal in the end. */
static bool descriptor_gone(const struct model *m, int k, int i)
{
	return is_op(step_of(m, k), "poll") && closed_before(m, k, i);
}

void set_poll(struct model *m, int k, int i, long mask)
{
	struct outcome out = poll_outcome(m, step_of(m, k), mask);
	int last = m->script->steps;

	m->want->run.when[k] = i;
	if (!out.ret && waits(step_of(m, k))) {
		m->want->run.when[k] = last;
		out = (struct outcome){ .ret = -1, .err = EINTR, .inq = -1 };
	}
	if (descriptor_gone(m, k, m->want->run.when[k]))
		out = (struct outcome){ .ret = 1, .value = POLLNVAL, .inq = -1 };
	*want_out(m, k) = out;
}

static bool pending_poll(const struct model *m, int k, int i)
{
	return step_of(m, k)->op->kind == DO_POLL &&
	       !m->base->out[k].skipped && m->want->run.when[k] >= i;
}

void wake_polls(struct model *m, int i, long mask)
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
