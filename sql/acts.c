/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What operators asked for takes effect. A request and its effect are one
 * transaction with its row in `acts`, so each takes effect once, whenever the
 * daemon dies. A new kind of request is a row in the table below.
 */
#include <string.h>

#include "base/text.h"
#include "sql/backend-private.h"

/* A request that found no daemon for so long is not what its author wants any more; rows of
 * acts stay longer than that (prune.c), so that it cannot take effect twice. */
#define STALE_MS (ACTS_KEPT_MS / 2)

/* Mail that was stopped upstream goes on: its row in `acts` is the effect, for whoever reads them with what
 * was said (read_upstream.c). */
static enum db_result
resume(struct backend *b, const struct operator_request *r, struct text *result)
{
	(void)b;
	if (r->limit_name[0] == '\0')
		acts_refuse(result, "no tenant is named");
	else
		text_printf(result, "mail of %s%s%s goes on", r->limit_name, r->key[0] == '\0' ? "" : " from ", r->key);
	return DB_DONE;
}

static const struct {
	const char *what;
	bool is_confirmation;     /* may take effect again, and at any time: it changes nothing then */
	/* Does it, within the transaction. Says in `result` what was done, or why not:
	 * acts_refuse(). Another result than DB_DONE ends the transaction: the same
	 * request comes again. */
	enum db_result (*apply)(struct backend *b, const struct operator_request *r, struct text *result);
} acts[] = {
	{"release", false, held_act_release},
	{"reset", false, boosts_act_reset},
	{"boost", false, boosts_act_boost},
	{"unboost", false, boosts_act_unboost},
	{"resume", false, resume},
	/* From the releaser: what the MTA made of a granted message. */
	{"released", true, held_act_confirm},
	{"missing", true, held_act_confirm},
	{"late", true, held_act_confirm},
	{"gone", true, held_act_confirm},
};

void
acts_refuse(struct text *result, const char *why)
{
	text_clear(result);
	text_printf(result, "refused: %s", why);
}

static enum db_result
apply(struct backend *b, const struct operator_request *r, struct text *result)
{
	size_t i = 0;

	text_clear(result);
	text_add(result, "done: ");
	while (i < sizeof acts / sizeof acts[0] && strcmp(acts[i].what, r->what) != 0)
		i++;
	if (i == sizeof acts / sizeof acts[0])
		acts_refuse(result, "this posternd does not know what was asked; it is older than the program that asked");
	else if (!acts[i].is_confirmation && r->time < backend_wall_ms(b) - STALE_MS)
		acts_refuse(result, "it was asked too long ago");
	else
		return acts[i].apply(b, r, result);
	return DB_DONE;
}

/* Notes the request; *is_new_r: it was not noted before. */
static enum db_result
note(struct backend *b, const struct operator_request *r, bool *is_new_r)
{
	const char *const texts[] = { r->who, r->what, r->limit_name, r->key };
	struct db_query *q = b->query[ACT_NEW];
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, r->id);
	db_bind_int(q, &i, r->time);
	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
		db_bind_text(q, &i, texts[k]);
	db_bind_int(q, &i, r->amount);
	db_bind_int(q, &i, r->until);
	db_bind_text(q, &i, r->message_id);
	db_bind_text(q, &i, r->scope);
	db_bind_int(q, &i, r->unit);
	db_bind_int(q, &i, r->period);
	db_bind_int(q, &i, backend_wall_ms(b));
	rc = db_run(q);
	*is_new_r = rc == DB_DONE && db_changes(b->db) > 0;
	return rc;
}

static enum db_result
note_result(struct backend *b, const struct operator_request *r, const struct text *result)
{
	struct db_query *q = b->query[ACT_RESULT];
	int i = 0;

	db_bind_text(q, &i, text_string(result));
	db_bind_text(q, &i, r->id);
	return db_run(q);
}

enum db_result
acts_apply(struct backend *b, const struct operator_request *requests, size_t n)
{
	struct text result = {0};
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < n; i++) {
		bool is_new;

		rc = note(b, &requests[i], &is_new);
		if (rc != DB_DONE || !is_new)
			continue;
		rc = apply(b, &requests[i], &result);
		if (rc == DB_DONE && result.failed)
			rc = DB_FAILED;
		if (rc == DB_DONE)
			rc = note_result(b, &requests[i], &result);
	}
	text_free(&result);
	return rc;
}

enum db_result
acts_unrecorded(struct backend *b, const struct unrecorded *u)
{
	struct operator_request r = {
		.time = u->first, .who = b->options.relay, .what = "unrecorded", .limit_name = "", .key = "",
		.amount = u->n > INT64_MAX ? INT64_MAX : (int64_t)u->n, .until = u->last, .message_id = "",
	};
	struct text result = {0};
	enum db_result rc;
	bool is_new;

	memcpy(r.id, u->id.s, sizeof r.id);
	text_printf(&result, "done: %llu messages were accepted unrecorded and uncharged", (unsigned long long)u->n);
	rc = note(b, &r, &is_new);
	if (rc == DB_DONE && is_new)
		rc = note_result(b, &r, &result);
	text_free(&result);
	return rc;
}
