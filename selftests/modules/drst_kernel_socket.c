// SPDX-License-Identifier: GPL-2.0
/*
 * A file that is a socket of the kernel's: /dev/drst_kernel_socket. An ioctl() makes
 * the connection: KSOCK_CONNECT, in the caller's network namespace, to the peer of
 * the test bed (net/lib/bed.h), as NFS's client does; or KSOCK_ACCEPT, from a
 * listener made by user space, as nfsd does. Keys for TLS_TX, AES-GCM-128, come from
 * user space: by ioctl(), or by a descriptor that KSOCK_FILE gives, as tlshd gets one.
 * write() sends data, pwrite() a record whose type is the offset. close() releases
 * the socket. KSOCK_RECV and KSOCK_TAKE read from a process's socket instead.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/in.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#define PEER_ADDR 0xc0000202	/* 192.0.2.2 */
#define PEER_PORT 4433
#define TLS_DATA 23	/* RFC 8446 s. 5.1: application_data */

/* ioctl(), besides TLS_TX; net/lib/ksock.h has the same numbers. */
enum {
	KSOCK_CONNECT = 100,	/* 0 */
	KSOCK_ACCEPT,		/* a listener's descriptor */
	KSOCK_FILE,		/* 0; gives the descriptor of a new file */
	KSOCK_OWN,		/* is sk_user_data to be set? */
	KSOCK_MORE,		/* is write() to leave the record open? */
	KSOCK_NOTIFY,		/* 0: close_notify from the kernel's memory */
	KSOCK_SHUTDOWN,		/* SHUT_RD, SHUT_WR or SHUT_RDWR */
	KSOCK_KEYS,		/* as TLS_TX, but net/tls gets a copy in the kernel's memory */
	KSOCK_RECV,		/* a process's socket: reads once, gives how many bytes */
	KSOCK_TAKE,		/* the same: takes all that TCP has */
};

struct ksock {
	struct socket *sock;
	int flags;
};

static int ksock_set_ulp(struct socket *sock)
{
	return sock->ops->setsockopt(sock, SOL_TCP, TCP_ULP,
				     KERNEL_SOCKPTR("tls"), sizeof("tls"));
}

/* Takes whatever the test sends. */
static void ksock_make_room(struct socket *sock)
{
	sock->sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	sock->sk->sk_sndbuf = 32 << 20;
}

static int ksock_connect(struct ksock *ks)
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

	ksock_make_room(sock);
	/* The type of the address is not the same in all kernels. */
	err = kernel_connect(sock, (void *)&peer, sizeof(peer), 0);
	if (err) {
		sock_release(sock);
		return err;
	}
	ks->sock = sock;
	return 0;
}

/* As svc_tcp_accept(): the new socket has no file. */
static int ksock_accept(struct ksock *ks, int fd)
{
	struct socket *listener;
	int err;

	listener = sockfd_lookup(fd, &err);
	if (!listener)
		return err;
	err = kernel_accept(listener, &ks->sock, 0);
	sockfd_put(listener);
	if (!err)
		ksock_make_room(ks->sock);
	return err;
}

/* As svc_setup_socket() and handshake_nl_accept_doit() */
static int ksock_file(struct ksock *ks)
{
	struct file *file = ks->sock->file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (!file)
		file = sock_alloc_file(ks->sock, 0, NULL);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		ks->sock = NULL;	/* sock_alloc_file() has released it */
		return PTR_ERR(file);
	}
	fd_install(fd, get_file(file));
	return fd;
}

/* As svc_setup_socket() and svc_sock_detach() */
static int ksock_own(struct ksock *ks, bool own)
{
	struct sock *sk = ks->sock->sk;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, own ? ks : NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	return 0;
}

union ksock_control {
	struct cmsghdr hdr;
	u8 room[CMSG_SPACE(1)];
};

static void ksock_set_type(struct msghdr *msg, union ksock_control *control,
			   u8 type)
{
	control->hdr.cmsg_len = CMSG_LEN(1);
	control->hdr.cmsg_level = SOL_TLS;
	control->hdr.cmsg_type = TLS_SET_RECORD_TYPE;
	*(u8 *)CMSG_DATA(&control->hdr) = type;
	msg->msg_control = control;
	msg->msg_controllen = sizeof(*control);
}

/* As tls_alert_send() */
static int ksock_notify(struct ksock *ks)
{
	u8 alert[2] = { 1, 0 };
	struct kvec iov = { alert, sizeof(alert) };
	union ksock_control control;
	struct msghdr msg = { };
	int ret;

	ksock_set_type(&msg, &control, 21);
	ret = kernel_sendmsg(ks->sock, &msg, &iov, 1, sizeof(alert));
	return ret < 0 ? ret : 0;
}

static int ksock_set_keys(struct ksock *ks, sockptr_t keys)
{
	struct socket *sock = ks->sock;
	int err;

	/* A process may have set the ULP, by a file. */
	err = ksock_set_ulp(sock);
	if (err && err != -EEXIST)
		return err;
	return sock->ops->setsockopt(sock, SOL_TLS, TLS_TX, keys,
				     sizeof(struct tls12_crypto_info_aes_gcm_128));
}

static int ksock_copy_keys(struct ksock *ks, void __user *from)
{
	struct tls12_crypto_info_aes_gcm_128 keys;

	if (copy_from_user(&keys, from, sizeof(keys)))
		return -EFAULT;
	return ksock_set_keys(ks, KERNEL_SOCKPTR(&keys));
}

/*
 * As svc_tcp_sock_recv_cmsg(). What is read has one type, at the place for the first;
 * there is room for two, so that another one would show.
 */
static int ksock_recv(struct socket *sock)
{
	union ksock_control control[2] = { };
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct kvec iov = { .iov_len = PAGE_SIZE };
	int ret;

	iov.iov_base = kmalloc(iov.iov_len, GFP_KERNEL);
	if (!iov.iov_base)
		return -ENOMEM;
	ret = kernel_recvmsg(sock, &msg, &iov, 1, iov.iov_len, 0);
	if (ret >= 0 && (msg.msg_control != &control[1] ||
			 msg.msg_controllen != sizeof(control[1]) ||
			 *(u8 *)CMSG_DATA(&control[0].hdr) != TLS_DATA))
		ret = -EBADMSG;
	kfree(iov.iov_base);
	return ret;
}

static int ksock_take_some(read_descriptor_t *desc, struct sk_buff *skb,
			   unsigned int offset, size_t len)
{
	return len;
}

/* As io_zcrx_tcp_recvmsg() */
static int ksock_take(struct socket *sock)
{
	read_descriptor_t desc = { .count = 1 };
	int ret;

	lock_sock(sock->sk);
	ret = tcp_read_sock(sock->sk, &desc, ksock_take_some);
	release_sock(sock->sk);
	return ret;
}

static int ksock_read(unsigned int cmd, int fd)
{
	struct socket *sock;
	int ret;

	sock = sockfd_lookup(fd, &ret);
	if (!sock)
		return ret;
	ret = cmd == KSOCK_RECV ? ksock_recv(sock) : ksock_take(sock);
	sockfd_put(sock);
	return ret;
}

static long ksock_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksock *ks = file->private_data;
	bool makes = cmd == KSOCK_CONNECT || cmd == KSOCK_ACCEPT;

	if (cmd == KSOCK_RECV || cmd == KSOCK_TAKE)
		return ksock_read(cmd, arg);
	if (makes != !ks->sock)
		return makes ? -EISCONN : -ENOTCONN;

	switch (cmd) {
	case KSOCK_CONNECT:
		return ksock_connect(ks);
	case KSOCK_ACCEPT:
		return ksock_accept(ks, arg);
	case KSOCK_FILE:
		return ksock_file(ks);
	case KSOCK_OWN:
		return ksock_own(ks, arg);
	case KSOCK_MORE:
		ks->flags = arg ? MSG_MORE : 0;
		return 0;
	case KSOCK_NOTIFY:
		return ksock_notify(ks);
	case KSOCK_SHUTDOWN:
		return kernel_sock_shutdown(ks->sock, arg);
	case TLS_TX:
		return ksock_set_keys(ks, USER_SOCKPTR((void __user *)arg));
	case KSOCK_KEYS:
		return ksock_copy_keys(ks, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static ssize_t ksock_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct ksock *ks = iocb->ki_filp->private_data;
	struct msghdr msg = { .msg_iter = *from, .msg_flags = ks->flags };
	union ksock_control control;

	if (!ks->sock)
		return -ENOTCONN;
	if (iocb->ki_pos)
		ksock_set_type(&msg, &control, iocb->ki_pos);
	return sock_sendmsg(ks->sock, &msg);
}

static int ksock_open(struct inode *inode, struct file *file)
{
	struct ksock *ks = kzalloc(sizeof(*ks), GFP_KERNEL);

	file->private_data = ks;
	return ks ? 0 : -ENOMEM;
}

/* As svc_sock_free() */
static int ksock_release(struct inode *inode, struct file *file)
{
	struct ksock *ks = file->private_data;

	if (ks->sock && ks->sock->file)
		fput(ks->sock->file);
	else if (ks->sock)
		sock_release(ks->sock);
	kfree(ks);
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
