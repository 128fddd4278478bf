/* SPDX-License-Identifier: GPL-2.0 */
/*
 * url.h - ftps://user@host:port/path (RFC 1738 s. 3.2, RFC 3986)
 */
#ifndef FTPS_URL_H
#define FTPS_URL_H

#include <stdbool.h>

/* Longest user name, password, host or path, in bytes with the final NUL. */
#define URL_PART_MAX 1024

struct url {
	char user[URL_PART_MAX];     /* "" where the URL has none */
	char password[URL_PART_MAX]; /* never the URL's: see credentials.h */
	bool has_password;
	char host[URL_PART_MAX]; /* an IPv6 address without its brackets */
	char port[8];		 /* decimal; "" where the URL has none */
	char path[URL_PART_MAX]; /* without the first '/', %XX decoded */
};

/**
 * url_parse() - take a URL apart
 * @text: the URL; the scheme is ftps or ftpes, both meaning explicit TLS
 * @url: out: its parts
 *
 * A part that decodes to NUL, CR or LF is refused: it would end an FTP command. So is a
 * password: command lines are public.
 *
 * Return: NULL, or what is wrong with it.
 */
const char *url_parse(const char *text, struct url *url);

/** url_basename() - the last segment of a path, "" where it ends in '/' */
const char *url_basename(const char *path);

#endif
