// SPDX-License-Identifier: GPL-2.0
#include "tls_bio.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

static BIO_METHOD *method;

bool tls_wire_is_reset(int err)
{
	/* EPIPE is what a RST in CLOSE_WAIT gives, and a write behind any RST. */
	return err == ECONNRESET || err == EPIPE || err == ECONNABORTED;
}

static bool is_soft(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* The record behind an error may be damaged (EBADMSG from kTLS): that is no transport's error. */
static bool is_wire_error(int err)
{
	return err && !is_soft(err) && err != EBADMSG && err != EMSGSIZE && err != EINVAL &&
	       err != ENOMEM;
}

static void note(struct tls_wire *wire, int err)
{
	if (!wire->err)
		wire->err = err;
}

/* What to make of an end of file: the end of what was received before the error, if any. */
static int at_end(struct tls_wire *wire)
{
	wire->eof = true;
	if (!wire->err)
		return 0;
	errno = wire->err;
	return -1;
}

static int wire_read(BIO *bio, char *buf, int size)
{
	struct tls_wire *wire = BIO_get_data(bio);
	BIO *sock = BIO_next(bio);
	int n;

	BIO_clear_retry_flags(bio);
	n = BIO_read(sock, buf, size);
	if (n < 0 && !BIO_should_retry(sock) && is_wire_error(errno)) {
		/* The error has been handed out: now comes what is still queued. */
		note(wire, errno);
		n = BIO_read(sock, buf, size);
	}
	BIO_copy_next_retry(bio);
	if (n == 0 && !BIO_should_retry(sock))
		return at_end(wire);
	return n;
}

static int wire_write(BIO *bio, const char *buf, int size)
{
	struct tls_wire *wire = BIO_get_data(bio);
	BIO *sock = BIO_next(bio);
	int n;

	BIO_clear_retry_flags(bio);
	n = BIO_write(sock, buf, size);
	if (n < 0 && !BIO_should_retry(sock) && is_wire_error(errno))
		note(wire, errno);
	BIO_copy_next_retry(bio);
	return n;
}

static long wire_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct tls_wire *wire = BIO_get_data(bio);
	BIO *sock = BIO_next(bio);
	long r;

	/* The end of what a reset left behind is an error, not an end of file. */
	if (cmd == BIO_CTRL_EOF && wire)
		return wire->eof && !wire->err;
	if (!sock)
		return 0;
	r = BIO_ctrl(sock, cmd, num, ptr);
	/* A control may have tried to write: BIO_flush() for one. */
	BIO_clear_retry_flags(bio);
	BIO_copy_next_retry(bio);
	return r;
}

static int wire_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static void make_method(void)
{
	int index = BIO_get_new_index();
	BIO_METHOD *m;

	if (index < 0)
		return;
	m = BIO_meth_new(index | BIO_TYPE_FILTER, "socket, drained before its errors");
	if (m && BIO_meth_set_read(m, wire_read) && BIO_meth_set_write(m, wire_write) &&
	    BIO_meth_set_ctrl(m, wire_ctrl) && BIO_meth_set_create(m, wire_create))
		method = m;
	else
		BIO_meth_free(m);
}

BIO *tls_bio_new(int fd, struct tls_wire *wire)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *sock, *bio;

	pthread_once(&once, make_method);
	if (!method)
		return NULL;
	sock = BIO_new_socket(fd, BIO_NOCLOSE);
	bio = BIO_new(method);
	if (!sock || !bio) {
		BIO_free(sock);
		BIO_free(bio);
		return NULL;
	}
	BIO_set_data(bio, wire);
	return BIO_push(bio, sock);
}

ssize_t tls_wire_read(int fd, struct tls_wire *wire, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, 0);

	if (n < 0 && is_wire_error(errno)) {
		note(wire, errno);
		n = recv(fd, buf, size, 0);
	}
	return n == 0 ? at_end(wire) : n;
}
