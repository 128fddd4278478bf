// SPDX-License-Identifier: GPL-2.0
#include "chaos.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

struct chaos *chaos;

void chaos_begin(void)
{
	chaos = mmap(NULL, sizeof(*chaos), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	MUST(chaos != MAP_FAILED);
}

void wrong(const char *format, ...)
{
	va_list args;

	if (__atomic_fetch_add(&chaos->wrong, 1, __ATOMIC_RELAXED))
		return;
	va_start(args, format);
	vsnprintf(chaos->first, sizeof(chaos->first), format, args);
	va_end(args);
}

void count(long *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static __thread uint64_t rng;

void seed(unsigned int task)
{
	rng = (env_number("CHAOS_SEED", 1) * 1000003ull + task + 1) * 0x9e3779b97f4a7c15ull;
}

/* xorshift */
unsigned int pick(unsigned int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 33) % n;
}

bool one_in(unsigned int n)
{
	return !pick(n);
}

size_t some(size_t most)
{
	return 1 + pick(one_in(6) ? most : 300);
}
