/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules of the admin: conditions that must all hold, and an action. The first
 * match that ends the search wins; tags accumulate. Three-valued: a rule that
 * cannot be decided follows on-failure. Pure.
 *
 * A rule acts on a single recipient, at RCPT, only where it rests on nothing but
 * connection and envelope and no rule before it could still decide; otherwise
 * on the whole message at its end.
 */
#ifndef POSTERN_POLICY_RULE_H
#define POSTERN_POLICY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/match.h"
#include "policy/network.h"
#include "policy/reason.h"

/* In the order of the words in the policy file. */
enum rule_action {
	RULE_ACCEPT,            /* stop looking */
	RULE_REJECT,
	RULE_DEFER,
	RULE_HOLD,
	RULE_DISCARD,
	RULE_TAG,               /* add a header field and go on */
	RULE_REQUIRE_TLS        /* refuse where the client's side is not encrypted */
};

/* The conditions; rule.given has a bit for each. */
enum rule_condition {
	CONDITION_APPS, CONDITION_EXCEPT, CONDITION_TENANTS, CONDITION_METHODS, CONDITION_CLIENTS,
	CONDITION_LOGINS, CONDITION_SENDER, CONDITION_TLS, CONDITION_HOURS, CONDITION_WEEKDAYS,
	CONDITION_RECIPIENTS, CONDITION_RECIPIENT_COUNT, CONDITION_FROM, CONDITION_SUBJECT,
	CONDITION_HEADER, CONDITION_SIZE, CONDITION_ATTACHMENT, CONDITION_ATTACHMENT_TYPE,
	CONDITION_BODY, CONDITION_COUNT
};

struct names {
	const char **list;
	size_t n;
};

/* "> 20M" */
struct comparison {
	char op;                /* '<', '>', 'l' for <=, 'g' for >=, '=' */
	uint64_t value;
};

/* Minutes since midnight, the end not included; an end before the start runs
 * over midnight. */
struct hours {
	unsigned from, to;
};

struct rule_header {
	const char *name;
	struct match_list patterns;
};

struct rule {
	const char *name;
	const char *file;       /* where it stands */
	unsigned line;
	uint32_t given;         /* 1 << enum rule_condition */
	const char *conditions; /* digest of the conditions as written, hexadecimal */

	struct names apps, except, tenants;
	unsigned methods;       /* 1 << enum method */
	struct network *clients;
	size_t n_clients;
	bool local;             /* clients: local among them */
	struct match_list logins, sender, from, subject, body, attachment, attachment_type, tls;
	struct match_list recipients;
	unsigned places, no_places; /* the classes among `recipients`: 1 << enum place */
	struct rule_header *headers;    /* all of them must hold */
	size_t n_headers;
	struct comparison size, recipient_count;
	struct hours *hours;
	size_t n_hours;
	unsigned weekdays;      /* 1 << 0 for Sunday */

	enum rule_action action;
	const char *tag_name, *tag_value;
	const char *message;    /* the refusal's text; "" for the standard one */
	const char *contact;    /* where to ask; "" for nowhere */
	bool is_on_trial;       /* mode: monitor */
};

const char *rule_action_name(enum rule_action a);
const char *rule_condition_name(enum rule_condition c);

struct message;
struct recipient;
struct decision;

/* What the rules of the policy make of one recipient at RCPT: *d_r is the
 * refusal of it (verdict ACCEPT when there is none). */
void rules_recipient(struct message *m, const struct recipient *r, struct decision *d_r);

/* After the header: what the rules need of the body. */
void rules_header(struct message *m);

/* Whether rules want to see the body. */
bool rules_want_body(const struct message *m);
void rules_body(struct message *m, const void *data, size_t len);

/* Whether a tag may still come that depends on what is not known before the
 * message's end: then it cannot be signed while it streams. */
bool rules_tag_later(const struct message *m);

/* Where rules_tag_later() is false: the tags, in m->tags, before the end. */
void rules_tag(struct message *m);

/* Decides, at the end of the message; sets m->tags and m->rule_matches. */
void rules_decide(struct message *m);

/* Frees what the arena does not. May be called at any time, also twice. */
void rules_free(struct message *m);

/* A rule that matched or could not be decided. */
struct rule_match {
	const struct rule *rule;
	enum found answer;      /* FOUND_YES or FOUND_UNKNOWN */
	bool decided;           /* the verdict is this rule's */
	struct rule_match *next;
};

/* A header field to be added. */
struct tag {
	const char *name, *value;
	struct tag *next;
};

#endif
