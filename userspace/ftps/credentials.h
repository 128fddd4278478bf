/* SPDX-License-Identifier: GPL-2.0 */
/*
 * credentials.h - who logs in, where the URL does not say it all
 */
#ifndef FTPS_CREDENTIALS_H
#define FTPS_CREDENTIALS_H

#include <stddef.h>

#include "url.h"

/**
 * netrc_parse() - look a host up in a netrc(5) text
 * @text: the file's content, with a NUL behind it; words in it are cut, in place
 * @url: its host, and user where it has one, are looked for; user and password are filled in
 *
 * The first entry that fits counts; "default" fits every host. Macros are skipped.
 *
 * Return: whether one was found that has a password.
 */
bool netrc_parse(char *text, struct url *url);

/**
 * credentials_read() - take a password from a file
 * @file: its name; a file that others can read is refused
 * @password: out: its first line, URL_PART_MAX bytes
 *
 * Return: NULL, or what is wrong.
 */
const char *credentials_read(const char *file, char *password);

/**
 * credentials_complete() - fill in what the URL lacks
 * @url: user and password are filled in
 * @netrc: the file to look in; NULL: $HOME/.netrc
 *
 * The netrc comes first, then a question on the terminal, without echo. A netrc that
 * others can read is refused.
 *
 * Return: NULL, or what is missing.
 */
const char *credentials_complete(struct url *url, const char *netrc);

#endif
