// SPDX-License-Identifier: GPL-2.0
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

/* An IPv4 address that came over an IPv6 socket is an IPv4 address to all of us. */
static void unmap(union net_addr *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
		return;
	in.sin_port = addr->in6.sin6_port;
	memcpy(&in.sin_addr, addr->in6.sin6_addr.s6_addr + 12, sizeof(in.sin_addr));
	memset(addr, 0, sizeof(*addr));
	addr->in = in;
}

static int name_of(int fd, bool peer, union net_addr *addr)
{
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	if ((peer ? getpeername(fd, &addr->sa, &len) : getsockname(fd, &addr->sa, &len)) < 0)
		return -errno;
	unmap(addr);
	return 0;
}

int net_local(int fd, union net_addr *addr)
{
	return name_of(fd, false, addr);
}

int net_peer(int fd, union net_addr *addr)
{
	return name_of(fd, true, addr);
}

unsigned int net_port(const union net_addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in.sin_port);
}

void net_set_port(union net_addr *addr, unsigned int port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons((uint16_t)port);
	else
		addr->in.sin_port = htons((uint16_t)port);
}

bool net_same_host(const union net_addr *a, const union net_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

const char *net_host(const union net_addr *addr, char *text)
{
	const void *bytes = &addr->in.sin_addr;

	if (addr->sa.sa_family == AF_INET6)
		bytes = &addr->in6.sin6_addr;
	if (!inet_ntop(addr->sa.sa_family, bytes, text, NET_TEXT_MAX))
		strcpy(text, "?");
	return text;
}

const char *net_text(const union net_addr *addr, char *text)
{
	char host[NET_TEXT_MAX];
	bool six = addr->sa.sa_family == AF_INET6;

	snprintf(text, NET_TEXT_MAX, "%s%.60s%s:%u", six ? "[" : "", net_host(addr, host),
		 six ? "]" : "", net_port(addr));
	return text;
}

bool net_parse(const char *host, int family, unsigned int port, union net_addr *addr)
{
	void *bytes = family == AF_INET6 ? (void *)&addr->in6.sin6_addr : &addr->in.sin_addr;

	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = (sa_family_t)family;
	net_set_port(addr, port);
	return inet_pton(family, host, bytes) == 1;
}

static int new_socket(int family, const struct net_buffers *buffers)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Before connect and listen: the window scale is agreed on in the SYN. */
	if (buffers && buffers->rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers->rcvbuf, sizeof(int));
	if (buffers && buffers->sndbuf)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffers->sndbuf, sizeof(int));
	return fd;
}

static int finish_connect(int fd, int timeout_ms)
{
	int err = 0;
	socklen_t len = sizeof(err);
	int64_t deadline = io_now() + timeout_ms;
	int r;

	do {
		r = io_wait(fd, POLLOUT, io_left(deadline));
	} while (r == -EINTR && !io_stop);
	if (r <= 0)
		return r ? r : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

int net_connect(const union net_addr *to, const union net_addr *from,
		const struct net_buffers *buffers, int timeout_ms)
{
	int fd = new_socket(to->sa.sa_family, buffers);
	int on = 1, err = 0;

	if (fd < 0)
		return fd;
	if (from) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, &from->sa, sizeof(*from)) < 0)
			err = -errno;
	}
	if (!err && connect(fd, &to->sa, sizeof(*to)) < 0)
		err = errno == EINPROGRESS ? finish_connect(fd, timeout_ms) : -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

const char *net_look_up(const char *host, const char *port, int family, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	sigset_t was;
	int err;

	/* Name servers take their time. */
	io_mortal(&was);
	err = getaddrinfo(host, port, &hints, list);
	io_restore(&was);
	return err ? gai_strerror(err) : NULL;
}

int net_connect_any(const struct addrinfo *list, int timeout_ms)
{
	int r = -EHOSTUNREACH;

	for (; list; list = list->ai_next) {
		union net_addr to = { 0 };

		if (list->ai_addrlen > sizeof(to))
			continue;
		memcpy(&to, list->ai_addr, list->ai_addrlen);
		r = net_connect(&to, NULL, NULL, timeout_ms);
		if (r >= 0 || r == -EINTR)
			break;
	}
	return r;
}

int net_listen(const union net_addr *at, const struct net_buffers *buffers)
{
	int fd = new_socket(at->sa.sa_family, buffers);
	int on = 1, off = 0, err;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &at->sa, sizeof(*at)) == 0 && listen(fd, 64) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

bool net_no_room(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

int net_accept(int fd, const union net_addr *host, int other_fd, int timeout_ms)
{
	int64_t deadline = io_now() + timeout_ms;

	while (io_left(deadline)) {
		struct pollfd p[2] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = other_fd, .events = POLLIN },
		};
		union net_addr from;
		int conn, r = io_poll(p, 2, io_left(deadline));

		if (r < 0 && (r != -EINTR || io_stop))
			return r;
		if (r > 0 && !p[0].revents)
			return -ECANCELED;
		conn = r > 0 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
		if (conn < 0 && r > 0 && net_no_room(errno))
			return -errno;
		if (conn < 0)
			continue;
		if (net_peer(conn, &from) == 0 && net_same_host(&from, host))
			return conn;
		io_say("a data connection from elsewhere was refused");
		close(conn);
	}
	return -ETIMEDOUT;
}

const char *net_resolve_listen(const char *text, union net_addr *addr)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	char host[INET6_ADDRSTRLEN + 1] = "";
	const char *colon = strrchr(text, ':');
	const char *port = colon ? colon + 1 : text;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	/* The library takes 70000 for 4464. */
	if (!*port || port[strspn(port, "0123456789")] || strlen(port) > 5 || atoi(port) > 65535 ||
	    getaddrinfo(*host ? host : "::", port, &hints, &list))
		return "not ADDR:PORT (with numbers, up to 65535; IPv6 in brackets)";
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return NULL;
}
