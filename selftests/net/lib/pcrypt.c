// SPDX-License-Identifier: GPL-2.0
#include "pcrypt.h"

#include <errno.h>
#include <linux/if_alg.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bed.h"
#include "drst.h"

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

/* Has the kernel look for an algorithm, and make it where it can. */
static bool look_for(const char *name)
{
	struct sockaddr_alg sa = { .salg_family = AF_ALG, .salg_type = "aead" };
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool found;

	if (fd < 0)
		return false;
	snprintf((char *)sa.salg_name, sizeof(sa.salg_name), "%s", name);
	found = !bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	close(fd);
	return found;
}

bool pcrypt_start(void)
{
	char name[160];
	struct alg alg;

	if (!look_for("gcm(aes)") || !gcm(&alg))
		return false;
	snprintf(name, sizeof(name), "pcrypt(%s)", alg.driver);
	if (!look_for(name))
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

static bool pcrypt_gone(void)
{
	int err = module_unload("pcrypt");

	return !err || err == -ENOENT;
}

void pcrypt_stop(void)
{
	MUST(EVENTUALLY(pcrypt_gone()));
}

void pcrypt_stay(void)
{
	char mask[32];

	cpu_stay();
	snprintf(mask, sizeof(mask), "%x", 1 << sched_getcpu());
	MUST(!write_file("/sys/kernel/pcrypt/pencrypt/parallel_cpumask", mask));
	MUST(!write_file("/sys/kernel/pcrypt/pencrypt/serial_cpumask", mask));
}
