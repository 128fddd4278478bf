// SPDX-License-Identifier: GPL-2.0
#include "found.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "drst.h"

struct found found_machine;
static pid_t first;

__attribute__((constructor)) static void machine_find(void)
{
	first = getpid();
}

__attribute__((destructor)) static void machine_put_back(void)
{
	if (first_process())
		found_put_back(&found_machine);
}

bool first_process(void)
{
	return getpid() == first;
}

void found_note(struct found *found, const char *path)
{
	size_t n = found->n++;

	MUST(n < sizeof(found->settings) / sizeof(found->settings[0]));
	MUST(strlen(path) < sizeof(found->settings[n].path));
	strcpy(found->settings[n].path, path);
	read_file(path, found->settings[n].text, sizeof(found->settings[n].text));
}

void found_note_knobs(struct found *found)
{
	DIR *dir = opendir(DRST_SYSCTL);
	struct dirent *entry;
	char path[sizeof(DRST_SYSCTL) + sizeof(entry->d_name)];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), DRST_SYSCTL "%s", entry->d_name);
		found_note(found, path);
	}
	closedir(dir);
}

/* What is as it was is not written: a knob that is set has all holds looked at. */
void found_put_back(const struct found *found)
{
	char now[sizeof(found->settings->text)];
	int i;

	for (i = 0; i < found->n; i++) {
		const char *path = found->settings[i].path;

		if (access(path, F_OK))
			continue;
		read_file(path, now, sizeof(now));
		if (strcmp(now, found->settings[i].text))
			MUST(!write_file(path, found->settings[i].text));
	}
}
