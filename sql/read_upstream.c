/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What stopped mail upstream, as the follower wrote it, and which of it admins lifted, as the
 * daemon noted it. A lift is of everything with its tenant and sender.
 */
#include "sql/read-private.h"

static const char rows_text[] =
	"SELECT u.tenant, u.sender, u.relay, u.keyword, u.reply, u.external_only, u.wait_ms, u.since, u.said, u.times, u.good,"
	" coalesce((SELECT max(a.applied_time) FROM acts a WHERE a.limit_name = u.tenant AND a.key = u.sender AND a.applied_time >= u.said"
	" AND a.what = 'resume'), 0) FROM upstream u ORDER BY u.tenant, u.sender, u.relay, u.keyword";

static void
read_row(struct db_query *q, struct store_upstream *u)
{
	const char **const texts[] = {&u->tenant, &u->sender, &u->relay, &u->keyword, &u->reply};
	int64_t *const numbers[] = {&u->wait_ms, &u->since, &u->said, &u->times, &u->good, &u->lifted};

	for (int i = 0; i < 5; i++)
		*texts[i] = db_text(q, i);
	u->external_only = db_int(q, 5) != 0;
	for (int i = 0; i < 6; i++)
		*numbers[i] = db_int(q, 6 + i);
}

int
reader_upstream(void *reader, int (*each)(void *context, const struct store_upstream *u), void *context, const char **error_r)
{
	struct reader *r = reader;
	int result = reader_open_deliveries(r, error_r);
	enum db_result rc = DB_DONE;
	struct db_query *q;

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	q = db_prepare(reader_db(r), rows_text);
	result = q == NULL ? -1 : 0;
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_upstream u;

		read_row(q, &u);
		result = each(context, &u);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
