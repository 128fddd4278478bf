/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program in a guest tells share.c, a plugin of the QEMU that it runs in, where to
 * begin and to end. Both are NOPs, and the plugin knows their operand.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_BEGIN 0x74737264
#define MARK_END 0x74737265

/* nopl MARK(%rax): 0f 1f 80, then the 32 bits of the mark */
#define MARK_OPCODE 0x801f0f
#define MARK_LENGTH 7

static inline void mark_begin(void)
{
	__asm__ volatile("nopl %c0(%%rax)" : : "i" (MARK_BEGIN) : "memory");
}

static inline void mark_end(void)
{
	__asm__ volatile("nopl %c0(%%rax)" : : "i" (MARK_END) : "memory");
}

#endif
