/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See replies.h.
 */
#include "config.h"

#include "admin/replies.h"

#include <stdlib.h>
#include <string.h>

/* The table of replies has not that many keywords; and apps of one that are told apart. */
#define GROUPS 256
#define APPS 64

struct replies_app {
	const char *name;
	uint64_t n;
};

struct reading {
	struct replies *r;
	const char *app;
	uint64_t seen;
	int64_t oldest;
};

static struct replies_group *
find_group(struct replies *r, const struct trace_delivery *t)
{
	for (size_t i = 0; i < r->n_groups; i++)
		if (r->groups[i].is_foreign == t->is_foreign && strcmp(r->groups[i].meaning.keyword, t->meaning.keyword) == 0)
			return &r->groups[i];
	if (r->n_groups == GROUPS)
		return NULL;
	r->groups[r->n_groups] = (struct replies_group){
		.meaning = t->meaning, .is_foreign = t->is_foreign, .apps = arena_array(r->arena, APPS, sizeof(struct replies_app)),
	};
	return &r->groups[r->n_groups++];
}

static void
count_app(struct replies *r, struct replies_group *g, const char *app)
{
	size_t i = 0;

	if (g->apps == NULL)
		return;
	while (i < APPS && g->apps[i].name != NULL && strcmp(g->apps[i].name, app) != 0)
		i++;
	if (i == APPS)
		return;
	if (g->apps[i].name == NULL)
		g->apps[i].name = arena_string(r->arena, app);
	if (++g->apps[i].n > g->of_app) {
		g->of_app = g->apps[i].n;
		g->app = g->apps[i].name;
	}
}

static int
keep(void *context, const struct store_reply *reply)
{
	struct reading *x = context;
	struct trace_delivery t = {.d = reply->d};
	struct replies_group *g;

	x->seen++;
	x->oldest = t.d.time;
	if (strcmp(t.d.status, "sent") == 0) {
		x->r->sent++;
		return 0;
	}
	if (x->app[0] != '\0' && strcmp(x->app, reply->app) != 0)
		return 0;
	trace_explain(&t);
	x->r->failed++;
	if ((g = find_group(x->r, &t)) == NULL)
		return 0;
	if (g->recipients++ == 0) { /* the newest comes first */
		g->last = t.d.time;
		g->reply = arena_string(x->r->arena, t.d.reply);
		g->next_hop = arena_string(x->r->arena, t.d.next_hop);
		g->recipient = arena_string(x->r->arena, t.d.recipient);
		g->message_id = arena_string(x->r->arena, reply->message_id);
		g->app = "";
	}
	g->first = t.d.first_time < g->first || g->recipients == 1 ? t.d.first_time : g->first;
	g->bounced += strcmp(t.d.status, "deferred") != 0;
	count_app(x->r, g, reply->app);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct replies_group *x = a, *y = b;

	if (x->recipients != y->recipients)
		return x->recipients < y->recipients ? 1 : -1;
	return strcmp(x->meaning.keyword, y->meaning.keyword);
}

struct replies *
replies_read(struct store_reader *reader, int64_t since, int64_t until, const char *app, int max, const char **error_r)
{
	struct replies *r = calloc(1, sizeof *r);
	struct reading x = {.r = r, .app = app};
	int rc = -2;

	if (r != NULL && (r->arena = arena_new(0)) != NULL && (r->groups = arena_array(r->arena, GROUPS, sizeof *r->groups)) != NULL) {
		rc = store_reader_replies(reader, since, until, max, keep, &x, error_r);
		r->is_followed = rc != STORE_NO_DELIVERIES;
		r->is_cut = x.seen == (uint64_t)max;
		r->since = r->is_cut ? x.oldest : since;
		qsort(r->groups, r->n_groups, sizeof *r->groups, compare);
		if (arena_failed(r->arena))
			rc = -2;
	}
	if (rc == 0 || rc == STORE_NO_DELIVERIES)
		return r;
	if (rc == -2)
		*error_r = "memory is short";
	replies_free(&r);
	return NULL;
}

void
replies_free(struct replies **r)
{
	if (*r != NULL)
		arena_free(&(*r)->arena);
	free(*r);
	*r = NULL;
}
