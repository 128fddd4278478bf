/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's knobs and counters, and the kernel's own counters, of the
 * network namespace that the caller is in.
 */
#ifndef SELFTESTS_DRST_H
#define SELFTESTS_DRST_H

#include <stdbool.h>

#define DRST_SYSCTL "/proc/sys/net/tls_drst/"
#define DRST_STAT "/proc/thread-self/net/tls_drst_stat"

bool drst_present(void);

/* Does the environment's TLS_DRST_ABSENT=1 say that it is to be so? */
bool drst_absence_meant(void);

/*
 * A program that inserts the module itself has this set. The others are skipped as
 * a whole where it is missing.
 */
extern bool inserts_module;

/*
 * insmod and rmmod: 0 or -errno. drst_unloaded(): nobody uses it any more, but its
 * last users may be on their way out; false if it stays.
 */
int drst_load(const char *ko, const char *args);
int drst_unload(void);
bool drst_unloaded(void);
int module_unload(const char *name);

/*
 * The path of a module of ../modules, or NULL where the environment's TLS_DRST_MODULES,
 * the directory that they are in, is not set.
 */
const char *test_module(const char *name);
#define REQUIRE_TEST_MODULE(name) do {					\
	if (!test_module(name))						\
		SKIP(return, "no TLS_DRST_MODULES");			\
} while (0)

/*
 * Sets the mode, or finds that vanilla is what is asked for anyway. False
 * without the module, if that is meant; a module that is missing by accident
 * ends the test.
 */
bool drst_mode(long mode);
#define REQUIRE_MODE(mode) do {						\
	if (!drst_mode(mode))						\
		SKIP(return, "module absent, as TLS_DRST_ABSENT=1 says");\
} while (0)

void drst_set(const char *knob, long value);
long drst_get(const char *knob);
/* Returns 0 or -errno. */
int drst_try(const char *knob, const char *text);

/*
 * References on the module, of all namespaces: each socket with our ULP has one until
 * it is destroyed, which is later than its close(). 0 without the module.
 */
long drst_users(void);

/* The same at the start of a test, when what the one before has left is gone. */
long drst_users_before(void);

/* A counter of /proc/net/tls_drst_stat, without its prefix TlsDrst. */
long drst_stat(const char *name);
bool drst_stat_await(const char *name, long value);

/*
 * True when nothing is held any more and every hold has ended in exactly one
 * way. Waits for the last holds to end.
 */
bool drst_settled(void);

/* As drst_settled(), but with @held connections held now. */
bool drst_adds_up(long held);

/* A counter of the kernel's own /proc/net/tls_stat, without its prefix Tls. */
long tls_stat(const char *name);

/* From here these count from zero, but for those that say what is now, Curr... */
void counters_note(void);

/* The counter TcpExt<name> of /proc/net/netstat. */
long tcpext(const char *name);

/* Tcp<name> of /proc/net/snmp, since the namespace began. */
long tcp_snmp(const char *name);

#endif
