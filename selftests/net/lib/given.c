// SPDX-License-Identifier: GPL-2.0
/* Apart from conn.c, as <netinet/tcp.h> knows too little and suffers no other. */
#include "given.h"

#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bed.h"

long tcp_given(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	MUST(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info.tcpi_bytes_sent - info.tcpi_bytes_retrans +
	       info.tcpi_notsent_bytes;
}

unsigned int tcp_backlog(int fd)
{
	unsigned int mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	MUST(!getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	return mem[SK_MEMINFO_BACKLOG];
}
