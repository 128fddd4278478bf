// SPDX-License-Identifier: GPL-2.0
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "net.h"
#include "report.h"
#include "session.h"
#include "users.h"
#include "vfs.h"

#define FULL_PAUSE_MS 100 /* out of descriptors or memory: wait before the next accept */

/* A client's. */
struct place {
	pid_t pid; /* 0: free */
	union net_addr peer;
};

static volatile sig_atomic_t hung_up; /* SIGHUP came */

struct server {
	struct options *o;
	SSL_CTX *ctx;
	int root;
	int fd;
	struct place *place; /* o->max_clients of them */
};

static struct place *place_of(struct server *sv, pid_t pid)
{
	for (int i = 0; i < sv->o->max_clients; i++)
		if (sv->place[i].pid == pid)
			return &sv->place[i];
	return NULL;
}

/* A host has a whole /64 of IPv6. */
static bool same_host(const union net_addr *a, const union net_addr *b)
{
	if (a->sa.sa_family == AF_INET6 && b->sa.sa_family == AF_INET6)
		return !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8);
	return net_same_host(a, b);
}

static bool too_many_from(const struct server *sv, const union net_addr *peer)
{
	int n = 0;

	for (int i = 0; i < sv->o->max_clients; i++)
		n += sv->place[i].pid && same_host(&sv->place[i].peer, peer);
	return n >= sv->o->max_per_host;
}

static void reap(struct server *sv)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct place *place = place_of(sv, pid);

		if (place)
			place->pid = 0;
		if (WIFSIGNALED(status) && !io_stop)
			io_say("session %d ended by signal %d", (int)pid, WTERMSIG(status));
	}
}

static void refuse(const struct server *sv, int fd, const union net_addr *peer, const char *busy)
{
	char text[NET_TEXT_MAX];

	report_event("refused", net_text(peer, text), "", busy + 4, sv->o->json);
	/* An empty send queue takes this much, so it neither fails nor waits. */
	if (dprintf(fd, "%s\r\n", busy) < 0)
		io_note("a client too many left before it was told");
	close(fd);
}

static void run_child(struct server *sv, pid_t parent, int fd)
{
	/* Not to be left behind when the server is killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	/* It means the server: what runs goes on. */
	signal(SIGHUP, SIG_IGN);
	close(sv->fd);
	session_run(sv->o, sv->ctx, sv->root, fd);
	close(sv->root);
	SSL_CTX_free(sv->ctx);
	free(sv->place);
	exit(0);
}

static void welcome(struct server *sv)
{
	int fd = accept4(sv->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pid_t parent = getpid(), pid;
	union net_addr peer = { 0 };
	struct place *place;

	if (fd < 0) {
		if (net_no_room(errno))
			io_poll(NULL, 0, FULL_PAUSE_MS);
		return;
	}
	place = place_of(sv, 0);
	if (net_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	if (!place || too_many_from(sv, &peer)) {
		refuse(sv, fd, &peer,
		       place ? "421 Too many clients from one address" : "421 Too many clients");
		return;
	}
	pid = fork();
	if (pid == 0)
		run_child(sv, parent, fd);
	if (pid < 0)
		refuse(sv, fd, &peer, "421 No room for a client now");
	else
		close(fd);
	*place = (struct place){ .pid = pid > 0 ? pid : 0, .peer = peer };
}

static void stop_children(struct server *sv)
{
	for (int i = 0; i < sv->o->max_clients; i++)
		if (sv->place[i].pid)
			kill(sv->place[i].pid, SIGTERM);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		hung_up = 1;
}

/* The certificate and the users of sessions that begin from now on. */
static void reload(struct server *sv)
{
	const char *why = NULL;
	SSL_CTX *ctx = tls_ctx_server(&sv->o->tls, &why);

	hung_up = 0;
	if (ctx) {
		SSL_CTX_free(sv->ctx);
		sv->ctx = ctx;
	} else {
		io_say("SIGHUP: the certificate stays as it is: %s", why);
	}
	why = sv->o->users ? users_load(sv->o->users, &sv->o->users_text) : NULL;
	if (why)
		io_say("SIGHUP: the users stay as they are: %s: %s", sv->o->users, why);
}

static void loop(struct server *sv)
{
	while (!io_stop) {
		int r = io_wait(sv->fd, POLLIN, -1);

		reap(sv);
		if (hung_up)
			reload(sv);
		if (r > 0)
			welcome(sv);
	}
	stop_children(sv);
}

/* All that root may and others may not, for good. Return: 0 or a negative errno. */
static int become(const struct options *o)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	unsigned long cap = 0;

	while (!prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
		cap++;
	/* EINVAL: the kernel knows no more of them. */
	if (errno != EINVAL || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(o->gid, o->gid, o->gid) < 0 ||
	    setresuid(o->uid, o->uid, o->uid) < 0 || syscall(SYS_capset, &head, none) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
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
	int err;

	if (why) {
		failed(sv->o->listen, why);
		return XS_USAGE;
	}
	/* As set_url() has it. */
	sv->o->implicit = sv->o->implicit || net_port(&at) == 990;
	sv->fd = net_listen(&at, NULL);
	if (sv->fd < 0)
		return failed(sv->o->listen, strerror(-sv->fd));
	if (net_local(sv->fd, &at) < 0)
		return failed(sv->o->listen, strerror(errno));
	err = sv->o->run_as ? become(sv->o) : 0;
	if (err)
		return failed("--run-as", strerror(-err));
	if (!geteuid())
		io_say("WARNING: clients have the rights of root in %s, see --run-as", sv->o->dir);
	report_listening(net_text(&at, text), net_port(&at), sv->o->json);
	return XS_COMPLETE;
}

static enum xs start(struct server *sv)
{
	const char *why = NULL;
	int err;

	sv->ctx = tls_ctx_server(&sv->o->tls, &why);
	if (!sv->ctx)
		return failed("TLS", why);
	sv->place = calloc((size_t)sv->o->max_clients, sizeof(*sv->place));
	if (!sv->place)
		return failed("clients", "no memory");
	sv->root = open(sv->o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sv->root < 0)
		return failed(sv->o->dir, strerror(errno));
	/* Whether this kernel can keep clients in there. */
	err = vfs_open(sv->root, "/", O_PATH | O_DIRECTORY);
	if (err < 0)
		return failed("openat2", strerror(-err));
	close(err);
	/* So that the end of a session wakes the loop. */
	err = io_catch(SIGCHLD, on_signal);
	if (!err)
		err = io_catch(SIGHUP, on_signal);
	if (err)
		return failed("signals", strerror(-err));
	return start_listening(sv);
}

enum xs serve_run(struct options *o)
{
	struct server sv = { .o = o, .root = -1, .fd = -1 };
	enum xs xs = start(&sv);

	if (!xs)
		loop(&sv);
	io_close(sv.fd);
	io_close(sv.root);
	SSL_CTX_free(sv.ctx);
	free(sv.place);
	free(o->users_text);
	return xs;
}
