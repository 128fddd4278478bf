/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints tls_drst:*. A connection is known by skaddr, as in tcp:*, and by its
 * cookie, which is 0 until it is asked for: by SO_COOKIE, ss -e or BPF.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tls_drst

#if !defined(_TLS_DRST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TLS_DRST_TRACE_H

#include <linux/tracepoint.h>
#include <net/inet_sock.h>
#include <net/tcp_states.h>

#include "hold.h"

/* perf and trace-cmd read the events' formats: these turn names into numbers. */
TRACE_DEFINE_ENUM(TCP_ESTABLISHED);
TRACE_DEFINE_ENUM(TCP_FIN_WAIT1);
TRACE_DEFINE_ENUM(TCP_FIN_WAIT2);
TRACE_DEFINE_ENUM(TCP_CLOSE_WAIT);
TRACE_DEFINE_ENUM(TCP_CLOSING);
TRACE_DEFINE_ENUM(TCP_LAST_ACK);
TRACE_DEFINE_ENUM(TCP_TIME_WAIT);
TRACE_DEFINE_ENUM(TCP_CLOSE);
TRACE_DEFINE_ENUM(DRST_CAUSE_NONE);
TRACE_DEFINE_ENUM(DRST_CAUSE_UNREAD);
TRACE_DEFINE_ENUM(DRST_CAUSE_LINGER);
TRACE_DEFINE_ENUM(DRST_CAUSE_DATA);
TRACE_DEFINE_ENUM(DRST_CAUSE_PEER);

/* The addresses of an IPv4 connection are mapped ones here. */
#define DRST_TRACE_SOCK_FIELDS						\
	__field(const void *, skaddr)					\
	__field(u64, netns)						\
	__field(u64, cookie)						\
	__field(__u16, family)						\
	__field(__u16, sport)						\
	__field(__u16, dport)						\
	__field(int, state)						\
	__array(__u8, saddr, 16)					\
	__array(__u8, daddr, 16)

#define DRST_TRACE_SOCK_ASSIGN(sk, sk_state_then) do {			\
	__entry->netns = sock_net(sk)->net_cookie;			\
	__entry->skaddr = (sk);						\
	__entry->cookie = atomic64_read(&(sk)->sk_cookie);		\
	__entry->family = (sk)->sk_family;				\
	__entry->sport = ntohs(inet_sk(sk)->inet_sport);		\
	__entry->dport = ntohs((sk)->sk_dport);				\
	__entry->state = (sk_state_then);				\
	drst_hold_addrs(sk, (struct in6_addr *)__entry->saddr,		\
			(struct in6_addr *)__entry->daddr);		\
} while (0)

#define DRST_TRACE_SOCK_FORMAT						\
	"skaddr=%p netns=%llu cookie=%#llx src=[%pI6c]:%u dst=[%pI6c]:%u state=%s"
#define DRST_TRACE_SOCK_ARGS						\
	__entry->skaddr, __entry->netns, __entry->cookie,		\
	__entry->saddr, __entry->sport, __entry->daddr, __entry->dport,	\
	__print_symbolic(__entry->state,				\
			 { TCP_ESTABLISHED, "ESTABLISHED" },		\
			 { TCP_FIN_WAIT1, "FIN_WAIT1" },		\
			 { TCP_FIN_WAIT2, "FIN_WAIT2" },		\
			 { TCP_CLOSE_WAIT, "CLOSE_WAIT" },		\
			 { TCP_CLOSING, "CLOSING" },			\
			 { TCP_LAST_ACK, "LAST_ACK" },			\
			 { TCP_TIME_WAIT, "TIME_WAIT" },		\
			 { TCP_CLOSE, "CLOSE" })

#define DRST_TRACE_CAUSE						\
	__print_symbolic(__entry->cause,				\
			 { DRST_CAUSE_NONE, "none" },			\
			 { DRST_CAUSE_UNREAD, "unread" },		\
			 { DRST_CAUSE_LINGER, "linger" },		\
			 { DRST_CAUSE_DATA, "data" },			\
			 { DRST_CAUSE_PEER, "peer" })

/* A socket has accepted a close_notify to send. Socket lock not held. */
TRACE_EVENT(tls_drst_notify,

	TP_PROTO(struct sock *sk),

	TP_ARGS(sk),

	TP_STRUCT__entry(
		DRST_TRACE_SOCK_FIELDS
	),

	TP_fast_assign(
		DRST_TRACE_SOCK_ASSIGN(sk, sk->sk_state);
	),

	TP_printk(DRST_TRACE_SOCK_FORMAT, DRST_TRACE_SOCK_ARGS)
);

/*
 * A hold begins. @cause: why the RST is pending, as far as is known; @bytes: those
 * in TCP's send queue or, where the peer's RST is held, to be read. Socket lock
 * held.
 */
TRACE_EVENT(tls_drst_hold,

	TP_PROTO(struct sock *sk, int cause, u32 bytes),

	TP_ARGS(sk, cause, bytes),

	TP_STRUCT__entry(
		DRST_TRACE_SOCK_FIELDS
		__field(int, cause)
		__field(u32, bytes)
	),

	TP_fast_assign(
		DRST_TRACE_SOCK_ASSIGN(sk, sk->sk_state);
		__entry->cause = cause;
		__entry->bytes = bytes;
	),

	TP_printk(DRST_TRACE_SOCK_FORMAT " cause=%s bytes=%u",
		  DRST_TRACE_SOCK_ARGS, DRST_TRACE_CAUSE, __entry->bytes)
);

/*
 * An outbound hold goes on to another stage: see the picture in outbound.c. Socket
 * lock held.
 */
TRACE_EVENT(tls_drst_stage,

	TP_PROTO(struct sock *sk, const char *stage),

	TP_ARGS(sk, stage),

	TP_STRUCT__entry(
		DRST_TRACE_SOCK_FIELDS
		__array(char, stage, 8)
	),

	TP_fast_assign(
		DRST_TRACE_SOCK_ASSIGN(sk, sk->sk_state);
		strscpy(__entry->stage, stage, sizeof(__entry->stage));
	),

	TP_printk(DRST_TRACE_SOCK_FORMAT " stage=%s",
		  DRST_TRACE_SOCK_ARGS, __entry->stage)
);

/*
 * A close() that is not held sends a RST while @bytes are unacknowledged. @notified:
 * the connection accepted a close_notify. The process is the one that closes, its
 * PID the one of the initial namespace. Socket lock held.
 */
TRACE_EVENT(tls_drst_cut,

	TP_PROTO(struct sock *sk, int cause, u32 bytes, bool notified),

	TP_ARGS(sk, cause, bytes, notified),

	TP_STRUCT__entry(
		DRST_TRACE_SOCK_FIELDS
		__field(int, cause)
		__field(u32, bytes)
		__field(bool, notified)
		__field(pid_t, pid)
		__array(char, comm, TASK_COMM_LEN)
	),

	TP_fast_assign(
		DRST_TRACE_SOCK_ASSIGN(sk, sk->sk_state);
		__entry->cause = cause;
		__entry->bytes = bytes;
		__entry->notified = notified;
		__entry->pid = task_tgid_nr(current);
		strscpy(__entry->comm, current->comm, TASK_COMM_LEN);
	),

	TP_printk(DRST_TRACE_SOCK_FORMAT " cause=%s bytes=%u notified=%d pid=%d comm=%s",
		  DRST_TRACE_SOCK_ARGS, DRST_TRACE_CAUSE, __entry->bytes,
		  __entry->notified, __entry->pid, __entry->comm)
);

/*
 * A hold is over. If it ends with a RST, the RST goes out next. @state: the one it
 * ended in; @how: the name of the counter; @held: the bytes at the beginning,
 * @bytes: those that are left; @ns: how long it was. Socket lock held.
 */
TRACE_EVENT(tls_drst_release,

	TP_PROTO(struct sock *sk, int state, int cause, const char *how,
		 u32 held, u32 bytes, u64 ns),

	TP_ARGS(sk, state, cause, how, held, bytes, ns),

	TP_STRUCT__entry(
		DRST_TRACE_SOCK_FIELDS
		__field(int, cause)
		__array(char, how, 24)
		__field(u32, held)
		__field(u32, bytes)
		__field(u64, ns)
	),

	TP_fast_assign(
		DRST_TRACE_SOCK_ASSIGN(sk, state);
		__entry->cause = cause;
		strscpy(__entry->how, how, sizeof(__entry->how));
		__entry->held = held;
		__entry->bytes = bytes;
		__entry->ns = ns;
	),

	TP_printk(DRST_TRACE_SOCK_FORMAT " cause=%s how=%s held=%u bytes=%u ns=%llu",
		  DRST_TRACE_SOCK_ARGS, DRST_TRACE_CAUSE, __entry->how,
		  __entry->held, __entry->bytes, __entry->ns)
);

#endif /* _TLS_DRST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
