/* SPDX-License-Identifier: GPL-2.0 */
/*
 * drstat.h - what drstat's files tell each other: read.c takes in what the module shows,
 * show.c writes it in one of the formats, out.c brings that to where it is wanted, main.c
 * has the command line.
 */
#ifndef DRSTAT_H
#define DRSTAT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, documented in drstat(8): a number is never given a second meaning. */
enum xs {
	XS_OK = 0,
	XS_OUTPUT = 1, /* cannot be written; no memory */
	XS_USAGE = 2,
	XS_NO_MODULE = 3,
	XS_NETNS = 4, /* no such network namespace, or none that we may enter */
	XS_FILE = 5,  /* the module's files: unreadable, or not understood */
};

/* ---- read.c ---- */

#define COUNTERS_MAX 256

struct counter {
	char name[64]; /* letters, digits and _ only */
	uint64_t value;
};

struct stats {
	double at;	/* seconds, CLOCK_MONOTONIC */
	bool restarted; /* see stats_compare() */
	size_t n;	/* 0: the module is not loaded */
	struct counter counter[COUNTERS_MAX];
};

struct change {
	bool less;
	uint64_t by;
};

/* A line of /proc/net/tls_drst */
struct hold {
	char local[64]; /* nothing that JSON would have to escape */
	char remote[64];
	char cause[16];
	unsigned int state;
	uint64_t bytes;
	uint64_t held_ms;
	uint64_t idle_ms;
	uint64_t cookie;
};

struct holds {
	size_t n;
	size_t room;
	struct hold *hold;
};

/**
 * stats_read() - read the counters
 * @s: out: the counters, none where it fails
 *
 * Return: 0, XS_NO_MODULE, of which nothing has been said, or XS_FILE.
 */
enum xs stats_read(struct stats *s);

/**
 * stats_compare() - find out whether counters have begun anew since
 * @now: the counters; .restarted is set
 * @before: earlier ones, perhaps none
 *
 * Where one has gone back the module was loaded again, and all count from 0.
 */
void stats_compare(struct stats *now, const struct stats *before);

/**
 * stats_change() - how a counter has changed
 * @now: the counters, compared to @before
 * @before: earlier ones
 * @i: which one of @now
 *
 * Return: the change; only a gauge's can be negative.
 */
struct change stats_change(const struct stats *now, const struct stats *before, size_t i);

/* Names tell gauges from counters, as elsewhere in /proc/net: TcpCurrEstab, TlsCurrTxSw. */
bool counter_is_gauge(const struct counter *c);

/**
 * holds_read() - read the list of held connections
 * @h: out: the list; to begin with all 0, may be used again
 *
 * Return: 0, XS_NO_MODULE, of which nothing has been said, or another status.
 */
enum xs holds_read(struct holds *h);

/* Say that the module is not loaded, and what to do. Return: XS_NO_MODULE. */
enum xs no_module(void);

/* ---- show.c ---- */

/* The counters; with their changes where @before is not NULL. @zeros: those that are 0, too. */
void show_counters(FILE *to, const struct stats *now, const struct stats *before, bool zeros);

/* The list, but not more than @max lines of it */
void show_holds(FILE *to, const struct holds *h, size_t max);

/* An object on a line. Each part may be NULL. */
void show_json(FILE *to, const struct stats *now, const struct stats *before,
	       const struct holds *h);

/* For node_exporter. @netns: the value of a label, or NULL */
void show_prometheus(FILE *to, const struct stats *now, const char *netns);

/* ---- out.c ---- */

/* The signal that asks us to stop, 0 while there is none */
extern volatile sig_atomic_t stop_signal;

/* A line to standard error, with our name before it; a terminal is given back first. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Seconds, CLOCK_MONOTONIC */
double now_s(void);

/**
 * enter_netns() - go to a network namespace
 * @name: a name as `ip netns` has them, or a path
 *
 * Return: 0, or XS_NETNS after a word about it.
 */
enum xs enter_netns(const char *name);

/* Catch the signals that ask us to stop, where nobody has them ignored. */
void catch_signals(void);

/* Sleep until @deadline, or less long where a signal comes; see stop_signal. */
void sleep_until(double deadline);

/**
 * screen_begin() - take the terminal
 *
 * Return: whether standard output is one that can be drawn on.
 */
bool screen_begin(void);

/* How many lines and columns the terminal has */
void screen_size(size_t *rows, size_t *cols);

/* Give the terminal back, the cursor visible and below what was drawn. */
void screen_end(void);

/* Where a report goes. Return: 0, or XS_OUTPUT after a word about it. */
enum xs put_screen(const char *text);
enum xs put_stdout(const char *text, size_t len);

/**
 * put_file() - replace a file, so that a reader sees the old one or the new one
 * @name: the file
 * @text: what it is to contain
 * @len: how much
 *
 * Return: 0, or XS_OUTPUT after a word about it; the file is as it was then.
 */
enum xs put_file(const char *name, const char *text, size_t len);

#endif
