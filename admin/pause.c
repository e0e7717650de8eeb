/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern pause: what Exchange Online's replies have stopped, and its lifting.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/m365.h"
#include "admin/person.h"
#include "admin/terminal.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/json.h"
#include "policy/file/file.h"
#include "policy/pause.h"
#include "sql/operator.h"

struct options {
	const char *file;
	bool json, lift, help;
	const char *tenant, *sender; /* to be lifted */
};

struct list {
	const struct policy *policy;
	struct jsonv *json;       /* NULL: text */
	const char *tenant, *sender;
	int64_t now;
	int open, matching;
};

static void
usage(FILE *to)
{
	fputs("usage: postern pause [-c FILE] [--json]\n"
	      "       postern pause [-c FILE] lift TENANT [SENDER]\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --json         as JSON\n"
	      "It shows what mail is deferred because Exchange Online refuses it, and until when; lift lets the mail go now:\n"
	      "of the whole tenant, or of SENDER (a@contoso.com, @contoso.com) where the pause is of that alone.\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
complain(int status, const char *what, const char *more)
{
	fprintf(stderr, "postern pause: %s%s\n", what, more);
	return status;
}

static int
read_words(int n, char **words, struct options *o)
{
	if (n == 0)
		return 0;
	if (strcmp(words[0], "lift") != 0)
		return complain(2, "expected lift TENANT or nothing, not ", words[0]);
	if (n < 2 || n > 3)
		return complain(2, "expected lift TENANT [SENDER]", "");
	if (o->json)
		return complain(2, "--json is of no use with lift", "");
	o->lift = true;
	o->tenant = words[1];
	o->sender = n == 3 ? words[2] : "";
	return 0;
}

/* 0 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return o->help = true, 0;
		else
			return usage(stderr), 2;
	}
	return read_words(argc - optind, argv + optind, o);
}

/* ---- the list */

/* What the table says of the reply; empty where it has none of that name. */
static struct m365_meaning
meaning_of(const char *keyword)
{
	const struct m365_row *row;

	for (size_t i = 0; (row = m365_row(i)) != NULL; i++)
		if (strcmp(row->meaning.keyword, keyword) == 0)
			return row->meaning;
	return (struct m365_meaning){.keyword = keyword, .cause = "", .action = ""};
}

static const struct tenant *
tenant_named(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_tenants; i++)
		if (strcmp(p->tenants[i].name, name) == 0)
			return &p->tenants[i];
	return NULL;
}

/* One word for how it stands. */
static const char *
state_name(const struct list *l, const struct store_upstream *u, enum pause_state state)
{
	const struct tenant *t = tenant_named(l->policy, u->tenant);

	if (state == PAUSE_CLOSED)
		return u->lifted > 0 ? "lifted" : "over";
	if (t == NULL || !t->upstream_pause)
		return "off";
	return state == PAUSE_HOLDS ? "paused" : "tries";
}

static void
print_one(const struct list *l, const struct store_upstream *u, const char *state, int64_t until)
{
	const struct m365_meaning m = meaning_of(u->keyword);
	char since[WHEN_SIZE], said[WHEN_SIZE], end[WHEN_SIZE];
	struct text t = {0};

	when_format(u->since, since);
	when_format(u->said, said);
	when_format(until, end);
	if (l->open > 1)
		putchar('\n');
	text_printf(&t, "%s%s%s, %s%s%s", u->tenant, u->sender[0] == '\0' ? "" : ", sender ", u->sender,
		    u->external_only ? "mail to the outside" : "all mail", u->relay[0] == '\0' ? "" : " by ", u->relay);
	terminal_fact(state, text_string(&t));
	text_clear(&t);
	text_printf(&t, "%s, %s; said %lld time%s, last at %s", since, u->keyword, (long long)u->times, u->times == 1 ? "" : "s", said);
	terminal_fact("since", text_string(&t));
	text_clear(&t);
	text_printf(&t, "%s%s", end, strcmp(state, "paused") == 0 ? ", then one message at a time tries whether it goes again"
				     : strcmp(state, "tries") == 0 ? "; the next message tries whether it goes again"
								   : "; upstream-pause is off, so nothing waits");
	terminal_fact("until", text_string(&t));
	terminal_fact("reply", u->reply);
	terminal_fact("cause", m.cause);
	terminal_fact("to do", m.action);
	text_free(&t);
}

static void
set_one(const struct list *l, const struct store_upstream *u, const char *state, int64_t until)
{
	const struct m365_meaning m = meaning_of(u->keyword);
	struct jsonv *o = jsonv_add_object(l->json);
	char text[WHEN_SIZE];

	jsonv_set_text(o, "tenant", u->tenant);
	jsonv_set_text(o, "sender", u->sender);
	jsonv_set_text(o, "relay", u->relay);
	jsonv_set_text(o, "state", state);
	jsonv_set_boolean(o, "external_only", u->external_only);
	jsonv_set_text(o, "keyword", u->keyword);
	jsonv_set_text(o, "reply", u->reply);
	jsonv_set_text(o, "since", (when_format(u->since, text), text));
	jsonv_set_text(o, "said", (when_format(u->said, text), text));
	jsonv_set_text(o, "until", (when_format(until, text), text));
	jsonv_set_integer(o, "times", u->times);
	jsonv_set_text(o, "cause", m.cause);
	jsonv_set_text(o, "action", m.action);
}

static int
list_one(void *context, const struct store_upstream *u)
{
	const struct pause_facts f = {.since = u->since, .said = u->said, .good = u->good, .lifted = u->lifted, .wait_ms = u->wait_ms};
	struct list *l = context;
	int64_t until;
	enum pause_state state = pause_state(&f, l->now, &until);
	const char *name = state_name(l, u, state);

	l->matching += state != PAUSE_CLOSED && l->tenant != NULL && strcmp(l->tenant, u->tenant) == 0 && strcmp(l->sender, u->sender) == 0;
	if (state == PAUSE_CLOSED || l->tenant != NULL)
		return 0;
	l->open++;
	if (l->json != NULL)
		set_one(l, u, name, until);
	else
		print_one(l, u, name, until);
	return 0;
}

/* 0, or 1 and it is told. */
static int
read_list(struct list *l)
{
	char error[600];
	const char *why = "memory is short";
	struct store_reader *r = database_open(l->policy, error, sizeof error);
	int rc;

	if (r == NULL)
		return complain(1, error, "");
	rc = store_reader_upstream(r, list_one, l, &why);
	store_reader_close(&r);
	if (rc == STORE_NO_DELIVERIES)
		return complain(1, "nothing is known of replies: postern follow has never run", "");
	return rc == 0 ? 0 : complain(1, why, "");
}

static int
list(const struct policy *p, bool json)
{
	struct list l = {.policy = p, .json = json ? jsonv_new_array() : NULL, .now = clock_system()->wall_ms(NULL)};
	struct text t = {0};
	int rc = json && l.json == NULL ? complain(1, "memory is short", "") : read_list(&l);

	if (rc == 0 && json && jsonv_write(l.json, true, &t) != 0)
		rc = complain(1, "memory is short", "");
	if (rc == 0 && (json || l.open == 0))
		fputs(json ? text_string(&t) : "Nothing is paused.\n", stdout);
	text_free(&t);
	jsonv_free(&l.json);
	return rc;
}

/* ---- lifting */

static int
lift(const struct policy *p, const struct options *o)
{
	struct list l = {.policy = p, .tenant = o->tenant, .sender = o->sender, .now = clock_system()->wall_ms(NULL)};
	char who[PERSON_SIZE], text[400];
	struct operator_request r = {.what = "resume", .limit_name = o->tenant, .key = o->sender};
	enum operator_answer a;

	r.who = person_name(who);
	if (tenant_named(p, o->tenant) == NULL)
		return complain(2, "the policy has no tenant ", o->tenant);
	if (read_list(&l) != 0)
		return 1;
	if (l.matching == 0)
		return complain(1, "nothing of that is paused; postern pause shows what is", "");
	if (database_become_owner(p, text, sizeof text) != 0)
		return complain(1, text, "");
	a = operator_request(p->database, clock_system(), &r, text, sizeof text);
	fprintf(a == OPERATOR_DONE ? stdout : stderr, "%s%s\n", a == OPERATOR_DONE ? "" : "postern pause: ", text);
	return a == OPERATOR_DONE ? 0 : 1;
}

int
command_pause(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE};
	struct problems *problems = NULL;
	struct policy *p;
	int rc = read_options(argc, argv, &o);

	if (rc != 0)
		return rc;
	if (o.help)
		return usage(stdout), 0;
	p = policy_load(o.file, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	rc = o.lift ? lift(p, &o) : list(p, o.json);
	policy_unref(&p);
	return rc;
}
