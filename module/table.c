// SPDX-License-Identifier: GPL-2.0
/*
 * All holds of all namespaces, in buckets: for /proc/net/tls_drst, and for the look
 * at TCP's memory.
 *
 * Each bucket has a lock of its own, so two close() on two CPUs rarely meet. Readers
 * take no lock. A reader's position is a bucket and a number in it:
 *
 *	bucket 0: 1 2 5		bucket 1: 3		bucket 2: 1 2
 *				    ^ position 1 << 32 | 3
 *
 * Numbers of a bucket go up, from 1, and are not used again. So a position stays good
 * while holds come and go, and finding it means to walk one bucket.
 */
#include <linux/bits.h>
#include <linux/hash.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "table.h"

#define DRST_TABLE_BITS	12
#define DRST_TABLE_SIZE	BIT(DRST_TABLE_BITS)

/**
 * struct drst_table_bucket - some of the holds
 * @lock:	covers the others
 * @last:	the highest number that was given
 * @list:	of struct drst_table_entry, by number
 */
struct drst_table_bucket {
	spinlock_t lock;	/* covers the others */
	u32 last;
	struct list_head list;
};

static struct drst_table_bucket drst_table[DRST_TABLE_SIZE];

static struct drst_table_bucket *drst_table_bucket(const void *key)
{
	return &drst_table[hash_ptr(key, DRST_TABLE_BITS)];
}

/**
 * drst_table_add() - a hold begins
 * @e: its entry
 * @key: an address, which chooses the bucket
 *
 * Context: any but hard interrupts.
 */
void drst_table_add(struct drst_table_entry *e, const void *key)
{
	struct drst_table_bucket *b = drst_table_bucket(key);

	spin_lock_bh(&b->lock);
	e->number = ++b->last;
	list_add_tail_rcu(&e->list, &b->list);
	spin_unlock_bh(&b->lock);
}

/**
 * drst_table_del() - a hold ends
 * @e: its entry; it may be freed after a grace period of RCU
 * @key: the same as for drst_table_add()
 *
 * Context: any but hard interrupts.
 */
void drst_table_del(struct drst_table_entry *e, const void *key)
{
	struct drst_table_bucket *b = drst_table_bucket(key);

	spin_lock_bh(&b->lock);
	list_del_rcu(&e->list);
	spin_unlock_bh(&b->lock);
	WRITE_ONCE(e->number, 0);
	smp_wmb();	/* pairs with smp_rmb() in drst_table_listed() */
}

/**
 * drst_table_listed() - was what a reader has read until now that of a hold?
 * @e: an entry from drst_table_from()
 *
 * After drst_table_del() the connection goes on to its end, and loses its addresses.
 *
 * Context: any, under RCU.
 * Return: false if the hold was over meanwhile.
 */
bool drst_table_listed(const struct drst_table_entry *e)
{
	smp_rmb();	/* pairs with smp_wmb() in drst_table_del() */
	return READ_ONCE(e->number);
}

/**
 * drst_table_each() - look at every hold
 * @visit: called for each, with its bucket's lock held: the hold is not over. Returns
 *	   false if no more are to be looked at.
 * @net: for @visit
 *
 * Context: process, may sleep between two buckets.
 * Return: was there any?
 */
bool drst_table_each(bool (*visit)(struct drst_table_entry *e,
				   const struct net *net),
		     const struct net *net)
{
	struct drst_table_entry *e;
	bool any = false, more = true;
	int i;

	for (i = 0; more && i < DRST_TABLE_SIZE; i++) {
		spin_lock_bh(&drst_table[i].lock);
		list_for_each_entry(e, &drst_table[i].list, list) {
			any = true;
			more = visit(e, net);
			if (!more)
				break;
		}
		spin_unlock_bh(&drst_table[i].lock);
		cond_resched();
	}
	return any;
}

/**
 * drst_table_from() - the first entry at a position or behind it
 * @pos: the position; then that of the entry. 0 is before all.
 *
 * Context: any, under RCU.
 * Return: the entry or NULL.
 */
struct drst_table_entry *drst_table_from(loff_t *pos)
{
	u64 bucket = *pos >> 32;
	u32 number = max_t(u32, *pos, 1);
	struct drst_table_entry *e;
	u32 its;

	for (; bucket < DRST_TABLE_SIZE; bucket++, number = 1) {
		list_for_each_entry_rcu(e, &drst_table[bucket].list, list) {
			its = READ_ONCE(e->number);
			if (its < number)
				continue;
			*pos = bucket << 32 | its;
			return e;
		}
	}
	return NULL;
}

/**
 * drst_table_init() - make the table ready
 *
 * Context: process; at load.
 */
void drst_table_init(void)
{
	int i;

	for (i = 0; i < DRST_TABLE_SIZE; i++) {
		spin_lock_init(&drst_table[i].lock);
		INIT_LIST_HEAD(&drst_table[i].list);
	}
}

/**
 * drst_table_exit() - check that the table is empty
 *
 * Context: process; at unload, when nothing is held.
 */
void drst_table_exit(void)
{
	int i;

	for (i = 0; i < DRST_TABLE_SIZE; i++)
		WARN_ON_ONCE(!list_empty(&drst_table[i].list));
}
