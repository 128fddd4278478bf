// SPDX-License-Identifier: GPL-2.0
/*
 * command_fuzz.c - libFuzzer: whatever a client may send as commands, through a real socket
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
	char line[CONTROL_LINE_MAX];
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
	/* A line is one line, and fits what it is copied to. */
	while (control_line(c, line) == CTL_OK)
		if (!memchr(line, '\0', sizeof(line)) || strpbrk(line, "\r\n"))
			abort();
	control_free(c);
	return 0;
}
