/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The story of a message: trace_read.c finds it, for postern trace (trace.c), which prints it
 * (trace_print.c), and for the dashboard.
 */
#ifndef POSTERN_ADMIN_TRACE_H
#define POSTERN_ADMIN_TRACE_H

#include <stdbool.h>

#include "admin/m365.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/record.h"
#include "base/text.h"
#include "sql/store.h"

/* One recipient, and what the last word on it means. */
struct trace_delivery {
	struct store_delivery d;
	struct m365_meaning meaning; /* keyword "": there is nothing to explain */
	bool is_foreign;          /* it was said by a server that is neither the tenant's next hop nor Exchange Online's */
};

/* What was mailed of a recipient later, and what it means. */
struct trace_report {
	struct store_report r;
	struct m365_meaning meaning; /* keyword "": nothing is explained */
	bool is_foreign;          /* the reporter passes on what another server said to it */
};

struct trace_message {
	const struct record *record;
	const struct charge *charges;
	size_t n_charges;
	struct trace_delivery *deliveries;
	size_t n_deliveries, room;
	struct trace_report *reports;
	size_t n_reports, reports_room;
	bool is_followed;         /* deliveries are known at all */
	const char *held;         /* what became of it in the hold queue, "" where it was not held */
	uint64_t count;           /* refusals of its kind, 1 for a message */
	int64_t last_time;
	struct arena *arena;
};

/* What was said last, explained where it was said by Exchange Online. */
void trace_explain(struct trace_delivery *t);

/* Whether it is known what became of mail. *error_r is why that cannot be read, NULL where nothing is wrong. */
bool trace_is_followed(struct store_reader *r, const char **error_r);

/* Calls `each` for the message, or counted refusal, of this id; what it points at lives for the call only. 0, also where
 * there is none; what `each` returned; below 0 with a static text. */
int trace_read(struct store_reader *r, const char *id, bool is_refusal, bool is_followed,
	       int (*each)(void *context, const struct trace_message *m), void *context, const char **error_r);

/* What a person's word means: an audit id, in *id_r; an address or a queue id, to be found. In the arena, or the word. */
struct store_find trace_what(struct arena *a, const char *word, const char **id_r);

/* "2 sent, 1 bounced: relay-access-denied" */
void trace_outcome(const struct trace_message *m, struct text *t);

/* What is known of one recipient's delivery, for trace_print() and others. The texts live for the call. */
void trace_each_fact(const struct trace_message *m, const struct trace_delivery *t,
		     void (*each)(void *context, const char *name, const char *value, bool is_ours), void *context);

/* Likewise of what was mailed of one recipient later. */
void trace_each_report_fact(const struct trace_report *t,
			    void (*each)(void *context, const char *name, const char *value, bool is_ours), void *context);

/* The whole story. */
void trace_print(const struct trace_message *m);
int trace_json(const struct trace_message *m, struct jsonv *array);

/* The message in one line of a list, below trace_head(). */
void trace_head(void);
void trace_line(const struct trace_message *m);
void trace_line_json(const struct trace_message *m, struct jsonv *array);

#endif
