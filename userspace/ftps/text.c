// SPDX-License-Identifier: GPL-2.0
#include "text.h"

size_t text_to_wire(const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == '\n')
			out[n++] = '\r';
		out[n++] = in[i];
	}
	return n;
}

size_t text_from_wire(bool *cr, const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (*cr && in[i] != '\n')
			out[n++] = '\r';
		*cr = in[i] == '\r';
		if (!*cr)
			out[n++] = in[i];
	}
	return n;
}
