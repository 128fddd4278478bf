// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io.h"
#include "text.h"

static void put_line(int fd, const char *line)
{
	if (!io_put(fd, line))
		io_say("a line of the summary, or of the log, could not be written");
}

static char *dump(json_t *object)
{
	char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

	json_decref(object);
	return line;
}

/* @line: freed here; NULL: there was no memory for it */
static void put_json(int fd, char *line)
{
	if (line)
		put_line(fd, line);
	else
		io_say("no memory for a line of JSON");
	free(line);
}

/*
 * The first @max bytes at most. File names need not be UTF-8; JSON strings must be: then bytes that
 * are not ASCII become \xNN.
 */
static json_t *cut_text(const char *s, size_t max)
{
	json_t *j;
	char safe[8192];
	size_t len, n = 0;

	if (!s)
		return json_null();
	len = strnlen(s, max);
	while (s[len] && len && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	j = json_stringn(s, len);
	if (j)
		return j;
	for (size_t i = 0; i < len && n < sizeof(safe) - 4; i++)
		n += (size_t)snprintf(safe + n, sizeof(safe) - n,
				      (unsigned char)s[i] > 126 ? "\\x%02x" : "%c",
				      (unsigned char)s[i]);
	return json_stringn(safe, n);
}

static json_t *text(const char *s)
{
	return cut_text(s, INT_MAX);
}

#define TIME_MAX 32

/* The time of day, UTC, as ISO 8601 has it. */
static const char *now(char *text)
{
	time_t t = time(NULL);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = '\0';
	return text;
}

/* The end in one word: what was seen by a receiver, what was achieved by a sender. */
static const char *end_word(const struct transfer *t)
{
	if (!t->sending || t->end != TS_OK)
		return ts_name(t->end);
	return t->awaited ? "acknowledged" : "not-awaited";
}

static json_t *transfer_json(const struct transfer *t)
{
	/* clang-format off */
	return json_pack("{s:I, s:s, s:{s:b, s:b}, s:s, s:s, s:f, s:o, s:b, s:I, s:I}",
			 "bytes", (json_int_t)t->bytes,
			 "end", end_word(t),
			 "ktls", "tx", t->ktls_tx, "rx", t->ktls_rx,
			 "tls", t->version,
			 "cipher", t->cipher,
			 "seconds", (double)t->ms / 1000,
			 "sha256", text(*t->sha256 ? t->sha256 : NULL),
			 "close_notify_sent", t->notified,
			 "unacked", (json_int_t)t->missing,
			 "unread", (json_int_t)t->unread);
	/* clang-format on */
}

/* @max: of the bytes of each name */
static char *report_json(const struct report *r, size_t max)
{
	/* clang-format off */
	json_t *j = json_pack("{s:s, s:o, s:o, s:s, s:i, s:i, s:o, s:s, s:o, s:o}",
			      "op", r->op,
			      "path", cut_text(r->path, max),
			      "peer", text(r->peer),
			      "result", xs_name(r->status),
			      "exit", (int)r->status,
			      "reply", r->reply,
			      "reply_text", text(r->reply_text),
			      "ending", ending_names[r->ending],
			      "partial", cut_text(r->partial, max),
			      "error", text(r->why));
	/* clang-format on */
	json_t *t = j && r->transfer ? transfer_json(r->transfer) : NULL;
	char when[TIME_MAX];

	if (j && r->user) {
		json_object_set_new(j, "time", json_string(now(when)));
		json_object_set_new(j, "user", text(r->user));
	}
	if (j && r->from)
		json_object_set_new(j, "from", cut_text(r->from, max));
	if (t) {
		json_object_update(j, t);
		json_decref(t);
	}
	return dump(j);
}

/* Sessions may share a pipe: lines that are longer than PIPE_BUF would mix with others. */
static void print_json(const struct report *r, int fd)
{
	size_t max = PIPE_BUF;
	char *line = report_json(r, r->user ? max : INT_MAX);

	while (r->user && line && strlen(line) >= PIPE_BUF && max > 1) {
		max /= 2;
		free(line);
		line = report_json(r, max);
	}
	put_json(fd, line);
}

static const char *ktls_words(const struct transfer *t)
{
	if (!strcmp(t->version, "none"))
		return "no TLS";
	if (t->ktls_tx)
		return t->ktls_rx ? "kTLS TX and RX" : "kTLS TX, user-space RX";
	return t->ktls_rx ? "user-space TX, kTLS RX" : "user-space TLS";
}

/* What a peer said is in it: a terminal must not obey it. */
static void put_words(int fd, char *line)
{
	char last = '\0';

	text_mask(&last, line, strlen(line), "");
	put_line(fd, line);
}

static void print_words(const struct report *r, int fd)
{
	const struct transfer *t = r->transfer;
	char line[4096], when[TIME_MAX];
	FILE *f = fmemopen(line, sizeof(line) - 1, "w");

	if (!f)
		return;
	if (r->user)
		fprintf(f, "%s %s \"%s\" ", now(when), r->peer, r->user);
	fprintf(f, "%s %.1024s: %s", r->op, r->path, xs_name(r->status));
	if (r->from)
		fprintf(f, ", from %.1024s", r->from);
	if (t)
		fprintf(f, ", %" PRIu64 " bytes, %s, %s %s, %s", t->bytes, end_word(t), t->version,
			t->cipher, ktls_words(t));
	if (t && t->missing)
		fprintf(f, ", %" PRIu64 " bytes unacknowledged", t->missing);
	if (t && t->unread)
		fprintf(f, ", %" PRIu64 " bytes unread at close", t->unread);
	if (t)
		fprintf(f, ", %.3f s", (double)t->ms / 1000);
	if (r->reply)
		fprintf(f, ", reply %d", r->reply);
	if (r->partial)
		fprintf(f, ", partial file %.512s", r->partial);
	if (t && *t->sha256)
		fprintf(f, ", sha256 %s", t->sha256);
	if (r->user && r->why)
		fprintf(f, ", %s", r->why);
	fclose(f);
	put_words(fd, line);
}

void report_print(const struct report *r, bool json, int fd)
{
	if (json)
		print_json(r, fd);
	else
		print_words(r, fd);
}

void report_event(const char *event, const char *peer, const char *user, const char *detail,
		  bool json)
{
	char line[1024], when[TIME_MAX];

	if (json) {
		put_json(STDOUT_FILENO,
			 dump(json_pack("{s:s, s:s, s:o, s:o, s:o}", "time", now(when), "event",
					event, "peer", text(peer), "user", text(user), "detail",
					text(detail))));
		return;
	}
	snprintf(line, sizeof(line) - 1, "%s %s \"%s\" %s: %s", now(when), peer, user, event,
		 detail);
	put_words(STDOUT_FILENO, line);
}

void report_listening(const char *address, unsigned int port, bool json)
{
	char line[128];

	if (json) {
		put_json(STDOUT_FILENO, dump(json_pack("{s:s, s:s, s:i}", "event", "listening",
						       "address", address, "port", (int)port)));
		return;
	}
	snprintf(line, sizeof(line) - 1, "listening on %s", address);
	put_line(STDOUT_FILENO, line);
}
