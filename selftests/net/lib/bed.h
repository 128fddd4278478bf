/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test bed: two network namespaces joined by a veth pair, fresh ones or such
 * as are as good (spare.h).
 *
 *      namespace a (sender, kTLS)              namespace b (peer, plain TCP)
 *      +-------------------------+            +--------------------------+
 *      | veth0  192.0.2.1        |------------| veth0  192.0.2.2         |
 *      |        2001:db8::1      |            |        2001:db8::2       |
 *      +-------------------------+            +--------------------------+
 *
 * The test process lives in a; it enters b only to make b's sockets.
 */
#ifndef SELFTESTS_BED_H
#define SELFTESTS_BED_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define PEER_PORT 4433

enum side { SIDE_A, SIDE_B };

struct bed {
	int home;	/* the namespace the test was started in */
	int ns[2];
	bool spare;	/* spare_open() */
	bool single;	/* link_single_packets() */
};

/* More than traffic has been in the bed of this test, which may have children. */
extern bool *bed_altered;

/* What breaks here is the test's surroundings, not the thing under test. */
void fatal(const char *file, int line, const char *what)
	__attribute__((noreturn));
#define FATAL(what) fatal(__FILE__, __LINE__, what)
#define MUST(cond) do { if (!(cond)) FATAL(#cond); } while (0)

/* A kernel without IPv6 has IPv4's tests; the others are skipped, and the harness is told why. */
bool ipv6_present(void);
void require_ipv6(void);
extern const int families[];	/* IPv4's, then IPv6's */
int n_families(void);
extern char *(*skip_reason)(void);	/* where it keeps that: scene.h */

void bed_open(struct bed *bed);
void bed_close(struct bed *bed);
void ns_enter(int ns);
int ns_current(void);
void bed_enter(struct bed *bed, enum side side);
void bed_enter_home(struct bed *bed);
int ns_create(struct bed *bed);		/* another one */

void link_set_up(struct bed *bed, enum side side, bool up);

/* TCP connections of a from now on make segments of one packet each, or any. */
void link_single_packets(struct bed *bed, bool single);

void link_mtu(struct bed *bed, enum side side, unsigned int mtu);

/* The interface of @side moves to another namespace; it comes back as new. */
void link_leave(struct bed *bed, enum side side, int ns);
void link_return(struct bed *bed, enum side side, int ns);

/* The address of @side, there or not; a route of type RTN_... to its peer. */
void addr_set(struct bed *bed, enum side side, int family, bool there);
void route_set(struct bed *bed, enum side side, int family, int type,
	       bool there);
/* Lets the timers of connections that @side opens take @ms at least; for the rest of the test */
void route_rto_min(struct bed *bed, enum side side, int family, uint32_t ms);

/* Delay in milliseconds and loss in percent of what @side sends. */
void link_impair(struct bed *bed, enum side side, unsigned int delay_ms,
		 unsigned int loss_percent);

/* Writes @text to the file @path; returns 0 or -errno of the write. */
int write_file(const char *path, const char *text);
void read_file(const char *path, char *buf, unsigned int size);
/* The number that follows @what in a file of /proc/net, of this task's namespace. */
int net_number(const char *file, const char *what);

/*
 * Sockets of TCP that this namespace has in any form but TIME_WAIT, orphans too:
 * what the files call orphans are the whole machine's.
 */
int tcp_sockets(void);
int time_waits(void);

/*
 * Last resort for states of the kernel that raise no event: evaluates @cond
 * until it holds, for ten seconds at most. True if it came to hold.
 */
#define EVENTUALLY(cond) __extension__ ({				\
	int __tries = 2000;						\
	bool __holds;							\
									\
	while (!(__holds = (cond)) && --__tries)			\
		pause_ms(5);						\
	__holds;							\
})
void pause_ms(int ms);
long clock_ms(clockid_t clock);	/* what it shows now */

/* A handler that does nothing: the call that a signal interrupts gets EINTR. */
void signal_nothing(int sig);
void sigpipe_block(void);
bool sigpipe_came(void);	/* since the last time; it has to be blocked */

/* This task runs on one CPU, numbered modulo how many there are, or stays on its own. */
void cpu_run_on(int n);
void cpu_stay(void);

/*
 * A busy CPU leaves to ksoftirqd what arrives: on this one it goes before all of ours, of
 * which none has a priority above 1.
 */
void softirqs_first(bool first);

/*
 * What net/tls has a worker of this CPU do waits until we sleep, and so do the threads
 * and processes that we have made in between. What arrives does not.
 */
void keep_workers_out(void);
void let_workers_in(void);

/* As io_uring wants poll()'s events: with the lower half where its 16 bits once were. */
uint32_t uring_events(uint32_t events);

/* setsockopt(), which has to succeed */
void sockopt(int fd, int level, int name, int value);

/* A number of the environment's, as the size of a long test. */
int env_number(const char *name, int otherwise);

#endif
