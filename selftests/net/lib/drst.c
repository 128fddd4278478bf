// SPDX-License-Identifier: GPL-2.0
#include "drst.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bed.h"

static const char * const endings[] = {
	"Flushed", "RstSent", "FinSent", "Moot", "TimedOut", "OverLimit",
	"Memory", "PeerReset", "Aborted",
};

bool drst_present(void)
{
	return access(DRST_SYSCTL "mode", F_OK) == 0;
}

int drst_load(const char *ko, const char *args)
{
	int fd = open(ko, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		FATAL(ko);
	ret = syscall(SYS_finit_module, fd, args, 0) ? -errno : 0;
	close(fd);
	return ret;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int drst_unload(void)
{
	return module_unload("tls_drst");
}

const char *test_module(const char *name)
{
	static char path[PATH_MAX];
	const char *dir = getenv("TLS_DRST_MODULES");

	if (!dir)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	return path;
}

bool drst_unloaded(void)
{
	return EVENTUALLY(!drst_present() || drst_unload() == 0);
}

bool drst_absence_meant(void)
{
	const char *absent = getenv("TLS_DRST_ABSENT");

	return absent && !strcmp(absent, "1");
}

bool drst_mode(long mode)
{
	if (drst_present()) {
		drst_set("mode", mode);
		return true;
	}
	if (!drst_absence_meant())
		FATAL("module tls_drst is not loaded (TLS_DRST_ABSENT=1 if meant)");
	return mode == 0;
}

int drst_try(const char *knob, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), DRST_SYSCTL "%s", knob);
	return write_file(path, text);
}

void drst_set(const char *knob, long value)
{
	char text[32];
	int err;

	snprintf(text, sizeof(text), "%ld", value);
	err = drst_try(knob, text);
	if (err) {
		errno = -err;
		FATAL(knob);
	}
}

long drst_get(const char *knob)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), DRST_SYSCTL "%s", knob);
	read_file(path, text, sizeof(text));
	return strtol(text, NULL, 10);
}

/* The number after the name in @text, a file of lines "<name> <number>". */
static long stat_in(const char *text, const char *prefix, const char *name)
{
	char full[64];
	const char *line;
	size_t len;

	len = snprintf(full, sizeof(full), "%s%s", prefix, name);
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, full, len) && strchr(" \t", line[len]))
			return strtol(line + len, NULL, 10);
	}
	FATAL(full);
}

#define TLS_STAT "/proc/thread-self/net/tls_stat"
#define NETSTAT "/proc/thread-self/net/netstat"

/* What the counters' files had when the test began. */
static struct {
	char drst[2048], tls[2048], tcpext[16384];
} before;

static void note(const char *path, char *text, size_t size)
{
	text[0] = '\0';
	if (!access(path, F_OK))
		read_file(path, text, size);
}

void counters_note(void)
{
	note(DRST_STAT, before.drst, sizeof(before.drst));
	note(TLS_STAT, before.tls, sizeof(before.tls));
	note(NETSTAT, before.tcpext, sizeof(before.tcpext));
}

long drst_users(void)
{
	char text[32];

	if (!drst_present())
		return 0;
	read_file("/sys/module/tls_drst/refcnt", text, sizeof(text));
	return strtol(text, NULL, 10);
}

long drst_users_before(void)
{
	/* Others on this machine may have some that stay. */
	(void)EVENTUALLY(!drst_users());
	return drst_users();
}

static long stat_since(const char *path, const char *text_before,
		       const char *prefix, const char *name)
{
	char text[2048];

	read_file(path, text, sizeof(text));
	if (!text_before[0] || !strncmp(name, "Curr", 4))
		return stat_in(text, prefix, name);
	return stat_in(text, prefix, name) -
	       stat_in(text_before, prefix, name);
}

long drst_stat(const char *name)
{
	return stat_since(DRST_STAT, before.drst, "TlsDrst", name);
}

long tls_stat(const char *name)
{
	return stat_since(TLS_STAT, before.tls, "Tls", name);
}

bool drst_stat_await(const char *name, long value)
{
	if (EVENTUALLY(drst_stat(name) == value))
		return true;
	printf("# %s is %ld, not %ld\n", name, drst_stat(name), value);
	return false;
}

static bool adds_up(long held, char *text, size_t size)
{
	long ended = 0;
	size_t i;

	read_file(DRST_STAT, text, size);
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		ended += stat_in(text, "TlsDrst", endings[i]);
	return stat_in(text, "TlsDrst", "CurrHeld") == held &&
	       stat_in(text, "TlsDrst", "Held") == ended + held;
}

bool drst_adds_up(long held)
{
	char text[2048] = "";

	if (!drst_present())
		return true;
	if (EVENTUALLY(adds_up(held, text, sizeof(text))))
		return true;
	printf("# the counters do not add up:\n%s", text);
	return false;
}

bool drst_settled(void)
{
	return drst_adds_up(0);
}

/* These files have pairs of lines: names, then numbers, field by field. */
static long field_in(char *text, const char *prefix, const char *name)
{
	char *names, *numbers, *save_names, *save_numbers;
	char *field, *number;

	names = strstr(text, prefix);
	MUST(names);
	numbers = strchr(names, '\n');
	MUST(numbers);
	*numbers++ = '\0';
	MUST(strchr(numbers, '\n'));
	*strchr(numbers, '\n') = '\0';
	field = strtok_r(names, " ", &save_names);
	number = strtok_r(numbers, " ", &save_numbers);
	while (field && number) {
		if (!strcmp(field, name))
			return strtol(number, NULL, 10);
		field = strtok_r(NULL, " ", &save_names);
		number = strtok_r(NULL, " ", &save_numbers);
	}
	FATAL(name);
}

long tcpext(const char *name)
{
	static char text[sizeof(before.tcpext)];
	long now;

	read_file(NETSTAT, text, sizeof(text));
	now = field_in(text, "TcpExt:", name);
	if (!before.tcpext[0])
		return now;
	strcpy(text, before.tcpext);
	return now - field_in(text, "TcpExt:", name);
}

long tcp_snmp(const char *name)
{
	static char text[4096];

	read_file("/proc/thread-self/net/snmp", text, sizeof(text));
	return field_in(text, "Tcp:", name);
}
