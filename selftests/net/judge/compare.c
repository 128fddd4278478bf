// SPDX-License-Identifier: GPL-2.0
#include "compare.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../lib/drst.h"

#define TEXT_LINE 256
#define SHADOWS_MAX 8

/* ---- in words ---- */

struct text {
	char buf[TEXT_LINE];
	int len;
};

#define PUT(text, ...)							\
	((text)->len += snprintf((text)->buf + (text)->len,		\
				 sizeof((text)->buf) - (text)->len, __VA_ARGS__))

struct bit {
	long bit;
	const char *name;
};

static const struct bit events[] = {
	{ POLLIN, "IN" }, { POLLRDNORM, "RDNORM" }, { POLLPRI, "PRI" },
	{ POLLOUT, "OUT" }, { POLLWRNORM, "WRNORM" }, { POLLRDHUP, "RDHUP" },
	{ POLLERR, "ERR" }, { POLLHUP, "HUP" }, { POLLNVAL, "NVAL" }, { 0, NULL }
};

static const struct bit sets[] = {
	{ 1, "R" }, { 2, "W" }, { 4, "X" }, { 0, NULL }
};

static const struct bit bands[] = {
	{ 1 << POLL_IN, "IN" }, { 1 << POLL_OUT, "OUT" },
	{ 1 << POLL_MSG, "MSG" }, { 1 << POLL_ERR, "ERR" },
	{ 1 << POLL_PRI, "PRI" }, { 1 << POLL_HUP, "HUP" }, { 0, NULL }
};

static void put_bits(struct text *t, const struct bit *bit, long value)
{
	const char *between = "";

	for (; bit->name; bit++) {
		if (!(value & bit->bit))
			continue;
		PUT(t, "%s%s", between, bit->name);
		between = "|";
		value &= ~bit->bit;
	}
	if (value)
		PUT(t, "%s%#lx", between, value);
	else if (!*between)
		PUT(t, "nothing");
}

static void put_value(struct text *t, const struct step *step,
		      const struct outcome *out)
{
	static const char *const states[] = { "none", "ESTABLISHED", "SYN_SENT",
		"SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
		"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING" };

	PUT(t, ", ");
	if (is_op(step, "state") && out->value < 12)
		PUT(t, "%s", states[out->value]);
	else if (is_op(step, "select"))
		put_bits(t, sets, out->value);
	else if (step->op->kind == DO_POLL)
		put_bits(t, events, out->value);
	else if (step->op->kind == DO_SO_ERROR && out->value)
		PUT(t, "%s", strerrorname_np(out->value));
	else
		PUT(t, "%ld", out->value);
}

static void put_outcome(struct text *t, const struct step *step,
			const struct outcome *out)
{
	if (out->skipped) {
		PUT(t, "left out");
		return;
	}
	PUT(t, "%ld", out->ret);
	if (out->err)
		PUT(t, " %s", strerrorname_np(out->err));
	if (out->value || step->op->kind == DO_GET ||
	    step->op->kind == DO_SO_ERROR)
		put_value(t, step, out);
	if (out->type)
		PUT(t, ", record type %d", out->type);
	if (out->inq >= 0)
		PUT(t, ", TCP_INQ %d", out->inq);
	if (out->flags)
		PUT(t, ", msg_flags %#x", out->flags);
	if (out->corrupt)
		PUT(t, ", other bytes than the peer sent");
	if (out->sigpipe)
		PUT(t, ", SIGPIPE");
	if (out->waited)
		PUT(t, ", after its timeout");
}

static void put_when(struct text *t, const struct script *s, int k, int when)
{
	if (when == s->steps)
		PUT(t, " (blocks until it is interrupted)");
	else if (when > k)
		PUT(t, " (blocks until step %d, \"%s\")", when + 1,
		    s->step[when].text);
}

static void print_call(const char *whose, const struct script *s,
		       const struct run *run, int k)
{
	struct text t = {};

	put_outcome(&t, &s->step[k], &run->out[k]);
	put_when(&t, s, k, run->when[k]);
	printf("#     %-9s %s\n", whose, t.buf);
}

static void print_bits(const char *whose, const struct bit *bit, long value)
{
	struct text t = {};

	put_bits(&t, bit, value);
	printf("#     %-9s %s\n", whose, t.buf);
}

static void print_script(const struct script *s, int mode)
{
	int i;

	if (s->name)
		printf("# script %s, mode %d:\n", s->name, mode);
	else
		printf("# JUDGE_SEED=%u JUDGE_SCRIPTS=1, mode %d:\n", s->seed, mode);
	if (s->with[0])
		printf("#      %s\n", s->with);
	for (i = 0; i < s->steps; i++)
		printf("#  %2d  %s\n", i + 1, s->step[i].text);
}

/* ---- comparing ---- */

struct trial {
	const struct script *script;
	int mode;
	const struct run *vanilla;
	struct expected want;
	struct run got;
	int differences;
};

/* The script first, but only once. */
static void difference(struct trial *t, int i, const char *what)
{
	if (!t->differences++)
		print_script(t->script, t->mode);
	printf("#   step %d, \"%s\"%s%s\n", i + 1, t->script->step[i].text,
	       *what ? ": " : "", what);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
	return a->skipped == b->skipped && a->waited == b->waited &&
	       a->sigpipe == b->sigpipe && a->corrupt == b->corrupt &&
	       a->ret == b->ret && a->err == b->err &&
	       a->value == b->value && a->type == b->type && a->inq == b->inq && a->flags == b->flags;
}

static bool same_call(const struct trial *t, int k)
{
	const struct expected *want = &t->want;
	const struct outcome *out = &t->got.out[k];

	if (t->script->step[k].op->kind == BY_PEER && !want->run.open[k])
		return true;	/* the wire may differ after close() */
	if (want->loose[k].until)
		return out->ret <= 0 || t->got.when[k] == want->run.when[k] ||
		       !(out->value & ~want->loose[k].may_show);
	return t->got.when[k] == want->run.when[k] &&
	       same_outcome(out, &want->run.out[k]);
}

/* What the module cannot mend is vanilla's in full. */
static bool is_gap(const struct trial *t, int k)
{
	if (!(t->script->gaps >> k & 1) || t->got.when[k] != t->vanilla->when[k] ||
	    !same_outcome(&t->got.out[k], &t->vanilla->out[k]))
		return false;
	printf("# step %d, \"%s\": as vanilla in mode %d, too\n", k + 1,
	       t->script->step[k].text, t->mode);
	return true;
}

static void compare_call(struct trial *t, int k)
{
	if (same_call(t, k) || is_gap(t, k))
		return;
	difference(t, k, "");
	print_call("expected", t->script, &t->want.run, k);
	print_call("was", t->script, &t->got, k);
	print_call("vanilla", t->script, t->vanilla, k);
}

static void compare_sigio(struct trial *t, int i)
{
	unsigned int want = t->want.run.sigio[i], got = t->got.sigio[i];

	if (want == got)
		return;
	difference(t, i, "SIGIO");
	print_bits("expected", bands, want);
	print_bits("was", bands, got);
	print_bits("vanilla", bands, t->vanilla->sigio[i]);
}

/*
 * Not what a process sees, but it says why it sees that. A hold that is over may
 * still be counted for a moment.
 */
static void compare_held(struct trial *t, int i)
{
	if (t->want.run.held[i] <= t->got.held[i])
		return;
	difference(t, i, "CurrInHeld");
	printf("#     expected  %d\n#     was       %d\n", t->want.run.held[i],
	       t->got.held[i]);
}

static void compare(struct trial *t)
{
	int i;

	for (i = 0; i < t->script->steps; i++) {
		compare_call(t, i);
		compare_sigio(t, i);
		compare_held(t, i);
	}
	fflush(stdout);
}

/* JUDGE_MODES=0 has vanilla compared with itself, to judge the judge. */
static bool mode_chosen(int mode)
{
	const char *modes = getenv("JUDGE_MODES");

	return strchr(modes ?: "12", '0' + mode);
}

/*
 * Each run of a shadow shows more of what the hold changes. The last of them is what
 * is @played, and @base its run.
 */
static void run_shadows(const struct script *script, int mode, struct bed *bed,
			struct script *played, struct run *base)
{
	static struct script shadow;
	int tries;

	for (tries = 0; tries < SHADOWS_MAX; tries++) {
		if (!model_shadow(script, played, mode, base, &shadow))
			return;
		*played = shadow;
		world_run(played, bed, 0, base);
	}
	FATAL("the shadows have no end");
}

int judge_holds;

static void count_hold(const struct trial *t)
{
	int i;

	for (i = 0; i < t->script->steps; i++)
		if (t->got.held[i]) {
			judge_holds++;
			return;
		}
}

static int judge_mode(const struct script *script, struct bed *bed, int mode,
		      const struct run *vanilla)
{
	static struct script played;
	static struct trial t;
	static struct run base;

	memset(&t, 0, sizeof(t));
	t.script = script;
	t.mode = mode;
	t.vanilla = vanilla;
	base = *vanilla;
	played = *script;
	run_shadows(script, mode, bed, &played, &base);
	model_expect(script, &played, mode, &base, &t.want);
	world_run(script, bed, mode, &t.got);
	count_hold(&t);
	compare(&t);
	return t.differences;
}

/* ---- mode 0 and no module ---- */

struct kept {
	char script[64];
	struct run run;
};

static void keep(FILE *file, const char *script, const struct run *run)
{
	static struct kept kept;

	memset(&kept, 0, sizeof(kept));
	snprintf(kept.script, sizeof(kept.script), "%s", script);
	kept.run = *run;
	MUST(fwrite(&kept, sizeof(kept), 1, file) == 1);
}

static const struct run *find_kept(FILE *file, const char *script)
{
	static struct kept kept;

	rewind(file);
	while (fread(&kept, sizeof(kept), 1, file) == 1)
		if (!strcmp(kept.script, script))
			return &kept.run;
	FATAL("JUDGE_BASE has no such script: run it without the module first");
}

/* The run is kept if the module is absent; otherwise compared with the one that was kept. */
static int judge_base(const struct script *script, const struct run *vanilla)
{
	const char *base = getenv("JUDGE_BASE");
	static struct trial t;
	char name[64];
	FILE *file;

	if (!base)
		return 0;
	file = fopen(base, "a+");
	MUST(file);
	snprintf(name, sizeof(name), "%s %u", script->name ?: "random", script->seed);
	if (drst_present()) {
		memset(&t, 0, sizeof(t));
		t.script = script;
		t.vanilla = find_kept(file, name);
		t.want.run = *t.vanilla;
		t.got = *vanilla;
		compare(&t);
	} else {
		keep(file, name, vanilla);
	}
	MUST(!fclose(file));
	return !!t.differences;
}

int judge_script(const struct script *script, struct bed *bed)
{
	static struct run vanilla;
	int mode, differ;

	world_run(script, bed, 0, &vanilla);
	differ = judge_base(script, &vanilla);
	for (mode = 0; mode <= 2; mode++)
		if (mode_chosen(mode) && (!mode || drst_present()))
			differ += !!judge_mode(script, bed, mode, &vanilla);
	return differ;
}
