// SPDX-License-Identifier: GPL-2.0
#include "text.h"

#include <string.h>

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

/* 0x80 to 0x9f are parts of letters in UTF-8, but not at their beginning, and not behind 0xc2. */
static bool is_command(unsigned char before, unsigned char c)
{
	if (c < 0x80)
		return c < ' ' || c == 0x7f;
	return c < 0xa0 && (before < 0x80 || before == 0xc2);
}

void text_mask(char *last, char *text, size_t len, const char *keep)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (is_command((unsigned char)*last, (unsigned char)c) && !(c && strchr(keep, c)))
			text[i] = '?';
		*last = text[i];
	}
}
