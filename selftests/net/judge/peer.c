// SPDX-License-Identifier: GPL-2.0
#include "peer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

/* What kTLS for sending only leaves to the program are records, whole. */
#define NOTIFY_LEN 24
#define TICKET_LEN 100

uint8_t peer_byte(size_t pos)
{
	return (pos * 2654435761u) >> 11 ^ pos >> 7;
}

/* The peer's call, as far as its result says what this end has done. */
static void result(struct world *w, long ret)
{
	struct outcome *out = &w->run->out[w->step];

	out->ret = ret;
	out->err = ret < 0 ? errno : 0;
}

static bool peer_put(struct world *w, const void *data, size_t len)
{
	ssize_t n = send(w->conn.peer, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	result(w, n);
	if (n < 0)
		return false;
	MUST(n == (ssize_t)len);
	w->sent += n;
	return true;
}

/* Content of a type; what is no data is not part of the stream for kTLS. */
static void put_content(struct world *w, uint8_t type, size_t len)
{
	uint8_t plain[DATA_MAX], rec[REC_MAX], *out = plain;
	size_t i, n = len;

	MUST(len <= sizeof(plain) && w->conn.peer >= 0);
	for (i = 0; i < len; i++)
		plain[i] = peer_byte(w->written + i);
	if (type == REC_ALERT)
		memcpy(plain, close_notify, sizeof(close_notify));
	if (w->script->rx) {
		n = rec_seal(&w->conn.rx, type, plain, len, rec);
		out = rec;
	}
	if (!peer_put(w, out, n))
		return;
	if (!w->script->rx || type == REC_DATA)
		w->written += len;
	w->run->arrived[w->step] = len;
}

void act_peer_data(struct world *w, const struct step *step)
{
	put_content(w, REC_DATA, step->arg[0]);
}

void act_peer_notify(struct world *w, const struct step *step)
{
	(void)step;
	if (w->script->rx)
		put_content(w, REC_ALERT, sizeof(close_notify));
	else
		put_content(w, REC_DATA, NOTIFY_LEN);
}

void act_peer_ticket(struct world *w, const struct step *step)
{
	(void)step;
	put_content(w, w->script->rx ? REC_HANDSHAKE : REC_DATA, TICKET_LEN);
}

/* Its end will never come. */
void act_peer_half(struct world *w, const struct step *step)
{
	uint8_t plain[REC_MAX] = {}, rec[REC_MAX];
	size_t n = rec_seal(&w->conn.rx, REC_DATA, plain, step->arg[0], rec);

	MUST(w->script->rx);
	peer_put(w, rec, n / 2);
}

void act_peer_fin(struct world *w, const struct step *step)
{
	(void)step;
	result(w, shutdown(w->conn.peer, SHUT_WR));
	w->fin = true;
}

/* What is still to be sent would be thrown away by the peer itself. */
static void await_sent(struct world *w)
{
	int unsent;

	MUST(EVENTUALLY(!ioctl(w->conn.peer, SIOCOUTQNSD, &unsent) && !unsent));
}

void act_peer_rst(struct world *w, const struct step *step)
{
	(void)step;
	await_sent(w);
	peer_reset(&w->conn);
	w->rst = true;
}

/* A RST where there is something unread, else a FIN. */
void act_peer_close(struct world *w, const struct step *step)
{
	int unread;

	(void)step;
	await_sent(w);
	MUST(!ioctl(w->conn.peer, SIOCINQ, &unread));
	MUST(!close(w->conn.peer));
	w->conn.peer = -1;
	if (unread)
		w->rst = true;
	else
		w->fin = true;
}

void act_peer_data_rst(struct world *w, const struct step *step)
{
	act_peer_data(w, step);
	act_peer_rst(w, step);
}

void act_peer_data_fin(struct world *w, const struct step *step)
{
	act_peer_data(w, step);
	act_peer_fin(w, step);
}

void act_peer_fin_rst(struct world *w, const struct step *step)
{
	act_peer_fin(w, step);
	act_peer_rst(w, step);
}

void act_peer_open(struct world *w, const struct step *step)
{
	(void)step;
	w->open_window = true;
}

void act_nothing(struct world *w, const struct step *step)
{
	(void)w;
	(void)step;
}

/* For what time alone brings about */
void act_pause(struct world *w, const struct step *step)
{
	(void)w;
	pause_ms(step->arg[0]);
}

void act_fork(struct world *w, const struct step *step)
{
	(void)step;
	child_start(w->conn.peer);
}

void act_child_exit(struct world *w, const struct step *step)
{
	(void)w;
	(void)step;
	child_stop();
}

size_t peer_take_all(struct world *w)
{
	static char sink[65536];
	size_t all = 0;
	ssize_t n;

	if (w->conn.peer < 0)
		return 0;
	while ((n = recv(w->conn.peer, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		all += n;
	return all;
}
