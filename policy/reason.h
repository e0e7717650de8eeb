/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of reasons: each keyword has one meaning, one code, and advice. The
 * keyword is the same in the reply, the log, the audit and the manual. Pure.
 */
#ifndef POSTERN_POLICY_REASON_H
#define POSTERN_POLICY_REASON_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_DISCARD,
	VERDICT_HOLD,
	VERDICT_DEFER,
	VERDICT_REJECT
};

struct reason {
	const char *keyword;
	enum verdict verdict;
	int code;
	const char *enhanced;
	const char *when;       /* one line for the manual */
	const char *advice;     /* what the app's owner can do about it */
	bool is_form;           /* found in header or body octets, whoever sends to whomever */
};

/* The row of a keyword, NULL when there is none. "limit:crm/..." finds "limit". */
const struct reason *reason_find(const char *keyword);

/* All rows, in the manual's order. */
const struct reason *reason_table(size_t *n_r);

/* "accept", "discard", "hold", "defer", "reject". */
const char *verdict_name(enum verdict v);

#endif
