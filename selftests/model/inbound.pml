/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inbound hold (module/inbound.c) as a Promela model: README.md says what is
 * modelled and what is not. Names in comments are functions of the module, of
 * TCP or of net/tls.
 *
 * Variants:	QUIET	no bound ever strikes: all that arrived is read, then the reset shows
 *		FAULTS	bounds, failing allocations, ss -K, close() at any time
 */

#define NH 2			/* RSTs taken out of TCP's way at one time */
#define NONE 7

/* enum drst_stage */
#define RST 4
#define INBOUND 5
#define OVER 6

/* what a work item waits for */
#define IDLE 0
#define TIMER 1
#define QUEUED 3

#define FREE 0
#define USER 1
#define DRAIN 2

#define SEG_DATA 10
#define SEG_RST 12
#define SEG_OLD 13

/* ---- the connection ---- */

byte owned = FREE;
chan backlog = [2] of { byte };
bool dead, reset;		/* SOCK_DEAD; TCP_CLOSE */
bool err;			/* sk_err */
bool rcv_shut;
byte rnxt;			/* records received, */
byte rcvq;			/* not read yet, */
byte read;			/* and read */
bool ctx = true;		/* net/tls is there */
bool ours = true;		/* drst_proto_is_ours() */
bool held_bit;			/* DRST_RST_HELD */
byte seen_bits;			/* DRST_RST_SEEN */
bool hooked;			/* sk_prot and ops are those of a hold */
bool cb;			/* sk_state_change is ours */
byte udata = NONE;		/* sk_user_data */

byte skref = 2;			/* the process's and TCP's own */
bool pin = true;
bool pernet = true, text = true;
byte hooks;			/* softirqs in our hook: an RCU read section */

/* ---- holds ---- */

byte stage[NH], href[NH], pend[NH];
bool busy[NH], skb[NH];

hidden byte g;
bool due, mem;

/* ---- what the properties are about ---- */

byte taken, applied;		/* RSTs that the hook took, and that TCP or nobody got from us */
byte ever, ended, held, in_held;
bool early;			/* a bound, an order or close(): data may be lost */
bool shown;			/* the application saw the reset */
bool closed;

#define hold_of (cb -> udata : NONE)
#define undelivered (rcvq > 0)
/* drst_inbound_wanted(), of a connection in a state and mode that hold */
#define wanted (ctx && ours && udata == NONE && !dead && !reset && undelivered)

inline use(h)
{
	assert(h != NONE && href[h] > 0)
}

inline lock()
{
	owned == FREE -> owned = USER; assert(skref > 0)
}

inline unlock()
{
	atomic {
		if
		:: empty(backlog) -> owned = FREE
		:: nempty(backlog) -> owned = DRAIN; owned != DRAIN
		fi
	}
}

inline sk_put()
{
	assert(skref > 0);
	skref--
}

/* drst_hold_put() */
inline hold_put(h)
{
	use(h);
	href[h]--;
	if
	:: href[h] == 0 ->
		assert(pend[h] == IDLE && !skb[h]);
		sk_put()
	:: else
	fi
}

/* drst_state_change() */
inline state_change()
{
	if
	:: cb -> use(udata); pend[udata] = QUEUED
	:: else
	fi
}

inline destroy()
{
	assert(pin);
	pin = false;
	sk_put()
}

/* tcp_reset(), tcp_done() */
inline tcp_done()
{
	if
	:: !reset ->
		reset = true;
		err = true;
		rcv_shut = true;
		if
		:: dead -> destroy()
		:: !dead -> state_change()
		fi
	:: else
	fi
}

/* tcp_v4_do_rcv() */
inline rcv(seg)
{
	if
	:: reset
	:: !reset && seg == SEG_DATA ->
		rnxt++;
		if
		:: !dead -> rcvq++
		:: else
		fi
	/* its sequence number is that behind the one record that comes late */
	:: !reset && seg == SEG_RST && rnxt == 1 + late -> tcp_done()
	/* it answers an ACK from before that record */
	:: !reset && seg == SEG_OLD && rnxt == 1 -> tcp_done()
	:: else
	fi
}

/* ---- the hook, and the backlog ---- */

bool late;			/* a record comes after the first */
bool old;			/* the second RST is an old one */

#define is_old(h) (old && h == 1)
#define seq_of(h) (is_old(h) -> 1 : 1 + late)

/* the peer's last record, and what release_sock() does */
proctype softirq()
{
	byte seg;
end:
	do
	:: atomic { owned == DRAIN && empty(backlog) -> owned = FREE }
	:: atomic { owned == DRAIN && nempty(backlog) -> backlog?seg; rcv(seg); seg = 0 }
	od
}

proctype data_in()
{
	atomic {
		owned != DRAIN && nfull(backlog) ->
		if
		:: held_bit && ours && ctx	/* drst_rst_before() */
		:: !(held_bit && ours && ctx) && owned == FREE -> rcv(SEG_DATA)
		:: !(held_bit && ours && ctx) && owned != FREE -> backlog!SEG_DATA
		fi
	}
}

/* drst_inbound_ipv4() for a RST behind all data, or for a second one as good or old */
proctype rst_in(byte h)
{
	bool go;

end:
	/* a looked-up sock has not gone; else TCP answers for nobody */
	atomic {
		skref > 0 && pin && pernet && rnxt + len(backlog) >= 1 + late ->
		hooks++;
		skref++
	}
	/* drst_rst_before(), drst_rst_matters() */
	atomic {
		assert(text && pernet);
		if
		:: !ours || !ctx -> goto tcp
		:: ours && ctx && held_bit -> goto out
#ifdef MUTATION_second_rst_dropped
		:: ours && ctx && !held_bit && seen_bits > 0 -> goto out
#endif
		:: else
		fi
	}
	atomic {
		if
		:: !ours || !ctx -> goto tcp
		:: ours && ctx && owned != FREE -> go = seq_of(h) >= rnxt
		:: ours && ctx && owned == FREE ->
			go = seq_of(h) == rnxt && (wanted || held_bit)
		fi;
		if
		:: !go -> goto tcp
		:: else
		fi
	}
	/* drst_rst_take(): no lock is held */
	atomic {
		assert(text && pernet);
		if
		:: !ctx -> goto tcp
#ifdef MUTATION_second_rst_accepted
		:: ctx && seen_bits > 0 -> goto tcp
#endif
		:: else -> seen_bits++
		fi
	}
	atomic {
		if
#ifdef FAULTS
		:: seen_bits--; early = true; goto tcp
#endif
		:: href[h] = 1; skref++; stage[h] = RST; skb[h] = true; taken++
		fi
	}
	atomic { pend[h] = QUEUED; goto out }
tcp:	atomic {
		owned != DRAIN && nfull(backlog) ->
		if
		:: owned == FREE && is_old(h) -> rcv(SEG_OLD)
		:: owned == FREE && !is_old(h) -> rcv(SEG_RST)
		:: owned != FREE && is_old(h) -> backlog!SEG_OLD
		:: owned != FREE && !is_old(h) -> backlog!SEG_RST
		fi
	}
out:	atomic { hooks--; sk_put() }
}

/* ---- the beginning and the end ---- */

inline forget_seen()
{
	if
	:: ctx -> assert(seen_bits > 0); seen_bits--
	:: else
	fi
}

/* drst_inbound_apply() */
inline apply(h, seq)
{
	assert(skb[h]);
	skb[h] = false;
	applied++;
	if
	:: seq == rnxt -> tcp_done()
	:: else
	fi
}

/* drst_inbound_begin(); socket lock held */
inline begin(h, is_held)
{
	assert(pernet);
	ever++;
	if
	:: mem -> ended++; early = true
#ifdef FAULTS
	:: ended++; early = true	/* the limit, drst_proto_inbound() */
#endif
	:: !mem ->
		is_held = true;
		held++;
		in_held++;
		hooked = true;
		udata = h;
		cb = true;
		held_bit = true;
		stage[h] = INBOUND;
		rcv_shut = true
	fi
}

/* drst_inbound_end() */
inline end_hold(h)
{
	use(h);
	assert(stage[h] == INBOUND && pernet);
	stage[h] = OVER;
	hooked = false;
	cb = false;
	udata = NONE;
	held_bit = false;
#ifdef MUTATION_old_seq
	apply(h, 1);
#else
	apply(h, rnxt);
#endif
	held--;
	in_held--;
	ended++
}

/* drst_inbound_end_elsewhere() */
inline end_elsewhere(h)
{
	end_hold(h);
#ifdef MUTATION_put_if_cancelled
	if
	:: pend[h] != IDLE -> pend[h] = IDLE; hold_put(h)
	:: else
	fi
#else
#ifndef MUTATION_nobody_puts
	pend[h] = QUEUED
#else
	pend[h] = IDLE
#endif
#endif
}

/* ---- the work ---- */

proctype work(byte h)
{
	bool is_held;
end:
	do
	:: atomic { pend[h] == QUEUED && !busy[h] -> pend[h] = IDLE; busy[h] = true; use(h) }
		assert(text);
		/* drst_inbound_work() */
		atomic {
			lock();
			use(h);
			is_held = false;
			if
			:: stage[h] == RST ->
				/* drst_inbound_look() */
				if
				:: held_bit -> skb[h] = false; applied++
				:: !held_bit && seq_of(h) == rnxt && wanted -> begin(h, is_held)
				:: else
				fi;
				forget_seen();
				if
				:: !is_held && skb[h] -> apply(h, seq_of(h))
				:: else
				fi
#ifdef MUTATION_no_recheck
			:: stage[h] != RST ->
#else
			:: stage[h] == INBOUND ->
#endif
				/* drst_inbound_ends() */
				if
				:: reset || !undelivered -> end_hold(h)
				:: !reset && undelivered && (mem || due) ->
					early = true;
					end_hold(h)
				:: else -> is_held = true
				fi
			:: else
			fi;
			/* drst_hold_arm() */
			if
			:: is_held && pend[h] == IDLE -> pend[h] = TIMER
			:: else
			fi
		}
		unlock();
		if
		:: !is_held ->
#ifndef MUTATION_no_cancel
			pend[h] = IDLE;
#endif
			atomic { hold_put(h) }
#ifdef MUTATION_put_twice
			;atomic { hold_put(h) }
#endif
		:: else
		fi;
		assert(text);
		atomic { busy[h] = false; is_held = false }
	od
}

proctype timers()
{
end:
	do
	:: atomic { pend[0] == TIMER && due -> pend[0] = QUEUED }
	:: atomic { pend[1] == TIMER && due -> pend[1] = QUEUED }
	od
}

/* ---- the application ---- */

/* drst_inbound_check() */
inline check()
{
#ifndef MUTATION_no_check
	atomic {
		lock();
		if
		:: cb && stage[udata] == INBOUND && !undelivered -> g = udata; end_elsewhere(g)
		:: else
		fi
	}
	unlock()
#else
	skip
#endif
}

#define AGAIN 0
#define DATA 1
#define END 2
#define ERROR 3

/* tls_sw_recvmsg() */
inline tls_recv(got)
{
	atomic {
		lock();
		if
		:: rcvq > 0 -> rcvq--; read++; got = DATA; assert(!shown)
		:: rcvq == 0 && err -> err = false; got = ERROR; shown = true
		:: rcvq == 0 && !err && rcv_shut -> got = END
		:: else -> got = AGAIN
		fi
	}
	unlock()
}

proctype reader()
{
	byte got = DATA;

	do
	/* poll(), or asleep in recvmsg() */
	:: got < END && (got == DATA || rcvq > 0 || rcv_shut || hooked) ->
		if
		:: hooked ->
			/* drst_inbound_recvmsg() */
			check();
			tls_recv(got);
			check();
			if
			:: got == AGAIN -> tls_recv(got)
			:: else
			fi
		:: !hooked -> tls_recv(got)
		fi
	:: got >= END -> break
#ifdef FAULTS
	:: early = true; break
#endif
	od;
	assert(early || got == ERROR);
	got = 0;

	/* drst_close(), drst_hold_close() */
	atomic {
		lock();
		if
		:: cb && stage[udata] == INBOUND -> g = udata; end_elsewhere(g)
		:: else
		fi;
#ifndef MUTATION_hooks_stay_at_close
		ours = false	/* drst_proto_unwrap() */
#endif
	}
	unlock();
	/* tls_sk_proto_close(), tcp_close() */
	atomic { lock(); ctx = false };
	unlock();
	atomic {
		lock();
		rcvq = 0;
		dead = true;
		/* else an orphan; unread data makes a RST, of which see hold.pml */
		if
		:: reset -> destroy()
		:: !reset -> reset = true; destroy()
		fi
	}
	unlock();
	atomic { sk_put(); closed = true }
}

/* drst_inbound_poll(), twice */
proctype poller()
{
	byte n;
	bool mine, bad;

	do
	:: n < 2 && !closed && !dead ->
		n++;
		mine = hooked;
		bad = err;
		if
		:: mine ->
			atomic {
				/* the spinlock */
				owned != DRAIN;
				if
				:: cb && stage[udata] == INBOUND ->
					use(udata);
					bad = false;
					if
					:: owned == FREE && !undelivered -> pend[udata] = QUEUED
					:: else
					fi
				:: else
				fi
			}
		:: else
		fi;
		assert(!bad || early || read == rnxt)
	:: true -> break
	od
}

#ifdef FAULTS
proctype clock()
{
	due = true
}

/* drst_pressure_work(): once a second is at any time; listed from begin() to end_hold() */
proctype pressure()
{
	mem = true;
end:
	do
	:: atomic { stage[0] == INBOUND && pend[0] != QUEUED -> use(0); pend[0] = QUEUED }
	:: atomic { stage[1] == INBOUND && pend[1] != QUEUED -> use(1); pend[1] = QUEUED }
	od
}

/* ss -K, or TCP's own time-out */
proctype admin()
{
end:
	atomic { owned == FREE && !reset -> owned = USER }
	atomic { early = true; tcp_done() }
	unlock()
}
#endif

/* drst_exit() */
proctype rmmod()
{
end:
	!pin && closed;
	/* drst_net_pre_exit(), synchronize_rcu(), drst_net_exit() */
	hooks == 0;
	atomic { pernet = false };
	atomic { pend[0] != QUEUED && !busy[0] && pend[1] != QUEUED && !busy[1] };
	text = false
}

proctype still()
{
end:
	timeout ->
	assert(closed);
	assert(taken == applied);
	assert(ever == ended && held == 0 && in_held == 0);
	assert(href[0] == 0 && href[1] == 0 && pend[0] == IDLE && pend[1] == IDLE);
	assert(!skb[0] && !skb[1] && udata == NONE && !cb);
	assert(skref == (pin -> 1 : 0));
	assert(early || (shown && read == rnxt))
}

init {
	atomic {
		if
		:: late = true
		:: late = true; old = true
		:: late = false
		fi;
		rnxt = 1;
		rcvq = 1;
		run softirq();
		if
		:: late -> run data_in()
		:: else
		fi;
		run rst_in(0);
		run rst_in(1);
		run work(0);
		run work(1);
		run timers();
		run reader();
#ifdef QUIET
		run poller();
#endif
#ifdef FAULTS
		run clock();
		run pressure();
		run admin();
#endif
		run rmmod();
		run still()
	}
}
