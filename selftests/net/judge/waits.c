// SPDX-License-Identifier: GPL-2.0
/* The program's calls that wait for events: poll(), select(), epoll, io_uring. */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../lib/bed.h"
#include "wait.h"

#define RING_ENTRIES 8

void call_poll(struct call *call)
{
	struct pollfd p = { .fd = call->fd, .events = call->step->arg[0] };

	finish(call, poll(&p, 1, call->step->arg[1]));
	call->out.value = p.revents;
}

void call_select(struct call *call)
{
	struct timeval now = {};
	long want = call->step->arg[0];
	fd_set set[3];
	int i;

	MUST(call->fd < FD_SETSIZE);
	for (i = 0; i < 3; i++) {
		FD_ZERO(&set[i]);
		if (want & 1 << i)
			FD_SET(call->fd, &set[i]);
	}
	finish(call, select(call->fd + 1, &set[0], &set[1], &set[2],
			    call->step->arg[1] ? NULL : &now));
	for (i = 0; call->out.ret > 0 && i < 3; i++)
		if (FD_ISSET(call->fd, &set[i]))
			call->out.value |= 1 << i;
}

void call_epoll_add(struct call *call)
{
	struct epoll_event ev = { .events = call->step->arg[0] };

	finish(call, epoll_ctl(call->epoll, EPOLL_CTL_ADD, call->fd, &ev));
}

void call_epoll_wait(struct call *call)
{
	struct epoll_event ev = {};

	finish(call, epoll_wait(call->epoll, &ev, 1, call->step->arg[1]));
	if (call->out.ret > 0)
		call->out.value = ev.events;
}

/* ---- io_uring ---- */

static bool uring_open(struct uring *u)
{
	struct io_uring_params *p = &u->params;

	if (u->fd)
		return true;
	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, RING_ENTRIES, p);
	if (u->fd < 0) {
		u->fd = 0;
		return false;
	}
	MUST(p->features & IORING_FEAT_SINGLE_MMAP);
	u->rings_size = p->cq_off.cqes +
			p->cq_entries * sizeof(struct io_uring_cqe) +
			p->sq_entries * sizeof(uint32_t);
	u->rings = mmap(NULL, u->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			u->fd, IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, p->sq_entries * sizeof(*u->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		       IORING_OFF_SQES);
	MUST(u->rings != MAP_FAILED && u->sqes != MAP_FAILED);
	return true;
}

/* What is under way is cancelled, and its descriptor let go of. */
void uring_drop(struct uring *u)
{
	if (!u->fd)
		return;
	munmap(u->rings, u->rings_size);
	munmap(u->sqes, u->params.sq_entries * sizeof(*u->sqes));
	close(u->fd);
	u->fd = 0;
}

static uint32_t *ring_word(struct uring *u, uint32_t off)
{
	return (void *)(u->rings + off);
}

static struct io_uring_sqe *uring_sqe(struct call *call, int opcode)
{
	struct uring *u = call->uring;
	uint32_t at = *ring_word(u, u->params.sq_off.tail) &
		      (u->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &u->sqes[at];

	ring_word(u, u->params.sq_off.array)[at] = at;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = call->fd;
	return sqe;
}

/* Waits for the next event of the ring, which may be there already. */
static void uring_await(struct call *call, int submit)
{
	struct uring *u = call->uring;
	uint32_t *head = ring_word(u, u->params.cq_off.head);
	uint32_t *tail = ring_word(u, u->params.cq_off.tail);
	struct io_uring_cqe *cqe;

	if (submit)
		__atomic_fetch_add(ring_word(u, u->params.sq_off.tail), 1,
				   __ATOMIC_RELEASE);
	if (submit || __atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head) {
		if (syscall(SYS_io_uring_enter, u->fd, submit, 0, 0, NULL, 0) <
		    submit ||
		    syscall(SYS_io_uring_enter, u->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
			finish(call, -1);
			return;
		}
	}
	cqe = (struct io_uring_cqe *)(u->rings + u->params.cq_off.cqes) +
	      (*head & (u->params.cq_entries - 1));
	errno = cqe->res < 0 ? -cqe->res : 0;
	finish(call, cqe->res < 0 ? -1 : cqe->res);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

void call_uring_recv(struct call *call)
{
	struct io_uring_sqe *sqe;

	if (!uring_open(call->uring)) {
		finish(call, -1);
		return;
	}
	sqe = uring_sqe(call, IORING_OP_RECV);
	sqe->addr = (uintptr_t)call->data;
	sqe->len = call->step->arg[0];
	sqe->msg_flags = STEP_FLAGS(call->step);
	uring_await(call, 1);
}

/* What it returns are events. */
static void events_of_result(struct call *call)
{
	if (call->out.ret < 0)
		return;
	call->out.value = call->out.ret;
	call->out.ret = 1;
}

void call_uring_poll(struct call *call)
{
	struct io_uring_sqe *sqe;

	if (!uring_open(call->uring)) {
		finish(call, -1);
		return;
	}
	sqe = uring_sqe(call, IORING_OP_POLL_ADD);
	sqe->poll32_events = uring_events(call->step->arg[0]);
	sqe->len = call->step->arg[1] == WAIT_MULTI ? IORING_POLL_ADD_MULTI : 0;
	uring_await(call, 1);
	events_of_result(call);
}

/* One event more of a poll that has MULTI */
void call_uring_next(struct call *call)
{
	MUST(call->uring->fd);
	uring_await(call, 0);
	events_of_result(call);
}

void call_uring_close(struct call *call)
{
	if (!uring_open(call->uring)) {
		finish(call, -1);
		return;
	}
	uring_sqe(call, IORING_OP_CLOSE);
	uring_await(call, 1);
}
