// SPDX-License-Identifier: GPL-2.0
/* Prints the frequency of this CPU's time stamp counter in kHz, measured for a tenth of a second. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define NS_PER_S 1000000000ull
#define LONG_ENOUGH (NS_PER_S / 10)
#define TRIES 1000

struct moment {
	uint64_t ns, tsc;
};

/* The counter and the clock at the same time: the pair that took the least to read. */
static struct moment now(void)
{
	struct moment best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), after;
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		after = __rdtsc();
		if (after - before >= least)
			continue;
		least = after - before;
		best.ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
		best.tsc = before + least / 2;
	}
	return best;
}

int main(void)
{
	struct moment begin = now(), end;

	do
		end = now();
	while (end.ns - begin.ns < LONG_ENOUGH);
	printf("%llu\n", (unsigned long long)((end.tsc - begin.tsc) * (NS_PER_S / 1000) /
					      (end.ns - begin.ns)));
	return 0;
}
