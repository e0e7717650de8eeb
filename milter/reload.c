/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The policy file loaded, and loaded anew: what works is kept; what is wrong is
 * said then, and once a day. A policy is taken whole, with all the files it
 * names, or not at all; only the keys are judged one by one. One thread at a
 * time: the main one at start, then that of the signals. The main one may end
 * the process meanwhile, see reload_end().
 */
#include "config.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "milter/milter.h"

static struct {
	const char *file;
	struct gate *gate;
	const struct policy *first; /* what it began with: some of it takes a restart */
	int64_t loaded_ms;          /* when the policy in force was loaded */
	int64_t broken_ms;          /* when the file was first found to have errors; 0: it has none */
	pthread_mutex_t lock;       /* guards `ended`, and with it the gate */
	bool ended;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t
now_ms(void)
{
	const struct clock *clock = clock_system();

	return clock->wall_ms(clock->context);
}

/* Each as `postern check` prints it. */
static void
say_problems(const struct problems *list)
{
	struct text t = {0};

	for (size_t i = 0; i < problems_count(list); i++) {
		text_clear(&t);
		problem_write(problems_at(list, i), &t);
		daemon_log(NULL, problems_at(list, i)->is_error, text_string(&t));
	}
	text_free(&t);
}

static void
say_kept(const struct snapshot *s)
{
	char since[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < s->policy->n_keys; i++) {
		const struct key *k = s->key[i];

		if (!k->kept)
			continue;
		clock_write(k->kept_since_ms, since);
		daemon_say(true, "kept the key loaded before: %s._domainkey.%s still signs; %s cannot be used since %s, "
			   "and mail that needs it stops at the next start", k->selector, k->domain, k->file, since);
	}
}

static void
say_broken(const struct policy *p)
{
	char loaded[CLOCK_TEXT_SIZE], broken[CLOCK_TEXT_SIZE];

	clock_write(state.loaded_ms, loaded);
	clock_write(state.broken_ms, broken);
	daemon_say(true, "reload: %s has errors since %s; the old policy stays in force: %s, loaded at %s",
		   state.file, broken, p->digest, loaded);
}

static bool
is_share(const struct policy *p)
{
	return p->database_away == AWAY_LOCAL_SHARE;
}

static void
say_needs_restart(const struct policy *p)
{
	if (strcmp(p->listen, state.first->listen) != 0)
		daemon_say(true, "reload: listen changed to %s; that takes a restart", p->listen);
	if (strcmp(p->database, state.first->database) != 0) {
		char shown[300];

		store_shown_url(p->database, shown, sizeof shown);
		daemon_say(true, "reload: database changed to %s; that takes a restart", shown);
	}
	if (is_share(p) != is_share(state.first) || strcmp(p->local_database, state.first->local_database) != 0 ||
	    p->relays != state.first->relays)
		daemon_say(true, "reload: database-away, relays or local-database changed; local-share takes a restart");
	if (strcmp(p->relay, state.first->relay) != 0)
		daemon_say(true, "reload: relay changed to \"%s\"; that takes a restart", p->relay);
	if (p->durability != state.first->durability)
		daemon_say(true, "reload: durability changed; that takes a restart");
}

struct snapshot *
reload_read(const char *file, const struct snapshot *before)
{
	struct problems *problems = NULL;
	struct snapshot *s = snapshot_load(file, before, now_ms(), &problems);

	if (problems == NULL)
		daemon_say(true, "%s: memory is short", file);
	say_problems(problems);
	problems_free(&problems);
	if (s != NULL)
		say_kept(s);
	return s;
}

const struct policy *
reload_first(const char *file, struct gate *g)
{
	struct snapshot *s = reload_read(file, NULL);

	if (s == NULL)
		return NULL;
	state.file = file;
	state.gate = g;
	state.first = policy_ref(s->policy);
	state.loaded_ms = now_ms();
	g->snapshots = snapshot_holder_new(s);
	return g->snapshots == NULL ? NULL : state.first;
}

static void
put_in_force(struct snapshot *s)
{
	pthread_mutex_lock(&state.lock);
	if (!state.ended) {
		snapshot_swap(state.gate->snapshots, snapshot_ref(s));
		store_keep(state.gate->store, (int64_t)s->policy->audit_keep * 1000);
		store_notify(state.gate->store, s->policy->notify.at, (int64_t)s->policy->notify.quiet * 1000);
		snapshot_note(s->policy, state.gate->store);
	}
	pthread_mutex_unlock(&state.lock);
}

void
reload_end(void)
{
	pthread_mutex_lock(&state.lock);
	state.ended = true;
	pthread_mutex_unlock(&state.lock);
}

void
reload_again(void)
{
	struct snapshot *before = snapshot_current(state.gate->snapshots);
	struct snapshot *s = reload_read(state.file, before);

	if (FAULT("slow-reload"))
		nanosleep(&(const struct timespec){.tv_sec = 1}, NULL);
	if (s == NULL) {
		if (state.broken_ms == 0)
			state.broken_ms = now_ms();
		say_broken(before->policy);
	} else {
		say_needs_restart(s->policy);
		state.loaded_ms = now_ms();
		state.broken_ms = 0;
		put_in_force(s);
		daemon_say(false, "reload: policy %s of %s is in force", s->policy->digest, state.file);
	}
	snapshot_unref(&s);
	snapshot_unref(&before);
}

void
reload_remind(void)
{
	struct snapshot *s = snapshot_current(state.gate->snapshots);
	struct problems *problems = problems_new();

	if (problems != NULL)
		snapshot_add_aged(s, now_ms(), problems);
	say_problems(problems);
	problems_free(&problems);
	say_kept(s);
	if (state.broken_ms != 0)
		say_broken(s->policy);
	snapshot_unref(&s);
}
