/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The facts known so far about one message, and what has been decided on them.
 * Filled stage by stage by gate/session, read and decided upon by decide.h. One
 * message belongs to one session; no lock.
 */
#ifndef POSTERN_POLICY_MESSAGE_H
#define POSTERN_POLICY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/charge.h"
#include "base/record.h"
#include "policy/address.h"
#include "policy/header.h"
#include "policy/network.h"
#include "policy/policy.h"
#include "policy/reason.h"
#include "policy/rule.h"
#include "policy/trace.h"

/* What the MTA says of the connection. Strings are never NULL. */
struct client {
	struct ip ip;
	char address[IP_TEXT_SIZE]; /* canonical text, "" when not known */
	const char *name;
	const char *helo;
	const char *login;          /* SASL login, "" for none */
	const char *tls;            /* protocol version, "" for clear text */
	const char *cert_subject;   /* "" when there is none, or it is not trusted */
	const char *cert_issuer;
	const char *cert_fingerprint;
	bool local;                 /* handed in on the machine itself */
};

enum place { PLACE_INTERNAL, PLACE_EXTERNAL, PLACE_LOCAL };

struct recipient {
	const char *typed;          /* as typed */
	struct address address;
	enum place place;
	bool accepted;
	const char *reason;         /* why refused, or in monitor mode would have been; "" otherwise */
	struct recipient *next;
};

/* One decision: the keyword of the reason, and the text for people. */
struct decision {
	enum verdict verdict;
	const char *reason;         /* "" when accepted */
	int code;
	const char *enhanced;
	const char *text;
};

struct body_facts {
	uint64_t octets;
	size_t longest_line;
	bool has_nul;
	bool has_bare_line_end;
};

/* What the audit remembers of a message that is decided again; what it does not
 * keep (other header fields, the body) is not to be asked for. */
struct recorded {
	const char *form;           /* as message.form was */
	bool has_subject;           /* the subject is there as it was */
	/* The rules that were asked then, in order, and those of them that matched or
	 * could not be decided: they stand for what cannot be asked again. */
	const struct policy_rule *asked;
	size_t n_asked;
	const struct record_rule *matches;
	size_t n_matches;
};

struct message {
	struct arena *arena;
	const struct policy *policy;
	const struct client *client;
	const struct recorded *recorded; /* NULL: a message that is here */
	struct trace trace;

	/* MAIL */
	const char *sender_typed;
	const char *sender_macro;   /* as the MTA understood it; NULL when it does not say */
	struct address sender;
	const struct app *app;
	const struct tenant *tenant;
	enum mode mode;

	/* RCPT */
	struct recipient *recipients, *last_recipient;
	uint64_t accepted, internal, external, local;
	uint64_t refused;           /* all of them, also those not kept in the list */
	bool picked_up;             /* nothing may be refused before end of message */

	/* header and body */
	struct header header;
	struct mailbox from;
	bool has_from;
	struct mailbox header_sender;
	struct body_facts body;
	const struct signing *signing; /* the keys for this From; NULL: none */
	bool sign_required;
	bool sign_required_in_words;   /* the app says sign: required */
	bool sign;                     /* a signature is to be made */
	const char *form;              /* keywords of what was wrong in form, blank between; "" for none */

	int64_t day;                   /* since 1970, UTC; -1 not known. Set from outside */

	/* Rules. Set from outside: the clock on the wall and the budget. */
	int minute, weekday;           /* of the relay's day; -1 not known; 0 is Sunday */
	const struct regex_budget *budget;
	struct rules_run *rules;       /* NULL: no rules, or not begun */
	struct rule_match *rule_matches, *last_rule_match;
	struct tag *tags;
	const struct rule *undecidable; /* a rule that asks for what the audit does not keep */

	/* Limits. */
	struct charge *charges;
	size_t n_charges, charges_room;

	/* What the MTA will be told, and what enforce would have said. The
	 * first refusal stays. */
	struct decision decision;
	struct decision would;
};

void message_start(struct message *m, struct arena *a, const struct policy *p,
		   const struct client *c);

/* Refuses (or in monitor mode: notes that it would have been refused) for the
 * reason with this keyword; its code and verdict stand in the reason table. The
 * first refusal stays. */
void message_refuse(struct message *m, const char *keyword, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Notes a problem of form for the audit: what is wrong is kept apart from what
 * is decided of it, for a later look has no header and body to find it in.
 * message_refuse() does so for the reasons that are of form. */
void message_note_form(struct message *m, const char *keyword);

/* Refuses a recorded message for each of these that was wrong with its form then,
 * in the order then; whether there was one. */
bool message_refuse_recorded(struct message *m, const char *const *keywords, size_t n);

/* Refuses with verdict, code and enhanced code given (limits and rules). */
void message_refuse_with(struct message *m, struct decision d);

/* Notes what would have been decided were nothing on trial. The first stays. */
void message_would(struct message *m, struct decision d);

/* Whether the message is refused for good or for now. */
static inline bool
message_is_refused(const struct message *m)
{
	return m->decision.verdict >= VERDICT_DEFER;
}

/* Takes the recipient added last, which was accepted, back: it is refused after
 * all. The string must live as long as the message. */
void message_take_back(struct message *m, struct recipient *r, const char *reason);

/* "crm (10.1.2.3)": who sends, for texts. In the arena. */
const char *message_who(const struct message *m);

#endif
