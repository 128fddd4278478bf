// SPDX-License-Identifier: GPL-2.0
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"

#define DEBUGFS "/sys/kernel/debug/"
#define NTH "/proc/thread-self/fail-nth"
#define MODULE "/sys/module/tls_drst/"
#define TIMES 1000000000
#define TIMES_TEXT "1000000000"

static const char * const kinds[] = { "failslab", "fail_page_alloc" };

static void set(const char *name, const char *value)
{
	char path[128];
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", kinds[i], name);
		MUST(!write_file(path, value));
	}
}

bool fault_supported(void)
{
	return !access(NTH, W_OK) &&
	       !access(DEBUGFS "failslab/require-start", W_OK) &&
	       !access(DEBUGFS "fail_page_alloc/require-start", W_OK);
}

static void below(unsigned long long start, unsigned long long end)
{
	char text[32];

	MUST(start && start < end);
	set("probability", "0");
	set("verbose", "0");
	set("times", "-1");
	set("ignore-gfp-wait", "N");	/* those that may sleep fail, too */
	MUST(!write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N"));
	MUST(!write_file(DEBUGFS "fail_page_alloc/min-order", "0"));
	snprintf(text, sizeof(text), "%#llx", start);
	set("require-start", text);
	snprintf(text, sizeof(text), "%#llx", end);
	set("require-end", text);
}

void fault_below_module(void)
{
	unsigned long long start;
	char text[64];

	read_file(MODULE "sections/.text", text, sizeof(text));
	start = strtoull(text, NULL, 16);
	read_file(MODULE "coresize", text, sizeof(text));
	below(start, start + strtoull(text, NULL, 10));
}

/* The symbols are sorted: the next one is where the function ends. */
void fault_below_function(const char *name)
{
	unsigned long long start = 0, addr = 0;
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], symbol[256];

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %*c %255s", &addr, symbol) != 2)
			continue;
		if (!start && !strcmp(symbol, name))
			start = addr;
		else if (start && addr > start)
			break;
	}
	fclose(f);
	below(start, addr);
}

void fault_arm(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	MUST(!write_file(NTH, text));
}

bool fault_disarm(void)
{
	char text[16];

	read_file(NTH, text, sizeof(text));
	MUST(!write_file(NTH, "0"));
	return atoi(text) == 0;
}

void fault_all(bool on)
{
	/* It counts down. */
	if (on)
		set("times", TIMES_TEXT);
	set("probability", on ? "100" : "0");
}

long fault_hits(void)
{
	char path[128], text[32];
	unsigned int i;
	long hits = 0;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/times", kinds[i]);
		read_file(path, text, sizeof(text));
		hits += TIMES - strtol(text, NULL, 10);
	}
	return hits;
}
