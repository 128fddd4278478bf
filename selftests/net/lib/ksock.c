// SPDX-License-Identifier: GPL-2.0
#include "ksock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "drst.h"

#define DEVICE "drst_kernel_socket"

static int device_open(void)
{
	int err = drst_load(test_module(DEVICE), "");
	int fd;

	MUST(!err || err == -EEXIST);
	fd = open("/dev/" DEVICE, O_WRONLY | O_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

void ksock_do(struct conn *conn, unsigned int cmd, long arg)
{
	MUST(!ioctl(conn->fd, cmd, arg));
}

/* All zeros, with which conn->tx begins */
static void install_keys(struct conn *conn, unsigned int cmd)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	conn->tx.version = keys.info.version;
	conn->tx.cipher = keys.info.cipher_type;
	dir_init(&conn->rx, TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128, 2);
	ksock_do(conn, cmd, (long)&keys);
}

void ksock_connect(struct conn *conn, struct bed *bed)
{
	int listener = peer_listener(bed, AF_INET);

	memset(conn, 0, sizeof(*conn));
	MUST(!listen(listener, 1));
	conn->fd = device_open();
	ksock_do(conn, KSOCK_CONNECT, 0);
	conn_accept_peer(conn, listener, AF_INET);
}

void ksock_accept(struct conn *conn, struct bed *bed)
{
	int listener = conn_listen(conn, bed, AF_INET);

	conn->fd = device_open();
	ksock_do(conn, KSOCK_ACCEPT, listener);
	close(listener);
}

void ksock_tls(struct conn *conn)
{
	install_keys(conn, TLS_TX);
}

bool ksock_has_keys(void)
{
	struct utsname name;
	int major, minor;

	MUST(!uname(&name));
	MUST(sscanf(name.release, "%d.%d", &major, &minor) == 2);
	return major < 6 || (major == 6 && minor <= 12);
}

void ksock_ulp_by_file(struct conn *conn)
{
	int fd = ioctl(conn->fd, KSOCK_FILE, 0);

	MUST(fd >= 0 && !setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	close(fd);
	install_keys(conn, KSOCK_KEYS);
}

void ksock_tls_by_file(struct conn *conn, const struct conn_opts *opts)
{
	int device = conn->fd;

	conn->fd = ioctl(device, KSOCK_FILE, 0);
	MUST(conn->fd >= 0);
	conn_tls(conn, opts);
	close(conn->fd);
	conn->fd = device;
}

void ksock_send(struct conn *conn, size_t len)
{
	conn_write_content(conn->fd, len);
	conn->sent = len;
	conn->stream = stream_length(conn, len);
}

void ksock_notify(struct conn *conn)
{
	ksock_do(conn, KSOCK_NOTIFY, 0);
	conn->notified = true;
}

static ssize_t read_by_kernel(unsigned int cmd, int fd)
{
	int device = device_open();
	ssize_t got = ioctl(device, cmd, fd);
	int err = errno;

	close(device);
	errno = err;
	return got;
}

ssize_t ksock_recv(int fd)
{
	return read_by_kernel(KSOCK_RECV, fd);
}

ssize_t ksock_take(int fd)
{
	return read_by_kernel(KSOCK_TAKE, fd);
}
