/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vfs.h - the folder that a server shows, and no way out of it
 *
 * Clients see '/' where the folder is. Paths are resolved by the kernel with
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS): neither "..", nor a symbolic link,
 * nor a rename while we look leads outside.
 */
#ifndef FTPS_VFS_H
#define FTPS_VFS_H

#include <stdbool.h>
#include <sys/types.h>

#define VFS_PATH_MAX 4096 /* bytes of a client's path, with NUL */

/**
 * vfs_join() - the path that a client means
 * @cwd: its working folder, absolute: begins with '/'
 * @arg: what it said; absolute or not
 * @out: out: VFS_PATH_MAX bytes: absolute, without ".", ".." and double '/'
 *
 * Return: false where it is too long, or names what is never shown (control characters,
 * temporary files of store.h).
 */
bool vfs_join(const char *cwd, const char *arg, char *out);

/** vfs_printable() - whether a text has no control characters */
bool vfs_printable(const char *text);

/**
 * vfs_open() - open(2), beneath the root
 * @root: a descriptor of the folder
 * @path: from vfs_join()
 * @flags: as open(2); O_CLOEXEC and O_NONBLOCK are added, so that no FIFO stops us
 *
 * Return: the descriptor, or a negative errno (-EXDEV: it led outside; -EAGAIN: somebody keeps
 * moving it, or has a lease on it, see fcntl(2); -ENOSYS: Linux before 5.6).
 */
int vfs_open(int root, const char *path, int flags);

/**
 * vfs_open_parent() - open the folder that a path is in
 * @root: a descriptor of the folder
 * @path: from vfs_join(), not "/"
 * @name: out: the last segment of @path
 *
 * Return: the descriptor, or a negative errno.
 */
int vfs_open_parent(int root, const char *path, const char **name);

#endif
