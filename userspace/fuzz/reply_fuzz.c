// SPDX-License-Identifier: GPL-2.0
/*
 * reply_fuzz.c - libFuzzer: whatever a server may say, through a real socket
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control *c;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 0;
	if (send(fd[1], data, size, MSG_DONTWAIT) != (ssize_t)size) {
		close(fd[0]);
		close(fd[1]);
		return 0;
	}
	close(fd[1]);
	c = control_new(tls_stream_new(fd[0]), 1000);
	while (control_reply(c) == CTL_OK) {
		const struct ctl_reply *r = &c->reply;

		if (!r->done || r->code < 100 || r->code > 659 || r->lines < 1 ||
		    r->text_len != strlen(r->text) || strlen(r->last) >= sizeof(r->last))
			abort();
	}
	control_free(c);
	return 0;
}
