// SPDX-License-Identifier: GPL-2.0
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "net.h"
#include "report.h"
#include "session.h"
#include "vfs.h"

#define FULL_PAUSE_MS 100	/* out of descriptors or memory: wait before the next accept */

struct server {
	const struct options *o;
	SSL_CTX *ctx;
	int root;
	int fd;
	pid_t *child;		/* o->max_clients of them, 0: a free place */
};

static pid_t *place_of(struct server *sv, pid_t pid)
{
	for (int i = 0; i < sv->o->max_clients; i++)
		if (sv->child[i] == pid)
			return &sv->child[i];
	return NULL;
}

static void reap(struct server *sv)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		pid_t *place = place_of(sv, pid);

		if (place)
			*place = 0;
		if (WIFSIGNALED(status) && !io_stop)
			io_say("session %d ended by signal %d", (int)pid, WTERMSIG(status));
	}
}

static void refuse(int fd)
{
	static const char busy[] = "421 Too many clients\r\n";

	/* An empty send queue takes this much, so it neither fails nor waits. */
	if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		io_note("a client too many left before it was told");
	close(fd);
}

static void run_child(struct server *sv, pid_t parent, int fd)
{
	/* Not to be left behind when the server is killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	close(sv->fd);
	session_run(sv->o, sv->ctx, sv->root, fd);
	close(sv->root);
	SSL_CTX_free(sv->ctx);
	free(sv->child);
	exit(0);
}

static void welcome(struct server *sv)
{
	int fd = accept4(sv->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pid_t parent = getpid(), pid, *place;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			io_poll(NULL, 0, FULL_PAUSE_MS);
		return;
	}
	place = place_of(sv, 0);
	if (!place) {
		refuse(fd);
		return;
	}
	pid = fork();
	if (pid == 0)
		run_child(sv, parent, fd);
	if (pid < 0)
		refuse(fd);
	else
		close(fd);
	*place = pid > 0 ? pid : 0;
}

static void stop_children(struct server *sv)
{
	for (int i = 0; i < sv->o->max_clients; i++)
		if (sv->child[i])
			kill(sv->child[i], SIGTERM);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void loop(struct server *sv)
{
	while (!io_stop) {
		int r = io_wait(sv->fd, POLLIN, -1);

		reap(sv);
		if (r > 0)
			welcome(sv);
	}
	stop_children(sv);
}

static enum xs failed(const char *what, const char *why)
{
	io_say("%s: %s", what, why);
	return XS_LOCAL;
}

static enum xs start_listening(struct server *sv)
{
	union net_addr at;
	char text[NET_TEXT_MAX];
	const char *why = net_resolve_listen(sv->o->listen, &at);

	if (why) {
		failed(sv->o->listen, why);
		return XS_USAGE;
	}
	sv->fd = net_listen(&at, NULL, 64);
	if (sv->fd < 0)
		return failed(sv->o->listen, strerror(-sv->fd));
	if (net_local(sv->fd, &at) < 0)
		return failed(sv->o->listen, strerror(errno));
	report_listening(net_text(&at, text), net_port(&at), sv->o->json);
	return XS_COMPLETE;
}

static enum xs start(struct server *sv)
{
	const char *why = NULL;
	int err;

	sv->ctx = tls_ctx_server(&sv->o->tls, &why);
	if (!sv->ctx)
		return failed(sv->o->tls.cert_file, why);
	sv->child = calloc((size_t)sv->o->max_clients, sizeof(*sv->child));
	if (!sv->child)
		return failed("clients", "no memory");
	sv->root = open(sv->o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sv->root < 0)
		return failed(sv->o->dir, strerror(errno));
	err = vfs_check(sv->root);
	if (err)
		return failed("openat2", strerror(-err));
	/* So that the end of a session wakes the loop. */
	err = io_catch(SIGCHLD);
	if (err)
		return failed("SIGCHLD", strerror(-err));
	return start_listening(sv);
}

enum xs serve_run(const struct options *o)
{
	struct server sv = { .o = o, .root = -1, .fd = -1 };
	enum xs xs = start(&sv);

	if (!xs)
		loop(&sv);
	if (sv.fd >= 0)
		close(sv.fd);
	if (sv.root >= 0)
		close(sv.root);
	SSL_CTX_free(sv.ctx);
	free(sv.child);
	return xs;
}
