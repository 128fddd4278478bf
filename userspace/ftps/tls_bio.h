/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tls_bio.h - a BIO over a socket that never loses received data to an error.
 *
 * Linux may give a reader ECONNRESET while data, and the close_notify behind it,
 * still lies in the receive queue: a RST that comes in right after the last
 * segments, with the reader asleep, is reported first. A further recv(2) returns
 * the data, for the error is handed out once and the queue is kept. OpenSSL stops
 * at the first error, so the file looks cut though it is all there.
 *
 * This filter stands between OpenSSL and its socket BIO. It keeps an error of the
 * socket to itself and reads on; the error is given only where the queue has ended.
 * Everything else, kTLS's controls too, goes through to the socket BIO.
 */
#ifndef FTPS_TLS_BIO_H
#define FTPS_TLS_BIO_H

#include <openssl/bio.h>
#include <stdbool.h>

/** struct tls_wire - what the socket under a BIO went through */
struct tls_wire {
	int err;  /* the first hard error of a read or write, or 0 */
	bool eof; /* a read met the end: FIN, or what a reset left behind is read */
};

/**
 * tls_bio_new() - a BIO chain for a connected socket
 * @fd: the socket; remains the caller's
 * @wire: told what happens; must live as long as the BIO
 *
 * Return: the chain for SSL_set_bio(), or NULL without memory.
 */
BIO *tls_bio_new(int fd, struct tls_wire *wire);

/** tls_wire_is_reset() - whether an errno means that the connection was reset */
bool tls_wire_is_reset(int err);

/**
 * tls_wire_read() - recv(2) with the same care, for streams without TLS
 * @fd: the socket
 * @wire: told what happens
 * @buf: where to
 * @size: how much at most
 *
 * Return: bytes, 0 at the end of file, or -1 with errno; the error of a reset only
 * where nothing is left to read.
 */
ssize_t tls_wire_read(int fd, struct tls_wire *wire, void *buf, size_t size);

#endif
