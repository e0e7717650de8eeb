/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The clients of each app: addresses, prefixes where they stand densely, and what
 * was seen too rarely to be one. An app that logs in from very many places is known
 * by its login alone.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#include "admin/learn_prefix.h"

/* Addresses listed at most where a login or certificate identifies the app. */
#define LISTED_MAX 32u
#define POOL_MIN 3u
/* A client with one message is a stray beside others with so many. */
#define STRAY_FROM 20u
#define EXAMPLES 4u

/* What a prefix must not take from others. */
struct others {
	const struct learn *l;
	uint32_t app;
};

static bool
is_taken(void *context, const struct network *net)
{
	const struct others *o = context;
	const struct policy *p = o->l->policy;

	for (uint32_t i = 1; i <= o->l->n_sources; i++) {
		const struct learn_source *s = learn_source(o->l, i);

		if (s->app != o->app && network_contains(net, &s->ip))
			return true;
	}
	for (size_t i = 0; i < p->n_apps; i++) {
		const struct network *clients = p->apps[i].clients;

		for (size_t j = 0; j < p->apps[i].n_clients && i + 1 != o->app; j++)
			if (network_covers(net, &clients[j]) || network_covers(&clients[j], net))
				return true;
	}
	return false;
}

static bool
knows(const struct app *a, const struct learn_source *s)
{
	if (a == NULL)
		return false;
	if (a->n_clients == 0 && !a->local)
		return true;
	if (s->ip.family == NETWORK_NONE)
		return a->local && strcmp(s->client, "local") == 0;
	for (size_t i = 0; i < a->n_clients; i++)
		if (network_contains(&a->clients[i], &s->ip))
			return true;
	return false;
}

/* One address of an app, over all its sources there. */
struct place {
	struct ip ip;           /* first, for learn_ip_compare() */
	uint64_t messages;
	int64_t first;
	bool is_known, is_stray;
};

static struct learn_client *
add_client(struct learn_app *a)
{
	a->clients[a->n_clients] = (struct learn_client){0};
	return &a->clients[a->n_clients++];
}

bool
learn_is_prefix(const struct network *net)
{
	return net->bits < (net->base.family == NETWORK_IPV4 ? 32u : 128u);
}

const char *
learn_network_format(const struct network *net, char buf[LEARN_NETWORK_SIZE])
{
	char address[IP_TEXT_SIZE];

	ip_format(&net->base, address);
	if (learn_is_prefix(net))
		snprintf(buf, LEARN_NETWORK_SIZE, "%s/%u", address, net->bits);
	else
		snprintf(buf, LEARN_NETWORK_SIZE, "%s", address);
	return buf;
}

static const char *
examples_of(struct learn *l, const struct place *places, size_t n)
{
	struct text t = {0};
	char buf[IP_TEXT_SIZE];
	const char *r;

	for (size_t i = 0; i < n && i < EXAMPLES; i++) {
		ip_format(&places[i].ip, buf);
		text_printf(&t, "%s%s", i > 0 ? ", " : "", buf);
	}
	if (n > EXAMPLES)
		text_add(&t, ", ...");
	r = arena_string(l->arena, text_string(&t));
	text_free(&t);
	return r;
}

/* The places of the app, sorted, each once. */
static size_t
find_places(const struct learn *l, struct learn_app *a, struct place *places)
{
	size_t n = 0, m = 0;

	for (size_t i = 0; i < a->n_sources; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		if (s->ip.family == NETWORK_NONE)
			continue;
		places[n++] = (struct place){
			.ip = s->ip, .messages = s->messages, .first = s->first, .is_known = knows(a->known, s),
		};
	}
	if (n > 1)
		qsort(places, n, sizeof *places, learn_ip_compare);
	for (size_t i = 0; i < n; i++) {
		struct place *last = m == 0 ? NULL : &places[m - 1];

		if (last == NULL || learn_ip_compare(last, &places[i]) != 0) {
			places[m++] = places[i];
			continue;
		}
		last->messages += places[i].messages;
		last->first = places[i].first < last->first ? places[i].first : last->first;
	}
	return m;
}

/* How many of the places are in the same /24 (or /64) as this one. */
static size_t
neighbours(const struct place *places, size_t n, const struct place *of)
{
	struct network net = {.base = of->ip, .bits = of->ip.family == NETWORK_IPV4 ? 24 : 64};
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += network_contains(&net, &places[i].ip);
	return found;
}

/* One message from somewhere else, beside many. */
static void
mark_strays(const struct learn_app *a, struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!places[i].is_known && places[i].messages == 1 && a->messages > STRAY_FROM &&
		    neighbours(places, n, &places[i]) < POOL_MIN)
			places[i].is_stray = true;
}

/* Prefixes over the places that are new and no strays. */
static int
add_prefixes(struct learn *l, struct learn_app *a, uint32_t number, const struct place *places, size_t n)
{
	struct others others = {.l = l, .app = number};
	struct learn_prefix *prefixes = calloc(n + 1, sizeof *prefixes);
	struct place *chosen = calloc(n + 1, sizeof *chosen);
	struct ip *ips = calloc(n + 1, sizeof *ips);
	size_t m = 0, made;

	for (size_t i = 0; i < n && ips != NULL && chosen != NULL; i++) {
		if (places[i].is_known || places[i].is_stray)
			continue;
		chosen[m] = places[i];
		ips[m++] = places[i].ip;
	}
	made = m == 0 || prefixes == NULL ? 0 : learn_prefixes(ips, m, is_taken, &others, prefixes);
	for (size_t i = 0; i < made; i++) {
		struct learn_client *c = add_client(a);

		c->net = prefixes[i].net;
		c->seen = (uint32_t)prefixes[i].n;
		c->examples = examples_of(l, &chosen[prefixes[i].first], prefixes[i].n);
		c->first = INT64_MAX;
		for (size_t j = prefixes[i].first; j < prefixes[i].first + prefixes[i].n; j++) {
			c->messages += chosen[j].messages;
			c->first = chosen[j].first < c->first ? chosen[j].first : c->first;
		}
	}
	free(chosen);
	free(ips);
	if (prefixes == NULL || (m == 0 && n > 0 && (ips == NULL || chosen == NULL)))
		return -1;
	free(prefixes);
	return 0;
}

static void
add_strays(struct learn_app *a, const struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct learn_client *c;

		if (!places[i].is_stray)
			continue;
		c = add_client(a);
		c->net.base = places[i].ip;
		c->net.bits = places[i].ip.family == NETWORK_IPV4 ? 32 : 128;
		c->is_stray = true;
		c->seen = 1;
		c->messages = places[i].messages;
		c->first = places[i].first;
	}
}

static void
add_local(const struct learn *l, struct learn_app *a)
{
	struct learn_client *c = NULL;

	for (size_t i = 0; i < a->n_sources; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		if (strcmp(s->client, "local") != 0 || knows(a->known, s))
			continue;
		if (c == NULL)
			c = add_client(a);
		c->is_local = true;
		c->messages += s->messages;
		c->first = s->first;
	}
}

/* Known by login or certificate, and seen at so many places that a list of them
 * would be wrong tomorrow. */
static bool
is_anywhere(const struct learn *l, const struct learn_app *a, size_t n)
{
	bool unknown_place = false;

	for (size_t i = 0; i < a->n_sources; i++)
		unknown_place = unknown_place || learn_source_of(l, a, i)->client[0] == '\0';
	return a->known == NULL && !a->is_mixed && a->proof != LEARN_BY_ADDRESS &&
	       (unknown_place || a->n_clients > LISTED_MAX || (n == 0 && a->n_clients == 0));
}

static int
one_app(struct learn *l, struct learn_app *a, uint32_t number)
{
	struct place *places = calloc(a->n_sources + 1, sizeof *places);
	size_t n;
	int rc;

	a->clients = arena_array(l->arena, a->n_sources + 2, sizeof *a->clients);
	if (places == NULL || a->clients == NULL) {
		free(places);
		return -1;
	}
	n = find_places(l, a, places);
	mark_strays(a, places, n);
	add_local(l, a);
	rc = add_prefixes(l, a, number, places, n);
	a->is_pool = n >= POOL_MIN && a->proof == LEARN_BY_ADDRESS;
	a->anywhere = is_anywhere(l, a, n);
	add_strays(a, places, n);
	free(places);
	return rc;
}

int
learn_networks(struct learn *l)
{
	for (size_t i = 0; i < l->n_apps; i++)
		if (one_app(l, &l->apps[i], (uint32_t)i + 1) != 0)
			return -1;
	return arena_failed(l->arena) ? -1 : 0;
}
