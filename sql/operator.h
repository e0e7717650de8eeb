/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What operators, and the programs that act for them, ask of the daemon. One
 * process writes an SQLite store, so requests are put into a second file beside
 * it (postern.db-operator: several may write it; owner and mode of the first);
 * in PostgreSQL into the table `requests` of the same database. The daemon takes
 * each up once, in one transaction with what it does, and notes it in `acts` of
 * its own file; see sql/acts.c for what can be asked.
 *
 * For every program but posternd. One thread at a time.
 */
#ifndef POSTERN_SQL_OPERATOR_H
#define POSTERN_SQL_OPERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/id.h"

/* A request. Strings are borrowed; NULL is the same as "". */
struct operator_request {
	char id[ID_LENGTH + 1];   /* set by operator_add() */
	int64_t time;             /* likewise: wall time, milliseconds */
	const char *who;          /* the person */
	const char *what;         /* "release", "reset", ...: the rows of sql/acts.c */
	const char *limit_name;   /* "crm/messages-per-minute" */
	const char *key;          /* of its counter: "" or "client=10.1.9.7" */
	const char *scope;        /* of the limit, as in struct charge: "app:crm" */
	int64_t unit, period;     /* likewise; period in seconds */
	int64_t amount;
	int64_t until;            /* wall time, milliseconds */
	const char *message_id;   /* the audit id of a message */
};

struct operator;

/* Opens the place for requests beside the store of this URL, and makes it where
 * it is missing. NULL with a text in error_r (caller's buffer) that says what to do. */
struct operator *operator_open(const char *url, char *error_r, size_t error_size);
void operator_close(struct operator **o);

/* Puts n requests there in one transaction and gives each its id and time; those
 * that the daemon has taken up are removed. 0, or -1 with a static text. */
int operator_add(struct operator *o, const struct clock *clock, struct operator_request *requests, size_t n,
		 const char **error_r);

/* Whether a request of this kind (NULL: of any) that concerns this message is there and was
 * not taken up. 1, 0, or -1 with a static text. */
int operator_is_pending(struct operator *o, const char *message_id, const char *what, const char **error_r);

enum operator_answer {
	OPERATOR_FAILED,          /* the request could not be made: the text says why */
	OPERATOR_DONE,            /* the text, which may be "", says what was done */
	OPERATOR_REFUSED,         /* the daemon says why it does not do it */
	OPERATOR_LATER            /* it is there, the daemon did not take it up so far: the text says why */
};

/* Waits up to `ms` milliseconds until the daemon has taken the request up. The text
 * goes into text_r (caller's buffer). */
enum operator_answer operator_wait(struct operator *o, const char *id, int64_t ms, char *text_r, size_t text_size);

/* All of it for one request: opens, adds, waits up to 3 seconds, closes. r->id is the
 * request's where the answer is not OPERATOR_FAILED. */
enum operator_answer operator_request(const char *url, const struct clock *clock, struct operator_request *r,
				      char *text_r, size_t text_size);

#endif
