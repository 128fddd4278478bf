/* SPDX-License-Identifier: GPL-2.0 */
/* The scripts that are written down; judge/script.c has their words. */

/* The peer's window is full, so that the FIN of a shutdown() waits. */
#define UPLOAD "send 131072", "notify"

/*
 * ---- outbound: before close() there is no difference ----
 */

/* Data from before shutdown(SHUT_RDWR) is read as ever. */
SCRIPT(shut_rdwr_then_waitall, UPLOAD, "peer_data 10", "shutdown RDWR",
       "recv 100 WAITALL", "recv 100 WAITALL");
SCRIPT(shut_rdwr_then_rcvlowat, UPLOAD, "peer_data 10", "shutdown RDWR",
       "rcvlowat 50", "recv 100", "recv 100");
SCRIPT(rcvlowat_then_shut_rdwr, UPLOAD, "rcvlowat 50", "peer_data 10",
       "poll IN", "shutdown RDWR", "poll IN|RDHUP", "recv 100");
SCRIPT(waitall_then_shut_rdwr, UPLOAD, "peer_data 10", "recv 100 WAITALL",
       "shutdown RDWR", "recv 10");
SCRIPT(recv_then_shut_rdwr, UPLOAD, "recv 100", "shutdown RDWR", "recv 10");
SCRIPT(rcvlowat_reader_then_shut_rdwr, UPLOAD, "rcvlowat 50", "peer_data 10",
       "recv 100", "shutdown RDWR", "recv 10");
SCRIPT(splice_then_shut_rdwr, UPLOAD, "splice 100", "shutdown RDWR",
       "splice 100");
SCRIPT(peek_waitall_then_shut_rdwr, UPLOAD, "peer_data 10",
       "recv 100 PEEK|WAITALL", "shutdown RDWR", "recv 100");
/* A bound of the module's is nothing to the program. */
SCRIPT(waitall_outlives_timeout, "with timeout_ms=200", UPLOAD, "peer_data 10",
       "recv 100 WAITALL", "shutdown RDWR", "pause 500", "recv 10", "poll IN");
SCRIPT(shut_rdwr_and_timeout, "with timeout_ms=200", UPLOAD, "peer_data 10",
       "shutdown RDWR", "poll IN|OUT|RDHUP", "pause 500", "poll IN|OUT|RDHUP",
       "so_error", "recv 100 WAITALL", "recv 10", "state");
/* The end of file, and then the peer's data: TCP resets, and says so. */
SCRIPT(data_after_shut_rdwr, UPLOAD, "peer_data 10", "shutdown RDWR",
       "recv 10", "recv 10", "peer_data 5", "poll IN|RDHUP", "recv 10",
       "recv 10", "so_error", "state");
SCRIPT(data_after_shut_rdwr_unread, UPLOAD, "peer_data 10", "shutdown RDWR",
       "peer_data 5", "poll IN|RDHUP", "recv 4", "so_error", "recv 100",
       "recv 10", "poll IN");
SCRIPT(data_after_shut_rdwr_nothing_read, UPLOAD, "shutdown RDWR",
       "poll NONE", "peer_data 5", "poll IN|OUT|RDHUP", "so_error", "recv 10",
       "send 10", "state", "outq", "peername");
SCRIPT(data_after_shut_rdwr_recv_blocks, UPLOAD, "shutdown RDWR", "recv 10",
       "peer_data 5", "recv 10 DONTWAIT", "recv 10 DONTWAIT");
SCRIPT(ticket_after_shut_rdwr_poll, "with rx", UPLOAD, "shutdown RDWR",
       "poll NONE", "peer_ticket", "poll NONE", "recvmsg 100", "so_error");
SCRIPT(reply_after_shut_rdwr_async, UPLOAD, "async", "shutdown RDWR",
       "peer_notify", "so_error", "close");
SCRIPT(inq_after_shut_rdwr, UPLOAD, "inq", "peer_data 10", "shutdown RDWR",
       "fionread", "recvmsg 4", "fionread", "recvmsg 6", "fionread",
       "recvmsg 10");
SCRIPT(inq_after_shut_rdwr_rx, "with rx", UPLOAD, "inq", "peer_data 10",
       "shutdown RDWR", "fionread", "recvmsg 4", "fionread", "recvmsg 6",
       "fionread", "recvmsg 10");
SCRIPT(shut_rd_then_wr, UPLOAD, "peer_data 10", "shutdown RD", "peer_data 10",
       "shutdown WR", "recv 100", "recv 10", "peer_data 10", "recv 10");
SCRIPT(shut_wr_then_rd, UPLOAD, "peer_data 10", "shutdown WR", "peer_data 10",
       "shutdown RD", "recv 100", "recv 10", "peer_data 10", "recv 10");
SCRIPT(shut_rdwr_twice, UPLOAD, "shutdown RDWR", "shutdown RDWR",
       "shutdown WR", "shutdown RD", "poll IN|OUT|RDHUP", "recv 10",
       "peer_fin", "shutdown RDWR", "state", "recv 10");
SCRIPT(shut_rdwr_then_fin, UPLOAD, "peer_data 10", "shutdown RDWR", "peer_fin",
       "state", "poll IN|RDHUP", "recv 100 WAITALL", "recv 10", "so_error");
SCRIPT(shut_rdwr_then_rst, UPLOAD, "shutdown RDWR", "poll IN|OUT|RDHUP",
       "peer_rst", "poll IN|OUT|RDHUP", "recv 10", "recv 10", "state");
SCRIPT(shut_rdwr_then_rst_recv, UPLOAD, "shutdown RDWR", "peer_rst",
       "so_error", "recv 10", "send 10");
SCRIPT(shut_rdwr_state, UPLOAD, "shutdown RDWR", "state", "peername",
       "sockname", "bind", "listen", "disconnect", "outq", "peer_open",
       "state", "outq", "poll IN|OUT|RDHUP");
SCRIPT(shut_rdwr_send, UPLOAD, "shutdown RDWR", "send 10", "send 10 NOSIGNAL",
       "sendmsg 10", "sendfile 10", "so_error", "recv 10");
SCRIPT(shut_rdwr_epoll, UPLOAD, "epoll_add IN|OUT|RDHUP|ET", "epoll_wait 0",
       "shutdown RDWR", "epoll_wait 0", "epoll_wait 0", "peer_data 5",
       "epoll_wait 0", "epoll_wait 0");
SCRIPT(shut_rdwr_async, UPLOAD, "async", "peer_data 10", "shutdown RDWR",
       "recv 100", "peer_fin", "recv 10");
SCRIPT(shut_rdwr_recvmmsg, UPLOAD, "peer_data 10", "shutdown RDWR",
       "recvmmsg 100 WAITALL", "recvmmsg 10", "peer_data 5", "recvmmsg 10",
       "recvmmsg 10");
SCRIPT(shut_rdwr_zerocopy, UPLOAD, "peer_data 10", "shutdown RDWR",
       "zerocopy 100", "zerocopy 100", "peer_data 5", "zerocopy 100",
       "zerocopy 100");
SCRIPT(shut_rdwr_select, UPLOAD, "select R|X wait", "shutdown RDWR",
       "select R|W|X", "recv 10", "peer_rst", "select R|W|X");
SCRIPT(shut_rdwr_dup, UPLOAD, "dup", "shutdown RDWR", "close", "peer_data 5",
       "recv 10", "so_error", "state", "close");
SCRIPT(shut_rdwr_uring, UPLOAD, "uring_recv 10", "shutdown RDWR",
       "uring_poll NONE", "recv 10", "state");
SCRIPT(shut_rdwr_flushed, UPLOAD, "shutdown RDWR", "peer_open", "state",
       "peer_data 5", "state", "recv 10", "so_error");
SCRIPT(shut_rdwr_rx_fin, "with rx", UPLOAD, "peer_data 10", "peer_notify",
       "shutdown RDWR", "peer_fin", "recvmsg 100", "recvmsg 100",
       "recvmsg 100");
SCRIPT(send_blocked_then_shut_rdwr, "with full",
       "send 100000", "shutdown RDWR", "send 10");
SCRIPT(send_blocked_then_open, "with full", "send 100000",
       "peer_open", "outq", "poll OUT");
SCRIPT(poll_out_then_open, "with full", "poll OUT wait",
       "peer_open", "poll OUT", "outq");
SCRIPT(send_timeout, "with full", "sndtimeo 100",
       "send 10", "peer_data 10", "rcvtimeo 100", "recv 10", "recv 10");
SCRIPT(more_then_shut_rdwr, "send 10 MORE", "notify", "send 10 MORE",
       "peer_data 10", "shutdown RDWR", "send 10", "recv 100 WAITALL",
       "so_error", "recv 10");
SCRIPT(not_notified, "send 131072", "peer_data 10", "shutdown RDWR",
       "recv 100 WAITALL", "recv 10", "peer_data 5", "recv 10", "so_error");
SCRIPT(fork_and_close, UPLOAD, "fork", "close", "peer_data 5",
       "child: recv 10", "child: shutdown RDWR", "child: recv 10", "peer_data 5",
       "child: so_error", "child: state");
SCRIPT(passed_on, UPLOAD, "pass", "close", "peer_data 10", "take", "recv 100",
       "shutdown RDWR", "pass", "close", "peer_data 5", "take", "so_error",
       "state");
SCRIPT(closed_beside_reader, UPLOAD, "recv 10", "close", "peer_data 5");
SCRIPT(closed_beside_poll, UPLOAD, "poll RDHUP wait", "close", "peer_fin");
SCRIPT(closed_by_uring, UPLOAD, "dup", "uring_close", "peer_data 10",
       "recv 100", "uring_close");

/*
 * ---- inbound: a reset that waits until the data has been read ----
 */

SCRIPT(in_established, "peer_data 10", "peer_rst", "poll IN|OUT|RDHUP",
       "select R|W|X", "state", "peername", "sockname", "fionread", "outq",
       "recv 4", "recv 4", "poll IN|OUT|RDHUP", "recv 2", "poll IN|OUT|RDHUP",
       "state", "peername", "recv 10", "recv 10", "so_error");
SCRIPT(in_established_rx, "with rx", "peer_data 10", "peer_notify", "peer_rst",
       "poll IN|OUT|RDHUP", "state", "recvmsg 4", "recvmsg 100", "poll IN",
       "recvmsg 100", "poll IN|RDHUP", "recvmsg 10", "recvmsg 10");
SCRIPT(in_close_wait, "peer_data 10", "peer_fin", "peer_rst",
       "poll IN|OUT|RDHUP", "state", "recv 100 WAITALL", "recv 10", "so_error",
       "recv 10");
SCRIPT(in_close_wait_rx, "with rx", "peer_data 10", "peer_fin", "peer_rst",
       "poll IN|RDHUP", "recvmsg 100", "recvmsg 10", "recvmsg 10");
SCRIPT(in_fin_wait2, "peer_data 10", "shutdown WR", "peer_rst",
       "poll IN|OUT|RDHUP", "state", "recv 100", "recv 10", "so_error");
SCRIPT(in_fin_wait1, "send 131072", "peer_data 10", "shutdown WR", "peer_rst",
       "poll IN|OUT|RDHUP", "state", "outq", "recv 100", "recv 10");
SCRIPT(in_closing, "send 131072", "peer_data 10", "shutdown WR", "peer_fin",
       "peer_rst", "poll IN|OUT|RDHUP", "state", "recv 100", "recv 10");
SCRIPT(in_last_ack, "send 131072", "peer_data 10", "peer_fin", "shutdown WR",
       "peer_rst", "poll IN|OUT|RDHUP", "state", "recv 100", "recv 10",
       "so_error");
SCRIPT(in_data_and_rst, "recv 100", "peer_data_rst 10", "poll IN|RDHUP",
       "recv 10", "so_error");
SCRIPT(in_data_and_rst_waitall, "recv 100 WAITALL", "peer_data_rst 10",
       "so_error", "recv 10");
SCRIPT(in_data_and_rst_state, "recv 100 WAITALL", "peer_data_rst 10",
       "state", "peername", "send 10", "recv 10");
SCRIPT(in_data_and_rst_async, "async", "recv 100", "peer_data_rst 10", "poll IN",
       "recv 10");
SCRIPT(in_data_and_rst_rx, "with rx", "recv 4", "peer_data_rst 10", "poll IN",
       "recv 10", "recv 10");
SCRIPT(in_data_and_rst_poll, "poll IN wait", "peer_data_rst 10", "recv 10",
       "poll IN");
SCRIPT(in_nothing_unread, "peer_rst", "poll IN|OUT|RDHUP", "so_error",
       "recv 10");
SCRIPT(in_half_a_record, "with rx", "peer_half 100", "peer_rst",
       "poll IN|OUT|RDHUP", "recv 10", "recv 10");
SCRIPT(in_record_and_a_half, "with rx", "peer_data 10", "peer_half 100",
       "peer_rst", "poll IN|OUT", "recv 100", "poll IN|OUT", "recv 10");

/* Only uploads, and has a session ticket unread: the review's case. */
SCRIPT(in_send, "send 100", "peer_ticket", "peer_rst", "send 10", "send 10",
       "send 10 NOSIGNAL", "so_error", "poll IN|OUT", "recv 200", "recv 10");
SCRIPT(in_send_rx, "with rx", "send 100", "peer_ticket", "peer_rst", "send 10",
       "sendmsg 10", "recvmsg 200", "recvmsg 200", "send 10");
SCRIPT(in_sendfile, "peer_ticket", "peer_rst", "sendfile 100", "sendfile 100",
       "recv 200", "recv 10");
SCRIPT(in_notify, "peer_ticket", "peer_rst", "notify", "notify", "recv 200",
       "recv 10");
SCRIPT(in_notify_more, "peer_ticket", "peer_rst", "notify 0 MORE",
       "so_error", "recv 200", "recv 10");
SCRIPT(in_send_close_wait, "peer_ticket", "peer_fin", "peer_rst", "send 10",
       "send 10", "so_error", "recv 200", "recv 10", "send 10");
SCRIPT(in_send_to_closed, "peer_data 10", "peer_close", "state", "send 10",
       "poll IN|OUT|RDHUP", "send 10", "recv 10", "recv 10");
SCRIPT(in_send_blocked, "with full", "peer_ticket",
       "send 100000", "peer_rst", "send 10", "so_error", "recv 200",
       "recv 10");
SCRIPT(in_send_blocked_close_wait, "with full", "peer_ticket",
       "peer_fin", "send 100000", "peer_rst", "send 10", "recv 200",
       "recv 10");
SCRIPT(in_so_error, "peer_data 10", "peer_rst", "so_error", "so_error",
       "poll IN", "recv 4", "send 10", "recv 10", "poll IN|OUT", "recv 10",
       "send 10", "recv 10");
SCRIPT(in_send_more, "send 10 MORE", "peer_data 10", "peer_rst",
       "send 10 MORE", "send 10 MORE", "recv 10", "send 10 MORE", "recv 10",
       "send 10", "so_error");
SCRIPT(in_send_after_shutdown, "shutdown WR", "peer_data 10", "peer_rst",
       "send 10", "send 10", "recv 10", "recv 10");
SCRIPT(in_told_by_send, "peer_data 10", "peer_rst", "send 10", "poll IN|OUT",
       "so_error", "recv 10", "poll IN|OUT", "so_error", "recv 10", "send 10",
       "so_error");

SCRIPT(in_peek, "peer_data 10", "peer_rst", "recv 100 PEEK",
       "recv 100 PEEK|WAITALL", "recv 4 PEEK", "recv 100", "recv 10 PEEK",
       "recv 10 PEEK");
SCRIPT(in_trunc, "peer_data 10", "peer_rst", "recv 4 TRUNC", "recv 100",
       "recv 10");
SCRIPT(in_waitall, "peer_data 10", "peer_rst", "recv 100 WAITALL", "recv 10");
SCRIPT(in_waitall_rx, "with rx", "peer_data 10", "peer_data 10", "peer_rst",
       "recv 100 WAITALL", "recv 10", "so_error");
SCRIPT(in_rcvlowat, "rcvlowat 50", "peer_data 10", "poll IN wait", "peer_rst",
       "poll IN|OUT", "recv 100", "poll IN", "recv 10");
SCRIPT(in_rcvlowat_raised, "peer_data 10", "peer_rst", "rcvlowat 60",
       "poll IN|OUT|RDHUP", "select R|W", "recv 100", "poll IN", "recv 10");
/* These two look at sk_err themselves, before any hook of a module. */
SCRIPT(in_recvmmsg, "with gap=3 gap=5 gap=6 gap=7", "peer_data 10", "peer_rst",
       "recvmmsg 4", "poll IN|OUT", "recvmmsg 100", "poll IN|OUT",
       "recvmmsg 10", "recvmmsg 10");
SCRIPT(in_zerocopy, "with gap=4 gap=5 gap=6", "peer_data 10", "peer_rst",
       "recv 2", "zerocopy 100", "poll IN|OUT", "recv 10", "recv 10");
/* kTLS has not looked for a record, and would give the error first. */
SCRIPT(in_rcvlowat_rx, "with rx", "rcvlowat 60", "peer_data 10", "peer_notify",
       "peer_rst", "poll IN|OUT|RDHUP", "recvmsg 100", "poll IN|OUT|RDHUP",
       "recvmsg 100", "poll IN|OUT|RDHUP", "recvmsg 100", "recvmsg 100");
SCRIPT(in_rcvlowat_reader_rx, "with rx", "rcvlowat 60", "recv 4",
       "peer_data 10", "peer_rst", "poll IN|OUT", "recv 100", "recv 10",
       "recv 10");
SCRIPT(in_rcvlowat_reader_rx_all, "with rx", "rcvlowat 60", "recv 100",
       "peer_data 10", "peer_rst", "poll IN|OUT", "recv 10", "recv 10");
SCRIPT(in_rcvlowat_sleeper, "rcvlowat 60", "recv 4", "peer_data 10",
       "peer_rst", "poll IN|OUT", "recv 100", "recv 10");
SCRIPT(in_rcvlowat_reader, "rcvlowat 60", "peer_data 10", "recv 100",
       "peer_rst", "recv 10", "recv 10");
SCRIPT(in_rcvlowat_peek_reader, "rcvlowat 60", "peer_data 10",
       "recv 100 PEEK", "peer_rst", "recv 100", "recv 10");
SCRIPT(in_peek_waitall_reader, "peer_data 10", "recv 100 PEEK|WAITALL",
       "peer_rst", "poll IN|OUT|RDHUP", "recv 100", "recv 10");
SCRIPT(in_readv, "peer_data 10", "peer_rst", "readv 6", "readv 6", "readv 6");
SCRIPT(in_splice, "peer_data 10", "peer_rst", "splice 4", "splice 100",
       "splice 100", "so_error");
SCRIPT(in_splice_reader, "splice 100", "peer_data_rst 10", "poll IN",
       "splice 100", "so_error");
SCRIPT(in_splice_reader_rx, "with rx", "splice 4", "peer_data_rst 10",
       "poll IN", "splice 100", "poll IN", "splice 100");
SCRIPT(in_splice_rx, "with rx", "peer_data 10", "peer_notify", "peer_rst",
       "splice 100", "splice 100", "poll IN|RDHUP", "recvmsg 10",
       "splice 100");
SCRIPT(in_dontwait, "peer_data 10", "peer_rst", "recv 100 DONTWAIT",
       "recv 100 DONTWAIT", "recv 100 DONTWAIT");
SCRIPT(in_inq, "inq", "peer_data 10", "peer_rst", "fionread", "recvmsg 4",
       "fionread", "recvmsg 10", "fionread", "recvmsg 10");
SCRIPT(in_inq_fin, "inq", "peer_data 10", "peer_fin", "peer_rst", "fionread",
       "recvmsg 4", "fionread", "recvmsg 10", "fionread", "recvmsg 10");
SCRIPT(in_inq_rx, "with rx", "inq", "peer_data 10", "peer_data 10", "peer_rst",
       "fionread", "recvmsg 4", "fionread", "recvmsg 6", "recvmsg 10",
       "recvmsg 10");

SCRIPT(in_poll_none, "peer_data 10", "poll NONE wait", "peer_rst", "recv 4",
       "recv 10", "recv 10");
SCRIPT(in_poll_rdhup, "peer_data 10", "poll RDHUP wait", "peer_rst",
       "recv 100", "recv 10");
SCRIPT(in_poll_rdhup_and_shutdown, "peer_data 10", "poll RDHUP wait",
       "poll NONE wait", "peer_rst", "shutdown RD", "poll IN|RDHUP",
       "shutdown WR", "poll IN|RDHUP", "recv 100", "recv 10");
SCRIPT(in_poll_out, "with full", "peer_data 10",
       "poll OUT wait", "peer_rst", "poll OUT", "send 10", "recv 10");
SCRIPT(in_poll_and_close, "peer_data 10", "poll NONE wait", "peer_rst",
       "close");
SCRIPT(in_select, "peer_data 10", "select X wait", "peer_rst", "select R|W|X",
       "recv 100", "select R|W|X");
SCRIPT(in_epoll_level, "epoll_add IN|RDHUP", "peer_data 10", "epoll_wait 0",
       "peer_rst", "epoll_wait 0", "recv 4", "epoll_wait 0", "recv 10",
       "epoll_wait 0", "recv 10", "epoll_wait 0");
SCRIPT(in_epoll_edge, "epoll_add IN|RDHUP|ET", "peer_data 10", "epoll_wait 0",
       "epoll_wait 0", "peer_rst", "epoll_wait 0", "recv 4", "epoll_wait 0",
       "recv 10", "epoll_wait 0", "epoll_wait 0");
SCRIPT(in_epoll_exclusive, "epoll_add IN|EXCLUSIVE", "epoll_wait wait",
       "peer_data_rst 10", "epoll_wait 0", "recv 10", "epoll_wait 0");
SCRIPT(in_epoll_waits, "epoll_add RDHUP", "peer_data 10", "epoll_wait wait",
       "peer_rst", "recv 10", "epoll_wait 0");
SCRIPT(in_uring_poll, "peer_data 10", "uring_poll RDHUP", "peer_rst", "recv 4",
       "recv 10");
SCRIPT(in_uring_multi, "peer_data 10", "uring_poll IN|RDHUP multi",
       "uring_next", "peer_rst", "recv 4", "recv 10");
SCRIPT(in_uring_recv, "uring_recv 4", "peer_data_rst 10", "uring_recv 4",
       "uring_recv 4", "uring_recv 4");
SCRIPT(in_uring_close, "peer_data 10", "peer_rst", "uring_close");

SCRIPT(in_async, "async", "peer_data 10", "peer_rst", "recv 4", "recv 100",
       "recv 10");
SCRIPT(in_async_fin, "async", "peer_data 10", "peer_fin", "peer_rst",
       "so_error", "recv 100", "recv 10");
SCRIPT(in_bind, "peer_data 10", "peer_rst", "bind", "listen", "disconnect",
       "sockname", "recv 10", "recv 10", "sockname");
SCRIPT(in_shutdown, "peer_data 10", "peer_rst", "shutdown WR", "shutdown WR",
       "poll IN|RDHUP", "shutdown RD", "poll IN|RDHUP", "shutdown RDWR",
       "recv 4", "recv 10", "shutdown RDWR", "recv 10");
SCRIPT(in_dup, "peer_data 10", "dup", "peer_rst", "close", "poll IN", "recv 4",
       "state", "recv 10", "recv 10");
SCRIPT(in_fork, "peer_data 10", "fork", "peer_rst", "child: recv 4", "poll IN",
       "child: poll IN", "close", "child: recv 10", "child: recv 10");
SCRIPT(in_fork_reader, "fork", "peer_data 10", "peer_rst", "child: poll NONE wait",
       "recv 10");
SCRIPT(in_passed_on, "peer_data 10", "pass", "close", "peer_rst", "take",
       "poll IN", "recv 100", "recv 10");
SCRIPT(in_close_linger0, "peer_data 10", "peer_rst", "linger0", "close");
/* Not before the judge sees that nothing moves behind peer_rst */
SCRIPT(in_timed_out, "with timeout_ms=1500", "async", "peer_data 10",
       "poll NONE wait", "peer_rst", "pause 2500", "poll IN|RDHUP", "state",
       "recv 100", "recv 10");
SCRIPT(in_rcvtimeo, "rcvtimeo 100", "peer_data 10", "peer_rst",
       "recv 100 WAITALL", "recv 10", "recv 10");

/* A reset that TCP makes itself */
SCRIPT(in_data_after_shut_rd, "shutdown WR", "peer_data 10", "shutdown RD",
       "poll IN|RDHUP", "peer_data 5", "poll IN|RDHUP", "state", "recv 100",
       "poll IN", "recv 10", "recv 10");

/* The error queue is not the reset's. */
SCRIPT(in_timestamp, "tstamp", "send 100", "peer_data 10", "poll IN",
       "peer_rst", "poll IN|OUT", "recvmsg 100 ERRQUEUE", "poll IN|OUT",
       "recv 100", "poll IN", "recv 10");
SCRIPT(in_timestamp_wakes, "peer_data 10", "tstamp", "poll NONE wait",
       "send 100", "peer_rst", "poll IN|OUT", "recv 100");
SCRIPT(in_timestamp_while_held, "with delay_ms=1000", "tstamp", "peer_data 10",
       "send 100", "poll NONE wait", "peer_rst", "pause 1500", "poll IN",
       "recvmsg 100 ERRQUEUE", "poll IN", "recv 100");
