/* SPDX-License-Identifier: GPL-2.0 */
/*
 * progress.h - how far a transfer is, on a terminal
 */
#ifndef FTPS_PROGRESS_H
#define FTPS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	bool drawn; /* a line of ours is on the terminal */
	const char *name;
	uint64_t begin; /* bytes that were there before */
	uint64_t total; /* with those; 0: not known */
	int64_t started;
	int64_t next; /* when to draw again */
};

/**
 * progress_begin() - begin, if standard error is a terminal that can do it
 * @p: the state; zeroed by the caller, which may have set begin and total
 * @name: of the file; must live as long
 */
void progress_begin(struct progress *p, const char *name);

/** progress_at() - so many bytes have been moved now; draws a few times a second */
void progress_at(struct progress *p, uint64_t bytes);

/** progress_end() - take the line away; other output may follow */
void progress_end(struct progress *p);

/**
 * progress_line() - the text of the line
 * @p: the state
 * @bytes: how many have been moved
 * @ms: in what time
 * @width: columns of the terminal
 * @line: out: @size bytes; never wider than @width - 1
 * @size: of @line
 */
void progress_line(const struct progress *p, uint64_t bytes, int64_t ms, int width, char *line,
		   int size);

#endif
