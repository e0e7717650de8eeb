/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern release: held mail. As the child of postern-unhold it has the MTA let go
 * what the daemon granted; for people it lists what waits, and lets messages go at
 * once.
 */
#include "config.h"

#include "admin/release.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/person.h"
#include "base/json.h"
#include "gate/relay.h"
#include "policy/file/file.h"
#include "sql/operator.h"

struct options {
	const char *file;
	bool follow, list, now, json;
	char **ids;
	int n_ids;
};

static int
usage(FILE *to, int status)
{
	fputs("usage: postern release [-c FILE] --list [--json]\n"
	      "       postern release [-c FILE] --now [--json] AUDIT-ID...\n"
	      "       postern-unhold -u USER -- " BINDIR "/postern release [-c FILE] [--follow]\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --list         who waits for which limit, how many and how long\n"
	      "      --now          let these messages go at once, whatever their limits say\n"
	      "      --follow       let go what is granted from now on; without it, what is granted now\n"
	      "      --json         print JSON\n"
	      "exit status: 0 done, 1 not all of it, 2 wrong command line\n", to);
	return status;
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern release: %s\npostern release --help lists the options\n", what);
	return 2;
}

/* Whether what is asked for can be had; -1, or the exit status. */
static int
check_options(const struct options *o)
{
	if (o->list + o->now + o->follow > 1)
		return bad_usage("--list, --now and --follow exclude each other");
	if (o->now && o->n_ids == 0)
		return bad_usage("--now needs the audit ids of the messages; --list shows them");
	if (!o->now && o->n_ids > 0)
		return bad_usage("audit ids go with --now");
	for (int i = 0; i < o->n_ids; i++)
		if (!id_is_valid(o->ids[i])) {
			fprintf(stderr, "postern release: %s is no audit id (26 letters and digits); "
				"--list shows those of held mail\n", o->ids[i]);
			return 2;
		}
	if (!o->list && !o->now && o->json)
		return bad_usage("--json goes with --list and --now");
	if (!o->list && !o->now && (isatty(0) || isatty(1)))
		return bad_usage("this is for postern-unhold to start, which asks the MTA; people use --list and --now");
	return -1;
}

static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"follow", no_argument, NULL, 'f'},
		{"list", no_argument, NULL, 'l'}, {"now", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 'f')
			o->follow = true;
		else if (c == 'l')
			o->list = true;
		else if (c == 'n')
			o->now = true;
		else if (c == 'j')
			o->json = true;
		else
			return c == 'h' ? usage(stdout, 0) : usage(stderr, 2);
	}
	o->ids = argv + optind;
	o->n_ids = argc - optind;
	return check_options(o);
}

static void
show_answer(const char *id, enum operator_answer a, const char *text, struct jsonv *list)
{
	static const char *const names[] = {
		[OPERATOR_FAILED] = "failed", [OPERATOR_DONE] = "done", [OPERATOR_REFUSED] = "refused",
		[OPERATOR_LATER] = "later",
	};
	struct jsonv *o;

	if (list == NULL) {
		fprintf(a == OPERATOR_DONE ? stdout : stderr, "%s: %s\n", id, text);
		return;
	}
	o = jsonv_add_object(list);
	jsonv_set_text(o, "id", id);
	jsonv_set_text(o, "answer", names[a]);
	jsonv_set_text(o, "text", text);
}

/* One message after the other; 0 when all of them go. */
static int
release_now(const struct options *o, const char *url, const char *who)
{
	struct jsonv *list = o->json ? jsonv_new_array() : NULL;
	struct text t = {0};
	int r = 0;

	for (int i = 0; i < o->n_ids; i++) {
		struct operator_request request = {.who = who, .what = "release", .message_id = o->ids[i]};
		char text[400];
		enum operator_answer a = operator_request(url, clock_system(), &request, text, sizeof text);

		show_answer(o->ids[i], a, text, list);
		r = a == OPERATOR_DONE ? r : 1;
	}
	if (list != NULL && jsonv_write(list, true, &t) == 0)
		fputs(text_string(&t), stdout);
	jsonv_free(&list);
	text_free(&t);
	return r;
}

static int
run(const struct options *o, const struct policy *p)
{
	bool is_alone = strncmp(p->database, "sqlite:", 7) == 0;
	char who[PERSON_SIZE], relay[256], error[512];
	struct store_reader *r;
	int status;

	person_name(who);
	relay_name(p, relay, sizeof relay);
	if (database_become_owner(p, error, sizeof error) != 0) {
		fprintf(stderr, "postern release: %s\n", error);
		return 1;
	}
	if (o->now)
		return release_now(o, p->database, who);
	if (!o->list)
		return release_follow(p->database, is_alone ? NULL : relay, o->follow);
	r = store_reader_open(p->database, error, sizeof error);
	if (r == NULL) {
		fprintf(stderr, "postern release: %s\n", error);
		return 1;
	}
	status = release_list(r, o->json);
	store_reader_close(&r);
	return status;
}

int
command_release(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE};
	struct problems *problems = NULL;
	int r = read_options(argc, argv, &o);
	struct policy *p;

	if (r >= 0)
		return r;
	p = policy_load(o.file, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	r = run(&o, p);
	policy_unref(&p);
	return r;
}
