/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of postern trace: trace.c finds, trace_print.c tells.
 */
#ifndef POSTERN_ADMIN_TRACE_H
#define POSTERN_ADMIN_TRACE_H

#include <stdbool.h>

#include "admin/m365.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/record.h"
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

/* The whole story. */
void trace_print(const struct trace_message *m);
int trace_json(const struct trace_message *m, struct jsonv *array);

/* The message in one line of a list, below trace_head(). */
void trace_head(void);
void trace_line(const struct trace_message *m);
void trace_line_json(const struct trace_message *m, struct jsonv *array);

#endif
