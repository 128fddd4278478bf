// SPDX-License-Identifier: GPL-2.0
/*
 * What outbound (outbound.c) and inbound holds (inbound.c) share: the object,
 * admission, the limits, the list of a namespace, counting and tracing.
 *
 *	drst_hold_new() --> drst_hold_enter() --> drst_hold_leave() --> drst_hold_count()
 *	  admitted,	      in the list,	    out of the list,	 the gauge and
 *	  or refused	      the gauge goes up	    traced		 the counter of its end
 *
 * A refused hold counts as begun and ended. So holds begun = holds ended + holds
 * now.
 *
 * Lifetime: the work of a hold has the first reference on it. struct drst_hold has
 * a reference on the sock, and the sock has one on the namespace. A lockless reader
 * uses a hold under RCU.
 */
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "hold.h"
#include "sysctl.h"
#include "tcp.h"
#include "trace.h"

/**
 * struct drst_hold_net - the holds of a network namespace
 * @admitted:	how many were admitted and are not counted as ended
 * @now:	the same by direction, for /proc/net/tls_drst_stat
 * @pressure:	looks at TCP's memory while something is held
 * @lock:	covers @list
 * @list:	the holds between drst_hold_enter() and drst_hold_leave()
 */
struct drst_hold_net {
	atomic_t admitted;
	atomic_t now[DRST_NR_DIRECTIONS];
	struct delayed_work pressure;
	spinlock_t lock;	/* covers list */
	struct list_head list;
};

static unsigned int drst_hold_net_id __read_mostly;
static struct workqueue_struct *drst_hold_wq __read_mostly;

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

static bool drst_hold_admit(const struct net *net)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);

	if (atomic_inc_return(&hn->admitted) <=
	    drst_sysctl_knob(net, DRST_MAX_HELD))
		return true;
	atomic_dec(&hn->admitted);
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
	refcount_set(&h->ref, 1);
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

	DEBUG_NET_WARN_ON_ONCE(!lockdep_sock_is_held(sk));
	drst_stat_inc(net, kind->held);
	if (drst_tcp_memory_short(sk))
		goto refuse;
	if (!drst_hold_admit(net)) {
		refused = kind->over_limit;
		goto refuse;
	}
	h = drst_hold_alloc(sk, kind, gfp);
	if (!h) {
		atomic_dec(&drst_hold_pernet(net)->admitted);
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
	       atomic_read(&drst_hold_pernet(net)->admitted) <
	       drst_sysctl_knob(net, DRST_MAX_HELD);
}

/**
 * drst_hold_put() - drop a reference on a hold
 * @h: the hold; freed, with its reference on the sock, after the last user
 *
 * Context: any, socket lock not needed.
 */
void drst_hold_put(struct drst_hold *h)
{
	if (!refcount_dec_and_test(&h->ref))
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
	struct drst_hold_net *hn = drst_hold_pernet(sock_net(h->sk));

	DEBUG_NET_WARN_ON_ONCE(!lockdep_sock_is_held(h->sk));
	h->began_ns = ktime_get_ns();
	h->bytes = drst_hold_bytes(h);
	atomic_inc(&hn->now[h->kind->direction]);
	spin_lock_bh(&hn->lock);
	list_add_tail(&h->list, &hn->list);
	spin_unlock_bh(&hn->lock);
	queue_delayed_work(drst_hold_wq, &hn->pressure, HZ);
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
	struct drst_hold_net *hn = drst_hold_pernet(sock_net(h->sk));

	sock_owned_by_me(h->sk);
	spin_lock_bh(&hn->lock);
	list_del(&h->list);
	spin_unlock_bh(&hn->lock);
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
	struct drst_hold_net *hn = drst_hold_pernet(net);

	atomic_dec(&hn->admitted);
	atomic_dec(&hn->now[kind->direction]);
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
	unsigned long expires = drst_hold_expires(h);
	unsigned long delay = 1;

	if (time_after(expires, jiffies))
		delay = min(expires - jiffies, longest);
	queue_delayed_work(drst_hold_wq, &h->work, delay);
}

/**
 * drst_hold_kick() - have the work of a hold run now
 * @h: the hold
 *
 * Context: any; socket lock or the list's lock held, and the work has not ended the
 * hold.
 */
void drst_hold_kick(struct drst_hold *h)
{
	mod_delayed_work(drst_hold_wq, &h->work, 0);
}

/*
 * A connection with a silent peer has no event before a limit of time strikes, and
 * TCP does not report that it gets short of memory. So look once a second, for all
 * holds of a namespace. A hold leaves the list before its work is cancelled, so the
 * list's lock is enough to queue that work.
 */
static void drst_hold_pressure_work(struct work_struct *work)
{
	struct drst_hold_net *hn = container_of(to_delayed_work(work),
						struct drst_hold_net, pressure);
	struct drst_hold *h;

	spin_lock_bh(&hn->lock);
	h = list_first_entry_or_null(&hn->list, struct drst_hold, list);
	if (h) {
		if (drst_tcp_memory_short(h->sk))
			list_for_each_entry(h, &hn->list, list)
				drst_hold_kick(h);
		queue_delayed_work(drst_hold_wq, &hn->pressure, HZ);
	}
	spin_unlock_bh(&hn->lock);
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
unsigned int drst_hold_now(const struct net *net, enum drst_direction direction)
{
	return atomic_read(&drst_hold_pernet(net)->now[direction]);
}

/**
 * drst_hold_list() - the list of holds of a namespace
 * @net: the namespace
 *
 * Context: the list's lock held.
 * Return: the list, of struct drst_hold.
 */
struct list_head *drst_hold_list(struct net *net)
{
	lockdep_assert_held(&drst_hold_pernet(net)->lock);
	return &drst_hold_pernet(net)->list;
}

/**
 * drst_hold_list_lock() - lock the list of holds of a namespace
 * @net: the namespace
 *
 * Context: any but hard interrupts; returns with the list's lock held.
 * Return: the list.
 */
struct list_head *drst_hold_list_lock(struct net *net)
	__acquires(&drst_hold_pernet(net)->lock)
{
	spin_lock_bh(&drst_hold_pernet(net)->lock);
	return drst_hold_list(net);
}

/**
 * drst_hold_list_unlock() - the reverse of drst_hold_list_lock()
 * @net: the namespace
 *
 * Context: the list's lock held.
 */
void drst_hold_list_unlock(struct net *net)
	__releases(&drst_hold_pernet(net)->lock)
{
	spin_unlock_bh(&drst_hold_pernet(net)->lock);
}

/* ---- loading and unloading ---- */

static int __net_init drst_hold_net_init(struct net *net)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);

	spin_lock_init(&hn->lock);
	INIT_LIST_HEAD(&hn->list);
	INIT_DELAYED_WORK(&hn->pressure, drst_hold_pressure_work);
	return 0;
}

/* A held connection keeps its namespace and pins the module: none is left. */
static void __net_exit drst_hold_net_exit(struct net *net)
{
	struct drst_hold_net *hn = drst_hold_pernet(net);

	WARN_ON_ONCE(!list_empty(&hn->list) || atomic_read(&hn->admitted));
	cancel_delayed_work_sync(&hn->pressure);
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
	destroy_workqueue(drst_hold_wq);
}
