/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The front of the drivers: see db.h.
 */
#include <stdio.h>
#include <string.h>

#include "sql/db-private.h"

static const struct db_ops *const drivers[] = { &db_sqlite_ops, &db_postgres_ops };

static bool
has_scheme(const struct db_ops *ops, const char *url)
{
	for (size_t i = 0; i < sizeof ops->schemes / sizeof ops->schemes[0]; i++)
		if (ops->schemes[i] != NULL && strncmp(url, ops->schemes[i], strlen(ops->schemes[i])) == 0)
			return true;
	return false;
}

struct db *
db_try(const char *url, enum db_use use, int64_t ms, struct db_failure *failure_r)
{
	*failure_r = (struct db_failure){.error = "not a database that Postern knows"};
	for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
		if (has_scheme(drivers[i], url))
			return drivers[i]->open(url, use, ms, failure_r);
	return NULL;
}

struct db *
db_open(const char *url, enum db_use use, int64_t ms, const char **error_r, char *words_r, size_t words_size)
{
	struct db_failure failure;
	struct db *d = db_try(url, use, ms, &failure);

	if (d == NULL)
		*error_r = failure.error;
	if (words_r != NULL && words_size > 0)
		snprintf(words_r, words_size, "%s", d == NULL ? failure.words : "");
	return d;
}

void
db_close(struct db **d)
{
	if (*d != NULL)
		(*d)->ops->close(*d);
	*d = NULL;
}

enum db_dialect
db_dialect(const struct db *d)
{
	return d->ops->dialect;
}

void
db_deadline(struct db *d, int64_t ms)
{
	if (d->ops->deadline != NULL)
		d->ops->deadline(d, ms);
}

void
db_interrupt_after(struct db *d, int64_t ms)
{
	if (d->ops->interrupt_after != NULL)
		d->ops->interrupt_after(d, ms);
}

int
db_exec(struct db *d, const char *sql)
{
	return d->ops->exec(d, sql);
}

struct db_query *
db_prepare(struct db *d, const char *sql)
{
	return d->ops->prepare(d, sql, false);
}

struct db_query *
db_prepare_large(struct db *d, const char *sql)
{
	return d->ops->prepare(d, sql, true);
}

void
db_finalize(struct db_query **q)
{
	if (*q != NULL)
		(*q)->db->ops->finalize(*q);
	*q = NULL;
}

void
db_bind_text(struct db_query *q, int *i, const char *s)
{
	q->db->ops->bind_text(q, (*i)++, s);
}

void
db_bind_int(struct db_query *q, int *i, int64_t n)
{
	q->db->ops->bind_int(q, (*i)++, n);
}

void
db_bind_u64(struct db_query *q, int *i, uint64_t n)
{
	db_bind_int(q, i, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

void
db_bind_null(struct db_query *q, int *i)
{
	q->db->ops->bind_text(q, (*i)++, NULL);
}

enum db_result
db_step(struct db_query *q)
{
	return q->db->ops->step(q);
}

void
db_reset(struct db_query *q)
{
	q->db->ops->reset(q);
}

enum db_result
db_run(struct db_query *q)
{
	enum db_result r = db_step(q);

	db_reset(q);
	return r == DB_ROW ? DB_DONE : r;
}

enum db_result
db_send(struct db_query *q)
{
	return q->db->ops->send(q);
}

enum db_result
db_ask(struct db_query *q)
{
	return q->db->ops->ask == NULL ? DB_DONE : q->db->ops->ask(q);
}

enum db_result
db_flush(struct db *d)
{
	return d->ops->flush(d);
}

enum db_result
db_rollback(struct db *d)
{
	return d->ops->rollback(d);
}

const char *
db_text(struct db_query *q, int column)
{
	return q->db->ops->text(q, column);
}

int64_t
db_int(struct db_query *q, int column)
{
	return q->db->ops->number(q, column);
}

int64_t
db_changes(const struct db *d)
{
	return d->ops->changes(d);
}

bool
db_in_transaction(const struct db *d)
{
	return d->ops->in_transaction(d);
}

const char *
db_error(const struct db *d)
{
	return d->ops->error(d);
}

const char *
db_words(const struct db *d)
{
	return d->ops->words == NULL ? "" : d->ops->words(d);
}

bool
db_is_lost(const struct db *d)
{
	return d->ops->is_lost(d);
}

bool
db_is_away(const struct db *d)
{
	return d->ops->is_away != NULL && d->ops->is_away(d);
}

bool
db_is_retryable(const struct db *d)
{
	return d->ops->is_retryable(d);
}

int64_t
db_number(struct db *d, const char *sql)
{
	struct db_query *q = db_prepare(d, sql);
	int64_t n = -1;

	if (q != NULL && db_step(q) == DB_ROW)
		n = db_int(q, 0);
	db_finalize(&q);
	return n;
}
