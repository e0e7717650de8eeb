/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names for proposed apps: the login, or the sender's local part, or the client's
 * name; with more behind it where that says little or two apps would share it. They
 * rest on what an app is, not on its place in a list, so that the next run over
 * like traffic makes the same.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 64u
/* A sender that names the app has more than this percent of its mail. */
#define DOMINANT_PERCENT 50u

/* Local parts that say nothing of who sends. */
static bool
is_generic(const char *s)
{
	static const char *const words[] = {
		"noreply", "no-reply", "no_reply", "no.reply", "donotreply", "do-not-reply", "do_not_reply",
		"info", "mail", "mailer", "email", "smtp", "alert", "alerts", "notification", "notifications",
		"notify", "admin", "administrator", "postmaster", "root", "system", "service", "support",
		"office", "app", "bounce", "bounces",
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_same(words[i], s))
			return true;
	return false;
}

/* Adds what a name may hold; runs of the rest become one "-". */
static void
add_clean(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len && t->len < NAME_MAX_LENGTH; i++) {
		char c = text_lower_char(s[i]);

		if (text_is_alpha(c) || text_is_digit(c) || ((c == '.' || c == '_') && t->len > 0))
			text_add_char(t, c);
		else if (t->len > 0 && t->s[t->len - 1] != '-')
			text_add_char(t, '-');
	}
	while (t->len > 0 && !text_is_alpha(t->s[t->len - 1]) && !text_is_digit(t->s[t->len - 1]))
		t->s[--t->len] = '\0';
}

/* The first label of a host name that says something. */
static size_t
label_of(const char *name)
{
	size_t n = strcspn(name, ".");

	if (!text_is_alpha(name[0]) || n < 2 || text_same(name, "unknown") || text_has_prefix(name, "localhost") ||
	    (n == 6 && text_same_n(name, "client", 6)))
		return 0;
	return n;
}

/* The client's own name, or "" */
static void
add_host(struct text *t, const struct learn_source *s)
{
	size_t n = label_of(s->name);

	if (n > 0)
		add_clean(t, s->name, n);
	else
		add_clean(t, s->helo, label_of(s->helo));
}

/* The local part that most of the app's mail is written as. */
static const char *
main_sender(const struct learn_app *a)
{
	for (size_t i = 0; i < a->n_grants; i++) {
		const struct learn_grant *g = &a->grants[i];

		if (!g->is_stray && strcmp(g->text, "<>") != 0 &&
		    (g->envelope + g->header) * 100 > a->messages * DOMINANT_PERCENT)
			return g->text;
	}
	return NULL;
}

/* The source that comes first by its client, whatever its traffic. */
static const struct learn_source *
first_source(const struct learn *l, const struct learn_app *a)
{
	const struct learn_source *first = learn_source_of(l, a, 0);

	for (size_t i = 1; i < a->n_sources; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);
		int r = memcmp(&s->ip, &first->ip, sizeof s->ip);

		if (r < 0 || (r == 0 && strcmp(s->login, first->login) < 0))
			first = s;
	}
	return first;
}

static void
add_address(struct text *t, const struct learn_source *s)
{
	const char *client = s->client[0] == '\0' ? "anywhere" : s->client;

	add_clean(t, client, strlen(client));
}

static void
add_more(struct text *t, void (*add)(struct text *t, const struct learn_source *s), const struct learn_source *s)
{
	struct text more = {0};

	add(&more, s);
	if (more.len > 0 && t->len + 1 + more.len <= NAME_MAX_LENGTH)
		text_printf(t, "-%s", text_string(&more));
	text_free(&more);
}

static void
propose(const struct learn *l, const struct learn_app *a, struct text *t)
{
	const struct learn_source *s = first_source(l, a);
	const char *sender = main_sender(a);

	if (a->is_shared) {
		text_add(t, "shared");
		add_more(t, add_address, s);
		return;
	}
	if (a->n_logins == 1)
		add_clean(t, a->logins[0], strcspn(a->logins[0], "@"));
	else if (a->n_certificates == 1)
		add_clean(t, a->certificates[0], strcspn(a->certificates[0], "."));
	if (t->len == 0 && sender != NULL)
		add_clean(t, sender, strcspn(sender, "@"));
	if (t->len == 0)
		add_host(t, s);
	if (t->len == 0) {
		text_add(t, "client");
		add_more(t, add_address, s);
	} else if (is_generic(text_string(t)) && a->n_logins == 0) {
		add_more(t, add_host, s);
	}
	if (a->is_stray)
		text_add(t, "-stray");
}

/* Words that the policy file keeps for itself. */
static bool
is_reserved(const struct policy *p, const char *name)
{
	if (text_same(name, "unknown") || text_same(name, "onmicrosoft"))
		return true;
	for (int m = 0; m < METHOD_COUNT; m++)
		if (text_same(name, method_facts((enum method)m)->name))
			return true;
	for (size_t i = 0; i < p->n_tenants; i++)
		if (text_same(name, p->tenants[i].name))
			return true;
	return false;
}

static const char *
lower_key(struct text *t, const char *s)
{
	text_clear(t);
	for (; *s != '\0'; s++)
		text_add_char(t, text_lower_char(*s));
	return text_string(t);
}

/* Numbers as a last resort. */
static const char *
make_unique(struct learn *l, struct learn_table *taken, const char *name)
{
	const char *made = arena_substring(l->arena, name, strnlen(name, NAME_MAX_LENGTH));
	struct text key = {0};
	bool is_new = false;

	(void)learn_table_add(taken, lower_key(&key, made), &is_new);
	for (unsigned i = 2; !is_new && i < 1000000 && !learn_table_failed(taken); i++) {
		made = arena_printf(l->arena, "%.*s-%u", (int)NAME_MAX_LENGTH - 8, name, i);
		(void)learn_table_add(taken, lower_key(&key, made), &is_new);
	}
	text_free(&key);
	return made;
}

/* How many of the proposed apps would have this name. */
static uint32_t *
count_wanted(struct learn *l, struct learn_table *wanted)
{
	uint32_t *counts = calloc(l->n_apps + 2, sizeof *counts);
	struct text key = {0};

	for (size_t i = 0; i < l->n_apps && counts != NULL; i++)
		counts[learn_table_add(wanted, lower_key(&key, l->apps[i].name), NULL)]++;
	text_free(&key);
	return counts;
}

static void
settle(struct learn *l, struct learn_app *a, bool is_alone, struct learn_table *taken)
{
	struct text t = {0};

	text_add(&t, a->name);
	if (is_reserved(l->policy, a->name))
		text_add(&t, "-app");
	if (!is_alone)
		add_more(&t, add_address, first_source(l, a));
	a->name = make_unique(l, taken, text_string(&t));
	text_free(&t);
}

static int
by_place(const void *a, const void *b)
{
	const struct learn_app *x = *(struct learn_app *const *)a, *y = *(struct learn_app *const *)b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : (x > y) - (x < y);
}

static int
settle_all(struct learn *l, struct learn_table *wanted, struct learn_table *taken)
{
	uint32_t *counts = count_wanted(l, wanted);
	struct learn_app **order = calloc(l->n_apps + 1, sizeof *order);
	struct text key = {0};
	size_t n = 0;

	for (size_t i = 0; i < l->n_apps && order != NULL; i++) {
		if (l->apps[i].known == NULL)
			order[n++] = &l->apps[i];
		else
			learn_table_add(taken, lower_key(&key, l->apps[i].name), NULL);
	}
	if (n > 1)
		qsort(order, n, sizeof *order, by_place);
	for (size_t i = 0; i < n && counts != NULL; i++)
		settle(l, order[i], counts[learn_table_find(wanted, lower_key(&key, order[i]->name))] == 1, taken);
	text_free(&key);
	free(order);
	n = counts == NULL || order == NULL;
	free(counts);
	return n ? -1 : 0;
}

int
learn_names(struct learn *l)
{
	struct learn_table *wanted = learn_table_new(LEARN_SOURCES_MAX * 2);
	struct learn_table *taken = learn_table_new(LEARN_SOURCES_MAX * 2);
	struct text t = {0};
	int rc = -1;

	for (size_t i = 0; i < l->n_apps; i++) {
		if (l->apps[i].known != NULL)
			continue;
		text_clear(&t);
		propose(l, &l->apps[i], &t);
		l->apps[i].name = arena_string(l->arena, text_string(&t));
	}
	text_free(&t);
	if (wanted != NULL && taken != NULL)
		rc = settle_all(l, wanted, taken);
	learn_table_free(&wanted);
	learn_table_free(&taken);
	return arena_failed(l->arena) ? -1 : rc;
}
