// SPDX-License-Identifier: GPL-2.0
/* The programs that have TCP sockets, by /proc/PID */
#include "drstat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENVIRON_MAX (1 << 20)

static void pid_path(char *path, int pid, const char *file)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%d/%s", pid, file);
	proc_path(path, name);
}

/* What a program chooses for itself may go to a terminal. */
static void printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool ends_with(const char *name, size_t len, const char *end)
{
	size_t ends = strlen(end);

	return len > ends && !memcmp(name + len - ends, end, ends);
}

/* Count the sockets of a process. Return: false where we may not see one. */
static bool count_sockets(struct program *p, const struct sockets *sockets)
{
	char path[PATH_MAX], file[PATH_MAX + 256], link[64];
	struct dirent *entry;
	unsigned int inode;
	bool seen = true;
	DIR *dir;

	pid_path(path, p->pid, "fd");
	dir = opendir(path);
	if (!dir)
		return errno != EACCES && errno != EPERM;
	while ((entry = readdir(dir))) {
		const struct tcp_socket *s = NULL;
		ssize_t len;

		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		len = readlink(file, link, sizeof(link) - 1);
		if (len < 0 && errno == EACCES)
			seen = false;
		if (len > 0) {
			link[len] = '\0';
			if (sscanf(link, "socket:[%u]", &inode) == 1)
				s = sockets_find(sockets, inode);
		}
		if (!s)
			continue;
		p->listening += s->listening;
		p->ktls += s->ktls;
		p->other += !s->listening && !s->ktls;
	}
	closedir(dir);
	return seen;
}

static FILE *pid_open(int pid, const char *name)
{
	char path[PATH_MAX];

	pid_path(path, pid, name);
	return fopen(path, "re");
}

static bool maps_openssl(int pid)
{
	char line[PATH_MAX + 128];
	FILE *f = pid_open(pid, "maps");
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "/libssl.so.3") || strstr(line, "/libssl.so.4");
	fclose(f);
	return found;
}

/* The value of a variable in the environment that the program was started with */
static bool environment(int pid, const char *name, char *value, size_t size)
{
	char *entry = NULL;
	size_t room = 0, len = strlen(name);
	ssize_t got, left = ENVIRON_MAX; /* it may claim to be any length */
	FILE *f = pid_open(pid, "environ");
	bool found = false;

	if (!f)
		return false;
	for (; !found && left > 0 && (got = getdelim(&entry, &room, '\0', f)) > 0; left -= got)
		found = !strncmp(entry, name, len) && entry[len] == '=';
	if (found)
		snprintf(value, size, "%s", entry + len + 1);
	free(entry);
	fclose(f);
	return found && *value;
}

#define SECOND 1000000000LL

static long long ns(struct timespec t)
{
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* When a process was started, in ns since 1970 as far as the clock was right then; 0: unknown */
static long long started(int pid)
{
	char path[PATH_MAX], line[1024], *end;
	struct timespec now, up;
	unsigned long long ticks;

	pid_path(path, pid, "stat");
	/* The name, in parentheses, may have anything in it. */
	if (!read_line(path, line, sizeof(line)) || !(end = strrchr(line, ')')) ||
	    sscanf(end + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return ns(now) - ns(up) + (long long)ticks * (SECOND / sysconf(_SC_CLK_TCK));
}

/* Whether its real, effective, saved and filesystem user is the one that we are */
static bool is_ours(int pid)
{
	unsigned int uid[4], we = geteuid();
	FILE *f = pid_open(pid, "status");
	bool ours = false;
	char line[256];

	if (!f)
		return false;
	while (!ours && fgets(line, sizeof(line), f))
		ours = sscanf(line, "Uid: %u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]) == 4 &&
		       uid[0] == we && uid[1] == we && uid[2] == we && uid[3] == we;
	fclose(f);
	return ours;
}

/*
 * Whether the user may write to the file by this name: OPENSSL_CONF of somebody else's process, or
 * a link, might lead to a file that has nothing to do with it.
 */
static bool may_mend(const struct program *p, int fd, const char *name, bool same_root)
{
	struct stat file, ours;

	if (fd < 0)
		return same_root && !strcmp(name, OPENSSL_CNF) && access(name, F_OK) < 0;
	if (fstat(fd, &file) < 0)
		return false;
	if (!strcmp(name, OPENSSL_CNF))
		return stat(name, &ours) == 0 && same_file(&file, &ours);
	return is_ours(p->pid) && lstat(name, &ours) == 0 && same_file(&file, &ours) &&
	       file.st_uid == geteuid() && !(file.st_mode & (S_IWGRP | S_IWOTH));
}

/* The openssl.cnf that the program reads, as it sees it and as we do */
static void find_conf(struct program *p, bool same_root)
{
	char seen[PATH_MAX] = OPENSSL_CNF, root[PATH_MAX];
	struct stat file;
	long long since;
	int fd;

	if (!maps_openssl(p->pid))
		return;
	environment(p->pid, "OPENSSL_CONF", seen, sizeof(seen));
	pid_path(root, p->pid, "root");
	p->inside = same_root ? 0 : strlen(root);
	snprintf(p->file, sizeof(p->file), "%.*s%s", (int)p->inside, root, seen);
	printable(p->file);
	p->conf = CONF_UNKNOWN;
	/* A name without a slash in front begins where the program began: not known */
	if (*seen != '/')
		return;
	if (!strcmp(seen, "/dev/null")) {
		p->conf = CONF_DECLINED;
		return;
	}
	fd = openssl_find(root, seen);
	p->conf = openssl_conf(fd, may_mend(p, fd, seen, same_root) ? seen : NULL, p->mend);
	if (fd < 0)
		return;
	since = started(p->pid);
	/* Neither clock is better than a second. */
	p->stale = since && fstat(fd, &file) == 0 && ns(file.st_mtim) > since + SECOND;
	close(fd);
}

static bool cannot_use_ktls(const char *name)
{
	static const char *const names[] = {
#include "cannot.h"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

/* A script has a name of its own: the file that runs is its interpreter, such as ruby3.1. */
static bool interpreter_cannot(int pid)
{
	char path[PATH_MAX], file[PATH_MAX], *name;
	ssize_t len;

	pid_path(path, pid, "exe");
	len = readlink(path, file, sizeof(file) - 1);
	if (len <= 0)
		return false;
	file[len] = '\0';
	name = strrchr(file, '/');
	if (!name)
		return false;
	name[1 + strcspn(name + 1, " ")] = '\0'; /* " (deleted)" */
	if (cannot_use_ktls(name + 1))
		return true;
	for (len = (ssize_t)strlen(name); strchr("0123456789.", name[len - 1]); len--)
		name[len - 1] = '\0';
	return cannot_use_ktls(name + 1);
}

/*
 * The service of systemd that the process belongs to: the first below slices of the system. What
 * is behind it is the service's own affair; users' services are not the system's.
 */
static void find_unit(struct program *p)
{
	static const char top[] = ".slice", end[] = ".service";
	char path[PATH_MAX], line[PATH_MAX], *name, *at;
	size_t len;

	pid_path(path, p->pid, "cgroup");
	if (!read_line(path, line, sizeof(line)) || !(at = strchr(line, ':')) ||
	    !(at = strchr(at + 1, ':')) || strncmp(at + 1, "/system.slice/", 14) != 0)
		return;
	at++;
	do {
		name = at + 1;
		at = name + strcspn(name, "/");
		len = (size_t)(at - name);
	} while (*at && ends_with(name, len, top));
	name[len] = '\0';
	if (ends_with(name, len, end) && isalnum((unsigned char)*name) && plain(name, "_-.:@"))
		snprintf(p->unit, sizeof(p->unit), "%s", name);
}

/* Whether the program has our root; if not, it is in a container. */
static bool has_our_root(struct program *p)
{
	char path[PATH_MAX];
	struct stat there, here;

	pid_path(path, p->pid, "root");
	if (stat(path, &there) < 0 || stat("/", &here) < 0)
		return false;
	p->root_dev = there.st_dev;
	p->root_ino = there.st_ino;
	return same_file(&there, &here);
}

static bool alike(const struct program *a, const struct program *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->unit, b->unit) &&
	       !strcmp(a->mend, b->mend) && a->conf == b->conf && a->stale == b->stale &&
	       !strcmp(a->file + a->inside, b->file + b->inside) && a->root_dev == b->root_dev &&
	       a->root_ino == b->root_ino;
}

/* Return: false: no memory. */
static bool add(struct programs *all, const struct program *p)
{
	struct program *more;

	for (size_t i = 0; i < all->n; i++) {
		struct program *one = &all->program[i];

		if (!alike(one, p))
			continue;
		one->more++;
		one->ktls += p->ktls;
		one->other += p->other;
		one->listening += p->listening;
		return true;
	}
	more = with_room(all->program, all->n, &all->room, sizeof(*more));
	if (!more)
		return false;
	all->program = more;
	all->program[all->n++] = *p;
	return true;
}

void programs_read(struct programs *all, const struct sockets *sockets)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	/* All descriptors of all processes: not for nothing, in each of many namespaces */
	if (!sockets->n)
		return;
	proc_path(path, "");
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct program p = { 0 };
		bool same_root;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		p.pid = atoi(entry->d_name);
		if (!count_sockets(&p, sockets))
			all->unseen++;
		if (!p.ktls && !p.other && !p.listening)
			continue;
		pid_path(path, p.pid, "comm");
		if (!read_line(path, p.name, sizeof(p.name)))
			continue; /* it has ended */
		printable(p.name);
		same_root = has_our_root(&p);
		if (same_root)
			find_unit(&p);
		find_conf(&p, same_root);
		p.cannot = cannot_use_ktls(p.name) || interpreter_cannot(p.pid);
		if (!add(all, &p))
			break;
	}
	closedir(dir);
}
