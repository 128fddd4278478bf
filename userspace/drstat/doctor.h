/* SPDX-License-Identifier: GPL-2.0 */
/*
 * doctor.h - what the doctor's files tell each other: doctor.c makes the round of the namespaces
 * and looks, judge.c finds what is wrong, tell.c says it.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "drstat.h"

/* What a network namespace shows at one time */
struct look {
	struct stats drst; /* .n: 0: the module is not loaded */
	struct stats tls;  /* .n: 0: no kernel TLS */
	uint64_t on_close; /* TcpExtTCPAbortOnClose */
	uint64_t on_data;  /* TcpExtTCPAbortOnData */
	uint64_t late;	   /* connections that send by kernel TLS, and do not pin the module */
};

#define FINDINGS_MAX 64

struct finding {
	const char *name;
	char *text;
	char *run; /* NULL: no command helps */
};

struct patient {
	struct netns ns;
	bool gone;
	struct look look[2];
	const struct look *now;
	const struct look *before; /* NULL: all that was counted is judged */
	struct sockets sockets;
	struct programs programs;
	size_t n;
	struct finding finding[FINDINGS_MAX];
};

/* ---- judge.c ---- */

/* Fill in p->finding. */
void judge(struct patient *p);

/* Connections that send by kernel TLS, and those that ever have */
uint64_t tls_senders(const struct stats *tls);
uint64_t ktls_now(const struct patient *p);
uint64_t ktls_ever(const struct patient *p);

/* Connections that the module holds */
uint64_t held_now(const struct patient *p);

/* What a counter of the module has counted in the time that is judged; 0 where it has none */
uint64_t counted(const struct patient *p, const char *name);

/* A counter's change. It goes back only where another namespace has got the number of one. */
uint64_t grown(uint64_t now, uint64_t before);

/* printf() to memory, to be freed */
char *words(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- tell.c ---- */

/* What was seen, then the findings */
void tell(FILE *to, const struct patient *p);
void tell_json(FILE *to, const struct patient *p);

#endif
