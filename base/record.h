/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A record: what the audit keeps of one message. Made by gate/, written by the
 * store as it stands. Plain data; strings are borrowed, never NULL ("" where a
 * fact is not known). Times are wall time in milliseconds since 1970 UTC.
 */
#ifndef POSTERN_BASE_RECORD_H
#define POSTERN_BASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_recipient {
	const char *address;   /* as decided: local@domain, domain in lower case A-labels */
	const char *domain;
	const char *place;     /* "internal", "external", "local" */
	bool accepted;         /* false: refused at RCPT */
	const char *reason;    /* keyword why refused, or in monitor mode would have been */
};

struct record_signature {
	const char *domain;
	const char *selector;
	const char *algorithm; /* "rsa-sha256", "ed25519-sha256" */
	const char *result;    /* "signed", or why not */
};

/* A rule that matched, or could not be decided. */
struct record_rule {
	const char *name;
	const char *action;    /* "reject", "tag", ... */
	const char *mode;      /* "enforce" or "monitor": the rule's own */
	const char *answer;    /* "yes" or "unknown" */
	bool decided;          /* the verdict is this rule's */
};

/* A rule of a policy as the audit remembers it, so that what it asked of a
 * message is known later. */
struct policy_rule {
	const char *name;
	const char *conditions; /* digest of its conditions, hexadecimal */
};

/* The rules of one policy, in their order. */
struct policy_note {
	const char *policy;    /* its digest, as in record.policy */
	const struct policy_rule *rules;
	size_t n_rules;
};

struct record {
	const char *id;        /* audit id, 26 characters */
	int64_t time;
	const char *relay;     /* this host */
	const char *queue_id;
	const char *stage;     /* where decided: "connect", "mail", "rcpt", "eom" */

	/* What happened. */
	const char *verdict;   /* what the MTA was told: accept reject defer hold discard */
	const char *reason;    /* keyword, "" when accepted without remark */
	int code;              /* SMTP code of the reply, 250 when accepted */
	const char *enhanced;  /* "5.7.1" */
	const char *text;      /* the reply's text without keyword and id */

	/* What would have happened with nothing on trial; equals what happened
	 * unless the message was monitored or a rule that matched was on trial. */
	const char *would;
	const char *would_reason;
	const char *would_text;
	const char *mode;      /* "enforce" or "monitor", as in force for this message */

	const char *app;
	const char *tenant;
	const char *method;
	const char *department;

	const char *client;    /* address, "" when unknown */
	const char *client_name;
	const char *helo;
	const char *login;
	const char *tls;       /* protocol version, "" for clear text */
	const char *certificate; /* subject */
	const char *certificate_issuer;
	bool picked_up;        /* handed in on the machine itself */

	const char *sender;    /* envelope sender, "" for the null sender */
	const char *sender_domain;
	const char *header_from;
	const char *header_from_domain;
	const char *header_sender;
	const char *subject;   /* kept, hashed or "" by the policy */
	const char *message_id;

	const char *form;      /* what is wrong with the form of header and body: reason keywords, blank
				* between; they rest on what the audit does not keep */
	int64_t size;          /* octets of header and body as the next hop gets them, without our own fields */
	int64_t recipients;    /* accepted ones */
	int64_t internal;
	int64_t external;
	int64_t local;

	const char *signing;   /* "signed", "not-signed", "no-key", "line-too-long", "unavailable", "" */
	int64_t stripped;      /* trusted header fields taken out */
	const char *policy;    /* digest of the policy files that decided */
	const char *trace;     /* the steps, one a line */
	int64_t decide_us;     /* time spent deciding and signing */

	struct record_recipient *rcpt;
	size_t n_rcpt;
	struct record_signature *signature;
	size_t n_signature;
	struct record_rule *rule;
	size_t n_rule;
};

#endif
