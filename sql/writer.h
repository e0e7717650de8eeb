/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one thread that writes: it takes all that is queued, writes it in one
 * transaction and wakes those who wait.
 */
#ifndef POSTERN_SQL_WRITER_H
#define POSTERN_SQL_WRITER_H

#include "sql/refusals.h"

struct writer;

/* Starts the thread; the backend and refusals outlive it. NULL on failure. */
struct writer *writer_start(const struct store_ops *ops, void *backend,
			    struct refusals *refusals, const struct store_options *o);

/* Writes what is queued, ends the thread, sets *w to NULL. */
void writer_stop(struct writer **w);

int writer_admit(struct writer *w, struct admit *a, const char **error_r);
void writer_note(struct writer *w, const struct policy_note *note);
void writer_reached(struct writer *w, const struct charge *c, const struct cause *cause);
void writer_unrecorded(struct writer *w);
void writer_signed(struct writer *w, int64_t us);
void writer_keep(struct writer *w, int64_t keep_ms);
void writer_record(struct writer *w, const struct record *r);
int writer_health(struct writer *w, const char **error_r);

#endif
