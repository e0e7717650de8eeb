/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A session: one connection of the MTA, its messages met by the policy. Knows
 * no libmilter; posternd, `postern explain`, the scenario runner and the
 * fuzzer all drive it. A session is used by one thread at a time, not always
 * the same one. It holds no lock.
 *
 * Any order of calls is safe. A message begins with session_mail() and ends
 * with session_eom(), session_abort(), the next session_mail() or
 * session_free(). What is out of order, or fails for lack of memory, ends in
 * a temporary failure, never in an accept.
 */
#ifndef POSTERN_GATE_SESSION_H
#define POSTERN_GATE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "gate/pauses.h"
#include "gate/sign.h"
#include "gate/snapshot.h"
#include "policy/message.h"
#include "sql/store.h"

/* What all sessions of a process share. */
struct gate {
	struct snapshot_holder *snapshots;
	struct store *store;          /* NULL: nothing is charged or recorded (explain) */
	struct store_reader *reader;  /* without a store: what limits are weighed by; NULL: nothing is limited */
	struct pauses *pauses;        /* what is paused upstream; NULL: nothing */
	const struct signer *signer;
	const struct clock *clock;
	const char *relay;            /* this host's name, as in its Received fields */
	/* One line per decision, and faults. Any thread. */
	void (*log)(void *context, bool is_error, const char *line);
	void *log_context;
};

enum action {
	ACTION_CONTINUE,
	ACTION_REFUSE,                /* code, enhanced and text say how */
	ACTION_ACCEPT,                /* at end of message only; with edits */
	ACTION_HOLD,                  /* accept and quarantine, text is the reason; with edits */
	ACTION_DISCARD
};

struct reply {
	enum action action;
	int code;
	const char *enhanced;
	const char *text;             /* printable ASCII, one line, "[keyword] ... (id ID)" */
};

struct edit {
	bool insert;                  /* false: delete the index-th field of this name */
	const char *name;
	size_t index;
	const char *value;            /* continuation lines after "\n"; no leading space */
	const struct edit *next;
};

/* What the MTA says on connecting. NULL stands for what it does not say. */
struct session_connect {
	struct ip ip;
	const char *name;
	const char *relay;            /* {j}: the MTA's own name; gate->relay where it does not say */
};

/* What it says with MAIL. NULL stands for what it does not say. */
struct session_mail {
	const char *sender;           /* as typed, with or without angle brackets */
	const char *understood;       /* {mail_addr} */
	const char *queue_id;
	const char *login;            /* {auth_authen} */
	const char *tls;              /* {tls_version} */
	const char *cert_subject;
	const char *cert_issuer;
	const char *cert_fingerprint;
	bool picked_up;               /* handed in on the machine itself: no single recipient can be refused */
};

struct session;

/* NULL when memory is short. */
struct session *session_new(const struct gate *g, const struct session_connect *c);
void session_free(struct session **s);

void session_helo(struct session *s, const char *name);

/* Replies are borrowed until the next call with the same session. */
const struct reply *session_mail(struct session *s, const struct session_mail *mail);
const struct reply *session_rcpt(struct session *s, const char *recipient, const char *understood,
				 const char *mailer, const char *queue_id);
/* value: as received, leading space kept, continuation lines after "\n". */
void session_header(struct session *s, const char *name, const char *value);
void session_eoh(struct session *s);
/* false when the rest of the body is not needed. */
bool session_body(struct session *s, const void *data, size_t len);

/* The verdict on the message; edits (deletions from the highest index down,
 * then insertions) are in *edits_r when it is accepted or held. */
const struct reply *session_eom(struct session *s, const char *queue_id, const struct edit **edits_r);
void session_abort(struct session *s);

/* The message as it stands, also after session_eom(); NULL before the first
 * MAIL. Borrowed until the next session_mail(). For explain and tests. */
const struct message *session_message(const struct session *s);
/* The decision on the latest of its recipients that was refused; NULL when none
 * was. Where all were, it is what the client heard last. Borrowed alike. */
const struct decision *session_refused_recipient(const struct session *s);
/* Its audit id, "" before MAIL. */
const char *session_id(const struct session *s);
/* Its signatures after session_eom(). */
const struct signature *session_signatures(const struct session *s, size_t *n_r);

#endif
