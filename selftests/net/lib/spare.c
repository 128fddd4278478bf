// SPDX-License-Identifier: GPL-2.0
#include "spare.h"

#include <string.h>
#include <sys/socket.h>

#include "drst.h"
#include "found.h"

/* The module's knobs as they were when the test began. */
static struct found knobs;

/*
 * The test is a child of the one that runs the tests. A bed waits for the next child
 * as a message that nobody has received: its namespaces, by SCM_RIGHTS.
 */
static int shelf[2];

__attribute__((constructor)) static void shelf_make(void)
{
	MUST(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, shelf));
}

union rights {
	struct cmsghdr hdr;
	char room[CMSG_SPACE(sizeof(((struct bed *)0)->ns))];
};

static bool shelf_take(struct bed *bed)
{
	char byte;
	union rights rights;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &rights,
			      .msg_controllen = sizeof(rights) };

	if (recvmsg(shelf[0], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return false;
	MUST(msg.msg_controllen == sizeof(rights));
	memcpy(bed->ns, CMSG_DATA(&rights.hdr), sizeof(bed->ns));
	return true;
}

static void shelf_put(const struct bed *bed)
{
	union rights rights = { .hdr = {
		.cmsg_len = CMSG_LEN(sizeof(bed->ns)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &rights,
			      .msg_controllen = sizeof(rights) };

	memcpy(CMSG_DATA(&rights.hdr), bed->ns, sizeof(bed->ns));
	MUST(sendmsg(shelf[1], &msg, 0) == 1);
}

/* A connection remembers nothing of the ones before it, as in a fresh bed. */
static void forget_metrics(struct bed *bed, enum side side)
{
	bed_enter(bed, side);
	MUST(!write_file("/proc/sys/net/ipv4/tcp_no_metrics_save", "1"));
}

void spare_open(struct bed *bed)
{
	if (shelf_take(bed)) {
		bed->home = ns_current();
		bed_enter(bed, SIDE_A);
	} else {
		bed_open(bed);
		forget_metrics(bed, SIDE_B);
		forget_metrics(bed, SIDE_A);
	}
	bed->spare = true;
	bed->single = false;
	*bed_altered = false;
	knobs.n = 0;
	found_note_knobs(&knobs);
	counters_note();
}

/* What is on its way to its end gets a moment. */
static bool without_sockets(void)
{
	int tries = 20;

	while (tcp_sockets() && --tries)
		pause_ms(5);
	return tries;
}

static bool as_new(struct bed *bed)
{
	if (*bed_altered)
		return false;
	bed_enter(bed, SIDE_B);
	if (!without_sockets())
		return false;
	found_put_back(&knobs);
	bed_enter(bed, SIDE_A);
	if (!without_sockets())
		return false;
	found_put_back(&knobs);
	if (bed->single)
		link_single_packets(bed, false);
	return true;
}

void spare_close(struct bed *bed)
{
	if (bed->spare && as_new(bed))
		shelf_put(bed);
	bed_close(bed);
}
