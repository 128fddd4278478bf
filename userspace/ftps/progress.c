// SPDX-License-Identifier: GPL-2.0
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io.h"

#define EACH_MS 200
#define BAR 24
#define FULL "########################"
#define EMPTY "........................"
#define NAME 20 /* columns for the name: with all the rest, 80 */

static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

/* A number of bytes in four digits at most. */
static void amount(char *out, size_t size, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	int unit = 0;

	for (; bytes > 9999; bytes /= 1024)
		unit++;
	snprintf(out, size, "%" PRIu64 "%c", bytes, units[unit]);
}

static void time_left(char *out, size_t size, uint64_t s)
{
	if (s < 360000)
		snprintf(out, size, "%d:%02d:%02d", (int)s / 3600, (int)s / 60 % 60, (int)s % 60);
	else /* 100 hours: who knows */
		snprintf(out, size, "-:--:--");
}

void progress_line(const struct progress *p, uint64_t bytes, int64_t ms, int width, char *line,
		   int size)
{
	uint64_t rate = ms > 0 ? bytes * 1000 / (uint64_t)ms : 0, done = p->begin + bytes;
	char moved[16], speed[16], left[16], name[NAME + 1];
	double part;

	snprintf(name, sizeof(name), "%s", p->name);
	/* Bytes of other alphabets may be wider or narrower than a column, or none at all. */
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	amount(moved, sizeof(moved), done);
	amount(speed, sizeof(speed), rate);
	/* The file may have grown since its size was asked for. */
	if (p->total && done <= p->total) {
		part = (double)done / (double)p->total;
		time_left(left, sizeof(left), rate ? (p->total - done) / rate : UINT64_MAX);
		snprintf(line, (size_t)size, "%s %3d%% [%.*s%.*s] %s %s/s ETA %s", name,
			 (int)(part * 100), (int)(part * BAR), FULL, BAR - (int)(part * BAR), EMPTY,
			 moved, speed, left);
	} else {
		snprintf(line, (size_t)size, "%s %s %s/s", name, moved, speed);
	}
	if (width > 0 && width <= size)
		line[width - 1] = '\0';
}

void progress_begin(struct progress *p, const char *name)
{
	const char *term = getenv("TERM");

	p->on = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");
	p->name = name;
	p->started = io_now();
	p->next = p->started + EACH_MS;
}

void progress_at(struct progress *p, uint64_t bytes)
{
	int64_t now = p->on ? io_now() : 0;
	char line[256];

	if (!p->on || now < p->next)
		return;
	progress_line(p, bytes, now - p->started, columns(), line, sizeof(line));
	dprintf(STDERR_FILENO, "\r%s\033[K", line);
	p->drawn = true;
	p->next = now + EACH_MS;
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		dprintf(STDERR_FILENO, "\r\033[K");
	p->drawn = false;
	p->on = false;
}
