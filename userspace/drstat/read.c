// SPDX-License-Identifier: GPL-2.0
/* Read what the module shows. */
#include "drstat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAT "net/tls_drst_stat"
#define LIST "net/tls_drst"
#define KNOBS "sys/net/tls_drst"
#define VERSION_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~_-"

/* Columns may be added behind these. */
#define LIST_HEAD "local remote state cause bytes held_ms idle_ms cookie"

/* As ss and nstat have it */
static const char *proc_root(void)
{
	const char *root = getenv("PROC_ROOT");

	return root && *root ? root : "/proc";
}

void proc_path(char *path, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", proc_root(), name);
}

void sys_path(char *path, const char *name)
{
	const char *root = getenv("SYS_ROOT");

	snprintf(path, PATH_MAX, "%s/%s", root && *root ? root : "/sys", name);
}

bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool good;

	if (!f)
		return false;
	good = fgets(line, (int)size, f);
	fclose(f);
	if (good)
		line[strcspn(line, "\n")] = '\0';
	return good;
}

enum xs no_module(void)
{
	say("tls_drst is not loaded (no %s/" STAT "): try modprobe tls_drst, or insmod tls_drst.ko",
	    proc_root());
	return XS_NO_MODULE;
}

static enum xs not_understood(const char *name, const char *why)
{
	say("%s/%s: %s: are the module and drstat of the same version?", proc_root(), name, why);
	return XS_FILE;
}

/* Return: 0, XS_NO_MODULE, or XS_FILE after a word about it. */
static enum xs proc_open(const char *name, FILE **f)
{
	char path[PATH_MAX];
	int err;

	proc_path(path, name);
	*f = fopen(path, "re");
	if (*f)
		return XS_OK;
	err = errno;
	proc_path(path, "net");
	if (err == ENOENT && access(path, F_OK) == 0)
		return XS_NO_MODULE;
	if (err == ENOENT)
		say("no %s: is /proc mounted?", path);
	else
		say("%s/%s: %s", proc_root(), name, strerror(err));
	return XS_FILE;
}

/* Close a file that was read to its end. @xs: what became of it so far */
static enum xs proc_close(FILE *f, const char *name, enum xs xs)
{
	if (ferror(f) && !xs) {
		/* Unloaded since it was opened: its files say EIO. */
		xs = errno == EIO ? XS_NO_MODULE : XS_FILE;
		if (xs == XS_FILE)
			say("%s/%s: %s", proc_root(), name, strerror(errno));
	}
	fclose(f);
	return xs;
}

/* "Name    123" */
static bool parse_counter(const char *line, struct counter *c)
{
	size_t len = 0;
	char *end;

	while (isalnum((unsigned char)line[len]) || line[len] == '_')
		len++;
	if (!len || len >= sizeof(c->name) || isdigit((unsigned char)*line))
		return false;
	memcpy(c->name, line, len);
	c->name[len] = '\0';
	line += len;
	line += strspn(line, " \t");
	if (!isdigit((unsigned char)*line))
		return false;
	errno = 0;
	c->value = strtoull(line, &end, 10);
	return !errno && !strcmp(end, "\n");
}

static enum xs read_counters(const char *name, struct stats *s)
{
	enum xs xs;
	char line[256];
	FILE *f;

	memset(s, 0, sizeof(*s));
	s->at = now_s();
	xs = proc_open(name, &f);
	if (xs)
		return xs;
	while (!xs && fgets(line, sizeof(line), f)) {
		if (s->n == COUNTERS_MAX || !parse_counter(line, &s->counter[s->n]))
			xs = not_understood(name, "a line is no counter");
		else
			s->n++;
	}
	xs = proc_close(f, name, xs);
	if (!xs && !s->n)
		xs = not_understood(name, "no counter is in it");
	if (xs)
		s->n = 0;
	return xs;
}

/* The mode first, the others by name */
static int by_knob(const void *a, const void *b)
{
	const struct counter *one = a, *other = b;
	int modes = !strcmp(other->name, "mode") - !strcmp(one->name, "mode");

	return modes ? modes : strcmp(one->name, other->name);
}

/* A newer module's knobs show up by themselves. */
static void read_knobs(struct stats *s)
{
	char path[PATH_MAX], file[PATH_MAX + 256], line[128], text[32];
	struct dirent *entry;
	DIR *dir;

	proc_path(path, KNOBS);
	dir = opendir(path);
	if (!dir)
		return;
	while (s->knobs < KNOBS_MAX && (entry = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (*entry->d_name == '.' || !read_line(file, text, sizeof(text)))
			continue;
		snprintf(line, sizeof(line), "%.63s %s\n", entry->d_name, text);
		if (parse_counter(line, &s->knob[s->knobs]))
			s->knobs++;
	}
	closedir(dir);
	qsort(s->knob, s->knobs, sizeof(*s->knob), by_knob);
}

/* Letters, digits, dots and the like, so that no format has to escape it */
static void read_version(struct stats *s)
{
	char path[PATH_MAX];

	sys_path(path, "module/tls_drst/version");
	if (!read_line(path, s->version, sizeof(s->version)) ||
	    s->version[strspn(s->version, VERSION_CHARACTERS)])
		*s->version = '\0';
}

enum xs stats_read(struct stats *s)
{
	enum xs xs = read_counters(STAT, s);

	if (!xs) {
		read_knobs(s);
		read_version(s);
	}
	return xs;
}

enum xs tls_stats_read(struct stats *s)
{
	return read_counters("net/tls_stat", s);
}

bool counter_is_gauge(const struct counter *c)
{
	return strstr(c->name, "Curr") != NULL;
}

const struct counter *counter_find(const struct counter *of, size_t n, size_t i, const char *name)
{
	if (i < n && !strcmp(of[i].name, name))
		return &of[i];
	for (i = 0; i < n; i++)
		if (!strcmp(of[i].name, name))
			return &of[i];
	return NULL;
}

void stats_compare(struct stats *now, const struct stats *before)
{
	/* It was not there in the meantime. */
	now->restarted = !before->n;
	for (size_t i = 0; i < now->n; i++) {
		const struct counter *c = &now->counter[i];
		const struct counter *old = counter_find(before->counter, before->n, i, c->name);

		if (old && !counter_is_gauge(c) && c->value < old->value)
			now->restarted = true;
	}
}

struct change stats_change(const struct stats *now, const struct stats *before, size_t i)
{
	const struct counter *c = &now->counter[i];
	const struct counter *old = counter_find(before->counter, before->n, i, c->name);
	uint64_t from = old ? old->value : 0;

	if (!counter_is_gauge(c) && now->restarted)
		from = 0;
	if (c->value < from)
		return (struct change){ .less = true, .by = from - c->value };
	return (struct change){ .by = c->value - from };
}

static bool parse_hold(const char *line, struct hold *h)
{
	static const char address[] = "0123456789abcdefABCDEF.:[]";
	static const char word[] = "abcdefghijklmnopqrstuvwxyz_";
	int end = 0;

	if (sscanf(line, "%63s %63s %x %15s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx64 "%n",
		   h->local, h->remote, &h->state, h->cause, &h->bytes, &h->held_ms, &h->idle_ms,
		   &h->cookie, &end) != 8)
		return false;
	return isspace((unsigned char)line[end]) && !h->local[strspn(h->local, address)] &&
	       !h->remote[strspn(h->remote, address)] && !h->cause[strspn(h->cause, word)];
}

void *with_room(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;

	if (n < *room)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*room = more;
	return array;
}

/* Return: room for one more, or NULL. */
static struct hold *holds_room(struct holds *h)
{
	struct hold *all = with_room(h->hold, h->n, &h->room, sizeof(*all));

	if (!all)
		return NULL;
	h->hold = all;
	return &h->hold[h->n];
}

static enum xs read_list(FILE *f, struct holds *h)
{
	char line[512];

	if (!fgets(line, sizeof(line), f) || strncmp(line, LIST_HEAD, strlen(LIST_HEAD)) != 0 ||
	    !isspace((unsigned char)line[strlen(LIST_HEAD)]))
		return ferror(f) ? XS_OK : not_understood(LIST, "the columns are other ones");
	while (fgets(line, sizeof(line), f)) {
		struct hold *hold = holds_room(h);

		if (!hold) {
			say("no memory for %zu held connections", h->n + 1);
			return XS_OUTPUT;
		}
		if (!parse_hold(line, hold))
			return not_understood(LIST, "a line is no held connection");
		h->n++;
	}
	return XS_OK;
}

enum xs holds_read(struct holds *h)
{
	enum xs xs;
	FILE *f;

	h->n = 0;
	xs = proc_open(LIST, &f);
	if (xs)
		return xs;
	xs = proc_close(f, LIST, read_list(f, h));
	if (xs)
		h->n = 0;
	return xs;
}

static int by_idle(const void *a, const void *b)
{
	const struct hold *one = a, *other = b;

	return (one->idle_ms < other->idle_ms) - (one->idle_ms > other->idle_ms);
}

static int by_bytes(const void *a, const void *b)
{
	const struct hold *one = a, *other = b;

	return (one->bytes < other->bytes) - (one->bytes > other->bytes);
}

void holds_sort(struct holds *h, enum sort sort)
{
	if (sort != SORT_NONE && h->n)
		qsort(h->hold, h->n, sizeof(*h->hold), sort == SORT_IDLE ? by_idle : by_bytes);
}
