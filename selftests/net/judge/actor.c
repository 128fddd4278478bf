// SPDX-License-Identifier: GPL-2.0
#include "actor.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/bed.h"

struct actor *actors;

static long futex(uint32_t *word, int op, uint32_t value,
		  const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

bool actor_busy(const struct actor *actor)
{
	return __atomic_load_n(&actor->busy, __ATOMIC_ACQUIRE);
}

static void set_busy(struct actor *actor, uint32_t busy)
{
	__atomic_store_n(&actor->busy, busy, __ATOMIC_RELEASE);
	futex(&actor->busy, FUTEX_WAKE, 1, NULL);
}

/* SIGPIPE is blocked, and stays pending for who has brought it about. */
static bool took_sigpipe(void)
{
	const struct timespec now = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return sigtimedwait(&set, NULL, &now) == SIGPIPE;
}

static void act(struct actor *a)
{
	struct call *call = &a->call;

	call->uring = &a->uring;
	memset(&call->out, 0, sizeof(call->out));
	call->out.inq = -1;
	call->step->op->call(call);
	call->out.sigpipe = took_sigpipe();
}

static void *actor_main(void *arg)
{
	struct sched_param none = {};
	struct actor *a = arg;

	MUST(!sched_setscheduler(0, SCHED_OTHER, &none));
	a->tid = gettid();
	for (;;) {
		while (!actor_busy(a))
			futex(&a->busy, FUTEX_WAIT, 0, NULL);
		act(a);
		set_busy(a, 0);
	}
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

static void signals_block(void)
{
	struct sigaction action = { .sa_handler = nothing };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGIO);
	sigaddset(&set, JUDGE_SIGIO);
	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(!sigaction(SIGUSR1, &action, NULL));	/* without SA_RESTART */
}

/*
 * What this thread does - the peer's data, and a RST right behind it - is done
 * before a thread that it wakes can look: so each run has the same order of things.
 */
static void come_first(void)
{
	struct sched_param first = { .sched_priority = 1 };

	cpu_stay();
	softirqs_first(true);
	MUST(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first));
}

void actors_start(void)
{
	pthread_t thread;
	int i;

	if (actors)
		return;
	actors = mmap(NULL, ACTORS * sizeof(*actors), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(actors != MAP_FAILED);
	signals_block();
	come_first();
	for (i = 0; i < THREADS; i++)
		MUST(!pthread_create(&thread, NULL, actor_main, &actors[i]));
	for (i = 0; i < THREADS; i++)
		MUST(EVENTUALLY(__atomic_load_n(&actors[i].tid,
						__ATOMIC_ACQUIRE)));
}

void child_start(int peer)
{
	struct actor *a = &actors[ACTOR_CHILD];
	pid_t pid;

	MUST(!a->tid);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(peer);	/* the peer's RST is not the child's business */
		actor_main(a);
	}
	MUST(EVENTUALLY(__atomic_load_n(&a->tid, __ATOMIC_ACQUIRE)));
}

void child_stop(void)
{
	struct actor *a = &actors[ACTOR_CHILD];

	if (!a->tid)
		return;
	kill(a->tid, SIGKILL);
	MUST(waitpid(a->tid, NULL, 0) == a->tid);
	memset(a, 0, sizeof(*a));
}

struct actor *actor_for(const struct step *step)
{
	struct actor *a = NULL;
	int i;

	if (step->child) {
		a = &actors[ACTOR_CHILD];
		MUST(a->tid);
	} else if (!strncmp(step->op->name, "uring", 5)) {
		a = &actors[ACTOR_URING];
	} else {
		for (i = 0; i < ACTOR_URING && (!a || actor_busy(a)); i++)
			a = &actors[i];
	}
	return actor_busy(a) ? NULL : a;
}

void actor_begin(struct actor *actor)
{
	set_busy(actor, 1);
}

void actor_await(struct actor *actor)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	futex(&actor->busy, FUTEX_WAIT, 1, &moment);
}

/* The state letter of /proc/TID/stat behind the name in parentheses */
static bool sleeps(int tid)
{
	char path[64], text[512];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	read_file(path, text, sizeof(text));
	at = strrchr(text, ')');
	return at && at[2] == 'S';
}

/* An actor waits for its next order in futex(), and nowhere else. */
bool actor_rests(const struct actor *actor)
{
	char path[64], text[128];
	long nr;

	if (!actor_busy(actor))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/syscall", actor->tid);
	read_file(path, text, sizeof(text));
	if (sscanf(text, "%ld", &nr) != 1 || nr == SYS_futex || nr < 0)
		return !actor_busy(actor);	/* it runs */
	return sleeps(actor->tid);
}

void actor_interrupt(struct actor *actor)
{
	bool child = actor == &actors[ACTOR_CHILD];
	int tries;

	for (tries = 0; actor_busy(actor) && tries < 1000; tries++) {
		syscall(SYS_tgkill, child ? actor->tid : getpid(), actor->tid,
			SIGUSR1);
		actor_await(actor);
	}
	MUST(!actor_busy(actor));
}
