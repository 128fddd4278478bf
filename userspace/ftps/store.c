// SPDX-License-Identifier: GPL-2.0
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "io.h"
#include "text.h"
#include "url.h"

#define PARTIAL ".partial"
#define PIECE (8u << 20)
#define PARTIALS 10 /* NAME.partial, then NAME.partial.1 to .9 */
#define PARTIAL_NAME (NAME_MAX + sizeof(PARTIAL) + 2)
#define ACL "system.posix_acl_access"
/* A partial file of ours has this: the size and time of the file that it is part of. */
#define SOURCE "user.ftps.source"
#define SOURCE_MAX 48

struct store {
	int dir;     /* the folder; -1: a pipe or a device, nothing to rename */
	int fd;	     /* what is written */
	int old;     /* the file that has the name now, open for writing; -1: none */
	mode_t mode; /* what open(2) gives a new file here, and its ACL */
	char acl[1024];
	ssize_t acl_len;
	int from;      /* REST: whose first bytes are copied to @fd, or -1 */
	uint64_t rest; /* REST: bytes to copy still, or where to go on in NAME.partial */
	uint64_t keep; /* bytes that were there before, and remain */
	uint64_t written;
	bool mask;		 /* a terminal: no control characters */
	char last;		 /* of what was masked */
	char source[SOURCE_MAX]; /* see SOURCE */
	time_t when;
	const char *name;	 /* the last segment of @path */
	char temp[PARTIAL_NAME]; /* the name of @fd's file until it is complete; "": APPE */
	char path[PATH_MAX];
};

/* ------------------------------------------------------------------ opening */

static struct store *new_store(int dir, int fd)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st) {
		st->dir = dir;
		st->fd = fd;
		st->old = -1;
		st->from = -1;
		strcpy(st->source, "-");
	}
	return st;
}

static void discard(struct store *st)
{
	int fds[] = { st->dir, st->fd, st->old, st->from };

	for (int i = 0; i < 4; i++)
		io_close(fds[i]);
	free(st);
}

static int make_temp(struct store *st, mode_t mode)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(st->temp, sizeof(st->temp), STORE_PREFIX "%016" PRIx64, random);
	st->fd =
		openat(st->dir, st->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return st->fd < 0 ? -errno : 0;
}

/*
 * Learn what umask and the folder's default ACL make of a new file. The temporary file must not
 * begin with it: whoever opened it then would read all that comes.
 */
static int learn_mode(struct store *st)
{
	int err = make_temp(st, 0666);
	struct stat sb;

	if (err)
		return err;
	if (fstat(st->fd, &sb) < 0)
		err = -errno;
	st->mode = sb.st_mode & 0777;
	st->acl_len = fgetxattr(st->fd, ACL, st->acl, sizeof(st->acl));
	unlinkat(st->dir, st->temp, 0);
	close(st->fd);
	st->fd = -1;
	return err;
}

static int set_path(struct store *st, const char *path)
{
	if (strlen(path) >= sizeof(st->path))
		return -ENAMETOOLONG;
	strcpy(st->path, path);
	st->name = url_basename(st->path);
	if (!*st->name || !strcmp(st->name, ".") || !strcmp(st->name, ".."))
		return -EISDIR;
	if (strlen(st->name) > NAME_MAX - strlen(PARTIAL ".9"))
		return -ENAMETOOLONG;
	return 0;
}

static int begin(struct store *st, const char *path)
{
	int err = set_path(st, path);

	if (!err && st->old < 0)
		err = learn_mode(st);
	return err ? err : make_temp(st, 0600);
}

static bool has_name(const struct store *st, int fd, const char *name)
{
	struct stat sb, found;

	return fstat(fd, &sb) == 0 && fstatat(st->dir, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       sb.st_dev == found.st_dev && sb.st_ino == found.st_ino;
}

/* Until it is closed, no other ftps writes to the file, or gives it another name. */
static int lock(const struct store *st, int fd, const char *name)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Others may have done so until now. */
	return has_name(st, fd, name) ? 0 : -EBUSY;
}

/* Go on in a file, locked. Return: 0 or a negative errno. */
static int go_on_in(struct store *st, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	if (st->fd >= 0) {
		unlinkat(st->dir, st->temp, 0);
		close(st->fd);
	}
	st->fd = fd;
	st->keep = (uint64_t)end;
	st->rest = st->keep;
	return 0;
}

static int open_confined(struct store *st, const char *path, bool append)
{
	struct stat sb;
	int err = set_path(st, path);

	if (err)
		return err;
	st->old = openat(st->dir, st->name,
			 O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
				 (append ? O_APPEND : 0));
	if (st->old < 0 && errno != ENOENT)
		return errno == ELOOP || errno == ENXIO ? -EEXIST : -errno;
	if (st->old >= 0 && (fstat(st->old, &sb) < 0 || !S_ISREG(sb.st_mode)))
		return -EEXIST;
	if (!append || st->old < 0)
		return begin(st, path);
	err = lock(st, st->old, st->name);
	if (!err)
		err = go_on_in(st, st->old);
	if (!err)
		st->old = -1;
	return err;
}

static int give(struct store *st, int err, struct store **store)
{
	if (err && st)
		discard(st);
	*store = err ? NULL : st;
	return err;
}

int store_open(int dir, const char *path, bool append, struct store **store)
{
	struct store *st = new_store(fcntl(dir, F_DUPFD_CLOEXEC, 0), -1);

	if (!st || st->dir < 0)
		return give(st, st ? -EMFILE : -ENOMEM, store);
	return give(st, open_confined(st, path, append), store);
}

/* The folder in front of a name: the kernel walks there as it does for the whole path. */
static int open_folder(const char *path)
{
	char folder[PATH_MAX + 1];
	int fd;

	snprintf(folder, sizeof(folder), "%.*s.", (int)(url_basename(path) - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The kernel has opened a file, perhaps through links: find the folder that it is in.
 * @fresh: it was not there before, and must not be seen until it is complete
 */
static int find_opened(struct store *st, const char *path, bool fresh)
{
	char link[32], real[PATH_MAX] = "";
	struct stat sb;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", st->old);
	if (lstat(path, &sb) < 0 || !S_ISLNK(sb.st_mode))
		strcpy(real, path);
	else if (readlink(link, real, sizeof(real) - 1) < 0)
		return -errno;
	st->dir = open_folder(real);
	if (st->dir < 0)
		return st->dir;
	if (fstat(st->old, &sb) < 0 || !has_name(st, st->old, url_basename(real)))
		return -ESTALE;
	if (fresh && !sb.st_size) {
		unlinkat(st->dir, url_basename(real), 0);
		close(st->old);
		st->old = -1;
	}
	return begin(st, real);
}

static int open_by_kernel(struct store *st, const char *path)
{
	bool fresh = access(path, F_OK) < 0 && errno == ENOENT;
	struct stat sb;
	int fd;

	if (fresh && lstat(path, &sb) < 0) {
		st->dir = open_folder(path);
		return st->dir < 0 ? st->dir : begin(st, path);
	}
	/* O_CREAT as programs do it: fs.protected_regular and fs.protected_fifos look at it. */
	fd = io_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (fstat(fd, &sb) == 0 && !S_ISREG(sb.st_mode)) {
		st->fd = fd;
		st->mask = isatty(fd);
		return 0;
	}
	st->old = fd;
	return find_opened(st, path, fresh);
}

int store_open_path(const char *path, struct store **store)
{
	struct store *st = new_store(-1, -1);

	return give(st, st ? open_by_kernel(st, path) : -ENOMEM, store);
}

struct store *store_fd(int fd)
{
	struct store *st = new_store(-1, fcntl(fd, F_DUPFD_CLOEXEC, 0));

	if (st)
		st->mask = isatty(fd);
	return st;
}

/* ------------------------------------------------------------------ resuming */

void store_set_source(struct store *st, uint64_t size, time_t when)
{
	snprintf(st->source, sizeof(st->source), "%" PRIu64 " %" PRId64, size, (int64_t)when);
	st->when = when;
}

/*
 * A partial file of ours, locked: others must neither have chosen what is in it, nor be at work
 * on it. @source: out: what it says it is part of, "" where the file system has no attributes
 * Return: a descriptor or a negative errno.
 */
static int open_part(const struct store *st, const char *name, struct stat *sb, char *source)
{
	int fd = openat(st->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	memset(source, '\0', SOURCE_MAX);
	err = lock(st, fd, name);
	if (!err && (fstat(fd, sb) < 0 || !S_ISREG(sb->st_mode) || sb->st_uid != geteuid() ||
		     sb->st_nlink != 1 ||
		     (fgetxattr(fd, SOURCE, source, SOURCE_MAX - 1) < 0 && errno != ENOTSUP)))
		err = -ESTALE;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Go on in NAME.partial of @least bytes, in place. Where no attribute can be, its time tells. */
static int go_on_in_part(struct store *st, uint64_t least, bool of_source)
{
	char part[PARTIAL_NAME], source[SOURCE_MAX];
	struct stat sb;
	int fd, err = -ESTALE;

	snprintf(part, sizeof(part), "%.*s" PARTIAL, NAME_MAX, st->name);
	fd = open_part(st, part, &sb, source);
	if (fd < 0)
		return fd;
	if ((uint64_t)sb.st_size >= least &&
	    (!of_source || (*st->source != '-' &&
			    (*source ? !strcmp(source, st->source) : sb.st_mtime == st->when))))
		err = go_on_in(st, fd);
	if (err)
		close(fd);
	else
		strcpy(st->temp, part);
	return err;
}

int64_t store_resume(struct store *st)
{
	int err;

	if (st->dir < 0)
		return -ESTALE;
	err = go_on_in_part(st, 0, true);
	return err && err != -ENOENT ? err : (int64_t)st->keep;
}

int store_restart(struct store *st, uint64_t offset)
{
	struct stat sb;
	int err;

	st->from = openat(st->dir, st->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (st->from >= 0 && (fstat(st->from, &sb) < 0 || (uint64_t)sb.st_size < offset)) {
		close(st->from);
		st->from = -1;
	}
	err = st->from < 0 ? go_on_in_part(st, offset, false) : 0;
	st->rest = offset;
	return err && err != -EBUSY ? -EINVAL : err;
}

/* A piece of @from; the file system may share it rather than copy. Return: its size. */
static ssize_t copy_piece(int from, int to, uint64_t size)
{
	char buf[65536];
	ssize_t n = copy_file_range(from, NULL, to, NULL, size < PIECE ? size : PIECE, 0);

	if (n <= 0) {
		ssize_t got = read(from, buf, size < sizeof(buf) ? size : sizeof(buf));

		n = got > 0 ? write(to, buf, (size_t)got) : got;
		if (n >= 0 && n < got && lseek(from, n - got, SEEK_CUR) < 0)
			n = -1;
	}
	return n > 0 ? n : n < 0 ? -errno : -EIO;
}

int store_fill(struct store *st)
{
	ssize_t n;

	if (st->from >= 0) {
		n = copy_piece(st->from, st->fd, st->rest);
		st->rest -= n > 0 ? (uint64_t)n : 0;
		return n < 0 ? (int)n : st->rest > 0;
	}
	if (st->rest == st->keep)
		return 0;
	st->keep = st->rest;
	return ftruncate(st->fd, (off_t)st->keep) < 0 || lseek(st->fd, 0, SEEK_END) < 0 ? -errno :
											  0;
}

/* ------------------------------------------------------------------ writing */

static int write_all(struct store *st, const char *p, size_t len)
{
	while (len) {
		ssize_t n;

		/* A pipe's reader may sleep: a signal must be able to end this wait. */
		if (st->dir < 0 && io_wait(st->fd, POLLOUT, -1) == -EINTR && io_stop)
			return -EINTR;
		n = write(st->fd, p, st->dir < 0 && len > PIPE_BUF ? PIPE_BUF : len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			st->written += (size_t)n;
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

/* ------------------------------------------------------------------ the end */

/* Rights that a file gave to its old content; write(2) takes them away, too. */
static mode_t without_privileges(mode_t mode)
{
	return mode & 07777 & ~(S_ISUID | ((mode & S_IXGRP) ? S_ISGID : 0u));
}

/* What is so already is not set: not everybody may set a label. */
static int copy_xattrs(int from, int to)
{
	char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX], same[XATTR_SIZE_MAX];
	ssize_t all = flistxattr(from, names, sizeof(names));

	for (char *name = names; all > 0 && name < names + all; name += strlen(name) + 1) {
		ssize_t len = fgetxattr(from, name, value, sizeof(value));

		/* See without_privileges(). */
		if (!strcmp(name, "security.capability"))
			continue;
		if (len < 0 || ((fgetxattr(to, name, same, sizeof(same)) != len ||
				 memcmp(value, same, (size_t)len)) &&
				fsetxattr(to, name, value, (size_t)len, 0) < 0))
			return -errno;
	}
	return all < 0 && errno != ENOTSUP ? -errno : 0;
}

/* The mode last: an owner and an ACL change it. */
static int dress(struct store *st)
{
	struct stat sb = { .st_mode = st->mode }, now;
	int err = 0;

	fremovexattr(st->fd, ACL);
	if (st->old >= 0 && (fstat(st->old, &sb) < 0 || fstat(st->fd, &now) < 0 ||
			     ((sb.st_uid != now.st_uid || sb.st_gid != now.st_gid) &&
			      fchown(st->fd, sb.st_uid, sb.st_gid) < 0)))
		return -errno;
	if (st->old >= 0)
		err = copy_xattrs(st->old, st->fd);
	else if (st->acl_len > 0 && fsetxattr(st->fd, ACL, st->acl, (size_t)st->acl_len, 0) < 0)
		err = -errno;
	fremovexattr(st->fd, SOURCE);
	return err || fchmod(st->fd, without_privileges(sb.st_mode)) == 0 ? err : -errno;
}

/* For a file with other names, or whose attributes no other file can have: its room first. */
static int write_over(struct store *st)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb, old;
	int err = lock(st, st->old, st->name);

	if (err)
		return err;
	/* EPERM: it is not ours, and the first write has the kernel do it. */
	if (fstat(st->old, &old) < 0 || fstat(st->fd, &sb) < 0 ||
	    (sb.st_size && fallocate(st->old, FALLOC_FL_KEEP_SIZE, 0, sb.st_size) < 0 &&
	     errno != EOPNOTSUPP) ||
	    (fchmod(st->old, without_privileges(old.st_mode)) < 0 && errno != EPERM) ||
	    lseek(st->fd, 0, SEEK_SET) < 0)
		return -errno;
	for (off_t left = sb.st_size; !err && left;) {
		ssize_t n = copy_piece(st->fd, st->old, (uint64_t)left);

		left -= n > 0 ? n : 0;
		err = n < 0 ? (int)n : 0;
	}
	times[1] = sb.st_mtim;
	if (!err && (ftruncate(st->old, sb.st_size) < 0 || futimens(st->old, times) < 0 ||
		     fsync(st->old) < 0))
		err = -errno;
	if (!err)
		unlinkat(st->dir, st->temp, 0);
	return err;
}

static int give_name(struct store *st)
{
	struct stat sb;

	if (!*st->temp)
		return fsync(st->fd) < 0 || fstat(st->fd, &sb) < 0 ? -errno :
		       sb.st_nlink				   ? 0 :
								     -ESTALE;
	if (!has_name(st, st->fd, st->temp))
		return -ESTALE;
	if (st->old >= 0 && (fstat(st->old, &sb) < 0 || sb.st_nlink > 1 || dress(st)))
		return write_over(st);
	if (st->old < 0)
		dress(st);
	if (fsync(st->fd) < 0 || renameat(st->dir, st->temp, st->dir, st->name) < 0)
		return -errno;
	/* The file is whole and has its name: only a crash could tell. */
	if (fsync(st->dir) < 0 && errno != EINVAL && errno != EBADF)
		io_say("%s: fsync of its folder: %s", st->path, strerror(errno));
	return 0;
}

void store_set_time(struct store *st, time_t when)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = when } };

	if (st->dir >= 0 && futimens(st->fd, times) < 0)
		io_note("%s: its time: %s", st->path, strerror(errno));
}

/* Standard output may be a file, and fail to keep what it has taken; a pipe has no fsync(). */
static int flush(const struct store *st)
{
	return fsync(st->fd) < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

int store_commit(struct store *st, char *partial)
{
	int err = st->dir < 0 ? flush(st) : give_name(st);

	*partial = '\0';
	if (!err)
		discard(st);
	else
		store_abandon(st, CONDDISP_CATLG, partial);
	if (*partial)
		io_say("what came is complete, and is in %s", partial);
	return err;
}

/* A name that is free, or that of a partial file which we made. */
static bool take_name(struct store *st, const char *name)
{
	char source[SOURCE_MAX] = "";
	struct stat sb;
	int fd = open_part(st, name, &sb, source);
	bool taken = fd == -ENOENT &&
		     renameat2(st->dir, st->temp, st->dir, name, RENAME_NOREPLACE) == 0;

	/* NFS and others cannot do without replacing (EINVAL). */
	if (fd >= 0 ? *source : fd == -ENOENT && !taken && errno == EINVAL)
		taken = renameat(st->dir, st->temp, st->dir, name) == 0;
	io_close(fd);
	return taken;
}

/* Others' files of that name stay. */
static void keep_part(struct store *st, char *partial)
{
	char name[PARTIAL_NAME + 2], number[4] = "";

	if (st->when)
		store_set_time(st, st->when);
	fsetxattr(st->fd, SOURCE, st->source, strlen(st->source), 0);
	for (int i = 0; i < PARTIALS; i++) {
		if (i)
			snprintf(number, sizeof(number), ".%d", i);
		snprintf(name, sizeof(name), "%s" PARTIAL "%s", st->name, number);
		snprintf(partial, STORE_PARTIAL_MAX, "%s" PARTIAL "%s", st->path, number);
		if (!strcmp(name, st->temp) || take_name(st, name))
			return;
	}
	io_say("%s" PARTIAL " to .%d are there: what came is not kept", st->path, PARTIALS - 1);
	*partial = '\0';
}

void store_abandon(struct store *st, enum conddisp disp, char *partial)
{
	struct stat sb;

	*partial = '\0';
	if (!st)
		return;
	if (st->dir >= 0 && !*st->temp) {
		/* Not what others have appended. */
		if (st->written &&
		    (fstat(st->fd, &sb) < 0 || (uint64_t)sb.st_size != st->keep + st->written ||
		     ftruncate(st->fd, (off_t)st->keep) < 0))
			io_say("%s: half of what was to be appended stays", st->path);
	} else if (st->dir >= 0 && has_name(st, st->fd, st->temp)) {
		/* What was there before stays. */
		if (disp == CONDDISP_DELETE && st->keep && ftruncate(st->fd, (off_t)st->keep) == 0)
			disp = CONDDISP_CATLG;
		/* What a user might miss is worth a name; an empty file is not. */
		if (disp == CONDDISP_CATLG && fstat(st->fd, &sb) == 0 && sb.st_size > 0)
			keep_part(st, partial);
		if (!*partial)
			unlinkat(st->dir, st->temp, 0);
	}
	discard(st);
}
