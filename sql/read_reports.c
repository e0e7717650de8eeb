/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What was reported by mail, joined with the messages it is said to be of, and with what the MTA's log has of
 * them; and what the followers counted.
 */
#include <string.h>

#include "sql/read-private.h"

/* A recipient of m that its tenant's next hop took, before the report came (the time of its file may be of another
 * clock: ten minutes); the log's stamps have no part of a second. */
#define TOOK(of) \
	"EXISTS (SELECT 1 FROM deliveries d WHERE " of " AND d.relay = m.relay AND d.status = 'sent' AND d.first_time + 999 >= m.time" \
	" AND d.first_time <= r.time + 600000 AND replace(d.next_hop_of, ',' || m.tenant || ',', '') <> d.next_hop_of" \
	" AND (lower(d.recipient) IN (lower(r.recipient), lower(r.original)) OR (d.original <> ''" \
	" AND lower(d.original) IN (lower(r.recipient), lower(r.original)))))"
#define COLUMNS \
	"SELECT r.recipient, r.original, r.action, r.status, r.reply, r.reporter, r.remote, r.via, r.path, r.next_hop_of, r.file," \
	" m.id, m.app, m.tenant, r.time, CASE WHEN r.audit_id = m.id THEN 1 ELSE 0 END, CASE WHEN " \
	TOOK("d.queue_id = m.queue_id AND d.origin_id = d.queue_id") " OR " \
	TOOK("d.origin_id = m.queue_id AND d.origin_id <> d.queue_id") " THEN 1 ELSE 0 END, r.number"

const char trace_reports[] =
	COLUMNS " FROM messages m JOIN reported r ON r.audit_id = m.id WHERE m.id = ?1 UNION ALL "
	COLUMNS " FROM messages m JOIN reported r ON r.header_id = m.message_id AND r.header_id <> '' WHERE m.id = ?1 ORDER BY 15, 18";
const char reports_in_range[] =
	COLUMNS " FROM reported r JOIN messages m ON m.id = r.audit_id WHERE r.time >= ?1 AND r.time < ?2 ORDER BY 15, 18 LIMIT ?3";

static bool
has_tenant(const char *list, const char *tenant)
{
	size_t len = strlen(tenant);

	for (const char *s = list; len > 0 && (s = strstr(s, tenant)) != NULL; s++)
		if (s > list && s[-1] == ',' && s[len] == ',')
			return true;
	return false;
}

static bool
is_believed(const struct store_report *r)
{
	bool is_ours = strcmp(r->path, "exchange") == 0 || (strcmp(r->path, "next-hop") == 0 && has_tenant(r->next_hop_of, r->tenant));

	return r->is_sent && (is_ours || (r->has_audit_id && strcmp(r->path, "unknown") == 0));
}

static void
read_report(struct db_query *q, struct store_report *r)
{
	const char **const texts[] = {&r->recipient, &r->original, &r->action, &r->status, &r->reply, &r->reporter, &r->remote, &r->via,
				      &r->path, &r->next_hop_of, &r->file, &r->message_id, &r->app, &r->tenant};
	const int n = sizeof texts / sizeof texts[0];

	for (int i = 0; i < n; i++)
		*texts[i] = db_text(q, i);
	r->time = db_int(q, n);
	r->has_audit_id = db_int(q, n + 1) != 0;
	r->is_sent = db_int(q, n + 2) != 0;
	r->is_believed = is_believed(r);
}

int
reader_reports(void *reader, const char *message_id, int64_t since, int64_t until, int max,
	       int (*each)(void *context, const struct store_report *report), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q;
	enum db_result rc = DB_DONE;
	int i = 0, result = reader_open_deliveries(r, error_r);

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	q = db_prepare(reader_db(r), message_id != NULL ? trace_reports : reports_in_range);
	result = q == NULL ? -1 : 0;
	if (q != NULL && message_id != NULL) {
		db_bind_text(q, &i, message_id);
	} else if (q != NULL) {
		db_bind_int(q, &i, since);
		db_bind_int(q, &i, until);
		db_bind_int(q, &i, max);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_report report;

		read_report(q, &report);
		result = each(context, &report);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

int
reader_followed(void *reader, int (*each)(void *context, const struct store_followed *f), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q;
	enum db_result rc = DB_DONE;
	int result = reader_open_deliveries(r, error_r);

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	q = db_prepare(reader_db(r), "SELECT relay, kind, tenants, status, class, count, 0 FROM delivery_counts UNION ALL"
				     " SELECT relay, 'state', '', '', '', time, behind_ms FROM follower_state ORDER BY 2, 1, 3, 4, 5");
	result = q == NULL ? -1 : 0;
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_followed f = {
			.relay = db_text(q, 0), .kind = db_text(q, 1), .tenants = db_text(q, 2), .status = db_text(q, 3),
			.class = db_text(q, 4), .count = db_int(q, 5), .behind_ms = db_int(q, 6),
		};

		result = each(context, &f);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
