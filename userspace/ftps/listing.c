// SPDX-License-Identifier: GPL-2.0
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "store.h"
#include "vfs.h"

void listing_facts(const struct stat *sb, char *text)
{
	char modify[32] = "19700101000000";
	const char *type = S_ISDIR(sb->st_mode) ? "dir" : "file";
	struct tm tm;

	if (gmtime_r(&sb->st_mtime, &tm))
		strftime(modify, sizeof(modify), "%Y%m%d%H%M%S", &tm);
	if (S_ISDIR(sb->st_mode))
		snprintf(text, LISTING_FACTS_MAX, "type=%s;modify=%s;", type, modify);
	else
		snprintf(text, LISTING_FACTS_MAX, "type=%s;size=%" PRIu64 ";modify=%s;", type,
			 (uint64_t)sb->st_size, modify);
}

static void print_long(FILE *to, const struct stat *sb, const char *name)
{
	static const char bits[] = "rwxrwxrwx";
	bool old = sb->st_mtime < time(NULL) - 180 * 86400 || sb->st_mtime > time(NULL) + 3600;
	char mode[11] = "-", when[32] = "Jan 01  1970";
	struct tm tm;

	if (S_ISDIR(sb->st_mode))
		mode[0] = 'd';
	for (int i = 0; i < 9; i++)
		mode[i + 1] = sb->st_mode & (0400u >> i) ? bits[i] : '-';
	mode[10] = '\0';
	if (gmtime_r(&sb->st_mtime, &tm))
		strftime(when, sizeof(when), old ? "%b %d  %Y" : "%b %d %H:%M", &tm);
	/* Owners are nobody's business: clients want the columns. */
	fprintf(to, "%s %3lu ftp ftp %12" PRIu64 " %s %s\r\n", mode, (unsigned long)sb->st_nlink,
		(uint64_t)sb->st_size, when, name);
}

static void print_entry(FILE *to, const struct stat *sb, const char *name, enum listing how)
{
	char facts[LISTING_FACTS_MAX];

	/* Nobody can fetch a device, or a link that may lead outside. */
	if (!S_ISREG(sb->st_mode) && !S_ISDIR(sb->st_mode))
		return;
	switch (how) {
	case LS_LIST:
		print_long(to, sb, name);
		break;
	case LS_NAMES:
		fprintf(to, "%s\r\n", name);
		break;
	case LS_FACTS:
		listing_facts(sb, facts);
		fprintf(to, "%s %s\r\n", facts, name);
		break;
	}
}

static bool is_hidden(const char *name)
{
	if (!strncmp(name, STORE_PREFIX, strlen(STORE_PREFIX)) || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return true;
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			return true;
	return false;
}

static int print_dir(FILE *to, int fd, enum listing how)
{
	struct dirent **list;
	int n = scandirat(fd, ".", &list, NULL, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		struct stat sb;

		if (!is_hidden(name) && fstatat(fd, name, &sb, AT_SYMLINK_NOFOLLOW) == 0)
			print_entry(to, &sb, name, how);
		free(list[i]);
	}
	free(list);
	return 0;
}

static int print_any(FILE *to, int fd, const char *path, enum listing how)
{
	struct stat sb;

	if (fstat(fd, &sb) < 0)
		return -errno;
	if (S_ISDIR(sb.st_mode))
		return print_dir(to, fd, how);
	if (how == LS_FACTS)
		return -ENOTDIR;
	print_entry(to, &sb, strrchr(path, '/') + 1, how);
	return 0;
}

/* The text is finished: rewind its descriptor for reading. Closes @to. */
static int rewind_text(FILE *to, int err)
{
	int fd;

	if (!err && (fflush(to) == EOF || ferror(to)))
		err = -EIO;
	fd = err ? err : dup(fileno(to));
	fclose(to);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

int listing_make(int root, const char *path, enum listing how)
{
	int fd = vfs_open(root, path, O_RDONLY | O_NOCTTY);
	int mem = fd < 0 ? fd : memfd_create("listing", MFD_CLOEXEC);
	FILE *to = mem < 0 ? NULL : fdopen(mem, "w");
	int err = 0;

	if (fd < 0)
		return fd;
	if (to)
		err = print_any(to, fd, path, how);
	else if (mem >= 0)
		close(mem);
	close(fd);
	return to ? rewind_text(to, err) : -ENOMEM;
}
