/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether an identity that a message shows belongs to its app and tenant.
 * Pure.
 */
#ifndef POSTERN_POLICY_ALIGNMENT_H
#define POSTERN_POLICY_ALIGNMENT_H

#include "policy/message.h"

enum alignment {
	ALIGNMENT_GOOD,
	ALIGNMENT_NOT_ACCEPTED,     /* the domain is no accepted domain */
	ALIGNMENT_MAY_NOT_SEND,     /* it is one that may not send */
	ALIGNMENT_OTHER_TENANT,     /* it is another tenant's */
	ALIGNMENT_NOT_ALLOWED       /* the app's senders do not cover it */
};

/* Judges one address by m's app and tenant (m->app may be NULL: then the
 * domain alone is judged). */
enum alignment alignment_of(const struct message *m, const struct address *a);

/* What an alignment means, for texts: "no accepted domain". */
const char *alignment_text(enum alignment a);

/* Checks the envelope sender: refuses with sender-not-accepted,
 * sender-not-allowed or null-sender. */
void alignment_check_sender(struct message *m);

/* Checks header From, Sender and Resent-* once the header is complete. */
void alignment_check_header(struct message *m);

#endif
