/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store.h - a file that appears under its name only when it is complete
 *
 * It is written under a temporary name in the same folder (".ftps.XXXXXXXXXXXXXXXX", mode 0600),
 * given the attributes of the file that it replaces, fsynced, and renamed. What becomes of one that
 * does not get that far is the user's choice, in z/OS FTP's words CONDDISP=CATLG or CONDDISP=DELETE.
 */
#ifndef FTPS_STORE_H
#define FTPS_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum conddisp {
	CONDDISP_CATLG,	 /* keep what came, as NAME.partial, mode 0600 */
	CONDDISP_DELETE, /* remove it */
};

/* Temporary files begin so; nobody is to be given one. */
#define STORE_PREFIX ".ftps."
#define STORE_PARTIAL_MAX (PATH_MAX + 16)

struct store;

/**
 * store_open() - begin a file
 * @dir: a descriptor of the folder
 * @path: how to call the file; its last segment is the name in @dir
 * @append: write to the end of what is there, in place; store_abandon() takes that away again
 * @store: out: the file; NULL where this fails
 *
 * A file that has the name already must be regular, and we must be able to write it. Only then
 * is it replaced, and keeps owner, mode, ACL and attributes, but for rights that its old content
 * had: set-user-ID and others. A link is not followed.
 *
 * Return: 0, or a negative errno: -EISDIR or -EEXIST where the name is something that
 * must not be replaced; -EBUSY where somebody else appends; -ENAMETOOLONG for more than 245 bytes.
 */
int store_open(int dir, const char *path, bool append, struct store **store);

/**
 * store_open_path() - begin a file that a user of this machine names
 * @path: opened by the kernel as by any program that writes to it, and so under its rules
 * (proc_sys_fs(5): protected_symlinks and others). What links lead to is replaced; a pipe or a
 * device is written to as it is.
 * @store: out: the file; NULL where this fails
 *
 * Return: 0, or a negative errno (-EINTR: a signal asks us to stop).
 */
int store_open_path(const char *path, struct store **store);

/**
 * store_set_source() - say what the file is a copy of
 * @store: the file
 * @size: of the source, in bytes
 * @when: the source's last change
 *
 * A partial file that is kept gets this as an attribute, and @when as its time.
 */
void store_set_source(struct store *store, uint64_t size, time_t when);

/**
 * store_resume() - go on with NAME.partial, in place
 * @store: the file, nothing written to it, after store_set_source()
 *
 * Return: how many bytes are there already, 0 where there is no partial file; -ESTALE where it
 * is not part of that source, or not ours; -EBUSY where somebody writes to it.
 */
int64_t store_resume(struct store *store);

/**
 * store_restart() - go on behind the first bytes of what is there (REST)
 * @store: the file, nothing written to it
 * @offset: how many bytes; more than 0
 *
 * They are NAME's where that is long enough, for it is what was named; it stays as it is until
 * store_commit(). Else they are NAME.partial's, which is written to in place. Neither changes
 * before store_fill().
 *
 * Return: 0, or a negative errno: -EINVAL where nothing is so long, -EBUSY as store_resume().
 */
int store_restart(struct store *store, uint64_t offset);

/**
 * store_fill() - have a piece of what store_restart() said there
 * @store: the file; after others than store_restart() there is nothing to do
 *
 * Return: 1 where there is more to do, 0 where it is all there, or a negative errno.
 */
int store_fill(struct store *store);

/**
 * store_fd() - begin a "file" on a descriptor that is open already, such as a pipe
 * @fd: the descriptor; remains the caller's, and is duplicated
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
 * @partial: out: as store_abandon()
 *
 * A file that has other names (hard links), or attributes that we cannot give to another one,
 * is written over instead, after its room was reserved.
 *
 * Return: 0, or a negative errno; what came is kept as a partial file then.
 */
int store_commit(struct store *store, char *partial);

/**
 * store_abandon() - it is not complete; frees the store
 * @store: the file, or NULL
 * @disp: what becomes of it
 * @partial: out: STORE_PARTIAL_MAX bytes: the path of a partial file that remains, or ""
 *
 * A file of that name that we did not make stays; .partial.1 to .partial.9 are tried then.
 */
void store_abandon(struct store *store, enum conddisp disp, char *partial);

#endif
