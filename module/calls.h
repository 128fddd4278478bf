/* SPDX-License-Identifier: GPL-2.0 */
/* What the calls of a process give while a reset is held. */
#ifndef _TLS_DRST_CALLS_H
#define _TLS_DRST_CALLS_H

#include <linux/net.h>
#include <linux/poll.h>
#include <net/sock.h>

int drst_calls_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		       int flags);
int drst_calls_recvmsg_late(struct socket *sock, struct msghdr *msg,
			    size_t controllen, size_t len, int flags, int ret);
ssize_t drst_calls_splice_read(struct socket *sock, loff_t *ppos,
			       struct pipe_inode_info *pipe, size_t len,
			       unsigned int flags);
ssize_t drst_calls_splice_read_late(struct socket *sock, loff_t *ppos,
				    struct pipe_inode_info *pipe, size_t len,
				    unsigned int flags, ssize_t ret);
void drst_calls_send_late(struct sock *sk, int ret);
int drst_calls_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
int drst_calls_sendpage(struct sock *sk, struct page *page, int offset,
			size_t size, int flags);
bool drst_calls_poll(struct sock *sk, __poll_t *mask);
void drst_calls_shutdown(struct sock *sk, int how);
int drst_calls_state(struct sock *sk);

#endif /* _TLS_DRST_CALLS_H */
