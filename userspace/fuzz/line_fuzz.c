// SPDX-License-Identifier: GPL-2.0
/*
 * line_fuzz.c - libFuzzer: everything that takes one text apart
 *
 * The first byte, '0' to '5', says which parser gets the rest. What a parser accepts must keep the
 * promises that the rest of the program relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "credentials.h"
#include "text.h"
#include "url.h"
#include "vfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise)
		abort();
}

static void url(const char *text)
{
	static struct url u;

	if (!url_parse(text, &u)) {
		must(*u.host && !strpbrk(u.path, "\r\n") && !strpbrk(u.user, "\r\n"));
		must(!*u.port || (atoi(u.port) > 0 && atoi(u.port) < 65536));
	}
}

/* A listing on its way to a terminal, in two pieces: no command, and the same as in one. */
static void mask(const char *text, size_t len)
{
	char last = '\0', last_of_one = '\0', *two = malloc(len + 1), *one = malloc(len + 1);
	size_t cut = len / 3;

	must(two && one);
	memcpy(two, text, len);
	memcpy(one, text, len);
	text_mask(&last, two, cut, "\n\r\t");
	text_mask(&last, two + cut, len - cut, "\n\r\t");
	text_mask(&last_of_one, one, len, "\n\r\t");
	must(!memcmp(one, two, len));
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)one[i], before = i ? (unsigned char)one[i - 1] : 0;

		must(c == '\n' || c == '\r' || c == '\t' || (c >= ' ' && c != 0x7f));
		must(c < 0x80 || c > 0x9f || (before >= 0x80 && before != 0xc2));
		must(c == (unsigned char)text[i] || c == '?');
	}
	free(two);
	free(one);
}

static void join(const char *text)
{
	char out[VFS_PATH_MAX];

	if (!vfs_join("/some/where", text, out))
		return;
	must(out[0] == '/' && strlen(out) < sizeof(out) && !strstr(out, "/../"));
	must(!strstr(out, "//") && !strpbrk(out, "\r\n"));
	must(strlen(out) < 3 || strcmp(out + strlen(out) - 3, "/.."));
}

static void ports(const char *text)
{
	union net_addr addr;

	must(control_pasv_port(text) <= 65535);
	must(control_epsv_port(text) <= 65535);
	control_port_addr(text, &addr);
	control_eprt_addr(text, &addr);
}

static void when(const char *text)
{
	char back[32];
	struct tm tm;
	time_t t;

	if (!control_mdtm_time(text, &t))
		return;
	must(gmtime_r(&t, &tm) && strftime(back, sizeof(back), "%Y%m%d%H%M%S", &tm) == 14);
	must(!memcmp(back, text, 14));
}

static void netrc(char *text)
{
	static struct url u;

	memset(&u, 0, sizeof(u));
	strcpy(u.host, "h");
	if (netrc_parse(text, &u))
		must(*u.user && u.has_password);
}

/* What TYPE A does is undone by what it does at the other end, wherever the pieces are cut. */
static void lines(const char *text, size_t len)
{
	size_t cut, n, back;
	char *wire, *got;
	bool cr = false;

	wire = malloc(2 * len + 1);
	got = malloc(2 * len + 3);
	n = text_to_wire(text, len, wire);
	must(n <= 2 * len);
	cut = n / 3;
	back = text_from_wire(&cr, wire, cut, got);
	must(back <= cut + 1);
	back += text_from_wire(&cr, wire + cut, n - cut, got + back);
	if (cr)
		got[back++] = '\r';
	must(back == len && !memcmp(got, text, len));
	cr = false;
	must(text_from_wire(&cr, text, len, got) <= len);
	free(wire);
	free(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = calloc(size, 1);
	must(text);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		url(text);
		break;
	case 1:
		mask(text, size - 1);
		break;
	case 2:
		join(text);
		break;
	case 3:
		ports(text);
		when(text);
		break;
	case 4:
		netrc(text);
		break;
	default:
		lines(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
