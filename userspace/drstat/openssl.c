// SPDX-License-Identifier: GPL-2.0
/*
 * What an openssl.cnf says of kernel TLS: openssl_conf in the default section names a section,
 * whose ssl_conf names one, whose system_default names the one with Options. See config(5ssl).
 */
#include "drstat.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD 128

/* A step from one section to the next, and the name that we give that one where it has none */
static const struct {
	const char *key;
	const char *ours;
} steps[] = {
	{ "openssl_conf", "ktls_init" },
	{ "ssl_conf", "ktls_ssl" },
	{ "system_default", "ktls_default" },
	{ "Options", "KTLS" },
};

#define STEPS (sizeof(steps) / sizeof(*steps))

/* Cut blanks and a comment off; in place. */
static char *trim(char *text)
{
	size_t len;

	text[strcspn(text, "#\n")] = '\0';
	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

/*
 * The value of @key in @section: the last one counts, and a section may have several parts.
 * Return: whether there is one. @odd: set where the file has what we do not follow
 */
static bool lookup(FILE *f, const char *section, const char *key, char *value, bool *odd)
{
	char line[1024], here[WORD] = "default";
	bool found = false;

	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		char *text = trim(line), *equals = strchr(text, '='), *end;

		if (*text == '[') {
			end = strchr(text, ']');
			if (end)
				*end = '\0';
			snprintf(here, sizeof(here), "%s", trim(text + 1));
			continue;
		}
		if (!strncmp(text, ".include", strlen(".include")) ||
		    (*text && text[strlen(text) - 1] == '\\'))
			*odd = true;
		if (!equals || strcmp(here, section) != 0)
			continue;
		*equals = '\0';
		if (strcasecmp(trim(text), key) != 0)
			continue;
		snprintf(value, WORD, "%s", trim(equals + 1));
		found = true;
	}
	return found;
}

/* Options = A,-B, C: names of switches, in any case */
static bool has_ktls(const char *options)
{
	while (*options) {
		size_t len;

		options += strspn(options, ", \t+");
		len = strcspn(options, ", \t");
		if (len == 4 && !strncasecmp(options, "KTLS", len))
			return true;
		options += len;
	}
	return false;
}

/* Names that need no care in a shell */
static bool plain(const char *text, const char *more)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

/*
 * The command that writes what is missing behind the file: a section may be continued, and the
 * last value counts. @step: where the way ends, in @section; @old: options that are to stay
 */
static enum conf write_mend(size_t step, const char *section, const char *old, const char *name,
			    char *mend)
{
	char lines[512];
	size_t len = 0;

	if (!plain(section, "_-.") || !plain(old, "_-,+ ") || !plain(name, "_-./+:@~"))
		return CONF_UNKNOWN;
	for (; step < STEPS; step++) {
		len += (size_t)snprintf(lines + len, sizeof(lines) - len,
					"\\n[%s]\\n%s = %s%s%s\\n", section, steps[step].key,
					step == STEPS - 1 && *old ? old : "",
					step == STEPS - 1 && *old ? "," : "", steps[step].ours);
		if (len >= sizeof(lines))
			return CONF_UNKNOWN;
		section = steps[step].ours;
	}
	snprintf(mend, PATH_MAX + 1024, "printf '%s' >>%s", lines, name);
	return CONF_OFF;
}

enum conf openssl_conf(const char *path, const char *name, char *mend)
{
	char section[WORD] = "default", value[WORD] = "";
	FILE *f = fopen(path, "re");
	enum conf conf = CONF_KTLS;
	bool odd = false;
	size_t step;

	if (!f)
		return errno == ENOENT ? write_mend(0, section, "", name, mend) : CONF_UNKNOWN;
	for (step = 0; step < STEPS; step++) {
		if (!lookup(f, section, steps[step].key, value, &odd))
			break;
		if (step < STEPS - 1)
			snprintf(section, sizeof(section), "%s", value);
	}
	if (step < STEPS || !has_ktls(value))
		conf = odd ? CONF_UNKNOWN :
			     write_mend(step < STEPS ? step : STEPS - 1, section,
					step < STEPS ? "" : value, name, mend);
	fclose(f);
	return conf;
}
