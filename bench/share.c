// SPDX-License-Identifier: GPL-2.0
/*
 * Which cache lines go from one CPU to the other? A plugin for QEMU, as it needs no
 * counters of a real CPU's, and an emulated one has none:
 *
 *	vm run --plugin share.so,out=FILE
 *
 * Caches here are without end, and one line has 64 bytes. A line moves when a CPU
 * stores into it while another has it, or loads from it what another has stored. Only
 * what the kernel does between two marks (mark.h) counts. At the end of each such
 * window FILE gets, for each line that has moved, who has accessed it since its first
 * move:
 *
 *	WINDOW LINE VIRTUAL-ADDRESS INSTRUCTION LOADS STORES MOVES
 *
 * QEMU has these declarations in qemu-plugin.h, which Debian has in no package.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t len);
bool qemu_plugin_mem_is_store(uint32_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t addr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *hw);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *hw);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*cb)(uint64_t id,
						      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *data),
					    int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned int cpu, uint32_t info,
						 uint64_t addr, void *data),
				      int flags, int rw, void *data);
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

#define NO_REGS 0
#define LOADS_AND_STORES 3

int qemu_plugin_version = 4;

#define LINE_SHIFT 6
#define LINES (1UL << 26)	/* of 4 GiB */
#define KERNEL (1ULL << 63)

/* What is known of a line: who has it, and two flags. */
#define CPUS 6
#define MOVED (1 << 6)
#define STORED (1 << 7)		/* by the only one who has it */

struct access {
	uint64_t line, addr, insn;
	unsigned long loads, stores, moves;
};

#define ACCESSES (1UL << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *lines;
static struct access *accesses;
static unsigned long used;
static bool active;
static int window;
static FILE *out;

/* The load of an instruction that stores as well: both are one access to the line. */
static struct {
	uint64_t line, insn;
} loaded[CPUS];

static struct access *access_of(uint64_t line, uint64_t addr, uint64_t insn)
{
	unsigned long i = (line * 31 + insn) * 0x9e3779b97f4a7c15 >> 44;

	for (; accesses[i].insn; i = (i + 1) % ACCESSES)
		if (accesses[i].line == line && accesses[i].insn == insn)
			return &accesses[i];
	if (++used > ACCESSES / 2) {
		fprintf(stderr, "share: more than %lu accesses\n", used);
		abort();
	}
	accesses[i] = (struct access){ line, addr, insn, 0, 0, 0 };
	return &accesses[i];
}

static void count(unsigned int cpu, uint64_t line, uint64_t addr, uint64_t insn,
		  bool store)
{
	uint8_t was = lines[line], own = 1 << cpu, others = was & ~own &
							    ((1 << CPUS) - 1);
	bool again = store && loaded[cpu].line == line &&
		     loaded[cpu].insn == insn;
	bool moves = store ? others && !again : others && was & STORED;
	struct access *a;

	if (store)
		lines[line] = own | STORED | (was & MOVED);
	else
		lines[line] = (was & ~(others ? STORED : 0)) | own;
	if (moves)
		lines[line] |= MOVED;
	loaded[cpu].line = store ? 0 : line;
	loaded[cpu].insn = store || !moves ? 0 : insn;
	if (!(lines[line] & MOVED))
		return;
	a = access_of(line, addr, insn);
	a->loads += !store;
	a->stores += store;
	a->moves += moves;
}

static void memory(unsigned int cpu, uint32_t info, uint64_t addr, void *insn)
{
	struct qemu_plugin_hwaddr *hw;
	uint64_t line;

	if (!__atomic_load_n(&active, __ATOMIC_RELAXED) || cpu >= CPUS)
		return;
	hw = qemu_plugin_get_hwaddr(info, addr);
	if (!hw || qemu_plugin_hwaddr_is_io(hw))
		return;
	line = qemu_plugin_hwaddr_phys_addr(hw) >> LINE_SHIFT;
	if (line >= LINES)
		return;
	pthread_mutex_lock(&lock);
	if (active)
		count(cpu, line, addr, (uintptr_t)insn,
		      qemu_plugin_mem_is_store(info));
	pthread_mutex_unlock(&lock);
}

static void begin(unsigned int cpu, void *data)
{
	(void)cpu, (void)data;
	pthread_mutex_lock(&lock);
	memset(lines, 0, LINES);
	memset(accesses, 0, ACCESSES * sizeof(*accesses));
	memset(loaded, 0, sizeof(loaded));
	used = 0;
	active = true;
	pthread_mutex_unlock(&lock);
}

static void end(unsigned int cpu, void *data)
{
	const struct access *a;

	(void)cpu, (void)data;
	pthread_mutex_lock(&lock);
	active = false;
	for (a = accesses; a < accesses + ACCESSES; a++)
		if (a->insn)
			fprintf(out, "%d %lx %lx %lx %lu %lu %lu\n", window,
				a->line, a->addr, a->insn, a->loads, a->stores,
				a->moves);
	fflush(out);
	window++;
	pthread_mutex_unlock(&lock);
}

static uint32_t mark_of(const struct qemu_plugin_insn *insn)
{
	uint8_t code[MARK_LENGTH];
	uint32_t opcode = 0, mark;

	if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code))
		return 0;
	memcpy(&opcode, code, 3);
	memcpy(&mark, code + 3, sizeof(mark));
	return opcode == MARK_OPCODE ? mark : 0;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *insn;
	uint64_t addr;
	uint32_t mark;
	size_t i;

	(void)id;
	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		addr = qemu_plugin_insn_vaddr(insn);
		if (addr & KERNEL) {
			qemu_plugin_register_vcpu_mem_cb(insn, memory, NO_REGS,
							 LOADS_AND_STORES,
							 (void *)addr);
			continue;
		}
		mark = mark_of(insn);
		if (mark == MARK_BEGIN || mark == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
							       mark == MARK_END ?
							       end : begin,
							       NO_REGS, NULL);
	}
}

__attribute__((visibility("default")))
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc == 1 && !strncmp(argv[0], "out=", 4))
		out = fopen(argv[0] + 4, "w");
	lines = malloc(LINES);
	accesses = malloc(ACCESSES * sizeof(*accesses));
	if (!out || !lines || !accesses)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
