/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every counter is one line here: its enum drst_stat, and its name in
 * /proc/net/tls_drst_stat without the prefix TlsDrst. The file has them in this
 * order. The includer defines what DRST_STAT() makes of a line.
 */
DRST_STAT(DRST_STAT_CLOSE_NOTIFY, "CloseNotify")
DRST_STAT(DRST_STAT_HELD, "Held")
/* the ways in which an outbound hold ends */
DRST_STAT(DRST_STAT_FLUSHED, "Flushed")
DRST_STAT(DRST_STAT_RST_SENT, "RstSent")
DRST_STAT(DRST_STAT_FIN_SENT, "FinSent")
DRST_STAT(DRST_STAT_MOOT, "Moot")
DRST_STAT(DRST_STAT_TIMED_OUT, "TimedOut")
DRST_STAT(DRST_STAT_OVER_LIMIT, "OverLimit")
DRST_STAT(DRST_STAT_MEMORY, "Memory")
DRST_STAT(DRST_STAT_PEER_RESET, "PeerReset")
DRST_STAT(DRST_STAT_ABORTED, "Aborted")
DRST_STAT(DRST_STAT_FLUSHED_BYTES, "FlushedBytes")
/* closes that were not held, and cut a connection */
DRST_STAT(DRST_STAT_CUT_BY_MODE, "CutByMode")
DRST_STAT(DRST_STAT_CUT_NOT_NOTIFIED, "CutNotNotified")
DRST_STAT(DRST_STAT_CUT_BYTES, "CutBytes")
DRST_STAT(DRST_STAT_IN_HELD, "InHeld")
/* the ways in which an inbound hold ends */
DRST_STAT(DRST_STAT_IN_DELIVERED, "InDelivered")
DRST_STAT(DRST_STAT_IN_CLOSED, "InClosed")
DRST_STAT(DRST_STAT_IN_TIMED_OUT, "InTimedOut")
DRST_STAT(DRST_STAT_IN_OVER_LIMIT, "InOverLimit")
DRST_STAT(DRST_STAT_IN_MEMORY, "InMemory")
