/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What went over the wire, seen by an AF_PACKET socket at the peer's end of
 * the veth pair. A flow is told by the sender's port.
 */
#ifndef SELFTESTS_WIRE_H
#define SELFTESTS_WIRE_H

#include <stdint.h>

#include "bed.h"

#define WIRE_FLOWS 64

/* All positions count stream bytes from 0; a FIN counts as one byte. */
struct flow {
	uint16_t port;
	uint32_t isn[2];	/* of side a and of side b */
	uint32_t acked[2];	/* of a's bytes by b, and the reverse */
	int fin[2];		/* FIN segments sent by a, by b */
	int rst[2];		/* RST segments sent by a, by b */
	int rst_ack[2];		/* the connection's own; an answer for none has no ACK */
	int packets[2];
	uint32_t acked_at_rst;	/* acked[SIDE_A] when a's first RST went by */
	uint32_t reply_at_rst;	/* how much b had sent by then */
	uint32_t sent[2];	/* the highest byte sent */
};

struct wire {
	int fd;
	struct flow flows[WIRE_FLOWS];
};

void wire_open(struct wire *wire, struct bed *bed);
void wire_close(struct wire *wire);

/* The flow of the sender's port @port, with all that was seen until now. */
const struct flow *wire_flow(struct wire *wire, uint16_t port);

/*
 * Waits, packet by packet, until the expression @cond about `flow` holds; ten
 * seconds at most. True if it came to hold.
 */
#define WIRE_AWAIT(wire, port, cond) __extension__ ({			\
	const struct flow *flow;					\
	bool __holds;							\
									\
	do {								\
		flow = wire_flow(wire, port);				\
	} while (!(__holds = (cond)) && wire_next(wire));		\
	__holds;							\
})
bool wire_next(struct wire *wire);

#endif
