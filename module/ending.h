/* SPDX-License-Identifier: GPL-2.0 */
/* How an outbound hold ends. */
#ifndef _TLS_DRST_ENDING_H
#define _TLS_DRST_ENDING_H

#include "outbound.h"

bool drst_ending_due(const struct drst_outbound *out, enum drst_stat *how);
bool drst_ending_resets(const struct drst_outbound *out, enum drst_stat how);

#endif /* _TLS_DRST_ENDING_H */
