/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store: what Postern remembers. This header is the whole interface.
 *
 * One transaction per message: store_admit() weighs all charges of a message,
 * charges all of them or none, and writes the audit rows, in one transaction
 * of the database, and returns when it is on disk.
 *
 * The limits' clock: within one boot, the boot clock anchored once to wall
 * time (the anchor is kept in the database); across a reboot, wall time, but
 * never earlier than the latest time already charged at.
 *
 * Shares: several relays may share a PostgreSQL database. Where store_options.local_url
 * names an SQLite file, a relay grants from that file while it cannot reach the
 * database: of each limit of N the part N/relays, rounded down, and likewise of what
 * is kept or reserved. Over the share, what the limit would reject is deferred, for
 * nobody knows that the limit is reached; what it would hold is held, and waits at
 * least until the database is back. Then the next message goes to the database, and
 * beside that all there is in the file is reported to it, in steps that no message
 * waits for longer than for another's write; each row once, whenever the process dies.
 * What was granted counts there for the time at which it was granted, beyond N if need
 * be. The counters of the file stay until their periods are over.
 *
 * So in no interval of length T, however often the database goes and comes, for all
 * relays together or for some, does more pass than
 *     N              granted by the database, whose counters hold all that it granted,
 *     + N/relays     by each relay, whose own counters hold all that it granted itself:
 * together at most N + relays * (N/relays), which is never more than 2 N. That counts
 * on `relays` being how many there are, and on their files not being taken away.
 *
 * All functions may be called from any thread once store_open() has returned;
 * no lock is held while the caller's `settle` runs.
 */
#ifndef POSTERN_SQL_STORE_H
#define POSTERN_SQL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/charge.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/record.h"
#include "base/window.h"

struct store;

/* A store's URL without its passwords, for logs; cut to size. */
void store_shown_url(const char *url, char *shown_r, size_t size);

enum store_durability {
	STORE_DURABILITY_POWER,   /* an admitted row survives loss of power */
	STORE_DURABILITY_PROCESS  /* it survives the death of the process */
};

struct store_options {
	const char *url;          /* "sqlite:/path", "postgresql://..."; "memory:" for the fake */
	enum store_durability durability;
	const char *relay;        /* this host's name */
	const struct clock *clock;
	/* Called from the writer's thread with one line that an admin should
	 * see; at most once a minute for the same fault. */
	void (*log)(void *context, bool is_error, const char *line);
	void *log_context;
	/* Whether a held message of this tenant, whose turn has come, must stay where it is for now; NULL: never.
	 * From the writer's thread. */
	bool (*stays)(void *context, const char *tenant);
	void *stays_context;
	const int64_t *server_skew; /* for tests, or NULL: milliseconds added to a server's time */
	const _Atomic bool *server_away; /* likewise: the server is taken for away while it is true */
	/* What a relay goes on with while the server is away: see "Shares". NULL: nothing. */
	const char *local_url;    /* "sqlite:/path" */
	uint64_t relays;          /* how many relays share the database, at least 1 */
	bool is_backup;           /* for sql/ only: url is such a file, and may be unusable at first */
};

/* Opens for writing: takes the lock of the one writer, creates or migrates the
 * schema, starts the writer thread. NULL on error, with a text in error_r
 * (caller's buffer) that says what is wrong and what to do. */
struct store *store_open(const struct store_options *options, char *error_r, size_t error_size);

/* Makes the tables, or brings them to this version, and does nothing else. 0, or -1 with
 * a text. */
int store_migrate(const char *url, char *error_r, size_t error_size);

/* Writes what is queued, stops the writer, closes. Sets *s to NULL. */
void store_close(struct store **s);

/* One message to be admitted. The caller owns it all and keeps it until
 * store_admit() returns. */
struct admit {
	struct record *record;
	struct charge *charges;
	size_t n_charges;
	/* Called on the writer's thread, after used/exceeded/retry_ms of
	 * each charge are known and before the rows are written. `stopped`:
	 * some charge stands in the way (charge_stops()), so none is charged.
	 * It finishes `record` (verdict, reason, text) and `held`. It must not
	 * block and must not call the store. Where a transaction must be tried
	 * again it is called again, and must begin anew. */
	void (*settle)(struct admit *a, bool stopped);
	void *context;
	/* Before settle: the charges are held against this relay's shares of the limits. */
	bool is_share;
	/* Set by settle: the MTA is told to hold the message; where charges stop it,
	 * until they have room for it, otherwise until somebody lets it go. */
	bool held;
	/* Out: whether the charges were charged. */
	bool charged;
	/* Out, where store_admit() fails: because the database server cannot be reached, or takes
	 * nobody in for now (db_is_away()), and not for a fault of its own. */
	bool is_away;
};

/* Weighs, charges and records; returns when the rows are as durable as asked.
 * 0: written (a->charged says whether charged). -1: nothing was written and
 * nothing charged; *error_r is a static text. */
int store_admit(struct store *s, struct admit *a, const char **error_r);

/* Fills used, exceeded and retry_ms of each charge from memory, without
 * waiting for anything and without charging. What is not in memory shows as
 * unused: the answer can be too friendly, never too strict. Where shares are granted,
 * here as in store_admit(), count, over, kept and reserves become those of the share. */
void store_peek(struct store *s, struct charge *charges, size_t n);

/* A refusal, counted: those of one kind (client, app, stage, reason, sender,
 * header From) within an hour share one row and one id. Strings are borrowed
 * for the call. */
struct refusal {
	const char *id;           /* this transaction's audit id; used if the kind is new */
	int64_t time;
	const char *stage;
	const char *verdict;      /* reject or defer */
	const char *reason;
	int code;
	const char *enhanced;
	const char *text;
	const char *app;
	const char *tenant;
	const char *method;
	const char *client;
	const char *login;
	const char *tls;
	const char *certificate;
	const char *certificate_issuer;
	const char *sender;
	const char *header_from;
	const char *recipient;    /* of the first one */
	const char *queue_id;
	const char *policy;       /* digest of the policy that refused the first */
	const char *department;
	const char *relay;        /* of those that are read; the store knows its own */
};

/* Counts the refusal and returns the id that the reply should name: r->id when
 * the kind is new (*is_new_r = true), otherwise the id of the count. Never
 * waits for the disk. The kinds kept apart per client are bounded (100); more
 * share one kind with the sender "*". */
struct id store_refuse(struct store *s, const struct refusal *r, bool *is_new_r);

/* Records a message that was refused at end of message and whose kind is new,
 * with all its facts, without waiting for the disk. Copies what it needs. */
void store_record(struct store *s, const struct record *r);

/* Counts a message that was let through although store_admit() failed. How many there were,
 * and from when to when, is said and noted in the table `acts` when the store writes again. */
void store_unrecorded(struct store *s);

/* What is timed. */
enum store_timed { STORE_TIMED_ADMIT, STORE_TIMED_SIGN, STORE_TIMED_COUNT };

/* Notes how long signing a message took, in microseconds; of store_admit() the store knows itself. */
void store_signed(struct store *s, int64_t us);

/* Remembers the rules of a policy that messages are now decided by, without
 * waiting for the disk. Copies what it needs. */
void store_note_policy(struct store *s, const struct policy_note *note);

/* How long messages and refusals are kept, in milliseconds of wall time; 0 (at
 * first) for ever. What is older is deleted by and by, in steps that no message
 * waits for longer than for another's write. */
void store_keep(struct store *s, int64_t keep_ms);

/* A limit is near from this share of its count on, in percent; and so long, in
 * milliseconds, no second event of a kind is told of the same counter. At first 80
 * and an hour. */
void store_notify(struct store *s, uint64_t near_percent, int64_t quiet_ms);

/* Notes that of these weighed charges those that stop the message did, before its end, so that
 * it is told that their limits were reached. `id`: of the refusal. Without waiting for the
 * disk; copies what it needs. */
void store_reached(struct store *s, const struct charge *charges, size_t n, const char *id, const char *app,
		   const char *tenant);

/* Reading, for everybody but the daemon: changes nothing, takes no lock that a
 * writer would wait for. One thread at a time. */
struct store_reader;

/* NULL with a text in error_r (caller's buffer). A file that a newer Postern
 * wrote is refused. */
struct store_reader *store_reader_open(const char *url, char *error_r, size_t error_size);
void store_reader_close(struct store_reader **r);

/* Fills used, exceeded and retry_ms of each charge from what the database holds
 * now. 0, or -1 with a static text. */
int store_reader_peek(struct store_reader *r, const struct clock *clock, struct charge *charges,
		      size_t n, const char **error_r);

/* What to read: the messages from `since` up to but not including `until` (wall
 * time, milliseconds), or the one with this id where it is not NULL. */
struct store_range {
	int64_t since, until;
	const char *id;
};

/* Calls `each` for every message of the range, by time and, within a millisecond,
 * in the order in which they were admitted; a result other than 0
 * ends it. The record and all it points at live for the call only. `charges` and
 * n_charges are what it was held against. 0, what `each` returned, or -1 with a
 * static text. */
int store_reader_messages(struct store_reader *r, const struct store_range *range,
			  int (*each)(void *context, const struct record *record,
				      const struct charge *charges, size_t n_charges),
			  void *context, const char **error_r);

/* The same for counted refusals whose last one is in the range; only those that
 * were refused before the end of the message, unless `at_end`. */
int store_reader_refusals(struct store_reader *r, const struct store_range *range, bool at_end,
			  int (*each)(void *context, const struct refusal *refusal, uint64_t count,
				      int64_t last_time),
			  void *context, const char **error_r);

/* The rules of the policy with this digest, in the arena; n_rules is 0 where it is
 * not remembered. 0, or -1 with a static text. */
struct arena;
int store_reader_policy(struct store_reader *r, const char *policy, struct arena *arena,
			struct policy_note *note_r, const char **error_r);

/* The count of the limit with this name when it was last charged; -1 when there is
 * none of this name. */
int64_t store_reader_limit(struct store_reader *r, const char *name);

/* A grant that is not confirmed for so long is late: the message waits for its turn again once
 * the releaser says so, and is not to be released by it. */
#define STORE_HELD_LEASE_MS 15000

/* A message that the MTA holds, or held. Strings live for the call; times are wall time in
 * milliseconds, 0 for not. */
struct store_held {
	const char *id, *relay, *queue_id, *app, *tenant;
	const char *state;        /* waiting, kept, granted, missing, released, gone: see 002-held.sql */
	const char *who;          /* the operator who let it go, "" where its turn had come */
	const char *limit, *key;  /* the counter that it waits or waited for, "" for none */
	const char *reason, *sender; /* of the audit */
	int64_t held_time, granted_time, released_time;
	bool is_superseded;       /* its relay's MTA gave the queue id to another message since */
};

/* Calls `each` for the messages of a relay (NULL: of all) in this state, the oldest first; a
 * result other than 0 ends it. 0, what `each` returned, or -1 with a static text. */
int store_reader_held(struct store_reader *r, const char *relay, const char *state,
		      int (*each)(void *context, const struct store_held *held), void *context,
		      const char **error_r);

/* The same for the row of one message, if it has one. */
int store_reader_held_one(struct store_reader *r, const char *id,
			  int (*each)(void *context, const struct store_held *held), void *context,
			  const char **error_r);

/* What to find: messages and counted refusals of this queue id, or from or to this address. */
struct store_find {
	const char *queue_id;     /* NULL: by address */
	const char *address;
	int64_t since, until;     /* wall time, milliseconds */
	int max;                  /* the newest of them */
};
struct store_found {
	const char *id;
	int64_t time;             /* of a refusal, the last of its kind */
	bool is_refusal;          /* it was counted, and is no message */
};

/* Calls `each` for them, the newest first. Likewise. */
int store_reader_find(struct store_reader *r, const struct store_find *what,
		      int (*each)(void *context, const struct store_found *found), void *context,
		      const char **error_r);

/* What became of one recipient of a message, as the MTA's log tells. Times are wall time in milliseconds. */
struct store_delivery {
	const char *recipient, *original;
	const char *status;       /* sent deferred bounced expired deleted */
	const char *dsn, *next_hop, *tls, *reply; /* of the last try */
	const char *queue_id;     /* not the message's own, where an operator requeued it */
	const char *instance;     /* of the MTA */
	const char *next_hop_of;  /* the tenants whose next-hop it was, ",contoso,", "" for none */
	int64_t first_time, time;
	int64_t delay_ms;         /* since the message came, -1 not told */
	int64_t attempts;
	int64_t closed;           /* when the message left the queue, 0 not yet */
	bool is_believed;         /* the next hop is that of the message's tenant */
};

/* Calls `each` for the recipients of this message (relay, queue_id, time and tenant are asked), the
 * first tried first. Likewise, or STORE_NO_DELIVERIES where nobody ever wrote any. */
#define STORE_NO_DELIVERIES (-3)
int store_reader_deliveries(struct store_reader *r, const struct record *message,
			    int (*each)(void *context, const struct store_delivery *d), void *context,
			    const char **error_r);

/* How long a relay's posternd took for something, see sql/sqlite/007-timings.sql. */
struct store_timing {
	const char *relay, *what; /* "admit", "sign" */
	uint64_t count, sum_us, within[7]; /* STORE_TRAFFIC_BUCKETS */
	uint64_t most;
	int64_t time;
};
/* Calls `each` for all of them. Likewise. */
int store_reader_timings(struct store_reader *r, int (*each)(void *context, const struct store_timing *t), void *context,
			 const char **error_r);

/* A reply of a tenant's next hop that stops more than its message (policy/pause.h). Wall times in milliseconds, 0 for
 * never. */
struct store_upstream {
	const char *tenant;
	const char *sender;       /* whose mail: "" everybody's, "@contoso.com", "a@contoso.com" */
	const char *relay;        /* whose, "" of every relay */
	const char *keyword, *reply;
	bool external_only;
	int64_t wait_ms, since, said, times, good;
	int64_t lifted;           /* by an admin, if that was after it was said */
};

/* Calls `each` for all of them. Likewise, or STORE_NO_DELIVERIES. */
int store_reader_upstream(struct store_reader *r, int (*each)(void *context, const struct store_upstream *u), void *context,
			  const char **error_r);

/* What was reported by mail of a recipient, after the next hop had taken the message. Anybody can mail a
 * report; is_believed says what can be said for it. */
struct store_report {
	const char *recipient, *original;
	const char *action;       /* failed delayed delivered relayed expanded */
	const char *status, *reply; /* "5.7.233"; "550 5.7.233 ..." */
	const char *reporter, *remote; /* the server that reports, and the one that said so to it ("" for itself), as the report says */
	const char *via;          /* the client that brought it to the last server, "name[address]", "" where that cannot be seen */
	const char *path;         /* of that: exchange next-hop elsewhere unknown */
	const char *next_hop_of;  /* the tenants whose next-hop that is */
	const char *file;
	const char *message_id, *app, *tenant; /* of the message; its audit id */
	int64_t time;             /* when it came, wall time, milliseconds */
	bool has_audit_id;        /* it knows the message's audit id, not its Message-ID alone */
	bool is_sent;             /* the MTA's log has that the tenant's next hop took the message for this recipient, before */
	/* is_sent; it knows the audit id, and did not come from a server that is neither the tenant's next hop nor
	 * Exchange Online's; without the id, it did come from one of these. */
	bool is_believed;
};

/* Calls `each` for what was reported of a message (its audit id), the first first. Or, where that is NULL, for what came
 * from `since` to before `until` and has an audit id, up to `max`. Likewise. */
int store_reader_reports(struct store_reader *r, const char *message_id, int64_t since, int64_t until, int max,
			 int (*each)(void *context, const struct store_report *report), void *context, const char **error_r);

/* What the followers counted (see deliveries-reported.sql), and how they are. */
struct store_followed {
	const char *relay, *kind, *tenants, *status, *class; /* kind "state": when it looked and how far it was behind */
	int64_t count;            /* kind "state": wall time, milliseconds */
	int64_t behind_ms;
};
/* Calls `each` for them. Likewise. */
int store_reader_followed(struct store_reader *r, int (*each)(void *context, const struct store_followed *f), void *context,
			  const char **error_r);

/* How many left the hold queue, by app, counter and state (released, gone). */
struct store_left {
	const char *relay, *app, *state, *limit, *key;
	const char *reason;       /* where it waited for no counter, of the audit */
	int64_t count;
};

/* The same for those that left since this wall time. */
int store_reader_left(struct store_reader *r, int64_t since,
		      int (*each)(void *context, const struct store_left *left), void *context,
		      const char **error_r);

/* A counter of a limit as it stands. */
struct store_counter {
	const char *scope;
	enum unit unit;
	uint32_t period;          /* seconds */
	const char *key;
	const char *name;
	uint64_t count;           /* without the boost, when it was last charged */
	uint64_t boost;           /* what an operator has added for now ... */
	int64_t boost_until;      /* ... until then: wall time, milliseconds */
	uint64_t waiting;         /* held messages that wait for it */
	bool is_reached;          /* and not yet free again, see store_event */
	struct window window;     /* what is used; */
	int64_t now_ms;           /* the time for it, of the limits' clock */
};

/* Calls `each` for every counter that is used, boosted, waited for or reached, in the order
 * in which they were made; a result other than 0 ends it. What it points at lives for the
 * call only. 0, what `each` returned, or -1 with a static text. */
int store_reader_counters(struct store_reader *r, const struct clock *clock,
			  int (*each)(void *context, const struct store_counter *c), void *context,
			  const char **error_r);

enum store_by { STORE_BY_APP, STORE_BY_SENDER, STORE_BY_CLIENT };

/* Whom to ask about: a counter, and since when. */
struct store_spent {
	const char *name, *key;
	int64_t since;            /* wall time, milliseconds */
	const char *app;          /* of this app's messages alone, which is faster; "" for all */
	enum store_by by;
	int max;                  /* how many, the largest first */
};

/* Calls `each` for those who were charged to a counter, as the audit has it: mail that waited
 * counts for the time at which it came. Likewise. */
int store_reader_spenders(struct store_reader *r, const struct store_spent *what,
			  int (*each)(void *context, const char *who, uint64_t amount), void *context,
			  const char **error_r);

struct store_boost {
	const char *name, *key, *scope;
	enum unit unit;
	uint32_t period;
	uint64_t count, boost;
	int64_t until;            /* wall time, milliseconds */
	const char *who;          /* whose act it was ... */
	int64_t time;             /* ... and when it took effect */
};

/* Calls `each` for every boost in force. Likewise. */
int store_reader_boosts(struct store_reader *r, const struct clock *clock,
			int (*each)(void *context, const struct store_boost *b), void *context,
			const char **error_r);

/* Something that happened to a limit. */
struct store_event {
	int64_t number;           /* they grow */
	int64_t time;             /* wall time, milliseconds */
	const char *relay;
	const char *kind;         /* "near", "reached", "freed"; "more": of a limit per key, more than are told */
	const char *name, *scope, *key;
	enum unit unit;
	uint32_t period;
	uint64_t used, count, boost;
	enum over over;
	const char *mode;         /* "enforce" or "monitor" */
	const char *app, *tenant, *message_id; /* whose message it was */
};

/* Calls `each` for every event after the one with this number, in their order; of all
 * relays where relay is "". Likewise. */
int store_reader_events(struct store_reader *r, const char *relay, int64_t after,
			int (*each)(void *context, const struct store_event *e), void *context,
			const char **error_r);

/* The number of the last event; 0 for none, -1 on error. */
int64_t store_reader_last_event(struct store_reader *r);

/* What traffic can be told apart by. */
enum store_traffic_by {
	STORE_TRAFFIC_HOUR = 1 << 0, STORE_TRAFFIC_RELAY = 1 << 1, STORE_TRAFFIC_APP = 1 << 2,
	STORE_TRAFFIC_TENANT = 1 << 3, STORE_TRAFFIC_DEPARTMENT = 1 << 4, STORE_TRAFFIC_METHOD = 1 << 5,
	STORE_TRAFFIC_VERDICT = 1 << 6, STORE_TRAFFIC_REASON = 1 << 7, STORE_TRAFFIC_SIGNING = 1 << 8,
	/* These two stand in no roll-up: with one of them the rows are read, otherwise not. */
	STORE_TRAFFIC_SENDER = 1 << 9, STORE_TRAFFIC_CLIENT = 1 << 10
};

#define STORE_TRAFFIC_BUCKETS 7
/* The bounds of store_traffic.within, microseconds. */
extern const int64_t store_traffic_within_us[STORE_TRAFFIC_BUCKETS];

struct store_traffic_query {
	int64_t since, until;     /* wall time, milliseconds; from roll-ups the hours that began in between */
	bool ever;                /* all time instead, what is pruned too; not by hour, sender or client */
	unsigned by;              /* of enum store_traffic_by; 0: one sum */
	unsigned only;            /* one of enum store_traffic_by but hour and signing, or 0: of it what is named so alone */
	const char *name;
	bool unsigned_only;       /* what was accepted or held and left without a signature */
	int64_t step_ms;          /* by hour: how many hours are one, as milliseconds since 1970 are divided; 0: one */
	bool brief;               /* only messages, those by verdict, first and last, which is quicker; the others are 0 */
	int max;                  /* how many sums, 0: all; by hour the first, otherwise those with most messages */
};

/* A sum of messages. Each counts once: as it was decided, or as one of a counted refusal in the hour
 * of the first of its kind. What the query does not tell apart is "" or 0. */
struct store_traffic {
	int64_t hour;             /* when it began */
	const char *relay, *app, *tenant, *department, *method, *verdict, *reason, *signing, *sender, *client;
	uint64_t messages;
	uint64_t accepted, held, deferred, rejected, discarded;
	uint64_t counted;         /* of those refused: by the count alone */
	uint64_t on_trial;        /* that would have fared otherwise with nothing on trial */
	uint64_t is_unsigned;     /* of those accepted or held: left without a signature */
	uint64_t recipients, external, bytes; /* of those accepted or held */
	int64_t first, last;      /* of the messages */
	/* Of those that are not merely counted: how long deciding and signing took, and how many took
	 * no longer than each of the bounds. */
	uint64_t decide_us, within[STORE_TRAFFIC_BUCKETS];
};

/* Calls `each` for every sum; a result other than 0 ends it. What it points at lives for the call
 * only. 0, what `each` returned, or -1 with a static text. */
int store_reader_traffic(struct store_reader *r, const struct store_traffic_query *what,
			 int (*each)(void *context, const struct store_traffic *t), void *context,
			 const char **error_r);

/* Since when the newest `rows` messages of the range are, and as many counted refusals; *since_r is 0
 * where there are fewer. What is asked of an app's or a sender's alone counts those; of anything else, all. So that a
 * query over rows can be held in bounds. 0, or -1 with a static text. */
int store_reader_newest(struct store_reader *r, const struct store_traffic_query *what, int rows, int64_t *since_r,
			const char **error_r);

/* Messages and counted refusals of a kind, before a place in their order. */
struct store_latest {
	unsigned only;            /* as above; */
	const char *name;
	bool unsigned_only, stopped_only; /* neither accepted nor discarded */
	int64_t since, until;     /* wall time, milliseconds: what came at `until` itself too, where ... */
	const char *before_id;    /* ... its id is before this; "" for none of it */
	int max;                  /* the newest of them */
};

/* Calls `each` for them, the newest first. Likewise. */
int store_reader_latest(struct store_reader *r, const struct store_latest *what,
			int (*each)(void *context, const struct store_found *found), void *context,
			const char **error_r);

/* What the MTA's log tells of a recipient, with the message: "" where the audit does not have it, or where
 * it was sent, for that is not looked up. */
struct store_reply {
	struct store_delivery d;
	const char *message_id, *app, *tenant, *sender;
};

/* Calls `each` for the newest `max` recipients whose last word came in the range, the newest first. Likewise, or
 * STORE_NO_DELIVERIES. */
int store_reader_replies(struct store_reader *r, int64_t since, int64_t until, int max,
			 int (*each)(void *context, const struct store_reply *reply), void *context,
			 const char **error_r);

/* From now on all that is read may take so long together; then it fails, and whatever is asked next. */
void store_reader_patience(struct store_reader *r, int64_t ms);

/* How many messages of an app the MTA of a relay holds, by state (see struct store_held). */
struct store_holding {
	const char *relay, *app, *state;
	uint64_t messages;
};

/* Likewise. */
int store_reader_holding(struct store_reader *r, int (*each)(void *context, const struct store_holding *h),
			 void *context, const char **error_r);

/* Which senders or clients each app had, by ranges of time: range 0 goes from `since` to `until`, those before
 * it are range_ms long each, up to `oldest`. By rows: what is pruned is not among them. */
struct store_seen_query {
	enum store_by by;         /* STORE_BY_SENDER, STORE_BY_CLIENT */
	int64_t oldest, since, until, range_ms; /* wall time, milliseconds */
};
/* Of one of them in one range: what was not deferred or rejected. */
struct store_seen {
	const char *app, *name;
	int64_t range;
	uint64_t messages;
	int64_t first;            /* when the first of them came, */
	const char *first_id;     /* and its id, of several of the same millisecond one */
};

/* Calls `each`, app by app, name by name, the latest range first. Likewise. */
int store_reader_seen(struct store_reader *r, const struct store_seen_query *what,
		      int (*each)(void *context, const struct store_seen *s), void *context, const char **error_r);

/* What next hops answered to recipients of an app's mail whose last try was in a range of time. */
struct store_answer {
	const char *app, *tenant; /* "" where no message of the audit is known to it */
	const char *status;       /* as in struct store_delivery, as the others are; */
	const char *dsn, *next_hop, *reply; /* "" for what was sent; dsn: where it is the server's own */
	bool is_believed;
	uint64_t recipients;
};

/* Calls `each`, the most frequent first. Likewise, or STORE_NO_DELIVERIES. */
int store_reader_answers(struct store_reader *r, int64_t since, int64_t until,
			 int (*each)(void *context, const struct store_answer *a), void *context, const char **error_r);

/* How many messages are in the range; -1 on error. */
int64_t store_reader_count(struct store_reader *r, const struct store_range *range);

/* A rehearsal: limits weighed and charged in memory, at times that the caller
 * gives and that do not go backwards. One thread at a time. */
struct rehearsal;
struct rehearsal *rehearsal_new(void);
void rehearsal_free(struct rehearsal **r);
/* Fills used, exceeded and retry_ms of each charge. */
void rehearsal_weigh(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms);
/* Fills used, exceeded and retry_ms, and charges all or, where one stands in the
 * way, none. 1 charged, 0 not, -1 memory is short. */
int rehearsal_admit(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms);
/* A message that was weighed last and is held: where a limit holds it, it waits behind those that
 * do, and is charged at the time when all its limits have room for it, before a later message is
 * weighed. Copies keys and reserves; scopes and names must live as long as r. 0, or -1 memory is short. */
int rehearsal_wait(struct rehearsal *r, const struct charge *charges, size_t n, int64_t now_ms);

/* How the store fares: 0 well; -1 the last write failed, with a static text. */
int store_health(struct store *s, const char **error_r);

#endif
