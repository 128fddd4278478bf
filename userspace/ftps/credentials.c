// SPDX-License-Identifier: GPL-2.0
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "io.h"

#define SECRET_MAX 65536

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

/* What the URL or --password-file has goes first. */
static bool take(const struct entry *e, struct url *url)
{
	bool user = *url->user ? !e->login || !strcmp(e->login, url->user) :
				 is_good(e->login) && *e->login;

	if (!e->fits || !user || (!url->has_password && !is_good(e->password)))
		return false;
	if (!*url->user)
		strcpy(url->user, e->login);
	if (!url->has_password)
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
						    (!machine || !strcasecmp(host, url->host)) };
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

static char secret[SECRET_MAX];

/* Fill @secret from a file that its owner alone may read. Return: NULL, or what is wrong. */
static const char *read_secret(const char *file, int *err)
{
	int fd = io_openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
	struct stat sb;
	ssize_t n;

	*err = fd < 0 ? -fd : 0;
	if (fd < 0)
		return strerror(-fd);
	n = fstat(fd, &sb) < 0 ? -1 : read(fd, secret, sizeof(secret) - 1);
	*err = n < 0 ? errno : 0;
	close(fd);
	secret[n < 0 ? 0 : n] = '\0';
	if (n < 0)
		return strerror(*err);
	if (S_ISREG(sb.st_mode) && sb.st_mode & 077)
		return "others may read it: chmod 600";
	return n < SECRET_MAX - 1 ? NULL : "too large";
}

const char *credentials_read(const char *file, char *password)
{
	int err;
	const char *why = read_secret(file, &err);

	secret[strcspn(secret, "\r\n")] = '\0';
	if (!why && !is_good(secret))
		why = "the first line is to be a password, and is too long for one";
	if (!why)
		strcpy(password, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return why;
}

/* Where nobody named the file, there need be none. */
static const char *from_netrc(struct url *url, const char *netrc)
{
	const char *home = getenv("HOME"), *why;
	static char path[PATH_MAX], said[PATH_MAX + 64];
	int err;

	if (netrc)
		snprintf(path, sizeof(path), "%s", netrc);
	else
		snprintf(path, sizeof(path), "%s/.netrc", home ? home : "");
	why = read_secret(path, &err);
	if (!why)
		netrc_parse(secret, url);
	OPENSSL_cleanse(secret, sizeof(secret));
	snprintf(said, sizeof(said), "%s: %s", path, why ? why : "");
	return why && (netrc || err != ENOENT) ? said : NULL;
}

/* ------------------------------------------------------------------ the terminal */

/* OpenSSL would ask standard input where there is no terminal: that may be the file. */
static bool ask_terminal(struct url *url)
{
	char prompt[2 * URL_PART_MAX + 32];
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), r = -1;
	struct termios normal, silent;
	sigset_t was;

	if (tty < 0)
		return false;
	snprintf(prompt, sizeof(prompt), "Password of %s at %s: ", url->user, url->host);
	io_unblock(&was);
	/* OpenSSL turns echo off behind its prompt: who types at once would see the password. */
	if (tcgetattr(tty, &normal) == 0) {
		silent = normal;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(tty, TCSAFLUSH, &silent);
		r = EVP_read_pw_string_min(url->password, 0, URL_PART_MAX - 1, prompt, 0);
		tcsetattr(tty, TCSANOW, &normal);
	}
	io_restore(&was);
	close(tty);
	/* It catches signals itself, and says so. */
	if (r == -2)
		io_stop = SIGINT;
	url->has_password = !r;
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
