/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The upstream pause: which of Exchange Online's replies stop which mail, for how
 * long, and when one message may try whether it goes again. A state machine fed with facts; it
 * asks no clock and keeps nothing. Any thread.
 */
#ifndef POSTERN_POLICY_PAUSE_H
#define POSTERN_POLICY_PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whose mail a reply stops, within its tenant. */
enum pause_of {
	PAUSE_OF_TENANT,          /* everybody's */
	PAUSE_OF_DOMAIN,          /* that of senders in the sender's domain */
	PAUSE_OF_SENDER           /* that of this sender */
};

/* What a reply stops. */
struct pause_rule {
	const char *keyword;      /* of the reply, as admin/m365.h names it */
	enum pause_of of;
	bool external_only;       /* mail to the tenant's own domains goes on */
	bool every_relay;         /* the tenant's, not this relay's */
	int64_t wait_ms;          /* how long the reply implies; 0: it does not say */
};

/* The rule of a reply's keyword, NULL for one that stops nothing beyond its message. */
const struct pause_rule *pause_rule(const char *keyword);
/* The i-th rule; NULL behind the last. */
const struct pause_rule *pause_rules(size_t i);

/* A success counts only when it came so long after the reply: what was under way while it was
 * said says nothing. */
#define PAUSE_SETTLE_MS INT64_C(60000)
/* Where the reply does not say for how long: from ... on, twice as long after each try, up to ... */
#define PAUSE_FIRST_MS INT64_C(600000)
#define PAUSE_LONGEST_MS INT64_C(14400000)
/* How long the answer to a try is waited for, and how many tries may stay without one. */
#define PAUSE_ANSWER_MS INT64_C(600000)
#define PAUSE_UNANSWERED 3u

/* What nobody tried for so long after it held says nothing any more. */
#define PAUSE_OLD_MS INT64_C(86400000)

/* Wall times in milliseconds; 0 for never. */
struct pause_facts {
	int64_t since;            /* when the reply came first, */
	int64_t said;             /* and last, since it went well before */
	int64_t good;             /* when such mail was last taken */
	int64_t lifted;           /* when an admin lifted it last */
	int64_t wait_ms;          /* as the rule has it */
	/* The tries of this process. */
	int64_t tried;            /* the last one, since it was said last */
	unsigned unanswered;      /* how many before it had no answer */
};

enum pause_state {
	PAUSE_CLOSED,             /* mail passes */
	PAUSE_HOLDS,              /* mail is deferred */
	PAUSE_TRIES,              /* one message may pass now */
	PAUSE_WAITS               /* one message has passed; its answer is waited for */
};

/* The state now; *until_r (may be NULL): up to when it holds without a try. */
enum pause_state pause_state(const struct pause_facts *f, int64_t now, int64_t *until_r);

/* "" (everybody), "@contoso.com", "a@contoso.com": what a row says whose mail it stops, for this envelope
 * sender. NULL where there is none: a null sender has neither domain nor mailbox. In buf where it must be. */
const char *pause_scope(const struct pause_rule *r, const char *sender, char *buf, size_t size);
/* Whether mail of this envelope sender is in it. ASCII case is ignored. */
bool pause_covers(const char *scope, const char *sender);

#endif
