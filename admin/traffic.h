/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Traffic of a range beside that of the range before: traffic.c reads it, report_text.c,
 * report_json.c and report_html.c show it.
 */
#ifndef POSTERN_ADMIN_TRAFFIC_H
#define POSTERN_ADMIN_TRAFFIC_H

#include "base/arena.h"
#include "base/text.h"
#include "sql/store.h"

/* Rows that are kept apart; what is beyond is added up. */
#define TRAFFIC_ROWS 1000
/* Bars of a chart at most. */
#define TRAFFIC_STEPS 72

struct traffic_row {
	const char *name;         /* "" for what has none */
	struct store_traffic now;
	uint64_t before;          /* messages of the range before; */
	bool is_known_before;     /* false: it was not among those that were looked at */
};

/* Why mail was not accepted. */
struct traffic_reason {
	const char *reason, *verdict;
	uint64_t messages, before;
	const char *app;          /* that most of it is of */
	uint64_t of_app;
};

/* Recipients that were reported undeliverable by mail after a 250, by what it means. */
struct traffic_reported {
	const char *keyword;      /* "tenant-quota"; "" where nothing is explained */
	uint64_t recipients;
};
#define TRAFFIC_REPORTED 16

struct traffic_step {
	int64_t at;
	uint64_t accepted, held, deferred, rejected, discarded;
};

struct traffic {
	struct arena *arena;
	int64_t since, until, before; /* wall time; the range before is from `before` to `since` */
	bool is_open;             /* the last hour is not over */
	const char *by;
	const char *only;         /* "method direct-send, unsigned": what part it is of, "" for all */
	struct store_traffic total, total_before;
	struct traffic_row *rows; /* most messages first */
	size_t n_rows;
	uint64_t others;          /* messages of those that are not among the rows; */
	bool is_gone;             /* all of these because the audit does not keep their rows any more */
	struct traffic_reason *reasons; /* likewise */
	size_t n_reasons;
	struct traffic_step *steps; /* all of the range, empty ones too */
	size_t n_steps;
	int64_t step_ms;
	/* Of the reports that came in the range; the last one is for all that find no room. Not told of a part. */
	struct traffic_reported reported[TRAFFIC_REPORTED];
	size_t n_reported;
	/* Messages that the MTA holds now: for a limit, and until somebody lets them go. Likewise. */
	uint64_t waiting, kept;
};

/* The enum store_traffic_by of a name, 0 for none. */
unsigned traffic_by(const char *name);

/* Reads what came from `since` to `until`, which are moved to whole hours, the hour of `now` being one.
 * NULL with a static text. */
struct traffic *traffic_read(struct store_reader *r, const char *by, int64_t since, int64_t until, int64_t now,
			     const char **error_r);

/* The same, of a part. */
struct traffic_want {
	const char *by;
	unsigned only;            /* of enum store_traffic_by, 0 for all: what is named so alone */
	const char *name;
	bool unsigned_only;       /* what left without a signature */
	bool without_before;      /* the range before is not looked at */
	bool rows_only;           /* that, and neither reasons nor times nor what the MTA holds */
};
struct traffic *traffic_read_part(struct store_reader *r, const struct traffic_want *w, int64_t since, int64_t until, int64_t now,
				  const char **error_r);
void traffic_free(struct traffic **t);

/* What a name that is "" is shown as, and others as they are. */
const char *traffic_name(const struct traffic *t, const char *name);

/* Fractions of a whole: "12%", "<1%"; and what became of `before`: "+12%", "=", "x30", "new", or "" where
 * nothing at all came before. */
#define TRAFFIC_WORD 24
const char *traffic_share(uint64_t part, uint64_t whole, char buf[TRAFFIC_WORD]);
const char *traffic_change(const struct traffic *t, uint64_t now, uint64_t before, char buf[TRAFFIC_WORD]);

/* What the owner of the app can do about it; "" for nothing. */
const char *traffic_advice(const struct traffic_reason *r);

/* Which method of sending would be the better one for who sends by this, and why; `outside`: how much of it to outside
 * addresses was refused. "" where there is none. */
const char *traffic_better_method(const char *method, uint64_t outside);

/* Adds the report: a table of so many columns; JSON; a page of HTML. The latter two: 0, or -1 when
 * memory is short. */
void report_text(const struct traffic *t, int width, bool is_colored, struct text *out);
int report_json(const struct traffic *t, struct text *out);
int report_html(const struct traffic *t, struct text *out);

/* postern report retries. */
int report_retries(int argc, char **argv);

#endif
