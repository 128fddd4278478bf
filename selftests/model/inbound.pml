/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inbound hold (module/inbound.c, calls.c, hooks.c) as a Promela model:
 * README.md says what is modelled and what is not. Names in comments are functions
 * of the module, of TCP or of net/tls.
 *
 * Variants:	READ	two readers
 *		TELL	a reader, senders, SO_ERROR, kTLS's worker
 *		POLL	a reader, a poll()er, a message in the error queue
 *		FAULTS	likewise, and limits, failing allocations, ss -K, TCP_REPAIR,
 *			lost hooks, close() at any time; the module goes
 *
 * Some look without the socket lock: poll(), SO_ERROR, sk_error_report(). What they
 * can see changes in single steps here, although the lock is held.
 */

#if defined(POLL) || defined(FAULTS)
#define POLLS
#endif

#ifdef READ
#define NR 2			/* readers */
#else
#define NR 1
#endif
#define POLLER NR

/* what a hold is in: struct drst_inbound.over */
#define NONE 0
#define HELD 1
#define OVER 2

/* what a work item waits for */
#define IDLE 0
#define TIMER 1
#define QUEUED 2

/* sk_lock.owned */
#define FREE 0
#define USER 1
#define DRAIN 2			/* release_sock() works on the backlog */
#define FLUSH 3			/* sk_flush_backlog() does, for the owner */

#define SEG_DATA 1
#define SEG_RST 2

/* sk_err */
#define RESET 1
#define PIPE 2
#define ABORTED 3

/* what recvmsg() gave; ERROR and which one */
#define AGAIN 0
#define DATA 1
#define END 2
#define ERROR 3

/* ---- the connection ---- */

byte owned = FREE;
bool spin;			/* sk_lock.slock, by softirq or poll() */
chan backlog = [2] of { byte };
bool late;			/* a record comes after the first */
bool sent;			/* the peer has sent its RST */
bool dead, reset, shut;		/* SOCK_DEAD; TCP_CLOSE; SHUTDOWN_MASK */
byte err;			/* sk_err */
byte msgs;			/* in sk_error_queue */
byte rcvq = 1;			/* records received, not read yet */
bool ready = true;		/* msg_ready: kTLS's strparser has seen the next one */
bool strp;			/* its work is queued */
bool starves;			/* it can be short of memory once */
bool ctx = true;		/* net/tls is there */
bool ours = true;		/* our copy of the proto is on */
bool repair;
bool cb, report, udata;		/* sk_state_change, sk_error_report, sk_user_data */
bool awake[NR + 1];		/* who has slept since is woken */
bool tx_lock;			/* a mutex of net/tls, before the socket lock */

byte skref = 2;			/* the process's and TCP's own */
bool pin = true;
bool closing;			/* drst_hooks_closing */
bool pernet = true, text = true;

/* ---- the hold ---- */

byte stage = NONE, href, pend, hidden_err;	/* err */
bool hid;			/* hidden */
bool kept;			/* kept_report */
bool busy, listed;
bool unused, freed;		/* the last reference is dropped; kfree() */
bool calling, rcu;		/* sk_error_report(); rcu_read_lock() in it */
bool due, mem;

/* ---- what the properties are about ---- */

byte ever, ended, held;
bool early;			/* a limit, an order or close(): data may be lost */
bool closed;
byte n;				/* records read */
bool patient;			/* who has read all, or sees a message, lets poll() say */
byte running = NR;		/* readers, senders that have the file */
byte told;			/* how often the reset's error was given */
byte taken;			/* net/tls took it for a reader that does not give it */

inline use()
{
	assert(href > 0 && !freed && text)
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
	:: href == 0 ->
		assert(pend == IDLE && !listed);
		sk_put();
#ifdef MUTATION_kfree_at_once
		freed = true
#else
		unused = true
#endif
	:: else
	fi
}

inline wake()
{
	awake[0] = true;
#ifdef READ
	awake[1] = true;
#endif
	awake[POLLER] = true
}

inline destroy()
{
	assert(pin);
	pin = false;
	sk_put()
}

/* the process was given an error */
inline tell(e)
{
	if
	:: e == RESET -> told++; assert(told == 1)
	:: else
	fi
}

/* EPIPE for a sender: the reset's error is the first thing that it gets. */
inline tell_pipe()
{
	assert(told || taken || err == ABORTED || early)
}

/* ---- sk_error_report() ---- */

/* sk_error_report(), by those that have the socket lock */
inline error_report()
{
	atomic {
		if
		:: report ->
			use();
			if
			:: kept && msgs > 0 -> wake()
			:: else
			fi;
			kept = true
		:: !report -> wake()
		fi
	}
}

#ifdef POLL
/* sock_queue_err_skb(), by a driver that has no lock but a reference on the sock */
proctype driver()
{
	bool f, in;

	atomic {
		if
		:: dead -> goto out
		:: true -> goto out
		:: !dead -> skref++; msgs++
		fi
	}
	atomic { f = report; calling = true };
	if
	:: f ->
		/* drst_inbound_error_report() */
		atomic { assert(text); rcu = true };
		in = udata;
		if
		:: !in -> assert(!report); atomic { wake() }
		:: in ->
			assert(!freed && text);
			atomic {
				f = kept;
#ifdef MUTATION_report_dropped
				f = false;
#endif
				kept = true
			}
			atomic {
				if
				:: f && msgs > 0 -> wake()
				:: else
				fi;
				f = true
			}
			assert(!freed && text)
		fi;
		rcu = false
	:: !f -> atomic { wake() }
	fi;
	atomic { calling = false; sk_put(); f = false; in = false }
out:	skip
}
#endif

/* kfree_rcu() */
proctype free()
{
end:
	atomic { unused && !rcu -> freed = true }
}

/* ---- the beginning: what TCP does, each step as others see it ---- */

/* drst_inbound_begin(), drst_inbound_start() */
inline unhash()
{
	atomic {
		assert(text && pernet && !dead);
		if
		/* drst_policy_inbound() */
		:: err != RESET || udata || repair || rcvq == 0 ->
			/* SO_ERROR has told: nothing is held, as in vanilla. */
			early = early || err != RESET;
			goto unhashed
		:: else -> ever++
		fi;
		if
		:: mem -> ended++; early = true; goto unhashed
#ifdef FAULTS
		:: ended++; early = true; goto unhashed	/* the limit, kmalloc() */
#endif
		:: !mem
		fi;
		assert(href == 0);
		href = 1;
		skref++;
		held++;
		stage = HELD;
		listed = true;
		pend = TIMER;
#ifdef MUTATION_error_taken
		hidden_err = err;
		err = 0;
#endif
		udata = true
	}
#ifndef MUTATION_marker_late
	report = true;
	cb = true;
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
	report = udata;
#endif
	shut = true;
	atomic {
		if
		:: dead -> destroy()
		:: !dead ->
			/* drst_inbound_state_change() */
			if
			:: cb -> use(); assert(udata && stage == HELD)
			:: else
			fi;
			wake()
		fi
	}
	if
	:: !dead -> error_report()
	:: else
	fi
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

/* release_sock() or sk_flush_backlog(), for whoever owns the socket */
proctype drain()
{
	byte seg;
end:
	do
	:: atomic { owned >= DRAIN && !spin && empty(backlog) ->
			owned = (owned == FLUSH -> USER : FREE)
		}
	:: atomic { owned >= DRAIN && backlog?[SEG_DATA] ->
			backlog?seg;
			seg = 0;
			if
			:: !reset && ctx -> data(true)
			:: else
			fi
		}
	:: atomic { owned >= DRAIN && backlog?[SEG_RST] -> backlog?seg; seg = 0 };
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
		sent = true;
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

/* ---- the end ---- */

/* drst_inbound_show_error() */
inline show_error()
{
	atomic {
		if
#ifdef MUTATION_pipe_stays
		:: err == 0 -> err = hidden_err
#else
		/* The worker set EPIPE before a late reader put the reset's error back. */
		:: hidden_err && (err == 0 || err == PIPE) -> err = hidden_err
#endif
		:: else
		fi;
		hidden_err = 0;
		hid = false
	}
}

/* drst_inbound_end(): the socket lock is held; others see each step */
inline end_hold()
{
	atomic {
		use();
		assert(stage == HELD && pernet && udata);
		stage = OVER;
		listed = false	/* drst_hold_leave() */
	}
#ifndef MUTATION_error_lost
	show_error();
#endif
	cb = false;
#ifdef MUTATION_user_data_first
	udata = false;
	report = false;
#else
	report = false;
	udata = false;
#endif
	atomic { assert(pernet); held--; ended++ }
#ifndef MUTATION_no_wake
	atomic { wake() };
	if
	:: err != 0 -> error_report()
	:: else
	fi
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

/* drst_inbound_ends(); drst_inbound_undelivered() needs net/tls */
inline ends(yes)
{
	assert(ctx);
	yes = rcvq == 0;
	if
	:: !yes && (repair || mem || due) -> early = true; yes = true
	:: else
	fi
}

/* drst_inbound_look() */
inline look(yes)
{
	atomic {
		yes = false;
		if
		:: cb -> use(); assert(stage == HELD); ends(yes)
		:: else
		fi
	}
	if
	:: yes -> end_elsewhere(); yes = false
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
			:: stage == HELD -> ends(yes)
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

/* ---- reading ---- */

/* tls_sw_recvmsg(), tls_rx_rec_wait() */
inline tls_recv(r)
{
	do
	:: true ->
		atomic {
			lock();
			awake[r] = false;
			/*
			 * What has come since lock_sock() is looked at before the
			 * reader sleeps (kernels since June 2026): tcp_reset() runs,
			 * and a hold begins, inside this recvmsg().
			 */
			if
			:: !sent && !ready && err == 0 ->
				nempty(backlog);
				owned = FLUSH;
				owned == USER;
				flushed = true
			:: true
			fi;
			if
			:: ready || (rcvq > 0 && (err == 0 || flushed)) ->
				assert(rcvq > 0);
				rcvq--;
				ready = rcvq > 0;
				n++;
				got = DATA;
				/* MSG_WAITALL: an error behind data is lost, in vanilla */
				if
				:: !ready && err == RESET ->
					err = 0;
					early = early || !was_held
				:: true
				fi
			/* tls_strp_check_rcv() has no memory */
			:: !ready && rcvq > 0 && err == 0 && starves ->
				starves = false;
				strp = true;
				got = (shut -> END : AGAIN)
			:: !ready && err != 0 && !(flushed && rcvq > 0 && !starves) ->
				got = ERROR + err;
				taken = taken + (err == RESET);
				err = 0
			:: rcvq == 0 && err == 0 && shut -> got = END
			:: rcvq == 0 && err == 0 && !shut -> got = AGAIN
			fi;
			flushed = false
		}
		unlock();
		if
		:: got == AGAIN -> assert(!was_held); awake[r] || ready
		:: else -> break
		fi
	od
}

/* drst_inbound_hide_error() */
inline hide_error()
{
	atomic { use(); assert(!hid); hid = true };
#ifdef MUTATION_hide_not_xchg
	atomic { assert(!hidden_err); hidden_err = err };
	err = 0
#else
	atomic { assert(!hidden_err); hidden_err = err; err = 0 }
#endif
}

/* drst_ktls_unlock_senders() */
inline unlock_senders()
{
#ifdef MUTATION_no_tx_lock
	skip
#else
	atomic { assert(tx_lock); tx_lock = false }
#endif
}

/* drst_calls_read_begin() */
inline read_begin()
{
	was_held = cb;
	if
	:: was_held ->
#ifndef MUTATION_no_tx_lock
		/* drst_ktls_lock_senders() */
		atomic { !tx_lock -> tx_lock = true };
#endif
		atomic { lock() };
		look(yes);
		was_held = cb;
#ifndef MUTATION_error_left
		if
		:: was_held -> hide_error()
		:: else
		fi;
#endif
		unlock();
		if
		:: !was_held -> unlock_senders()
		:: else
		fi
	:: else
	fi
}

/* drst_calls_read_judge(), drst_calls_read_again() */
inline read_judge(mine)
{
	atomic {
		lock();
		again = got == END;
		if
		:: got >= ERROR && got != ERROR + ABORTED ->
#ifndef MUTATION_error_not_put_back
			if
			:: cb && !hidden_err ->
				hidden_err = got - ERROR;
			:: else
			fi;
#endif
			again = cb
		:: else
		fi;
	}
	if
	:: cb ->
		atomic { use() };
		if
#ifdef MUTATION_shown_to_readers
		:: true -> show_error()
#else
		:: mine || !hid -> show_error()
#endif
		:: else
		fi;
#ifndef MUTATION_check_skipped
		look(yes)
#endif
	:: else
	fi;
	atomic { taken = taken - (again && got == ERROR + RESET) };
	unlock()
}

/* drst_calls_read_end() */
inline read_end()
{
	read_judge(true);
	unlock_senders()
}

/* drst_calls_read_late(): a call that began before the hold */
inline read_late()
{
	if
	:: cb -> read_judge(false)
#ifdef MUTATION_late_end
	:: else
#else
	:: else -> again = (got == END && err != 0)
#endif
	fi
}

/* drst_hooks_recvmsg() */
inline recvmsg(r)
{
	again = false;
	if
	:: udata -> again = true	/* drst_calls_recvmsg() */
	:: !udata ->
		tls_recv(r);
#ifndef MUTATION_no_late
		if
		:: got == END || udata -> read_late()
		:: else
		fi
#endif
	fi;
	do
	:: again ->
		read_begin();
		tls_recv(r);
		again = false;
		if
		:: was_held -> read_end()
#ifdef MUTATION_beginning_missed
		:: else
#else
		/* The hook saw sk_user_data before sk_state_change was set. */
		:: else -> read_late()
#endif
		fi
	:: else -> break
	od;
	atomic {
		if
		:: got == ERROR + RESET -> taken--; tell(RESET)
		:: else
		fi;
		/* Nothing is in front of data, and no end is without the error. */
		assert(got == DATA || rcvq == 0 || early);
		assert(got != END || told || taken || early);
		assert(got != ERROR + PIPE || told || taken || early);
		was_held = false
	}
}

proctype reader(byte r)
{
	byte got;
	bool yes, was_held, again, flushed;

	do
	:: got <= DATA && !(patient && (msgs > 0 || n == 1 + late)) -> recvmsg(r)
	:: got > DATA -> break
#ifdef FAULTS
	:: early = true; break
#endif
	od;
	atomic { running--; got = 0; yes = false; was_held = false; again = false }
}

/* ---- sending ---- */

#ifdef TELL
/* drst_calls_send_error() */
inline send_error()
{
	atomic { lock() };
	if
	:: cb ->
		/* drst_inbound_take_error() */
#ifdef MUTATION_take_not_xchg
		atomic { use(); e = (hidden_err -> hidden_err : err) }
		atomic { hidden_err = 0; err = 0; tell(e) }
#else
		atomic {
			use();
			e = (hidden_err -> hidden_err : err);
			hidden_err = 0;
			err = 0;
			tell(e);
			if
			:: e == 0 -> tell_pipe(); e = PIPE
			:: else
			fi
		}
#endif
	:: else
	fi;
	unlock();
	/* sk_stream_error() */
	atomic {
		if
		:: e == 0 && err == 0 -> tell_pipe()
		:: e == 0 && err != 0 -> tell(err); err = 0
		:: else
		fi
	}
}

/*
 * A process that sleeps in net/tls, or enters it when its hook has seen no hold:
 * sk_stream_wait_memory(), sk_stream_error()
 */
proctype blocked()
{
	atomic { !tx_lock -> tx_lock = true };
	atomic { shut && owned == FREE && !spin ->
		if
		:: err == 0 -> tell_pipe()
		:: else -> tell(err); err = 0
		fi
	}
	tx_lock = false;
	atomic { running-- }
}

/* drst_hooks_sendmsg(); what net/tls says without a hold is vanilla's */
proctype sender()
{
	byte e;

	if
	:: cb ->
		if
		:: true -> !tx_lock	/* drst_calls_sendmsg() asks net/tls */
		:: true			/* drst_hooks_sendpage() */
		fi;
		send_error()
	:: true
	fi;
	atomic { running--; e = 0 }
}

/* tx_work_handler(): mutex_trylock(), tls_tx_records(), tls_err_abort() */
proctype ktls_worker()
{
end:
	atomic { shut && ctx && !tx_lock && owned == FREE && !spin ->
		/* sk_stream_error() takes an error that is there, and it is put back */
		if
		:: err == 0 -> err = PIPE
		:: else
		fi
	}
}

/* sock_error() */
proctype so_error()
{
	atomic {
		if
		:: err != 0 -> tell(err); err = 0
		:: err == 0 -> assert(!reset || told || taken || hid || early || owned)
		:: true
		fi;
		running--
	}
}
#endif

/* ---- poll() ---- */

#ifdef POLLS
/* It waits for ERR and HUP, and reads messages of the error queue. drst_hooks_poll() */
proctype poller()
{
	bool had, bad, erring, msg;

poll:
	atomic { awake[POLLER] = false; had = cb };
	/* tls_sk_poll(), tcp_poll() */
	bad = reset;
	atomic { bad = bad || shut };
	atomic { msg = msgs > 0; erring = err != 0 || msg };
#ifndef MUTATION_coming_ignored
	/* drst_tcp_reset_coming() */
	if
	:: erring ->
		erring = err != RESET;
		atomic { erring = erring || reset };
		atomic { msg = msg || msgs > 0; erring = erring || msg }
	:: else
	fi;
#endif
	atomic {
		if
#ifdef MUTATION_held_once
		:: had
#else
		:: had || cb
#endif
		:: else -> goto said
		fi
	}
	/* drst_calls_poll() */
#ifndef MUTATION_poll_lockless
	atomic { !spin -> spin = true };
#endif
	had = cb;
	had = had && udata;
	if
	:: had ->
		atomic {
			use();
			bad = false;
			msg = msgs > 0;
			erring = msg;
			if
			:: owned == FREE && rcvq == 0 -> pend = QUEUED
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
	:: !had -> atomic { bad = reset || shut; msg = msgs > 0; erring = err != 0 || msg }
	fi;
said:
	atomic {
		had = false;
		assert(!(bad || (erring && !msg)) || early || rcvq == 0);
		if
		:: msg && erring ->
			msgs = 0;
			msg = false;
			bad = false;
			erring = false;
			goto poll
		:: !(msg && erring) && (bad || erring) -> goto out
		:: else
		fi
	}
	if
	:: awake[POLLER] -> goto poll
#ifdef FAULTS
	:: true			/* a signal */
#endif
	fi;
out:	atomic { running--; patient = false; had = false; bad = false; erring = false; msg = false }
}
#endif

/* ---- the last reference on the file ---- */

/* drst_hooks_close() */
proctype close()
{
	bool yes;

	running == 0;
	closing = true;
	atomic { lock(); yes = cb };
	/* drst_inbound_close() */
	if
	:: yes -> end_elsewhere(); yes = false
	:: else
	fi;
#ifndef MUTATION_hooks_stay_at_close
	ours = false;		/* drst_proto_unwrap() */
#endif
	unlock();
	/* tls_sk_proto_close(), tcp_close() */
	atomic { lock(); ctx = false; ready = false; strp = false };
	unlock();
	atomic {
		lock();
		rcvq = 0;
		dead = true;
		/* else an orphan; unread data makes a RST, of which see outbound.pml */
		reset = true;
		destroy()
	}
	unlock();
	atomic { sk_put(); closed = true; closing = false }
}

/* ---- limits, the administrator ---- */

#ifdef FAULTS
proctype clock()
{
	due = true
}

/* drst_hold_pressure_work(): once a second is at any time */
proctype pressure()
{
	mem = true;
end:
	do
	:: atomic { listed && pend != QUEUED -> use(); pend = QUEUED }
	od
}

proctype admin()
{
	bool yes;
end:
	if
	/* ss -K, or TCP's own time-out */
	:: atomic { owned == FREE && !spin && !reset -> owned = USER; early = true };
		tcp_done(ABORTED)
	/* TCP_REPAIR: drst_hooks_setsockopt() */
	:: atomic { !closed && ctx && owned == FREE && !spin ->
			owned = USER;
			early = true;
			repair = true
		};
		look(yes)
	/* drst_inbound_lose() */
	:: atomic { !closed && ctx && owned == FREE && !spin ->
			owned = USER;
			early = true;
			ours = false
		};
		if
		:: cb -> end_elsewhere()
		:: else
		fi
	fi;
	unlock()
}
#endif

/* drst_exit() */
proctype rmmod()
{
end:
	!pin && !closing;	/* drst_hooks_flush() */
#ifdef POLL
#ifndef MUTATION_no_rcu_tasks
	!calling;		/* synchronize_rcu_tasks() */
#endif
#endif
#ifndef MUTATION_unload_order
	/* drst_hold_flush() */
	pend != QUEUED && !busy;
#endif
	/* drst_hold_exit() */
	atomic { assert(!listed); pernet = false; text = false }
}

proctype still()
{
end:
	timeout ->
	assert(closed && !pin && skref == 0 && !text);
	assert(ever == ended && held == 0);
	assert(href == 0 && pend == IDLE && !busy && !listed);
	assert(!udata && !cb && !report && !spin);
	assert(told == 1 || early)
}

init {
	atomic {
#ifndef FAULTS
		if
		:: late = true
		:: late = false
		fi;
#endif
#ifdef POLL
		if
		:: patient = true
		:: patient = false
		fi;
#endif
#ifdef READ
		if
		:: starves = true
		:: starves = false
		fi;
#endif
		run drain();
		run softirq();
		run strparser();
		run work();
		run timers();
		run free();
		run reader(0);
#ifdef READ
		run reader(1);
#endif
#ifdef TELL
		running = running + 3;
		run blocked();
		run sender();
		run ktls_worker();
		run so_error();
#endif
#ifdef POLLS
		running = running + 1;
		run poller();
#ifdef POLL
		run driver();
#endif
#endif
#ifdef FAULTS
		run clock();
		run pressure();
		run admin();
#endif
		run close();
		run rmmod();
		run still()
	}
}
