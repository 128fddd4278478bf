/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inbound hold (module/inbound.c) as a Promela model: README.md says what is
 * modelled and what is not. Names in comments are functions of the module, of
 * TCP or of net/tls.
 *
 * Variants:	QUIET	no bound ever strikes: all that arrived is read, then the reset shows
 *		FAULTS	bounds, failing allocations, ss -K, connect(AF_UNSPEC), close() at any time
 *
 * The socket lock is no atomic{} here where somebody looks without it: poll().
 */

/* enum drst_stage */
#define NONE 0
#define INBOUND 1
#define OVER 2

/* what a work item waits for */
#define IDLE 0
#define TIMER 1
#define QUEUED 2

/* sk_lock.owned */
#define FREE 0
#define USER 1
#define DRAIN 2			/* release_sock() works on the backlog */

#define SEG_DATA 1
#define SEG_RST 2

/* sk_err */
#define RESET 1
#define PIPE 2
#define ABORTED 3

/* ---- the connection ---- */

byte owned = FREE;
bool spin;			/* sk_lock.slock, by softirq or poll() */
chan backlog = [2] of { byte };
bool late;			/* a record comes after the first */
bool dead, reset, shut;		/* SOCK_DEAD; TCP_CLOSE; SHUTDOWN_MASK */
byte err;			/* sk_err */
byte rcvq = 1;			/* records received, not read yet */
bool ready = true;		/* msg_ready: kTLS's strparser has seen the next one */
bool strp;			/* its work is queued */
bool ctx = true;		/* net/tls is there */
bool ours = true;		/* drst_proto_is_ours() */
bool hooked;			/* sk_prot is that of a hold */
bool cb;			/* sk_state_change is ours */
bool udata;			/* sk_user_data */
bool awake[2];			/* who has slept since is woken: READER, POLLER */

#define READER 0
#define POLLER 1

byte skref = 2;			/* the process's and TCP's own */
bool pin = true;
bool pernet = true, text = true;

/* ---- the hold ---- */

byte stage = NONE, href, pend, saved;	/* saved: drst_hold.err */
bool busy, listed;
bool due, mem;

/* ---- what the properties are about ---- */

byte ever, ended, held;
bool early;			/* a bound, an order or close(): data may be lost */
bool away;			/* connect(AF_UNSPEC) */
bool closed;
bool polls;			/* a poll() has the file */
bool leaves;			/* it is the last */
bool blocks;			/* recvmsg() may sleep; else poll() says when to call it */
bool all;			/* poll() waits for EPOLLIN, too */
bool go;			/* poll() has said something */
bool told_to_wait;		/* the last recvmsg() was that of a hold */
byte told;			/* what the reader got in the end */

inline use()
{
	assert(href > 0 && text)
}

inline lock()
{
	owned == FREE && !spin -> owned = USER; assert(skref > 0)
}

inline unlock()
{
	atomic {
		!spin;
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
inline hold_put()
{
	use();
	href--;
	if
	:: href == 0 -> assert(pend == IDLE && !listed); sk_put()
	:: else
	fi
}

inline wake()
{
	awake[READER] = true;
	awake[POLLER] = true
}

inline destroy()
{
	assert(pin);
	pin = false;
	sk_put()
}

/* drst_undelivered(): net/tls has to be there */
inline undelivered(yes)
{
	assert(ctx);
	yes = rcvq > 0
}

/* ---- the beginning: what TCP does, each step as poll() sees it ---- */

/* drst_inbound_reset() */
inline unhash()
{
	atomic {
		assert(text && pernet);
		if
		/* drst_inbound_wanted() */
		:: err != RESET || udata || dead || rcvq == 0 -> goto unhashed
		:: else -> ever++
		fi;
		if
		:: mem -> ended++; early = true; goto unhashed
#ifdef FAULTS
		:: ended++; early = true; goto unhashed	/* the limit, kmalloc() */
#endif
		:: !mem
		fi;
		/* drst_inbound_begin() */
		assert(href == 0);
		href = 1;
		skref++;
		held++;
		stage = INBOUND;
		saved = err;
		listed = true;
		pend = TIMER;
		udata = true
	}
	hooked = true;
#ifndef MUTATION_marker_late
	cb = true;
#endif
#ifndef MUTATION_err_left
	err = 0;
#endif
unhashed:
	skip
}

/* tcp_reset(), tcp_abort(): tcp_done_with_error() */
inline tcp_done(why)
{
	err = why;
	if
	:: ours -> unhash()
	:: else
	fi;
	reset = true;
#ifdef MUTATION_marker_late
	cb = udata;
#endif
	shut = true;
	atomic {
		if
		:: dead -> destroy()
		:: !dead ->
			wake();
			/* drst_state_change() */
			if
			:: cb -> use(); assert(udata && stage == INBOUND); pend = QUEUED
			:: else
			fi
		fi
	}
	/* sk_error_report() */
	atomic {
		if
		:: !dead -> wake()
		:: else
		fi
	}
}

/* tls_strp_data_ready() */
inline data(is_owned)
{
	rcvq = rcvq + !dead;
	if
	:: is_owned -> strp = true
	:: else -> ready = true; wake()
	fi
}

/* release_sock(), for whoever owns the socket */
proctype drain()
{
	byte seg;
end:
	do
	:: atomic { owned == DRAIN && !spin && empty(backlog) -> owned = FREE }
	:: atomic { owned == DRAIN && backlog?[SEG_DATA] ->
			backlog?seg;
			seg = 0;
			if
			:: !reset && ctx -> data(true)
			:: else
			fi
		}
	:: atomic { owned == DRAIN && backlog?[SEG_RST] -> backlog?seg; seg = 0 };
		if
		:: !reset -> tcp_done(RESET)
		:: else
		fi
	od
}

/* The peer's last record, if it comes late, and its RST */
proctype softirq()
{
	if
	:: late ->
		atomic {
			!spin;
			if
			:: owned != FREE -> backlog!SEG_DATA
			:: owned == FREE && !reset && ctx -> data(false)
			:: else
			fi
		}
	:: else
	fi;
	atomic {
		!spin;
		if
		:: owned != FREE -> backlog!SEG_RST; goto out
		:: owned == FREE && reset -> goto out
		:: owned == FREE && !reset -> spin = true
		fi
	}
	tcp_done(RESET);
	spin = false;
out:	skip
}

/* tls_strp_work(): with a lock_sock() of its own */
proctype strparser()
{
end:
	do
	:: atomic { strp && owned == FREE && !spin ->
			strp = false;
			if
			:: rcvq > 0 && !ready -> ready = true; wake()
			:: else
			fi
		}
	od
}

/* A record that waits in net/tls: tls_tx_records(), tls_err_abort() */
proctype sender()
{
end:
	/* sk_stream_error() takes an error that is there, and it is put back */
	atomic { shut && ctx && owned == FREE && !spin ->
		owned = USER;
		if
		:: err == 0 -> err = PIPE
		:: else
		fi
	}
	/* sk_error_report(): a hold takes the error away (epipe_checked: the next recvmsg() did) */
	atomic {
#if !defined(MUTATION_epipe_left) && !defined(MUTATION_epipe_checked)
		if
		:: cb && err == PIPE -> err = 0
		:: else
		fi;
#endif
		wake()
	}
	unlock()
}

/* ---- the end ---- */

/* drst_inbound_disconnected() */
#ifdef MUTATION_disconnect_error
#define still_reset true
#else
#define still_reset shut
#endif

/* drst_inbound_end(): the socket lock is held, poll() sees each step */
inline end_hold()
{
	atomic {
		use();
		assert(stage == INBOUND && pernet && udata);
		stage = OVER;
		listed = false	/* drst_hold_leave() */
	}
	hooked = false;
	cb = false;
	udata = false;
	atomic {
		held--;
		ended++;
#ifndef MUTATION_err_lost
		if
		:: still_reset && err == 0 -> err = saved
		:: else
		fi
#endif
	}
#ifndef MUTATION_no_report
	atomic {
		if
		:: still_reset -> wake()
		:: else
		fi
	}
#endif
}

/* drst_inbound_end_elsewhere() */
inline end_elsewhere()
{
	end_hold();
	atomic {
		use();
#ifdef MUTATION_put_if_cancelled
		if
		:: pend != IDLE -> pend = IDLE; hold_put()
		:: else
		fi
#else
#ifdef MUTATION_nobody_puts
		pend = IDLE
#else
		pend = QUEUED
#endif
#endif
	}
}

/* drst_inbound_ends() */
inline ends(yes)
{
	undelivered(yes);
	yes = !yes || !shut;
	if
	:: !yes && (mem || due) -> early = true; yes = true
	:: else
	fi
}

/* ---- the work ---- */

proctype work()
{
	bool yes;
end:
	do
	:: atomic { pend == QUEUED && !busy -> pend = IDLE; busy = true; use() }
		/* drst_inbound_work() */
		atomic {
			lock();
			use();
			yes = false;
			if
#ifdef MUTATION_no_recheck
			:: true -> ends(yes)
#else
			:: stage == INBOUND -> ends(yes)
#endif
			:: else
			fi
		}
		if
		:: yes -> end_hold()
		:: else
		fi;
		atomic {
			use();
			yes = stage == OVER;
			/* drst_hold_arm() */
			if
			:: !yes && pend == IDLE -> pend = TIMER
			:: else
			fi
		}
		unlock();
		if
		:: yes ->
#ifndef MUTATION_no_cancel
			pend = IDLE;
#endif
			atomic { hold_put() }
#ifdef MUTATION_put_twice
			;atomic { hold_put() }
#endif
		:: else
		fi;
		atomic { assert(text); busy = false; yes = false }
	od
}

proctype timers()
{
end:
	do
	:: atomic { pend == TIMER && due -> pend = QUEUED }
	od
}

/* ---- the application ---- */

/* drst_inbound_check() */
inline check()
{
	atomic {
		lock();
		yes = false;
		if
		:: cb && stage == INBOUND ->
			use();
#ifdef MUTATION_epipe_checked
			if
			:: err == PIPE -> err = 0
			:: else
			fi;
#endif
			ends(yes)
		:: else
		fi
	}
	if
	:: yes -> end_elsewhere()
	:: else
	fi;
	unlock();
	yes = false
}

#define AGAIN 0
#define DATA 1
#define END 2
#define ERROR 3			/* and which one */

/* tls_sw_recvmsg(), tls_rx_rec_wait() */
inline tls_recv()
{
	atomic {
		lock();
		awake[READER] = false;
		if
		:: ready || (rcvq > 0 && err == 0) ->
			assert(rcvq > 0);
			rcvq--;
			ready = rcvq > 0;
			got = DATA
		:: !ready && err != 0 -> got = ERROR + err; err = 0
		:: rcvq == 0 && err == 0 && shut -> got = END
		:: else -> got = AGAIN
		fi;
		/* no error, no end in front of data */
		assert(got <= DATA || rcvq == 0 || early)
	}
	unlock()
}

/* recvmsg(), of which the one that is asleep stays that of net/tls */
inline recv()
{
	yes = false;
	if
	:: hooked -> inbound = true; check()
	:: !hooked
	fi;
	do
	:: true ->
		tls_recv();
		if
		:: got == AGAIN && blocks -> awake[READER] || ready
		:: else -> break
		fi
	od;
#ifndef MUTATION_check_skipped
	if
	:: inbound -> check()
	:: else
	fi;
#endif
	told_to_wait = inbound;
	inbound = false
}

proctype reader()
{
	byte got, n;
	bool yes, inbound;

	do
	/* it may know that it has read all, and wait for an error or a HUP only */
	:: got <= DATA && (go || (blocks && (all || n <= late || !told_to_wait))) ->
		go = false;
		recv();
		n = n + (got == DATA)
	:: got > DATA -> break
#ifdef FAULTS
	:: early = true; break
	/* tcp_disconnect() */
	:: atomic { reset && !away; lock();
			away = true;
			early = true;
			shut = false;
			rcvq = 0;
			ready = false;
			err = 0;
			wake()
		};
		unlock();
		break
#endif
	od;
	atomic { assert(early || got > ERROR); told = got; leaves = true; got = 0; n = 0 }

	/* the last reference on the file: drst_close(), drst_hold_close() */
	!polls;
	atomic { lock(); yes = cb && stage == INBOUND };
	if
	:: yes -> end_elsewhere(); yes = false
	:: else
	fi;
#ifndef MUTATION_hooks_stay_at_close
	ours = false;		/* drst_proto_unwrap() */
#endif
	unlock();
	/* tls_sk_proto_close(), tcp_close() */
	atomic { lock(); assert(!away || err == 0); ctx = false; ready = false; strp = false };
	unlock();
	atomic {
		lock();
		rcvq = 0;
		dead = true;
		/* else an orphan; unread data makes a RST, of which see hold.pml */
		reset = true;
		destroy()
	}
	unlock();
	atomic { sk_put(); closed = true }
}

/* poll(): it sleeps until there is an event; drst_poll() */
proctype poller()
{
	bool had, in, bad, erring;

again:
	atomic {
		if
		:: leaves -> goto out
		:: else -> polls = true
		fi
	}
look:
	atomic { awake[POLLER] = false; had = cb };
	/* tls_sk_poll(), tcp_poll() */
	bad = reset;
	atomic { bad = bad || shut; in = shut };
	in = in || (reset -> rcvq > 0 : ready);
	erring = err != 0;
#ifndef MUTATION_coming_ignored
	/* drst_inbound_coming() */
	if
	:: erring ->
		erring = err != RESET;
		atomic { erring = erring || reset }
	:: else
	fi;
#endif
	atomic {
		if
		:: had || cb
		:: else -> goto said
		fi
	}
	/* drst_hold_poll() */
#ifndef MUTATION_poll_lockless
	atomic { !spin -> spin = true };
#endif
	had = cb;
	had = had && udata;
	if
	:: had ->
		atomic {
			use();
			if
			:: stage == INBOUND ->
				bad = false;
				erring = false;
				if
				:: owned == FREE && rcvq == 0 -> pend = QUEUED
				:: else
				fi
			:: else
			fi
		}
	:: else
	fi;
#ifndef MUTATION_poll_lockless
	spin = false;
#endif
	if
	:: had
	:: !had -> atomic { bad = reset || shut; erring = err != 0; in = shut || rcvq > 0 }
	fi;
said:
	atomic {
		assert(!(bad || erring) || early || rcvq == 0);
		in = (bad || erring || (all && in));
		had = false; bad = false; erring = false;
		if
		:: in -> in = false; go = true; polls = false
		:: else -> goto sleep
		fi
	}
	if
	:: !go || leaves -> goto again
	:: blocks -> goto out
	fi;
sleep:
	if
	:: awake[POLLER] -> goto look
#ifdef FAULTS
	:: true -> polls = false	/* a signal */
#endif
	fi;
out:	skip
}

#ifdef FAULTS
proctype clock()
{
	due = true
}

/* drst_pressure_work(): once a second is at any time */
proctype pressure()
{
	mem = true;
end:
	do
	:: atomic { listed && pend != QUEUED -> use(); pend = QUEUED }
	od
}

/* ss -K, or TCP's own time-out */
proctype admin()
{
end:
	atomic { owned == FREE && !spin && !reset -> owned = USER; early = true }
	tcp_done(ABORTED);
	unlock()
}
#endif

/* drst_exit() */
proctype rmmod()
{
end:
	!pin && closed;
#ifndef MUTATION_unload_order
	/* drst_hold_flush() */
	pend != QUEUED && !busy;
#endif
	/* drst_net_exit() */
	atomic { assert(!listed); pernet = false; text = false }
}

proctype still()
{
end:
	timeout ->
	assert(closed && !pin && skref == 0);
	assert(ever == ended && held == 0);
	assert(href == 0 && pend == IDLE && !busy && !listed);
	assert(!udata && !cb && !hooked && !spin);
	assert(early || told == ERROR + RESET)
}

init {
	atomic {
		if
		:: late = true
		:: late = false
		fi;
		if
		:: blocks = true
#ifdef QUIET
		:: blocks = true; all = true
		:: all = true
#endif
		fi;
		run drain();
		run softirq();
		run strparser();
		run work();
		run timers();
		run reader();
		run poller();
#ifdef QUIET
		run sender();
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
