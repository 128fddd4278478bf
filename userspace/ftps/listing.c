// SPDX-License-Identifier: GPL-2.0
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "vfs.h"

/* UNIX.mode: without it lftp takes all files for links where one is. */
void listing_facts(const struct stat *sb, char *text)
{
	char modify[32] = "19700101000000", size[32] = "";
	bool dir = S_ISDIR(sb->st_mode);
	struct tm tm;

	if (gmtime_r(&sb->st_mtime, &tm))
		strftime(modify, sizeof(modify), "%Y%m%d%H%M%S", &tm);
	if (!dir)
		snprintf(size, sizeof(size), "size=%" PRIu64 ";", (uint64_t)sb->st_size);
	snprintf(text, LISTING_FACTS_MAX, "type=%s;%smodify=%s;UNIX.mode=%04o;",
		 dir ? "dir" : "file", size, modify, sb->st_mode & 07777);
}

/* A file in a list. */
struct entry {
	const char *name;
	struct stat sb;
	char target[PATH_MAX]; /* of a link, "" for what is none */
};

static void print_long(FILE *to, const struct entry *e)
{
	static const char bits[] = "rwxrwxrwx";
	const struct stat *sb = &e->sb;
	bool old = sb->st_mtime < time(NULL) - 180 * 86400 || sb->st_mtime > time(NULL) + 3600;
	char mode[11] = "-", when[32] = "Jan 01  1970";
	struct tm tm;

	if (!S_ISREG(sb->st_mode))
		mode[0] = S_ISDIR(sb->st_mode) ? 'd' : 'l';
	for (int i = 0; i < 9; i++)
		mode[i + 1] = sb->st_mode & (0400u >> i) ? bits[i] : '-';
	mode[10] = '\0';
	if (gmtime_r(&sb->st_mtime, &tm))
		strftime(when, sizeof(when), old ? "%b %d  %Y" : "%b %d %H:%M", &tm);
	/* Owners are nobody's business: clients want the columns. */
	fprintf(to, "%s %3lu ftp ftp %12" PRIu64 " %s %s%s%s\r\n", mode,
		(unsigned long)sb->st_nlink, (uint64_t)sb->st_size, when, e->name,
		*e->target ? " -> " : "", e->target);
}

static void print_entry(FILE *to, const struct entry *e, enum listing how)
{
	char facts[LISTING_FACTS_MAX];

	switch (how) {
	case LS_LIST:
		print_long(to, e);
		break;
	case LS_NAMES:
		fprintf(to, "%s\r\n", e->name);
		break;
	case LS_FACTS:
		listing_facts(&e->sb, facts);
		if (*e->target)
			fprintf(to, "type=OS.unix=slink:%s;%s %s\r\n", e->target,
				strstr(facts, "modify="), e->name);
		else
			fprintf(to, "%s %s\r\n", facts, e->name);
		break;
	}
}

/*
 * Nobody can fetch a device, or what a link leads to outside. A link is listed as one: where it
 * leads to a folder above, clients would follow it for ever. If it leads to nothing, it must still
 * be seen to be removed.
 */
static bool look_at(int root, const char *folder, int fd, struct entry *e)
{
	char path[VFS_PATH_MAX];
	ssize_t n;
	int there;

	*e->target = '\0';
	if (!vfs_join(folder, e->name, path) || fstatat(fd, e->name, &e->sb, AT_SYMLINK_NOFOLLOW))
		return false;
	if (!S_ISLNK(e->sb.st_mode))
		return S_ISREG(e->sb.st_mode) || S_ISDIR(e->sb.st_mode);
	n = readlinkat(fd, e->name, e->target, sizeof(e->target) - 1);
	if (n < 0)
		return false;
	e->target[n] = '\0';
	there = vfs_open(root, path, O_PATH);
	io_close(there);
	return there != -EXDEV && vfs_printable(e->target) && !strchr(e->target, ';');
}

static int print_dir(FILE *to, int root, const char *path, int fd, enum listing how)
{
	struct dirent **list;
	struct entry e;
	int n = scandirat(fd, ".", &list, NULL, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		e.name = list[i]->d_name;
		if (strcmp(e.name, ".") && strcmp(e.name, "..") && look_at(root, path, fd, &e))
			print_entry(to, &e, how);
		free(list[i]);
	}
	free(list);
	return 0;
}

static int print_any(FILE *to, int root, int fd, const char *path, enum listing how)
{
	struct entry e = { .name = url_basename(path) };

	if (fstat(fd, &e.sb) < 0)
		return -errno;
	if (S_ISDIR(e.sb.st_mode))
		return print_dir(to, root, path, fd, how);
	if (how == LS_FACTS || !S_ISREG(e.sb.st_mode))
		return -ENOTDIR;
	print_entry(to, &e, how);
	return 0;
}

int listing_make(int root, const char *path, enum listing how)
{
	int fd = vfs_open(root, path, O_RDONLY | O_NOCTTY);
	int mem = fd < 0 ? fd : memfd_create("listing", MFD_CLOEXEC), err;
	FILE *to = mem < 0 ? NULL : fdopen(dup(mem), "w");

	if (fd < 0)
		return fd;
	err = to ? print_any(to, root, fd, path, how) : -ENOMEM;
	close(fd);
	if (to && (fflush(to) == EOF || ferror(to)) && !err)
		err = -EIO;
	if (to)
		fclose(to);
	if (!err && lseek(mem, 0, SEEK_SET) == 0)
		return mem;
	io_close(mem);
	return err ? err : -EIO;
}
