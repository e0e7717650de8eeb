/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a backend of the store provides. For files of sql/ only.
 */
#ifndef POSTERN_SQL_STORE_PRIVATE_H
#define POSTERN_SQL_STORE_PRIVATE_H

#include "sql/store.h"

/* A refusal count to be added to the database. */
struct refusal_delta {
	const struct refusal *refusal; /* facts of the kind; ->id is the count's id */
	uint64_t count;                /* how many since the last write */
	int64_t last_time;
};

/* Whose message it was. */
struct cause {
	const char *id, *app, *tenant;
};

/* A limit that stopped a message before its end. */
struct reached {
	struct charge charge;
	struct cause cause;
};

/* Messages that were let through unrecorded. */
struct unrecorded {
	struct id id;             /* of the row that will tell */
	uint64_t n;
	int64_t first, last;      /* wall time */
};

/* All work of one transaction. */
/* What was timed since it was written last. */
struct timing {
	uint64_t count, sum_us, within[STORE_TRAFFIC_BUCKETS], most;
};

struct batch {
	struct admit **admits;
	size_t n_admits;
	const char **admit_errors; /* out: one per admit, NULL when it is written */
	const struct record *const *records;
	size_t n_records;
	const struct refusal_delta *refusals;
	size_t n_refusals;
	const struct policy_note *notes;
	size_t n_notes;
	const struct reached *reached; /* limits that stopped something before its end */
	size_t n_reached;
	const struct unrecorded *unrecorded; /* NULL for none */
	const struct timing *timings; /* STORE_TIMED_COUNT; NULL: not now */
};

/* What commit() and tend() come to, beside 0 and -1: the server cannot be reached, or takes
 * nobody in for now. */
#define STORE_AWAY (-2)

struct arena;

/* One row per backend. All but peek run on the writer's thread or before it starts. */
struct store_ops {
	const char *scheme;       /* "sqlite:" */
	void *(*open)(const struct store_options *o, char *error_r, size_t error_size);
	void (*close)(void *backend);
	/* Commits the whole batch or nothing: 0, or -1 or STORE_AWAY with a static text. */
	int (*commit)(void *backend, const struct batch *b, const char **error_r);
	/* Deletes up to `max` messages and refusals from before this wall time, and
	 * looks through up to `max` counters for those that are free: how many were
	 * deleted, or -1. NULL where nothing is kept. */
	int (*prune)(void *backend, int64_t before_ms, int max);
	/* What nobody waits for: held mail whose turn it is. Called some times a second;
	 * 0, 1 when there is more of it, or -1 or STORE_AWAY with a static text. NULL where
	 * there is nothing of the kind. */
	int (*tend)(void *backend, const char **error_r);
	/* From any thread. See store_notify(); NULL where no events are kept. */
	void (*notify)(void *backend, uint64_t near_percent, int64_t quiet_ms);
	/* From any thread, memory only. */
	void (*peek)(void *backend, struct charge *charges, size_t n);

	/* See store_reader_*(); NULL where there is nothing to read from. */
	void *(*reader_open)(const char *url, char *error_r, size_t error_size);
	void (*reader_close)(void *reader);
	int (*reader_peek)(void *reader, const struct clock *clock, struct charge *charges, size_t n,
			   const char **error_r);
	int (*reader_messages)(void *reader, const struct store_range *range,
			       int (*each)(void *context, const struct record *record,
					   const struct charge *charges, size_t n_charges),
			       void *context, const char **error_r);
	int (*reader_refusals)(void *reader, const struct store_range *range, bool at_end,
			       int (*each)(void *context, const struct refusal *refusal, uint64_t count,
					   int64_t last_time),
			       void *context, const char **error_r);
	int (*reader_policy)(void *reader, const char *policy, struct arena *arena, struct policy_note *note_r,
			     const char **error_r);
	int64_t (*reader_limit)(void *reader, const char *name);
	int64_t (*reader_count)(void *reader, const struct store_range *range);
	int (*reader_held)(void *reader, const char *relay, const char *state,
			   int (*each)(void *context, const struct store_held *held), void *context,
			   const char **error_r);
	int (*reader_held_one)(void *reader, const char *id, int (*each)(void *context, const struct store_held *held), void *context,
			       const char **error_r);
	int (*reader_find)(void *reader, const struct store_find *what,
			   int (*each)(void *context, const struct store_found *found), void *context, const char **error_r);
	int (*reader_timings)(void *reader, int (*each)(void *context, const struct store_timing *t), void *context, const char **error_r);
	int (*reader_upstream)(void *reader, int (*each)(void *context, const struct store_upstream *u), void *context,
			       const char **error_r);
	int (*reader_deliveries)(void *reader, const struct record *message,
				 int (*each)(void *context, const struct store_delivery *d), void *context,
				 const char **error_r);
	int (*reader_reports)(void *reader, const char *message_id, int64_t since, int64_t until, int max,
			      int (*each)(void *context, const struct store_report *report), void *context, const char **error_r);
	int (*reader_followed)(void *reader, int (*each)(void *context, const struct store_followed *f), void *context,
			       const char **error_r);
	int (*reader_left)(void *reader, int64_t since, int (*each)(void *context, const struct store_left *left),
			   void *context, const char **error_r);
	int (*reader_counters)(void *reader, const struct clock *clock,
			       int (*each)(void *context, const struct store_counter *c), void *context,
			       const char **error_r);
	int (*reader_spenders)(void *reader, const struct store_spent *what,
			       int (*each)(void *context, const char *who, uint64_t amount), void *context,
			       const char **error_r);
	int (*reader_boosts)(void *reader, const struct clock *clock,
			     int (*each)(void *context, const struct store_boost *b), void *context,
			     const char **error_r);
	int (*reader_traffic)(void *reader, const struct store_traffic_query *what,
			      int (*each)(void *context, const struct store_traffic *t), void *context,
			      const char **error_r);
	int (*reader_newest)(void *reader, const struct store_traffic_query *what, int rows, int64_t *since_r,
			     const char **error_r);
	int (*reader_latest)(void *reader, const struct store_latest *what,
			     int (*each)(void *context, const struct store_found *found), void *context,
			     const char **error_r);
	int (*reader_replies)(void *reader, int64_t since, int64_t until, int max,
			      int (*each)(void *context, const struct store_reply *reply), void *context,
			      const char **error_r);
	void (*reader_patience)(void *reader, int64_t ms);
	int (*reader_holding)(void *reader, int (*each)(void *context, const struct store_holding *h),
			      void *context, const char **error_r);
	int (*reader_seen)(void *reader, const struct store_seen_query *what,
			   int (*each)(void *context, const struct store_seen *s), void *context, const char **error_r);
	int (*reader_answers)(void *reader, int64_t since, int64_t until,
			      int (*each)(void *context, const struct store_answer *a), void *context, const char **error_r);
	int64_t (*reader_last_event)(void *reader);
	int (*reader_events)(void *reader, const char *relay, int64_t after,
			     int (*each)(void *context, const struct store_event *e), void *context,
			     const char **error_r);
};

/* The readers over db.h. */
struct db;
struct limit_clock;
void sqlite_read_clock(struct db *db, struct limit_clock *c);
void *reader_open(const char *url, char *error_r, size_t error_size);
void reader_close(void *reader);
int reader_peek(void *reader, const struct clock *clock, struct charge *charges, size_t n, const char **error_r);
int reader_messages(void *reader, const struct store_range *range,
		    int (*each)(void *context, const struct record *record, const struct charge *charges,
				size_t n_charges),
		    void *context, const char **error_r);
int reader_refusals(void *reader, const struct store_range *range, bool at_end,
		    int (*each)(void *context, const struct refusal *refusal, uint64_t count, int64_t last_time),
		    void *context, const char **error_r);
int reader_policy(void *reader, const char *policy, struct arena *arena, struct policy_note *note_r,
		  const char **error_r);
int64_t reader_limit(void *reader, const char *name);
int64_t reader_count(void *reader, const struct store_range *range);
int reader_held(void *reader, const char *relay, const char *state,
		int (*each)(void *context, const struct store_held *held), void *context, const char **error_r);
int reader_held_one(void *reader, const char *id, int (*each)(void *context, const struct store_held *held), void *context,
		    const char **error_r);
int reader_find(void *reader, const struct store_find *what, int (*each)(void *context, const struct store_found *found),
		void *context, const char **error_r);
int reader_timings(void *reader, int (*each)(void *context, const struct store_timing *t), void *context, const char **error_r);
int reader_upstream(void *reader, int (*each)(void *context, const struct store_upstream *u), void *context, const char **error_r);
int reader_deliveries(void *reader, const struct record *message, int (*each)(void *context, const struct store_delivery *d),
		      void *context, const char **error_r);
int reader_reports(void *reader, const char *message_id, int64_t since, int64_t until, int max,
		   int (*each)(void *context, const struct store_report *report), void *context, const char **error_r);
int reader_followed(void *reader, int (*each)(void *context, const struct store_followed *f), void *context, const char **error_r);
int reader_left(void *reader, int64_t since, int (*each)(void *context, const struct store_left *left), void *context,
		const char **error_r);
int reader_counters(void *reader, const struct clock *clock,
		int (*each)(void *context, const struct store_counter *c), void *context,
		const char **error_r);
int reader_spenders(void *reader, const struct store_spent *what,
		int (*each)(void *context, const char *who, uint64_t amount), void *context,
		const char **error_r);
int reader_boosts(void *reader, const struct clock *clock,
		int (*each)(void *context, const struct store_boost *b), void *context,
		const char **error_r);
int reader_traffic(void *reader, const struct store_traffic_query *what,
		int (*each)(void *context, const struct store_traffic *t), void *context, const char **error_r);
int reader_newest(void *reader, const struct store_traffic_query *what, int rows, int64_t *since_r, const char **error_r);
int reader_latest(void *reader, const struct store_latest *what, int (*each)(void *context, const struct store_found *found),
		void *context, const char **error_r);
int reader_replies(void *reader, int64_t since, int64_t until, int max,
		int (*each)(void *context, const struct store_reply *reply), void *context, const char **error_r);
void reader_patience(void *reader, int64_t ms);
int reader_holding(void *reader, int (*each)(void *context, const struct store_holding *h),
		void *context, const char **error_r);
int reader_seen(void *reader, const struct store_seen_query *what, int (*each)(void *context, const struct store_seen *s),
		void *context, const char **error_r);
int reader_answers(void *reader, int64_t since, int64_t until, int (*each)(void *context, const struct store_answer *a),
		void *context, const char **error_r);
int64_t reader_last_event(void *reader);
int reader_events(void *reader, const char *relay, int64_t after,
		int (*each)(void *context, const struct store_event *e), void *context,
		const char **error_r);

/* Copies a record with all it points to; NULL when memory is short. `arena` owns it. */
struct record *record_copy(struct arena *arena, const struct record *r);

extern const struct store_ops store_sqlite_ops;
extern const struct store_ops store_memory_ops;
extern const struct store_ops store_postgres_ops;
extern const struct store_ops store_share_ops;  /* has its own open() */
void *share_open(const struct store_ops *main_ops, const struct store_options *o, char *error_r, size_t error_size);
extern const struct store_ops store_postgres_short_ops;

#endif
