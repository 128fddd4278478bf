// SPDX-License-Identifier: GPL-2.0
/* What drstat has to do with the rest of the system. */
#include "drstat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

volatile sig_atomic_t stop_signal;
static bool drawing;

void say(const char *fmt, ...)
{
	va_list ap;

	screen_end();
	fputs("drstat: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- signals ---- */

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void on_stop(int sig)
{
	stop_signal = sig;
}

/* nohup and shells' background jobs ignore some signals: leave it so. */
static void on_signal(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags }, old;

	sigemptyset(&sa.sa_mask);
	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(sig, &sa, NULL);
}

void catch_signals(void)
{
	/* No SA_RESTART: a write that waits for a pipe's reader has to end. */
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		on_signal(caught[i], on_stop, 0);
}

void sleep_until(double deadline)
{
	double left = deadline - now_s();
	struct timespec t = { 0 };
	sigset_t block, outside;

	if (left > 0) {
		t.tv_sec = (time_t)left;
		t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
	}

	/* Blocked, so that a signal just before ppoll() ends it, too */
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaddset(&block, caught[i]);
	sigprocmask(SIG_BLOCK, &block, &outside);
	if (!stop_signal)
		ppoll(NULL, 0, &t, &outside);
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

/* ---- output ---- */

/* Return: 0, or a negative errno; -EINTR where a signal asks us to stop. */
static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && (errno != EINTR || stop_signal))
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

enum xs put_stdout(const char *text, size_t len)
{
	int err = write_all(STDOUT_FILENO, text, len);

	if (!err || err == -EINTR)
		return XS_OK;
	say("standard output: %s", strerror(-err));
	return XS_OUTPUT;
}

/* Beside the file, and with a name that a collector of *.prom does not take up */
static int make_temp(const char *name, char *temp)
{
	const char *slash = strrchr(name, '/');
	int dir = slash ? (int)(slash + 1 - name) : 0;
	mode_t mask;
	int fd;

	if (snprintf(temp, PATH_MAX, "%.*s.%s.XXXXXX", dir, name, name + dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* mkstemp() gives it to us alone, but collectors run as other users. */
	mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask) < 0)
		say("%s: %s", temp, strerror(errno));
	return fd;
}

/*
 * No fsync(): what a crash leaves of it is of a kernel that is gone, and the next
 * run replaces it.
 */
static int replace(const char *name, const char *text, size_t len)
{
	char temp[PATH_MAX];
	int fd = make_temp(name, temp), err;

	if (fd < 0)
		return fd;
	do {
		err = write_all(fd, text, len);
	} while (err == -EINTR);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temp, name) < 0)
		err = -errno;
	if (err)
		unlink(temp);
	return err;
}

enum xs put_file(const char *name, const char *text, size_t len)
{
	char real[PATH_MAX];
	const char *file = name;
	struct stat st;
	int err;

	/* rename() would put a file in place of a device, or of a link. */
	if (stat(name, &st) == 0 && !S_ISREG(st.st_mode)) {
		say("%s is no regular file, and would be replaced: write to it with > instead of --output",
		    name);
		return XS_OUTPUT;
	}
	if (lstat(name, &st) == 0 && S_ISLNK(st.st_mode))
		file = realpath(name, real);
	err = file ? replace(file, text, len) : -errno;
	if (!err)
		return XS_OK;
	say("%s: %s", name, strerror(-err));
	return XS_OUTPUT;
}

/* ---- the terminal ---- */

static void draw(const char *text)
{
	write_all(STDOUT_FILENO, text, strlen(text));
}

/* Ctrl-Z: the shell has its cursor meanwhile. */
static void on_suspend(int sig)
{
	(void)sig;
	draw(SHOW_CURSOR);
	raise(SIGSTOP);
	draw(HIDE_CURSOR);
}

bool screen_begin(void)
{
	const char *term = getenv("TERM");

	drawing = isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
	if (!drawing)
		return false;
	on_signal(SIGTSTP, on_suspend, SA_RESTART);
	draw(HIDE_CURSOR);
	return true;
}

void screen_end(void)
{
	if (!drawing)
		return;
	drawing = false;
	on_signal(SIGTSTP, SIG_DFL, 0);
	draw("\n" SHOW_CURSOR);
}

void screen_size(size_t *rows, size_t *cols)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row ? size.ws_row : 24;
	*cols = size.ws_col ? size.ws_col : 80;
}

/* Over what is there, line by line, so that nothing flickers; what does not fit is cut. */
enum xs put_screen(const char *text)
{
	size_t rows, cols, len;
	enum xs xs = XS_OK;
	char *frame = NULL;
	FILE *f = open_memstream(&frame, &len);

	if (!f) {
		say("no memory");
		return XS_OUTPUT;
	}
	screen_size(&rows, &cols);
	/* Behind the last column CLEAR_LINE would take away what is in it. */
	cols--;
	fputs(HOME, f);
	for (size_t row = 0; *text && row < rows; row++) {
		size_t line = strcspn(text, "\n");

		fprintf(f, "%s%.*s" CLEAR_LINE, row ? "\n" : "", (int)(line < cols ? line : cols),
			text);
		text += line + (text[line] == '\n');
	}
	fputs(CLEAR_BELOW, f);
	if (fclose(f) == 0)
		xs = put_stdout(frame, len);
	free(frame);
	return xs;
}
