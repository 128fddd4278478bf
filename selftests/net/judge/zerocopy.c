// SPDX-License-Identifier: GPL-2.0
/* Apart from calls.c, as <netinet/tcp.h> knows too little and suffers no other. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/bed.h"
#include "call.h"

/* TCP_ZEROCOPY_RECEIVE copies what is less than a page. */
void call_zerocopy(struct call *call)
{
	struct tcp_zerocopy_receive zc = {
		.copybuf_address = (uintptr_t)call->data,
		.copybuf_len = call->step->arg[0],
	};
	socklen_t len = sizeof(zc);

	MUST(call->step->arg[0] <= DATA_MAX);
	finish(call, getsockopt(call->fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE,
				&zc, &len));
	if (call->out.ret)
		return;
	call->out.ret = zc.copybuf_len;
	call->out.value = -zc.err;
}
