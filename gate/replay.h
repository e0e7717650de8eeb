/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a policy makes of a message that the audit remembers: the same engine
 * that decided it, fed with the facts of its row. For `postern simulate` and
 * `postern explain ID`. One thread at a time.
 *
 * What the audit does not keep is not guessed. Problems of form are taken as
 * they were found then. A rule that asks for other header fields, the body or
 * attachments is not decidable, unless a rule of its name and conditions was
 * asked then: what it came to stands. Keys are taken as usable, but where signing
 * failed then it fails again.
 */
#ifndef POSTERN_GATE_REPLAY_H
#define POSTERN_GATE_REPLAY_H

#include "base/record.h"
#include "policy/message.h"
#include "sql/store.h"

struct replay;

/* Both are borrowed; reader, where the messages come from, tells of the policies of
 * the past and may be NULL. NULL when memory is short. */
struct replay *replay_new(const struct policy *p, struct store_reader *reader);
void replay_free(struct replay **r);

/* What came out. Borrowed until the next replay. */
struct replayed {
	const struct decision *decision; /* of the message; where every recipient is refused, of the last */
	const struct decision *would;
	const struct message *message;
	const char *undecidable;         /* NULL, or why the audit cannot tell */
};

/* Decides again. `limits`: NULL for none; else they are weighed and, when the
 * message passes, charged at its time. 0, or -1 when memory was short. */
int replay_message(struct replay *r, const struct record *record, struct rehearsal *limits,
		   struct replayed *out);

/* The same for the first of some counted refusals: what is known goes as far as
 * the stage at which it was refused; if it passes that, it is not decidable. */
int replay_refusal(struct replay *r, const struct refusal *refusal, struct replayed *out);

#endif
