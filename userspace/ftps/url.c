// SPDX-License-Identifier: GPL-2.0
#include "url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode @len bytes of @from. Return: false where it does not fit or has what ends a line. */
static bool decode(char *to, const char *from, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '%') {
			int hi, lo;

			if (len - i < 3)
				return false;
			hi = hex(from[i + 1]);
			lo = hex(from[i + 2]);
			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (!c || c == '\r' || c == '\n' || n + 1 >= URL_PART_MAX)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

/* The part between "//" and the path, or NULL where there is no known scheme. */
static const char *authority(const char *text)
{
	static const char *const schemes[] = { "ftps://", "ftpes://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (!strncasecmp(text, schemes[i], strlen(schemes[i])))
			return text + strlen(schemes[i]);
	return NULL;
}

/* The '@' that ends the user part: the last one before the path. */
static const char *find_at(const char *auth)
{
	size_t len = strcspn(auth, "/");

	while (len > 0)
		if (auth[--len] == '@')
			return auth + len;
	return NULL;
}

static const char *parse_user(const char *from, const char *at, struct url *url)
{
	/* Overwriting it would come too late: a process list may have been made before. */
	if (memchr(from, ':', (size_t)(at - from)))
		return "a password there is seen by every user of this machine; leave it out: "
		       "~/.netrc or --password-file may have it, or you are asked";
	return decode(url->user, from, (size_t)(at - from)) ? NULL : "bad user name";
}

static const char *parse_port(const char *text, size_t len, struct url *url)
{
	unsigned long port;
	char *end;

	if (len == 0 || len >= sizeof(url->port) || strspn(text, "0123456789") < len)
		return "bad port";
	memcpy(url->port, text, len);
	url->port[len] = '\0';
	port = strtoul(url->port, &end, 10);
	return port >= 1 && port <= 65535 ? NULL : "bad port";
}

static const char *parse_host(const char *from, size_t len, struct url *url)
{
	const char *end = from + len, *host = from, *rest;
	size_t host_len;

	if (len && *from == '[') {
		const char *close = memchr(from, ']', len);

		if (!close)
			return "no ] behind the IPv6 address";
		host++;
		host_len = (size_t)(close - host);
		rest = close + 1;
	} else {
		host_len = strcspn(from, ":/");
		rest = from + host_len;
	}
	if (!host_len || !decode(url->host, host, host_len))
		return "bad host name";
	if (rest == end)
		return NULL;
	return *rest == ':' ? parse_port(rest + 1, (size_t)(end - rest - 1), url) :
			      "something between host and port";
}

const char *url_parse(const char *text, struct url *url)
{
	const char *auth = authority(text), *at, *why = NULL;
	size_t len;

	memset(url, 0, sizeof(*url));
	if (!auth)
		return "not an ftps:// URL";
	at = find_at(auth);
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
	return decode(url->path, auth + len, strlen(auth + len)) ? NULL : "bad path";
}

const char *url_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
