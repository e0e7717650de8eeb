/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What became of the mail, as it is written by who reads the MTA's log. One process
 * writes an SQLite store, so this is a file of its own beside it
 * (postern.db-deliveries), with its writer's owner; in PostgreSQL tables of the same database.
 *
 * How far the log was read is part of the same transaction: whatever ends this process at
 * any point, no line is lost or counted twice.
 *
 * For `postern follow`; see store.h for reading. One thread at a time.
 */
#ifndef POSTERN_SQL_DELIVERIES_H
#define POSTERN_SQL_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deliveries;

/* A place in a log. */
struct deliveries_place {
	int64_t inode;
	int64_t position;         /* octets; of a journal, how many entries were read */
	char mark[640];           /* the octets before the position in hexadecimal, or the journal's cursor */
};

/* A message in the MTA's queue. */
struct deliveries_key {
	const char *instance;     /* of the MTA */
	const char *queue_id;
	int64_t time;             /* of the line, wall time in milliseconds */
};

/* A try to deliver to one recipient. */
struct deliveries_try {
	struct deliveries_key key;
	const char *pid;          /* the process, for what it said of TLS before */
	const char *host;         /* the next hop's name alone, likewise; "" for none */
	const char *recipient, *original, *status, *dsn, *next_hop, *reply;
	const char *next_hop_of;  /* tenants, ",contoso,", "" for none */
	int64_t delay_ms;
};

/* Opens the place beside the store of this URL, and makes it where it is missing. `relay`: this
 * host's name, borrowed. NULL with a text in error_r (caller's buffer). */
struct deliveries *deliveries_open(const char *url, const char *relay, char *error_r, size_t error_size);
void deliveries_close(struct deliveries **d);

/* How far this source was read: 1, 0 with a place of zeros when it never was, or -1 (deliveries_error()). */
int deliveries_place(struct deliveries *d, const char *source, struct deliveries_place *place_r);

/* What was read between two places, in one transaction: begin, any of the others, commit. Each is
 * 0 or -1; after a failure only deliveries_abandon() makes sense. */
int deliveries_begin(struct deliveries *d);
int deliveries_tried(struct deliveries *d, const struct deliveries_try *t);
/* The queue id is a new message's; old_id: the one it had before it was requeued, "" for none. */
int deliveries_begun(struct deliveries *d, const struct deliveries_key *k, const char *old_id);
int deliveries_removed(struct deliveries *d, const struct deliveries_key *k);
/* An operator deleted it; what was deferred is deleted. */
int deliveries_deleted(struct deliveries *d, const struct deliveries_key *k);
/* What was deferred is expired. */
int deliveries_expired(struct deliveries *d, const struct deliveries_key *k);
/* This process of the MTA now has a connection by TLS to this host. */
int deliveries_tls(struct deliveries *d, const struct deliveries_key *k, const char *pid, const char *host, const char *tls);

/* A reply that stops more than its message, see sql/sqlite/deliveries-upstream.sql. */
struct deliveries_said {
	const char *tenant;
	const char *sender;       /* whose mail */
	const char *keyword, *reply;
	bool every_relay, external_only;
	int64_t time, wait_ms;
	int64_t settle_ms, old_ms; /* it begins anew so long after a success, or after it was said last */
};
int deliveries_said(struct deliveries *d, const struct deliveries_said *s);
/* Mail of this tenant and envelope sender (lower case), to the outside or not, was taken. */
int deliveries_good(struct deliveries *d, const char *tenant, const char *sender, bool is_external, int64_t time);

/* `from`: where the reading began, as deliveries_place() or the last commit said. 1, with nothing written,
 * where another process has moved it meanwhile. */
int deliveries_commit(struct deliveries *d, const char *source, const struct deliveries_place *from,
		      const struct deliveries_place *to);
void deliveries_abandon(struct deliveries *d);

/* What a report that was mailed says of one recipient. */
struct deliveries_report {
	const char *digest;       /* the same for another copy of the report, and only then */
	const char *audit_id;     /* of the message, "" where the report has none; then ... */
	const char *header_id;    /* ... its Message-ID */
	const char *recipient, *original, *action, *status, *reporter, *remote, *reply;
	const char *via, *path, *next_hop_of, *file; /* see deliveries-reported.sql */
	int64_t time;             /* when it came */
};

/* Something to be counted, see deliveries-reported.sql. */
struct deliveries_count {
	const char *kind, *tenants, *status, *class;
	int64_t count;
};

/* Calls `each` for the names of the files that were read in this folder; a result other than 0 ends it.
 * 0, what `each` returned, or -1. */
int deliveries_files(struct deliveries *d, const char *folder, int (*each)(void *context, const char *name), void *context);
/* Within a transaction: a file that was read, its time being `time`: 1, 0 where it was read already, -1. */
int deliveries_file(struct deliveries *d, const char *folder, const char *name, int64_t time);
/* Likewise; 0 where this is known from another file. */
int deliveries_reported(struct deliveries *d, const struct deliveries_report *r);
/* Adds to a sum. 0 or -1. */
int deliveries_count(struct deliveries *d, const struct deliveries_count *c);
/* Commits a transaction in which no place moves. 0 or -1. */
int deliveries_end(struct deliveries *d);
/* Says for monitoring when the follower last looked (wall time), and how far it is behind. A transaction of its own.
 * 0 or -1. */
int deliveries_seen(struct deliveries *d, int64_t now_ms, int64_t behind_ms);

/* Deletes up to `max` recipients whose last try was before this wall time, and as many that were reported before it; how
 * many of those of which there were more, or -1. Files of reports that are older are forgotten. */
int deliveries_prune(struct deliveries *d, int64_t before_ms, int max);

/* What the last failure was: a static text; and whether it must be opened anew. */
const char *deliveries_error(const struct deliveries *d);
bool deliveries_is_lost(const struct deliveries *d);

#endif
