// SPDX-License-Identifier: GPL-2.0
/*
 * A file that is a socket of the kernel's. open() of /dev/drst_kernel_socket
 * connects it, in the caller's network namespace, to the peer of the test bed
 * (net/lib/bed.h). ioctl() gives it keys for TLS_TX, AES-GCM-128, from user
 * space, as tlshd does. write() sends data, pwrite() a record whose type is the
 * offset. close() releases it.
 */
#include <linux/fs.h>
#include <linux/in.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#define PEER_ADDR 0xc0000202	/* 192.0.2.2 */
#define PEER_PORT 4433

static int ksock_open(struct inode *inode, struct file *file)
{
	struct sockaddr_in peer = {
		.sin_family = AF_INET,
		.sin_port = htons(PEER_PORT),
		.sin_addr.s_addr = htonl(PEER_ADDR),
	};
	struct socket *sock;
	int err;

	err = sock_create_kern(current->nsproxy->net_ns, AF_INET, SOCK_STREAM,
			       IPPROTO_TCP, &sock);
	if (err)
		return err;

	/* Takes whatever the test sends. */
	sock->sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	sock->sk->sk_sndbuf = 32 << 20;

	/* The type of the address is not the same in all kernels. */
	err = kernel_connect(sock, (void *)&peer, sizeof(peer), 0);
	if (!err)
		err = sock->ops->setsockopt(sock, SOL_TCP, TCP_ULP,
					    KERNEL_SOCKPTR("tls"),
					    sizeof("tls"));
	if (err) {
		sock_release(sock);
		return err;
	}
	file->private_data = sock;
	return 0;
}

static long ksock_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct socket *sock = file->private_data;

	return sock->ops->setsockopt(sock, SOL_TLS, TLS_TX,
				     USER_SOCKPTR((void __user *)arg),
				     sizeof(struct tls12_crypto_info_aes_gcm_128));
}

static ssize_t ksock_write(struct kiocb *iocb, struct iov_iter *from)
{
	union {
		struct cmsghdr hdr;
		u8 room[CMSG_SPACE(1)];
	} control = {
		.hdr = {
			.cmsg_len = CMSG_LEN(1),
			.cmsg_level = SOL_TLS,
			.cmsg_type = TLS_SET_RECORD_TYPE,
		},
	};
	struct msghdr msg = { .msg_iter = *from };

	if (iocb->ki_pos) {
		*(u8 *)CMSG_DATA(&control.hdr) = iocb->ki_pos;
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sock_sendmsg(iocb->ki_filp->private_data, &msg);
}

static int ksock_release(struct inode *inode, struct file *file)
{
	sock_release(file->private_data);
	return 0;
}

static const struct file_operations ksock_fops = {
	.owner		= THIS_MODULE,
	.open		= ksock_open,
	.unlocked_ioctl	= ksock_ioctl,
	.write_iter	= ksock_write,
	.release	= ksock_release,
};

static struct miscdevice ksock_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "drst_kernel_socket",
	.fops	= &ksock_fops,
};

module_misc_device(ksock_device);

MODULE_DESCRIPTION("Selftests of tls_drst: a TLS connection of the kernel's own");
MODULE_LICENSE("GPL");
