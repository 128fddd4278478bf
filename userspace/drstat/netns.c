// SPDX-License-Identifier: GPL-2.0
/* Network namespaces */
#include "drstat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns"

static int own_fd = -1; /* the namespace that we were started in */
static size_t unseen;	/* processes whose namespace the last list may lack */

static bool is_netns(const struct netns *ns, const struct stat *st)
{
	return ns->dev == st->st_dev && ns->ino == st->st_ino;
}

static enum xs bad_netns(const char *name, int err)
{
	if (err == ENOENT && !strchr(name, '/'))
		say("no network namespace %s: ip netns list shows the names; others go by a path, such as /proc/PID/ns/net",
		    name);
	else if (err == EINVAL)
		say("%s is no network namespace", name);
	else if (err == EPERM || err == EACCES)
		say("network namespace %s: %s: only root may enter it", name, strerror(err));
	else
		say("network namespace %s: %s", name, strerror(err));
	return XS_NETNS;
}

/* @want: NULL: any. Return: 0 or an errno; ENOENT where another one has got that path. */
static int enter(const char *path, const struct netns *want)
{
	/* A name that is none must not wait for a pipe's writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;

	if (fd < 0)
		return errno;
	if (want && fstat(fd, &st) == 0 && !is_netns(want, &st))
		err = ENOENT;
	else if (setns(fd, CLONE_NEWNET) < 0)
		err = errno;
	close(fd);
	return err;
}

void netns_named(struct netns *ns, const char *name)
{
	*ns = (struct netns){ 0 };
	snprintf(ns->name, sizeof(ns->name), "%s", name);
	snprintf(ns->path, sizeof(ns->path), "%s%s", strchr(name, '/') ? "" : NETNS_DIR "/", name);
}

enum xs netns_enter(const char **name)
{
	struct netns ns;
	struct stat st, own;
	bool is_own;
	int err;

	netns_named(&ns, *name);
	is_own = stat(ns.path, &st) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
		 st.st_dev == own.st_dev && st.st_ino == own.st_ino;
	err = enter(ns.path, NULL);
	if (err)
		return bad_netns(*name, err);
	if (is_own)
		*name = "";
	return XS_OK;
}

/* ---- all of them ---- */

static bool known(const struct netns *list, size_t n, const struct stat *st)
{
	for (size_t i = 0; i < n; i++)
		if (is_netns(&list[i], st))
			return true;
	return false;
}

/* @name: NULL: it has none, so its number serves, as lsns(8) shows it. Return: false: no memory. */
static bool add(struct netns **list, size_t *n, const char *path, const char *name)
{
	struct netns *more, *ns;
	struct stat st;

	/* What is none shows itself when it is entered. */
	if (stat(path, &st) < 0) {
		unseen += errno == EACCES || errno == EPERM;
		return true;
	}
	if (known(*list, *n, &st))
		return true;
	more = reallocarray(*list, *n + 1, sizeof(*more));
	if (!more)
		return false;
	*list = more;
	ns = &more[(*n)++];
	*ns = (struct netns){ .dev = st.st_dev, .ino = st.st_ino };
	snprintf(ns->path, sizeof(ns->path), "%s", path);
	if (name)
		snprintf(ns->name, sizeof(ns->name), "%s", name);
	else
		snprintf(ns->name, sizeof(ns->name), "net:[%ju]", (uintmax_t)st.st_ino);
	return true;
}

/* @suffix: of a folder of processes; NULL: the files have the names of namespaces */
static bool add_folder(struct netns **list, size_t *n, const char *folder, const char *suffix)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];
	bool good = true;

	if (!dir)
		return true;
	while (good && (entry = readdir(dir))) {
		if (suffix ? !isdigit((unsigned char)*entry->d_name) : *entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", folder, entry->d_name,
			 suffix ? suffix : "");
		good = add(list, n, path, suffix ? NULL : entry->d_name);
	}
	closedir(dir);
	return good;
}

enum xs netns_list(struct netns **list, size_t *n)
{
	char own[64];

	*list = NULL;
	*n = 0;
	unseen = 0;
	if (own_fd < 0)
		own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0)
		return bad_netns("of our own", errno);
	/* The descriptor, as we may be elsewhere by now */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", own_fd);
	if (add(list, n, own, "") && add_folder(list, n, NETNS_DIR, NULL) &&
	    add_folder(list, n, "/proc", "/ns/net"))
		return XS_OK;
	say("no memory for the list of network namespaces");
	free(*list);
	return XS_OUTPUT;
}

/* The process, or the name, by which we know it may be gone, while others have it. */
static int enter_again(struct netns *ns)
{
	struct netns *list;
	int err = ENOENT;
	size_t n;

	if (netns_list(&list, &n))
		return ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (list[i].dev != ns->dev || list[i].ino != ns->ino)
			continue;
		*ns = list[i];
		err = enter(ns->path, ns);
		break;
	}
	free(list);
	return err;
}

/* EINVAL: the name is a plain file until it is mounted. */
static bool has_gone(int err)
{
	return err == ENOENT || err == ESRCH || err == EINVAL;
}

enum xs netns_visit(struct netns *ns)
{
	static bool said;
	int err;

	if (!*ns->name)
		err = setns(own_fd, CLONE_NEWNET) < 0 ? errno : 0;
	else
		err = enter(ns->path, ns);
	if (*ns->name && has_gone(err))
		err = enter_again(ns);
	if (*ns->name && has_gone(err))
		return XS_NO_MODULE;
	if (err)
		return bad_netns(*ns->name ? ns->name : "of our own", err);
	if (unseen && !said)
		say("the network namespaces of %zu process%s are not seen: permission denied; root needs CAP_SYS_PTRACE",
		    unseen, unseen == 1 ? "" : "es");
	said |= unseen > 0;
	return XS_OK;
}
