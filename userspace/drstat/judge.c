// SPDX-License-Identifier: GPL-2.0
/* What is wrong in a network namespace, and the command that mends it */
#include "doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_MS 86400000 /* the most that timeout_ms and max_hold_ms may be */

/* ---- numbers ---- */

static uint64_t number(const struct counter *of, size_t n, const char *name)
{
	const struct counter *c = counter_find(of, n, 0, name);

	return c ? c->value : 0;
}

static uint64_t tls(const struct patient *p, const char *name)
{
	return number(p->now->tls.counter, p->now->tls.n, name);
}

uint64_t tls_senders(const struct stats *tls)
{
	return number(tls->counter, tls->n, "TlsCurrTxSw") +
	       number(tls->counter, tls->n, "TlsCurrTxDevice");
}

uint64_t ktls_now(const struct patient *p)
{
	return tls_senders(&p->now->tls);
}

uint64_t ktls_ever(const struct patient *p)
{
	return tls(p, "TlsTxSw") + tls(p, "TlsTxDevice");
}

uint64_t held_now(const struct patient *p)
{
	return number(p->now->drst.counter, p->now->drst.n, "TlsDrstCurrHeld") +
	       number(p->now->drst.counter, p->now->drst.n, "TlsDrstCurrInHeld");
}

/* @otherwise: where an older module has no such knob */
static uint64_t knob(const struct patient *p, const char *name, uint64_t otherwise)
{
	const struct counter *c = counter_find(p->now->drst.knob, p->now->drst.knobs, 0, name);

	return c ? c->value : otherwise;
}

uint64_t counted(const struct patient *p, const char *name)
{
	const struct stats *now = &p->now->drst;
	const struct counter *c = counter_find(now->counter, now->n, 0, name);

	if (!c)
		return 0;
	if (!p->before)
		return c->value;
	return stats_change(now, &p->before->drst, (size_t)(c - now->counter)).by;
}

uint64_t grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static uint64_t reset_by_data(const struct patient *p)
{
	return p->before ? grown(p->now->on_data, p->before->on_data) : p->now->on_data;
}

static uint64_t resets(const struct patient *p)
{
	return reset_by_data(p) +
	       (p->before ? grown(p->now->on_close, p->before->on_close) : p->now->on_close);
}

static uint64_t at_most(uint64_t n, uint64_t max)
{
	return n < max ? n : max;
}

/* ---- findings ---- */

char *words(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len >= 0)
		return text;
	say("no memory");
	exit(XS_OUTPUT);
}

/* Takes @text and @run, which is NULL where no command helps. */
static void find(struct patient *p, const char *name, char *text, char *run)
{
	if (p->n == FINDINGS_MAX) {
		free(text);
		free(run);
		return;
	}
	p->finding[p->n++] = (struct finding){ name, text, run };
}

/* A command that has to run in the namespace. Takes @command. Return: NULL: no shell takes the name */
static char *there(const struct patient *p, char *command)
{
	char *text;

	if (!*p->ns.name)
		return command;
	if (!plain(p->ns.path, "_-./+:@~"))
		text = NULL;
	else
		text = words("nsenter --net=%s %s", p->ns.path, command);
	free(command);
	return text;
}

static char *set_knob(const struct patient *p, const char *name, uint64_t value)
{
	return there(p, words("sysctl net.tls_drst.%s=%" PRIu64, name, value));
}

/* Return: NULL: there is no command for it. */
static char *restart(const struct program *one)
{
	return *one->unit ? words("systemctl restart %s", one->unit) : NULL;
}

static const char *s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void judge_module(struct patient *p)
{
	if (!p->now->drst.n && !p->now->tls.n)
		find(p, "no-kernel-tls",
		     words("kernel TLS is not loaded: programs do TLS in user space; tls_drst loads it"),
		     words("modprobe tls_drst"));
	else if (!p->now->drst.n)
		find(p, "not-loaded",
		     words("tls_drst is not loaded: no reset is held; the kernel has reset %" PRIu64
			   " connection%s, with TLS or without",
			   resets(p), s(resets(p))),
		     words("modprobe tls_drst"));
}

static const struct program *uses_ktls(const struct programs *programs)
{
	for (size_t i = 0; i < programs->n; i++)
		if (programs->program[i].ktls)
			return &programs->program[i];
	return NULL;
}

static void judge_late(struct patient *p)
{
	const struct program *one = uses_ktls(&p->programs);
	uint64_t late = p->now->late;
	char *again;

	if (!p->now->drst.n || !late)
		return;
	again = one ? restart(one) : NULL;
	find(p, "loaded-late",
	     words("%" PRIu64 " connection%s had kernel TLS before tls_drst was loaded, and cannot "
		   "be held: %s has to be started again",
		   late, s(late), one ? one->name : "a program"),
	     again ? again : there(p, words("ss -tienp")));
}

/* A program with OpenSSL and TCP connections, none of kernel TLS */
static void judge_program(struct patient *p, const struct program *one)
{
	bool by_hand = !*one->mend;
	char *again, *run = NULL;

	/* Where we do not see which connections are kernel TLS's, all of them look as if none was. */
	if (!p->sockets.ulp_seen || one->cannot || one->ktls || (!one->other && ktls_ever(p)))
		return;
	again = restart(one);
	if (one->conf == CONF_OFF) {
		if (!by_hand)
			run = words("%s%s%s", one->mend, again ? " && " : "", again ?: "");
		find(p, "openssl-conf",
		     words("%s[%d] has OpenSSL and no kernel TLS: %s has no Options = KTLS. If the "
			   "program is helped by it (docs/howto.md), %s%s",
			   one->name, one->pid, one->file,
			   by_hand ? "add it by hand" : "switch it on for all that read the file",
			   by_hand || !again ? ", and start the program again" : ""),
		     run);
		free(again);
	} else if (one->conf == CONF_KTLS && one->stale) {
		find(p, "openssl-stale",
		     words("%s[%d] has OpenSSL and no kernel TLS: it was started before %s was "
			   "changed%s",
			   one->name, one->pid, one->file, again ? "" : ": start it again"),
		     again);
	} else {
		free(again);
	}
}

static void judge_use(struct patient *p)
{
	size_t before = p->n;
	char mend[PATH_MAX + 1024];
	enum conf conf;
	int fd;

	if (!p->now->tls.n)
		return;
	for (size_t i = 0; i < p->programs.n; i++)
		judge_program(p, &p->programs.program[i]);
	if (p->n > before || ktls_ever(p))
		return;
	fd = openssl_find("/", OPENSSL_CNF);
	conf = openssl_conf(fd, OPENSSL_CNF, mend);
	if (fd >= 0)
		close(fd);
	if (conf == CONF_OFF)
		find(p, "unused",
		     words("no connection has sent by kernel TLS so far: " OPENSSL_CNF
			   " has no Options = KTLS"),
		     words("%s", mend));
	else
		find(p, "unused",
		     words("no connection has sent by kernel TLS so far: look again while a "
			   "program sends; docs/howto.md has those that can"),
		     words("drstat doctor 60"));
}

static void judge_cuts(struct patient *p)
{
	uint64_t mode = knob(p, "mode", 2), cut = counted(p, "TlsDrstCutByMode");
	bool linger = knob(p, "hold_linger", 1);

	if (cut && !p->now->drst.knobs)
		find(p, "mode",
		     words("%" PRIu64 " connection%s cut after close_notify, and the mode is not "
			   "known: there is no net.tls_drst in /proc/sys",
			   cut, s(cut)),
		     NULL);
	else if (cut && mode < 2 && !linger)
		find(p, "mode",
		     words("%" PRIu64 " connection%s cut after close_notify: mode is %" PRIu64
			   " and hold_linger is 0",
			   cut, s(cut), mode),
		     there(p, words("sysctl net.tls_drst.mode=2 net.tls_drst.hold_linger=1")));
	else if (cut && mode < 2)
		find(p, "mode",
		     words("%" PRIu64 " connection%s cut after close_notify: mode is %" PRIu64
			   ", and mode 2 holds them",
			   cut, s(cut), mode),
		     set_knob(p, "mode", 2));
	else if (cut && !linger && !p->before)
		find(p, "hold-linger",
		     words("%" PRIu64 " connection%s cut after close_notify so far: by SO_LINGER "
			   "{1, 0}, as hold_linger is 0, or by a lower mode before",
			   cut, s(cut)),
		     there(p, words("drstat doctor 60")));
	else if (cut && !linger)
		find(p, "hold-linger",
		     words("%" PRIu64 " connection%s cut by SO_LINGER {1, 0} after "
			   "close_notify: hold_linger is 0",
			   cut, s(cut)),
		     set_knob(p, "hold_linger", 1));
	/* What comes after close() is not looked at in mode 0. */
	if (!cut && !mode && counted(p, "TlsDrstCloseNotify") && reset_by_data(p))
		find(p, "mode",
		     words("%" PRIu64 " connection%s reset, with TLS or without, by data that came "
			   "after close(), or by SO_LINGER {1, 0}: mode is 0, and mode 1 holds those "
			   "with close_notify",
			   reset_by_data(p), s(reset_by_data(p))),
		     set_knob(p, "mode", 1));
	cut = counted(p, "TlsDrstCutNotNotified");
	if (cut)
		find(p, "close-notify",
		     words("%" PRIu64 " connection%s cut without close_notify, which no mode "
			   "holds: the trace names the program, which has to call SSL_shutdown()",
			   cut, s(cut)),
		     words("cd /sys/kernel/tracing && echo 1 >events/tls_drst/tls_drst_cut/enable "
			   "&& cat trace_pipe"));
}

/* A limit that was too low once may not be too low now. Takes @command. */
static char *if_it_goes_on(const struct patient *p, char *command)
{
	if (p->before)
		return command;
	free(command);
	return there(p, words("drstat doctor 60"));
}

static char *more_memory(void)
{
	unsigned long long mem[3];
	char path[PATH_MAX], line[128];

	proc_path(path, "sys/net/ipv4/tcp_mem");
	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%llu %llu %llu", &mem[0], &mem[1], &mem[2]) != 3)
		return words("cat /proc/sys/net/ipv4/tcp_mem");
	return words("sysctl net.ipv4.tcp_mem='%llu %llu %llu'", 2 * mem[0], 2 * mem[1],
		     2 * mem[2]);
}

/* Time without progress is time of the hold, too: max_hold_ms must not be in its way. */
static char *more_time(const struct patient *p)
{
	uint64_t timeout = knob(p, "timeout_ms", 60000), max = knob(p, "max_hold_ms", 300000);
	uint64_t longer = at_most(2 * timeout, DAY_MS);

	if (longer <= max && longer > timeout)
		return set_knob(p, "timeout_ms", longer);
	if (timeout >= DAY_MS && max >= DAY_MS)
		return there(p, words("drstat --held --sort idle"));
	return there(p, words("sysctl net.tls_drst.timeout_ms=%" PRIu64
			      " net.tls_drst.max_hold_ms=%" PRIu64,
			      longer, at_most(2 * (max > timeout ? max : timeout), DAY_MS)));
}

static char *more_holds(const struct patient *p)
{
	uint64_t max = knob(p, "max_held", 4096), more = max ? at_most(2 * max, 1 << 20) : 4096;

	if (more <= max)
		return there(p, words("drstat --held --sort idle"));
	return set_knob(p, "max_held", more);
}

static void judge_limits(struct patient *p)
{
	uint64_t max_held = knob(p, "max_held", 4096), held = held_now(p), n;

	if (!p->now->drst.n)
		return;
	n = counted(p, "TlsDrstTimedOut") + counted(p, "TlsDrstInTimedOut");
	if (n)
		find(p, "timed-out",
		     words("%" PRIu64 " hold%s ended by timeout_ms, max_hold_ms or TCP's own "
			   "time-out, perhaps with data missing: the peer was gone, or the time too "
			   "short",
			   n, s(n)),
		     if_it_goes_on(p, more_time(p)));
	n = counted(p, "TlsDrstOverLimit") + counted(p, "TlsDrstInOverLimit");
	if (n && max_held)
		find(p, "over-limit",
		     words("%" PRIu64 " connection%s not held: max_held is %" PRIu64, n, s(n),
			   max_held),
		     if_it_goes_on(p, more_holds(p)));
	else if (!max_held)
		find(p, "over-limit", words("nothing is held: max_held is 0"), more_holds(p));
	if (max_held && held * 5 >= max_held * 4 && !(n && p->before))
		find(p, "near-limit",
		     words("%" PRIu64 " connection%s held now, and max_held is %" PRIu64, held,
			   s(held), max_held),
		     more_holds(p));
	n = counted(p, "TlsDrstMemory") + counted(p, "TlsDrstInMemory");
	if (n)
		find(p, "memory",
		     words("%" PRIu64 " hold%s refused or ended for want of memory: TCP's "
			   "(tcp_mem) or a cgroup's",
			   n, s(n)),
		     if_it_goes_on(p, more_memory()));
}

void judge(struct patient *p)
{
	judge_module(p);
	judge_late(p);
	judge_cuts(p);
	judge_limits(p);
	judge_use(p); /* last, as there may be more than there is room for */
}
