// SPDX-License-Identifier: GPL-2.0
/* Apart from conn.c, as <netinet/tcp.h> knows too little and suffers no other. */
#include "given.h"

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
