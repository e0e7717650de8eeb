/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See summary.h: what one address is told, as text and as JSON. Words of others enter the
 * text through add_wrapped() and add_name() only.
 */
#include "config.h"

#include "admin/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/limits.h"
#include "admin/terminal.h"
#include "admin/traffic.h"
#include "admin/when.h"
#include "base/json.h"
#include "policy/address.h"
#include "policy/reason.h"

#define WIDTH 78
#define NAME_COLUMNS 22
/* Rows of each kind; the others are counted. */
#define ROWS 40

typedef unsigned long long ull;

/* ---- what is told to whom */

static bool
is_owner(struct arena *a, const char *owner, const char *to)
{
	struct address_error error;
	struct address parsed;

	return owner[0] != '\0' && address_parse_path(a, owner, false, &parsed, &error) == 0 && text_same(parsed.text, to);
}

/* Where the owner gets some of its apps daily and others weekly, a summary has those of its kind. */
void
summary_choose(struct summary *s, struct arena *a)
{
	enum summary_every kind = s->facts->ranges.is_daily ? SUMMARY_DAILY : SUMMARY_WEEKLY;
	const struct policy *p = s->policy;
	bool is_split = false;
	size_t n = 0;

	s->apps = arena_array(a, p->n_apps + 1, sizeof *s->apps);
	for (size_t i = 0; i < p->n_apps && s->apps != NULL; i++) {
		if (!is_owner(a, p->apps[i].owner, s->to))
			continue;
		is_split = is_split || p->apps[i].summary == kind;
		s->apps[n++] = &p->apps[i];
	}
	for (size_t i = 0; i < n; i++)
		if (!is_split || s->apps[i]->summary == kind)
			s->apps[s->n_apps++] = s->apps[i];
}

bool
summary_has(const struct summary *s, const char *app)
{
	for (size_t i = 0; i < s->n_apps; i++)
		if (strcmp(s->apps[i]->name, app) == 0)
			return true;
	return s->is_admin;
}

struct store_traffic
summary_total(const struct summary *s)
{
	struct store_traffic t = {0};

	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct store_traffic *n = &s->facts->apps[i].now;

		if (n->messages == 0 || !summary_has(s, s->facts->apps[i].name))
			continue;
		t.messages += n->messages;
		t.accepted += n->accepted;
		t.held += n->held;
		t.deferred += n->deferred;
		t.rejected += n->rejected;
		t.discarded += n->discarded;
		t.is_unsigned += n->is_unsigned;
		t.external += n->external;
		t.bytes += n->bytes;
	}
	return t;
}

size_t
summary_drifts(const struct summary *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->facts->n_drifts; i++)
		n += summary_has(s, s->facts->drifts[i].app);
	return n;
}

bool
summary_is_empty(const struct summary *s)
{
	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *a = &s->facts->apps[i];

		if (a->now.messages + a->waiting + a->kept > 0 && summary_has(s, a->name))
			return false;
	}
	return summary_drifts(s) == 0;
}

/* ---- words */

static const char *
day(struct arena *a, int64_t ms, bool with_weekday)
{
	time_t seconds = (time_t)(ms / 1000);
	char buf[40] = "?";
	struct tm t;

	if (localtime_r(&seconds, &t) == NULL || (with_weekday ? strftime(buf, sizeof buf, "%A, %Y-%m-%d", &t) : strftime(buf, sizeof buf, "%Y-%m-%d", &t)) == 0)
		return "?";
	return arena_string(a, buf);
}

const char *
summary_range(const struct summary *s, struct arena *a)
{
	const struct summary_facts *f = s->facts;
	const char *last = day(a, f->until - 1, true);

	return f->ranges.is_daily ? last : arena_printf(a, "the week from %s to %s", day(a, f->since, true), last);
}

const char *
summary_title(const struct summary *s, struct arena *a)
{
	const struct summary_facts *f = s->facts;
	struct store_traffic t = summary_total(s);
	size_t n = summary_drifts(s);
	const char *last = day(a, f->until - 1, false);

	return arena_printf(a, "%s summary %s: %llu message%s, %llu refused%s", f->ranges.is_daily ? "Daily" : "Weekly", last, (ull)t.messages,
			    t.messages == 1 ? "" : "s", (ull)t.rejected,
			    n == 0 ? "" : arena_printf(a, ", %zu change%s to look at", n, n == 1 ? "" : "s"));
}

const char *
summary_app_name(const char *app)
{
	return app[0] == '\0' ? "(no app)" : app;
}

const char *
summary_change(const struct summary *s, const struct summary_app *a, char buf[SUMMARY_WORD])
{
	const struct traffic t = {.total_before.messages = 1};

	(void)s;
	return a->is_before_known ? traffic_change(&t, a->now.messages, a->before, buf) : "?";
}

const char *
summary_advice(const struct summary_cause *c)
{
	const struct traffic_reason r = {.reason = c->reason, .verdict = c->verdict};

	return traffic_advice(&r);
}

static const char *
times(struct arena *a, uint64_t n)
{
	return n == 1 ? "once" : n == 2 ? "twice" : arena_printf(a, "%llu times", (ull)n);
}

const char *
summary_limit_text(const struct summary_limit *l, struct arena *a)
{
	char used[32], count[32], at[WHEN_SIZE];

	return arena_printf(a, "%s%s%s, the last time at %s: %s of %s used",
			    l->reached > 0 ? arena_printf(a, "reached %s", times(a, l->reached)) : "",
			    l->reached > 0 && l->near > 0 ? ", " : "", l->near > 0 ? arena_printf(a, "near %s", times(a, l->near)) : "",
			    when_format(l->last, at), limits_amount(l->unit, l->used, used), limits_amount(l->unit, l->count, count));
}

const char *
summary_answer_text(const struct summary_answer *x, struct arena *a)
{
	char wait[M365_WAIT_SIZE];

	if (x->is_foreign)
		return "A server that is not Microsoft's said so; its words are its own.";
	if (x->meaning.keyword[0] == '\0')
		return "";
	return arena_printf(a, "%s Who acts: %s. %s %s%s.", x->meaning.cause, m365_who_name(x->meaning.who), x->meaning.action,
			    x->meaning.wait == 0 ? "" : "Wait: ", x->meaning.wait == 0 ? "Waiting does not help" : m365_wait_text(&x->meaning, wait));
}

/* ---- text */

static void
add_line(struct text *t, const char *s)
{
	text_add(t, s);
	text_add(t, "\n");
}

/* Words of others too, broken at blanks. `first` is how the first line begins; the others are as far in. */
static void
add_wrapped(struct text *t, const char *first, const char *s)
{
	struct text safe = {0};
	int indent = terminal_columns(first), column = indent;

	terminal_safe(&safe, s);
	t->failed = t->failed || safe.failed;
	text_add(t, first);
	for (const char *p = text_string(&safe); *p != '\0';) {
		size_t n = strcspn(p, " ");
		char *word = strndup(p, n);
		int wide = word == NULL ? 0 : terminal_columns(word);

		if (column > indent && column + 1 + wide > WIDTH) {
			text_printf(t, "\n%*s", indent, "");
			column = indent;
		}
		if (column > indent) {
			text_add_char(t, ' ');
			column++;
		}
		text_add_octets(t, p, n);
		column += wide;
		free(word);
		p += n + strspn(p + n, " ");
	}
	text_add(t, "\n");
	text_free(&safe);
}

/* A name of others in its column; a longer one is on a line of its own. */
static void
add_name(struct text *t, const char *s)
{
	struct text safe = {0};
	int wide;

	terminal_safe(&safe, s);
	t->failed = t->failed || safe.failed;
	wide = terminal_columns(text_string(&safe));
	text_printf(t, "  %s", text_string(&safe));
	if (wide > NAME_COLUMNS)
		text_printf(t, "\n  %*s", NAME_COLUMNS, "");
	else
		text_printf(t, "%*s", NAME_COLUMNS - wide, "");
	text_free(&safe);
}

static void
add_heading(struct text *t, const char *s)
{
	text_printf(t, "\n%s\n", s);
	for (const char *c = s; *c != '\0'; c++)
		text_add_char(t, '-');
	text_add(t, "\n");
}

static void
add_drifts(const struct summary *s, struct arena *a, struct text *t)
{
	add_heading(t, "What changed");
	if (summary_drifts(s) == 0)
		add_line(t, s->facts->is_young ? "  Too little is known yet to tell: the audit is too young."
			 : s->facts->is_short ? "  Too little is kept to tell: audit: keep is too short." : "  Nothing that is unusual.");
	for (size_t i = 0; i < s->facts->n_drifts; i++) {
		const struct drift *d = &s->facts->drifts[i];

		if (!summary_has(s, d->app))
			continue;
		add_wrapped(t, "  * ", drift_text(d, a));
		if (d->id[0] != '\0')
			add_wrapped(t, "    ", arena_printf(a, "postern trace %s", d->id));
	}
}

static void
add_apps(const struct summary *s, struct text *t)
{
	char change[SUMMARY_WORD];
	int shown = 0;

	add_heading(t, "Mail by app");
	text_printf(t, "  %-*s%8s %6s %8s %8s %6s %8s\n", NAME_COLUMNS, "", "messages", "change", "refused", "deferred", "held", "unsigned");
	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if ((x->now.messages == 0 && x->before == 0) || !summary_has(s, x->name) || shown++ >= ROWS)
			continue;
		add_name(t, summary_app_name(x->name));
		text_printf(t, "%8llu %6s %8llu %8llu %6llu %8llu\n", (ull)x->now.messages, summary_change(s, x, change), (ull)x->now.rejected,
			    (ull)x->now.deferred, (ull)x->now.held, (ull)x->now.is_unsigned);
	}
	if (shown > ROWS)
		text_printf(t, "  and %d apps more\n", shown - ROWS);
}

static void
add_causes(const struct summary *s, struct arena *a, struct text *t)
{
	int shown = 0;

	for (size_t i = 0; i < s->facts->n_causes; i++) {
		const struct summary_cause *c = &s->facts->causes[i];

		if (!summary_has(s, c->app) || shown++ >= ROWS)
			continue;
		if (shown == 1)
			add_heading(t, "Refused, deferred, held");
		add_wrapped(t, "  * ", arena_printf(a, "%s: %llu by %s (%s)", summary_app_name(c->app), (ull)c->messages, c->reason, c->verdict));
		if (summary_advice(c)[0] != '\0')
			add_wrapped(t, "    ", summary_advice(c));
	}
	if (shown > ROWS)
		text_printf(t, "  and %d more\n", shown - ROWS);
}

static void
add_limits(const struct summary *s, struct arena *a, struct text *t)
{
	int shown = 0;

	for (size_t i = 0; i < s->facts->n_limits; i++) {
		const struct summary_limit *l = &s->facts->limits[i];

		if (!summary_has(s, l->app) || shown++ >= ROWS)
			continue;
		if (shown == 1)
			add_heading(t, "Limits");
		add_wrapped(t, "  * ", arena_printf(a, "%s%s%s: %s", l->name, l->key[0] == '\0' ? "" : " ", l->key, summary_limit_text(l, a)));
	}
	if (shown > ROWS)
		text_printf(t, "  and %d more\n", shown - ROWS);
}

static void
add_unsigned(const struct summary *s, struct arena *a, struct text *t)
{
	bool first = true;

	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if (x->now.is_unsigned == 0 || !summary_has(s, x->name))
			continue;
		if (first)
			add_heading(t, "Left without a DKIM signature");
		first = false;
		add_wrapped(t, "  * ", arena_printf(a, "%s: %llu of %llu", summary_app_name(x->name), (ull)x->now.is_unsigned,
						     (ull)(x->now.accepted + x->now.held)));
	}
	if (!first)
		add_wrapped(t, "    ", "The question unsigned-mail.sql says why; postern check says which domains have no key.");
}

static void
add_waiting(const struct summary *s, struct arena *a, struct text *t)
{
	bool first = true;

	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if (x->waiting + x->kept == 0 || !summary_has(s, x->name))
			continue;
		if (first)
			add_heading(t, "Held now");
		first = false;
		add_wrapped(t, "  * ", arena_printf(a, "%s: %llu wait for a limit, %llu until somebody lets them go (postern release --list)",
						     summary_app_name(x->name), (ull)x->waiting, (ull)x->kept));
	}
}

static void
add_answers(const struct summary *s, struct arena *a, struct text *t)
{
	uint64_t sent = 0;
	int shown = 0;

	if (!s->facts->is_followed)
		return;
	for (size_t i = 0; i < s->facts->n_apps; i++)
		sent += summary_has(s, s->facts->apps[i].name) ? s->facts->apps[i].sent : 0;
	for (size_t i = 0; i < s->facts->n_answers; i++) {
		const struct summary_answer *x = &s->facts->answers[i];

		if (!summary_has(s, x->app) || shown++ >= ROWS)
			continue;
		if (shown == 1)
			add_heading(t, "What Microsoft answered");
		add_wrapped(t, "  * ", arena_printf(a, "%s: %llu recipient%s %s%s%s", summary_app_name(x->app), (ull)x->recipients,
						     x->recipients == 1 ? "" : "s", x->status, x->meaning.keyword[0] == '\0' ? "" : ", ",
						     x->meaning.keyword));
		if (summary_answer_text(x, a)[0] != '\0')
			add_wrapped(t, "    ", summary_answer_text(x, a));
		add_wrapped(t, "    > ", x->reply);
	}
	if (shown > ROWS)
		text_printf(t, "  and %d more\n", shown - ROWS);
	if (shown > 0)
		text_printf(t, "  %llu recipients got theirs.\n", (ull)sent);
}

void
summary_text(const struct summary *s, struct arena *a, struct text *t)
{
	char since[WHEN_SIZE];

	add_wrapped(t, "", arena_printf(a, "%s: %s.", s->is_admin ? "All mail through this relay"
					: "The mail of your apps through the relay", summary_range(s, a)));
	if (s->not_since > 0)
		add_wrapped(t, "", arena_printf(a, "The summaries since %s were not sent, for postern summary did not run or could not; this is "
						"the last one.", when_format(s->not_since, since)));
	if (summary_is_empty(s)) {
		add_line(t, "\nNothing to tell: no mail, nothing that waits.");
	} else {
		add_drifts(s, a, t);
		add_apps(s, t);
		add_causes(s, a, t);
		add_limits(s, a, t);
		add_unsigned(s, a, t);
		add_waiting(s, a, t);
		add_answers(s, a, t);
	}
	if (s->facts->left_out > 0)
		text_printf(t, "\n%llu things more had no room here; postern report shows them.\n", (ull)s->facts->left_out);
	text_add(t, "\n-- \n");
	add_wrapped(t, "", s->is_admin ? "Sent by postern summary, as the policy file asks for (summary: admin)."
		    : "Sent by postern summary because an app names this address as its owner. Ask the mail administrators to change that.");
}

/* ---- JSON */

static void
set_app(struct jsonv *list, const struct summary_app *x)
{
	struct jsonv *o = jsonv_add_object(list);
	const struct store_traffic *n = &x->now;
	const struct {
		const char *name;
		uint64_t n;
	} numbers[] = {
		{"messages", n->messages}, {"before", x->before}, {"accepted", n->accepted}, {"held", n->held}, {"deferred", n->deferred},
		{"rejected", n->rejected}, {"discarded", n->discarded}, {"unsigned", n->is_unsigned}, {"external", n->external},
		{"bytes", n->bytes}, {"waiting", x->waiting}, {"kept", x->kept}, {"sent", x->sent}, {"unsent", x->unsent},
	};

	jsonv_set_text(o, "app", x->name);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (strcmp(numbers[i].name, "before") != 0 || x->is_before_known)
			jsonv_set_integer(o, numbers[i].name, (int64_t)numbers[i].n);
}

static void
set_drift(struct jsonv *list, const struct drift *d, struct arena *a)
{
	struct jsonv *o = jsonv_add_object(list);
	char at[WHEN_SIZE];

	jsonv_set_text(o, "kind", drift_kind_name(d->kind));
	jsonv_set_text(o, "app", d->app);
	jsonv_set_text(o, "name", d->name);
	jsonv_set_text(o, "text", drift_text(d, a));
	jsonv_set_integer(o, "now", (int64_t)d->now);
	jsonv_set_integer(o, "ranges", (int64_t)d->values);
	if (d->high > 0) {
		jsonv_set_integer(o, "low", (int64_t)d->low);
		jsonv_set_integer(o, "high", (int64_t)d->high);
	}
	if (d->first > 0)
		jsonv_set_text(o, "first_at", when_format(d->first, at));
	if (d->id[0] != '\0')
		jsonv_set_text(o, "first_id", d->id);
}

static void
set_answer(struct jsonv *list, const struct summary_answer *x)
{
	struct jsonv *o = jsonv_add_object(list);

	jsonv_set_text(o, "app", x->app);
	jsonv_set_text(o, "status", x->status);
	jsonv_set_integer(o, "recipients", (int64_t)x->recipients);
	jsonv_set_text(o, "reply", x->reply);
	jsonv_set_boolean(o, "foreign", x->is_foreign);
	if (x->meaning.keyword[0] == '\0')
		return;
	jsonv_set_text(o, "keyword", x->meaning.keyword);
	jsonv_set_text(o, "class", m365_class_name(x->meaning.class));
	jsonv_set_text(o, "cause", x->meaning.cause);
	jsonv_set_text(o, "who", m365_who_name(x->meaning.who));
	jsonv_set_text(o, "action", x->meaning.action);
}

static void
set_lists(struct jsonv *root, const struct summary *s, struct arena *a)
{
	const struct summary_facts *f = s->facts;
	struct jsonv *list = jsonv_set_array(root, "changes");
	char at[WHEN_SIZE];

	for (size_t i = 0; i < f->n_drifts; i++)
		if (summary_has(s, f->drifts[i].app))
			set_drift(list, &f->drifts[i], a);
	list = jsonv_set_array(root, "apps");
	for (size_t i = 0; i < f->n_apps; i++)
		if (summary_has(s, f->apps[i].name))
			set_app(list, &f->apps[i]);
	list = jsonv_set_array(root, "reasons");
	for (size_t i = 0; i < f->n_causes; i++) {
		struct jsonv *o = summary_has(s, f->causes[i].app) ? jsonv_add_object(list) : NULL;

		if (o == NULL)
			continue;
		jsonv_set_text(o, "app", f->causes[i].app);
		jsonv_set_text(o, "reason", f->causes[i].reason);
		jsonv_set_text(o, "verdict", f->causes[i].verdict);
		jsonv_set_integer(o, "messages", (int64_t)f->causes[i].messages);
		jsonv_set_text(o, "advice", summary_advice(&f->causes[i]));
	}
	list = jsonv_set_array(root, "limits");
	for (size_t i = 0; i < f->n_limits; i++) {
		struct jsonv *o = summary_has(s, f->limits[i].app) ? jsonv_add_object(list) : NULL;

		if (o == NULL)
			continue;
		jsonv_set_text(o, "app", f->limits[i].app);
		jsonv_set_text(o, "name", f->limits[i].name);
		jsonv_set_text(o, "key", f->limits[i].key);
		jsonv_set_integer(o, "near", (int64_t)f->limits[i].near);
		jsonv_set_integer(o, "reached", (int64_t)f->limits[i].reached);
		jsonv_set_text(o, "last_at", when_format(f->limits[i].last, at));
	}
	list = jsonv_set_array(root, "answers");
	for (size_t i = 0; i < f->n_answers; i++)
		if (summary_has(s, f->answers[i].app))
			set_answer(list, &f->answers[i]);
}

void
summary_json(const struct summary *s, struct arena *a, struct jsonv *array)
{
	struct jsonv *root = jsonv_add_object(array);
	char at[WHEN_SIZE];

	jsonv_set_text(root, "to", s->to);
	jsonv_set_boolean(root, "is_admin", s->is_admin);
	jsonv_set_text(root, "period", s->facts->ranges.is_daily ? "day" : "week");
	jsonv_set_text(root, "since", when_format(s->facts->since, at));
	jsonv_set_text(root, "until", when_format(s->facts->until, at));
	jsonv_set_text(root, "title", summary_title(s, a));
	jsonv_set_boolean(root, "is_empty", summary_is_empty(s));
	jsonv_set_boolean(root, "is_followed", s->facts->is_followed);
	set_lists(root, s, a);
}
