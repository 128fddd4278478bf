/* SPDX-License-Identifier: GPL-2.0 */
/* All holds of all namespaces. */
#ifndef _TLS_DRST_TABLE_H
#define _TLS_DRST_TABLE_H

#include <linux/rculist.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct net;

/**
 * struct drst_table_entry - a hold as readers of the table find it
 * @list:	in its bucket
 * @number:	its place among those of the bucket, old and new; 0 when the hold is over
 * @ref:	users of the hold
 */
struct drst_table_entry {
	struct list_head list;
	u32 number;
	refcount_t ref;
};

void drst_table_init(void);
void drst_table_exit(void);
void drst_table_add(struct drst_table_entry *e, const void *key);
void drst_table_del(struct drst_table_entry *e, const void *key);
bool drst_table_each(bool (*visit)(struct drst_table_entry *e,
				   const struct net *net),
		     const struct net *net);
struct drst_table_entry *drst_table_from(loff_t *pos);
bool drst_table_listed(const struct drst_table_entry *e);

#endif /* _TLS_DRST_TABLE_H */
