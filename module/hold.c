// SPDX-License-Identifier: GPL-2.0
/*
 * What outbound (outbound.c) and inbound holds (inbound.c) share: the object,
 * admission, the limits, counting and tracing.
 *
 *	drst_hold_new() --> drst_hold_enter() --> drst_hold_leave() --> drst_hold_count()
 *	  the gauge goes up,  in the table	    out of the table,	 the gauge and
 *	  or refused				    traced		 the counter of its end
 *
 * A refused hold counts as begun and ended. So holds begun = holds ended + holds
 * now.
 *
 * Lifetime: the work of a hold has the first reference on it. struct drst_hold has
 * a reference on the sock, and the sock has one on the namespace. A lockless reader
 * uses a hold under RCU.
 */
#include <linux/percpu_counter.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat.h"
#include "hold.h"
#include "sysctl.h"
#include "tcp.h"
#include "trace.h"

/**
 * struct drst_hold_net - the holds of a network namespace
 * @now:	how many were admitted and are not counted as ended, by direction
 * @batch:	each CPU keeps fewer of them than this from the others, by direction
 */
struct drst_hold_net {
	struct percpu_counter now[DRST_NR_DIRECTIONS];
	int batch;
};

#define DRST_HOLD_BATCH_MAX 32
#define DRST_HOLD_KEPT_SHARE 4

static unsigned int drst_hold_net_id __read_mostly;
static struct workqueue_struct *drst_hold_wq __read_mostly;

static void drst_hold_pressure_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(drst_hold_pressure, drst_hold_pressure_work);

static const char *const drst_hold_cause_names[DRST_NR_CAUSES] = {
	[DRST_CAUSE_NONE]	= "none",
	[DRST_CAUSE_UNREAD]	= "unread",
	[DRST_CAUSE_LINGER]	= "linger",
	[DRST_CAUSE_DATA]	= "data",
	[DRST_CAUSE_PEER]	= "peer",
};

static struct drst_hold_net *drst_hold_pernet(const struct net *net)
{
	return net_generic(net, drst_hold_net_id);
}

/* ---- the object ---- */

/*
 * Each CPU counts by itself, so that most close()s write nothing that all CPUs share.
 * What the CPUs keep to themselves is at most a quarter of the limit: on many CPUs
 * they have to tell more often. It never gets less, as a CPU may have kept so much.
 */
static int drst_hold_batch(struct drst_hold_net *hn, unsigned int max)
{
	int batch = max / DRST_HOLD_KEPT_SHARE /
		    (DRST_NR_DIRECTIONS * num_online_cpus());
	int old = READ_ONCE(hn->batch);

	batch = clamp(batch, 1, DRST_HOLD_BATCH_MAX);
	if (batch > old)
		cmpxchg(&hn->batch, old, batch);
	return READ_ONCE(hn->batch);
}

/* Only near the limit are all CPUs asked. */
static bool drst_hold_within(struct drst_hold_net *hn, s64 max)
{
	s64 kept = (s64)(READ_ONCE(hn->batch) - 1) * num_online_cpus() *
		   DRST_NR_DIRECTIONS;
	s64 now = 0;
	int i;

	for (i = 0; i < DRST_NR_DIRECTIONS; i++)
		now += percpu_counter_read(&hn->now[i]);
	if (now + kept <= max)
		return true;
	for (now = 0, i = 0; i < DRST_NR_DIRECTIONS; i++)
		now += percpu_counter_sum(&hn->now[i]);
	return now <= max;
}

/* Takes back what drst_hold_admit() has counted. */
static void drst_hold_dismiss(const struct net *net,
			      enum drst_direction direction)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);

	percpu_counter_add_batch(&hn->now[direction], -1, READ_ONCE(hn->batch));
}

/* Count first: of two at the same time, both may be refused, but none is too many. */
static bool drst_hold_admit(const struct net *net,
			    enum drst_direction direction)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);
	unsigned int max = drst_sysctl_knob(net, DRST_MAX_HELD);

	percpu_counter_add_batch(&hn->now[direction], 1,
				 drst_hold_batch(hn, max));
	if (drst_hold_within(hn, max))
		return true;
	drst_hold_dismiss(net, direction);
	return false;
}

static struct drst_hold *drst_hold_alloc(struct sock *sk,
					 const struct drst_hold_kind *kind,
					 gfp_t gfp)
{
	struct drst_hold *h = kzalloc(kind->size, gfp);

	if (!h)
		return NULL;
	INIT_DELAYED_WORK(&h->work, kind->work);
	refcount_set(&h->entry.ref, 1);
	sock_hold(sk);
	h->sk = sk;
	h->kind = kind;
	h->state_change = sk->sk_state_change;
	h->began = jiffies;
	h->progress = h->began;
	return h;
}

/**
 * drst_hold_new() - make a hold, unless a limit refuses it
 * @sk: the connection
 * @kind: which kind of hold
 * @cause: why the RST is pending
 * @gfp: for kmalloc()
 *
 * Context: as @gfp says, socket lock held.
 * Return: a hold that is admitted and has one user, or NULL.
 */
struct drst_hold *drst_hold_new(struct sock *sk,
				const struct drst_hold_kind *kind,
				enum drst_cause cause, gfp_t gfp)
{
	enum drst_stat refused = kind->memory;
	struct net *net = sock_net(sk);
	struct drst_hold *h;

	drst_sock_locked(sk);
	drst_stat_inc(net, kind->held);
	if (drst_tcp_memory_short(sk))
		goto refuse;
	if (!drst_hold_admit(net, kind->direction)) {
		refused = kind->over_limit;
		goto refuse;
	}
	h = drst_hold_alloc(sk, kind, gfp);
	if (!h) {
		drst_hold_dismiss(net, kind->direction);
		goto refuse;
	}
	h->cause = cause;
	return h;

refuse:
	drst_stat_inc(net, refused);
	return NULL;
}

/**
 * drst_hold_room() - do the limits leave room for one more hold?
 * @sk: a connection of the namespace
 *
 * Context: any.
 * Return: true if drst_hold_new() would not refuse it now.
 */
bool drst_hold_room(const struct sock *sk)
{
	const struct net *net = sock_net(sk);

	return !drst_tcp_memory_short(sk) &&
	       drst_hold_within(drst_hold_pernet(net),
				(s64)drst_sysctl_knob(net, DRST_MAX_HELD) - 1);
}

/**
 * drst_hold_put() - drop a reference on a hold
 * @h: the hold; freed, with its reference on the sock, after the last user
 *
 * Context: any, socket lock not needed.
 */
void drst_hold_put(struct drst_hold *h)
{
	if (!refcount_dec_and_test(&h->entry.ref))
		return;
	sock_put(h->sk);
	kfree_rcu(h, rcu);
}

/**
 * drst_hold_of() - the hold of a socket
 * @sk: any TCP socket
 * @state_change: what the wanted kind of hold puts into sk_state_change
 *
 * Others may own sk_user_data. It points to a hold only while sk_state_change is
 * that of a hold.
 *
 * Context: socket lock held, by this task or by softirq.
 * Return: the hold or NULL.
 */
void *drst_hold_of(const struct sock *sk, void (*state_change)(struct sock *))
{
	/* Pairs with smp_store_release() in drst_inbound_start(). */
	if (smp_load_acquire(&sk->sk_state_change) != state_change)
		return NULL;
	return rcu_dereference_protected(__sk_user_data(sk),
					 lockdep_sock_is_held(sk));
}

/* ---- from the beginning to the end ---- */

/**
 * drst_hold_enter() - a hold begins
 * @h: the hold
 *
 * Context: any, socket lock held.
 */
void drst_hold_enter(struct drst_hold *h)
{
	drst_sock_locked(h->sk);
	h->began_ns = ktime_get_ns();
	h->bytes = drst_hold_bytes(h);
	drst_table_add(&h->entry, h->sk);
	smp_mb();	/* pairs with the one before drst_hold_pressure_work() */
	/* Most find it queued, and write nothing. */
	if (!delayed_work_pending(&drst_hold_pressure))
		queue_delayed_work(drst_hold_wq, &drst_hold_pressure, HZ);
	trace_tls_drst_hold(h->sk, h->cause, h->bytes);
}

/**
 * drst_hold_leave() - a hold ends
 * @h: the hold. If it ends with a RST, the RST goes out afterwards: the addresses
 *     of the connection are still there.
 * @state: the connection's, for the tracepoint
 * @how: what drst_hold_count() will count
 *
 * Context: process, socket lock held.
 */
void drst_hold_leave(struct drst_hold *h, int state, enum drst_stat how)
{
	sock_owned_by_me(h->sk);
	drst_table_del(&h->entry, h->sk);
	trace_tls_drst_release(h->sk, state, h->cause, drst_stat_name(how),
			       h->bytes, drst_hold_bytes(h),
			       ktime_get_ns() - h->began_ns);
}

/**
 * drst_hold_count() - count the end of a hold
 * @net: the namespace
 * @kind: which kind of hold
 * @how: how it has ended
 *
 * Context: process.
 */
void drst_hold_count(struct net *net, const struct drst_hold_kind *kind,
		     enum drst_stat how)
{
	drst_hold_dismiss(net, kind->direction);
	drst_stat_inc(net, how);
}

/* ---- the limits ---- */

/**
 * drst_hold_progress() - restart the time without progress
 * @h: the hold
 *
 * Context: socket lock held.
 */
void drst_hold_progress(struct drst_hold *h)
{
	WRITE_ONCE(h->progress, jiffies);
}

/* When does a limit of time strike? In jiffies. Socket lock held. */
static unsigned long drst_hold_expires(const struct drst_hold *h)
{
	const struct net *net = sock_net(h->sk);
	unsigned long idle, all;

	idle = h->progress +
	       msecs_to_jiffies(drst_sysctl_knob(net, DRST_TIMEOUT_MS));
	all = h->began +
	      msecs_to_jiffies(drst_sysctl_knob(net, DRST_MAX_HOLD_MS));
	return time_before(idle, all) ? idle : all;
}

/**
 * drst_hold_expired() - has a limit of time struck?
 * @h: the hold
 *
 * Context: socket lock held.
 */
bool drst_hold_expired(const struct drst_hold *h)
{
	return time_after_eq(jiffies, drst_hold_expires(h));
}

/**
 * drst_hold_arm() - queue the work of a hold for when a limit of time strikes
 * @h: the hold; if an event has queued its work, that stays
 * @longest: jiffies, after which the work looks in any case
 *
 * Context: socket lock held.
 */
void drst_hold_arm(struct drst_hold *h, unsigned long longest)
{
	long left = drst_hold_expires(h) - jiffies;

	queue_delayed_work(drst_hold_wq, &h->work,
			   clamp_t(long, left, 1, longest));
}

/**
 * drst_hold_kick() - have the work of a hold run now
 * @h: the hold
 *
 * Context: any; socket lock or the lock of drst_table_each() held, and the work has not
 * ended the hold.
 */
void drst_hold_kick(struct drst_hold *h)
{
	mod_delayed_work(drst_hold_wq, &h->work, 0);
}

/* A hold leaves the table before its work is cancelled, so it may be kicked here. */
static bool drst_hold_press(struct drst_table_entry *e, const struct net *net)
{
	struct drst_hold *h = container_of(e, struct drst_hold, entry);

	if (!drst_tcp_memory_short(h->sk))
		return false;
	drst_hold_kick(h);
	return true;
}

/*
 * A connection with a silent peer has no event before a limit of time strikes, and
 * TCP does not report that it gets short of memory. So look once a second while
 * something is held. That memory is TCP's, so the first hold speaks for all.
 *
 * The workqueue clears "pending", with a full barrier, before it calls this. So
 * either drst_hold_enter() queues the work again, or its hold is seen here.
 */
static void drst_hold_pressure_work(struct work_struct *work)
{
	if (drst_table_each(drst_hold_press, NULL))
		queue_delayed_work(drst_hold_wq, &drst_hold_pressure, HZ);
}

static bool drst_hold_rearm(struct drst_table_entry *e, const struct net *net)
{
	struct drst_hold *h = container_of(e, struct drst_hold, entry);

	if (net_eq(net, &init_net) || net_eq(net, sock_net(h->sk)))
		drst_hold_kick(h);
	return true;
}

/**
 * drst_hold_lowered() - limits may strike earlier than the works of holds are queued for
 * @net: the namespace in which a limit got lower
 *
 * Context: process, may sleep.
 */
void drst_hold_lowered(const struct net *net)
{
	drst_table_each(drst_hold_rearm, net);
}

/* ---- for /proc and tracepoints ---- */

/**
 * drst_hold_cause_name() - the name of a cause
 * @cause: which one
 *
 * Context: any.
 */
const char *drst_hold_cause_name(enum drst_cause cause)
{
	return drst_hold_cause_names[cause];
}

/**
 * drst_hold_bytes() - what a hold waits for
 * @h: the hold
 *
 * Context: any.
 * Return: bytes in TCP's send queue or, inbound, in its receive queue.
 */
u32 drst_hold_bytes(const struct drst_hold *h)
{
	return h->kind->bytes(h->sk);
}

/**
 * drst_hold_now() - how many connections are held now?
 * @net: the namespace
 * @direction: of which direction
 *
 * Context: any.
 */
u64 drst_hold_now(const struct net *net, enum drst_direction direction)
{
	return percpu_counter_sum_positive(&drst_hold_pernet(net)->now[direction]);
}

/* ---- loading and unloading ---- */

static int __net_init drst_hold_net_init(struct net *net)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);
	int err;

	hn->batch = 1;
	err = percpu_counter_init(&hn->now[DRST_OUTBOUND], 0, GFP_KERNEL);
	if (err)
		return err;
	err = percpu_counter_init(&hn->now[DRST_INBOUND], 0, GFP_KERNEL);
	if (err)
		percpu_counter_destroy(&hn->now[DRST_OUTBOUND]);
	return err;
}

/* A held connection keeps its namespace and pins the module: none is left. */
static void __net_exit drst_hold_net_exit(struct net *net)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);
	int i;

	for (i = 0; i < DRST_NR_DIRECTIONS; i++) {
		WARN_ON_ONCE(percpu_counter_sum(&hn->now[i]));
		percpu_counter_destroy(&hn->now[i]);
	}
}

static struct pernet_operations drst_hold_net_ops = {
	.init = drst_hold_net_init,
	.exit = drst_hold_net_exit,
	.id   = &drst_hold_net_id,
	.size = sizeof(struct drst_hold_net),
};

/**
 * drst_hold_init() - make ready to hold
 *
 * The workqueue is not WQ_MEM_RECLAIM: no reclaim of memory waits for a hold, and
 * its works wait for those of net/tls on the system's workqueue. Under pressure
 * they free the memory that tcp_mem accounts.
 *
 * Context: process, may sleep; at load.
 * Return: 0 or a negative errno.
 */
int drst_hold_init(void)
{
	int err;

	drst_table_init();
	drst_hold_wq = alloc_workqueue("tls_drst", WQ_UNBOUND, 0);
	if (!drst_hold_wq)
		return -ENOMEM;
	err = register_pernet_subsys(&drst_hold_net_ops);
	if (err)
		destroy_workqueue(drst_hold_wq);
	return err;
}

/**
 * drst_hold_flush() - wait for the works of the last holds to return
 *
 * They count the end of a hold after they have dropped the socket's pin on the
 * module.
 *
 * Context: process, may sleep; at unload, when no socket's ULP is ours.
 */
void drst_hold_flush(void)
{
	flush_workqueue(drst_hold_wq);
}

/**
 * drst_hold_exit() - the reverse of drst_hold_init()
 *
 * Context: process, may sleep; at unload, when nothing is held.
 */
void drst_hold_exit(void)
{
	unregister_pernet_subsys(&drst_hold_net_ops);
	cancel_delayed_work_sync(&drst_hold_pressure);
	destroy_workqueue(drst_hold_wq);
	drst_table_exit();
}
