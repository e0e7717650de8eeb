/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Rows of the audit as text: the columns of the views (postern-audit(5)), as
 * CSV or as JSON lines. Pure.
 */
#ifndef POSTERN_ADMIN_EXPORT_ROW_H
#define POSTERN_ADMIN_EXPORT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/charge.h"
#include "base/record.h"
#include "base/text.h"
#include "sql/store.h"

enum export_format { EXPORT_CSV, EXPORT_JSONL };

/* What a row is made of; what its table does not tell of is NULL. */
struct export_row {
	const struct record *record;
	const struct record_recipient *recipient;
	const struct record_signature *signature;
	const struct charge *charge;
	const struct refusal *refusal;
	int64_t number;            /* of the recipient, signature or charge in its message */
	int64_t count, last_time;  /* of the refusal */
};

/* The columns of one kind of rows. */
struct export_table {
	const char *what;          /* "messages" */
	const struct export_column *columns;
	size_t n_columns;
};

/* By what it is of: messages, recipients, refusals, charges, signatures; NULL when it
 * is none of them. */
const struct export_table *export_table(const char *what);

/* Adds what stands before the rows: for CSV the names of the columns. */
void export_head(const struct export_table *table, enum export_format format, struct text *t);

/* Adds one row with its line end, in valid UTF-8. CSV is that of RFC 4180; a text that a
 * spreadsheet might take for a formula, or that begins with an apostrophe, gets an
 * apostrophe in front. */
void export_row(const struct export_table *table, enum export_format format, const struct export_row *row,
		struct text *t);

#endif
