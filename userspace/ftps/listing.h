/* SPDX-License-Identifier: GPL-2.0 */
/*
 * listing.h - what a folder contains, as LIST, NLST and MLSD tell it
 */
#ifndef FTPS_LISTING_H
#define FTPS_LISTING_H

#include <stddef.h>
#include <sys/stat.h>

#include "options.h"

/* Bytes that listing_facts() may write. */
#define LISTING_FACTS_MAX 160

/**
 * listing_make() - list a folder, or one file
 * @root: a descriptor of the folder that is served
 * @path: what to list, from vfs_join()
 * @how: LS_LIST as "ls -l" does it, LS_NAMES names alone, LS_FACTS as RFC 3659 s. 7
 *
 * Temporary files (store.h), names with control characters, and links that lead outside are left
 * out. Lines end in CR LF (RFC 959 s. 3.1.1.1).
 *
 * Return: a descriptor to read it from, in memory, or a negative errno (-ENOTDIR: LS_FACTS
 * of a file).
 */
int listing_make(int root, const char *path, enum listing how);

/**
 * listing_facts() - "type=file;size=1;modify=20260101000000;" (RFC 3659 s. 7.5)
 * @sb: the file
 * @text: out: LISTING_FACTS_MAX bytes
 */
void listing_facts(const struct stat *sb, char *text);

#endif
