// SPDX-License-Identifier: GPL-2.0
/*
 * store_test.c - a file system that takes less of each write than it is given, and one that then fails
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store.h"
#include "tap.h"

#define SIZE 200000u
#define SHORT 1000u

/* In place of the C library's, for the store, too. */
ssize_t write(int fd, const void *buf, size_t len)
{
	return syscall(SYS_write, fd, buf, len < SHORT ? len : SHORT);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
			unsigned int flags)
{
	(void)in, (void)in_at, (void)out, (void)out_at, (void)len, (void)flags;
	errno = EXDEV;
	return -1;
}

static int fsync_errno;

int fsync(int fd)
{
	errno = fsync_errno;
	return fsync_errno ? -1 : (int)syscall(SYS_fsync, fd);
}

static char bytes[SIZE], got[SIZE + 1];

static void make(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (size_t n = 0; n < SIZE;) {
		ssize_t w = write(fd, bytes + n, SIZE - n);

		if (w <= 0)
			exit(1);
		n += (size_t)w;
	}
	close(fd);
}

static bool is_there(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);
	ssize_t n = read(fd, got, sizeof(got));

	close(fd);
	return n == SIZE && !memcmp(got, bytes, SIZE);
}

/* Write what is behind the first @keep bytes. */
static int replace(int dir, const char *name, size_t keep)
{
	char partial[STORE_PARTIAL_MAX];
	struct store *store;
	int more = store_open(dir, name, false, &store);

	if (more)
		return more;
	if (keep)
		more = store_restart(store, keep);
	while (!more && (more = store_fill(store)) > 0)
		more = 0;
	if (!more)
		more = store_write(store, bytes + keep, SIZE - keep);
	if (!more)
		return store_commit(store, partial);
	store_abandon(store, CONDDISP_DELETE, partial);
	return more;
}

/* Standard output: nothing gets a name. */
static int commit_fd(int fd, int err)
{
	char partial[STORE_PARTIAL_MAX];
	struct store *store = store_fd(fd);

	fsync_errno = err;
	err = store ? store_commit(store, partial) : -ENOMEM;
	fsync_errno = 0;
	return err;
}

int main(void)
{
	char folder[] = "/tmp/ftps-store.XXXXXX";
	int dir = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY) : -1;

	if (dir < 0)
		return 1;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	ok(sizeof(off_t) == 8 && sizeof(time_t) == 8, "sizes and times have 64 bits");
	make(dir, "f");
	ok(!replace(dir, "f", 0) && is_there(dir, "f"), "short writes of what comes");
	ok(!replace(dir, "f", SIZE / 2) && is_there(dir, "f"), "short writes of what REST keeps");
	ok(!linkat(dir, "f", dir, "g", 0) && !replace(dir, "f", 0) && is_there(dir, "g"),
	   "short writes over a file with another name");
	ok(commit_fd(dir, EIO) == -EIO && !commit_fd(dir, EINVAL), "a file that cannot be kept");
	unlinkat(dir, "f", 0);
	unlinkat(dir, "g", 0);
	close(dir);
	rmdir(folder);
	return tap_done();
}
