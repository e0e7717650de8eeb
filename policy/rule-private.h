/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of rules. For rule*.c only.
 */
#ifndef POSTERN_POLICY_RULE_PRIVATE_H
#define POSTERN_POLICY_RULE_PRIVATE_H

#include "policy/message.h"

/* What is worth telling of a rule's conditions. */
struct rule_notes {
	enum rule_condition failed; /* of FOUND_NO: the first that does not hold */
	const char *doubt;          /* of FOUND_UNKNOWN: why, static; NULL none */
};

/* How one rule stands for one message. */
struct rule_run {
	enum found known;           /* the conditions that are known so far, together */
	uint32_t pending;           /* conditions that the end of the message will show */
	struct rule_notes notes;
	struct regex_scan **scans;  /* one per pattern of `body` */
	enum found *names, *types;  /* one per pattern of `attachment`, `attachment_type` */
};

struct rules_run {
	struct rule_run *rules;     /* as many as the policy has, in its order */
	size_t n;                   /* those that can be asked: none after one that is sure to end the search */
	struct body_reader *reader; /* NULL: no rule asks for the body */
	bool is_tried;              /* a rule on trial would have decided: no later one would have been asked */
};

#define RULE_BIT(c) (UINT32_C(1) << (c))
#define RULE_KNOWN_AT_RCPT (RULE_BIT(CONDITION_RECIPIENTS + 1) - 1)
#define RULE_KNOWN_AT_HEADER (RULE_BIT(CONDITION_HEADER + 1) - 1)
#define RULE_ALL (RULE_BIT(CONDITION_COUNT) - 1)

/* The rule's conditions among `mask`, together. `only`: of the recipients this
 * one; NULL all that are accepted. *notes_r is set for FOUND_NO and FOUND_UNKNOWN. */
enum found rule_holds(struct message *m, const struct rule *r, const struct rule_run *run,
		      const struct recipient *only, uint32_t mask, struct rule_notes *notes_r);

/* rule_body.c: starts reading the body for the rules whose `known` is not
 * FOUND_NO and whose conditions ask for it. */
void rule_body_start(struct message *m, struct rules_run *run);
void rule_body_free(struct message *m, struct rules_run *run);

/* The body is over. */
void rule_body_end(struct message *m);

/* The conditions on the body, once it is over. */
enum found rule_body_holds(const struct message *m, const struct rule *r, const struct rule_run *run,
			   enum rule_condition c);

/* Why this condition on the body could not be decided, static; NULL: its patterns
 * themselves. */
const char *rule_body_doubt(const struct message *m, enum rule_condition c);

#endif
