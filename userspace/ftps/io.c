// SPDX-License-Identifier: GPL-2.0
#include "io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t io_stop;
bool io_verbose;

static sigset_t blocked; /* what is blocked outside of waits */
static sigset_t outside; /* the mask that we were started with */

static const int stopping[] = { SIGINT, SIGTERM, SIGHUP };

static void on_stop(int sig)
{
	io_stop = sig;
}

static void on_other(int sig)
{
	(void)sig;
}

static int catch_with(int sig, void (*handler)(int))
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
			err = catch_with(stopping[i], on_stop);
	}
	return err;
}

int io_catch(int sig)
{
	return catch_with(sig, on_other);
}

int io_stop_after(unsigned int seconds)
{
	int err = seconds ? catch_with(SIGALRM, on_stop) : 0;

	if (!err)
		alarm(seconds);
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
	int r = ppoll(fds, n, timeout_ms < 0 ? NULL : &ts, &outside);

	return r < 0 ? -errno : r;
}

int io_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = io_poll(&p, 1, timeout_ms);

	return r > 0 ? p.revents : r;
}

void io_unblock(void)
{
	pthread_sigmask(SIG_SETMASK, &outside, NULL);
}

void io_block(void)
{
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

void io_die_of_signal(void)
{
	int sig = io_stop;

	signal(sig, SIG_DFL);
	raise(sig);
	io_unblock();
	_exit(128 + sig); /* only where the signal is blocked by our parent */
}

/* One write a line: several processes of a server share standard error. */
static void __attribute__((format(printf, 1, 0))) say(const char *fmt, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "ftps: ");
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);

	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	/* What a peer said may be in there: a terminal must not obey it. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
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
