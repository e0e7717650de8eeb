/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern simulate: what a new policy file would have made of the mail that the
 * audit remembers. Every message is decided again, in the order of time, limits
 * counted from nothing at the start; the difference is printed.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/difference.h"
#include "admin/when.h"
#include "base/clock.h"
#include "gate/replay.h"
#include "policy/file/file.h"

#define DAY_MS INT64_C(86400000)

struct options {
	const char *policy, *database;
	const char *since, *until;
	bool json, enforce;
};

/* A count of refusals at the end of the message, whose first one is stored. */
struct counted {
	char id[27];
	uint64_t count;
};

struct run {
	const struct options *o;
	struct policy *policy;
	struct store_reader *reader;
	struct replay *replay;
	struct rehearsal *limits;
	struct difference *difference;
	struct counted *counted;
	size_t n_counted, counted_room;
	int64_t done, total;
	bool is_tty;
};

static void
usage(FILE *to)
{
	fputs("usage: postern simulate --policy FILE [--since WHEN] [--until WHEN] [--database URL] [--enforce] [--json]\n"
	      "  --policy FILE   the policy file to try\n"
	      "  --since WHEN    from then on: 7d (the default), 24h, 90m, or a date such as 2026-11-17\n"
	      "  --until WHEN    up to then; the default is now\n"
	      "  --database URL  the audit to read; the default is the policy file's database\n"
	      "  --enforce       judge as if nothing were on trial (mode: monitor)\n"
	      "  --json          print JSON\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern simulate: %s\n", what);
	usage(stderr);
	return 2;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"policy", required_argument, NULL, 'p'}, {"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'}, {"database", required_argument, NULL, 'd'},
		{"enforce", no_argument, NULL, 'e'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (c == 'p')
			o->policy = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'e')
			o->enforce = true;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return usage(stdout), 0;
		else
			return usage(stderr), 2;
	}
	if (optind != argc)
		return bad_usage("there is one argument too many");
	return o->policy == NULL ? bad_usage("--policy is missing") : -1;
}

static int
compare_counted(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int
keep_count(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct run *run = context;
	struct counted *more;

	(void)last_time;
	if (run->n_counted == run->counted_room) {
		run->counted_room = run->counted_room == 0 ? 256 : run->counted_room * 2;
		more = realloc(run->counted, run->counted_room * sizeof *more);
		if (more == NULL)
			return -2;
		run->counted = more;
	}
	snprintf(run->counted[run->n_counted].id, sizeof run->counted[0].id, "%s", f->id);
	run->counted[run->n_counted++].count = count;
	return 0;
}

/* How many messages a stored one stands for. */
static uint64_t
weight(const struct run *run, const char *id)
{
	struct counted key = {.count = 1};
	const struct counted *found;

	if (run->n_counted == 0)
		return 1;
	snprintf(key.id, sizeof key.id, "%s", id);
	found = bsearch(&key, run->counted, run->n_counted, sizeof key, compare_counted);
	return found == NULL ? 1 : found->count;
}

static void
show_progress(struct run *run)
{
	run->done++;
	if (run->is_tty && run->done % 5000 == 0)
		fprintf(stderr, "\r%lld of %lld messages", (long long)run->done, (long long)run->total);
}

/* The first recipient that passed then and is refused now, or the other way
 * round; NULL when they are the same. */
static const char *
changed_recipient(const struct record *record, const struct message *m)
{
	const struct recipient *p = m->recipients;

	for (size_t i = 0; i < record->n_rcpt && p != NULL; i++, p = p->next)
		if (record->rcpt[i].accepted != p->accepted)
			return p->accepted ? record->rcpt[i].reason : p->reason;
	return NULL;
}

static int
one_message(void *context, const struct record *record, const struct charge *charges, size_t n_charges)
{
	struct run *run = context;
	struct replayed now;
	struct outcome then, is;

	(void)charges;
	(void)n_charges;
	if (replay_message(run->replay, record, run->limits, &now) != 0)
		return -2;
	show_progress(run);
	then = (struct outcome){.verdict = record->verdict, .reason = record->reason};
	is = outcome_of(run->o->enforce ? now.would : now.decision);
	if (now.undecidable == NULL && strcmp(then.verdict, is.verdict) == 0 && now.decision->verdict < VERDICT_DEFER) {
		const char *reason = changed_recipient(record, now.message);

		if (reason != NULL)
			is = (struct outcome){.verdict = "other recipients", .reason = reason};
	}
	return difference_add(run->difference, record->id, now.message->app == NULL ? record->app : now.message->app->name,
			      &then, &is, now.undecidable, weight(run, record->id)) == 0 ? 0 : -2;
}

/* The limit of this name in the policy, NULL when there is none. */
static const struct limit *
find_limit(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_apps; i++)
		for (size_t j = 0; j < p->apps[i].n_limits; j++)
			if (strcmp(p->apps[i].limits[j].name, name) == 0)
				return &p->apps[i].limits[j];
	for (size_t i = 0; i < p->n_tenants; i++)
		for (size_t j = 0; j < p->tenants[i].n_limits; j++)
			if (strcmp(p->tenants[i].limits[j].name, name) == 0)
				return &p->tenants[i].limits[j];
	for (size_t i = 0; i < p->n_built_in; i++)
		if (strcmp(p->built_in[i].name, name) == 0)
			return &p->built_in[i];
	return NULL;
}

/* What rests on more than the first of its kind: limits, the number of
 * recipients, failures of that moment. It stands as it was where what it rests on
 * is unchanged, as far as the audit knows. */
static bool
is_of_its_time(const struct run *run, const struct refusal *f, const char **undecidable_r)
{
	bool same = strcmp(f->policy, run->policy->digest) == 0;
	const struct limit *l;

	if (strncmp(f->reason, "limit:", 6) == 0) {
		l = find_limit(run->policy, f->reason + 6);
		if (!same && (l == NULL || (int64_t)limit_count(l, f->time / DAY_MS) != store_reader_limit(run->reader, l->name)))
			*undecidable_r = "it was over a limit that is another now";
		else if (!same && strstr(f->text, " reserved for ") != NULL)
			*undecidable_r = "it was for what is reserved of a limit, and whether that is another now is not known";
		return true;
	}
	if (strcmp(f->reason, "too-many-recipients") == 0) {
		if (!same)
			*undecidable_r = "it was a recipient too many, and how many there were is not known";
		return true;
	}
	return strcmp(f->reason, "cannot-decide") == 0 || strcmp(f->reason, "signing-unavailable") == 0;
}

static int
one_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct run *run = context;
	struct outcome then = {.verdict = f->verdict, .reason = f->reason}, is = then;
	const char *app = f->app, *undecidable = NULL;
	struct replayed now;

	(void)last_time;
	if (!is_of_its_time(run, f, &undecidable)) {
		if (replay_refusal(run->replay, f, &now) != 0)
			return -2;
		is = outcome_of(run->o->enforce ? now.would : now.decision);
		undecidable = now.undecidable;
		if (now.message->app != NULL)
			app = now.message->app->name;
	}
	return difference_add(run->difference, f->id, app, &then, &is, undecidable, count) == 0 ? 0 : -2;
}

static int
simulate(struct run *run, struct store_reader *reader, const struct store_range *range)
{
	const char *error = "memory is short";
	int rc = store_reader_refusals(reader, range, true, keep_count, run, &error);

	if (rc == 0) {
		if (run->n_counted > 0)
			qsort(run->counted, run->n_counted, sizeof run->counted[0], compare_counted);
		run->total = store_reader_count(reader, range);
		rc = store_reader_messages(reader, range, one_message, run, &error);
	}
	if (rc == 0)
		rc = store_reader_refusals(reader, range, false, one_refusal, run, &error);
	if (run->is_tty)
		fputs("\r\033[K", stderr);
	if (rc == 0)
		return 0;
	fprintf(stderr, "postern simulate: %s\n", error);
	return 1;
}

static int
run_all(const struct options *o, struct policy *p, const struct store_range *range)
{
	struct run run = {.o = o, .policy = p, .is_tty = isatty(2) != 0};
	struct store_reader *reader;
	char error[512];
	int r = 1;

	if (o->database != NULL)
		p->database = o->database;
	reader = database_open(p, error, sizeof error);
	run.reader = reader;
	run.replay = replay_new(p, reader);
	run.limits = rehearsal_new();
	run.difference = difference_new();
	if (reader == NULL)
		fprintf(stderr, "postern simulate: %s\n", error);
	else if (run.replay == NULL || run.limits == NULL || run.difference == NULL)
		fputs("postern simulate: memory is short\n", stderr);
	else if ((r = simulate(&run, reader, range)) == 0)
		r = difference_print(run.difference, o->policy, range, o->json);
	store_reader_close(&reader);
	difference_free(&run.difference);
	rehearsal_free(&run.limits);
	replay_free(&run.replay);
	free(run.counted);
	return r;
}

int
command_simulate(int argc, char **argv)
{
	struct options o = {.since = "7d"};
	int r = read_options(argc, argv, &o);
	int64_t now = clock_system()->wall_ms(NULL);
	struct store_range range = {.until = now + 1};
	struct problems *problems = NULL;
	struct policy *p;

	if (r >= 0)
		return r;
	if (when_parse(o.since, now, &range.since) != 0)
		return bad_usage("--since takes a time such as 7d, 24h or 2026-11-17");
	if (o.until != NULL && when_parse(o.until, now, &range.until) != 0)
		return bad_usage("--until takes a time such as 7d, 24h or 2026-11-17");
	p = policy_load(o.policy, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	r = run_all(&o, p, &range);
	policy_unref(&p);
	return r;
}
