/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a decided message to what the store keeps of it.
 */
#ifndef POSTERN_GATE_AUDIT_H
#define POSTERN_GATE_AUDIT_H

#include "base/record.h"
#include "gate/sign.h"
#include "policy/message.h"
#include "sql/store.h"

/* What the session knows beside the message. */
struct audit_context {
	const char *id;
	const char *relay;
	const char *queue_id;
	const char *stage;
	int64_t time;             /* wall, milliseconds */
	int64_t decide_us;
	const char *signing;      /* see struct record */
	int64_t stripped;
	const struct signature *signatures;
	size_t n_signatures;
};

/* Fills r from the message; strings and arrays are in the message's arena. */
void audit_record(struct record *r, const struct message *m, const struct audit_context *c);

/* What the log line of a refusal needs: the one recipient (NULL: none), no
 * signatures, no trace. A message may have thousands of refused recipients. */
void audit_brief(struct record *r, const struct message *m, const struct audit_context *c, const char *recipient);

/* The same facts as a counted refusal; `recipient` may be NULL. */
void audit_refusal(struct refusal *r, const struct message *m, const struct decision *d,
		   const struct audit_context *c, const char *recipient);

#endif
