/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The outbound hold (module/hold.c) as a Promela model: README.md says what is
 * modelled and what is not. Names in comments are functions of the module, of
 * TCP or of net/tls.
 *
 * Variants:	QUIET	no bound of time ever strikes: a hold ends by an event
 *		TIME	the bounds of time
 *		FAULTS	failing allocations, max_held, the peer's RST, TCP's time-out
 *		MEMORY	memory pressure
 *		ADMIN	ss -K
 *		GONE	the namespace and the module go as soon as they can
 *		SILENT	nothing comes from the network, nor a bound: close() returns
 */

#if defined(FAULTS) || defined(MEMORY) || defined(ADMIN)
#define ROUGH
#endif

#define NH 2			/* holds on the one socket, one after the other */
#define NONE 7
#define SNDBUF 1		/* units in flight before kTLS has to wait */

/* enum drst_stage */
#define SHUT 0
#define TAKEN 1
#define KTLS 2
#define TCP 3
#define OVER 6
#define UNBORN 7

/* TCP's states */
#define EST 0
#define CW 1
#define FW1 2
#define FW2 3
#define CLOSING 4
#define LASTACK 5
#define CLOSE 6

/* enum drst_owed */
#define OWED_NOTHING 0
#define OWED_UNREAD 1
#define OWED_LINGER 2
#define OWED_DATA 3

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
#define TIMER 1			/* a bound of time */
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
byte udata = NONE;		/* sk_user_data */

/* ---- references, and what is there ---- */

byte skref = 2;			/* the process's and TCP's own */
bool pin = true;		/* the ULP's on the module */
bool closing;			/* drst_closing */
bool pernet = true, text = true;
byte netget;			/* get_net() */

/* ---- holds ---- */

byte stage[NH] = UNBORN;
byte owed[NH];
byte href[NH];
byte herr[NH];
byte seen[NH];			/* rcv_nxt at shutdown() */
bool drains[NH], own[NH], tls[NH], over[NH];
bool listed[NH];		/* in drst_net.holds */
byte pend[NH];
bool busy[NH];

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
bool cause;			/* a RST is owed */
bool early;			/* as vanilla, refused, or a bound: in front of data, too */
bool moot;			/* reset, closed on both sides, or final = 1: no RST is wanted */
bool lost;			/* records freed that could have gone */
bool closed;			/* close() has returned */

/* no hold yet, or none any more */
#define gone_hold(i) (href[i] == 0 && !busy[i])
#define flushed (una == wseq)
#define acked (una == wseq || (finq && una + 1 == wseq))
#define ktls_holds (krec > 0 || kopen > 0)
/* drst_ktls_pending() */
#define ktls_pending (ktls_holds && err == E_NONE && !snd_shut && st <= CW)
#define need_reset(s) ((s) <= FW2)
#define hold_of (cb -> udata : NONE)
#define room (owned != DRAIN && nfull(backlog) && st != CLOSE)
#define vanilla_resets (rcv_shut && (st == FW1 || st == FW2))

inline use(h)
{
	assert(h != NONE && href[h] > 0)
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
inline hold_put(h)
{
	use(h);
	href[h]--;
	if
	:: href[h] == 0 ->
		assert(pend[h] == IDLE);
		sk_put()
	:: else
	fi
}

/* drst_hold_kick(): mod_delayed_work(, 0) */
inline kick(h)
{
	use(h);
#ifdef MUTATION_no_kick_while_owned
	if
	:: owned == DRAIN
	:: owned != DRAIN && stage[h] != TAKEN && stage[h] != OVER -> pend[h] = QUEUED
	:: else
	fi
#else
	if
	:: stage[h] != TAKEN && stage[h] != OVER -> pend[h] = QUEUED
	:: else
	fi
#endif
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
		use(udata);
		if
		:: st == CLOSE && herr[udata] == E_NONE -> herr[udata] = err
		:: else
		fi;
		kick(udata)
	:: else
	fi
}

/* drst_data_ready() */
inline data_ready()
{
	if
	:: dr -> assert(cb); kick(udata)
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
		use(udata);
		if
		:: mem -> kick(udata)
		:: !mem && stage[udata] == KTLS && ctx && (kopen > 0 || !ktls_holds) ->
			kick(udata)
		:: !mem && !(stage[udata] == KTLS && ctx) && flushed -> kick(udata)
#ifndef MUTATION_no_tick
		/* kTLS may get no memory, and no event from now on */
		:: !mem && stage[udata] == KTLS && ctx && kopen == 0 && ktls_holds &&
		   flushed && mv ->
			kick(udata)
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
		cause = cause || gone;
		if
		:: vanilla_resets -> send_rst(); tcp_done(E_RESET)
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
/* drst_pressure_work(): once a second is at any time */
proctype pressure()
{
	mem = true;
end:
	do
	:: atomic { listed[0] && pend[0] != QUEUED -> use(0); pend[0] = QUEUED }
	:: atomic { listed[1] && pend[1] != QUEUED -> use(1); pend[1] = QUEUED }
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
	:: atomic { pend[0] == TICK || (pend[0] == TIMER && due) -> pend[0] = QUEUED }
	:: atomic { pend[1] == TICK || (pend[1] == TIMER && due) -> pend[1] = QUEUED }
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
inline tcp_close(unread)
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
			cause = true;
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

/* ---- the beginning of a hold ---- */

/* drst_hold_begin(); socket lock held */
inline hold_begin(h)
{
	assert(pernet); ever++;
	if
	:: mem -> early = true; assert(pernet); ended++; h = NONE
	:: !mem ->
		if
		:: gone_hold(0) -> h = 0
		:: gone_hold(1) -> h = 1
		fi;
		owed[h] = OWED_NOTHING;
		herr[h] = E_NONE;
		drains[h] = false;
		own[h] = false;
		over[h] = false;
		listed[h] = true;
		held++;
		href[h] = 1;
		skref++;
		seen[h] = rnxt;
		tls[h] = true;
		stage[h] = TAKEN;
		udata = h
#ifdef FAULTS
	/* over the limit, or no memory for it */
	:: !mem -> early = true; assert(pernet); ended++; h = NONE
#endif
	fi
}

/* drst_hold_uncall() */
inline uncall(h)
{
	cb = false;
	if
	:: drains[h] -> dr = false
	:: else
	fi;
	if
	:: own[h] -> ws = false
	:: else
	fi
}

/* drst_hold_detach() */
inline detach(h)
{
	uncall(h);
	udata = NONE
}

/* drst_hold_discard() */
inline discard(h)
{
	if
	:: rcvq > 0 ->
		rcvq = 0;
		if
		:: owed[h] == OWED_NOTHING -> owed[h] = OWED_DATA
		:: else
		fi
	:: else
	fi
}

/* drst_shut_got_data() */
inline got_data(h)
{
	if
#ifndef MUTATION_no_cause_c
	:: rnxt > seen[h] -> owed[h] = OWED_DATA
#endif
	:: else
	fi
}

/* drst_hold_unshut() */
inline unshut(h)
{
	got_data(h);
	snd_shut = true;
	rcv_shut = true
}

/* ---- the work ---- */

/* drst_hold_closed() */
inline hold_closed(h, how)
{
	if
	:: herr[h] == E_NONE && err == E_NONE ->
		how = (owed[h] -> HOW_MOOT : HOW_FLUSHED)
	:: herr[h] == E_RESET || (herr[h] == E_NONE && err == E_RESET) -> how = HOW_PEER
	:: herr[h] == E_ABORTED || (herr[h] == E_NONE && err == E_ABORTED) -> how = HOW_ABORTED
	:: herr[h] == E_TIMEDOUT || (herr[h] == E_NONE && err == E_TIMEDOUT) -> how = HOW_TIMED_OUT
	fi
}

/* drst_hold_ends() and drst_hold_end_resets() */
inline hold_ends(h, how, rst)
{
	if
	:: stage[h] == SHUT -> got_data(h)
	:: else
	fi;
	rst = false;
	how = HOW_NONE;
	if
	:: st == CLOSE -> hold_closed(h, how)
	:: st != CLOSE && owed[h] && !notified -> how = HOW_RST; early = true
#ifdef MUTATION_release_unflushed
	:: st != CLOSE && !(owed[h] && !notified) && stage[h] != KTLS ->
#else
	:: st != CLOSE && !(owed[h] && !notified) && stage[h] != KTLS &&
	   (flushed || !notified) ->
#endif
		/* TCP has what kTLS held: from here on it is vanilla's */
		early = early || !notified;
		if
		:: !owed[h] -> how = HOW_FLUSHED
		:: owed[h] && final -> how = HOW_FIN
		:: owed[h] && !final -> how = HOW_RST
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
	:: how == HOW_MEMORY || (how == HOW_TIMED_OUT && st != CLOSE) ->
		rst = owed[h] || stage[h] == KTLS
	:: else
	fi
}

/* drst_hold_arm() */
inline arm(h)
{
	if
	:: pend[h] == IDLE ->
		pend[h] = (stage[h] == KTLS && flushed -> TICK : TIMER)
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

/* drst_hold_enter_tcp() */
inline enter_tcp(h)
{
	tls_down();	/* drst_proto_teardown() */
	atomic {
		lock();
		use(h);
		dr = true;
		ws = true;
		tls[h] = false;
		if
		:: notified && owed[h] != OWED_UNREAD && owed[h] != OWED_LINGER ->
			snd_shut = true;
			queue_fin()
		:: else
		fi;
		stage[h] = TCP;
		discard(h)
	}
	unlock()
}

/* drst_hold_reset(): tcp_abort() */
inline hold_reset(h, how)
{
	/* CLOSING and LAST_ACK are left as they are: see README.md */
	atomic {
		lock();
		use(h);
		if
		:: st != CLOSE -> send_rst(); tcp_done(E_RESET)
		:: st == CLOSE && how == HOW_RST -> hold_closed(h, how)
		:: else
		fi
	}
	unlock()
}

/* drst_hold_give_back() */
inline give_back(h)
{
	atomic {
		lock();
		use(h);
#ifdef MUTATION_unshut_late
		unshut(h);
#endif
		detach(h)
	}
	unlock()
}

proctype work(byte h)
{
	byte how;
	bool rst, unread;
end:
	do
	:: atomic { pend[h] == QUEUED && !busy[h] -> pend[h] = IDLE; busy[h] = true; use(h) }
		assert(text);
		/* drst_hold_work() */
		atomic {
			lock();
			use(h);
			how = HOW_NONE;
			rst = false;
			if
#ifndef MUTATION_no_recheck
			:: stage[h] == TAKEN -> goto out
#endif
			:: else
			fi;
			if
			:: drains[h] -> discard(h)
			:: else
			fi;
			if
			:: stage[h] == KTLS && st != CLOSE ->
				ktls_push();
				if
				:: ktls_pending -> goto look
				:: else
				fi
			:: else -> goto look
			fi
		}
		unlock();
		enter_tcp(h);
		atomic { lock(); use(h) }
look:		atomic {
			hold_ends(h, how, rst);
			if
			:: how == HOW_NONE -> arm(h); goto out
			:: else
			fi;
			stage[h] = OVER;
			moot = moot || how == HOW_FIN;
#ifndef MUTATION_unshut_late
			if
			:: !own[h] -> unshut(h)
			:: else
			fi
#endif
		}
		unlock();
		/* drst_hold_end() */
		netget++;
#ifdef MUTATION_reset_after_give_back
		if
		:: !own[h] -> give_back(h)
		:: else
		fi;
#endif
		if
		:: rst -> hold_reset(h, how)
		:: else
		fi;
#ifndef MUTATION_listed_too_long
		listed[h] = false;	/* drst_hold_leave() */
#endif
#ifndef MUTATION_reset_after_give_back
		if
		:: !own[h] -> give_back(h)
		:: else
		fi;
#endif
		if
		:: own[h] ->
			/* drst_hold_finish() */
			if
			:: tls[h] -> tls_down()
			:: else
			fi;
			atomic {
				lock();
				use(h);
				if
				:: how == HOW_FIN -> rcvq = 0
				:: else
				fi;
				linger0 = false;
#ifndef MUTATION_no_detach
				detach(h)
#endif
			}
			unlock();
			tcp_close(unread)
		:: else
		fi;
#ifndef MUTATION_no_cancel
		/* cancel_delayed_work() */
		pend[h] = IDLE;
#endif
		atomic {
			assert(pernet); ended++;
			listed[h] = false;
			held--;
			netget--
		}
		atomic {
			use(h);
			over[h] = true;
			hold_put(h)
		}
#ifdef MUTATION_put_twice
		atomic { hold_put(h) }
#endif
		goto idle;
out:
		unlock();
idle:
		assert(text);
		atomic { busy[h] = false; how = 0; rst = false; unread = false }
	od
}

/* ---- the process ---- */

/* drst_hold_shutdown(), after tcp_shutdown(); socket lock held */
inline shutdown(h)
{
	atomic {
		lock();
		snd_shut = true;
		rcv_shut = true;
		queue_fin();
		h = hold_of;
		if
		:: st != FW1
		:: st == FW1 && h != NONE ->
			use(h);
			if
			:: stage[h] == SHUT -> rcv_shut = false
			:: else
			fi
		:: st == FW1 && h == NONE && mode > 0 && notified && udata == NONE ->
			hold_begin(h);
			if
			:: h != NONE ->
				rcv_shut = false;
				stage[h] = SHUT;
				cb = true;
				if
				:: rcvq == 0 -> drains[h] = true; dr = true
				:: else
				fi;
				kick(h)
			:: else
			fi
		:: else -> early = true
		fi;
		gone = true;
		h = NONE
	}
	unlock()
}

proctype process()
{
	byte h = NONE;
	byte o, how;
	bool unread, rst;

	/* the state at close() is the peer's and shutdown()'s work */
	if
	:: shutdown(h)
#ifdef QUIET
	:: shutdown(h); shutdown(h)
	:: shutdown(h);
		/* recv() */
		atomic { lock(); rcvq = 0 };
		unlock()
#endif
	:: true
	fi;

	/* drst_close() */
	closing = true;
	/* drst_hold_close() */
	atomic {
		lock();
		h = hold_of;
		if
		:: h == NONE -> goto wanted
		:: else
		fi;
		/* drst_hold_retake() */
		use(h);
		href[h]++;
		o = stage[h] == OVER;
		if
		:: !o -> stage[h] = TAKEN
		:: else
		fi
	}
	unlock();
	if
#ifdef MUTATION_no_wait_for_end
	:: o
#else
	:: o -> over[h]
#endif
	:: else ->
		atomic { use(h); pend[h] = IDLE };
		atomic { !busy[h] -> pend[h] = IDLE }
	fi;
	atomic {
		lock();
		if
		:: !o ->
			unshut(h);
			uncall(h);
			drains[h] = false
		:: else
		fi;
		hold_put(h);
		if
		:: o -> h = NONE
		:: else
		fi
	}
wanted:	atomic {
		/* drst_owed_at_close(), drst_hold_wanted() */
		o = (rcvq > 0 -> OWED_UNREAD : (linger0 -> OWED_LINGER : OWED_NOTHING));
		if
		:: h != NONE
		:: h == NONE && mode > 0 && udata == NONE && st != FW2 && st != CLOSE &&
		   (ktls_pending || !flushed) &&
		   (notified -> (mode == 2 || !o || st != EST) :
				(mode == 2 && ktls_pending && !o)) ->
			hold_begin(h)
		/* The contract holds nothing here: vanilla's. */
		:: else -> early = early || !flushed || ktls_pending
		fi;
		if
		:: h == NONE -> goto vanilla
		:: else
		fi;
		/* drst_hold_take() */
		stage[h] = TAKEN;
		if
		:: !owed[h] -> owed[h] = o
		:: else
		fi;
		cause = cause || o;
		gone = true;
		own[h] = true;
		drains[h] = true;
		dr = true;
		cb = true;
		ws = true;
		rcv_shut = false;
		href[h]++;
		rcvq = 0;	/* drst_hold_enter_tcp() discards it */
		/* drst_hold_start() */
		if
		:: ktls_pending ->
			write_space(false);
			stage[h] = KTLS;
#ifndef MUTATION_no_first_look
			kick(h);
#endif
			o = 1
		:: else -> o = 0
		fi
	}
	unlock();
	if
	:: o == 0 ->
		enter_tcp(h);
#ifndef MUTATION_no_first_look
		/* where a RST is owed, the lock is free in between: cork */
		atomic {
			lock();
			use(h);
			if
			:: stage[h] == OVER
			:: else ->
				hold_ends(h, how, rst);
				if
				:: how != HOW_NONE -> kick(h)
				:: else -> arm(h)
				fi
			fi;
			how = HOW_NONE;
			rst = false
		}
		unlock()
#endif
	:: else
	fi;
	/* SO_LINGER */
	if
	:: true
#ifdef TIME
	:: over[h] || due
#endif
	fi;
	atomic { hold_put(h); goto out }
vanilla:
	unlock();
	tls_down();
	tcp_close(unread);
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
	byte i;
end:
	!pin;
	!closing;	/* drst_proto_exit() */
#ifndef MUTATION_unload_order
	atomic { pend[0] != QUEUED && !busy[0] && pend[1] != QUEUED && !busy[1] }
#endif
	pernet = false;	/* unregister_pernet_subsys() */
	/* destroy_workqueue() */
	atomic { pend[0] != QUEUED && !busy[0] && pend[1] != QUEUED && !busy[1] };
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
	assert(href[0] == 0 && href[1] == 0 && pend[0] == IDLE && pend[1] == IDLE);
	assert(udata == NONE && !cb && !dr && !ws && netget == 0);
	assert(!lost);
	/* A RST that was owed went out, or had no one to go to. */
	assert(!cause || rsts == 1 || moot);
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
#endif
#ifdef ROUGH
		:: linger0 = true
#endif
		fi;
		run process();
		run softirq();
		run ktls_worker();
		run work(0);
		run work(1);
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
