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
#include "policy/address.h"
#include "policy/header.h"
#include "policy/network.h"
#include "policy/policy.h"
#include "policy/reason.h"
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

struct message {
	struct arena *arena;
	const struct policy *policy;
	const struct client *client;
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

/* Refuses with verdict, code and enhanced code given (limits and rules). */
void message_refuse_with(struct message *m, struct decision d);

/* Whether the message is refused for good or for now. */
static inline bool
message_is_refused(const struct message *m)
{
	return m->decision.verdict >= VERDICT_DEFER;
}

/* "crm (10.1.2.3)": who sends, for texts. In the arena. */
const char *message_who(const struct message *m);

#endif
