/* SPDX-License-Identifier: GPL-2.0 */
/* The second argument of the calls that wait for events. */
#ifndef SELFTESTS_JUDGE_WAIT_H
#define SELFTESTS_JUDGE_WAIT_H

#define WAIT_NOT 0
#define WAIT_FOREVER (-1)
#define WAIT_MULTI (-2)	/* io_uring: more than one event */

#endif
