// SPDX-License-Identifier: GPL-2.0
#include "pcrypt.h"

#include <errno.h>
#include <linux/cryptouser.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bed.h"

/* CRYPTO_ALG_TYPE_AEAD and _MASK, which the kernel keeps to itself */
#define ALG_TYPE_AEAD 3
#define ALG_TYPE_MASK 15

struct alg {
	char name[128];
	char driver[128];
	int priority;
	int users;
};

/* The implementation of gcm(aes) that who asks for this gets */
static bool gcm(struct alg *best)
{
	static char text[256 << 10];
	const char *block = text;
	struct alg alg;

	best->priority = -1;
	read_file("/proc/crypto", text, sizeof(text));
	while (block) {
		if (sscanf(block,
			   " name : %127s driver : %127s module : %*s priority : %d refcnt : %d",
			   alg.name, alg.driver, &alg.priority,
			   &alg.users) == 4 &&
		    !strcmp(alg.name, "gcm(aes)") &&
		    alg.priority > best->priority)
			*best = alg;
		block = strstr(block, "\n\n");
		if (block)
			block += 2;
	}
	return best->priority >= 0;
}

/*
 * Has the kernel make an algorithm, or throw it away: CRYPTO_MSG_NEWALG, _DELALG.
 * Returns 0 or -errno.
 */
static int ask(int what, const char *name, const char *driver)
{
	struct {
		struct nlmsghdr hdr;
		struct crypto_user_alg alg;
	} req = {
		.hdr = {
			.nlmsg_len = sizeof(req),
			.nlmsg_type = what,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.alg = { .cru_type = ALG_TYPE_AEAD, .cru_mask = ALG_TYPE_MASK },
	};
	struct { struct nlmsghdr hdr; struct nlmsgerr err; char pad[512]; } ack;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_CRYPTO);

	if (fd < 0)
		return -errno;
	snprintf(req.alg.cru_name, sizeof(req.alg.cru_name), "%s", name);
	snprintf(req.alg.cru_driver_name, sizeof(req.alg.cru_driver_name),
		 "%s", driver);
	MUST(send(fd, &req, sizeof(req), 0) == sizeof(req));
	MUST(recv(fd, &ack, sizeof(ack), 0) > 0);
	close(fd);
	return ack.err.error;
}

bool pcrypt_start(void)
{
	char name[160];
	struct alg alg;

	/* Of padata's locks two of one class are taken, one inside the other. */
	if (!access("/proc/lockdep", F_OK))
		return false;
	ask(CRYPTO_MSG_NEWALG, "gcm(aes)", "");
	if (!gcm(&alg))
		return false;
	snprintf(name, sizeof(name), "pcrypt(%s)", alg.driver);
	if (ask(CRYPTO_MSG_NEWALG, "gcm(aes)", name))
		return false;
	MUST(gcm(&alg) && !strcmp(alg.driver, name));
	return true;
}

int pcrypt_users(void)
{
	struct alg alg;

	MUST(gcm(&alg) && !strncmp(alg.driver, "pcrypt(", 7));
	return alg.users;
}

void pcrypt_stop(void)
{
	struct alg alg;

	MUST(gcm(&alg) && !strncmp(alg.driver, "pcrypt(", 7));
	MUST(EVENTUALLY(!ask(CRYPTO_MSG_DELALG, alg.name, alg.driver)));
}

void pcrypt_stay(void)
{
	char mask[32];

	cpu_stay();
	snprintf(mask, sizeof(mask), "%x", 1 << sched_getcpu());
	MUST(!write_file("/sys/kernel/pcrypt/pencrypt/parallel_cpumask", mask));
	MUST(!write_file("/sys/kernel/pcrypt/pencrypt/serial_cpumask", mask));
}
