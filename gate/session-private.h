/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of a session. For session*.c only.
 */
#ifndef POSTERN_GATE_SESSION_PRIVATE_H
#define POSTERN_GATE_SESSION_PRIVATE_H

#include "gate/session.h"
#include "gate/spool.h"

#define KEYS_MAX 8u

enum state {
	STATE_IDLE,       /* no message */
	STATE_MAIL,       /* MAIL was taken */
	STATE_BODY,       /* the header is complete */
	STATE_DONE        /* decided; kept for reading */
};

struct session {
	const struct gate *gate;
	struct arena *connection, *arena;
	struct client client;
	const char *relay;
	enum state state;
	struct snapshot *snapshot;
	struct message message;
	struct id id;
	const char *queue_id;
	struct reply reply;
	struct decision refused_recipient; /* the latest; VERDICT_ACCEPT when there was none */
	struct sign *sign;
	struct spool *spool;      /* the body, while tags are open that must be signed */
	struct regex_budget budget;
	int64_t cpu_spent, cpu_began; /* microseconds of the engine's threads for this message */
	struct signature signatures[KEYS_MAX];
	size_t n_signatures;
	const char *signing;
	int64_t stripped;
	int64_t spent_us;
	int64_t sign_us;          /* of that, what signing took */
	bool after_cr;            /* the last octet of the body so far was CR */
	size_t line;              /* octets of the body's present line */
	struct record record;
	struct {
		struct decision decision, would;
		struct trace_step *step;
	} before_limits;
	bool tries;               /* it tries whether mail goes again that was paused upstream; */
	bool went;                /* it was taken and is on its way */
	char failure[120];        /* the reply when memory is short */
};

/* After the header: signs while the body streams, or where a tag may still come
 * keeps the body until its end. */
void signing_prepare(struct session *s);

/* At the end: the signatures, or why there is none; refuses where one is required. */
void signing_finish(struct session *s);

/* Counts the fields that do not go out. */
void signing_count_stripped(struct session *s);

/* Deletions from the last field up, so that no index moves; then our own fields,
 * the signatures on top. In the arena. */
const struct edit *signing_edits(struct session *s);

#endif
