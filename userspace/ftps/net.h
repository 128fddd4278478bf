/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net.h - TCP sockets and addresses, IPv4 and IPv6
 */
#ifndef FTPS_NET_H
#define FTPS_NET_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Longest text of net_text(): an address with brackets, scope and port. */
#define NET_TEXT_MAX 80

union net_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage any;
};

/* Socket buffers in bytes, 0: the kernel's choice. Set before connect and listen. */
struct net_buffers {
	int rcvbuf;
	int sndbuf;
};

/**
 * net_connect() - connect to one address
 * @to: the address
 * @from: the local address to use, its port taken as it is; NULL: the kernel's choice
 * @buffers: socket buffers, or NULL
 * @timeout_ms: how long to wait
 *
 * Return: the socket, or a negative errno.
 */
int net_connect(const union net_addr *to, const union net_addr *from,
		const struct net_buffers *buffers, int timeout_ms);

/**
 * net_look_up() - the addresses of a host; a stopping signal ends the process meanwhile
 * @host: name or address
 * @port: service or number
 * @family: AF_UNSPEC for any
 * @list: out: for freeaddrinfo(3)
 *
 * Return: NULL, or why there is none.
 */
const char *net_look_up(const char *host, const char *port, int family, struct addrinfo **list);

/** net_connect_any() - net_connect() to the first address that takes it. Return: as that */
int net_connect_any(const struct addrinfo *list, int timeout_ms);

/**
 * net_listen() - a listening, non-blocking socket
 * @at: the address; port 0: any free port
 * @buffers: socket buffers for what is accepted, or NULL
 *
 * Return: the socket, or a negative errno.
 */
int net_listen(const union net_addr *at, const struct net_buffers *buffers);

/**
 * net_resolve_listen() - take ADDR:PORT, [ADDR]:PORT, :PORT or PORT
 * @text: what the user wrote
 * @addr: out: the address; without ADDR every address of the machine
 *
 * Return: NULL, or what is wrong.
 */
const char *net_resolve_listen(const char *text, union net_addr *addr);

/** net_no_room() - whether accept4() failed for want of something of ours: it would go on failing */
bool net_no_room(int err);

/**
 * net_accept() - accept a connection from one host only
 * @fd: the listening socket
 * @host: who may come; the port does not matter
 * @other_fd: when this is readable, and nobody has come, the wait ends; -1 for none
 * @timeout_ms: how long to wait for it
 *
 * A stranger who is quicker is sent away, and the wait goes on (RFC 2577 s. 4).
 *
 * Return: the socket, or a negative errno (-ETIMEDOUT; -EINTR: a signal asks us to stop;
 * -ECANCELED: see @other_fd).
 */
int net_accept(int fd, const union net_addr *host, int other_fd, int timeout_ms);

/**
 * net_parse() - an address from text, without asking any resolver
 * @host: the address in digits
 * @family: AF_INET or AF_INET6
 * @port: its port
 * @addr: out: the address
 *
 * Return: whether it is one.
 */
bool net_parse(const char *host, int family, unsigned int port, union net_addr *addr);

/** net_host() - the address alone, without port and brackets, in NET_TEXT_MAX bytes */
const char *net_host(const union net_addr *addr, char *text);

/** net_local() - the socket's own address. Return: 0 or a negative errno */
int net_local(int fd, union net_addr *addr);

/** net_peer() - the other end's address. Return: 0 or a negative errno */
int net_peer(int fd, union net_addr *addr);

/** net_port() - the port of an address, in host order */
unsigned int net_port(const union net_addr *addr);

/** net_set_port() - change it */
void net_set_port(union net_addr *addr, unsigned int port);

/** net_same_host() - whether two addresses differ at most in the port */
bool net_same_host(const union net_addr *a, const union net_addr *b);

/**
 * net_text() - "192.0.2.1:21" or "[2001:db8::1]:21"
 * @addr: the address
 * @text: out: NET_TEXT_MAX bytes
 *
 * Return: @text.
 */
const char *net_text(const union net_addr *addr, char *text);

#endif
