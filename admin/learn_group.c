/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From sources to apps. The policy's own apps come first, with what they match.
 * Every other source, the busiest first, joins the app it is a part of:
 *
 *   by login (or else certificate): an app of the same login that writes some sender
 *     of the source's, or one that differs only in the login's number (scan01, scan02)
 *     and writes the same sender;
 *   by address alone: an app whose clients prove nothing either, with whose senders
 *     half of its mail is written (within one network, senders that differ in their
 *     number only), and which is like it: subjects that begin alike; where these say
 *     nothing, Message-IDs of the same hosts; where these say nothing either, the
 *     same HELO names or the same network;
 *
 * or begins an app of its own. Then what came without proof from just the clients
 * of an app with one, as the same senders, is put to that app.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#include "policy/identify.h"

#define KEYS_MAX 1000000u
#define TRIED_MAX 128u
/* How many sources of an app a new one is compared with. */
#define COMPARED 8u
/* Percent of a source's mail by senders that the other has, of either and of both. */
#define SHARED_MORE 50u
#define SHARED_LESS 25u
#define MIXED_CLIENTS_MAX 64u

/* An app that a key leads to. */
struct link {
	uint32_t app, next;         /* number of the next link, 0 none */
};

struct grouping {
	struct learn *l;
	struct learn_table *keys;
	struct learn_table *shapes; /* "SOURCE~shape" of all senders */
	uint32_t *first;            /* of each key: number of a link */
	struct link *links;
	size_t n_first, first_room, n_links, links_room;
	struct text key;
	bool failed;
};

static enum learn_proof
proof_of(const struct learn_source *s)
{
	if (s->login[0] != '\0')
		return LEARN_BY_LOGIN;
	return s->certificate[0] != '\0' ? LEARN_BY_CERTIFICATE : LEARN_BY_ADDRESS;
}

/* Percent of a's mail whose senders b has too, or (by_shape) others of their shape. */
static unsigned
shared_percent(struct grouping *g, uint32_t a, uint32_t b, bool by_shape)
{
	const struct learn *l = g->l;
	uint64_t shared = 0, all = 0;

	for (uint32_t i = learn_source(l, a)->senders; i != 0; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i), *y;
		uint32_t found;

		if (!learn_is_evidence(x))
			continue;
		all += x->envelope + x->header;
		text_clear(&g->key);
		text_printf(&g->key, "%u:%s", b, x->text);
		found = learn_table_find(l->sender_keys, text_string(&g->key));
		y = found == 0 ? NULL : learn_sender(l, found);
		if (y == NULL || !learn_is_evidence(y)) {
			text_clear(&g->key);
			text_printf(&g->key, "%u~%u", b, x->shape);
			if (!by_shape || x->shape == 0 || learn_table_find(g->shapes, text_string(&g->key)) == 0)
				continue;
		}
		shared += x->envelope + x->header;
	}
	return all == 0 ? 0 : (unsigned)(shared * 100 / all);
}

/* One /24, or /64 of IPv6. */
static bool
same_net(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && a->family != NETWORK_NONE &&
	       memcmp(a->octets, b->octets, a->family == NETWORK_IPV4 ? 3 : 8) == 0;
}

static bool
share_senders(struct grouping *g, uint32_t a, uint32_t b)
{
	const struct learn_source *s = learn_source(g->l, a), *other = learn_source(g->l, b);
	bool by_shape = proof_of(s) == LEARN_BY_ADDRESS && same_net(&s->ip, &other->ip);
	unsigned x = shared_percent(g, a, b, by_shape), y = shared_percent(g, b, a, by_shape);

	return (x > y ? x : y) >= SHARED_MORE && (x > y ? y : x) >= SHARED_LESS;
}

static bool
is_like(const struct learn_source *a, const struct learn_source *b)
{
	enum learn_alike subjects = learn_sketch_compare(&a->subjects, &b->subjects);
	enum learn_alike hosts = learn_sketch_compare(&a->hosts, &b->hosts);

	if (subjects != LEARN_UNKNOWN)
		return subjects == LEARN_ALIKE;
	if (hosts != LEARN_UNKNOWN)
		return hosts == LEARN_ALIKE;
	return learn_sketch_compare(&a->helos, &b->helos) == LEARN_ALIKE || same_net(&a->ip, &b->ip);
}

/* Whether sources of an app that the policy has may be joined by this one, so that
 * more clients are all it needs. */
static bool
may_join_known(const struct app *a, const struct learn_source *s)
{
	struct app elsewhere = *a;
	struct client c = {
		.name = "", .helo = "", .login = s->login, .tls = "", .cert_subject = s->certificate,
		.cert_issuer = "",
		.cert_fingerprint = "",
	};

	if (a->n_clients == 0)
		return false;
	if (a->n_logins == 0 && a->n_certificates == 0)
		return proof_of(s) == LEARN_BY_ADDRESS;
	elsewhere.n_clients = 0;
	elsewhere.local = false;
	return identify_matches(&elsewhere, &c);
}

static bool
same_proof(const struct learn_source *a, const struct learn_source *b)
{
	if (proof_of(a) == LEARN_BY_LOGIN)
		return text_same(a->login, b->login);
	return proof_of(a) == LEARN_BY_CERTIFICATE && text_same(a->certificate, b->certificate);
}

static bool
joins(struct grouping *g, const struct learn_app *a, uint32_t number)
{
	const struct learn *l = g->l;
	const struct learn_source *s = learn_source(l, number);

	if (a->n_sources == 0 || (a->known != NULL ? !may_join_known(a->known, s) : a->proof != proof_of(s)))
		return false;
	for (size_t i = 0; i < a->n_sources && i < COMPARED; i++) {
		const struct learn_source *other = learn_source_of(l, a, i);

		if (same_proof(s, other) ? shared_percent(g, number, a->sources[i], true) > 0
					 : share_senders(g, number, a->sources[i]) && is_like(s, other))
			return true;
	}
	return false;
}

static int
add_source(struct learn_app *a, uint32_t number)
{
	uint32_t *more;

	if (a->n_sources == a->sources_room) {
		a->sources_room = a->sources_room == 0 ? 8 : a->sources_room * 2;
		more = realloc(a->sources, a->sources_room * sizeof *more);
		if (more == NULL)
			return -1;
		a->sources = more;
	}
	a->sources[a->n_sources++] = number;
	return 0;
}

static struct learn_app *
add_app(struct learn *l)
{
	struct learn_app *more;

	if (l->n_apps == l->apps_room) {
		l->apps_room = l->apps_room == 0 ? 64 : l->apps_room * 2;
		more = realloc(l->apps, l->apps_room * sizeof *more);
		if (more == NULL)
			return NULL;
		l->apps = more;
	}
	l->apps[l->n_apps] = (struct learn_app){.name = "", .first = INT64_MAX};
	return &l->apps[l->n_apps++];
}

/* Room for one more element of a list, NULL when memory is short. */
static void *
grow(struct grouping *g, void *list, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 1024 : *room * 2;
	void *p;

	if (n < *room)
		return list;
	p = realloc(list, more * size);
	g->failed = g->failed || p == NULL;
	if (p != NULL)
		*room = more;
	return p;
}

/* The first link of the key in g->key, 0 for none. */
static uint32_t
first_link(const struct grouping *g)
{
	uint32_t number = learn_table_find(g->keys, text_string(&g->key));

	return number == 0 ? 0 : g->first[number - 1];
}

/* The keys under which an app with this source is found: its proof, and each
 * sender by text and by shape. */
static void
each_key(struct grouping *g, uint32_t number, void (*each)(struct grouping *g, void *context), void *context)
{
	const struct learn *l = g->l;
	const struct learn_source *s = learn_source(l, number);
	enum learn_proof proof = proof_of(s);

	text_clear(&g->key);
	if (proof == LEARN_BY_LOGIN)
		text_add(&g->key, "L:");
	else if (proof == LEARN_BY_CERTIFICATE)
		text_add(&g->key, "C:");
	for (const char *p = proof == LEARN_BY_LOGIN ? s->login : s->certificate; *p != '\0'; p++)
		text_add_char(&g->key, text_lower_char(*p));
	if (proof != LEARN_BY_ADDRESS)
		each(g, context);
	for (uint32_t i = s->senders; i != 0; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i);

		if (!learn_is_evidence(x))
			continue;
		text_clear(&g->key);
		text_printf(&g->key, "%d:", (int)proof);
		/* Many logins share a sender; only like ones are one app. */
		if (proof == LEARN_BY_LOGIN)
			(void)learn_shape_local(s->login, &g->key);
		text_printf(&g->key, ":%s", x->shape != 0 ? learn_table_text(l->texts, x->shape) : x->text);
		each(g, context);
	}
}

/* Lets the key in g->key lead to an app. */
static void
index_key(struct grouping *g, void *context)
{
	uint32_t app = *(const uint32_t *)context, number;
	struct link *links;
	uint32_t *first;

	for (uint32_t i = first_link(g); i != 0; i = g->links[i - 1].next)
		if (g->links[i - 1].app == app)
			return;
	number = learn_table_add(g->keys, text_string(&g->key), NULL);
	first = grow(g, g->first, g->n_first, &g->first_room, sizeof *first);
	g->first = first == NULL ? g->first : first;
	links = grow(g, g->links, g->n_links, &g->links_room, sizeof *links);
	g->links = links == NULL ? g->links : links;
	if (number == 0 || g->failed)
		return;
	if (number > g->n_first)
		g->first[g->n_first++] = 0;
	g->links[g->n_links++] = (struct link){.app = app, .next = g->first[number - 1]};
	g->first[number - 1] = (uint32_t)g->n_links;
}

struct search {
	uint32_t source;
	uint32_t found;             /* number of an app, 0 none yet */
	uint32_t tried[TRIED_MAX];  /* apps that it does not join */
	size_t n_tried;
};

static void
try_key(struct grouping *g, void *context)
{
	struct search *s = context;

	for (uint32_t i = first_link(g); i != 0 && s->found == 0; i = g->links[i - 1].next) {
		uint32_t app = g->links[i - 1].app;
		size_t j;

		if (s->n_tried == TRIED_MAX)
			return;
		for (j = 0; j < s->n_tried && s->tried[j] != app; j++)
			;
		if (j < s->n_tried)
			continue;
		s->tried[s->n_tried++] = app;
		if (joins(g, &g->l->apps[app - 1], s->source))
			s->found = app;
	}
}

static int
put(struct grouping *g, uint32_t app, uint32_t source)
{
	learn_source(g->l, source)->app = app;
	each_key(g, source, index_key, &app);
	return add_source(&g->l->apps[app - 1], source);
}

static int
place(struct grouping *g, uint32_t number)
{
	struct learn *l = g->l;
	struct search search = {.source = number};
	struct learn_app *a;

	each_key(g, number, try_key, &search);
	if (search.found == 0) {
		if ((a = add_app(l)) == NULL)
			return -1;
		a->proof = proof_of(learn_source(l, number));
		search.found = (uint32_t)l->n_apps;
	}
	return put(g, search.found, number);
}

/* The busiest first; among equals by what they are, so that two runs agree. */
static const struct learn *sorting;

static int
compare_sources(const void *a, const void *b)
{
	const struct learn_source *x = learn_source(sorting, *(const uint32_t *)a);
	const struct learn_source *y = learn_source(sorting, *(const uint32_t *)b);
	int r = (x->messages < y->messages) - (x->messages > y->messages);

	if (r == 0)
		r = strcmp(x->client, y->client);
	if (r == 0)
		r = strcmp(x->login, y->login);
	return r != 0 ? r : strcmp(x->certificate, y->certificate);
}

static void
index_shapes(struct grouping *g)
{
	const struct learn *l = g->l;

	for (uint32_t i = 1; i <= l->n_senders; i++) {
		const struct learn_sender *x = learn_sender(l, i);

		if (!learn_is_evidence(x) || x->shape == 0)
			continue;
		text_clear(&g->key);
		text_printf(&g->key, "%u~%u", x->source, x->shape);
		learn_table_add(g->shapes, text_string(&g->key), NULL);
	}
}

static int
place_all(struct grouping *g)
{
	struct learn *l = g->l;
	uint32_t *order = calloc(l->n_sources + 1, sizeof *order);
	int rc = order == NULL ? -1 : 0;
	size_t n = 0;

	for (uint32_t i = 1; order != NULL && i <= l->n_sources; i++)
		if (learn_source(l, i)->messages > 0)
			order[n++] = i;
	sorting = l;
	if (n > 0)
		qsort(order, n, sizeof *order, compare_sources);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct app *known = learn_source(l, order[i])->known;

		if (known != NULL)
			rc = put(g, (uint32_t)(known - l->policy->apps) + 1, order[i]);
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		if (learn_source(l, order[i])->known == NULL)
			rc = place(g, order[i]);
	free(order);
	return rc;
}

static bool
has_client(const struct learn *l, const struct learn_app *a, const char *client)
{
	for (size_t i = 0; i < a->n_sources; i++)
		if (strcmp(learn_source_of(l, a, i)->client, client) == 0)
			return true;
	return false;
}

static bool
same_clients(const struct learn *l, const struct learn_app *a, const struct learn_app *b)
{
	if (a->n_sources > MIXED_CLIENTS_MAX || b->n_sources > MIXED_CLIENTS_MAX)
		return false;
	for (size_t i = 0; i < a->n_sources; i++)
		if (!has_client(l, b, learn_source_of(l, a, i)->client))
			return false;
	for (size_t i = 0; i < b->n_sources; i++)
		if (!has_client(l, a, learn_source_of(l, b, i)->client))
			return false;
	return true;
}

/* Whether b, which comes without proof, is what a sends when it does not log in. */
static bool
is_same_without_proof(struct grouping *g, const struct learn_app *a, const struct learn_app *b)
{
	if (a == b || a->known != NULL || a->n_sources == 0 || a->proof == LEARN_BY_ADDRESS ||
	    !same_clients(g->l, a, b))
		return false;
	for (size_t i = 0; i < a->n_sources; i++)
		if (shared_percent(g, b->sources[0], a->sources[i], false) >= SHARED_MORE)
			return true;
	return false;
}

static int
merge(struct grouping *g, uint32_t into, uint32_t from)
{
	struct learn_app *a = &g->l->apps[into - 1], *b = &g->l->apps[from - 1];

	for (size_t i = 0; i < b->n_sources; i++) {
		learn_source(g->l, b->sources[i])->app = into;
		if (add_source(a, b->sources[i]) != 0)
			return -1;
	}
	a->is_mixed = true;
	b->n_sources = 0;
	return 0;
}

/* The apps with a proof, by their clients, for join_mixed(). */
static void
index_clients(struct grouping *g)
{
	const struct learn *l = g->l;

	for (uint32_t i = 1; i <= l->n_apps; i++) {
		const struct learn_app *a = &l->apps[i - 1];

		for (size_t j = 0; a->known == NULL && a->proof != LEARN_BY_ADDRESS && j < a->n_sources; j++) {
			text_clear(&g->key);
			text_printf(&g->key, "A:%s", learn_source_of(l, a, j)->client);
			index_key(g, &i);
		}
	}
}

static int
join_mixed(struct grouping *g)
{
	struct learn *l = g->l;

	index_clients(g);
	for (uint32_t i = 1; i <= l->n_apps; i++) {
		const struct learn_app *b = &l->apps[i - 1];
		if (b->known != NULL || b->proof != LEARN_BY_ADDRESS || b->n_sources == 0)
			continue;
		text_clear(&g->key);
		text_printf(&g->key, "A:%s", learn_source(l, b->sources[0])->client);
		for (uint32_t j = first_link(g); j != 0; j = g->links[j - 1].next) {
			if (!is_same_without_proof(g, &l->apps[g->links[j - 1].app - 1], b))
				continue;
			if (merge(g, g->links[j - 1].app, i) != 0)
				return -1;
			break;
		}
	}
	return 0;
}

static void
add_unique(struct arena *arena, const char **list, size_t *n, const char *s)
{
	for (size_t i = 0; i < *n; i++)
		if (text_same(list[i], s))
			return;
	if (s[0] != '\0')
		list[(*n)++] = arena_string(arena, s);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
fill_proofs(struct learn *l, struct learn_app *a)
{
	a->logins = arena_array(l->arena, a->n_sources + 1, sizeof *a->logins);
	a->certificates = arena_array(l->arena, a->n_sources + 1, sizeof *a->certificates);
	for (size_t i = 0; i < a->n_sources && a->logins != NULL && a->certificates != NULL; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		add_unique(l->arena, a->logins, &a->n_logins, s->login);
		if (a->proof == LEARN_BY_CERTIFICATE)
			add_unique(l->arena, a->certificates, &a->n_certificates, s->certificate);
	}
	if (a->n_logins > 1)
		qsort(a->logins, a->n_logins, sizeof *a->logins, compare_texts);
	if (a->n_certificates > 1)
		qsort(a->certificates, a->n_certificates, sizeof *a->certificates, compare_texts);
}

static void
add_tenants(struct learn *l, struct learn_app *a, const struct learn_source *s)
{
	for (uint32_t i = s->senders; i != 0; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i);
		size_t j;

		if (!learn_is_evidence(x) || x->tenant == NULL)
			continue;
		for (j = 0; j < a->n_tenants && a->tenants[j] != x->tenant; j++)
			;
		if (j == a->n_tenants)
			a->tenants[a->n_tenants++] = x->tenant;
	}
}

static void
sum_up(struct learn *l, struct learn_app *a)
{
	uint64_t days = 0;

	a->tenants = arena_array(l->arena, l->policy->n_tenants + 1, sizeof *a->tenants);
	for (size_t i = 0; i < a->n_sources && a->tenants != NULL; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		a->messages += s->messages;
		a->internal += s->internal;
		a->external += s->external;
		a->local += s->local;
		a->beyond += s->beyond;
		a->without_proof += proof_of(s) == LEARN_BY_ADDRESS ? s->messages : 0;
		a->first = s->first < a->first ? s->first : a->first;
		a->last = s->last > a->last ? s->last : a->last;
		days |= s->days;
		add_tenants(l, a, s);
	}
	for (; days != 0; days &= days - 1)
		a->days++;
	a->method = a->known != NULL ? a->known->method : a->external > 0 ? METHOD_CONNECTOR : METHOD_DIRECT_SEND;
	a->is_stray = a->known == NULL && a->proof == LEARN_BY_ADDRESS && a->messages == 1;
	fill_proofs(l, a);
}

/* Takes out the apps that were put to others. */
static void
close_ranks(struct learn *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_apps; i++) {
		if (l->apps[i].known == NULL && l->apps[i].n_sources == 0) {
			free(l->apps[i].sources);
			continue;
		}
		l->apps[n] = l->apps[i];
		for (size_t j = 0; j < l->apps[n].n_sources; j++)
			learn_source(l, l->apps[n].sources[j])->app = (uint32_t)n + 1;
		n++;
	}
	l->n_apps = n;
}

static int
add_known(struct learn *l)
{
	for (size_t i = 0; i < l->policy->n_apps; i++) {
		struct learn_app *a = add_app(l);

		if (a == NULL)
			return -1;
		a->known = &l->policy->apps[i];
		a->name = a->known->name;
	}
	return 0;
}

int
learn_group(struct learn *l)
{
	struct grouping g = {.l = l, .keys = learn_table_new(KEYS_MAX), .shapes = learn_table_new(LEARN_SENDERS_MAX)};
	int rc = g.keys == NULL || g.shapes == NULL ? -1 : add_known(l);

	if (rc == 0) {
		index_shapes(&g);
		rc = place_all(&g);
	}
	if (rc == 0)
		rc = join_mixed(&g);
	if (rc == 0) {
		close_ranks(l);
		for (size_t i = 0; i < l->n_apps; i++)
			sum_up(l, &l->apps[i]);
	}
	if (g.failed || g.key.failed || arena_failed(l->arena) ||
	    (g.keys != NULL && learn_table_failed(g.keys)) || (g.shapes != NULL && learn_table_failed(g.shapes)))
		rc = -1;
	learn_table_free(&g.keys);
	learn_table_free(&g.shapes);
	free(g.first);
	free(g.links);
	text_free(&g.key);
	return rc;
}
