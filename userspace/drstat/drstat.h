/* SPDX-License-Identifier: GPL-2.0 */
/*
 * drstat.h - what drstat's files tell each other: read.c takes in what the module shows,
 * text.c, json.c and prometheus.c write it, out.c brings that to where it is wanted, netns.c
 * goes from one network namespace to another, report.c makes reports of it. `drstat doctor` is
 * in doctor.h; sockets.c, programs.c and openssl.c look around for it. main.c has the command line.
 */
#ifndef DRSTAT_H
#define DRSTAT_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit statuses, documented in drstat(8): a number is never given a second meaning. */
enum xs {
	XS_OK = 0,
	XS_OUTPUT = 1, /* cannot be written; no memory */
	XS_USAGE = 2,
	XS_NO_MODULE = 3,
	XS_NETNS = 4,	 /* no such network namespace, or none that we may enter */
	XS_FILE = 5,	 /* the module's files: unreadable, or not understood */
	XS_FINDINGS = 6, /* the doctor has found something to do */
};

/* ---- main.c ---- */

enum sort { SORT_NONE, SORT_IDLE, SORT_BYTES };
enum format { TEXT, JSON, PROMETHEUS };

struct options {
	enum format format;
	bool held;
	bool watch;
	bool zeros;
	const char *output;
	const char *netns;
	bool all_netns;
	bool doctor;
	enum sort sort;
	double interval; /* 0: once */
	int count;	 /* 0: until a signal comes */
};

/* ---- read.c ---- */

#define COUNTERS_MAX 256
#define KNOBS_MAX 32

struct counter {
	char name[64]; /* letters, digits and _ only */
	uint64_t value;
};

struct stats {
	double at;	/* seconds, CLOCK_MONOTONIC */
	bool restarted; /* see stats_compare() */
	size_t n;	/* 0: the module is not loaded */
	struct counter counter[COUNTERS_MAX];
	char version[32]; /* the module's, "" if it cannot be read */
	size_t knobs;
	struct counter knob[KNOBS_MAX]; /* as in /proc/sys/net/tls_drst, mode first */
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

/* A file below /proc, or below what PROC_ROOT names; below /sys or SYS_ROOT */
void proc_path(char *path, const char *name);
void sys_path(char *path, const char *name);

/*
 * An array of @n elements of @size bytes that has room for one more, perhaps moved; @room is for
 * how many it has room. NULL: no memory, and the array is as before.
 */
void *with_room(void *array, size_t n, size_t *room, size_t size);
/* The first line of a file, without its end. Return: whether it could be read. */
bool read_line(const char *path, char *line, size_t size);

/**
 * stats_read() - read the counters, the knobs and the version
 * @s: out: the counters, none where it fails
 *
 * Return: 0, XS_NO_MODULE, of which nothing has been said, or XS_FILE.
 */
enum xs stats_read(struct stats *s);

/* The same for the counters of net/tls. XS_NO_MODULE: there is no kernel TLS. */
enum xs tls_stats_read(struct stats *s);

/* The counter of that name, most likely at @i; NULL: none */
const struct counter *counter_find(const struct counter *of, size_t n, size_t i, const char *name);

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

/* The most idle, or the largest, first */
void holds_sort(struct holds *h, enum sort sort);

/* Say that the module is not loaded, and what to do. Return: XS_NO_MODULE. */
enum xs no_module(void);

/* ---- text.c ---- */

/* A heading; @name: "" is our own. @first: nothing is above it */
void show_netns(FILE *to, const char *name, bool first);

/* The version and the knobs, on a line */
void show_setup(FILE *to, const struct stats *now);

/*
 * The counters; with their changes where @before is not NULL. @zeros: those that are 0, too.
 * @max: where there are more, those that have not changed are left out.
 */
void show_counters(FILE *to, const struct stats *now, const struct stats *before, bool zeros,
		   size_t max);

/* The list, but not more than @max lines of it. @narrow: the peer first, for 80 columns */
void show_holds(FILE *to, const struct holds *h, size_t max, bool narrow);

/* How many bytes the character takes; 0: it is none of UTF-8 */
size_t utf8_length(const char *text);

/* 1536: 1.5K */
const char *human_size(char *out, size_t size, uint64_t bytes);

/* Numbers of net/tcp_states.h, names of ss(8) */
const char *state_name(unsigned int state);

/* Per second */
double rate(const struct stats *now, const struct stats *before, struct change change);

/* ---- json.c ---- */

/* An object on a line. Each part may be NULL. */
void show_json(FILE *to, const char *netns, const struct stats *now, const struct stats *before,
	       const struct holds *h);

/* A string, in quotes; bytes that are not UTF-8 become the text \xNN */
void json_string(FILE *to, const char *text);

/* An object of counters */
void json_counters(FILE *to, const struct counter *c, size_t n);

/* "time": seconds since 1970, without braces */
void json_time(FILE *to);

/* ---- prometheus.c ---- */

struct labelled {
	const char *netns; /* the value of a label, "": none */
	const struct stats *now;
};

/* For node_exporter. No namespace at all: the module is not loaded. */
void show_prometheus(FILE *to, const struct labelled *of, size_t n);

/* ---- netns.c ---- */

struct netns {
	char name[128]; /* "": the one that drstat was started in */
	char path[PATH_MAX];
	dev_t dev;
	ino_t ino;
};

/* Where the namespace of that name, or path, is */
void netns_named(struct netns *ns, const char *name);

/**
 * netns_enter() - go to a network namespace
 * @name: a name as `ip netns` has them, or a path; becomes "" where it is the one that we are in
 *
 * Return: 0, or XS_NETNS after a word about it.
 */
enum xs netns_enter(const char **name);

/**
 * netns_list() - find all network namespaces that have a name or a process
 * @list: out: to be freed; our own is the first
 * @n: out: how many
 *
 * Return: 0, or another status after a word about it.
 */
enum xs netns_list(struct netns **list, size_t *n);

/*
 * Enter one of the list, whose path and name may change. Return: as netns_enter(), or XS_NO_MODULE:
 * it has gone, nothing is said.
 */
enum xs netns_visit(struct netns *ns);

/* ---- sockets.c ---- */

struct tcp_socket {
	unsigned int inode; /* 0: no process has it */
	bool listening;
	bool ktls;
};

struct sockets {
	size_t n;
	size_t room;
	struct tcp_socket *socket; /* sorted by inode */
	bool ulp_seen;		   /* we may see which are kernel TLS's */
	const char *trouble;	   /* why nothing could be read, or NULL */
};

/* The TCP sockets of this network namespace. To begin with all 0; s->socket is to be freed. */
void sockets_read(struct sockets *s);

/* Return: NULL where it is no TCP socket of the namespace. */
const struct tcp_socket *sockets_find(const struct sockets *s, unsigned int inode);

/* ---- openssl.c ---- */

enum conf {
	CONF_NONE,    /* no OpenSSL */
	CONF_UNKNOWN, /* unreadable, or too clever for us */
	CONF_OFF,
	CONF_DECLINED, /* switched off on purpose */
	CONF_KTLS,
};

#define OPENSSL_CNF "/etc/ssl/openssl.cnf"

/* Names that need no care in a shell: letters, digits and what is in @more */
bool plain(const char *text, const char *more);

/* A file as a program with that root sees it. Return: an O_PATH descriptor or a negative errno. */
int openssl_find(const char *root, const char *name);

/**
 * openssl_conf() - find out whether an openssl.cnf switches kernel TLS on
 * @fd: what openssl_find() has found; -ENOENT: the file is missing
 * @name: its name in the command that mends it; NULL: none
 * @mend: out, for CONF_OFF: that command, "" if there is none; PATH_MAX + 1024
 *
 * Return: see enum conf.
 */
enum conf openssl_conf(int fd, const char *name, char *mend);

/* ---- programs.c ---- */

struct program {
	char name[32];
	char unit[256]; /* the service of systemd, fit for a shell, or "" */
	int pid;	/* the first one of that name and file */
	size_t more;	/* how many others there are */
	size_t ktls;
	size_t other; /* connections without kernel TLS */
	size_t listening;
	bool cannot; /* docs/howto.md says that openssl.cnf gives it no kernel TLS */
	enum conf conf;
	bool stale;	     /* started before the file was changed */
	char file[PATH_MAX]; /* openssl.cnf */
	size_t inside;	     /* where in @file its name begins as the program sees it */
	dev_t root_dev;	     /* the program's root, 0 where we may not see it */
	ino_t root_ino;
	char mend[PATH_MAX + 1024]; /* "": no command of ours mends the file */
};

struct programs {
	size_t n;
	size_t room;
	struct program *program;
	size_t unseen; /* processes whose sockets we may not see */
};

/* The programs that have TCP sockets. To begin with all 0; p->program is to be freed. */
void programs_read(struct programs *p, const struct sockets *sockets);

/* ---- report.c ---- */

/* All that drstat does but for the doctor. Return: 0, or a status after a word about it. */
enum xs report(const struct options *o);

/* ---- doctor.c ---- */

/* Return: 0, XS_FINDINGS, or another status after a word about it. */
enum xs doctor(const struct options *o);

/* ---- out.c ---- */

/* The signal that asks us to stop, 0 while there is none */
extern volatile sig_atomic_t stop_signal;

/* A line to standard error, with our name before it; a terminal is given back first. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Seconds, CLOCK_MONOTONIC */
double now_s(void);

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
