/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A decision, told to the MTA.
 */
#ifndef POSTERN_MILTER_REPLY_H
#define POSTERN_MILTER_REPLY_H

#include <libmilter/mfapi.h>

#include "gate/session.h"

/* Sets the reply text and returns what the callback must return. */
sfsistat reply_give(SMFICTX *ctx, const struct reply *r);

/* At end of message: the edits, then the verdict. `leading_space`: the MTA
 * takes header values as they stand (SMFIP_HDR_LEADSPC). A failed edit ends in
 * a temporary failure. */
sfsistat reply_finish(SMFICTX *ctx, const struct reply *r, const struct edit *edits, bool leading_space);

#endif
