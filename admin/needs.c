/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See needs.h. A source of needs is a function in `sources`.
 */
#include "config.h"

#include "admin/needs.h"

#include <stdlib.h>
#include <string.h>

#include "admin/when.h"

/* An app is told of when so much of its mail was refused. */
#define REFUSED_LEAST 10
#define REFUSED_PERCENT 10
#define SILENT_MS INT64_C(3600000)

typedef unsigned long long ull;

static void
add(struct needs *n, enum need_when when, const char *page, const char *name, const char *title, const char *action)
{
	if (n->n == NEEDS_MOST)
		n->more++;
	else
		n->list[n->n++] = (struct need){when, title, action, page, arena_string(n->arena, name)};
}

static void
find_pauses(const struct needs_facts *f, struct needs *n)
{
	char until[WHEN_SIZE];

	for (size_t i = 0; i < f->n_pauses; i++) {
		const struct needs_pause *p = &f->pauses[i];

		add(n, NEED_NOW, "tenant", p->tenant,
		    arena_printf(n->arena, "Mail of %s%s%s%s is paused: Exchange Online answered %s", p->tenant, p->sender[0] == '\0' ? "" : ", sender ", p->sender,
				 p->external_only ? " to the outside" : "", p->keyword),
		    arena_printf(n->arena, "It is deferred, and nothing is lost. %s postern pause says why, postern pause lift %s ends it.",
				 p->tries ? "The next message tries whether it goes again." : arena_printf(n->arena, "Until %s, then one message at a time tries.",
													      when_format(p->until, until)), p->tenant));
	}
}

static void
find_limits(const struct needs_facts *f, struct needs *n)
{
	char span[WHEN_SIZE];

	for (size_t i = 0; f->limits != NULL && i < f->limits->n_rows; i++) {
		const struct limits_row *r = &f->limits->rows[i];
		const char *of = r->key[0] == '\0' ? "" : " of ";

		if (!r->is_reached && !r->is_near)
			continue;
		add(n, r->is_reached ? NEED_NOW : NEED_SOON, "limits", "",
		    arena_printf(n->arena, "Limit %s%s%s %s: %llu of %llu %s", r->limit->name, of, r->key, r->is_reached ? "is reached" : "is near",
				 (ull)r->used, (ull)(r->count + r->boost), limit_unit_name(r->limit->unit)),
		    arena_printf(n->arena, "%s%s. postern limits says who spends it, and boost gives it room for a while.",
				 r->waiting > 0 ? "Mail waits for it; some comes back in " : "Some comes back in ",
				 when_span(r->next_ms < 0 ? 0 : r->next_ms, span)));
	}
}

static void
find_held(const struct needs_facts *f, struct needs *n)
{
	if (f->traffic == NULL)
		return;
	if (f->traffic->kept > 0)
		add(n, NEED_SOON, "latest", "hold", arena_printf(n->arena, "%llu messages wait until somebody lets them go", (ull)f->traffic->kept),
		    "postern release --list shows them, postern release --now lets them go.");
	if (f->traffic->waiting > 0)
		add(n, NEED_KNOW, "latest", "hold", arena_printf(n->arena, "%llu messages wait for a limit", (ull)f->traffic->waiting),
		    "They leave in their turn; postern release --list shows what waits for what.");
}

static const struct traffic_reason *
main_reason(const struct traffic *t, const char *app)
{
	for (size_t i = 0; i < t->n_reasons; i++)
		if (strcmp(t->reasons[i].app, app) == 0)
			return &t->reasons[i];
	return NULL;
}

static void
find_refused(const struct needs_facts *f, struct needs *n)
{
	const struct traffic *t = f->traffic;

	for (size_t i = 0; t != NULL && i < t->n_rows; i++) {
		const struct store_traffic *s = &t->rows[i].now;
		const struct traffic_reason *r;
		char share[TRAFFIC_WORD];

		if (s->rejected + s->deferred < REFUSED_LEAST || 100 * (s->rejected + s->deferred) < REFUSED_PERCENT * s->messages)
			continue;
		r = main_reason(t, t->rows[i].name);
		add(n, s->accepted == 0 ? NEED_NOW : NEED_SOON, "app", t->rows[i].name,
		    arena_printf(n->arena, "%s of the mail of %s was refused or deferred%s%s", traffic_share(s->rejected + s->deferred, s->messages, share),
				 traffic_name(t, t->rows[i].name), r == NULL ? "" : ", mostly for ", r == NULL ? "" : r->reason),
		    r == NULL ? "Its page says why." : traffic_advice(r));
	}
}

/* What stops more than one message's recipients. */
static bool
is_wide(enum m365_class class)
{
	return class == M365_QUOTA || class == M365_TENANT || class == M365_ROUTE;
}

static void
find_replies(const struct needs_facts *f, struct needs *n)
{
	for (size_t i = 0; f->replies != NULL && i < f->replies->n_groups; i++) {
		const struct replies_group *g = &f->replies->groups[i];

		if (is_wide(g->meaning.class) && g->meaning.keyword[0] != '\0')
			add(n, g->bounced > 0 ? NEED_NOW : NEED_SOON, "replies", "",
			    arena_printf(n->arena, "Exchange Online answered %s for %llu recipient%s", g->meaning.keyword, (ull)g->recipients,
					 g->recipients == 1 ? "" : "s"),
			    arena_printf(n->arena, "%s %s", g->meaning.cause, g->meaning.action));
	}
}

static void
find_unsigned(const struct needs_facts *f, struct needs *n)
{
	if (f->traffic != NULL && f->traffic->total.is_unsigned > 0)
		add(n, NEED_SOON, "unsigned", "", arena_printf(n->arena, "%llu messages left unsigned", (ull)f->traffic->total.is_unsigned),
		    "Receivers may take unsigned mail for forged; the page says which apps and why.");
}

static void
find_lists(const struct needs_facts *f, struct needs *n)
{
	for (size_t i = 0; f->policy != NULL && i < f->policy->n_tenants; i++) {
		const struct tenant *t = &f->policy->tenants[i];

		for (size_t j = 0; j < t->n_sources; j++)
			if (t->sources_max_age > 0 && f->now / 1000 - t->sources[j].modified > (int64_t)t->sources_max_age)
				add(n, NEED_SOON, "tenant", t->name,
				    arena_printf(n->arena, "The accepted domains of %s are %lld days old", t->name,
						 (long long)((f->now / 1000 - t->sources[j].modified) / 86400)),
				    "Export them anew; the job that does it may have died.");
	}
}

static void
find_silence(const struct needs_facts *f, struct needs *n)
{
	char span[WHEN_SIZE];

	if (f->last == 0)
		add(n, NEED_KNOW, "apps", "", "No mail came so far", "Does the MTA reach posternd? The guide's page on the MTA has the settings.");
	else if (f->now - f->last > SILENT_MS)
		add(n, NEED_SOON, "apps", "", arena_printf(n->arena, "No mail for %s", when_span(f->now - f->last, span)),
		    "Do the MTA and posternd run?");
}

static void
find_trial(const struct needs_facts *f, struct needs *n)
{
	if (f->traffic != NULL && f->traffic->total.on_trial > 0)
		add(n, NEED_KNOW, "refusals", "", arena_printf(n->arena, "%llu messages would have fared otherwise with nothing on trial",
							       (ull)f->traffic->total.on_trial),
		    "Before an app enforces, look at what would have been refused.");
}

static int
compare(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	return (int)x->when - (int)y->when;
}

void
needs_find(const struct needs_facts *f, struct needs *n)
{
	static void (*const sources[])(const struct needs_facts *f, struct needs *n) = {
		find_pauses, find_replies, find_limits, find_refused, find_held, find_unsigned, find_lists, find_silence, find_trial,
	};

	n->n = n->more = 0;
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
		sources[i](f, n);
	qsort(n->list, n->n, sizeof n->list[0], compare);
}
