/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limits.h: what an operator asks of the daemon for one counter, and the list of
 * boosts. Nothing is decided here but whether what was typed makes sense.
 */
#include "config.h"

#include "admin/limits.h"

#include <stdio.h>
#include <string.h>

#include "admin/database.h"
#include "admin/person.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/printable.h"
#include "sql/operator.h"

#define LONGEST_MS (INT64_C(366) * 86400000)

static const struct {
	const char *word;
	int least, most;          /* words behind it, without those of a boost */
	const char *usage;
} acts[] = {
	{"reset", 2, 3, "reset APP LIMIT [KEY]"},
	{"boost", 2, 3, "boost APP LIMIT [KEY] +N until TIME"},
	{"unboost", 2, 3, "unboost APP LIMIT [KEY]"},
	{"boosts", 0, 0, "boosts"},
};

/* Where it stands in the table, -1 for nowhere. */
static int
act_of(const char *word)
{
	for (int i = 0; i < (int)(sizeof acts / sizeof acts[0]); i++)
		if (strcmp(acts[i].word, word) == 0)
			return i;
	return -1;
}

bool
limits_is_act(const char *word)
{
	return act_of(word) >= 0;
}

static int
complain(int status, const char *what, const char *more)
{
	fprintf(stderr, "postern limits: %s%s\n", what, more);
	return status;
}

/* "+500", for bytes also "+500M". NULL, or what is wrong. */
static const char *
parse_more(const char *s, enum unit unit, int64_t *r)
{
	static const char letters[] = "KMG";
	char digits[24];
	size_t n = s[0] == '+' ? strspn(s + 1, "0123456789") : 0;
	const char *letter = n == 0 || s[1 + n] == '\0' ? NULL : strchr(letters, s[1 + n] & ~0x20);
	uint64_t v;

	if (n == 0 || n >= sizeof digits || (s[1 + n] != '\0' && (letter == NULL || s[2 + n] != '\0' || unit != UNIT_BYTES)))
		return unit == UNIT_BYTES ? "expected +N, such as +500 or +20M" : "expected +N, such as +500";
	snprintf(digits, sizeof digits, "%.*s", (int)n, s + 1);
	if (text_to_u64(digits, &v) != 0 || v > INT64_MAX / 2)
		return "that is too many: expected at most 4611686018427387903";
	for (const char *p = letters; letter != NULL && p <= letter; p++) {
		if (v > INT64_MAX / 2 / 1024)
			return "that is too many: expected at most 4611686018427387903";
		v *= 1024;
	}
	*r = (int64_t)v;
	return v == 0 ? "+0 adds nothing: expected at least +1" : NULL;
}

/* NULL, or what is wrong. */
static const char *
parse_until(int n, char **words, int64_t now, int64_t *r)
{
	char time[64] = "";

	if (n < 2 || strcmp(words[0], "until") != 0)
		return "expected until TIME behind +N";
	for (int i = 1; i < n; i++)
		if (strlen(time) + strlen(words[i]) + 2 < sizeof time)
			snprintf(time + strlen(time), sizeof time - strlen(time), "%s%s", i > 1 ? " " : "", words[i]);
	if (when_parse_end(time, now, r) != 0)
		return "expected a time such as 15:40, 2026-11-17T15:40 or +2h behind until";
	if (*r <= now)
		return "that time is past: expected one that comes";
	return *r > now + LONGEST_MS ? "that is too far away: expected at most 366 days" : NULL;
}

static void
answer_to(const struct limits_named *named, const char *text, char *line, size_t size)
{
	snprintf(line, size, "%s%s%s: %s", named->limit->name, named->key[0] == '\0' ? "" : " ", named->key, text);
}

/* Asks, and says what became of it. */
static int
ask(const struct policy *p, const char *what, const struct limits_named *named, int64_t amount, int64_t until)
{
	char who[PERSON_SIZE], text[400], line[1000];
	struct operator_request r = {
		.what = what, .limit_name = named->limit->name, .key = named->key, .scope = named->limit->scope,
		.unit = (int64_t)named->limit->unit, .period = named->limit->period, .amount = amount, .until = until,
	};
	enum operator_answer a;

	r.who = person_name(who);
	if (database_become_owner(p, text, sizeof text) != 0)
		return complain(1, text, "");
	a = operator_request(p->database, clock_system(), &r, text, sizeof text);
	answer_to(named, text, line, sizeof line);
	fprintf(a == OPERATOR_DONE ? stdout : stderr, "%s%s\n", a == OPERATOR_DONE ? "" : "postern limits: ",
		a == OPERATOR_FAILED ? text : line);
	return a == OPERATOR_DONE ? 0 : 1;
}

/* The word that is "+N", n where there is none. */
static int
find_more(int n, char **words)
{
	int i = 0;

	while (i < n && words[i][0] != '+')
		i++;
	return i;
}

static int
act(const struct policy *p, int which, int n, char **words, struct arena *a)
{
	bool is_boost = strcmp(acts[which].word, "boost") == 0;
	int more = is_boost ? find_more(n, words) : n;
	struct limits_named named;
	int64_t amount = 0, until = 0;
	const char *wrong = NULL;
	char error[600];

	if (more < acts[which].least || more > acts[which].most)
		return complain(2, "expected ", acts[which].usage);
	if (limits_find(p, words[0], words[1], more == 3 ? words[2] : NULL, a, &named, error, sizeof error) != 0)
		return complain(2, error, "");
	if (is_boost && more == n)
		wrong = "expected +N, such as +500, and until TIME";
	else if (is_boost)
		wrong = parse_more(words[more], named.limit->unit, &amount);
	if (is_boost && wrong == NULL)
		wrong = parse_until(n - more - 1, words + more + 1, clock_system()->wall_ms(NULL), &until);
	return wrong != NULL ? complain(2, wrong, "") : ask(p, acts[which].word, &named, amount, until);
}

/* ---- the list */

struct list {
	struct arena *arena;
	struct jsonv *json;       /* NULL: text */
	int64_t now;
	int n;
};

static void
set_boost(struct jsonv *o, const struct store_boost *b)
{
	char at[WHEN_SIZE];

	jsonv_set_text(o, "name", b->name);
	jsonv_set_text(o, "key", b->key);
	jsonv_set_text(o, "scope", b->scope);
	jsonv_set_integer(o, "count", (int64_t)b->count);
	jsonv_set_integer(o, "boost", (int64_t)b->boost);
	jsonv_set_text(o, "until", when_format(b->until, at));
	jsonv_set_text(o, "who", b->who);
	jsonv_set_text(o, "since", when_format(b->time, at));
}

static int
show_boost(void *context, const struct store_boost *b)
{
	struct list *l = context;
	char until[WHEN_SIZE], since[WHEN_SIZE], amount[32];

	l->n++;
	if (l->json != NULL) {
		set_boost(jsonv_add_object(l->json), b);
		return 0;
	}
	printf("%s%s%s: %s more until %s, by %s at %s\n", b->name, b->key[0] == '\0' ? "" : " ", printable(l->arena, b->key),
	       limits_amount(b->unit, b->boost, amount), when_clock(b->until, l->now, until), printable(l->arena, b->who),
	       when_clock(b->time, l->now, since));
	return 0;
}

static int
list_boosts(const struct policy *p, bool json, struct arena *a)
{
	struct jsonv *root = json ? jsonv_new_array() : NULL;
	struct list l = {.arena = a, .json = root, .now = clock_system()->wall_ms(NULL)};
	struct text t = {0};
	char error[600];
	struct store_reader *r = database_open(p, error, sizeof error);
	const char *why = error;
	int rc = r == NULL ? -1 : store_reader_boosts(r, clock_system(), show_boost, &l, &why);

	if (rc != 0)
		(void)complain(1, why, "");
	else if (!json && l.n == 0)
		puts("no limit is boosted");
	else if (json && jsonv_write(root, true, &t) == 0)
		fputs(text_string(&t), stdout);
	jsonv_free(&root);
	text_free(&t);
	store_reader_close(&r);
	return rc == 0 ? 0 : 1;
}

int
limits_act(const struct policy *p, int argc, char **argv, bool json)
{
	struct arena *a = arena_new(0);
	int which = act_of(argv[0]), rc;

	if (a == NULL)
		return complain(1, "memory is short", "");
	if (strcmp(acts[which].word, "boosts") == 0)
		rc = argc > 1 ? complain(2, "expected ", "boosts alone") : list_boosts(p, json, a);
	else if (json)
		rc = complain(2, "--json goes with the table and boosts", "");
	else
		rc = act(p, which, argc - 1, argv + 1, a);
	arena_free(&a);
	return rc;
}
