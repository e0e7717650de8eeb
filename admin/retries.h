/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who comes back after a 451, as far as the audit shows it: arrivals go in, in the order
 * of time; out come, for each app and client, how many of the 451s it got were followed
 * by what. Nothing is guessed: what can be read in two ways is counted as "cannot tell",
 * with the reason.
 *
 * Of a 451 at the end of a message the audit has all facts; of one at RCPT client, sender
 * and recipient; of one at MAIL client and sender. Those of one kind within an hour are
 * counted: of several only the time of the last is known, so only it is followed.
 *
 * One thread at a time.
 */
#ifndef POSTERN_ADMIN_RETRIES_H
#define POSTERN_ADMIN_RETRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/record.h"

/* A client that sends a burst is not coming back: what follows sooner is no evidence for
 * a retry, though it may be one. */
#define RETRIES_PAUSE_MS INT64_C(60000)
/* What a client does unprovoked is known from so many of its messages on, and it sends "not
 * otherwise" where at most every tenth of them was followed by another within the time. */
#define RETRIES_SAMPLES 5u
#define RETRIES_RARE 10u

enum retry_evidence {
	/* It came back: */
	RETRY_SAME_ID,          /* the same Message-ID, within the time */
	RETRY_LATE,             /* the same Message-ID, later than that */
	RETRY_SAME_CONTENT,     /* the same sender, recipients, subject and size, which it does not send otherwise */
	RETRY_UNUSUAL,          /* mail that can be it came, and such mail does not come otherwise */
	/* Nothing followed: */
	RETRY_NOTHING,          /* nothing of the client and sender */
	RETRY_OTHER_MAIL,       /* other mail of theirs, but not this */
	RETRY_LAST,             /* nothing of the client and sender after the last of several 451s */
	/* It cannot be told: */
	RETRY_NOT_OVER,         /* the time is not over */
	RETRY_ANYWAY,           /* such mail comes all the time */
	RETRY_UNKNOWN_HABIT,    /* mail that can be it came; too little other mail to know whether it comes anyway */
	RETRY_POSSIBLE,         /* what came may be it or not */
	RETRY_COUNTED,          /* counted with others; one may be the retry of another */
	RETRY_SILENCE,          /* the audit has nothing of anybody in the time */
	RETRY_TOO_MANY,         /* too many senders to keep apart */
	RETRY_EVIDENCE_COUNT
};

/* What is known of the 451s of one app and client. */
struct retry_place {
	const char *app, *client;
	uint64_t deferrals;
	uint64_t n[RETRY_EVIDENCE_COUNT];     /* add up to deferrals */
	struct id example[RETRY_EVIDENCE_COUNT];
	int64_t soonest_ms, latest_ms;        /* after the 451, of those that came back by Message-ID */
	uint64_t lost_to_limits;              /* of those that nothing followed, the ones that a limit deferred */
};

/* Something that the client sent. Strings are borrowed for the call. */
struct retry_arrival {
	int64_t time;
	const char *id;
	const char *app, *client, *sender;
	const char *recipient;                /* of a refusal: the one it was of, "" unknown */
	const struct record *record;          /* NULL: a refusal before the end of the message, or a counted one */
	bool deferred;                        /* it got a 451 */
	bool by_limit, several;               /* a limit said so; it is the last of several that were counted together */
	bool is_asked;                        /* whether it came back is to be found out */
};

struct retries;

/* NULL when memory is short. */
struct retries *retries_new(int64_t within_ms);
void retries_free(struct retries **r);

/* First, each 451, in any order. */
void retries_watch(struct retries *r, const struct retry_arrival *a);

/* Whether some 451 was told to this client and sender. */
bool retries_watched(struct retries *r, const char *client, const char *sender);

/* Then all arrivals, in the order of time. */
void retries_arrive(struct retries *r, const struct retry_arrival *a);

/* 451s of which nothing can be told for this reason. */
void retries_count(struct retries *r, const char *app, const char *client, const char *id,
		   enum retry_evidence why, uint64_t n);

/* Last: no later arrival is known. */
void retries_end(struct retries *r, int64_t end_ms);

/* NULL, or a static text: there was not room enough, and the rest is worth nothing. */
const char *retries_failed(const struct retries *r);

/* What came of it; valid until retries_free(). */
const struct retry_place *retries_places(const struct retries *r, size_t *n_r);

/* All of it from an audit, from retries_watch() to retries_end(): 451s of the time, and
 * what followed them up to `now`. 0, or -1 with a static text. In retries_read.c. */
struct store_reader;
struct store_range;
int retries_read(struct retries *r, struct store_reader *reader, const struct store_range *asked, int64_t now,
		 int64_t within_ms, const char **error_r);

#endif
