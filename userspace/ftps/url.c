// SPDX-License-Identifier: GPL-2.0
#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORM "the form is ftps://USER@HOST[:PORT]/PATH, an IPv6 address in brackets"

/* Decode @len bytes of @from. Return: NULL, or what is wrong with them. */
static const char *decode(char *to, const char *from, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned int c = (unsigned char)from[i];

		if (c == '%') {
			if (len - i < 3 || !isxdigit((unsigned char)from[i + 1]) ||
			    !isxdigit((unsigned char)from[i + 2]) ||
			    sscanf(from + i + 1, "%2x", &c) != 1)
				return "% has to be followed by two hexadecimal digits; % itself is %25";
			i += 2;
		}
		if (!c || c == '\r' || c == '\n')
			return "line breaks and NUL end a command of FTP, and cannot be in a name";
		if (n + 1 >= URL_PART_MAX)
			return "too long";
		to[n++] = (char)c;
	}
	to[n] = '\0';
	return NULL;
}

/* The part between "//" and the path, or NULL where there is no known scheme. */
static const char *authority(const char *text)
{
	if (!strncasecmp(text, "ftps://", 7))
		return text + 7;
	return strncasecmp(text, "ftpes://", 8) ? NULL : text + 8;
}

static const char *parse_user(const char *from, const char *at, struct url *url)
{
	/* Overwriting it would come too late: a process list may have been made before. */
	if (memchr(from, ':', (size_t)(at - from)))
		return "a password there is seen by every user of this machine; leave it out: "
		       "~/.netrc or --password-file may have it, or you are asked";
	return decode(url->user, from, (size_t)(at - from));
}

/* From @rest to the path: nothing, or a colon and a port. */
static const char *parse_port(const char *rest, size_t len, struct url *url)
{
	unsigned int port = 0;
	int used = 0;

	if (!len)
		return NULL;
	if (*rest != ':' || !isdigit((unsigned char)rest[1]) ||
	    sscanf(rest, ":%5u%n", &port, &used) != 1 || (size_t)used != len || !port ||
	    port > 65535)
		return "behind the host comes a port from 1 to 65535, or none: " FORM;
	snprintf(url->port, sizeof(url->port), "%u", port);
	return NULL;
}

static const char *parse_host(const char *from, size_t len, struct url *url)
{
	bool six = *from == '[';
	size_t host = strcspn(from, six ? "]/" : ":/"), skip = six ? 1 : 0;
	const char *why;

	if (host <= skip || (six && from[host] != ']'))
		return "no host: " FORM;
	why = decode(url->host, from + skip, host - skip);
	if (!why && strpbrk(url->host, " \t/\\?#@[]"))
		return "no host is called so: " FORM;
	return why ? why : parse_port(from + host + skip, len - host - skip, url);
}

const char *url_parse(const char *text, struct url *url)
{
	const char *auth = authority(text), *at, *why = NULL;
	size_t len;

	memset(url, 0, sizeof(*url));
	if (!auth)
		return "not an ftps:// URL: " FORM;
	/* The last one before the path ends the user part. */
	at = memrchr(auth, '@', strcspn(auth, "/"));
	if (at)
		why = parse_user(auth, at, url);
	if (why)
		return why;
	if (at)
		auth = at + 1;
	len = strcspn(auth, "/");
	why = parse_host(auth, len, url);
	if (why)
		return why;
	if (auth[len] == '/')
		len++;
	return decode(url->path, auth + len, strlen(auth + len));
}

const char *url_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
