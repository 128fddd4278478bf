// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "io.h"
#include "options.h"
#include "serve.h"
#include "status.h"

int main(int argc, char **argv)
{
	static struct options o;
	int status, err, fd;

	/* A file must not get a descriptor that messages go to; this one cannot be written to. */
	do {
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
	status = options_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	err = io_init();
	if (err) {
		io_say("signals: %s", strerror(-err));
		return XS_LOCAL;
	}
	status = (int)(o.command == CMD_SERVE ? serve_run(&o) : client_run(&o));
	OPENSSL_cleanse(&o, sizeof(o));
	if (io_stop)
		io_die_of_signal();
	return status;
}
