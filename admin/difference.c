/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See difference.h.
 */
#include "admin/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/when.h"
#include "base/json.h"
#include "base/text.h"

#define EXAMPLES 3u
#define ID_SIZE 27

struct group {
	const char *app;
	struct outcome then, now;
	const char *undecidable;    /* NULL in a group that is decided */
	uint64_t count;
	char example[EXAMPLES][ID_SIZE];
	unsigned n_examples;
};

struct difference {
	struct arena *arena;
	struct group *groups;
	size_t n, room;
	uint64_t all, unchanged;
};

struct outcome
outcome_of(const struct decision *d)
{
	return (struct outcome){.verdict = verdict_name(d->verdict), .reason = d->reason};
}

struct difference *
difference_new(void)
{
	struct difference *d = calloc(1, sizeof *d);

	if (d != NULL && (d->arena = arena_new(0)) == NULL) {
		free(d);
		d = NULL;
	}
	return d;
}

void
difference_free(struct difference **d)
{
	if (*d == NULL)
		return;
	arena_free(&(*d)->arena);
	free((*d)->groups);
	free(*d);
	*d = NULL;
}

static bool
is_same(const struct outcome *a, const struct outcome *b)
{
	return strcmp(a->verdict, b->verdict) == 0 && strcmp(a->reason, b->reason) == 0;
}

static struct group *
find(struct difference *d, const char *app, const struct outcome *then, const struct outcome *now,
     const char *undecidable)
{
	for (size_t i = 0; i < d->n; i++) {
		struct group *g = &d->groups[i];

		if (strcmp(g->app, app) != 0 || !is_same(&g->then, then))
			continue;
		if (undecidable == NULL ? g->undecidable == NULL && is_same(&g->now, now)
					: g->undecidable != NULL && strcmp(g->undecidable, undecidable) == 0)
			return g;
	}
	return NULL;
}

static struct group *
add_group(struct difference *d, const char *app, const struct outcome *then, const struct outcome *now,
	  const char *undecidable)
{
	struct group *more, *g;

	if (d->n == d->room) {
		d->room = d->room == 0 ? 32 : d->room * 2;
		more = realloc(d->groups, d->room * sizeof *more);
		if (more == NULL)
			return NULL;
		d->groups = more;
	}
	g = &d->groups[d->n];
	*g = (struct group){
		.app = arena_string(d->arena, app),
		.then = {arena_string(d->arena, then->verdict), arena_string(d->arena, then->reason)},
		.now = {arena_string(d->arena, now->verdict), arena_string(d->arena, now->reason)},
		.undecidable = undecidable == NULL ? NULL : arena_string(d->arena, undecidable),
	};
	if (arena_failed(d->arena))
		return NULL;
	d->n++;
	return g;
}

int
difference_add(struct difference *d, const char *id, const char *app, const struct outcome *then,
	       const struct outcome *now, const char *undecidable, uint64_t count)
{
	struct group *g;

	d->all += count;
	if (undecidable == NULL && is_same(then, now)) {
		d->unchanged += count;
		return 0;
	}
	g = find(d, app, then, now, undecidable);
	if (g == NULL && (g = add_group(d, app, then, now, undecidable)) == NULL)
		return -1;
	g->count += count;
	if (g->n_examples < EXAMPLES)
		snprintf(g->example[g->n_examples++], ID_SIZE, "%s", id);
	return 0;
}

static bool
is_refusal(const char *verdict)
{
	return strcmp(verdict, "reject") == 0 || strcmp(verdict, "defer") == 0;
}

/* The kinds of change, in the order they are told. */
enum kind { NEWLY_REFUSED, NEWLY_PASSED, OTHERWISE, OTHER_REASON, UNDECIDABLE, KINDS };

static enum kind
kind_of(const struct group *g)
{
	if (g->undecidable != NULL)
		return UNDECIDABLE;
	if (!is_refusal(g->then.verdict) && is_refusal(g->now.verdict))
		return NEWLY_REFUSED;
	if (is_refusal(g->then.verdict) && !is_refusal(g->now.verdict))
		return NEWLY_PASSED;
	return strcmp(g->then.verdict, g->now.verdict) == 0 ? OTHER_REASON : OTHERWISE;
}

static const char *const titles[KINDS] = {
	"would now be refused", "would no longer be refused", "would be treated otherwise",
	"would be refused or held for another reason", "cannot be decided from the audit",
};
static const char *const kind_names[KINDS] = {
	"refused", "passed", "otherwise", "other-reason", "undecidable",
};

/* "; all from app erp, rule:no-payroll-outside", where that is so. */
static void
print_common(const struct difference *d, enum kind k)
{
	const struct group *first = NULL;
	bool same_app = true, same_reason = true;

	for (size_t i = 0; i < d->n; i++) {
		const struct group *g = &d->groups[i];

		if (kind_of(g) != k)
			continue;
		if (first == NULL)
			first = g;
		same_app = same_app && strcmp(g->app, first->app) == 0;
		same_reason = same_reason && strcmp(g->now.reason, first->now.reason) == 0;
	}
	if (first == NULL || (!same_app && !same_reason) || k == UNDECIDABLE)
		return;
	printf("; all%s%s%s%s", same_app ? " from " : "",
	       !same_app ? "" : first->app[0] == '\0' ? "unknown clients" : "app ", same_app ? first->app : "",
	       same_app && same_reason && first->now.reason[0] != '\0' ? ", " : same_app ? "" : " ");
	if (same_reason)
		fputs(first->now.reason, stdout);
}

static void
print_group(const struct group *g)
{
	printf("  %8llu  %-16s %s%s%s -> ", (unsigned long long)g->count, g->app[0] == '\0' ? "(no app)" : g->app,
	       g->then.verdict, g->then.reason[0] == '\0' ? "" : " ", g->then.reason);
	if (g->undecidable != NULL)
		printf("? %s", g->undecidable);
	else
		printf("%s%s%s", g->now.verdict, g->now.reason[0] == '\0' ? "" : " ", g->now.reason);
	for (unsigned i = 0; i < g->n_examples; i++)
		printf(" %s%s", i == 0 ? " e.g. " : "", g->example[i]);
	putchar('\n');
}

static uint64_t
sum(const struct difference *d, enum kind k)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += kind_of(&d->groups[i]) == k ? d->groups[i].count : 0;
	return n;
}

static void
print_text(const struct difference *d, const char *policy, const struct store_range *range)
{
	char since[WHEN_SIZE], until[WHEN_SIZE];

	printf("%s on the mail from %s to %s: %llu of %llu messages and refused recipients as they were\n", policy,
	       when_format(range->since, since), when_format(range->until, until), (unsigned long long)d->unchanged,
	       (unsigned long long)d->all);
	for (enum kind k = 0; k < KINDS; k++) {
		uint64_t n = sum(d, k);

		if (n == 0)
			continue;
		printf("%llu of %llu %s", (unsigned long long)n, (unsigned long long)d->all, titles[k]);
		print_common(d, k);
		putchar('\n');
		for (size_t i = 0; i < d->n; i++)
			if (kind_of(&d->groups[i]) == k)
				print_group(&d->groups[i]);
	}
}

static void
json_outcome(struct jsonv *o, const char *name, const struct outcome *x)
{
	struct jsonv *to = jsonv_set_object(o, name);

	jsonv_set_text(to, "verdict", x->verdict);
	jsonv_set_text(to, "reason", x->reason);
}

static int
print_json(const struct difference *d, const char *policy, const struct store_range *range)
{
	struct jsonv *root = jsonv_new_object(), *list;
	char buf[WHEN_SIZE];
	struct text t = {0};
	int r;

	jsonv_set_text(root, "policy", policy);
	jsonv_set_text(root, "since", when_format(range->since, buf));
	jsonv_set_text(root, "until", when_format(range->until, buf));
	jsonv_set_integer(root, "messages", (int64_t)d->all);
	jsonv_set_integer(root, "unchanged", (int64_t)d->unchanged);
	for (enum kind k = 0; k < KINDS; k++)
		jsonv_set_integer(root, kind_names[k], (int64_t)sum(d, k));
	list = jsonv_set_array(root, "changes");
	for (size_t i = 0; i < d->n; i++) {
		const struct group *g = &d->groups[i];
		struct jsonv *o = jsonv_add_object(list), *examples;

		jsonv_set_text(o, "kind", kind_names[kind_of(g)]);
		jsonv_set_text(o, "app", g->app);
		jsonv_set_integer(o, "count", (int64_t)g->count);
		json_outcome(o, "from", &g->then);
		if (g->undecidable != NULL)
			jsonv_set_text(o, "undecidable", g->undecidable);
		else
			json_outcome(o, "to", &g->now);
		examples = jsonv_set_array(o, "examples");
		for (unsigned j = 0; j < g->n_examples; j++)
			jsonv_add_text(examples, g->example[j]);
	}
	r = jsonv_write(root, true, &t);
	if (r == 0)
		fputs(text_string(&t), stdout);
	jsonv_free(&root);
	text_free(&t);
	return r == 0 ? 0 : 1;
}

static int
by_kind_and_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (kind_of(x) != kind_of(y))
		return kind_of(x) < kind_of(y) ? -1 : 1;
	return (x->count < y->count) - (x->count > y->count);
}

int
difference_print(const struct difference *d, const char *policy, const struct store_range *range, bool json)
{
	if (d->n > 0)
		qsort(d->groups, d->n, sizeof d->groups[0], by_kind_and_count);
	if (json)
		return print_json(d, policy, range);
	print_text(d, policy, range);
	return 0;
}
