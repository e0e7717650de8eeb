/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a trace tells, for a person and as JSON.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "admin/story.h"
#include "admin/terminal.h"
#include "admin/trace.h"
#include "admin/when.h"

static void
each_of_meaning(const struct m365_meaning *m, void (*each)(void *context, const char *name, const char *value, bool is_ours), void *context)
{
	char wait[M365_WAIT_SIZE];
	struct text kind = {0};

	if (m->keyword[0] == '\0')
		return;
	each(context, "meaning", m->cause, true);
	each(context, "who acts", m365_who_name(m->who), true);
	each(context, "what to do", m->action, true);
	each(context, "wait", m365_wait_text(m, wait), true);
	text_printf(&kind, "%s, %s", m->keyword, m365_class_name(m->class));
	each(context, "kind", text_string(&kind), true);
	text_free(&kind);
}

static const char *
seconds(int64_t ms, char buf[32])
{
	snprintf(buf, 32, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
	return buf;
}

void
trace_each_fact(const struct trace_message *m, const struct trace_delivery *t,
		void (*each)(void *context, const char *name, const char *value, bool is_ours), void *context)
{
	const struct store_delivery *d = &t->d;
	char at[WHEN_SIZE], delay[32];
	struct text v = {0};

	text_printf(&v, "%s at %s, %lld %s%s%s", d->status, when_format(d->time, at), (long long)d->attempts,
		    d->attempts == 1 ? "try" : "tries", d->delay_ms < 0 ? "" : ", after ", d->delay_ms < 0 ? "" : seconds(d->delay_ms, delay));
	each(context, "", text_string(&v), false);
	if (d->original[0] != '\0')
		each(context, "was", d->original, false);
	if (strcmp(d->queue_id, m->record->queue_id) != 0)
		each(context, "queue id", d->queue_id, false);
	text_clear(&v);
	text_printf(&v, "%s%s%s%s", d->next_hop[0] == '\0' ? "none was reached" : d->next_hop, d->is_believed ? ", the tenant's" : "",
		    d->tls[0] == '\0' ? "" : ", by ", d->tls);
	each(context, "next hop", text_string(&v), false);
	each(context, "said", d->reply, false);
	text_free(&v);
	if (t->is_foreign)
		each(context, "meaning", "not explained: the server that said it is neither the next-hop of the message's tenant nor a host of "
		     "Exchange Online", true);
	else
		each_of_meaning(&t->meaning, each, context);
}

static void
print_fact(void *context, const char *name, const char *value, bool is_ours)
{
	if (name[0] == '\0')
		terminal_print("  %s: %s\n", *(const char **)context, value);
	else if (is_ours && strcmp(name, "kind") != 0)
		terminal_wrapped(name, value);
	else
		terminal_print("    %-11s %s\n", name, value);
}

static void
print_delivery(const struct trace_message *m, const struct trace_delivery *t)
{
	trace_each_fact(m, t, print_fact, &(const char *){t->d.recipient});
}

static void
print_deliveries(const struct trace_message *m)
{
	bool left = strcmp(m->record->verdict, "accept") == 0 || strcmp(m->record->verdict, "hold") == 0;

	if (!left)
		return;
	puts("\ndeliveries:");
	for (size_t i = 0; i < m->n_deliveries; i++)
		print_delivery(m, &m->deliveries[i]);
	if (!m->is_followed)
		puts("  not known: postern follow has not run here; see postern(1)");
	else if (m->n_deliveries == 0)
		puts("  none so far");
}

static const char *
action_words(const char *action)
{
	static const char *const words[][2] = {
		{"failed", "undeliverable"}, {"delayed", "delayed, still being tried"}, {"delivered", "delivered"},
		{"relayed", "handed on"}, {"expanded", "expanded to the members of a list"},
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i][0], action) == 0)
			return words[i][1];
	return action;
}

static const char *
path_words(const struct store_report *r)
{
	if (strcmp(r->path, "exchange") == 0)
		return ", a host of Exchange Online";
	if (strcmp(r->path, "next-hop") == 0)
		return r->is_believed ? ", the tenant's next hop" : ", a next hop";
	return strcmp(r->path, "elsewhere") == 0 ? ", neither the tenant's next hop nor Exchange Online" : "";
}

/* Why nothing is made of a report. */
static const char *
doubt_words(const struct store_report *r)
{
	if (!r->is_sent)
		return "not believed: the tenant's next hop is not known to have taken the message for this recipient before";
	if (strcmp(r->path, "elsewhere") == 0 || strcmp(r->path, "next-hop") == 0)
		return "not believed: it came from neither the tenant's next hop nor Exchange Online";
	return "not believed: it knows the message by its Message-ID alone, and the way it came cannot be seen";
}

void
trace_each_report_fact(const struct trace_report *t,
		       void (*each)(void *context, const char *name, const char *value, bool is_ours), void *context)
{
	const struct store_report *r = &t->r;
	struct text v = {0};
	char at[WHEN_SIZE];

	text_printf(&v, "%s, reported at %s", action_words(r->action), when_format(r->time, at));
	each(context, "", text_string(&v), false);
	if (r->original[0] != '\0')
		each(context, "was", r->original, false);
	text_clear(&v);
	text_printf(&v, "%s%s%s", r->reporter[0] == '\0' ? "does not name itself" : r->reporter, r->remote[0] == '\0' ? "" : ", of ", r->remote);
	each(context, "reporter", text_string(&v), false);
	text_clear(&v);
	text_printf(&v, "%s%s", r->via[0] == '\0' ? "cannot be seen" : r->via, path_words(r));
	each(context, "came from", text_string(&v), false);
	text_free(&v);
	each(context, "said", r->reply[0] == '\0' ? r->status : r->reply, false);
	if (!r->is_believed)
		each(context, "meaning", doubt_words(r), true);
	else if (t->is_foreign)
		each(context, "meaning", "not explained: these are the words of a server that Exchange Online handed it to", true);
	else
		each_of_meaning(&t->meaning, each, context);
	if (r->is_believed && strcmp(r->action, "failed") == 0)
		each(context, "tried again", "no: it was given up; to arrive it must be sent anew", true);
}

static void
print_report(const struct trace_report *t)
{
	trace_each_report_fact(t, print_fact, &(const char *){t->r.recipient});
}

static void
print_reports(const struct trace_message *m)
{
	if (m->n_reports > 0)
		puts("\nreported by mail:");
	for (size_t i = 0; i < m->n_reports; i++)
		print_report(&m->reports[i]);
}

void
trace_print(const struct trace_message *m)
{
	char first[WHEN_SIZE], last[WHEN_SIZE];

	if (m->count > 1)
		printf("refused %llu times from %s to %s; the facts are those of the first\n\n", (unsigned long long)m->count,
		       when_format(m->record->time, first), when_format(m->last_time, last));
	story_print_facts(m->record);
	story_print_then(m->record, m->charges, m->n_charges);
	if (m->held[0] != '\0')
		terminal_print("held:  %s\n", m->held);
	print_deliveries(m);
	print_reports(m);
}

/* ---- JSON */

static void
set_meaning(struct jsonv *o, const struct m365_meaning *m)
{
	char wait[M365_WAIT_SIZE];
	struct jsonv *meaning;

	if (m->keyword[0] == '\0')
		return;
	meaning = jsonv_set_object(o, "meaning");
	jsonv_set_text(meaning, "keyword", m->keyword);
	jsonv_set_text(meaning, "class", m365_class_name(m->class));
	jsonv_set_text(meaning, "cause", m->cause);
	jsonv_set_text(meaning, "who", m365_who_name(m->who));
	jsonv_set_text(meaning, "action", m->action);
	jsonv_set_text(meaning, "wait", m365_wait_text(m, wait));
	jsonv_set_integer(meaning, "wait_seconds", m->wait);
}

static void
set_report(struct jsonv *o, const struct trace_report *t)
{
	const struct store_report *r = &t->r;
	char at[WHEN_SIZE];

	jsonv_set_text(o, "recipient", r->recipient);
	jsonv_set_text(o, "original", r->original);
	jsonv_set_text(o, "action", r->action);
	jsonv_set_text(o, "at", when_format(r->time, at));
	jsonv_set_text(o, "status", r->status);
	jsonv_set_text(o, "reply", r->reply);
	jsonv_set_text(o, "reporter", r->reporter);
	jsonv_set_text(o, "remote", r->remote);
	jsonv_set_text(o, "via", r->via);
	jsonv_set_text(o, "path", r->path);
	jsonv_set_text(o, "file", r->file);
	jsonv_set_boolean(o, "has_audit_id", r->has_audit_id);
	jsonv_set_boolean(o, "sent", r->is_sent);
	jsonv_set_boolean(o, "believed", r->is_believed);
	set_meaning(o, &t->meaning);
}

static void
set_delivery(struct jsonv *o, const struct trace_delivery *t)
{
	const struct store_delivery *d = &t->d;
	char at[WHEN_SIZE];

	jsonv_set_text(o, "recipient", d->recipient);
	jsonv_set_text(o, "original", d->original);
	jsonv_set_text(o, "status", d->status);
	jsonv_set_text(o, "at", when_format(d->time, at));
	jsonv_set_text(o, "first_at", when_format(d->first_time, at));
	jsonv_set_integer(o, "attempts", d->attempts);
	jsonv_set_integer(o, "delay_ms", d->delay_ms);
	jsonv_set_text(o, "dsn", d->dsn);
	jsonv_set_text(o, "next_hop", d->next_hop);
	jsonv_set_boolean(o, "believed", d->is_believed);
	jsonv_set_text(o, "tls", d->tls);
	jsonv_set_text(o, "reply", d->reply);
	jsonv_set_text(o, "queue_id", d->queue_id);
	set_meaning(o, &t->meaning);
}

int
trace_json(const struct trace_message *m, struct jsonv *array)
{
	struct jsonv *o = jsonv_add_object(array), *list;

	if (o == NULL)
		return -2;
	story_set_facts(o, m->record);
	jsonv_set_integer(o, "count", (int64_t)m->count);
	jsonv_set_text(o, "held", m->held);
	story_set_lists(o, m->record, m->charges, m->n_charges);
	list = jsonv_set_array(o, "signatures");
	for (size_t i = 0; i < m->record->n_signature; i++) {
		struct jsonv *s = jsonv_add_object(list);

		jsonv_set_text(s, "domain", m->record->signature[i].domain);
		jsonv_set_text(s, "selector", m->record->signature[i].selector);
		jsonv_set_text(s, "algorithm", m->record->signature[i].algorithm);
		jsonv_set_text(s, "result", m->record->signature[i].result);
	}
	jsonv_set_boolean(o, "followed", m->is_followed);
	list = jsonv_set_array(o, "deliveries");
	for (size_t i = 0; i < m->n_deliveries; i++)
		set_delivery(jsonv_add_object(list), &m->deliveries[i]);
	list = jsonv_set_array(o, "reports");
	for (size_t i = 0; i < m->n_reports; i++)
		set_report(jsonv_add_object(list), &m->reports[i]);
	return 0;
}

/* ---- lists */

/* ", 1 reported undeliverable: tenant-quota": those that are believed. */
static void
put_reports(const struct trace_message *m, struct text *t)
{
	const char *keyword = "";
	size_t n = 0;

	for (size_t i = 0; i < m->n_reports; i++) {
		const struct trace_report *p = &m->reports[i];

		if (!p->r.is_believed || strcmp(p->r.action, "failed") != 0)
			continue;
		n++;
		keyword = p->meaning.keyword[0] != '\0' ? p->meaning.keyword : keyword;
	}
	if (n > 0)
		text_printf(t, "%s%zu reported undeliverable%s%s", t->len == 0 ? "" : ", ", n, keyword[0] == '\0' ? "" : ": ", keyword);
}

/* "2 sent, 1 bounced: relay-access-denied" */
void
trace_outcome(const struct trace_message *m, struct text *t)
{
	static const char *const statuses[] = {"sent", "deferred", "bounced", "expired", "deleted"};
	const char *keyword = "";

	for (size_t k = 0; k < sizeof statuses / sizeof statuses[0]; k++) {
		size_t n = 0;

		for (size_t i = 0; i < m->n_deliveries; i++)
			n += strcmp(m->deliveries[i].d.status, statuses[k]) == 0;
		if (n > 0)
			text_printf(t, "%s%zu %s", t->len == 0 ? "" : ", ", n, statuses[k]);
	}
	for (size_t i = 0; i < m->n_deliveries; i++)
		if (m->deliveries[i].meaning.keyword[0] != '\0')
			keyword = m->deliveries[i].meaning.keyword;
	if (keyword[0] != '\0')
		text_printf(t, ": %s", keyword);
	put_reports(m, t);
}

void
trace_head(void)
{
	printf("%-20s  %-26s  %-12s  %s\n", "AT", "AUDIT ID", "APP", "FROM, RECIPIENTS, WHAT BECAME OF IT");
}

void
trace_line(const struct trace_message *m)
{
	const struct record *r = m->record;
	struct text outcome = {0};
	char at[WHEN_SIZE];

	trace_outcome(m, &outcome);
	terminal_print("%-20s  %-26s  %-12s  <%s> to %s%s, %s%s%s%s%s\n", when_format(m->last_time, at), r->id, r->app, r->sender,
		       r->n_rcpt == 0 ? "nobody" : r->rcpt[0].address, r->n_rcpt > 1 ? " and others" : "", r->verdict,
		       r->reason[0] == '\0' ? "" : " ", r->reason, outcome.len == 0 ? "" : ", ", text_string(&outcome));
	text_free(&outcome);
}

void
trace_line_json(const struct trace_message *m, struct jsonv *array)
{
	struct jsonv *o = jsonv_add_object(array);
	struct text outcome = {0};
	char at[WHEN_SIZE];

	trace_outcome(m, &outcome);
	jsonv_set_text(o, "at", when_format(m->last_time, at));
	jsonv_set_text(o, "id", m->record->id);
	jsonv_set_text(o, "queue_id", m->record->queue_id);
	jsonv_set_text(o, "app", m->record->app);
	jsonv_set_text(o, "sender", m->record->sender);
	jsonv_set_text(o, "recipient", m->record->n_rcpt == 0 ? "" : m->record->rcpt[0].address);
	jsonv_set_integer(o, "recipients", (int64_t)m->record->n_rcpt);
	jsonv_set_text(o, "verdict", m->record->verdict);
	jsonv_set_text(o, "reason", m->record->reason);
	jsonv_set_integer(o, "count", (int64_t)m->count);
	jsonv_set_text(o, "deliveries", text_string(&outcome));
	text_free(&outcome);
}
