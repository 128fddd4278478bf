/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store.h - a file that appears under its name only when it is complete
 *
 * It is written under a temporary name in the same folder (".ftps.XXXXXXXXXXXXXXXX"),
 * fsynced and renamed. What becomes of one that does not get that far is the user's
 * choice, in z/OS FTP's words CONDDISP=CATLG or CONDDISP=DELETE.
 */
#ifndef FTPS_STORE_H
#define FTPS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum conddisp {
	CONDDISP_CATLG,	 /* keep what came, as NAME.partial */
	CONDDISP_DELETE, /* remove it */
};

/* Temporary files begin so; nobody is to be given one. */
#define STORE_PREFIX ".ftps."

struct store;

/**
 * store_open() - begin a file
 * @dir: a descriptor of the folder; remains the caller's, and must outlive the store
 * @name: a name in it, without '/'; a link is replaced, not followed
 * @direct: a pipe or a device of that name may be written to as it is; without, only
 * regular files are replaced
 * @store: out: the file
 *
 * Return: 0, or a negative errno: -EISDIR or -EEXIST where the name is something that
 * must not be replaced.
 */
int store_open(int dir, const char *name, bool direct, struct store **store);

/**
 * store_continue() - begin a file with what is there of it already
 * @dir: as store_open()
 * @name: as store_open()
 * @partial: take NAME.partial where it is long enough, else NAME
 * @offset: how many bytes of it to keep; more than there are is -EINVAL
 * @store: out: the file
 *
 * What is there is copied, and stays as it is until store_commit().
 *
 * Return: 0, or a negative errno.
 */
int store_continue(int dir, const char *name, bool partial, uint64_t offset, struct store **store);

/** store_partial_size() - the size of NAME.partial in @dir, 0 where there is none */
uint64_t store_partial_size(int dir, const char *name);

/**
 * store_fd() - begin a "file" on a descriptor that is open already, such as a pipe
 * @fd: the descriptor; remains the caller's
 *
 * Nothing is renamed and nothing removed. To a terminal control characters go masked:
 * names that a server lists could otherwise command it.
 *
 * Return: the store, NULL without memory.
 */
struct store *store_fd(int fd);

/**
 * store_write() - append
 * @store: the file
 * @buf: what
 * @len: how much
 *
 * Return: 0, or a negative errno; -EINTR where a signal asks us to stop.
 */
int store_write(struct store *store, const void *buf, size_t len);

/**
 * store_set_time() - have the file say that it was changed then
 * @store: the file, all of it written
 * @when: the time; a pipe or a device has none and does not mind
 */
void store_set_time(struct store *store, time_t when);

/**
 * store_commit() - it is complete: fsync, rename, fsync the folder; frees the store
 * @store: the file
 *
 * Return: 0, or a negative errno; the temporary file is gone then.
 */
int store_commit(struct store *store);

/**
 * store_abandon() - it is not complete; frees the store
 * @store: the file, or NULL
 * @disp: what becomes of it
 *
 * Return: whether a partial file remains, as NAME.partial.
 */
bool store_abandon(struct store *store, enum conddisp disp);

#endif
