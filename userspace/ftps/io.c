// SPDX-License-Identifier: GPL-2.0
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

volatile sig_atomic_t io_stop;
bool io_verbose;

static sigset_t blocked; /* what is blocked outside of waits */
static sigset_t outside; /* the mask that we were started with */
static bool blocking;	 /* io_init() has been called */

static const int stopping[] = { SIGINT, SIGTERM, SIGHUP };

static void on_stop(int sig)
{
	io_stop = sig;
}

int io_catch(int sig, void (*handler)(int))
{
	/* No SA_RESTART: a wait must end when the signal comes. */
	struct sigaction sa = { .sa_handler = handler };

	sigemptyset(&sa.sa_mask);
	if (sigaction(sig, &sa, NULL) < 0)
		return -errno;
	sigaddset(&blocked, sig);
	sigdelset(&outside, sig);
	return -pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

int io_init(void)
{
	int err = 0;

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	sigemptyset(&blocked);
	if (pthread_sigmask(SIG_SETMASK, NULL, &outside))
		return -EINVAL;
	for (size_t i = 0; !err && i < sizeof(stopping) / sizeof(*stopping); i++) {
		struct sigaction old;

		/* nohup and shells' background jobs ignore some of these: leave it so. */
		if (sigaction(stopping[i], NULL, &old) < 0)
			return -errno;
		if (old.sa_handler != SIG_IGN)
			err = io_catch(stopping[i], on_stop);
	}
	blocking = !err;
	return err;
}

int64_t io_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int io_left(int64_t deadline)
{
	int64_t left = deadline - io_now();

	if (left < 0)
		return 0;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

int io_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000,
	};
	int r = ppoll(fds, n, timeout_ms < 0 ? NULL : &ts, blocking ? &outside : NULL);

	return r < 0 ? -errno : r;
}

int io_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = io_poll(&p, 1, timeout_ms);

	return r > 0 ? p.revents : r;
}

void io_unblock(sigset_t *was)
{
	/* Without io_init() there is nothing in it. */
	pthread_sigmask(SIG_UNBLOCK, &blocked, was);
}

void io_restore(const sigset_t *was)
{
	pthread_sigmask(SIG_SETMASK, was, NULL);
}

/* ------------------------------------------------------------------ calls that block */

struct call {
	void (*run)(void *arg);
	void *arg;
	int done; /* an eventfd */
};

static void *run_call(void *arg)
{
	struct call *call = arg;

	call->run(call->arg);
	eventfd_write(call->done, 1);
	return NULL;
}

int io_call(void (*run)(void *arg), void *arg)
{
	struct call *call = calloc(1, sizeof(*call));
	pthread_t thread;
	int r;

	if (!call)
		return -ENOMEM;
	*call = (struct call){ run, arg, eventfd(0, EFD_CLOEXEC) };
	r = call->done < 0 ? -errno : -pthread_create(&thread, NULL, run_call, call);
	if (!r) {
		do {
			r = io_wait(call->done, POLLIN, -1);
		} while (r == -EINTR && !io_stop);
		if (r < 0) {
			/* The thread ends with the process, and it needs what it was given. */
			pthread_detach(thread);
			return r;
		}
		r = -pthread_join(thread, NULL);
	}
	if (call->done >= 0)
		close(call->done);
	free(call);
	return r;
}

struct opening {
	int dir;
	char *name;
	int flags;
	int fd;
};

static void run_open(void *arg)
{
	struct opening *o = arg;

	o->fd = openat(o->dir, o->name, o->flags, 0666);
	if (o->fd < 0)
		o->fd = -errno;
}

int io_openat(int dir, const char *name, int flags)
{
	struct opening *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	*o = (struct opening){ dir, strdup(name), flags, -1 };
	r = o->name ? io_call(run_open, o) : -ENOMEM;
	if (r == -EINTR)
		return r;
	if (!r)
		r = o->fd;
	free(o->name);
	free(o);
	return r;
}

void io_die_of_signal(void)
{
	int sig = io_stop;
	sigset_t was;

	signal(sig, SIG_DFL);
	raise(sig);
	io_unblock(&was);
	_exit(128 + sig); /* only where the signal is blocked by our parent */
}

/* One write a line: several processes of a server share standard error. */
static void __attribute__((format(printf, 1, 0))) say(const char *fmt, va_list ap)
{
	char line[1024], last = '\0';
	int n = snprintf(line, sizeof(line), "ftps: ");
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);

	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	/* What a peer said may be in there: a terminal must not obey it. */
	text_mask(&last, line, (size_t)n, "");
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void io_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void io_note(const char *fmt, ...)
{
	va_list ap;

	if (!io_verbose)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}
