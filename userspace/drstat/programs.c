// SPDX-License-Identifier: GPL-2.0
/* The programs that have TCP sockets, by /proc/PID */
#include "drstat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPENSSL_CONF "/etc/ssl/openssl.cnf"

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
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/* Count the sockets of a process. Return: false where we may not see them. */
static bool count_sockets(struct program *p, const struct sockets *sockets)
{
	char path[PATH_MAX], file[PATH_MAX + 256], link[64];
	struct dirent *entry;
	unsigned int inode;
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
	return true;
}

static bool maps_openssl(int pid)
{
	char path[PATH_MAX], line[PATH_MAX + 128];
	bool found = false;
	FILE *f;

	pid_path(path, pid, "maps");
	f = fopen(path, "re");
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
	char path[PATH_MAX], *entry = NULL;
	size_t room = 0, len = strlen(name);
	bool found = false;
	FILE *f;

	pid_path(path, pid, "environ");
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getdelim(&entry, &room, '\0', f) > 0)
		found = !strncmp(entry, name, len) && entry[len] == '=';
	if (found)
		snprintf(value, size, "%s", entry + len + 1);
	free(entry);
	fclose(f);
	return found && *value;
}

/* When a process was started, in seconds since 1970 as far as the clock was right then; 0: unknown */
static time_t started(int pid)
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
	return now.tv_sec - up.tv_sec + (time_t)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* The openssl.cnf that the program reads, as it sees it and as we do */
static void find_conf(struct program *p)
{
	char seen[PATH_MAX] = OPENSSL_CONF, root[PATH_MAX], outside[2 * PATH_MAX];
	struct stat there, here, file = { 0 };
	time_t since;

	if (!maps_openssl(p->pid))
		return;
	environment(p->pid, "OPENSSL_CONF", seen, sizeof(seen));
	snprintf(p->file, sizeof(p->file), "%s", seen);
	printable(p->file);
	p->conf = CONF_UNKNOWN;
	pid_path(root, p->pid, "root");
	/* A name without a slash in front begins where the program began: not known */
	if (*seen != '/' || stat(root, &there) < 0 || stat("/", &here) < 0)
		return;
	snprintf(outside, sizeof(outside), "%s%s", root, seen);
	/* In a container */
	if (there.st_dev != here.st_dev || there.st_ino != here.st_ino)
		snprintf(p->file, sizeof(p->file), "%.*s", PATH_MAX - 1, outside);
	p->conf = openssl_conf(outside, p->file, p->mend);
	since = started(p->pid);
	p->stale = since && stat(outside, &file) == 0 && file.st_mtime > since;
}

/* The service of systemd that the process belongs to */
static void find_unit(struct program *p)
{
	static const char end[] = ".service";
	char path[PATH_MAX], line[PATH_MAX], *name;
	size_t len;

	pid_path(path, p->pid, "cgroup");
	if (!read_line(path, line, sizeof(line)))
		return;
	name = strrchr(line, '/');
	len = strlen(line);
	if (name && len > sizeof(end) && !strcmp(line + len - strlen(end), end))
		snprintf(p->unit, sizeof(p->unit), "%s", name + 1);
}

static bool alike(const struct program *a, const struct program *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->unit, b->unit) && a->conf == b->conf &&
	       a->stale == b->stale && !strcmp(a->file, b->file);
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

	proc_path(path, "");
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct program p = { 0 };

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
		find_unit(&p);
		find_conf(&p);
		if (!add(all, &p))
			break;
	}
	closedir(dir);
}
