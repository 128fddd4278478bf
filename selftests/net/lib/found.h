/* SPDX-License-Identifier: GPL-2.0 */
/* Settings, noted and later put back as they were found. */
#ifndef SELFTESTS_FOUND_H
#define SELFTESTS_FOUND_H

#include <stdbool.h>

struct found {
	int n;
	struct {
		char path[64], text[128];
	} settings[16];
};

/*
 * What a program changes on the machine: whatever has become of the tests' own
 * processes, its first one puts this back after the last test. A constructor notes it.
 */
extern struct found found_machine;

/* Is the caller the process that the program began as? */
bool first_process(void);

void found_note(struct found *found, const char *path);

/* The module's knobs in the caller's network namespace. None without the module. */
void found_note_knobs(struct found *found);

void found_put_back(const struct found *found);

#endif
