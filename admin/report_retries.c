/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern report retries: who comes back after a 451, with the evidence.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/output.h"
#include "admin/retries.h"
#include "admin/traffic.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/json.h"
#include "sql/store.h"

#define HOUR_MS INT64_C(3600000)
#define UNUSUAL_ENOUGH 3u
#define WITHIN_MAX_MS (7 * 24 * HOUR_MS)

struct options {
	const char *policy, *database, *since, *until, *within;
	bool json;
};

static const struct {
	const char *name, *text;
} evidence[RETRY_EVIDENCE_COUNT] = {
	[RETRY_SAME_ID] = {"same-message-id", "the same Message-ID came again"},
	[RETRY_LATE] = {"same-message-id-late", "the same Message-ID came again, but later than that"},
	[RETRY_SAME_CONTENT] = {"same-content",
				"mail of the same sender, recipients, subject and size came, which it does not send otherwise"},
	[RETRY_UNUSUAL] = {"unusual-mail", "mail that can be it came, and such mail does not come otherwise"},
	[RETRY_NOTHING] = {"nothing", "nothing of this client and sender followed"},
	[RETRY_OTHER_MAIL] = {"other-mail", "other mail of this client and sender followed, but not this"},
	[RETRY_LAST] = {"nothing-after-last", "nothing of this client and sender followed the last of several"},
	[RETRY_NOT_OVER] = {"not-over", "the time is not over"},
	[RETRY_ANYWAY] = {"sends-anyway", "mail that can be it came, but such mail comes all the time"},
	[RETRY_UNKNOWN_HABIT] = {"habit-unknown",
				 "mail that can be it came, and the audit has too little to know whether such mail comes anyway"},
	[RETRY_POSSIBLE] = {"possible", "what came may be it or not"},
	[RETRY_COUNTED] = {"counted", "counted together with others, of which one may be the retry of another"},
	[RETRY_SILENCE] = {"silence", "the audit has nothing of anybody in the time"},
	[RETRY_TOO_MANY] = {"too-many", "too many senders to keep them apart"},
};

enum habit { DOES_NOT, NOT_ALWAYS, GIVES_UP, CANNOT_TELL, LATE, DOES };

static const struct {
	const char *name, *text;
} habits[] = {
	[DOES_NOT] = {"does-not-retry", "does not retry"},
	[NOT_ALWAYS] = {"does-not-always-retry", "does not always retry"},
	[GIVES_UP] = {"gives-up", "does not retry, or gives up soon"},
	[CANNOT_TELL] = {"cannot-tell", "cannot tell"},
	[LATE] = {"retries-late", "retries, but late"},
	[DOES] = {"retries", "retries"},
};

static void
usage(FILE *to)
{
	fputs("usage: postern report retries [-c FILE] [--since WHEN] [--until WHEN] [--within TIME]\n"
	      "                              [--database URL] [--json]\n"
	      "Who does not come back after a 451, so that you can choose \"then hold\" for them.\n"
	      "  -c, --config FILE  the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --since WHEN       451s from then on: 7d (the default), 24h, or a date such as 2026-11-17\n"
	      "  --until WHEN       451s before then; the default is now\n"
	      "  --within TIME      how soon a client that retries comes back: 4h (the default), 1h to 7d\n"
	      "  --database URL     the audit to read; the default is the policy's database\n"
	      "  --json             print JSON\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern report: %s\n", what);
	usage(stderr);
	return 2;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'}, {"within", required_argument, NULL, 'w'},
		{"database", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 'w')
			o->within = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return usage(stdout), 0;
		else
			return usage(stderr), 2;
	}
	if (optind == argc)
		return bad_usage("which report? There is: retries");
	if (strcmp(argv[optind], "retries") != 0)
		return bad_usage("there is no such report; there is: retries");
	return optind + 1 == argc ? -1 : bad_usage("there is one argument too many");
}

static uint64_t
sum(const struct retry_place *p, enum retry_evidence first, enum retry_evidence last)
{
	uint64_t n = 0;

	for (unsigned e = first; e <= last; e++)
		n += p->n[e];
	return n;
}

static uint64_t
came_back(const struct retry_place *p)
{
	return sum(p, RETRY_SAME_ID, RETRY_UNUSUAL);
}

static uint64_t
nothing_followed(const struct retry_place *p)
{
	return sum(p, RETRY_NOTHING, RETRY_LAST);
}

static uint64_t
cannot_tell(const struct retry_place *p)
{
	return sum(p, RETRY_NOT_OVER, RETRY_TOO_MANY);
}

/* One Message-ID is proof. Unusual mail may come by chance: one time in ten, as such mail
 * goes, so that it takes some of it to say something. */
static bool
does_come_back(const struct retry_place *p)
{
	return sum(p, RETRY_SAME_ID, RETRY_LATE) > 0 || sum(p, RETRY_SAME_CONTENT, RETRY_UNUSUAL) >= UNUSUAL_ENOUGH;
}

static enum habit
habit_of(const struct retry_place *p)
{
	uint64_t lost = nothing_followed(p);
	bool back = does_come_back(p);

	if (back && lost > 0)
		return NOT_ALWAYS;
	if (back)
		return p->n[RETRY_LATE] == came_back(p) ? LATE : DOES;
	if (lost > 0)
		return p->n[RETRY_LAST] == lost ? GIVES_UP : DOES_NOT;
	return CANNOT_TELL;
}

/* By their habit, then those first that lose most. */
static int
compare_places(const void *a, const void *b)
{
	const struct retry_place *x = *(const struct retry_place *const *)a, *y = *(const struct retry_place *const *)b;
	enum habit vx = habit_of(x), vy = habit_of(y);
	uint64_t nx = nothing_followed(x), ny = nothing_followed(y);
	int c;

	if (vx != vy)
		return vx < vy ? -1 : 1;
	if (nx != ny)
		return nx > ny ? -1 : 1;
	if (x->deferrals != y->deferrals)
		return x->deferrals > y->deferrals ? -1 : 1;
	c = strcmp(x->app, y->app);
	return c != 0 ? c : strcmp(x->client, y->client);
}

static const struct retry_place **
sorted(const struct retries *r, size_t *n_r)
{
	const struct retry_place *places = retries_places(r, n_r), **list = calloc(*n_r + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; list != NULL && i < *n_r; i++)
		if (places[i].deferrals > 0)
			list[n++] = &places[i];
	*n_r = n;
	if (n > 0)
		qsort(list, n, sizeof *list, compare_places);
	return list;
}

/* "14 s", "5 min", "2 h 10 min": cut, not rounded. */
static void
add_span(struct text *t, int64_t ms)
{
	long long s = (long long)(ms / 1000);

	if (s < 120)
		text_printf(t, "%lld s", s);
	else if (s < 7200)
		text_printf(t, "%lld min", s / 60);
	else if (s % 3600 < 60)
		text_printf(t, "%lld h", s / 3600);
	else
		text_printf(t, "%lld h %lld min", s / 3600, s % 3600 / 60);
}

static void
add_evidence(struct text *t, const struct retry_place *p, enum retry_evidence e)
{
	bool by_id = e == RETRY_SAME_ID || e == RETRY_LATE;

	text_printf(t, "    %6llu  %s", (unsigned long long)p->n[e], evidence[e].text);
	if (by_id) {
		text_add(t, p->soonest_ms == p->latest_ms ? " (after " : " (all after ");
		add_span(t, p->soonest_ms);
		if (p->soonest_ms != p->latest_ms) {
			text_add(t, " to ");
			add_span(t, p->latest_ms);
		}
		text_add_char(t, ')');
	}
	text_printf(t, "; such as %s\n", p->example[e].s);
}

static void
add_place(struct text *t, const struct retry_place *p)
{
	text_printf(t, "\n%-16s %-22s %8llu %10llu %17llu %12llu  %s%s\n", p->app[0] == '\0' ? "(no app)" : p->app,
		    p->client[0] == '\0' ? "(no address)" : p->client, (unsigned long long)p->deferrals,
		    (unsigned long long)came_back(p), (unsigned long long)nothing_followed(p),
		    (unsigned long long)cannot_tell(p), habits[habit_of(p)].text,
		    p->lost_to_limits > 0 ? ": choose \"then hold\"" : "");
	for (unsigned e = 0; e < RETRY_EVIDENCE_COUNT; e++)
		if (p->n[e] > 0)
			add_evidence(t, p, e);
}

static void
add_text(struct text *t, const struct retry_place **places, size_t n, const struct store_range *range, int64_t within)
{
	char since[WHEN_SIZE], until[WHEN_SIZE];

	text_printf(t, "451s from %s to %s, and what followed within ", when_format(range->since, since),
		    when_format(range->until, until));
	add_span(t, within);
	text_add(t, " of each\n");
	if (n == 0) {
		text_add(t, "nobody was told to come again\n");
		return;
	}
	text_printf(t, "\n%-16s %-22s %8s %10s %17s %12s\n", "app", "client", "451s", "came back", "nothing followed",
		    "cannot tell");
	for (size_t i = 0; i < n; i++)
		add_place(t, places[i]);
}

static void
set_place(struct jsonv *o, const struct retry_place *p)
{
	struct jsonv *list;

	jsonv_set_text(o, "app", p->app);
	jsonv_set_text(o, "client", p->client);
	jsonv_set_integer(o, "deferrals", (int64_t)p->deferrals);
	jsonv_set_integer(o, "came_back", (int64_t)came_back(p));
	jsonv_set_integer(o, "nothing_followed", (int64_t)nothing_followed(p));
	jsonv_set_integer(o, "cannot_tell", (int64_t)cannot_tell(p));
	jsonv_set_text(o, "verdict", habits[habit_of(p)].name);
	jsonv_set_boolean(o, "choose_hold", p->lost_to_limits > 0);
	list = jsonv_set_array(o, "evidence");
	for (unsigned e = 0; e < RETRY_EVIDENCE_COUNT; e++) {
		struct jsonv *item = p->n[e] == 0 ? NULL : jsonv_add_object(list);

		if (item == NULL)
			continue;
		jsonv_set_text(item, "what", evidence[e].name);
		jsonv_set_integer(item, "count", (int64_t)p->n[e]);
		jsonv_set_text(item, "id", p->example[e].s);
	}
	if (p->soonest_ms == 0)
		return;
	jsonv_set_integer(o, "soonest_ms", p->soonest_ms);
	jsonv_set_integer(o, "latest_ms", p->latest_ms);
}

static int
add_json(struct text *t, const struct retry_place **places, size_t n, const struct store_range *range, int64_t within)
{
	struct jsonv *root = jsonv_new_object(), *list;
	char when[WHEN_SIZE];
	int rc;

	jsonv_set_text(root, "since", when_format(range->since, when));
	jsonv_set_text(root, "until", when_format(range->until, when));
	jsonv_set_integer(root, "within_ms", within);
	list = jsonv_set_array(root, "clients");
	for (size_t i = 0; i < n; i++)
		set_place(jsonv_add_object(list), places[i]);
	rc = jsonv_write(root, true, t);
	jsonv_free(&root);
	return rc;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern report: %s\n", what);
	return 1;
}

static int
print(const struct retries *r, const struct options *o, const struct store_range *range, int64_t within)
{
	size_t n;
	const struct retry_place **places = sorted(r, &n);
	struct output output;
	struct text t = {0};
	int rc = places == NULL ? -1 : 0;

	if (rc == 0 && o->json)
		rc = add_json(&t, places, n, range, within);
	else if (rc == 0)
		add_text(&t, places, n, range, within);
	if (rc != 0 || t.failed)
		rc = fail("memory is short");
	else
		rc = output_open(&output, "report", NULL) == 0 && output_write(&output, text_string(&t), t.len) == 0 ? 0 : 1;
	text_free(&t);
	free(places);
	return rc;
}

static int
run(const struct options *o, const struct store_range *range, int64_t now, int64_t within)
{
	struct retries *r = retries_new(within);
	struct store_reader *reader = r == NULL ? NULL : database_reader("report", o->policy, o->database);
	const char *error = "memory is short";
	int rc = 1;

	if (r == NULL)
		fail(error);
	else if (reader != NULL && retries_read(r, reader, range, now, within, &error) != 0)
		fail(error);
	else if (reader != NULL)
		rc = print(r, o, range, within);
	store_reader_close(&reader);
	retries_free(&r);
	return rc;
}

int
report_retries(int argc, char **argv)
{
	struct options o = {.policy = COMMAND_POLICY_FILE, .since = "7d", .within = "4h"};
	int r = read_options(argc, argv, &o);
	int64_t now = clock_system()->wall_ms(NULL), within = 0;
	struct store_range range = {.until = now + 1};

	if (r >= 0)
		return r;
	if (when_parse(o.since, now, &range.since) != 0)
		return bad_usage("--since takes a time such as 7d, 24h or 2026-11-17");
	if (o.until != NULL && when_parse(o.until, now, &range.until) != 0)
		return bad_usage("--until takes a time such as 7d, 24h or 2026-11-17");
	/* Refusals are counted by the hour: what happens within one is not known. */
	if (when_parse(o.within, 0, &within) != 0 || -within < HOUR_MS || -within > WITHIN_MAX_MS)
		return bad_usage("--within takes a time from 1h to 7d");
	return run(&o, &range, now, -within);
}
