// SPDX-License-Identifier: GPL-2.0
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../lib/drst.h"
#include "peer.h"
#include "wait.h"

#define SNDBUF_SMALL 16384
#define FILE_SIZE (1 << 20)
#define SETTLE_MS 5000
#define BUSY_MS 20	/* for the rest of the machine to become quiet */
#define NOT_BLOCKED_MS 50	/* a sleep that is no longer is none */

/* ---- waiting for the dust to settle ---- */

static void pause_us(long us)
{
	const struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

/* A delayed ACK would be waited for. */
static void peer_acks(struct world *w)
{
	int on = 1;

	if (w->conn.peer >= 0)
		setsockopt(w->conn.peer, IPPROTO_TCP, TCP_QUICKACK, &on,
			   sizeof(on));
}

static bool is_open(const struct world *w)
{
	return w->n_fds || w->passed || actors[ACTOR_CHILD].tid;
}

/* Has what the peer sent arrived, and what the program sent, as far as it can? */
static bool arrived(const struct world *w)
{
	const struct view *v = &w->view;

	if (!v->state || !is_open(w))
		return true;
	if (w->rst || v->received < w->sent)
		return v->state == TCP_TIME_WAIT;
	if (w->fin && (v->state == TCP_ESTABLISHED ||
		       v->state == TCP_FIN_WAIT1 || v->state == TCP_FIN_WAIT2))
		return false;
	if (w->open_window && v->queued)
		return false;
	return !v->in_flight || w->script->delay_ms;
}

static bool actors_rest(void)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		if (!actor_rests(&actors[i]))
			return false;
	return true;
}

static unsigned int actors_busy(void)
{
	unsigned int set = 0;
	int i;

	for (i = 0; i < ACTORS; i++)
		set |= actor_busy(&actors[i]) << i;
	return set;
}

static void look_again(struct world *w)
{
	look(w->look, w->script->ipv6, w->conn.port, &w->view);
}

/* Nothing has moved since the last look, and nothing is to move. */
static bool is_calm(struct world *w)
{
	struct view before = w->view;
	unsigned int busy = actors_busy();
	bool moved = w->open_window && peer_take_all(w);

	peer_acks(w);
	look_again(w);
	return !moved && arrived(w) && actors_rest() && busy == actors_busy() &&
	       !memcmp(&before, &w->view, sizeof(before));
}

static void unsettled(const struct world *w)
{
	const struct view *v = &w->view;

	printf("# step %d, \"%s\": no end; state %d, unread %u, queued %u\n",
	       w->step + 1, w->script->step[w->step].text, v->state, v->unread,
	       v->queued);
	printf("#   in flight %u, received %llu of %llu, busy %x\n",
	       v->in_flight, (unsigned long long)v->received,
	       (unsigned long long)w->sent, actors_busy());
}

/* The work of kernel threads has no event to wait for: see all_quiet(). */
static void settle(struct world *w)
{
	long began = clock_ms(CLOCK_MONOTONIC), took;
	int calm = 0;

	while (calm < 2) {
		calm = is_calm(w) ? calm + 1 : 0;
		took = clock_ms(CLOCK_MONOTONIC) - began;
		if (calm == 2 && took < BUSY_MS && !all_quiet())
			calm = 0;
		if (took > SETTLE_MS) {
			unsettled(w);
			break;
		}
		pause_us(200);
	}
	w->open_window = false;
}

/* ---- steps ---- */

static bool is_pending(enum kind kind)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		if (actor_busy(&actors[i]) &&
		    actors[i].call.step->op->kind == kind)
			return true;
	return false;
}

/*
 * Of two readers that wait it is chance who gets what, and of two senders, who
 * has kTLS's lock: such a call is left out, in every mode alike.
 */
static bool may_start(const struct step *step)
{
	if (step->op->kind == DO_READ && !(STEP_FLAGS(step) & MSG_DONTWAIT))
		return !is_pending(DO_READ);
	if (step->op->kind == DO_SEND)
		return !is_pending(DO_SEND);
	return true;
}

/* Is the data what the peer sent next? */
static void judge_data(struct world *w, struct actor *a)
{
	const struct step *step = a->call.step;
	struct outcome *out = &a->call.out;
	int flags = STEP_FLAGS(step);
	long i;

	if (step->op->kind != DO_READ || out->ret <= 0 || flags & MSG_ERRQUEUE)
		return;
	if (out->type && out->type != REC_DATA)
		return;
	for (i = 0; !(flags & MSG_TRUNC) && i < out->ret; i++)
		if (a->call.data[i] != peer_byte(w->read + i))
			out->corrupt = true;
	if (!(flags & MSG_PEEK))
		w->read += out->ret;
}

/* New descriptors have no fixed numbers. */
static void note_fds(struct world *w, struct actor *a)
{
	const struct step *step = a->call.step;
	struct outcome *out = &a->call.out;

	if (out->ret < 0 || step->child)
		return;
	if (is_op(step, "dup") || is_op(step, "take")) {
		MUST(w->n_fds < FDS_MAX);
		w->fds[w->n_fds++] = out->ret;
		w->passed -= is_op(step, "take");
		out->ret = 0;
	} else if (is_op(step, "pass")) {
		w->passed++;
	}
}

static void collect(struct world *w, struct actor *a)
{
	judge_data(w, a);
	note_fds(w, a);
	w->run->out[a->number] = a->call.out;
	w->run->when[a->number] = w->step;
	a->number = -1;
}

static void collect_all(struct world *w)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		if (actors[i].number >= 0 && !actor_busy(&actors[i]))
			collect(w, &actors[i]);
}

/* SO_RCVTIMEO, SO_SNDTIMEO: the call is to end by itself. */
static bool has_timeout(const struct world *w, enum kind kind)
{
	const char *name = kind == DO_READ ? "rcvtimeo" : "sndtimeo";
	bool has = false;
	int i;

	if (kind != DO_READ && kind != DO_SEND)
		return false;
	for (i = 0; i < w->step; i++)
		if (is_op(&w->script->step[i], name))
			has = w->script->step[i].arg[0];
	return has;
}

/*
 * A call that is not to block can sleep for a tick: recv(MSG_DONTWAIT) by kTLS while
 * there is another reader.
 */
static bool is_not_to_block(const struct step *step)
{
	switch (step->op->kind) {
	case DO_READ:
	case DO_SEND:
		return STEP_FLAGS(step) & MSG_DONTWAIT;
	case DO_POLL:
		return !step->arg[1] && !is_op(step, "uring_poll") &&
		       !is_op(step, "uring_next");
	default:
		return true;
	}
}

/* Until it returns or blocks. */
static void follow(struct world *w, struct actor *a)
{
	bool timeout = has_timeout(w, a->call.step->op->kind), waited = false;
	bool not_to_block = is_not_to_block(a->call.step);
	int tries = not_to_block ? NOT_BLOCKED_MS : 1;

	while (actor_busy(a)) {
		actor_await(a);
		if (!actor_busy(a) || !actor_rests(a))
			continue;
		if (!timeout && !--tries)
			return;
		waited = timeout;
	}
	/* This machine may have been too busy to see it sleep. */
	if (timeout && a->call.out.err == EAGAIN && !not_to_block)
		waited = true;
	a->call.out.waited = waited;
}

static void take_error(struct world *w)
{
	socklen_t len = sizeof(int);
	int err;

	MUST(!getsockopt(w->fds[w->n_fds - 1], SOL_SOCKET, SO_ERROR, &err,
			 &len));
}

static void make_call(struct world *w, const struct step *step)
{
	struct actor *a = may_start(step) ? actor_for(step) : NULL;

	if (!a || (!w->n_fds && !step->child && !is_op(step, "take"))) {
		w->run->out[w->step].skipped = true;
		w->run->when[w->step] = w->step;
		return;
	}
	if (step->error_first)
		take_error(w);
	a->number = w->step;
	a->call.step = step;
	if (w->n_fds)
		a->call.fd = w->fds[w->n_fds - 1];
	a->call.epoll = w->epoll;
	a->call.file = w->file;
	a->call.flight = w->flight[is_op(step, "take")];
	if (step->op->kind == DO_CLOSE && !step->child)
		w->n_fds--;
	actor_begin(a);
	follow(w, a);
}

/* What async has brought since the last step */
static unsigned int bands(void)
{
	const struct timespec now = {};
	unsigned int set = 0;
	siginfo_t info;
	sigset_t want;

	sigemptyset(&want);
	sigaddset(&want, JUDGE_SIGIO);
	sigaddset(&want, SIGIO);
	while (sigtimedwait(&want, &info, &now) > 0)
		set |= 1 << (info.si_code & 31);
	return set;
}

static void note_after(struct world *w)
{
	collect_all(w);
	w->run->sigio[w->step] = bands();
	w->run->held[w->step] = drst_present() ? drst_stat("CurrInHeld") : 0;
	w->run->state[w->step + 1] = w->view.state;
	w->run->open[w->step + 1] = is_open(w);
}

static void one_step(struct world *w)
{
	const struct step *step = &w->script->step[w->step];

	if (step->op->call) {
		make_call(w, step);
	} else {
		w->run->when[w->step] = w->step;
		step->op->act(w, step);
	}
	settle(w);
	note_after(w);
}

/* The step behind the last: what still blocks is interrupted. */
static void last_step(struct world *w)
{
	int i;

	for (i = 0; i < ACTORS; i++) {
		if (actors[i].number < 0)
			continue;
		actor_interrupt(&actors[i]);
		collect(w, &actors[i]);
	}
	bands();
}

/* ---- the whole run ---- */

static bool sends_all(const struct world *w)
{
	static const char zeros[4096];
	bool any = false;

	while (send(w->conn.fd, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		any = true;
	return any;
}

static bool is_full(struct world *w)
{
	if (sends_all(w))
		return false;
	peer_acks(w);
	look_again(w);
	return !w->view.in_flight && !w->view.window && !sends_all(w);
}

/*
 * No room for a byte more, neither at the peer nor here. It is done without TLS, as
 * records that kTLS cannot get rid of are tried again by a work of its own, and what
 * comes of that is chance.
 */
static void open_full(struct world *w, const struct conn_opts *opts)
{
	conn_connect(&w->conn, w->bed, opts);
	MUST(EVENTUALLY(is_full(w)));
	conn_tls(&w->conn, opts);
}

static void world_open(struct world *w)
{
	const struct script *s = w->script;
	struct conn_opts opts = {
		.family = s->ipv6 ? AF_INET6 : AF_INET,
		.version = s->tls12 ? TLS_1_2_VERSION : TLS_1_3_VERSION,
		.rx = s->rx,
		.sndbuf = s->full ? SNDBUF_SMALL : 0,
	};
	int i;

	w->look = look_open();
	if (s->full)
		open_full(w, &opts);
	else
		conn_open(&w->conn, w->bed, &opts);
	sockopt(w->conn.peer, IPPROTO_TCP, TCP_NODELAY, 1);
	w->fds[w->n_fds++] = w->conn.fd;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->file = memfd_create("judge", MFD_CLOEXEC);
	MUST(w->epoll >= 0 && w->file >= 0 && !ftruncate(w->file, FILE_SIZE));
	MUST(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, w->flight));
	for (i = 0; i < ACTORS; i++)
		actors[i].number = -1;
	if (s->delay_ms)
		link_impair(w->bed, SIDE_A, s->delay_ms, 0);
	bands();
}

static void world_close(struct world *w)
{
	int i;

	child_stop();
	for (i = 0; i < ACTORS; i++)
		uring_drop(&actors[i].uring);
	while (w->n_fds)
		close(w->fds[--w->n_fds]);
	w->conn.fd = -1;
	close(w->epoll);
	close(w->file);
	close(w->flight[0]);
	close(w->flight[1]);
	close(w->look);
	if (w->conn.peer >= 0)
		peer_reset(&w->conn);
	conn_free(&w->conn);
	if (w->script->delay_ms)
		link_impair(w->bed, SIDE_A, 0, 0);
}

static void set_knobs(const struct script *script, int mode)
{
	if (!drst_present())
		return;
	drst_set("mode", mode);
	drst_set("timeout_ms", script->timeout_ms ?: 60000);
}

void world_run(const struct script *script, struct bed *bed, int mode,
	       struct run *run)
{
	struct world w = { .script = script, .bed = bed, .run = run };

	memset(run, 0, sizeof(*run));
	actors_start();
	set_knobs(script, mode);
	world_open(&w);
	look_again(&w);
	run->state[0] = w.view.state;
	run->open[0] = true;
	for (w.step = 0; w.step < script->steps; w.step++)
		one_step(&w);
	last_step(&w);
	world_close(&w);
	if (drst_present())
		MUST(drst_stat_await("CurrHeld", 0) &&
		     drst_stat_await("CurrInHeld", 0));
}
