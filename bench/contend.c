// SPDX-License-Identifier: GPL-2.0
/*
 * Do close()s of connections that are held get into each other's way?
 *
 *	contend ROUNDS CLOSES KO...
 *
 * Each KO is a file of the module. They take turns, and with each of them one process
 * closes CLOSES connections, then as many processes as there are CPUs do, each on a CPU
 * of its own, with connections that it has opened there. Prints lines of
 *
 *	KO PROCESSES close NANOSECONDS
 *
 * which are from the first close() of all to the last, and where the functions of the
 * module are, for the report of share.c, which counts between the marks:
 *
 *	WINDOW KO PROCESSES CLOSES window
 *	WINDOW function ADDRESS NAME
 */
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "drst.h"
#include "mark.h"

/* Little, as nobody reads it */
#define WINDOW 1024
#define UPLOAD 3072

#define CPUS_MAX 64

/* What the processes share */
struct meeting {
	int ready, done;
	bool go;
	uint64_t began[CPUS_MAX], ended[CPUS_MAX];
};

bool inserts_module = true;

static struct meeting *meeting;
static struct bed bed;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

/* Queues that are full and something unread: each close() owes a RST. */
static struct conn *open_all(int cpu, int closes)
{
	const struct conn_opts opts = {
		.listener = peer_listener_at(&bed, AF_INET, PEER_PORT + 1 + cpu,
					     WINDOW),
	};
	struct conn *conns = calloc(closes, sizeof(*conns));
	int i;

	MUST(conns);
	for (i = 0; i < closes; i++) {
		conn_open(&conns[i], &bed, &opts);
		conn_upload(&conns[i], UPLOAD);
		peer_reply(&conns[i]);
		MUST(conn_await_unread(&conns[i]));
	}
	return conns;
}

static void close_all(int cpu, int processes, int closes)
{
	struct conn *conns;
	int i;

	stay_on(cpu);
	conns = open_all(cpu, closes);
	__atomic_add_fetch(&meeting->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&meeting->go, __ATOMIC_SEQ_CST))
		sched_yield();

	meeting->began[cpu] = now();
	for (i = 0; i < closes; i++)
		close(conns[i].fd);
	meeting->ended[cpu] = now();

	if (__atomic_add_fetch(&meeting->done, 1, __ATOMIC_SEQ_CST) == processes)
		mark_end();
	MUST(EVENTUALLY(__atomic_load_n(&meeting->done, __ATOMIC_SEQ_CST) ==
			processes));
	for (i = 0; i < closes; i++) {
		conns[i].fd = -1;
		peer_reset(&conns[i]);
	}
}

/* From the first close() to the last */
static uint64_t duration(int processes)
{
	uint64_t began = meeting->began[0], ended = meeting->ended[0];
	int i;

	for (i = 1; i < processes; i++) {
		if (meeting->began[i] < began)
			began = meeting->began[i];
		if (meeting->ended[i] > ended)
			ended = meeting->ended[i];
	}
	return ended - began;
}

static void print_functions(int window)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256], type;
	unsigned long address;

	MUST(file);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "[tls_drst]") &&
		    sscanf(line, "%lx %c %255s", &address, &type, name) == 3 &&
		    strchr("tT", type))
			printf("%d function %lx %s\n", window, address, name);
	fclose(file);
}

static void measure(const char *ko, int processes, int closes)
{
	static int window;
	int i, status;

	memset(meeting, 0, sizeof(*meeting));
	fflush(stdout);
	for (i = 0; i < processes; i++) {
		if (fork())
			continue;
		close_all(i, processes, closes);
		_exit(0);
	}
	while (__atomic_load_n(&meeting->ready, __ATOMIC_SEQ_CST) < processes)
		pause_ms(1);
	mark_begin();
	__atomic_store_n(&meeting->go, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < processes; i++)
		MUST(wait(&status) > 0 && !status);
	MUST(drst_stat("Held") == (long)processes * closes);

	printf("%s %d close %lu\n", ko, processes, duration(processes));
	printf("%d %s %d %d window\n", window, ko, processes,
	       processes * closes);
	print_functions(window++);
}

/* A bed of its own each time: its counters begin at 0. */
static void measure_with(const char *ko, int processes, int closes)
{
	char path[4096];

	MUST(!drst_load(ko, "mode=2 max_held=100000"));
	bed_open(&bed);
	strcpy(path, ko);
	measure(basename(path), processes, closes);
	MUST(drst_stat_await("CurrHeld", 0));
	bed_close(&bed);
	MUST(drst_unloaded());
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 16, 1 << 16 };
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), round, i;

	if (argc < 4 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: contend ROUNDS CLOSES KO...\n");
		return 2;
	}
	MUST(cpus <= CPUS_MAX);
	MUST(!setrlimit(RLIMIT_NOFILE, &files));
	MUST(!write_file("/proc/sys/net/ipv4/tcp_mem",
			 "1000000 1000000 1000000"));
	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(meeting != MAP_FAILED);
	for (round = 0; round < atoi(argv[1]); round++) {
		for (i = 3; i < argc; i++) {
			measure_with(argv[i], 1, atoi(argv[2]));
			measure_with(argv[i], cpus, atoi(argv[2]));
		}
	}
	return 0;
}
