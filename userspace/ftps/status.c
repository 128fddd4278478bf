// SPDX-License-Identifier: GPL-2.0
#include "status.h"

static const struct {
	const char *name;
	const char *meaning;
} table[XS_NR] = {
	[XS_COMPLETE] = { "complete", "every byte arrived, ended by close_notify" },
	[XS_LOCAL] = { "local", "a local file, disk or memory failed" },
	[XS_USAGE] = { "usage", "wrong command line" },
	[XS_TRUNCATED] = { "truncated", "end of file without close_notify, or data missing" },
	[XS_RESET] = { "reset", "data connection reset before its end" },
	[XS_REFUSED] = { "refused", "the server said no, before or amid the data" },
	[XS_CERT] = { "certificate", "the peer's certificate was not accepted" },
	[XS_NETWORK] = { "network", "no address, no connection, or control connection lost" },
	[XS_PROTOCOL] = { "protocol", "the peer broke the rules of FTP or TLS" },
	[XS_UNCONFIRMED] = { "unconfirmed", "data ended well, final reply negative or missing" },
	[XS_TIMEOUT] = { "timeout", "no progress for --timeout seconds" },
};

const char *xs_name(enum xs status)
{
	return (unsigned int)status < XS_NR ? table[status].name : "unknown";
}

void xs_table(FILE *to)
{
	for (int i = 0; i < XS_NR; i++)
		fprintf(to, "  %2d  %-12s %s\n", i, table[i].name, table[i].meaning);
}
