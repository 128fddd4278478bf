/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The outbound hold (module/outbound.c, ending.c) as a Promela model: README.md says
 * what is modelled and what is not. Names in comments are functions of the module, of
 * TCP or of net/tls.
 *
 * Variants:	QUIET	no limit of time ever strikes: a hold ends by an event
 *		TIME	the limits of time
 *		FAULTS	failing allocations, max_held, the peer's RST, TCP's time-out
 *		MEMORY	memory pressure
 *		ADMIN	ss -K
 *		GONE	the namespace and the module go as soon as they can
 *		SILENT	nothing comes from the network, nor a limit: close() returns
 */

#if defined(FAULTS) || defined(MEMORY) || defined(ADMIN)
#define ROUGH
#endif

#define SNDBUF 1		/* units in flight before kTLS has to wait */

/* enum drst_outbound_stage */
#define TAKEN 1
#define KTLS 2
#define TCP 3
#define OVER 4
#define UNBORN 7

/* TCP's states */
#define EST 0
#define CW 1
#define FW1 2
#define FW2 3
#define CLOSING 4
#define LASTACK 5
#define CLOSE 6

/* enum drst_cause */
#define CAUSE_NONE 0
#define CAUSE_UNREAD 1
#define CAUSE_LINGER 2
#define CAUSE_DATA 3

/* sk_err */
#define E_NONE 0
#define E_RESET 1
#define E_ABORTED 2
#define E_TIMEDOUT 3

/* The ways in which a hold ends: enum drst_stat */
#define HOW_NONE 0
#define HOW_FLUSHED 1
#define HOW_RST 2
#define HOW_FIN 3
#define HOW_MOOT 4
#define HOW_TIMED_OUT 5
#define HOW_LIMIT 6
#define HOW_MEMORY 7
#define HOW_PEER 8
#define HOW_ABORTED 9

/* what a work item waits for */
#define IDLE 0
#define TIMER 1			/* a limit of time */
#define TICK 2			/* HZ / 10 */
#define QUEUED 3

/* sk_lock: spinlock part and owned are one, as softirq's part is atomic here */
#define FREE 0
#define USER 1
#define DRAIN 2			/* release_sock() is at the backlog */

/* segments and TCP's own timer; an ACK is the sequence number itself */
#define SEG_DATA 10
#define SEG_FIN 11
#define SEG_RST 12
#define SEG_TMO 13

/* ---- the connection ---- */

byte owned = FREE;
chan backlog = [2] of { byte };
byte st;
byte wseq, una;			/* write_seq, snd_una */
byte rnxt;			/* data received */
byte rcvq;			/* and not read */
byte err;
bool finq, snd_shut, rcv_shut, dead, linger0;
bool notified;
bool ctx = true;		/* net/tls is there */
byte krec, kopen;		/* records: ready, open */
bool txlock;
bool kq, kbusy, koff;		/* kTLS's worker: queued, runs, disabled */
bool kfail;			/* it can be short of memory once */

bool cb, dr, ws;		/* sk_state_change, sk_data_ready, sk_write_space are ours */
bool udata;			/* sk_user_data */

/* ---- references, and what is there ---- */

byte skref = 2;			/* the process's and TCP's own */
bool pin = true;		/* the ULP's on the module */
bool closing;			/* drst_hooks_closing */
bool pernet = true, text = true;
byte netget;			/* get_net() */

/* ---- the hold ---- */

byte stage = UNBORN;
byte cause;			/* drst_hold.cause */
byte href;
byte herr;			/* drst_outbound.err */
bool tls, over;
bool listed;			/* in drst_hold_net.list */
byte pend;
bool busy;

/* ---- knobs and the environment ---- */

hidden byte moved;		/* snd_una, by the segment being looked at */
byte mode;
bool final;
bool due;			/* max_hold_ms is over */
bool mem;			/* tcp_memory_pressure */

/* ---- what the properties are about ---- */

byte ever, ended, held;
byte rsts;			/* RSTs that this host sent */
bool gone;			/* the process has shut both directions down, or closed */
bool pending;			/* a RST is pending */
bool early;			/* as vanilla, refused, or a limit: in front of data, too */
bool moot;			/* reset, closed on both sides, or final = 1: no RST is wanted */
bool lost;			/* records freed that could have gone */
bool closed;			/* close() has returned */

#define flushed (una == wseq)
#define acked (una == wseq || (finq && una + 1 == wseq))
#define ktls_holds (krec > 0 || kopen > 0)
/* drst_ktls_pending() */
#define ktls_pending (ktls_holds && err == E_NONE && !snd_shut && st <= CW)
#define need_reset(s) ((s) <= FW2)
#define room (owned != DRAIN && nfull(backlog) && st != CLOSE)
#define vanilla_resets (rcv_shut && (st == FW1 || st == FW2))

inline use()
{
	assert(href > 0)
}

inline sk_use()
{
	assert(skref > 0)
}

/*
 * lock_sock(), always the first of an atomic with the locked section: what comes
 * in meanwhile goes to the backlog, and can as well come before unlock().
 */
inline lock()
{
	owned == FREE -> owned = USER; sk_use()
}

/* release_sock(); softirq() does the backlog */
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
	sk_use();
	skref--
}

/* drst_hold_put() */
inline hold_put()
{
	use();
	href--;
	if
	:: href == 0 ->
		assert(pend == IDLE);
		sk_put()
	:: else
	fi
}

/* drst_outbound_kick(): mod_delayed_work(, 0) */
inline kick()
{
	use();
	if
#ifdef MUTATION_no_kick_while_owned
	:: owned == DRAIN
	:: owned != DRAIN && stage != TAKEN && stage != OVER -> pend = QUEUED
#else
#ifdef MUTATION_taken_not_ignored
	:: stage != OVER -> pend = QUEUED
#else
	:: stage != TAKEN && stage != OVER -> pend = QUEUED
#endif
#endif
	:: else
	fi
}

/* A RST leaves: once, and not in front of data. (A FIN may be under way: vanilla's.) */
inline send_rst()
{
	rsts++;
	assert(rsts == 1);
	assert((acked && !ktls_pending) || early)
}

/* drst_state_change() */
inline state_change()
{
	if
	:: cb ->
		use();
		if
		:: st == CLOSE && herr == E_NONE -> herr = err
		:: else
		fi;
		kick()
	:: else
	fi
}

/* drst_data_ready() */
inline data_ready()
{
	if
	:: dr -> assert(cb); kick()
	:: else
	fi
}

/* tls_write_space() and, under it, drst_write_space() */
inline write_space(mv)
{
	if
	:: ctx && krec > 0 && !koff -> kq = true
	:: else
	fi;
	if
	:: ws ->
		assert(cb);
		use();
		if
		:: mem -> kick()
		:: !mem && stage == KTLS && ctx && (kopen > 0 || !ktls_holds) ->
			kick()
		:: !mem && !(stage == KTLS && ctx) && flushed -> kick()
#ifndef MUTATION_no_tick
		/* kTLS may get no memory, and no event from now on */
		:: !mem && stage == KTLS && ctx && kopen == 0 && ktls_holds &&
		   flushed && mv ->
			kick()
#endif
		:: else
		fi
	:: else
	fi
}

/* inet_csk_destroy_sock(): tcp_cleanup_ulp() drops the pin */
inline destroy()
{
	assert(pin);
	pin = false;
	sk_put()
}

/* tcp_done() */
inline tcp_done(e)
{
	if
	:: e != E_NONE -> err = e
	:: else
	fi;
	st = CLOSE;
	snd_shut = true;
	rcv_shut = true;
	if
	:: !dead -> state_change()
	:: dead -> destroy()
	fi
}

/* tcp_close_state(), tcp_send_fin() */
inline queue_fin()
{
	if
	:: st == EST -> st = FW1; finq = true; wseq++
	:: st == CW -> st = LASTACK; finq = true; wseq++
	:: else
	fi
}

/* tcp_v4_do_rcv() */
inline rcv(seg)
{
	if
	:: st == CLOSE
	:: st != CLOSE && seg < SEG_DATA ->
		moved = seg > una;
		una = (seg > una -> seg : una);
		if
		:: finq && flushed && st == FW1 && !dead -> st = FW2; state_change()
		:: finq && flushed && st == FW1 && dead -> st = FW2; tcp_done(E_NONE)
		:: finq && flushed && (st == CLOSING || st == LASTACK) ->
			moot = true;
			tcp_done(E_NONE)
		:: else
		fi;
		/* tcp_check_space() */
		if
		:: st != CLOSE -> write_space(moved)
		:: else
		fi
	:: st != CLOSE && seg == SEG_DATA ->
		pending = pending || gone;
		if
		/* before close() a shutdown() is vanilla's */
		:: vanilla_resets -> early = early || !ever; send_rst(); tcp_done(E_RESET)
		:: !vanilla_resets && (st == EST || st == FW1 || st == FW2) ->
			rcvq++;
			rnxt++;
			data_ready()
		:: else
		fi
	:: st != CLOSE && seg == SEG_FIN ->
		if
		:: st == FW2 -> moot = true; tcp_done(E_NONE)
		:: st == EST || st == FW1 ->
			st = (st == EST -> CW : CLOSING);
			rcv_shut = true;
			if
			:: !dead -> state_change()
			:: else
			fi
		:: else
		fi
	:: st != CLOSE && seg == SEG_RST -> moot = true; tcp_done(E_RESET)
	:: st != CLOSE && seg == SEG_TMO -> moot = true; tcp_done(E_TIMEDOUT)
	fi
}

/* ---- softirq: the network, and the backlog in release_sock() ---- */

bool came_data, came_fin, came_rst, came_tmo;

proctype softirq()
{
	byte seg;
end:
	do
	:: atomic { owned == DRAIN && empty(backlog) -> owned = FREE }
	:: atomic { owned == DRAIN && nempty(backlog) -> backlog?seg; rcv(seg); seg = 0 }
#ifndef SILENT
	:: atomic {
		if
		:: room && una < wseq && !came_rst -> seg = wseq
		:: room && !came_data && !came_fin && !came_rst -> came_data = true; seg = SEG_DATA
		:: room && !came_fin && !came_rst -> came_fin = true; seg = SEG_FIN
#if defined(FAULTS) || defined(GONE)
		:: room && !came_rst -> came_rst = true; seg = SEG_RST
#endif
#ifdef FAULTS
		/* the retransmission timer's last */
		:: room && !came_tmo && (una < wseq || dead) -> came_tmo = true; seg = SEG_TMO
#endif
		fi;
		if
		:: owned == FREE -> rcv(seg)
		:: else -> backlog!seg
		fi;
		seg = 0
	   }
#endif
	od
}

/* ---- time, memory, and the administrator ---- */

#ifdef TIME
proctype clock()
{
	due = true
}
#endif

#ifdef MEMORY
/* drst_hold_pressure_work(): once a second is at any time */
proctype pressure()
{
	mem = true;
end:
	do
	:: atomic { listed && pend != QUEUED -> use(); pend = QUEUED }
	od
}
#endif

#ifdef ADMIN
/* ss -K: tcp_abort() */
proctype admin()
{
end:
	atomic { owned == FREE && st != CLOSE -> owned = USER }
	atomic {
		if
		:: st != CLOSE ->
			early = true;
			moot = true;
			if
			:: need_reset(st) -> send_rst()
			:: else
			fi;
			tcp_done(E_ABORTED)
		:: else
		fi
	}
	unlock()
}
#endif

/* the timer of a delayed work */
proctype timers()
{
end:
	do
	:: atomic { pend == TICK || (pend == TIMER && due) -> pend = QUEUED }
	od
}

/* ---- net/tls ---- */

/* tls_tx_records(): what fits */
inline tx_records()
{
	if
	:: krec > 0 && wseq - una < SNDBUF && !snd_shut && err == E_NONE && st <= CW ->
		wseq = wseq + krec;
		krec = 0
	:: else
	fi
}

/* tx_work_handler() */
proctype ktls_worker()
{
end:
	do
	:: atomic { kq && !koff -> kq = false; kbusy = true }
		atomic {
			if
			:: txlock -> kq = true; kbusy = false	/* in 10 ms again */
			:: !txlock -> txlock = true
			fi
		}
		if
		:: kbusy ->
			atomic {
				lock();
				assert(ctx);
				if
				:: tx_records()
				:: !kfail -> kfail = true
				fi
			}
			unlock();
			atomic { txlock = false; kbusy = false }
		:: else
		fi
	od
}

/* tls_sk_proto_close(), up to the close() of the proto below */
inline tls_down()
{
	atomic { koff = true; kq = false }
	!kbusy;
	atomic {
		lock();
		assert(ctx);
		tx_records();
		if
		:: ktls_pending && !early -> lost = true
		:: else
		fi;
		krec = 0;
		kopen = 0;
		ctx = false;
		dr = false	/* tls_sw_release_resources_rx() */
	}
	unlock()
}

/* tcp_close() */
inline tcp_close()
{
	atomic {
		lock();
		unread = rcvq > 0;
		rcvq = 0;
		snd_shut = true;
		rcv_shut = true;
		gone = true;
		if
		:: st == CLOSE
		:: st != CLOSE && (unread || linger0) ->
			pending = true;
			/* data that came meanwhile resets behind the FIN, if a FIN is promised */
			assert(how != HOW_FIN || finq);
			/* tcp_disconnect() sends from need_reset() states only */
			if
			:: unread || need_reset(st) -> st = CLOSE; send_rst()
			:: else -> st = CLOSE; moot = true
			fi
		:: else -> queue_fin()
		fi;
		dead = true;
		if
		:: st == FW2 -> st = CLOSE	/* tcp_time_wait() */
		:: else
		fi;
		if
		:: st == CLOSE -> destroy()
		:: else
		fi
	}
	unlock();
	sk_put()
}

/* ---- the end ---- */

/* drst_ending_closed() */
inline ending_closed()
{
	if
	:: herr == E_RESET || (herr == E_NONE && err == E_RESET) -> how = HOW_PEER
	:: herr == E_ABORTED || (herr == E_NONE && err == E_ABORTED) -> how = HOW_ABORTED
	:: (herr == E_TIMEDOUT || (herr == E_NONE && err == E_TIMEDOUT)) && !flushed ->
		how = HOW_TIMED_OUT
	:: else -> how = (cause -> HOW_MOOT : HOW_FLUSHED)
	fi
}

/* drst_ending_due(), drst_ending_resets() */
inline ending_due()
{
	rst = false;
	how = HOW_NONE;
	if
	:: st == CLOSE -> ending_closed()
	:: st != CLOSE && cause && !notified -> how = HOW_RST; early = true
#ifdef MUTATION_release_unflushed
	:: st != CLOSE && !(cause && !notified) && stage != KTLS ->
#else
	:: st != CLOSE && !(cause && !notified) && stage != KTLS &&
	   (flushed || !notified) ->
#endif
		/* TCP has what kTLS held: from here on it is vanilla's */
		early = early || !notified;
		if
		:: !cause -> how = HOW_FLUSHED
		:: cause && final -> how = HOW_FIN
		:: cause && !final -> how = HOW_RST
		fi
	:: else ->
		if
		:: mem -> how = HOW_MEMORY; early = true
		:: !mem && due -> how = HOW_TIMED_OUT; early = true
		:: else
		fi
	fi;
	if
	:: how == HOW_RST -> rst = true
#ifdef MUTATION_closed_resets
	:: how == HOW_MEMORY || how == HOW_TIMED_OUT ->
#else
	:: how == HOW_MEMORY || (how == HOW_TIMED_OUT && st != CLOSE) ->
#endif
		rst = cause || stage == KTLS
	:: else
	fi
}

/* drst_tcp_reset(): tcp_disconnect(), with CLOSING and LAST_ACK made FIN_WAIT1 */
inline tcp_disconnect()
{
	assert(st != CLOSE);
#ifdef MUTATION_closing_as_it_is
	if
	:: need_reset(st) -> send_rst(); err = E_RESET
	:: else
	fi;
#else
	send_rst();
	err = E_RESET;
#endif
	st = CLOSE;
	snd_shut = false;
	rcv_shut = false;
	rcvq = 0
}

/* drst_outbound_detach() */
inline detach()
{
	cb = false;
	dr = false;
	ws = false;
	udata = false
}

/* drst_outbound_end_unlock(); in an atomic with the decision */
inline end_unlock()
{
	netget++;
	stage = OVER;
	moot = moot || how == HOW_FIN;
#ifndef MUTATION_listed_too_long
	listed = false;		/* drst_hold_leave() */
#endif
#ifndef MUTATION_reset_unlocked
	if
	:: rst -> tcp_disconnect()
	:: else
	fi
#endif
}

/* drst_outbound_finish(), and what comes after it */
inline finish()
{
#ifdef MUTATION_reset_unlocked
	atomic {
		lock();
		if
		:: rst -> tcp_disconnect()
		:: else
		fi
	}
	unlock();
#endif
	if
	:: tls -> tls_down()
	:: else
	fi;
	atomic {
		lock();
		use();
		if
		:: how == HOW_FIN ->
			rcvq = 0;
#ifndef MUTATION_fin_left_to_close
			queue_fin()
#endif
		:: else
		fi;
		linger0 = false;
#ifndef MUTATION_no_detach
		detach()
#endif
	}
	unlock();
	tcp_close();
#ifndef MUTATION_no_cancel
	/* cancel_delayed_work() */
	pend = IDLE;
#endif
	atomic {
		assert(pernet); ended++;
		listed = false;
		held--;
		netget--
	}
	atomic {
		use();
		over = true;
		hold_put()
	}
#ifdef MUTATION_put_twice
	atomic { hold_put() }
#endif
}

/* ---- the work ---- */

/* drst_outbound_discard() */
inline discard()
{
	if
	:: rcvq > 0 ->
		rcvq = 0;
		if
		:: cause == CAUSE_NONE -> cause = CAUSE_DATA
		:: else
		fi
	:: else
	fi
}

/* drst_outbound_arm() */
inline arm()
{
	if
	:: pend == IDLE ->
		pend = (stage == KTLS && flushed -> TICK : TIMER)
	:: else
	fi
}

/* drst_ktls_push() */
inline ktls_push()
{
	if
	:: ktls_pending ->
		if
		:: kopen > 0 && !txlock ->
			krec = krec + kopen;
			kopen = 0;
			tx_records()
		:: else
		fi;
		if
		:: flushed && kopen == 0 -> write_space(false)
		:: else
		fi
	:: else
	fi
}

/*
 * drst_outbound_enter_tcp_relock(): called with the socket lock dropped, as the
 * teardown begins with that; returns with it held.
 */
inline enter_tcp()
{
	tls_down();	/* drst_ktls_teardown_relock() */
	atomic {
		lock();
		use();
		assert(stage == TAKEN || stage == KTLS);
		dr = true;
		ws = true;
		tls = false;
		if
		:: notified && cause != CAUSE_UNREAD && cause != CAUSE_LINGER ->
			snd_shut = true;
			queue_fin()
		:: else
		fi;
		stage = TCP;
#ifndef MUTATION_no_cause_c
		discard()
#else
		rcvq = 0
#endif
	}
	/* a corked tail is pushed out */
	if
	:: cause -> unlock(); atomic { lock(); use() }
	:: else
	fi
}

/* drst_outbound_work() */
proctype work()
{
	byte how;
	bool rst, unread;
end:
	do
	:: atomic { pend == QUEUED && !busy -> pend = IDLE; busy = true; use() }
		assert(text);
		atomic {
			lock();
			use();
			how = HOW_NONE;
			rst = false;
			if
#ifndef MUTATION_taken_not_ignored
			:: stage == TAKEN -> goto out
#endif
			:: else
			fi;
			discard();
			if
			:: stage == KTLS && st != CLOSE ->
				ktls_push();
				if
				:: ktls_pending -> goto decide
				:: else
				fi
			:: else -> goto decide
			fi
		}
		unlock();
		enter_tcp();
decide:	atomic {
			ending_due();
			if
			:: how == HOW_NONE -> arm(); goto out
			:: else -> end_unlock()
			fi
		}
		unlock();
		finish();
		goto idle;
out:
		unlock();
idle:
		assert(text);
		atomic { busy = false; how = 0; rst = false; unread = false }
	od
}

/* ---- the process ---- */

/* vanilla's shutdown(SHUT_WR or SHUT_RDWR) */
inline shutdown()
{
	atomic {
		lock();
		if
		:: rcv_shut = true; gone = true
		:: true
		fi;
		snd_shut = true;
		queue_fin()
	}
	unlock()
}

/* drst_outbound_new(); socket lock held */
inline hold_new()
{
	assert(pernet);
	ever++;
	if
	:: mem -> early = true; ended++
	:: !mem ->
		held++;
		href = 2;	/* the work's and close()'s */
		skref++;
		tls = true;
		cause = o;
		stage = TAKEN
#ifdef FAULTS
	/* over the limit, or no memory for it */
	:: !mem -> early = true; ended++
#endif
	fi
}

proctype process()
{
	byte o, how;
	bool unread, rst;

	/* the state at close() is the peer's and shutdown()'s work */
	if
	:: shutdown()
	:: true
	fi;

	/* drst_hooks_close(), drst_outbound_close_unlock() */
	closing = true;
	atomic {
		lock();
		/* drst_policy_cause(), drst_policy_outbound() */
		o = (rcvq > 0 -> CAUSE_UNREAD : (linger0 -> CAUSE_LINGER : CAUSE_NONE));
		if
		:: mode > 0 && st != FW2 && st != CLOSE && (ktls_pending || !flushed) &&
		   (notified -> (mode == 2 || !o || st != EST) :
				(mode == 2 && ktls_pending && !o)) ->
			hold_new()
		/* The contract holds nothing here: vanilla's. */
		:: else -> early = early || !flushed || ktls_pending
		fi;
		if
		:: stage == UNBORN -> goto vanilla
		:: else
		fi;
		/* drst_outbound_take() */
		pending = pending || o;
		gone = true;
		listed = true;
		udata = true;
		dr = true;
		cb = true;
		ws = true;
#ifndef MUTATION_rcv_shutdown_stays
		rcv_shut = false;
#endif
		/* drst_outbound_start_relock() */
		if
		:: ktls_pending ->
			write_space(false);
			stage = KTLS;
#ifndef MUTATION_no_first_look
			kick();
#endif
			o = 1
		:: else -> o = 0
		fi
	}
	if
	:: o == 0 ->
		unlock();
		enter_tcp();
#ifndef MUTATION_no_first_look
		atomic {
			use();
			if
#ifndef MUTATION_over_unseen
			:: stage == OVER
#endif
			:: else ->
				ending_due();
				if
				:: how != HOW_NONE -> kick()
				:: else -> arm()
				fi
			fi;
			how = HOW_NONE;
			rst = false
		}
#endif
	:: else
	fi;
	unlock();
	/* SO_LINGER */
	if
	:: true
#ifdef TIME
	:: over || due
#endif
	fi;
	atomic { hold_put(); goto out }
vanilla:
	unlock();
	tls_down();
	tcp_close();
out:
	atomic { closed = true; closing = false }
}

/* ---- the namespace and the module go ---- */

#ifdef GONE
/* cleanup_net() */
proctype netns()
{
end:
	atomic { skref == 0 && netget == 0 -> pernet = false }
}

/* drst_exit() */
proctype rmmod()
{
end:
	!pin;
	!closing;	/* drst_hooks_flush() */
#ifndef MUTATION_unload_order
	/* drst_hold_flush() */
	atomic { pend != QUEUED && !busy }
#endif
	pernet = false;	/* unregister_pernet_subsys() */
	/* destroy_workqueue() */
	atomic { pend != QUEUED && !busy };
	text = false
}
#endif

/* ---- all is still: what has to be true ---- */

proctype still()
{
end:
	timeout ->
	assert(closed);
#ifndef SILENT
	assert(held == 0 && ever == ended);
	assert(skref == (pin -> 1 : 0));
	assert(href == 0 && pend == IDLE && !listed);
	assert(!udata && !cb && !dr && !ws && netget == 0);
	assert(!lost);
	/* A RST that was pending went out, or had no one to go to. */
	assert(!pending || rsts == 1 || moot);
#endif
}

init {
	atomic {
		/* With mode 0 nothing is held; unnotified, only mode 2 holds. */
		if
#ifdef QUIET
		:: mode = 1; notified = true
#endif
#ifdef ROUGH
		:: mode = 2; notified = false
#endif
		:: mode = 2; notified = true
		fi;
		/* what was sent, and what kTLS holds of it */
		if
		:: true
		:: wseq = 1
		:: wseq = 1; krec = 1
		:: wseq = 1; kopen = 1
		:: kopen = 1
		fi;
		if
		:: true
		:: rcvq = 1
#ifdef QUIET
		:: final = true
		:: final = true; rcvq = 1
#endif
#ifdef ROUGH
		:: linger0 = true
#endif
		fi;
		run process();
		run softirq();
		run ktls_worker();
		run work();
		run timers();
#ifdef TIME
		run clock();
#endif
#ifdef MEMORY
		run pressure();
#endif
#ifdef ADMIN
		run admin();
#endif
#ifdef GONE
		run netns();
		run rmmod();
#endif
		run still()
	}
}
