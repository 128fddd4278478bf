/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bpf/test_sockmap.c has of a libbpf that Debian 12 has not yet, and kernels before 6.10 have
 * no links for: programs are attached to sockmaps as they were before.
 */
#ifndef OLD_LIBBPF_H
#define OLD_LIBBPF_H

#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define bpf_program__attach_sockmap attach_sockmap
#define bpf_link__detach detach_sockmap

struct bpf_link {
	int prog, map;
	enum bpf_attach_type type;
};

static inline struct bpf_link *attach_sockmap(const struct bpf_program *prog, int map)
{
	struct bpf_link *link = malloc(sizeof(*link));

	if (!link)
		return NULL;
	link->prog = bpf_program__fd(prog);
	link->map = map;
	link->type = bpf_program__expected_attach_type(prog);
	if (!bpf_prog_attach(link->prog, map, link->type, 0))
		return link;
	free(link);
	return NULL;
}

static inline int detach_sockmap(struct bpf_link *link)
{
	return bpf_prog_detach2(link->prog, link->map, link->type);
}

#endif
