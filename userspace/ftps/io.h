/* SPDX-License-Identifier: GPL-2.0 */
/*
 * io.h - the system's edges that everything here shares: the clock, waiting,
 * signals, and words to the user.
 *
 * Times are milliseconds of CLOCK_MONOTONIC. Signals that ask us to stop are
 * blocked everywhere but inside io_poll(), so that none is lost between a look
 * at io_stop and the wait, and no system call but a wait is ever cut short. Who
 * does without io_init() keeps the thread's mask as it is, in waits, too.
 */
#ifndef FTPS_IO_H
#define FTPS_IO_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* The signal that asked us to stop, 0 for none. */
extern volatile sig_atomic_t io_stop;

/* Set by -v: io_note() speaks. */
extern bool io_verbose;

/**
 * io_init() - ignore SIGPIPE, catch SIGINT, SIGTERM and SIGHUP
 *
 * Return: 0, or a negative errno.
 */
int io_init(void);

/**
 * io_catch() - have one more signal end io_poll(), without asking us to stop
 * @sig: the signal, e.g. SIGCHLD
 * @handler: called with it inside io_poll()
 *
 * Return: 0, or a negative errno.
 */
int io_catch(int sig, void (*handler)(int));

/** io_now() - milliseconds on the monotonic clock */
int64_t io_now(void);

/** io_left() - milliseconds from now to @deadline, never below 0 */
int io_left(int64_t deadline);

/**
 * io_poll() - poll(2) with the stopping signals let through
 * @fds: as poll(2)
 * @n: how many
 * @timeout_ms: as poll(2), -1 for ever
 *
 * Return: as poll(2) with 0 for the time-out; -EINTR where a caught signal came
 * (io_stop tells whether it was one that asks us to stop); other negative errno.
 */
int io_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

/**
 * io_wait() - io_poll() for one descriptor
 * @fd: the descriptor
 * @events: POLLIN and the like
 * @timeout_ms: as io_poll()
 *
 * Return: the revents, 0 for the time-out, or a negative errno.
 */
int io_wait(int fd, short events, int timeout_ms);

/**
 * io_unblock() - let stopping signals interrupt system calls, until io_restore()
 * @was: out: the thread's mask as it was
 */
void io_unblock(sigset_t *was);

/**
 * io_mortal() - let stopping signals end the process at once, until io_restore()
 * @was: out: the thread's mask as it was
 *
 * For calls that block for as long as they like, while there is nothing to clean up.
 */
void io_mortal(sigset_t *was);

/** io_restore() - the thread's mask as io_unblock() or io_mortal() found it */
void io_restore(const sigset_t *was);

/**
 * io_openat() - openat(2), mortal meanwhile: a FIFO without another end blocks
 * @dir: a descriptor of the folder, or AT_FDCWD
 * @name: the name in it
 * @flags: as openat(2); the mode is 0666
 *
 * Return: the descriptor, or a negative errno.
 */
int io_openat(int dir, const char *name, int flags);

/** io_close() - close(2), where there is something to close */
static inline void io_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/** io_die_of_signal() - end as io_stop's signal would have ended us */
void io_die_of_signal(void) __attribute__((noreturn));

/** io_put() - write a line at once, for processes share @fd. Return: whether it was written */
bool io_put(int fd, const char *line);

/** io_say() - a line for the user on standard error */
void io_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** io_note() - the same, with -v only */
#define io_note(...) (io_verbose ? io_say(__VA_ARGS__) : (void)0)

#endif
