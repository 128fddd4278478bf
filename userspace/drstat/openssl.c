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

/* A file that is read line by line */
struct conf_file {
	FILE *f;
	char here[WORD]; /* the section that @line is in */
	char line[1024];
	bool odd; /* it has what we do not follow */
};

static void begin(struct conf_file *c)
{
	rewind(c->f);
	strcpy(c->here, "default");
}

/* The next NAME = VALUE of a section, which may have several parts. Return: false at the end. */
static bool next(struct conf_file *c, const char *section, char **name, char **value)
{
	while (fgets(c->line, sizeof(c->line), c->f)) {
		char *text = trim(c->line), *equals = strchr(text, '='), *end;

		if (*text == '[') {
			end = strchr(text, ']');
			if (end)
				*end = '\0';
			snprintf(c->here, sizeof(c->here), "%s", trim(text + 1));
			continue;
		}
		/* OpenSSL takes no file that has a line without = in it. */
		if (!strncmp(text, ".include", strlen(".include")) || (*text && !equals) ||
		    (*text && text[strlen(text) - 1] == '\\'))
			c->odd = true;
		if (!equals)
			continue;
		*equals = '\0';
		*name = trim(text);
		*value = trim(equals + 1);
		/* SECTION::NAME is of another section than the one it is in. */
		if (strstr(*name, "::"))
			c->odd = true;
		else if (!strcmp(c->here, section))
			return true;
	}
	return false;
}

/* The value of @key in @section: the last one counts. Return: whether there is one. */
static bool lookup(struct conf_file *c, const char *section, const char *key, char *found)
{
	char *name, *value;
	bool any = false;

	for (begin(c); next(c, section, &name, &value);) {
		if (strcmp(name, key) != 0)
			continue;
		snprintf(found, WORD, "%s", value);
		any = true;
	}
	return any;
}

/* OpenSSL 3.0 has them for clients and servers; all else it may not know. */
static bool is_known(const char *option)
{
	static const char *const names[] = {
		"SessionTicket",
		"EmptyFragments",
		"Bugs",
		"Compression",
		"UnsafeLegacyRenegotiation",
		"UnsafeLegacyServerConnect",
		"ClientRenegotiation",
		"EncryptThenMac",
		"NoRenegotiation",
		"AllowNoDHEKEX",
		"PrioritizeChaCha",
		"MiddleboxCompat",
		"AntiReplay",
		"ExtendedMasterSecret",
		"CANames",
	};

	option += *option == '+' || *option == '-';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(option, names[i]))
			return true;
	return false;
}

/*
 * Options = A,-B, C: names of switches, in any case. The last one counts. OpenSSL stops at one that
 * it does not know. @conf: what the lines before say
 */
static enum conf options_say(enum conf conf, char *options)
{
	bool known = true;
	char *option;

	while ((option = strsep(&options, ","))) {
		bool off;

		option = trim(option);
		off = !strcasecmp(option, "-KTLS");
		if (off || !strcasecmp(option, "KTLS") || !strcasecmp(option, "+KTLS")) {
			if (!known)
				return CONF_UNKNOWN;
			conf = off ? CONF_DECLINED : CONF_KTLS;
		} else if (strpbrk(option, " \t")) {
			return conf == CONF_OFF ? CONF_UNKNOWN : conf;
		} else {
			known = known && is_known(option);
		}
	}
	return conf;
}

/*
 * All Options of a section: what is in front of a dot only makes a name of its own, and each name
 * counts where it is last. @old: out: what Options itself has
 */
static enum conf all_options(struct conf_file *c, const char *section, char *old)
{
	struct {
		char name[WORD], value[WORD];
	} lines[16];
	const size_t max = sizeof(lines) / sizeof(*lines);
	enum conf conf = CONF_OFF;
	char *name, *value;
	size_t n = 0, i;

	*old = '\0';
	for (begin(c); next(c, section, &name, &value);) {
		const char *dot = strchr(name, '.');

		if (strcasecmp(dot ? dot + 1 : name, "Options") != 0)
			continue;
		for (i = 0; i < n && strcmp(lines[i].name, name) != 0;)
			i++;
		if (i < n)
			memmove(&lines[i], &lines[i + 1], (--n - i) * sizeof(*lines));
		if (n == max || strlen(name) >= WORD || strlen(value) >= WORD)
			return CONF_UNKNOWN;
		strcpy(lines[n].name, name);
		strcpy(lines[n++].value, value);
	}
	for (i = 0; i < n; i++) {
		if (!strcmp(lines[i].name, "Options"))
			strcpy(old, lines[i].value);
		conf = options_say(conf, lines[i].value);
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
					steps[step].ours, step == STEPS - 1 && *old ? "," : "",
					step == STEPS - 1 ? old : "");
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

static enum conf follow(struct conf_file *c, const char *name, char *mend)
{
	char section[WORD] = "default", old[WORD] = "", value[WORD];
	enum conf conf = CONF_OFF;
	size_t step;

	for (step = 0; step < STEPS - 1; step++) {
		if (!lookup(c, section, steps[step].key, value))
			break;
		strcpy(section, value);
	}
	if (step == STEPS - 1)
		conf = all_options(c, section, old);
	if (conf != CONF_OFF)
		return conf;
	return c->odd ? CONF_UNKNOWN : write_mend(step, section, old, name, mend);
}

enum conf openssl_conf(int fd, const char *name, char *mend)
{
	enum conf conf = CONF_UNKNOWN;
	struct conf_file c = { 0 };
	char *text;
	size_t len;

	*mend = '\0';
	if (fd < 0)
		return fd == -ENOENT ? write_mend(0, "default", "", name, mend) : CONF_UNKNOWN;
	text = read_text(fd, &len);
	c.f = text ? fmemopen(text, len, "r") : NULL;
	if (c.f) {
		conf = follow(&c, name, mend);
		fclose(c.f);
	}
	free(text);
	return conf;
}
