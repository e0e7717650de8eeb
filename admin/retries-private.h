/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of postern report retries. A 451 waits in a queue until its time is
 * over; what it waits for is looked up by number (learn_table), so that no arrival walks
 * the queue.
 */
#ifndef POSTERN_ADMIN_RETRIES_PRIVATE_H
#define POSTERN_ADMIN_RETRIES_PRIVATE_H

#include "admin/learn_table.h"
#include "admin/retries.h"
#include "base/arena.h"
#include "base/text.h"

/* Outcomes that habit decides in the end. */
enum { BY_CONTENT, BY_OTHER, UNCLAIMED, WEAK_COUNT };

struct weak {
	struct weak *next;
	uint32_t place;
	uint64_t n[WEAK_COUNT];
	struct id example[WEAK_COUNT];
};

/* A client and sender, or a client, sender and recipient. Times are 0 for never. */
struct track {
	int64_t message;          /* when a message of it came last */
	int64_t refusal, nameless; /* when a refusal came last, and one whose recipient is unknown */
	int64_t deferral;         /* when a 451 was told last */
	int64_t sample;           /* an undisturbed message that is watched for a follower */
	uint32_t samples, followed;
	uint32_t group;           /* the track of its client and sender */
	struct waiting *first, *last; /* 451s that have claimed nothing, by time */
	struct weak *weak;
};

/* A Message-ID of a sender, or the content of a message of a client. */
struct mark {
	int64_t time;
	struct waiting *first;    /* that wait for the Message-ID */
};

enum waiting_kind { ANY_MAIL, TO_RECIPIENT, MESSAGE };

struct waiting {
	struct waiting *next, *next_of_group, *next_of_mark;
	int64_t time;
	uint32_t place, group, track, content, message_id, recipient;
	enum waiting_kind kind;
	bool by_limit, several, done;
	int claimed;              /* BY_CONTENT, BY_OTHER or UNCLAIMED */
	int outcome;              /* an evidence, or -1 for what habit decides; once its time is over */
	struct id id;
};

struct queue {
	struct waiting *first, *last;
	size_t n;
};

struct retries {
	int64_t within, anybody;
	struct learn_table *place_names, *track_names, *mark_names;
	struct retry_place *places;
	struct track *tracks;
	struct mark *marks;
	size_t places_room, tracks_room, marks_room;
	struct queue waiting, late;
	struct arena *arena;      /* weak outcomes */
	struct text name;
	const char *failed;
};

/* ---- retries_table.c: names and numbers, from 1; 0 is none */

/* There was not room enough. */
void retries_fail(struct retries *r);

uint32_t retries_place(struct retries *r, const char *app, const char *client);
uint32_t retries_group(struct retries *r, const char *client, const char *sender);
uint32_t retries_track(struct retries *r, const struct retry_arrival *a, const char *recipient);

/* The recipient of a 451 by whom it is told from others; "" unknown. */
const char *retries_recipient(const struct retry_arrival *a);

/* The number of a mark, made where it is new. The names live until the next one. */
uint32_t retries_mark(struct retries *r, const char *name);
const char *retries_content_name(struct retries *r, const struct retry_arrival *a);
const char *retries_message_id_name(struct retries *r, const struct retry_arrival *a);
const char *retries_address_name(struct retries *r, const char *address);

/* ---- retries_settle.c: what becomes of those that wait */

/* Counts n 451s, with this id for an example. */
void retries_settle(struct retry_place *p, enum retry_evidence e, const struct id *id, uint64_t n);

void retries_queue(struct queue *q, struct waiting *w);

/* Judges those whose time is over before now. */
void retries_expire(struct retries *r, int64_t now);

#endif
