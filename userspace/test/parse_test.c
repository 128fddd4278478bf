// SPDX-License-Identifier: GPL-2.0
/*
 * parse_test.c - URLs, replies 227 and 229, paths, line ends: good ones, odd ones, hostile ones
 */
#include <string.h>

#include "control.h"
#include "credentials.h"
#include "progress.h"
#include "tap.h"
#include "text.h"
#include "url.h"
#include "vfs.h"

static void url(const char *text, const char *want)
{
	static struct url u;
	char got[5 * URL_PART_MAX];
	const char *why = url_parse(text, &u);

	if (why)
		snprintf(got, sizeof(got), "%s", strstr(why, "password") ? "password" : "bad");
	else
		snprintf(got, sizeof(got), "%s|%s|%s|%s|%s", u.user,
			 u.has_password ? u.password : "-", u.host, u.port, u.path);
	ok(!strcmp(got, want), "URL %.60s: %s", text, got);
}

static void urls(void)
{
	url("ftps://u@h:2121/a/b", "u|-|h|2121|a/b");
	url("FTPES://u@h", "u|-|h||");
	url("ftps://u:p@h/", "password");
	url("ftps://u:@h/", "password");
	url("ftps://u:p@q@h/x@y", "password");
	url("ftps://u%3ap@h/", "u:p|-|h||");
	url("ftps://u%40x@[::1]:5/%2fetc/x", "u@x|-|::1|5|/etc/x");
	url("ftps://u@q@h/x@y", "u@q|-|h||x@y");
	url("ftps://h/x", "|-|h||x");
	url("ftp://u@h/x", "bad");
	url("ftps://u@/x", "bad");
	url("ftps://u@local host/x", "bad");
	url("ftps://u@h%2fi/x", "bad");
	url("ftps://u@h:0/x", "bad");
	url("ftps://u@h:65536/x", "bad");
	url("ftps://u@h:/x", "bad");
	url("ftps://u@h:12a/x", "bad");
	url("ftps://u@[::1/x", "bad");
	url("ftps://u@[::1]x/x", "bad");
	url("ftps://u@h/a%0d%0aDELE%20b", "bad");
	url("ftps://u%0aUSER@h/a", "bad");
	url("ftps://u@h/a%00b", "bad");
	url("ftps://u@h/a%2", "bad");
	url("ftps://u@h/a%zz", "bad");
}

static void netrc(const char *user, const char *text, const char *want)
{
	static struct url u;
	char copy[512], got[2 * URL_PART_MAX + 2];

	memset(&u, 0, sizeof(u));
	strcpy(u.host, "h");
	strcpy(u.user, user);
	snprintf(copy, sizeof(copy), "%s", text);
	if (netrc_parse(copy, &u))
		snprintf(got, sizeof(got), "%s|%s", u.user, u.password);
	else
		snprintf(got, sizeof(got), "%s", "none");
	ok(!strcmp(got, want), "netrc: %s", got);
}

static void netrcs(void)
{
	netrc("", "machine h login u password p", "u|p");
	netrc("", "machine x login a password b\nmachine h\n\tlogin u\n\tpassword p\n", "u|p");
	netrc("v", "machine h login u password p machine h login v password q", "v|q");
	netrc("v", "machine h login u password p", "none");
	netrc("v", "machine h password p", "v|p");
	netrc("", "machine h password p", "none");
	netrc("", "machine H login u password p", "u|p");
	netrc("", "machine x login a password b default login u password p", "u|p");
	netrc("", "machine h login u password \"a b\\\"c\"", "u|a b\"c");
	netrc("", "macdef m\nmachine h login x password y\n\nmachine h login u password p", "u|p");
	netrc("", "machine h login u account a password p", "u|p");
	netrc("", "machine h login", "none");
	netrc("", "machine", "none");
	netrc("", "\"", "none");
	netrc("", "machine h login \"\" password p", "none");
	netrc("", "machine h login u password \"a\rb\"", "none");
	netrc("", "", "none");
}

static void port(unsigned int (*parse)(const char *), const char *text, unsigned int want)
{
	unsigned int got = parse(text);

	ok(got == want, "port in \"%s\": %u", text, got);
}

static void ports(void)
{
	port(control_pasv_port, "Entering Passive Mode (127,0,0,1,4,210)", 1234);
	port(control_pasv_port, "Entering Passive Mode (127,0,0,1,4,210).", 1234);
	port(control_pasv_port, "Entering Passive Mode. 10,0,0,1,0,21", 21);
	port(control_pasv_port, "Mode 1 (10,0,0,1,255,255)", 65535);
	port(control_pasv_port, "(10,0,0,1,256,1)", 0);
	port(control_pasv_port, "(10,0,0,1,1,2567)", 0);
	port(control_pasv_port, "(10,0,0,1,-1,1)", 0);
	port(control_pasv_port, "(10,0,0,1,1)", 0);
	port(control_pasv_port, "", 0);
	port(control_pasv_port, "12345678901234567890", 0);
	port(control_epsv_port, "Entering Extended Passive Mode (|||6446|)", 6446);
	port(control_epsv_port, "(!!!21!)", 21);
	port(control_epsv_port, "(|||65536|)", 0);
	port(control_epsv_port, "(|||0|)", 0);
	port(control_epsv_port, "(|||99999999999999|)", 0);
	port(control_epsv_port, "(||1|6446|)", 0);
	port(control_epsv_port, "(|||6446)", 0);
	port(control_epsv_port, "(|||", 0);
	port(control_epsv_port, "(|", 0);
	port(control_epsv_port, "(", 0);
	port(control_epsv_port, "", 0);
}

static void address(bool (*parse)(const char *, union net_addr *), const char *text,
		    const char *want)
{
	union net_addr addr;
	char got[NET_TEXT_MAX] = "bad";

	if (parse(text, &addr))
		net_text(&addr, got);
	ok(!strcmp(got, want), "address in \"%s\": %s", text, got);
}

static void addresses(void)
{
	address(control_port_addr, "127,0,0,1,4,210", "127.0.0.1:1234");
	address(control_port_addr, "127,0,0,1,4,2100", "bad");
	address(control_port_addr, "127,0,0,256,4,210", "bad");
	address(control_port_addr, " 127,0,0,1,4,210", "bad");
	address(control_port_addr, "127,0,0,1,4,210 ", "bad");
	address(control_port_addr, "127,0,0,1,4,210xyz", "bad");
	address(control_port_addr, "127,0,0,1,4,210,1", "bad");
	address(control_port_addr, "", "bad");
	address(control_eprt_addr, "|1|127.0.0.1|1234|", "127.0.0.1:1234");
	address(control_eprt_addr, "|2|::1|1234|", "[::1]:1234");
	address(control_eprt_addr, "|1|::1|1234|", "bad");
	address(control_eprt_addr, "|3|::1|1234|", "bad");
	address(control_eprt_addr, "|2|::1|65536|", "bad");
	address(control_eprt_addr, "|2|::1|1234", "bad");
	address(control_eprt_addr, "|2|::1|", "bad");
	address(control_eprt_addr, "|2|", "bad");
	address(control_eprt_addr, "|", "bad");
	address(control_eprt_addr, "", "bad");
}

static void join(const char *cwd, const char *arg, const char *want)
{
	char out[VFS_PATH_MAX];
	const char *got = vfs_join(cwd, arg, out) ? out : "refused";

	ok(!strcmp(got, want), "\"%s\" in %s is %s", strchr(arg, '\n') ? "a LF" : arg, cwd, got);
}

static void paths(void)
{
	static char deep[2 * VFS_PATH_MAX];
	char out[VFS_PATH_MAX];

	join("/", "a", "/a");
	join("/a/b", "c", "/a/b/c");
	join("/a/b", "/c", "/c");
	join("/a/b", "..", "/a");
	join("/a/b", "../../../../etc/passwd", "/etc/passwd");
	join("/", "../..", "/");
	join("/a", "./b//c/.", "/a/b/c");
	join("/", "", "/");
	join("/", "a\nb", "refused");
	join("/", "x/.ftps.0123456789abcdef", "refused");
	memset(deep, 'x', sizeof(deep) - 1);
	ok(!vfs_join("/", deep, out), "a path of %zu bytes is refused", sizeof(deep) - 1);
}

/* From the wire in two pieces, cut at each place in turn. */
static void text(const char *file, const char *wire)
{
	size_t len = strlen(wire), n;
	char got[64];
	bool same = true;

	n = text_to_wire(file, strlen(file), got);
	ok(n == len && !memcmp(got, wire, n), "text of %zu bytes to the wire: %zu", strlen(file),
	   n);
	for (size_t cut = 0; cut <= len; cut++) {
		bool cr = false;

		n = text_from_wire(&cr, wire, cut, got);
		n += text_from_wire(&cr, wire + cut, len - cut, got + n);
		if (cr)
			got[n++] = '\r';
		same = same && n == strlen(file) && !memcmp(got, file, n);
	}
	ok(same, "and back, wherever it is cut");
}

static void texts(void)
{
	text("", "");
	text("a", "a");
	text("a\nb\n", "a\r\nb\r\n");
	text("a\r\nb", "a\r\r\nb");
	text("\r", "\r");
	text("\n\r\r\na\rb\n\n", "\r\n\r\r\r\na\rb\r\n\r\n");
}

static void masked(const char *text, const char *want)
{
	char got[64], last = '\0';

	snprintf(got, sizeof(got), "%s", text);
	text_mask(&last, got, strlen(got), "\n");
	ok(!strcmp(got, want), "%zu bytes for a terminal", strlen(text));
}

static void masks(void)
{
	masked("plain\n", "plain\n");
	masked("\x1b[2J\r\x7f\t", "?[2J???");
	masked("\x9b"
	       "2J",
	       "?2J");
	masked("\xc2\x9b"
	       "2J",
	       "\xc2?2J");
	masked("\x9b\x9b", "??");
	masked("\xc3\xa4\xe2\x82\xac\xc2\xa0", "\xc3\xa4\xe2\x82\xac\xc2\xa0");
}

static void when(const char *text, long want)
{
	time_t got;

	if (!control_mdtm_time(text, &got))
		got = -1;
	ok(got == want, "MDTM \"%s\": %ld", text, (long)got);
}

static void times(void)
{
	when("19700101000000", 0);
	when("20010909014640", 1000000000);
	when("20010909014640.123", 1000000000);
	when("20240229000000", 1709164800);
	when("20230229000000", -1);
	when("20261301000000", -1);
	when("20260101250000", -1);
	when("2026010112000", -1);
	when("191200101000000", -1);
	when("20260101120000x", -1);
	when("2026010112 000", -1);
	when("", -1);
}

static void bar(uint64_t begin, uint64_t total, uint64_t bytes, int width, const char *want)
{
	struct progress p = { .name = "f\033[2J which is long, and is so it is cut",
			      .begin = begin,
			      .total = total };
	char line[256];

	progress_line(&p, bytes, 2000, width, line, sizeof(line));
	ok(!strcmp(line, want), "progress: \"%s\"", line);
}

static void bars(void)
{
	uint64_t rate = 9999ULL << 10, at = 9999ULL << 30;

	/* As wide as can be. */
	bar(at - 2 * rate, at + 359999 * rate, 2 * rate, 80,
	    "f?[2J which is long,  74% [#################.......] 9999G 9999K/s ETA 99:59:59");
	bar(0, 1000, 500, 80,
	    "f?[2J which is long,  50% [############............] 500B 250B/s ETA 0:00:02");
	bar(500, 1000, 500, 80,
	    "f?[2J which is long, 100% [########################] 1000B 250B/s ETA 0:00:00");
	bar(0, 0, 30000, 80, "f?[2J which is long, 29K 14K/s");
	bar(0, 10, 20, 80, "f?[2J which is long, 20B 10B/s");
	bar(0, 1000000, 200, 80,
	    "f?[2J which is long,   0% [........................] 200B 100B/s ETA 2:46:38");
	bar(0, 1000, 500, 10, "f?[2J whi");
	bar(0, UINT64_MAX, 1, 80,
	    "f?[2J which is long,   0% [........................] 1B 0B/s ETA -:--:--");
}

int main(void)
{
	texts();
	masks();
	times();
	bars();
	urls();
	netrcs();
	ports();
	addresses();
	paths();
	return tap_done();
}
