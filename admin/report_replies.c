/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern report replies: what the next hop answered, by what it means.
 */
#include "config.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/replies.h"
#include "admin/terminal.h"
#include "admin/when.h"
#include "base/clock.h"

struct options {
	const char *policy, *database, *since, *until, *app;
	bool json;
};

static void
usage(FILE *to)
{
	fputs("usage: postern report replies [-c FILE] [--since WHEN] [--until WHEN] [--app APP] [--database URL] [--json]\n"
	      "What the next hop answered where mail was not taken, each kind of answer once, with its meaning and what to do.\n"
	      "  -c, --config FILE  the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --since WHEN       from then on: 24h (the default), 7d, yesterday, or a date such as 2026-11-17\n"
	      "  --until WHEN       before then; the default is now\n"
	      "  --app APP          of this app's mail alone\n"
	      "  --database URL     the audit to read; the default is the policy's database\n"
	      "  --json             print JSON\n"
	      "exit status: 0 done, 1 something is wrong, or nobody follows the log; 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern report replies: %s\n", what);
	usage(stderr);
	return 2;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'}, {"until", required_argument, NULL, 'u'},
		{"app", required_argument, NULL, 'a'}, {"database", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
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
		else if (c == 'a')
			o->app = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'j')
			o->json = true;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	return optind + 1 == argc ? -1 : bad_usage("one report at a time");
}

static void
print_group(const struct replies_group *g)
{
	char first[WHEN_SIZE], last[WHEN_SIZE], wait[M365_WAIT_SIZE];

	terminal_print("\n%llu recipients, %llu of them for good: %s\n", (unsigned long long)g->recipients, (unsigned long long)g->bounced,
		       g->is_foreign ? "said by servers of others, not explained" : g->meaning.keyword[0] == '\0' ? "no error" : g->meaning.keyword);
	if (!g->is_foreign && g->meaning.keyword[0] != '\0') {
		terminal_wrapped("meaning", g->meaning.cause);
		terminal_wrapped("who acts", m365_who_name(g->meaning.who));
		terminal_wrapped("what to do", g->meaning.action);
		terminal_wrapped("wait", m365_wait_text(&g->meaning, wait));
	}
	terminal_print("    from        %s to %s\n    most of it  %s, %llu\n", when_format(g->first, first), when_format(g->last, last),
		       g->app[0] == '\0' ? "(no app, or not in the audit)" : g->app, (unsigned long long)g->of_app);
	terminal_print("    last        %s, %s\n    said        %s\n", g->recipient, g->message_id[0] == '\0' ? "not in the audit" : g->message_id, g->reply);
}

static void
print(const struct replies *r)
{
	printf("%llu recipients got their mail, %llu did not, or not yet\n", (unsigned long long)r->sent, (unsigned long long)r->failed);
	for (size_t i = 0; i < r->n_groups; i++)
		print_group(&r->groups[i]);
}

static void
set_group(struct jsonv *o, const struct replies_group *g)
{
	char at[WHEN_SIZE];

	jsonv_set_text(o, "keyword", g->meaning.keyword);
	jsonv_set_boolean(o, "foreign", g->is_foreign);
	jsonv_set_integer(o, "recipients", (int64_t)g->recipients);
	jsonv_set_integer(o, "bounced", (int64_t)g->bounced);
	if (!g->is_foreign && g->meaning.keyword[0] != '\0') {
		jsonv_set_text(o, "class", m365_class_name(g->meaning.class));
		jsonv_set_text(o, "cause", g->meaning.cause);
		jsonv_set_text(o, "who", m365_who_name(g->meaning.who));
		jsonv_set_text(o, "action", g->meaning.action);
		jsonv_set_integer(o, "wait_seconds", g->meaning.wait);
	}
	jsonv_set_text(o, "first", when_format(g->first, at));
	jsonv_set_text(o, "last", when_format(g->last, at));
	jsonv_set_text(o, "app", g->app);
	jsonv_set_integer(o, "of_app", (int64_t)g->of_app);
	jsonv_set_text(o, "recipient", g->recipient);
	jsonv_set_text(o, "message_id", g->message_id);
	jsonv_set_text(o, "next_hop", g->next_hop);
	jsonv_set_text(o, "reply", g->reply);
}

static int
print_json(const struct replies *r)
{
	struct jsonv *root = jsonv_new_object(), *list = jsonv_set_array(root, "replies");
	struct text t = {0};
	int rc;

	jsonv_set_integer(root, "sent", (int64_t)r->sent);
	jsonv_set_integer(root, "failed", (int64_t)r->failed);
	for (size_t i = 0; i < r->n_groups; i++)
		set_group(jsonv_add_object(list), &r->groups[i]);
	rc = jsonv_write(root, true, &t);
	if (rc == 0)
		fputs(text_string(&t), stdout);
	text_free(&t);
	jsonv_free(&root);
	return rc;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern report replies: %s\n", what);
	return 1;
}

int
report_replies(int argc, char **argv)
{
	struct options o = {.policy = COMMAND_POLICY_FILE, .since = "24h", .app = ""};
	int64_t now = clock_system()->wall_ms(NULL), since, until = now + 1;
	const char *error = "memory is short";
	struct store_reader *reader;
	struct replies *r;
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	if (when_parse(o.since, now, &since) != 0 || (o.until != NULL && when_parse(o.until, now, &until) != 0) || since < 0 || since >= until)
		return bad_usage("--since and --until take times such as 24h, 7d, yesterday or 2026-11-17, the first before the second");
	if ((reader = database_reader("report", o.policy, o.database)) == NULL)
		return 1;
	r = replies_read(reader, since, until, o.app, INT_MAX, &error);
	if (r == NULL)
		rc = fail(error);
	else if (!r->is_followed)
		rc = fail("what became of mail is not known: postern follow has not run here");
	else if (o.json)
		rc = print_json(r) == 0 ? 0 : fail("memory is short");
	else
		print(r), rc = 0;
	replies_free(&r);
	store_reader_close(&reader);
	return rc;
}
