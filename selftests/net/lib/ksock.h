/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TLS connection whose sender's socket is the kernel's: see
 * ../modules/drst_kernel_socket.c, which has to be loaded. conn->fd is its file.
 */
#ifndef SELFTESTS_KSOCK_H
#define SELFTESTS_KSOCK_H

#include "conn.h"

/* ioctl() of that file */
enum {
	KSOCK_CONNECT = 100,
	KSOCK_ACCEPT,
	KSOCK_FILE,
	KSOCK_OWN,
	KSOCK_MORE,
	KSOCK_NOTIFY,
	KSOCK_SHUTDOWN,
	KSOCK_KEYS,
	KSOCK_RECV,
	KSOCK_TAKE,
};

/* The kernel connects; no TLS yet. */
void ksock_connect(struct conn *conn, struct bed *bed);

/* The kernel accepts the peer from a listener that user space has made; no TLS yet. */
void ksock_accept(struct conn *conn, struct bed *bed);

/* The kernel itself sets the ULP; the keys are for sending only. */
void ksock_tls(struct conn *conn);

/*
 * The socket gets a file. A process sets the ULP and installs keys by a descriptor
 * of it, which is closed again, as tlshd does.
 */
void ksock_tls_by_file(struct conn *conn, const struct conn_opts *opts);

/*
 * The same for the ULP alone; the keys come from the kernel's memory. The memcpy() of
 * newer kernels warns of that.
 */
bool ksock_has_keys(void);
void ksock_ulp_by_file(struct conn *conn);

/* As conn_send(): content in records, by the kernel */
void ksock_send(struct conn *conn, size_t len);

/* close_notify, from the kernel's memory */
void ksock_notify(struct conn *conn);

/*
 * The kernel reads once from a process's socket: how many bytes of data, as recv().
 * EBADMSG: not one type of one record came with them.
 */
ssize_t ksock_recv(int fd);

/* It takes all that TCP has received, as it came. */
ssize_t ksock_take(int fd);

/* One of the others; it has to succeed. */
void ksock_do(struct conn *conn, unsigned int cmd, long arg);

#endif
