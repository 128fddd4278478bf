// SPDX-License-Identifier: GPL-2.0
/*
 * drstat doctor: look at network namespaces, once or at both ends of some time, and say what is
 * wrong there.
 */
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS 5

/* ---- looking ---- */

/* "TcpExt: NAMES" and "TcpExt: VALUES", each on a line */
static void read_resets(struct look *l)
{
	char path[PATH_MAX], *names = NULL, *values = NULL, *name, *value, *at[2];
	size_t room[2] = { 0 };
	FILE *f;

	proc_path(path, "net/netstat");
	f = fopen(path, "re");
	if (!f)
		return;
	while (getline(&names, &room[0], f) > 0 && getline(&values, &room[1], f) > 0) {
		if (strncmp(names, "TcpExt:", strlen("TcpExt:")) != 0)
			continue;
		name = strtok_r(names, " \n", &at[0]);
		value = strtok_r(values, " \n", &at[1]);
		for (; name && value;
		     name = strtok_r(NULL, " \n", &at[0]), value = strtok_r(NULL, " \n", &at[1])) {
			if (!strcmp(name, "TCPAbortOnClose"))
				l->on_close = strtoull(value, NULL, 10);
			else if (!strcmp(name, "TCPAbortOnData"))
				l->on_data = strtoull(value, NULL, 10);
		}
	}
	free(names);
	free(values);
	fclose(f);
}

static uint64_t read_pins(void)
{
	char path[PATH_MAX], line[32], *end;
	uint64_t n;

	sys_path(path, "module/tls_drst/refcnt");
	if (!read_line(path, line, sizeof(line)))
		return UINT64_MAX;
	n = strtoull(line, &end, 10);
	return *line && !*end ? n : UINT64_MAX;
}

/*
 * The counters of kernel TLS. Each connection that the module looks at pins it, also those of other
 * namespaces; but they come and go while we read: what one look does not see is not there.
 */
static enum xs look_at_tls(struct look *l)
{
	uint64_t before, after, sending;
	enum xs xs = XS_OK;

	l->late = UINT64_MAX;
	for (int i = 0; i < LOOKS && l->late && !xs; i++) {
		before = read_pins();
		xs = tls_stats_read(&l->tls);
		after = read_pins();
		if (before < after)
			before = after;
		sending = tls_senders(&l->tls);
		sending = sending > before ? sending - before : 0;
		if (sending < l->late)
			l->late = sending;
	}
	return xs;
}

/* Return: 0, or XS_FILE after a word about it. */
static enum xs look(struct look *l)
{
	enum xs xs = look_at_tls(l);

	if (!xs || xs == XS_NO_MODULE)
		xs = stats_read(&l->drst);
	if (xs && xs != XS_NO_MODULE)
		return xs;
	read_resets(l);
	return XS_OK;
}

/* ---- the round ---- */

/* Enter the namespace where there are several. Return: false: it has gone, or *@xs says why. */
static bool visit(const struct options *o, struct patient *p, enum xs *xs)
{
	if (p->gone)
		return false;
	if (!o->all_netns)
		return true;
	*xs = netns_visit(&p->ns);
	p->gone = *xs == XS_NO_MODULE;
	if (p->gone)
		*xs = XS_OK;
	return !*xs && !p->gone;
}

static enum xs look_at_all(const struct options *o, struct patient *patient, size_t n, int which)
{
	enum xs xs = XS_OK;

	for (size_t i = 0; i < n && !xs; i++)
		if (visit(o, &patient[i], &xs))
			xs = look(&patient[i].look[which]);
	return xs;
}

static void diagnose(const struct options *o, struct patient *p, bool first)
{
	p->now = &p->look[o->interval > 0];
	if (o->interval) {
		p->before = &p->look[0];
		stats_compare(&p->look[1].drst, &p->look[0].drst);
	}
	sockets_read(&p->sockets);
	programs_read(&p->programs, &p->sockets);
	judge(p);
	if (o->format == JSON)
		return tell_json(stdout, p);
	if (o->all_netns)
		show_netns(stdout, p->ns.name, first);
	tell(stdout, p);
}

static void drop(struct patient *p)
{
	free(p->sockets.socket);
	free(p->programs.program);
	for (size_t i = 0; i < p->n; i++) {
		free(p->finding[i].text);
		free(p->finding[i].run);
	}
}

static enum xs round_of(const struct options *o, struct patient *patient, size_t n)
{
	enum xs xs = look_at_all(o, patient, n, 0);
	bool found = false, first = true;

	if (!xs && o->interval) {
		sleep_until(now_s() + o->interval);
		xs = look_at_all(o, patient, n, 1);
	}
	for (size_t i = 0; i < n && !xs; i++) {
		if (!visit(o, &patient[i], &xs))
			continue;
		diagnose(o, &patient[i], first);
		first = false;
		found |= patient[i].n > 0;
		drop(&patient[i]);
	}
	if (!xs && (fflush(stdout) || ferror(stdout))) {
		say("standard output: %s", strerror(errno));
		xs = XS_OUTPUT;
	}
	return xs ? xs : found ? XS_FINDINGS : XS_OK;
}

enum xs doctor(const struct options *o)
{
	struct netns *list = NULL;
	struct patient *patient;
	enum xs xs = XS_OK;
	size_t n = 1;

	if (o->all_netns)
		xs = netns_list(&list, &n);
	if (xs)
		return xs;
	patient = calloc(n, sizeof(*patient));
	for (size_t i = 0; i < n && patient; i++) {
		if (list)
			patient[i].ns = list[i];
		else if (o->netns && *o->netns)
			netns_named(&patient[i].ns, o->netns);
	}
	if (patient) {
		xs = round_of(o, patient, n);
	} else {
		say("no memory");
		xs = XS_OUTPUT;
	}
	free(patient);
	free(list);
	return xs;
}
