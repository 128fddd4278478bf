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

#define PARTIAL ".partial"

struct store {
	int dir;
	int fd;
	bool direct;			/* not a file of ours: nothing to rename */
	bool own_fd;
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
	st->fd = openat(st->dir, st->name, O_WRONLY | O_CLOEXEC);
	return st->fd < 0 ? -errno : 0;
}

/* Look at what has the name now. Return: 0 where a file may take its place. */
static int begin(struct store *st, bool direct)
{
	struct stat sb;

	/* A user's own link is followed; in a confined folder it might lead out of it. */
	if (fstatat(st->dir, st->name, &sb, direct ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_temp(st) : -errno;
	if (S_ISDIR(sb.st_mode))
		return -EISDIR;
	if (S_ISREG(sb.st_mode))
		return make_temp(st);
	return direct ? open_direct(st) : -EEXIST;
}

int store_open(int dir, const char *name, bool direct, struct store **store)
{
	struct store *st;
	int err;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	if (strlen(name) > NAME_MAX - strlen(PARTIAL))
		return -ENAMETOOLONG;
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->dir = dir;
	st->own_fd = true;
	strcpy(st->name, name);
	err = begin(st, direct);
	if (err)
		free(st);
	else
		*store = st;
	return err;
}

struct store *store_fd(int fd)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st) {
		st->dir = -1;
		st->fd = fd;
		st->direct = true;
	}
	return st;
}

int store_write(struct store *st, const void *buf, size_t len)
{
	const char *p = buf;

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

static void discard(struct store *st)
{
	if (st->own_fd)
		close(st->fd);
	free(st);
}

int store_commit(struct store *st)
{
	int err = 0;

	if (!st->direct) {
		if (fsync(st->fd) < 0 || renameat(st->dir, st->temp, st->dir, st->name) < 0) {
			err = -errno;
			unlinkat(st->dir, st->temp, 0);
		} else if (fsync(st->dir) < 0 && errno != EINVAL && errno != EBADF) {
			/* The file is whole and has its name: only a crash could tell. */
			io_say("%s: fsync of its folder: %s", st->name, strerror(errno));
		}
	}
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
		snprintf(partial, sizeof(partial), "%s" PARTIAL, st->name);
		/* What a user might miss is worth a name; an empty file is not. */
		if (disp == CONDDISP_CATLG && fstat(st->fd, &sb) == 0 && sb.st_size > 0)
			kept = renameat(st->dir, st->temp, st->dir, partial) == 0;
		if (!kept)
			unlinkat(st->dir, st->temp, 0);
	}
	discard(st);
	return kept;
}
