// SPDX-License-Identifier: GPL-2.0
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store.h"
#include "url.h"

#define TRIES 64 /* to open what somebody is moving */

/* Drop the last segment of an absolute path; "/" stays. */
static void up(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path ? 1 : 0] = '\0';
}

static bool add(char *path, const char *segment, size_t len)
{
	size_t have = strlen(path);

	if (!strncmp(segment, STORE_PREFIX, strlen(STORE_PREFIX)))
		return false;
	if (have > 1)
		path[have++] = '/';
	if (have + len + 1 > VFS_PATH_MAX - 1)
		return false;
	memcpy(path + have, segment, len);
	path[have + len] = '\0';
	return true;
}

bool vfs_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

bool vfs_join(const char *cwd, const char *arg, char *out)
{
	if (!vfs_printable(arg))
		return false;
	strcpy(out, *arg == '/' ? "/" : cwd);
	while (*arg) {
		size_t len = strcspn(arg, "/");

		if (len == 2 && !memcmp(arg, "..", 2))
			up(out);
		else if (len && !(len == 1 && *arg == '.') && !add(out, arg, len))
			return false;
		arg += len + (arg[len] == '/');
	}
	return true;
}

int vfs_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC |
			 (flags & O_PATH ? 0u : O_NONBLOCK | O_LARGEFILE),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int tries = TRIES;
	long fd;

	do {
		/* EAGAIN: something was renamed under the kernel's feet, or somebody has a lease. */
		fd = syscall(SYS_openat2, root, path[1] ? path + 1 : ".", &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && --tries);
	return fd < 0 ? -errno : (int)fd;
}

int vfs_open_parent(int root, const char *path, const char **name)
{
	char parent[VFS_PATH_MAX];

	strcpy(parent, path);
	up(parent);
	*name = url_basename(path);
	return vfs_open(root, parent, O_RDONLY | O_DIRECTORY);
}
