// SPDX-License-Identifier: GPL-2.0
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "text.h"

#define PARTIAL ".partial"

struct store {
	int dir;
	int fd;
	bool direct; /* not a file of ours: nothing to rename */
	bool own_fd;
	bool used_partial; /* NAME.partial is in it, and done with once it is complete */
	bool mask;	   /* a terminal: no control characters */
	char last;	   /* of what was masked */
	char temp[sizeof(STORE_PREFIX) + 16];
	char name[NAME_MAX + 1];
};

static int make_temp(struct store *st)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(st->temp, sizeof(st->temp), STORE_PREFIX "%016llx", (unsigned long long)random);
	st->fd = openat(st->dir, st->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0666);
	return st->fd < 0 ? -errno : 0;
}

static int open_direct(struct store *st)
{
	st->direct = true;
	st->fd = io_openat(st->dir, st->name, O_WRONLY | O_CLOEXEC);
	return st->fd < 0 ? st->fd : 0;
}

/* Look at what has the name now. Return: 0 where a file may take its place. */
static int begin(struct store *st, bool direct)
{
	struct stat sb;

	/* What a user's own link leads to may be a device; in a confined folder it may be outside. */
	if (fstatat(st->dir, st->name, &sb, direct ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_temp(st) : -errno;
	if (S_ISDIR(sb.st_mode))
		return -EISDIR;
	if (S_ISREG(sb.st_mode))
		return make_temp(st);
	return direct ? open_direct(st) : -EEXIST;
}

static int new_store(int dir, const char *name, struct store **store)
{
	struct store *st;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	if (strlen(name) > NAME_MAX - strlen(PARTIAL))
		return -ENAMETOOLONG;
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->dir = dir;
	st->fd = -1;
	st->own_fd = true;
	strcpy(st->name, name);
	*store = st;
	return 0;
}

int store_open(int dir, const char *name, bool direct, struct store **store)
{
	struct store *st;
	int err = new_store(dir, name, &st);

	if (err)
		return err;
	err = begin(st, direct);
	if (err)
		free(st);
	else
		*store = st;
	return err;
}

/* Open a regular file of at least @size bytes. Return: it, or a negative errno. */
static int open_source(int dir, const char *name, uint64_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat sb;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && (uint64_t)sb.st_size >= size)
		return fd;
	close(fd);
	return -EINVAL;
}

static void partial_name(const char *name, char *partial)
{
	snprintf(partial, NAME_MAX + sizeof(PARTIAL), "%s" PARTIAL, name);
}

/* The source's first bytes; the file system may share them rather than copy. */
static int copy_bytes(int from, int to, uint64_t size)
{
	char buf[65536];

	while (size) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, size, 0);

		if (n <= 0) {
			n = read(from, buf, size < sizeof(buf) ? size : sizeof(buf));
			if (n > 0)
				n = write(to, buf, (size_t)n);
		}
		if (n <= 0)
			return n ? -errno : -EIO;
		size -= (uint64_t)n;
	}
	return 0;
}

static int copy_source(struct store *st, bool partial, uint64_t offset)
{
	char name[NAME_MAX + sizeof(PARTIAL)];
	int from = -ENOENT, err;

	partial_name(st->name, name);
	if (partial)
		from = open_source(st->dir, name, offset);
	st->used_partial = from >= 0;
	if (from < 0)
		from = open_source(st->dir, st->name, offset);
	if (from < 0)
		return from;
	err = make_temp(st);
	if (!err)
		err = copy_bytes(from, st->fd, offset);
	close(from);
	return err;
}

int store_continue(int dir, const char *name, bool partial, uint64_t offset, struct store **store)
{
	struct store *st;
	int err = new_store(dir, name, &st);

	if (err)
		return err;
	err = copy_source(st, partial, offset);
	if (!err) {
		*store = st;
		return 0;
	}
	if (st->fd >= 0) {
		unlinkat(dir, st->temp, 0);
		close(st->fd);
	}
	free(st);
	return err;
}

uint64_t store_partial_size(int dir, const char *name)
{
	char partial[NAME_MAX + sizeof(PARTIAL)];
	struct stat sb;

	partial_name(name, partial);
	if (fstatat(dir, partial, &sb, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(sb.st_mode))
		return 0;
	return (uint64_t)sb.st_size;
}

struct store *store_fd(int fd)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st) {
		st->dir = -1;
		st->fd = fd;
		st->direct = true;
		st->mask = isatty(fd);
	}
	return st;
}

static int write_all(struct store *st, const char *p, size_t len)
{
	while (len) {
		ssize_t n;

		/* A pipe's reader may sleep: a signal must be able to end this wait. */
		if (st->direct && io_wait(st->fd, POLLOUT, -1) == -EINTR && io_stop)
			return -EINTR;
		n = write(st->fd, p, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int store_write(struct store *st, const void *buf, size_t len)
{
	const char *p = buf;
	char piece[1024];

	while (st->mask && len) {
		size_t n = len < sizeof(piece) ? len : sizeof(piece);
		int err;

		memcpy(piece, p, n);
		text_mask(&st->last, piece, n, "\n\r\t");
		err = write_all(st, piece, n);
		if (err)
			return err;
		p += n;
		len -= n;
	}
	return write_all(st, p, len);
}

static void discard(struct store *st)
{
	if (st->own_fd)
		close(st->fd);
	free(st);
}

static int give_name(struct store *st)
{
	char partial[NAME_MAX + sizeof(PARTIAL)];

	if (fsync(st->fd) < 0 || renameat(st->dir, st->temp, st->dir, st->name) < 0) {
		int err = -errno;

		unlinkat(st->dir, st->temp, 0);
		return err;
	}
	partial_name(st->name, partial);
	if (st->used_partial)
		unlinkat(st->dir, partial, 0);
	/* The file is whole and has its name: only a crash could tell. */
	if (fsync(st->dir) < 0 && errno != EINVAL && errno != EBADF)
		io_say("%s: fsync of its folder: %s", st->name, strerror(errno));
	return 0;
}

void store_set_time(struct store *st, time_t when)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = when } };

	if (!st->direct && futimens(st->fd, times) < 0)
		io_note("%s: its time: %s", st->name, strerror(errno));
}

int store_commit(struct store *st)
{
	int err = st->direct ? 0 : give_name(st);

	discard(st);
	return err;
}

bool store_abandon(struct store *st, enum conddisp disp)
{
	char partial[NAME_MAX + sizeof(PARTIAL)];
	bool kept = false;
	struct stat sb;

	if (!st)
		return false;
	if (!st->direct) {
		partial_name(st->name, partial);
		/* What a user might miss is worth a name; an empty file is not. */
		if (disp == CONDDISP_CATLG && fstat(st->fd, &sb) == 0 && sb.st_size > 0)
			kept = renameat(st->dir, st->temp, st->dir, partial) == 0;
		if (!kept)
			unlinkat(st->dir, st->temp, 0);
	}
	discard(st);
	return kept;
}
