/* SPDX-License-Identifier: GPL-2.0 */
/*
 * users.h - who may log in to ftps serve
 *
 * A file of lines NAME:HASH, the hash as crypt(5) has it (openssl passwd -6). Empty lines
 * and lines that begin with # do not count.
 */
#ifndef FTPS_USERS_H
#define FTPS_USERS_H

#include <stdbool.h>

/**
 * users_load() - read the file
 * @file: its name
 * @users: what is freed and becomes its text; as it was where something is wrong
 *
 * Return: NULL, or what is wrong: not readable, others may read it, nobody is in it.
 */
const char *users_load(const char *file, char **users);

/**
 * users_login() - whether this is the password of that user
 * @users: from users_load()
 * @name: of the user
 * @password: as the client sent it
 *
 * A name that is not there takes as long as a wrong password.
 */
bool users_login(const char *users, const char *name, const char *password);

#endif
