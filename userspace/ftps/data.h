/* SPDX-License-Identifier: GPL-2.0 */
/*
 * data.h - a data connection: bytes through it, and the ways to end it
 *
 * Both roles use it. The calls come in this order:
 *   data_init(), data_send() or data_receive(), data_end(), data_close()
 * and between the last two the server replies, or the client awaits the reply:
 * data_end() returns when the outcome is known, data_close() when the socket is gone.
 */
#ifndef FTPS_DATA_H
#define FTPS_DATA_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "net.h"
#include "status.h"
#include "store.h"
#include "tls_stream.h"

/*
 * How this side ends the data connection. All but the first are there to hurt: they
 * are what careless programs do, for tests and for people chasing a broken peer.
 */
enum ending {
	/*
	 * Sender: close_notify, FIN, wait for the last acknowledgement and for the peer to
	 * close. Receiver: answer the close_notify, FIN, close.
	 */
	END_CLEAN,
	/*
	 * Never read, so that TLS 1.3's tickets stay queued (they are waited for, --end-delay
	 * at most); close_notify, close at once.
	 */
	END_TICKETS_UNREAD,
	/* Read what comes during the transfer; close_notify, close at once. */
	END_CLOSE,
	/* close_notify, SO_LINGER {1, 0}, close at once. */
	END_LINGER0,
	/* close_notify, then SIGKILL to ourselves. */
	END_KILL,
	/* All data acknowledged, then FIN without a close_notify. */
	END_NO_CLOSE_NOTIFY,
	/* close_notify, all of it acknowledged, then a RST instead of a FIN (z/OS PI62054). */
	END_RST_AFTER_NOTIFY,
	/* A RST in the middle of the data, at --cut-at. */
	END_RST_MIDDLE,
	/* close_notify, shutdown(SHUT_WR), --end-delay, close with the reply unread. */
	END_HALF_CLOSE,
	/* close_notify, shutdown(SHUT_RDWR), --end-delay, close. */
	END_SHUT_RDWR,
	END_NR
};

/* As --end= takes them, NULL at the end. */
extern const char *const ending_names[END_NR + 1];

/* Knobs of a data connection; zero is the default of each but the timeout. */
struct tuning {
	struct net_buffers buffers;
	enum ending ending;
	bool no_ktls;
	bool sha256;	   /* compute it */
	int timeout_ms;	   /* give up after so long without progress */
	int read_delay_ms; /* a receiver waits so long before its first read */
	int end_delay_ms;  /* see END_TICKETS_UNREAD, END_HALF_CLOSE */
	uint64_t rate;	   /* bytes a second, 0: as fast as it goes */
	uint64_t cut_at;   /* END_RST_MIDDLE: after so many bytes; 0: half, or 64 KiB */
};

/* What became of a transfer. */
struct transfer {
	bool sending;
	enum ts_status end; /* sender: TS_OK when all is acknowledged, or nobody waited */
	bool awaited;	    /* sender: the acknowledgement was waited for */
	uint64_t bytes;	    /* of the file, with TYPE A as it is on the wire */
	uint64_t missing;   /* sender: bytes on the wire not acknowledged at the end */
	uint64_t unread;    /* bytes left in the receive queue at close() */
	bool notified;	    /* we sent close_notify */
	bool ktls_tx, ktls_rx;
	char version[16], cipher[64];
	char sha256[65]; /* of the bytes counted above; "": nobody asked */
	int64_t ms;	 /* from the first byte's turn to data_end() */
	int local_err;	 /* errno of the local file, 0: none */
	bool aborted;	 /* data.watch() said so */
	bool nul;	 /* a text has a NUL in it */
	enum ts_fault fault;
	char why[256];
};

struct data {
	struct tls_stream *s; /* ours until data_close() */
	const struct tuning *tune;
	struct transfer *result;
	/*
	 * Another descriptor to mind during the transfer: the control connection's. When it
	 * is readable, and at the beginning, watch() is called, which reads it empty and says
	 * whether to stop.
	 */
	int watch_fd; /* -1: none */
	bool (*watch)(void *arg);
	void *watch_arg;
	void (*last_words)(void *arg); /* called before END_KILL kills, or NULL */
	uint64_t max_bytes; /* receive no more (local_err is EFBIG then); 0: any number */
	bool text;	    /* TYPE A: the file's lines end in LF, see text.h */
	/* Called with the bytes so far as they move, or NULL. */
	void (*progress)(void *arg, uint64_t bytes);
	/* The rest is data.c's. */
	EVP_MD_CTX *hash; /* NULL: nobody asked */
	int64_t started;
	bool read_ended;
	bool cr; /* received with TYPE A: a CR is kept back */
};

/**
 * data_init() - begin with a connection whose handshake is done
 * @d: its tune, watch_fd, watch, watch_arg and last_words are set by the caller, the
 * rest is zero
 * @s: the connection; the data's own from now on
 * @result: out: told everything; must live as long
 *
 * Return: 0, or -ENOMEM.
 */
int data_init(struct data *d, struct tls_stream *s, struct transfer *result);

/**
 * data_send() - send a file to its end
 * @d: the data connection
 * @fd: the file, from its current position
 *
 * Return: whether all of it was handed over; else result->end, local_err or aborted tell.
 */
bool data_send(struct data *d, int fd);

/**
 * data_receive() - receive until the connection ends
 * @d: the data connection
 * @store: where to
 *
 * Return: whether it ended as a complete file does (TS_END_CLOSE_NOTIFY, and without TLS
 * TS_END_EOF); else result->end, local_err or aborted tell.
 */
bool data_receive(struct data *d, struct store *store);

/**
 * data_end() - end the connection as the tuning says
 * @d: the data connection
 * @whole: what data_send() or data_receive() returned; a transfer that failed is
 * ended by a close without close_notify, for nothing else would be true
 */
void data_end(struct data *d, bool whole);

/** data_status() - what the transfer's end means, as far as the data connection tells */
enum xs data_status(const struct transfer *t);

/**
 * data_close() - let go of the connection
 * @d: the data connection
 * @other_fd: when this is readable the peer is done, whatever its data connection looks
 * like; -1 for none
 *
 * After END_CLEAN it waits, for a few seconds at most, until the peer has closed.
 */
void data_close(struct data *d, int other_fd);

#endif
