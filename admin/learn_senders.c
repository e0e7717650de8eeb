/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The senders of each app: what is granted, and what is left to the admin.
 *
 * A pattern with * is proposed where at least five addresses differ in one number
 * only and come from at least three clients, or where there are twenty of them, and
 * where it matches no sender of another app. An address that was written once, while
 * most others of its app came again and again, is not granted.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#define DEVICES_MIN 5u
#define CLIENTS_MIN 3u
#define MEMBERS_MIN 20u
/* An app with so many messages has senders that are known well enough to tell a stray
 * from them; strays are at most this percent of its senders, or two. */
#define STRAY_FROM 20u
#define STRAY_PERCENT 20u
#define STRAY_ALWAYS 2u
/* From so many senders, or parts, on an address is shared by several programs, unless
 * one sender has more than this percent. */
#define SHARED_SENDERS 8u
#define SHARED_PARTS 4u
#define DOMINANT_PERCENT 60u
/* More parts than these are one with the last. */
#define PARTS_MAX 32u

/* The senders of one app: each address once. */
struct entry {
	const char *text;
	const char *local, *domain;
	uint32_t shape;
	uint32_t clients;           /* sources with it */
	bool is_shape, is_known, is_taken;
	uint64_t envelope, header;
	int64_t first, last;
};

struct collection {
	struct learn *l;
	struct learn_app *app;
	uint32_t number;            /* of the app */
	struct entry *list;
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->text, y->text);
}

/* One entry for what several sources wrote. */
static void
unite(struct collection *c)
{
	size_t n = 0;

	if (c->n > 1)
		qsort(c->list, c->n, sizeof c->list[0], by_text);
	for (size_t i = 0; i < c->n; i++) {
		struct entry *to = n == 0 ? NULL : &c->list[n - 1];

		if (to == NULL || strcmp(to->text, c->list[i].text) != 0) {
			c->list[n++] = c->list[i];
			continue;
		}
		to->clients++;
		to->is_known = to->is_known || c->list[i].is_known;
		to->envelope += c->list[i].envelope;
		to->header += c->list[i].header;
		to->first = c->list[i].first < to->first ? c->list[i].first : to->first;
		to->last = c->list[i].last > to->last ? c->list[i].last : to->last;
	}
	c->n = n;
}

static bool
app_covers(const struct app *a, const struct learn_sender *x)
{
	struct address address = {
		.local = x->local, .domain = x->domain, .text = x->text, .is_null = strcmp(x->text, "<>") == 0,
	};

	for (size_t i = 0; i < a->n_senders; i++)
		if (address_matches(&a->senders[i], &address))
			return true;
	return false;
}

static void
collect_source(struct collection *c, uint32_t number)
{
	const struct learn *l = c->l;

	for (uint32_t i = learn_source(l, number)->senders; i != 0; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i);

		if (!learn_is_evidence(x))
			continue;
		c->list[c->n++] = (struct entry){
			.text = x->text, .local = x->local, .domain = x->domain, .shape = x->shape, .clients = 1,
			.is_shape = x->is_shape, .envelope = x->envelope, .header = x->header, .first = x->first,
			.last = x->last, .is_known = c->app->known != NULL && app_covers(c->app->known, x),
		};
	}
}

static int
collect(struct collection *c)
{
	const struct learn *l = c->l;
	size_t room = 0;

	for (size_t i = 0; i < c->app->n_sources; i++)
		room += learn_source_of(l, c->app, i)->n_senders + learn_source_of(l, c->app, i)->n_shapes;
	c->n = 0;
	c->list = calloc(room + 1, sizeof c->list[0]);
	if (c->list == NULL)
		return -1;
	for (size_t i = 0; i < c->app->n_sources; i++)
		collect_source(c, c->app->sources[i]);
	unite(c);
	return 0;
}

/* Whether an app of the policy names an address that the pattern matches. */
static bool
is_named_elsewhere(const struct collection *c, const char *local, const char *domain)
{
	const struct policy *p = c->l->policy;

	for (size_t i = 0; i < p->n_apps; i++) {
		for (size_t j = 0; j < p->apps[i].n_senders && &p->apps[i] != c->app->known; j++) {
			const struct address_pattern *x = &p->apps[i].senders[j];

			if (!x->is_null && strcmp(x->domain, domain) == 0 && text_glob(local, x->local))
				return true;
		}
	}
	return false;
}

/* Whether the pattern would match what another app, or nobody, may send as. */
static bool
is_taken_elsewhere(const struct collection *c, const char *pattern)
{
	const struct learn *l = c->l;
	const char *at = strrchr(pattern, '@');
	char local[256];
	size_t n = (size_t)(at - pattern);

	if (n >= sizeof local)
		return true;
	memcpy(local, pattern, n);
	local[n] = '\0';
	for (uint32_t i = 1; i <= l->n_senders; i++) {
		const struct learn_sender *x = learn_sender(l, i);

		if (learn_source(l, x->source)->app != c->number && strcmp(x->domain, at + 1) == 0 &&
		    text_glob(local, x->local))
			return true;
	}
	return is_named_elsewhere(c, local, at + 1);
}

static struct learn_grant *
add_grant(struct learn_app *a, const char *text, const struct entry *e)
{
	struct learn_grant *g = &a->grants[a->n_grants++];

	*g = (struct learn_grant){.text = text, .first = e->first, .last = e->last, .is_known = e->is_known};
	return g;
}

static void
add_to_grant(struct learn_grant *g, struct entry *e)
{
	e->is_taken = true;
	g->envelope += e->envelope;
	g->header += e->header;
	g->first = e->first < g->first ? e->first : g->first;
	g->last = e->last > g->last ? e->last : g->last;
	if (e->is_shape)
		return;
	g->members++;
	if (g->least == NULL || strlen(e->text) < strlen(g->least) ||
	    (strlen(e->text) == strlen(g->least) && strcmp(e->text, g->least) < 0))
		g->least = e->text;
	if (g->most == NULL || strlen(e->text) > strlen(g->most) ||
	    (strlen(e->text) == strlen(g->most) && strcmp(e->text, g->most) > 0))
		g->most = e->text;
}

/* Distinct clients of the app's sources that write this shape. */
static uint32_t
clients_of_shape(const struct collection *c, uint32_t shape)
{
	const struct learn *l = c->l;
	uint32_t n = 0;

	for (size_t i = 0; i < c->app->n_sources; i++) {
		uint32_t j = learn_source_of(l, c->app, i)->senders;

		for (; j != 0; j = learn_sender(l, j)->next) {
			if (learn_sender(l, j)->shape != shape || !learn_is_evidence(learn_sender(l, j)))
				continue;
			n++;
			break;
		}
	}
	return n;
}

/* A pattern for all that has the shape of entry `first`, where that is justified. */
static void
grant_shape(struct collection *c, size_t first)
{
	const char *pattern = learn_table_text(c->l->texts, c->list[first].shape);
	uint32_t members = 0, clients;
	bool overflows = false, all_known = true;
	struct learn_grant *g;

	for (size_t i = first; i < c->n; i++) {
		if (c->list[i].shape != c->list[first].shape)
			continue;
		members += !c->list[i].is_shape;
		overflows = overflows || c->list[i].is_shape;
		all_known = all_known && c->list[i].is_known;
	}
	clients = clients_of_shape(c, c->list[first].shape);
	if (all_known || !learn_shape_is_telling(pattern) ||
	    !(overflows || members >= MEMBERS_MIN || (members >= DEVICES_MIN && clients >= CLIENTS_MIN)) ||
	    is_taken_elsewhere(c, pattern))
		return;
	g = add_grant(c->app, pattern, &c->list[first]);
	for (size_t i = first; i < c->n; i++)
		if (c->list[i].shape == c->list[first].shape)
			add_to_grant(g, &c->list[i]);
	g->is_known = false;
	g->clients = clients;
}

/* The count of senders that were written once, where that makes them strays. */
static bool
has_strays(const struct collection *c)
{
	size_t once = 0, all = 0;

	for (size_t i = 0; i < c->n; i++) {
		all += !c->list[i].is_taken;
		once += !c->list[i].is_taken && c->list[i].envelope + c->list[i].header == 1;
	}
	return c->app->messages >= STRAY_FROM && once < all &&
	       (once <= STRAY_ALWAYS || once * 100 <= all * STRAY_PERCENT);
}

/* Marks an address that is not granted, so that its mail is not measured. */
static void
mark_stray(struct collection *c, const char *text)
{
	struct learn *l = c->l;

	for (size_t i = 0; i < c->app->n_sources; i++) {
		uint32_t number;

		text_clear(&l->key);
		text_printf(&l->key, "%u:%s", c->app->sources[i], text);
		number = learn_table_find(l->sender_keys, text_string(&l->key));
		if (number != 0)
			learn_sender(l, number)->is_stray = true;
	}
}

static void
grant_rest(struct collection *c)
{
	bool strays = has_strays(c);

	for (size_t i = 0; i < c->n; i++) {
		struct entry *e = &c->list[i];
		struct learn_grant *g;
		bool is_null = strcmp(e->text, "<>") == 0;

		if (e->is_taken)
			continue;
		if (e->is_shape && !e->is_known) {
			c->app->beyond += e->envelope + e->header;
			continue;
		}
		g = add_grant(c->app, e->text, e);
		g->envelope = e->envelope;
		g->header = e->header;
		g->clients = e->clients;
		if (!e->is_known)
			g->is_stray = (strays && e->envelope + e->header == 1) || (is_null && c->app->n_tenants > 1);
		if (g->is_stray)
			mark_stray(c, e->text);
	}
}

static int
by_use(const void *a, const void *b)
{
	const struct learn_grant *x = a, *y = b;
	uint64_t n = x->envelope + x->header, m = y->envelope + y->header;

	if (x->is_stray != y->is_stray)
		return x->is_stray ? 1 : -1;
	return n != m ? (n < m) - (n > m) : strcmp(x->text, y->text);
}

/* The part of an app that a sender belongs to; NULL when there is no room. */
static struct learn_part *
part_of(struct learn *l, struct learn_app *a, const struct learn_sender *x, size_t room)
{
	const char *helo = learn_table_text(l->texts, x->helo), *host = learn_table_text(l->texts, x->mid);
	struct learn_part *p;

	for (size_t i = 0; i < a->n_parts; i++)
		if (strcmp(a->parts[i].helo, helo) == 0 && strcmp(a->parts[i].host, host) == 0)
			return &a->parts[i];
	if (a->n_parts == PARTS_MAX)
		return &a->parts[PARTS_MAX - 1];
	p = &a->parts[a->n_parts++];
	*p = (struct learn_part){.helo = helo, .host = host};
	p->senders = arena_array(l->arena, room, sizeof *p->senders);
	return p->senders == NULL ? NULL : p;
}

static int
by_messages(const void *a, const void *b)
{
	const struct learn_part *x = a, *y = b;

	return (x->messages < y->messages) - (x->messages > y->messages);
}

/* The programs behind the one address of an app, as far as they can be told. */
static void
find_parts(struct learn *l, struct learn_app *a)
{
	const struct learn_source *s = learn_source(l, a->sources[0]);

	a->parts = arena_array(l->arena, PARTS_MAX, sizeof *a->parts);
	for (uint32_t i = s->senders; i != 0 && a->parts != NULL; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i);
		struct learn_part *p;

		if (!learn_is_evidence(x) || x->is_shape || x->envelope == 0)
			continue;
		p = part_of(l, a, x, s->n_senders);
		if (p == NULL)
			return;
		p->senders[p->n_senders++] = x->text;
		p->messages += x->envelope;
	}
	if (a->n_parts > 1)
		qsort(a->parts, a->n_parts, sizeof a->parts[0], by_messages);
}

/* Whether several programs seem to stand behind the address. */
static bool
is_shared(const struct learn_app *a)
{
	uint64_t top = 0;
	size_t n = 0;

	if (a->n_parts >= SHARED_PARTS)
		return true;
	for (size_t i = 0; i < a->n_grants; i++) {
		n += !a->grants[i].is_stray && a->grants[i].members == 0;
		top = a->grants[i].envelope > top ? a->grants[i].envelope : top;
	}
	return n >= SHARED_SENDERS && top * 100 <= a->messages * DOMINANT_PERCENT;
}

static int
one_app(struct collection *c)
{
	struct learn_app *a = c->app;

	if (collect(c) != 0)
		return -1;
	a->grants = arena_array(c->l->arena, 2 * c->n + 1, sizeof *a->grants);
	for (size_t i = 0; a->grants != NULL && i < c->n; i++)
		if (c->list[i].shape != 0 && !c->list[i].is_taken)
			grant_shape(c, i);
	if (a->grants != NULL)
		grant_rest(c);
	free(c->list);
	if (a->n_grants > 1)
		qsort(a->grants, a->n_grants, sizeof a->grants[0], by_use);
	if (a->known == NULL && a->proof == LEARN_BY_ADDRESS && a->n_sources == 1) {
		find_parts(c->l, a);
		a->is_shared = is_shared(a);
	}
	return 0;
}

int
learn_senders(struct learn *l)
{
	for (size_t i = 0; i < l->n_apps; i++) {
		struct collection c = {.l = l, .app = &l->apps[i], .number = (uint32_t)i + 1};

		if (one_app(&c) != 0)
			return -1;
	}
	return arena_failed(l->arena) ? -1 : 0;
}
