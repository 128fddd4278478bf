// SPDX-License-Identifier: GPL-2.0
/*
 * What an openssl.cnf says of kernel TLS: openssl_conf in the default section names a section,
 * whose ssl_conf names one, whose system_default names the one with Options. See config(5ssl).
 */
#include "drstat.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD 128
#define CONF_MAX (1 << 20)

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
		/* OpenSSL takes no file that has a line without = in it. */
		if (!strncmp(text, ".include", strlen(".include")) || (*text && !equals) ||
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

/*
 * Options = A,-B, C: names of switches, in any case. The last one counts. OpenSSL stops at one that
 * it does not know.
 */
static enum conf options_say(char *options)
{
	enum conf conf = CONF_OFF;
	char *option, *at;

	for (option = strtok_r(options, ",", &at); option; option = strtok_r(NULL, ",", &at)) {
		option = trim(option);
		if (!strcasecmp(option, "KTLS") || !strcasecmp(option, "+KTLS"))
			conf = CONF_KTLS;
		else if (!strcasecmp(option, "-KTLS"))
			conf = CONF_DECLINED;
		else if (strpbrk(option, " \t"))
			return conf == CONF_OFF ? CONF_UNKNOWN : conf;
	}
	return conf;
}

bool plain(const char *text, const char *more)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

/*
 * The command that writes what is missing behind the file: a section may be continued, and the
 * last value counts. @step: where the way ends, in @section; @old: options that are to stay;
 * @name: NULL: no command
 */
static enum conf write_mend(size_t step, const char *section, const char *old, const char *name,
			    char *mend)
{
	char lines[512];
	size_t len = 0;

	*mend = '\0';
	if (!plain(section, "_-.") || !plain(old, "_-,+ "))
		return CONF_UNKNOWN;
	if (!name || !plain(name, "_-./+:@~"))
		return CONF_OFF;
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

/* No link leads out of @root, and nothing is opened that could wait or do something. */
int openssl_find(const char *root, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int dir = open(root, O_PATH | O_CLOEXEC | O_DIRECTORY), fd;

	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(dir);
	return fd;
}

/*
 * The text of a file, to be freed, with the end of a line behind it. Its size is what stat() says:
 * files of the kernel that may wait, such as /proc/kmsg, have none. Return: NULL: we do not read it
 */
static char *read_text(int found, size_t *len)
{
	char path[64], *text = NULL;
	ssize_t got = 1;
	struct stat st;
	int fd = -1;

	if (fstat(found, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CONF_MAX)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		text = malloc((size_t)st.st_size + 1);
	for (*len = 0; text && got > 0 && *len < (size_t)st.st_size; *len += (size_t)got) {
		got = read(fd, text + *len, (size_t)st.st_size - *len);
		if (got < 0) {
			free(text);
			text = NULL;
			break;
		}
	}
	if (fd >= 0)
		close(fd);
	if (text)
		text[(*len)++] = '\n';
	return text;
}

static enum conf follow(FILE *f, const char *name, char *mend)
{
	char section[WORD] = "default", value[WORD] = "", options[WORD];
	enum conf conf = CONF_OFF;
	bool odd = false;
	size_t step;

	for (step = 0; step < STEPS; step++) {
		if (!lookup(f, section, steps[step].key, value, &odd))
			break;
		if (step < STEPS - 1)
			snprintf(section, sizeof(section), "%s", value);
	}
	if (step == STEPS) {
		memcpy(options, value, sizeof(options));
		conf = options_say(options);
	}
	if (conf != CONF_OFF)
		return conf;
	if (odd)
		return CONF_UNKNOWN;
	if (step < STEPS)
		return write_mend(step, section, "", name, mend);
	return write_mend(STEPS - 1, section, value, name, mend);
}

enum conf openssl_conf(int fd, const char *name, char *mend)
{
	enum conf conf = CONF_UNKNOWN;
	char *text;
	size_t len;
	FILE *f;

	*mend = '\0';
	if (fd < 0)
		return fd == -ENOENT ? write_mend(0, "default", "", name, mend) : CONF_UNKNOWN;
	text = read_text(fd, &len);
	f = text ? fmemopen(text, len, "r") : NULL;
	if (f) {
		conf = follow(f, name, mend);
		fclose(f);
	}
	free(text);
	return conf;
}
