/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the readers, read*.c. For those only.
 */
#ifndef POSTERN_SQL_READ_PRIVATE_H
#define POSTERN_SQL_READ_PRIVATE_H

#include "sql/backend-private.h"

struct reader {
	struct db *db;
	char *deliveries;         /* their URL, which is the store's own on a server */
	int64_t end_ms;           /* of all reading, by clock_system()'s boot clock; 0: none */
	bool has_deliveries;      /* their file is attached */
};

/* The follower's place beside the store of this URL, the caller's to free. */
char *deliveries_url(const char *url);
/* The version of that file's tables, NULL or why it cannot be used, and what brings them to each version from 1 on. */
#define DELIVERIES_VERSION 3
const char *deliveries_file_check(int64_t version);
extern const char *const schema_deliveries[DELIVERIES_VERSION];
/* Whether a tenant is among ",contoso,fabrikam,". */
bool deliveries_is_of(const char *next_hop_of, const char *tenant);

/* The columns of a delivery, from the first on; next_hop_of is held against the tenant's name. */
#define DELIVERY_COLUMNS \
	"recipient, original, status, dsn, next_hop, tls, reply, queue_id, instance, next_hop_of, first_time, time, delay_ms," \
	" attempts, closed"
#define DELIVERY_COLUMN_COUNT 15
void reader_read_delivery(struct db_query *q, const char *tenant, struct store_delivery *d);

/* The statements of store_reader_traffic(), _newest() and _latest(), put together, for the test that looks at their plans. */
struct text;
void traffic_statement(const struct store_traffic_query *what, struct text *t);
void newest_statement(const struct store_traffic_query *what, int rows, struct text *t);
void latest_statement(const struct store_latest *what, struct text *t);

/* The statements of a trace, of lists and of a summary, for the test that looks at their plans. */
extern const char trace_by_queue_id[], trace_by_address[], trace_deliveries[], trace_reports[], reports_in_range[], latest_replies[];
extern const char summary_senders[], summary_clients[], summary_answers[];

/* The connection, with the time anew that a server has for one call. */
struct db *reader_db(struct reader *r);

/* Attaches the follower's file: 1 when it can be read, 0 when there is none, -1. */
int reader_open_deliveries(struct reader *r, const char **error_r);

/* The limits' time now; negative on error. */
int64_t reader_now(struct reader *r, const struct clock *clock);

/* What reads one counter. */
struct counter_queries {
	struct db_query *find, *slots, *waiting;
};

/* 0, or -1 (db_error()); counter_queries_close() in both cases. */
int counter_queries_open(struct reader *r, struct counter_queries *q);
void counter_queries_close(struct counter_queries *q);

/* The window and the state of a charge's counter; what is not stored is unused. 0, or -1. */
int counter_read(struct counter_queries *q, const struct charge *c, struct window *w, struct counter_state *state);

#endif
