// SPDX-License-Identifier: GPL-2.0
/* The words that scripts are written in. */
#include "script.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../lib/bed.h"
#include "call.h"
#include "peer.h"
#include "wait.h"

#define CALL(name, kind) { #name, kind, .call = call_##name }
#define PEER(name, ...) { #name, BY_PEER, .act = act_##name, __VA_ARGS__ }

const struct op ops[] = {
	CALL(recv, DO_READ), CALL(recvmsg, DO_READ), CALL(readv, DO_READ),
	CALL(splice, DO_READ), CALL(uring_recv, DO_READ),
	CALL(recvmmsg, DO_READ), CALL(zerocopy, DO_READ),
	CALL(send, DO_SEND), CALL(sendmsg, DO_SEND), CALL(sendfile, DO_SEND),
	CALL(notify, DO_SEND),
	CALL(poll, DO_POLL), CALL(select, DO_POLL), CALL(epoll_wait, DO_POLL),
	CALL(uring_poll, DO_POLL), CALL(uring_next, DO_POLL),
	CALL(fionread, DO_GET), CALL(outq, DO_GET), CALL(state, DO_GET),
	CALL(peername, DO_GET), CALL(sockname, DO_GET),
	CALL(epoll_add, DO_SET), CALL(rcvlowat, DO_SET), CALL(rcvtimeo, DO_SET),
	CALL(sndtimeo, DO_SET), CALL(inq, DO_SET), CALL(tstamp, DO_SET),
	CALL(async, DO_SET), CALL(linger0, DO_SET),
	CALL(so_error, DO_SO_ERROR), CALL(shutdown, DO_SHUTDOWN),
	CALL(bind, DO_BIND), CALL(close, DO_CLOSE), CALL(uring_close, DO_CLOSE),
	CALL(dup, DO_HANDLE), CALL(pass, DO_HANDLE), CALL(take, DO_HANDLE),
	{ "fork", DO_HANDLE, .act = act_fork },
	{ "child_exit", DO_HANDLE, .act = act_child_exit },
	CALL(disconnect, DO_OTHER), CALL(listen, DO_OTHER),
	PEER(peer_data, .data = true),		/* so many bytes to read */
	PEER(peer_notify, .data = true),
	PEER(peer_ticket, .data = true),
	PEER(peer_half, .data = true),		/* half a record */
	PEER(peer_fin, .fin = true),
	PEER(peer_rst, .rst = true),
	PEER(peer_close),
	PEER(peer_data_rst, .data = true, .rst = true),
	PEER(peer_data_fin, .data = true, .fin = true),
	PEER(peer_fin_rst, .fin = true, .rst = true),
	PEER(peer_open),	/* reads, so that its window opens */
	PEER(nothing), PEER(pause),
};

const int n_ops = sizeof(ops) / sizeof(ops[0]);

static const struct word {
	const char *name;
	long value;
} words[] = {
	{ "PEEK", MSG_PEEK }, { "WAITALL", MSG_WAITALL },
	{ "DONTWAIT", MSG_DONTWAIT }, { "TRUNC", MSG_TRUNC },
	{ "ERRQUEUE", MSG_ERRQUEUE }, { "NOSIGNAL", MSG_NOSIGNAL },
	{ "MORE", MSG_MORE },
	{ "NONE", 0 }, { "IN", POLLIN }, { "OUT", POLLOUT }, { "PRI", POLLPRI },
	{ "RDNORM", POLLRDNORM }, { "RDHUP", POLLRDHUP },
	{ "ET", EPOLLET }, { "EXCLUSIVE", EPOLLEXCLUSIVE },
	{ "R", 1 }, { "W", 2 }, { "X", 4 },
	{ "RD", SHUT_RD }, { "WR", SHUT_WR }, { "RDWR", SHUT_RDWR },
	{ "wait", WAIT_FOREVER }, { "multi", WAIT_MULTI },
};

static const struct op *op_of(const char *name)
{
	int i;

	for (i = 0; i < n_ops; i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	FATAL(name);
}

static long word_value(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name))
			return words[i].value;
	FATAL(name);
}

/* A number, or words joined by |. */
static long arg_value(char *text)
{
	char *name, *save;
	long value = 0;

	if (strspn(text, "0123456789") == strlen(text))
		return strtol(text, NULL, 10);
	for (name = strtok_r(text, "|", &save); name;
	     name = strtok_r(NULL, "|", &save))
		value |= word_value(name);
	return value;
}

static void parse_with(struct script *script, const char *line)
{
	char text[TEXT_MAX], *name, *save;

	MUST(!script->steps && strlen(line) < TEXT_MAX);
	strcpy(script->with, line);
	strcpy(text, line);
	strtok_r(text, " ", &save);
	while ((name = strtok_r(NULL, " ", &save))) {
		if (!strcmp(name, "rx"))
			script->rx = true;
		else if (!strcmp(name, "ipv6"))
			script->ipv6 = true;
		else if (!strcmp(name, "tls12"))
			script->tls12 = true;
		else if (!strcmp(name, "full"))
			script->full = true;
		else if (!strncmp(name, "timeout_ms=", 11))
			script->timeout_ms = atoi(name + 11);
		else if (!strncmp(name, "delay_ms=", 9))
			script->delay_ms = atoi(name + 9);
		else if (!strncmp(name, "gap=", 4))
			script->gaps |= 1ul << (atoi(name + 4) - 1);
		else
			FATAL(name);
	}
}

static void parse_step(struct step *step, const char *line)
{
	char text[TEXT_MAX], *word, *save;
	int args = 0;

	MUST(strlen(line) < TEXT_MAX);
	strcpy(step->text, line);
	strcpy(text, line);
	word = strtok_r(text, " ", &save);
	step->child = !strcmp(word, "child:");
	if (step->child)
		word = strtok_r(NULL, " ", &save);
	step->op = op_of(word);
	while ((word = strtok_r(NULL, " ", &save))) {
		MUST(args < ARGS_MAX);
		step->arg[args++] = arg_value(word);
	}
}

void script_add(struct script *script, const char *line)
{
	if (!strncmp(line, "with ", 5)) {
		parse_with(script, line);
		return;
	}
	MUST(script->steps < STEPS_MAX);
	parse_step(&script->step[script->steps++], line);
}
