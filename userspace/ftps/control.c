// SPDX-License-Identifier: GPL-2.0
#include "control.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"

#define KEEPALIVE_S 60 /* firewalls are said to wait for 5 minutes */

struct control *control_new(struct tls_stream *s, int timeout_ms)
{
	struct control *c = calloc(1, sizeof(*c));
	int on = 1, idle = KEEPALIVE_S, fd = tls_stream_fd(s);

	if (!c) {
		tls_stream_free(s);
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	c->s = s;
	c->timeout_ms = timeout_ms;
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	tls_stream_free(c->s);
	free(c);
}

static enum ctl_status failed(struct control *c, enum ctl_status st, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	return st;
}

static enum ctl_status stream_failed(struct control *c, enum ts_status st)
{
	switch (st) {
	case TS_OK:
		return CTL_OK;
	case TS_WAIT:
		return CTL_WAIT;
	case TS_TIMEOUT:
		return failed(c, CTL_TIMEOUT, "no answer for too long");
	case TS_STOPPED:
		return failed(c, CTL_STOPPED, "stopped by a signal");
	case TS_ERROR:
		return failed(c,
			      tls_stream_fault(c->s) == TS_FAULT_NET ? CTL_NETWORK : CTL_PROTOCOL,
			      tls_stream_why(c->s));
	default:
		return failed(c, CTL_CLOSED, "closed by peer");
	}
}

/* ------------------------------------------------------------------ lines */

/* Telnet's IAC and the command behind it, and the two more bytes of DM, may precede ABOR. */
static char *skip_telnet(char *line)
{
	while ((unsigned char)line[0] >= 0xf0 && line[1])
		line += (unsigned char)line[0] == 0xff ? 2 : 1;
	return line;
}

static enum ctl_status take_line(struct control *c, char *line)
{
	char *lf = memchr(c->in, '\n', c->have);
	size_t len, used;

	if (!lf && c->have == sizeof(c->in))
		return failed(c, CTL_PROTOCOL, "line too long");
	if (!lf)
		return CTL_WAIT;
	len = (size_t)(lf - c->in);
	used = len + 1;
	if (len && c->in[len - 1] == '\r')
		len--;
	if (memchr(c->in, '\0', len) || memchr(c->in, '\r', len))
		return failed(c, CTL_PROTOCOL, "NUL or CR inside a line");
	memcpy(line, c->in, len);
	line[len] = '\0';
	memmove(line, skip_telnet(line), strlen(skip_telnet(line)) + 1);
	memmove(c->in, c->in + used, c->have - used);
	c->have -= used;
	return CTL_OK;
}

enum ctl_status control_try_line(struct control *c, char *line)
{
	for (;;) {
		enum ctl_status ready = take_line(c, line);
		enum ts_status st;
		size_t n;

		if (ready != CTL_WAIT)
			return ready;
		st = tls_stream_read(c->s, c->in + c->have, sizeof(c->in) - c->have, &n);
		if (st != TS_OK)
			return stream_failed(c, st);
		c->have += n;
	}
}

static enum ctl_status wait_for(struct control *c, short events, int64_t deadline)
{
	int r = io_wait(tls_stream_fd(c->s), events, io_left(deadline));

	if (r > 0 || (r == -EINTR && !io_stop))
		return CTL_OK;
	if (r == 0)
		return stream_failed(c, TS_TIMEOUT);
	return r == -EINTR ? stream_failed(c, TS_STOPPED) : failed(c, CTL_NETWORK, strerror(-r));
}

static enum ctl_status line_until(struct control *c, char *line, int64_t deadline)
{
	for (;;) {
		enum ctl_status st = control_try_line(c, line);

		if (st != CTL_WAIT)
			return st;
		/* A signal that came before does not end this wait. */
		st = io_stop ? stream_failed(c, TS_STOPPED) :
			       wait_for(c, tls_stream_read_events(c->s), deadline);
		if (st != CTL_OK)
			return st;
	}
}

enum ctl_status control_line(struct control *c, char *line)
{
	return line_until(c, line, io_now() + c->timeout_ms);
}

/* ------------------------------------------------------------------ replies */

static int code_of(const char *line)
{
	if (line[0] < '1' || line[0] > '6' || line[1] < '0' || line[1] > '5' ||
	    !isdigit((unsigned char)line[2]))
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

static void keep_text(struct ctl_reply *r, const char *line)
{
	size_t room = sizeof(r->text) - r->text_len;
	int n = snprintf(r->text + r->text_len, room, "%s%s", r->text_len ? "\n" : "", line);

	r->text_len += n < (int)room ? (size_t)n : room - 1;
}

/* A line of a reply. Return: CTL_OK where it was the last, CTL_WAIT where more must come. */
static enum ctl_status add_line(struct control *c, const char *line)
{
	struct ctl_reply *r = &c->reply;
	int code = code_of(line);
	bool last;

	io_note("< %s", line);
	if (++r->lines > CONTROL_REPLY_LINES)
		return failed(c, CTL_PROTOCOL, "endless reply");
	if (r->lines == 1) {
		if (!code || (line[3] && line[3] != ' ' && line[3] != '-'))
			return failed(c, CTL_PROTOCOL, "this is not an FTP reply");
		r->code = code;
		last = line[3] != '-';
	} else {
		last = code == r->code && (line[3] == ' ' || !line[3]);
	}
	keep_text(r, line);
	if (!last)
		return CTL_WAIT;
	r->done = true;
	snprintf(r->last, sizeof(r->last), "%s", line[3] ? line + 4 : "");
	return CTL_OK;
}

/* After a complete reply the next one begins anew; an unfinished one goes on. */
static void begin_reply(struct ctl_reply *r)
{
	if (r->lines && !r->done)
		return;
	r->done = false;
	r->code = 0;
	r->lines = 0;
	r->text_len = 0;
	r->text[0] = '\0';
	r->last[0] = '\0';
}

/* One deadline for all its lines, so that nobody can keep us with a line now and then. */
static enum ctl_status reply_until(struct control *c, bool wait, int64_t deadline)
{
	char line[CONTROL_LINE_MAX];
	enum ctl_status st;

	begin_reply(&c->reply);
	do {
		st = wait ? line_until(c, line, deadline) : control_try_line(c, line);
		if (st != CTL_OK)
			return st;
		st = add_line(c, line);
	} while (st == CTL_WAIT);
	return st;
}

enum ctl_status control_try_reply(struct control *c)
{
	return reply_until(c, false, 0);
}

enum ctl_status control_reply(struct control *c)
{
	return reply_until(c, true, io_now() + c->timeout_ms);
}

/* ------------------------------------------------------------------ sending */

static enum ctl_status send_all(struct control *c, const char *buf, size_t len)
{
	int64_t deadline = io_now() + c->timeout_ms;

	while (len) {
		size_t n;
		enum ts_status st = tls_stream_write(c->s, buf, len, &n);

		if (st == TS_OK) {
			buf += n;
			len -= n;
		} else if (st == TS_WAIT) {
			enum ctl_status w = wait_for(c, tls_stream_write_events(c->s), deadline);

			if (w != CTL_OK)
				return w;
		} else {
			return stream_failed(c, st);
		}
	}
	return CTL_OK;
}

static enum ctl_status send_line(struct control *c, char *line, int len)
{
	if (len < 0 || len > CONTROL_LINE_MAX - 3)
		return failed(c, CTL_PROTOCOL, "line too long to send");
	if (strpbrk(line, "\r\n"))
		return failed(c, CTL_PROTOCOL, "a line break inside a command");
	io_note("> %s", strncmp(line, "PASS ", 5) ? line : "PASS ****");
	memcpy(line + len, "\r\n", 3);
	return send_all(c, line, (size_t)len + 2);
}

enum ctl_status control_send(struct control *c, const char *fmt, ...)
{
	char line[CONTROL_LINE_MAX];
	enum ctl_status st;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	st = send_line(c, line, len);
	OPENSSL_cleanse(line, sizeof(line));
	return st;
}

/* ------------------------------------------------------------------ times */

bool control_mdtm_time(const char *text, time_t *when)
{
	char back[32] = "";
	struct tm tm = { 0 };

	if (strspn(text, "0123456789") != 14 || (text[14] && text[14] != '.') ||
	    !strptime(text, "%Y%m%d%H%M%S", &tm))
		return false;
	*when = timegm(&tm);
	/* It has made a day of March of the 30th of February. */
	return strftime(back, sizeof(back), "%Y%m%d%H%M%S", &tm) == 14 && !memcmp(back, text, 14);
}

/* ------------------------------------------------------------------ ports */

/*
 * Numbers behind one another with commas between.
 * Return: what is behind them, or NULL unless there are exactly six.
 */
static const char *six_numbers(const char *text, unsigned int *n)
{
	int used = 0;

	if (sscanf(text, "%3u,%3u,%3u,%3u,%3u,%3u%n", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5],
		   &used) != 6 ||
	    !used || isdigit((unsigned char)text[used]))
		return NULL;
	for (int i = 0; i < 6; i++)
		if (n[i] > 255)
			return NULL;
	return text + used;
}

unsigned int control_pasv_port(const char *text)
{
	unsigned int n[6];

	/* RFC 1123 s. 4.1.2.6: look for the digits, the brackets may be missing. */
	while (*(text += strcspn(text, "0123456789"))) {
		if (six_numbers(text, n))
			return n[4] << 8 | n[5];
		text += strspn(text, "0123456789");
	}
	return 0;
}

unsigned int control_epsv_port(const char *text)
{
	const char *p = strchr(text, '(');
	char d[6] = "", port[7];

	if (!p || sscanf(p, "(%c%c%c%6[0-9]%c%c", &d[0], &d[1], &d[2], port, &d[3], &d[4]) != 6 ||
	    !isgraph((unsigned char)*d) || isdigit((unsigned char)*d) ||
	    strspn(d, (char[]){ *d, '\0' }) != 4 || d[4] != ')')
		return 0;
	return atoi(port) <= 65535 ? (unsigned int)atoi(port) : 0;
}

bool control_port_addr(const char *text, union net_addr *addr)
{
	const char *end;
	unsigned int n[6];
	char host[32];

	end = isdigit((unsigned char)*text) ? six_numbers(text, n) : NULL;
	if (!end || *end)
		return false;
	snprintf(host, sizeof(host), "%u.%u.%u.%u", n[0], n[1], n[2], n[3]);
	return net_parse(host, AF_INET, n[4] << 8 | n[5], addr);
}

bool control_eprt_addr(const char *text, union net_addr *addr)
{
	char d[5] = "", family[2], host[46], port[6];
	int used = 0;

	if (sscanf(text, "%c%1[12]%c%45[0-9a-fA-F:.]%c%5[0-9]%c%n", &d[0], family, &d[1], host,
		   &d[2], port, &d[3], &used) != 7 ||
	    text[used] || !ispunct((unsigned char)*d) || strspn(d, (char[]){ *d, '\0' }) != 4)
		return false;
	return atoi(port) <= 65535 &&
	       net_parse(host, *family == '2' ? AF_INET6 : AF_INET, (unsigned int)atoi(port), addr);
}

enum ctl_status control_send_port(struct control *c, const union net_addr *addr)
{
	char text[NET_TEXT_MAX];
	const unsigned char *a = (const unsigned char *)&addr->in.sin_addr;

	if (addr->sa.sa_family == AF_INET)
		return control_send(c, "PORT %u,%u,%u,%u,%u,%u", a[0], a[1], a[2], a[3],
				    net_port(addr) >> 8, net_port(addr) & 255);
	return control_send(c, "EPRT |2|%s|%u|", net_host(addr, text), net_port(addr));
}
