// SPDX-License-Identifier: GPL-2.0
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

volatile sig_atomic_t io_stop;
bool io_verbose;

static sigset_t blocked;	     /* what is blocked outside of waits */
static sigset_t outside;	     /* the mask that we were started with */
static bool blocking;		     /* io_init() has been called */
static volatile sig_atomic_t mortal; /* see io_mortal() */

static const int stopping[] = { SIGINT, SIGTERM, SIGHUP };

static void on_stop(int sig)
{
	io_stop = sig;
	if (mortal)
		io_die_of_signal();
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

	/* write(2) says so, too. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
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

void io_mortal(sigset_t *was)
{
	mortal = true;
	io_unblock(was);
}

void io_restore(const sigset_t *was)
{
	pthread_sigmask(SIG_SETMASK, was, NULL);
	mortal = false;
}

int io_openat(int dir, const char *name, int flags)
{
	sigset_t was;
	int fd, err;

	io_mortal(&was);
	fd = openat(dir, name, flags, 0666);
	err = errno;
	io_restore(&was);
	return fd < 0 ? -err : fd;
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

bool io_put(int fd, const char *line)
{
	struct iovec v[] = { { (char *)line, strlen(line) }, { (char *)"\n", 1 } };
	int r;

	/* Perhaps nobody reads: a signal must be able to end this wait. */
	do {
		r = io_wait(fd, POLLOUT, io_stop ? 0 : -1);
	} while (r == -EINTR);
	return r && writev(fd, v, 2) > 0;
}

void io_say(const char *fmt, ...)
{
	char line[1024], last = '\0';
	int n = snprintf(line, sizeof(line), "ftps: ");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	/* What a peer said may be in there: a terminal must not obey it. */
	text_mask(&last, line, strlen(line), "");
	io_put(STDERR_FILENO, line);
}
