// SPDX-License-Identifier: GPL-2.0
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "io.h"

#define NETRC_MAX 65536

/* ------------------------------------------------------------------ netrc */

/* The next word; a word in double quotes may have blanks, and \" and \\. NULL at the end. */
static char *next_word(char **at)
{
	char *p = *at + strspn(*at, " \t\r\n"), *word = p, *to = p;
	bool quoted = *p == '"';

	if (!*p)
		return NULL;
	if (quoted)
		p++;
	while (*p && (quoted ? *p != '"' : !strchr(" \t\r\n", *p))) {
		if (quoted && *p == '\\' && p[1])
			p++;
		*to++ = *p++;
	}
	*at = *p ? p + 1 : p;
	*to = '\0';
	return word;
}

/* A macro ends at the first empty line. */
static void skip_macro(char **at)
{
	char *end = strstr(*at, "\n\n");

	*at = end ? end + 2 : *at + strlen(*at);
}

/* What goes into a command must fit there, and be one line. */
static bool is_good(const char *text)
{
	return text && strlen(text) < URL_PART_MAX && !strpbrk(text, "\r\n");
}

struct entry {
	bool fits; /* the host, and the user where the URL has one */
	const char *login;
	const char *password;
};

static bool take(const struct entry *e, struct url *url)
{
	if (!e->fits || !is_good(e->password))
		return false;
	if (*url->user && e->login && strcmp(e->login, url->user))
		return false;
	if (!*url->user) {
		if (!is_good(e->login) || !*e->login)
			return false;
		strcpy(url->user, e->login);
	}
	strcpy(url->password, e->password);
	url->has_password = true;
	return true;
}

bool netrc_parse(char *text, struct url *url)
{
	struct entry e = { 0 };
	char *word;

	while ((word = next_word(&text))) {
		bool machine = !strcmp(word, "machine");

		if (machine || !strcmp(word, "default")) {
			const char *host = machine ? next_word(&text) : "";

			if (take(&e, url))
				return true;
			e = (struct entry){ .fits = host &&
						    (!machine || !strcmp(host, url->host)) };
		} else if (!strcmp(word, "login")) {
			e.login = next_word(&text);
		} else if (!strcmp(word, "password")) {
			e.password = next_word(&text);
		} else if (!strcmp(word, "account")) {
			next_word(&text);
		} else if (!strcmp(word, "macdef")) {
			skip_macro(&text);
		}
	}
	return take(&e, url);
}

/* Return: NULL where it may be used. */
static const char *check_netrc(int fd)
{
	struct stat sb;

	if (fstat(fd, &sb) < 0 || !S_ISREG(sb.st_mode))
		return "the netrc is no plain file";
	if (sb.st_mode & 077)
		return "others may read the netrc: chmod 600";
	return sb.st_size < NETRC_MAX ? NULL : "the netrc is too large";
}

static const char *read_netrc(int fd, struct url *url)
{
	const char *why = check_netrc(fd);
	char *text;
	ssize_t n;

	if (why)
		return why;
	text = calloc(1, NETRC_MAX);
	if (!text)
		return "no memory";
	n = read(fd, text, NETRC_MAX - 1);
	if (n > 0)
		netrc_parse(text, url);
	OPENSSL_cleanse(text, NETRC_MAX);
	free(text);
	return NULL;
}

static const char *from_netrc(struct url *url, const char *netrc)
{
	const char *home = getenv("HOME"), *why;
	char path[PATH_MAX];
	int fd;

	if (!netrc)
		snprintf(path, sizeof(path), "%s/.netrc", home ? home : "");
	fd = open(netrc ? netrc : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return netrc ? strerror(errno) : NULL;
	why = read_netrc(fd, url);
	close(fd);
	return why;
}

/* ------------------------------------------------------------------ the terminal */

static bool read_line(int tty, char *to, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		int r = io_wait(tty, POLLIN, -1);

		if (r == -EINTR && !io_stop)
			continue;
		if (r <= 0 || read(tty, to + n, 1) != 1)
			break;
		if (to[n] == '\n') {
			to[n] = '\0';
			return true;
		}
		n++;
	}
	to[n] = '\0';
	return false;
}

static bool ask_without_echo(int tty, const struct url *url, char *to)
{
	struct termios old, quiet;
	bool ok;

	if (tcgetattr(tty, &old) < 0)
		return false;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
		return false;
	dprintf(tty, "Password of %s at %s: ", url->user, url->host);
	ok = read_line(tty, to, URL_PART_MAX);
	tcsetattr(tty, TCSAFLUSH, &old);
	dprintf(tty, "\n");
	return ok;
}

static bool ask_terminal(struct url *url)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0)
		return false;
	url->has_password = ask_without_echo(tty, url, url->password);
	close(tty);
	return url->has_password;
}

const char *credentials_complete(struct url *url, const char *netrc)
{
	const char *why;

	if (*url->user && url->has_password)
		return NULL;
	why = from_netrc(url, netrc);
	if (why)
		return why;
	if (!*url->user)
		return "no user name, neither in the URL nor in the netrc";
	if (url->has_password || ask_terminal(url))
		return NULL;
	return "no password: --password-file, a netrc or a terminal is needed";
}
