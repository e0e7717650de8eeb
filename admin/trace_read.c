/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See trace.h: what is known of a message, for whoever tells it.
 */
#include "config.h"

#include "admin/trace.h"

#include <string.h>

#include "admin/reported.h"
#include "admin/when.h"
#include "base/id.h"
#include "base/text.h"
#include "maillog/maillog.h"

struct reading {
	struct store_reader *reader;
	bool is_followed;
	int (*each)(void *context, const struct trace_message *m);
	void *context;
	const char **error_r;
};

static void
keep_delivery(struct trace_message *m, const struct store_delivery *d)
{
	struct trace_delivery *to;

	if (m->n_deliveries == m->room) {
		struct trace_delivery *more = arena_array(m->arena, m->room = m->room == 0 ? 16 : 2 * m->room, sizeof *more);

		if (more == NULL)
			return;
		if (m->n_deliveries > 0)
			memcpy(more, m->deliveries, m->n_deliveries * sizeof *more);
		m->deliveries = more;
	}
	to = &m->deliveries[m->n_deliveries++];
	to->d = *d;
	const char **const texts[] = {&to->d.recipient, &to->d.original, &to->d.status, &to->d.dsn, &to->d.next_hop, &to->d.tls,
				      &to->d.reply, &to->d.queue_id, &to->d.instance, &to->d.next_hop_of};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_string(m->arena, *texts[i]);
}

void
trace_explain(struct trace_delivery *t)
{
	bool is_sendmail = strcmp(t->d.instance, "sendmail") == 0;
	struct m365_reply r = m365_read(t->d.reply, is_sendmail && t->d.next_hop[0] != '\0' ? t->d.dsn : NULL);

	t->meaning = (struct m365_meaning){.keyword = ""};
	if (strcmp(t->d.status, "sent") == 0)
		return;
	t->is_foreign = r.is_reply && !t->d.is_believed && !m365_is_host(t->d.next_hop, maillog_host_length(t->d.next_hop));
	if (!t->is_foreign)
		t->meaning = m365_explain(&r, t->d.reply);
}

static int
add_delivery(void *context, const struct store_delivery *d)
{
	struct trace_message *m = context;

	keep_delivery(m, d);
	if (arena_failed(m->arena))
		return -2;
	trace_explain(&m->deliveries[m->n_deliveries - 1]);
	return 0;
}

static int
add_report(void *context, const struct store_report *r)
{
	struct trace_message *m = context;
	struct trace_report *to;

	if (m->n_reports == m->reports_room) {
		struct trace_report *more = arena_array(m->arena, m->reports_room = m->reports_room == 0 ? 16 : 2 * m->reports_room, sizeof *more);

		if (more == NULL)
			return -2;
		if (m->n_reports > 0)
			memcpy(more, m->reports, m->n_reports * sizeof *more);
		m->reports = more;
	}
	to = &m->reports[m->n_reports];
	to->r = *r;
	const char **const texts[] = {&to->r.recipient, &to->r.original, &to->r.action, &to->r.status, &to->r.reply, &to->r.reporter,
				      &to->r.remote, &to->r.via, &to->r.path, &to->r.next_hop_of, &to->r.file, &to->r.message_id, &to->r.app,
				      &to->r.tenant};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_string(m->arena, *texts[i]);
	if (arena_failed(m->arena))
		return -2;
	to->meaning = reported_meaning(&to->r, &to->is_foreign);
	m->n_reports++;
	return 0;
}

static int
add_held(void *context, const struct store_held *h)
{
	struct trace_message *m = context;
	char since[WHEN_SIZE], then[WHEN_SIZE];
	const char *for_what = h->limit[0] == '\0' ? "" : arena_printf(m->arena, " for %s%s%s", h->limit, h->key[0] == '\0' ? "" : " ", h->key);

	m->held = arena_printf(m->arena, "%s%s, held at %s%s%s%s%s", h->state, for_what, when_format(h->held_time, since),
			       h->released_time > 0 ? ", left the hold queue at " : "",
			       h->released_time > 0 ? when_format(h->released_time, then) : "", h->who[0] == '\0' ? "" : ", let go by ", h->who);
	return 0;
}

static int
read_message(void *context, const struct record *r, const struct charge *charges, size_t n)
{
	struct reading *x = context;
	struct trace_message m = {.record = r, .charges = charges, .n_charges = n, .is_followed = x->is_followed, .held = "", .count = 1,
				  .last_time = r->time, .arena = arena_new(0)};
	int rc = m.arena == NULL ? -2 : store_reader_held_one(x->reader, r->id, add_held, &m, x->error_r);

	if (rc == 0 && x->is_followed)
		rc = store_reader_deliveries(x->reader, r, add_delivery, &m, x->error_r);
	if (rc == 0 && x->is_followed)
		rc = store_reader_reports(x->reader, r->id, 0, 0, 0, add_report, &m, x->error_r);
	if (rc == 0)
		rc = x->each(x->context, &m);
	arena_free(&m.arena);
	return rc == -1 ? -3 : rc;
}

/* A counted refusal, as a message that was never taken. */
static int
read_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct reading *x = context;
	struct record_recipient to = {.address = f->recipient, .domain = "", .place = "refused", .reason = ""};
	struct record r = {
		.id = f->id, .relay = "", .queue_id = f->queue_id, .time = f->time, .stage = f->stage, .verdict = f->verdict,
		.reason = f->reason, .enhanced = f->enhanced, .text = f->text, .would = f->verdict, .would_reason = f->reason,
		.would_text = f->text, .mode = "enforce", .app = f->app, .tenant = f->tenant, .method = f->method, .client = f->client,
		.login = f->login, .tls = f->tls, .sender = f->sender, .header_from = f->header_from, .subject = "", .signing = "",
		.policy = f->policy, .trace = "", .code = f->code, .rcpt = &to, .n_rcpt = f->recipient[0] != '\0',
	};
	struct trace_message m = {.record = &r, .is_followed = true, .held = "", .count = count, .last_time = last_time};

	return x->each(x->context, &m);
}

int
trace_read(struct store_reader *r, const char *id, bool is_refusal, bool is_followed,
	   int (*each)(void *context, const struct trace_message *m), void *context, const char **error_r)
{
	struct reading x = {r, is_followed, each, context, error_r};
	struct store_range range = {.id = id};
	int rc;

	if (is_refusal)
		rc = store_reader_refusals(r, &range, false, read_refusal, &x, error_r);
	else
		rc = store_reader_messages(r, &range, read_message, &x, error_r);
	if (rc == -2)
		*error_r = "memory is short";
	return rc;
}

/* ---- finding */

/* The file is opened by that. */
bool
trace_is_followed(struct store_reader *r, const char **error_r)
{
	const struct record none = {.queue_id = "", .relay = "", .tenant = ""};
	const char *error = "";
	int rc = store_reader_deliveries(r, &none, add_delivery, NULL, &error);

	*error_r = rc == 0 || rc == STORE_NO_DELIVERIES ? NULL : error;
	return rc == 0;
}

/* The address as the audit has it: its domain in lower case, no angle brackets. */
static const char *
address_of(struct arena *a, const char *s)
{
	size_t len = strlen(s);
	const char *at;

	if (len > 2 && s[0] == '<' && s[len - 1] == '>') {
		s = arena_substring(a, s + 1, len - 2);
		len -= 2;
	}
	at = strrchr(s, '@');
	return arena_printf(a, "%.*s%s", (int)(at - s), s, arena_lower(a, at, len - (size_t)(at - s)));
}

struct store_find
trace_what(struct arena *a, const char *word, const char **id_r)
{
	struct store_find what = {.until = INT64_MAX - 1000};

	*id_r = NULL;
	if (id_is_valid(word)) {
		char id[ID_LENGTH + 1] = "";

		for (size_t i = 0; i < ID_LENGTH; i++)
			id[i] = text_is_alpha(word[i]) ? (char)(word[i] & ~0x20) : word[i];
		*id_r = arena_string(a, id);
	} else if (strchr(word, '@') != NULL) {
		what.address = address_of(a, word);
	} else {
		what.queue_id = word;
	}
	return what;
}
