/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See pauses.h. There are few of them, if any: a list under one lock.
 */
#include "gate/pauses.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct pause {
	struct store_upstream u;  /* its strings are in `strings` */
	struct pause_facts facts;
	struct id trying;         /* the message that is to try and has not ended; "" for none */
	bool was_open;
	struct pause *next;
	char strings[];
};

struct pauses {
	pthread_mutex_t lock;
	struct pause *first;
	char relay[256];
	struct pause *fresh;      /* being read: by one thread, without the lock */
};

struct pauses *
pauses_new(void)
{
	struct pauses *p = calloc(1, sizeof *p);

	if (p != NULL)
		pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void
free_list(struct pause **list)
{
	while (*list != NULL) {
		struct pause *one = *list;

		*list = one->next;
		free(one);
	}
}

void
pauses_free(struct pauses **p)
{
	if (*p == NULL)
		return;
	free_list(&(*p)->first);
	free_list(&(*p)->fresh);
	pthread_mutex_destroy(&(*p)->lock);
	free(*p);
	*p = NULL;
}

void
pauses_begin(struct pauses *p, const char *relay)
{
	free_list(&p->fresh);
	snprintf(p->relay, sizeof p->relay, "%s", relay);
}

int
pauses_add(void *pauses, const struct store_upstream *u)
{
	struct store_upstream own = *u;
	const char **const texts[] = {&own.tenant, &own.sender, &own.relay, &own.keyword, &own.reply};
	struct pauses *p = pauses;
	struct pause *one;
	size_t size = 0;
	char *to;

	if (u->relay[0] != '\0' && strcmp(u->relay, p->relay) != 0)
		return 0;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		size += strlen(*texts[i]) + 1;
	one = calloc(1, sizeof *one + size);
	if (one == NULL)
		return -1;
	to = one->strings;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		size = strlen(*texts[i]) + 1;
		*texts[i] = memcpy(to, *texts[i], size);
		to += size;
	}
	one->u = own;
	one->facts = (struct pause_facts){
		.since = u->since, .said = u->said, .good = u->good, .lifted = u->lifted, .wait_ms = u->wait_ms,
	};
	one->next = p->fresh;
	p->fresh = one;
	return 0;
}

static struct pause *
same_as(struct pause *list, const struct pause *one)
{
	for (; list != NULL; list = list->next)
		if (strcmp(list->u.tenant, one->u.tenant) == 0 && strcmp(list->u.sender, one->u.sender) == 0 &&
		    strcmp(list->u.keyword, one->u.keyword) == 0 && strcmp(list->u.relay, one->u.relay) == 0)
			return list;
	return NULL;
}

/* What this process knows of a pause goes over to its new facts. */
static void
take_over(struct pause *fresh, const struct pause *old)
{
	fresh->was_open = old->was_open;
	fresh->trying = old->trying;
	if (fresh->facts.said == old->facts.said) {
		fresh->facts.tried = old->facts.tried;
		fresh->facts.unanswered = old->facts.unanswered;
	}
}

static bool
is_open(const struct pause *one, int64_t now, int64_t *until_r)
{
	return pause_state(&one->facts, now, until_r) != PAUSE_CLOSED;
}

void
pauses_end(struct pauses *p, int64_t now, void (*changed)(const struct store_upstream *u, bool is_open, int64_t until))
{
	struct pause *old, *before;
	int64_t until;

	pthread_mutex_lock(&p->lock);
	for (struct pause *one = p->fresh; one != NULL; one = one->next)
		if ((before = same_as(p->first, one)) != NULL)
			take_over(one, before);
	old = p->first;
	p->first = p->fresh;
	p->fresh = NULL;
	for (struct pause *one = p->first; one != NULL; one = one->next) {
		bool open = is_open(one, now, &until);

		if (open != one->was_open && changed != NULL)
			changed(&one->u, open, until);
		one->was_open = open;
	}
	pthread_mutex_unlock(&p->lock);
	free_list(&old);
}

static bool
concerns(const struct pause *one, const struct pauses_mail *m)
{
	return strcmp(one->u.tenant, m->tenant) == 0 && (m->is_external || !one->u.external_only) && pause_covers(one->u.sender, m->sender);
}

static void
answer(const struct pause *one, int64_t until, struct pauses_answer *a)
{
	snprintf(a->keyword, sizeof a->keyword, "%s", one->u.keyword);
	snprintf(a->reply, sizeof a->reply, "%s", one->u.reply);
	a->since = one->u.since;
	a->until = until;
	a->external_only = one->u.external_only;
}

/* Whether this one lets it pass; *is_try_r: as the one that tries. */
static bool
passes(const struct pause *one, const struct pauses_mail *m, int64_t now, bool *is_try_r)
{
	enum pause_state state = pause_state(&one->facts, now, NULL);

	*is_try_r = false;
	if (state == PAUSE_CLOSED)
		return true;
	*is_try_r = m->id != NULL && one->trying.s[0] != '\0' ? strcmp(one->trying.s, m->id->s) == 0
							       : state == PAUSE_TRIES && one->trying.s[0] == '\0';
	return *is_try_r;
}

bool
pauses_hold(struct pauses *p, const struct pauses_mail *m, int64_t now, struct pauses_answer *a_r)
{
	bool holds = false, is_try;
	int64_t until;

	*a_r = (struct pauses_answer){0};
	pthread_mutex_lock(&p->lock);
	for (struct pause *one = p->first; one != NULL && !holds; one = one->next) {
		if (!concerns(one, m))
			continue;
		holds = !passes(one, m, now, &is_try);
		(void)pause_state(&one->facts, now, &until);
		if (holds || is_try)
			answer(one, until, a_r);
		a_r->is_try = !holds && (a_r->is_try || is_try);
	}
	/* Only what passes all of them tries. */
	for (struct pause *one = p->first; one != NULL && !holds && a_r->is_try && m->id != NULL; one = one->next)
		if (concerns(one, m) && passes(one, m, now, &is_try) && is_try)
			one->trying = *m->id;
	pthread_mutex_unlock(&p->lock);
	return holds;
}

static void
note_try(struct pause *one, int64_t now)
{
	one->facts.unanswered += one->facts.tried >= one->facts.said;
	one->facts.tried = now;
}

bool
pauses_keep(struct pauses *p, const char *tenant, int64_t now)
{
	bool stays = false;

	pthread_mutex_lock(&p->lock);
	for (struct pause *one = p->first; one != NULL && !stays; one = one->next) {
		enum pause_state state = pause_state(&one->facts, now, NULL);

		stays = strcmp(one->u.tenant, tenant) == 0 && state != PAUSE_CLOSED && (state != PAUSE_TRIES || one->trying.s[0] != '\0');
	}
	for (struct pause *one = p->first; one != NULL && !stays; one = one->next)
		if (strcmp(one->u.tenant, tenant) == 0 && pause_state(&one->facts, now, NULL) == PAUSE_TRIES)
			note_try(one, now);
	pthread_mutex_unlock(&p->lock);
	return stays;
}

void
pauses_done(struct pauses *p, const struct id *id, int64_t now, bool went)
{
	pthread_mutex_lock(&p->lock);
	for (struct pause *one = p->first; one != NULL; one = one->next) {
		if (strcmp(one->trying.s, id->s) != 0)
			continue;
		one->trying.s[0] = '\0';
		if (went)
			note_try(one, now);
	}
	pthread_mutex_unlock(&p->lock);
}
