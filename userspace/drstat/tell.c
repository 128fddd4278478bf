// SPDX-License-Identifier: GPL-2.0
/* What the doctor has to say, for people and for programs */
#include "doctor.h"

#include <inttypes.h>
#include <stdlib.h>

static void tell_resets(FILE *to, const struct patient *p)
{
	const struct look *now = p->now, *before = p->before;

	fprintf(to,
		"resets      %" PRIu64 " at close() (AbortOnClose), %" PRIu64
		" for data or linger 0 (AbortOnData)",
		now->on_close, now->on_data);
	if (before)
		fprintf(to, "; +%" PRIu64 ", +%" PRIu64 " in %.0f s",
			grown(now->on_close, before->on_close),
			grown(now->on_data, before->on_data), now->drst.at - before->drst.at);
	fputc('\n', to);
}

static uint64_t ever(const struct patient *p, const char *name)
{
	const struct counter *c = counter_find(p->now->drst.counter, p->now->drst.n, 0, name);

	return c ? c->value : 0;
}

static void tell_module(FILE *to, const struct patient *p)
{
	char bytes[32];

	if (!p->now->drst.n) {
		fputs("module      tls_drst is not loaded\n", to);
		return;
	}
	fputs("module      ", to);
	show_setup(to, &p->now->drst);
	fprintf(to,
		"holds       %" PRIu64 " now, %" PRIu64 " outbound and %" PRIu64
		" inbound so far\n",
		held_now(p), ever(p, "TlsDrstHeld"), ever(p, "TlsDrstInHeld"));
	fprintf(to, "cut         %" PRIu64 " by the mode, %" PRIu64 " without close_notify, %s%s\n",
		counted(p, "TlsDrstCutByMode"), counted(p, "TlsDrstCutNotNotified"),
		human_size(bytes, sizeof(bytes), counted(p, "TlsDrstCutBytes")),
		p->before ? ", in this time" : "");
}

static void tell_program(FILE *to, const struct patient *p, const struct program *one)
{
	static const char *const confs[] = {
		[CONF_NONE] = "no OpenSSL 3",	       [CONF_UNKNOWN] = "not understood",
		[CONF_OFF] = "without Options = KTLS", [CONF_DECLINED] = "declines kernel TLS",
		[CONF_KTLS] = "with Options = KTLS",
	};

	fprintf(to, "program     %s[%d]", one->name, one->pid);
	if (one->more)
		fprintf(to, " and %zu more", one->more);
	if (p->sockets.ulp_seen)
		fprintf(to, ": %zu connections by kernel TLS, %zu without", one->ktls, one->other);
	else
		fprintf(to, ": %zu connections, by kernel TLS or without", one->other);
	fprintf(to, "; %s%s%s%s\n", one->file, *one->file ? " " : "", confs[one->conf],
		one->cannot && !one->ktls ? "; nothing is gained by it (docs/howto.md)" : "");
}

static void tell_unseen(FILE *to, const struct patient *p, bool json)
{
	const char *comma = "";

	for (int i = 0; i < 3; i++) {
		char *text = NULL;

		if (i == 0 && p->sockets.trouble)
			text = words("TCP sockets: %s", p->sockets.trouble);
		if (i == 1 && !p->sockets.ulp_seen && p->sockets.n)
			text = words("which connections have kernel TLS: needs CAP_NET_ADMIN");
		if (i == 2 && p->programs.unseen)
			text = words("the sockets of %zu process%s: needs CAP_SYS_PTRACE",
				     p->programs.unseen, p->programs.unseen == 1 ? "" : "es");
		if (!text)
			continue;
		if (json) {
			fputs(comma, to);
			json_string(to, text);
			comma = ", ";
		} else {
			fprintf(to, "not seen    %s\n", text);
		}
		free(text);
	}
}

void tell(FILE *to, const struct patient *p)
{
	fprintf(to,
		p->now->tls.n ? "kernel TLS  %" PRIu64 " connections send by it now, %" PRIu64
				" so far\n" :
				"kernel TLS  is not loaded\n",
		ktls_now(p), ktls_ever(p));
	tell_module(to, p);
	tell_resets(to, p);
	for (size_t i = 0; i < p->programs.n; i++)
		if (p->programs.program[i].ktls || p->programs.program[i].conf != CONF_NONE)
			tell_program(to, p, &p->programs.program[i]);
	tell_unseen(to, p, false);
	for (size_t i = 0; i < p->n; i++)
		fprintf(to, "[%s] %s.%s%s\n", p->finding[i].name, p->finding[i].text,
			p->finding[i].run ? " Run: " : "", p->finding[i].run ?: "");
	if (!p->n)
		fputs("Nothing to do.\n", to);
}

/* ---- JSON ---- */

static void tell_json_programs(FILE *to, const struct patient *p)
{
	const struct programs *programs = &p->programs;
	static const char *const confs[] = {
		[CONF_NONE] = "none",	      [CONF_UNKNOWN] = "unknown", [CONF_OFF] = "off",
		[CONF_DECLINED] = "declined", [CONF_KTLS] = "ktls",
	};

	fputs(", \"programs\": [", to);
	for (size_t i = 0; i < programs->n; i++) {
		const struct program *one = &programs->program[i];

		fprintf(to, "%s{\"name\": ", i ? ", " : "");
		json_string(to, one->name);
		fprintf(to, ", \"pid\": %d, \"processes\": %zu, ", one->pid, one->more + 1);
		if (p->sockets.ulp_seen)
			fprintf(to, "\"ktls\": %zu, \"other\": %zu, ", one->ktls, one->other);
		else
			fputs("\"ktls\": null, \"other\": null, ", to);
		fprintf(to, "\"listening\": %zu, \"openssl\": \"%s\", \"file\": ", one->listening,
			confs[one->conf]);
		json_string(to, one->file);
		fputc('}', to);
	}
	fputc(']', to);
}

void tell_json(FILE *to, const struct patient *p)
{
	const struct look *now = p->now, *before = p->before;

	fputc('{', to);
	json_time(to);
	fputs(", \"netns\": ", to);
	json_string(to, p->ns.name);
	fprintf(to, ", \"loaded\": %s, \"version\": \"%s\", \"knobs\": ",
		now->drst.n ? "true" : "false", now->drst.version);
	json_counters(to, now->drst.knob, now->drst.knobs);
	fputs(", \"counters\": ", to);
	json_counters(to, now->drst.counter, now->drst.n);
	fprintf(to, ", \"kernel_tls\": %s, \"tls\": ", now->tls.n ? "true" : "false");
	json_counters(to, now->tls.counter, now->tls.n);
	fprintf(to, ", \"AbortOnClose\": %" PRIu64 ", \"AbortOnData\": %" PRIu64, now->on_close,
		now->on_data);
	if (before)
		fprintf(to,
			", \"seconds\": %.3f, \"change\": {\"AbortOnClose\": %" PRIu64
			", \"AbortOnData\": %" PRIu64 "}",
			now->drst.at - before->drst.at, grown(now->on_close, before->on_close),
			grown(now->on_data, before->on_data));
	tell_json_programs(to, p);
	fputs(", \"unseen\": [", to);
	tell_unseen(to, p, true);
	fputs("], \"findings\": [", to);
	for (size_t i = 0; i < p->n; i++) {
		fprintf(to, "%s{\"finding\": \"%s\", \"text\": ", i ? ", " : "",
			p->finding[i].name);
		json_string(to, p->finding[i].text);
		fputs(", \"run\": ", to);
		json_string(to, p->finding[i].run ?: "");
		fputc('}', to);
	}
	fputs("]}\n", to);
}
