/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern release --list: what the MTA holds for us, by what it waits for.
 */
#include "config.h"

#include "admin/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/when.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/printable.h"

#define LEFT_MS INT64_C(86400000)
/* Messages that are named in the text. */
#define NAMED 20

enum { WAITING, OUT, RELEASED, GONE, COLUMNS };

/* Those of one app that wait for one thing. */
struct queue {
	struct queue *next;
	const char *relay, *app, *what, *key;
	int64_t n[COLUMNS], oldest;
};

struct list {
	struct arena *arena;
	struct jsonv *messages, *left; /* NULL: text is wanted */
	struct queue *first, **last;
	struct text named;
	int n_named;
	int64_t now, n;
};

static struct queue *
find_queue(struct list *l, const char *relay, const char *app, const char *what, const char *key)
{
	struct queue *q;

	for (q = l->first; q != NULL; q = q->next)
		if (strcmp(q->relay, relay) == 0 && strcmp(q->app, app) == 0 && strcmp(q->what, what) == 0 &&
		    strcmp(q->key, key) == 0)
			return q;
	q = arena_alloc(l->arena, sizeof *q);
	if (q == NULL)
		return NULL;
	*q = (struct queue){
		.relay = arena_string(l->arena, relay), .app = arena_string(l->arena, app),
		.what = arena_string(l->arena, what), .key = arena_string(l->arena, key),
	};
	*l->last = q;
	l->last = &q->next;
	return q;
}

static const char *
age_text(int64_t ms, char buf[32])
{
	int64_t s = ms < 0 ? 0 : ms / 1000;

	if (s < 120)
		snprintf(buf, 32, "%lld s", (long long)s);
	else if (s < 7200)
		snprintf(buf, 32, "%lld min", (long long)s / 60);
	else if (s < 172800)
		snprintf(buf, 32, "%lld h", (long long)s / 3600);
	else
		snprintf(buf, 32, "%lld days", (long long)s / 86400);
	return buf;
}

static void
set_message(struct list *l, const struct store_held *h)
{
	struct jsonv *o = jsonv_add_object(l->messages);
	char at[WHEN_SIZE];

	jsonv_set_text(o, "id", h->id);
	jsonv_set_text(o, "state", h->state);
	jsonv_set_text(o, "limit", h->limit);
	jsonv_set_text(o, "key", h->key);
	jsonv_set_text(o, "reason", h->reason);
	jsonv_set_text(o, "relay", h->relay);
	jsonv_set_text(o, "queue_id", h->queue_id);
	jsonv_set_text(o, "app", h->app);
	jsonv_set_text(o, "tenant", h->tenant);
	jsonv_set_text(o, "sender", h->sender);
	jsonv_set_text(o, "held_at", when_format(h->held_time, at));
	jsonv_set_text(o, "granted_at", h->granted_time == 0 ? NULL : when_format(h->granted_time, at));
	jsonv_set_text(o, "who", h->who);
}

static void
name_message(struct list *l, const struct store_held *h)
{
	char age[32];

	text_printf(&l->named, "  %s  %-8s %-8s ", h->id, h->state, age_text(l->now - h->held_time, age));
	printable_add(&l->named, h->queue_id, strlen(h->queue_id), 64);
	text_add(&l->named, "  ");
	printable_add(&l->named, h->app, strlen(h->app), 64);
	text_add(&l->named, "  ");
	printable_add(&l->named, h->sender, strlen(h->sender), 100);
	text_add(&l->named, "\n");
	l->n_named++;
}

/* The name of the counter, also where that is forgotten since: it was free long enough. */
static const char *
waited_for(const char *limit, const char *reason)
{
	return limit[0] != '\0' ? limit : text_has_prefix(reason, "limit:") ? reason + strlen("limit:") : reason;
}

static int
add_held(void *context, const struct store_held *h)
{
	struct list *l = context;
	bool is_out = strcmp(h->state, "granted") == 0 || strcmp(h->state, "missing") == 0;
	struct queue *q = find_queue(l, h->relay, h->app, waited_for(h->limit, h->reason), h->key);

	if (q == NULL)
		return -2;
	q->n[is_out ? OUT : WAITING]++;
	if (q->oldest == 0 || h->held_time < q->oldest)
		q->oldest = h->held_time;
	l->n++;
	if (l->messages != NULL)
		set_message(l, h);
	else if (l->n_named < NAMED)
		name_message(l, h);
	return arena_failed(l->arena) ? -2 : 0;
}

static int
add_left(void *context, const struct store_left *left)
{
	struct list *l = context;
	struct jsonv *o;
	struct queue *q = find_queue(l, left->relay, left->app, waited_for(left->limit, left->reason),
				     left->key);

	if (q == NULL)
		return -2;
	q->n[strcmp(left->state, "gone") == 0 ? GONE : RELEASED] += left->count;
	if (l->left == NULL)
		return 0;
	o = jsonv_add_object(l->left);
	jsonv_set_text(o, "relay", left->relay);
	jsonv_set_text(o, "app", left->app);
	jsonv_set_text(o, "limit", left->limit);
	jsonv_set_text(o, "key", left->key);
	jsonv_set_text(o, "reason", left->reason);
	jsonv_set_text(o, "state", left->state);
	jsonv_set_integer(o, "count", left->count);
	return 0;
}

static const char *
what_text(const struct list *l, const struct queue *q)
{
	return arena_printf(l->arena, "%s%s%s", printable(l->arena, q->what), q->key[0] == '\0' ? "" : " ",
			    printable(l->arena, q->key));
}

/* How wide the columns of names are; 0 for that of relays where there is but one. */
struct widths {
	int relay, what, app;
};

static int
wider(const char *text, int width)
{
	return (int)strlen(text) > width ? (int)strlen(text) : width;
}

static struct widths
measure(const struct list *l)
{
	struct widths w = {.what = (int)strlen("WAITS FOR"), .app = (int)strlen("APP")};
	bool is_one = true;

	for (const struct queue *q = l->first; q != NULL; q = q->next) {
		is_one = is_one && strcmp(q->relay, l->first->relay) == 0;
		w.relay = wider(printable(l->arena, q->relay), w.relay < (int)strlen("RELAY") ? (int)strlen("RELAY") : w.relay);
		w.what = wider(what_text(l, q), w.what);
		w.app = wider(printable(l->arena, q->app), w.app);
	}
	if (is_one)
		w.relay = 0;
	return w;
}

static void
print_queue(const struct list *l, const struct queue *q, const struct widths *w)
{
	char age[32];

	if (w->relay > 0)
		printf("%-*s  ", w->relay, printable(l->arena, q->relay));
	printf("%-*s  %-*s  %7lld  %8s  %7lld  %8lld  %4lld\n", w->what, what_text(l, q), w->app,
	       printable(l->arena, q->app), (long long)q->n[WAITING],
	       q->oldest == 0 ? "-" : age_text(l->now - q->oldest, age), (long long)q->n[OUT],
	       (long long)q->n[RELEASED], (long long)q->n[GONE]);
}

static void
print_text(struct list *l)
{
	struct widths w = measure(l);

	if (l->first == NULL) {
		puts("nothing is held, and nothing was in the last 24 hours");
		return;
	}
	if (w.relay > 0)
		printf("%-*s  ", w.relay, "RELAY");
	printf("%-*s  %-*s  %7s  %8s  %7s  %8s  %4s\n", w.what, "WAITS FOR", w.app, "APP", "WAITING", "OLDEST",
	       "GRANTED", "RELEASED", "GONE");
	for (const struct queue *q = l->first; q != NULL; q = q->next)
		print_queue(l, q, &w);
	fputs("RELEASED and GONE: in the last 24 hours\n", stdout);
	if (l->n_named > 0)
		printf("\n%s", text_string(&l->named));
	if (l->n > l->n_named)
		printf("  and %lld more; --json lists all\n", (long long)(l->n - l->n_named));
}

static int
print_json(struct jsonv *root)
{
	struct text t = {0};
	int r = jsonv_write(root, true, &t);

	if (r == 0)
		fputs(text_string(&t), stdout);
	text_free(&t);
	return r;
}

/* The states that are listed, those first that are about to leave. */
static int
read_all(struct list *l, struct store_reader *r, const char **error_r)
{
	static const char *const states[] = {"missing", "granted", "waiting", "kept"};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof states / sizeof states[0]; i++)
		rc = store_reader_held(r, NULL, states[i], add_held, l, error_r);
	return rc == 0 ? store_reader_left(r, l->now - LEFT_MS, add_left, l, error_r) : rc;
}

int
release_list(struct store_reader *r, bool json)
{
	struct jsonv *root = json ? jsonv_new_object() : NULL;
	struct list l = {.arena = arena_new(0), .now = clock_system()->wall_ms(NULL)};
	const char *error = "memory is short";
	int rc = -2;

	l.last = &l.first;
	if (root != NULL) {
		l.messages = jsonv_set_array(root, "held");
		l.left = jsonv_set_array(root, "left_in_24_hours");
	}
	if (l.arena != NULL && (!json || l.left != NULL))
		rc = read_all(&l, r, &error);
	if (rc == 0 && json)
		rc = print_json(root);
	else if (rc == 0)
		print_text(&l);
	if (rc != 0)
		fprintf(stderr, "postern release: %s\n", error);
	jsonv_free(&root);
	text_free(&l.named);
	arena_free(&l.arena);
	return rc == 0 ? 0 : 1;
}
