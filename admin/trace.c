/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern trace: the story of a message, by audit id or queue id; or the messages from
 * and to an address.
 */
#include "config.h"

#include "admin/trace.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/id.h"
#include "policy/file/file.h"

/* A queue id may come again; and so many lines a list has at most. */
#define STORIES_MAX 5
#define LINES_MAX 100

struct options {
	const char *file, *since;
	bool json;
};

struct tracer {
	struct store_reader *reader;
	struct store_find what;
	bool is_list, json;
	struct jsonv *array;
	struct hit {
		char id[ID_LENGTH + 1];
		bool is_refusal;
	} found[LINES_MAX + 1];
	size_t n_found, shown;
	const char *error;
	bool is_followed;
};

static void
usage(FILE *to)
{
	fputs("usage: postern trace [-c FILE] [--since TIME] [--json] QUEUE-ID|ADDRESS|AUDIT-ID\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --since TIME   nothing older: 24h, 7d, 2026-11-17 (default: all that the audit keeps)\n"
	      "      --json         print JSON\n"
	      "An id tells the story of its message; an address lists the messages from and to it, the newest first.\n"
	      "exit status: 0 found, 1 not found or something is wrong, 2 wrong command line\n", to);
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'j')
			o->json = true;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind + 1 == argc && argv[optind][0] != '\0')
		return -1;
	fputs("postern trace: expected one queue id, address or audit id\npostern trace --help says how it is used\n", stderr);
	return 2;
}

/* ---- one message */

static int
tell(struct tracer *x, const struct trace_message *m)
{
	x->shown++;
	if (x->is_list && !x->json)
		trace_line(m);
	else if (x->is_list)
		trace_line_json(m, x->array);
	else if (x->json)
		return trace_json(m, x->array);
	else {
		if (x->shown > 1)
			fputs("\n------\n\n", stdout);
		trace_print(m);
	}
	return 0;
}

static int
tell_found(void *context, const struct trace_message *m)
{
	return tell(context, m);
}

static int
tell_one(struct tracer *x, const struct hit *f)
{
	return trace_read(x->reader, f->id, f->is_refusal, x->is_followed, tell_found, x, &x->error);
}

/* ---- finding */

static int
keep_found(void *context, const struct store_found *found)
{
	struct tracer *x = context;
	struct hit *f = &x->found[x->n_found];

	if (x->n_found == sizeof x->found / sizeof x->found[0])
		return 0;
	snprintf(f->id, sizeof f->id, "%s", found->id);
	f->is_refusal = found->is_refusal;
	x->n_found++;
	return 0;
}

/* Whether what became of mail is known at all; the story is told without it. */
static int
look_for_deliveries(struct tracer *x)
{
	const char *error = NULL;

	x->is_followed = trace_is_followed(x->reader, &error);
	if (error != NULL)
		fprintf(stderr, "postern trace: what became of mail cannot be read: %s\n", error);
	return 0;
}

static int
find(struct tracer *x)
{
	if (x->what.address == NULL && x->what.queue_id == NULL)
		return 0; /* an audit id, in found[0] */
	return store_reader_find(x->reader, &x->what, keep_found, x, &x->error);
}

static void
set_what(struct tracer *x, struct arena *a, const char *word, int64_t since)
{
	const char *id = NULL;

	x->what = trace_what(a, word, &id);
	x->what.since = since;
	x->is_list = x->what.address != NULL;
	x->what.max = x->is_list ? LINES_MAX + 1 : STORIES_MAX;
	if (id != NULL)
		snprintf(x->found[0].id, sizeof x->found[0].id, "%s", id);
	x->n_found = id != NULL;
}

static int
print_all(struct tracer *x)
{
	size_t most = x->is_list ? LINES_MAX : STORIES_MAX;
	int rc = 0;

	if (x->is_list && !x->json && x->n_found > 0)
		trace_head();
	for (size_t i = 0; rc == 0 && i < x->n_found && i < most; i++) {
		rc = tell_one(x, &x->found[i]);
		/* An audit id may be that of a refusal. */
		if (rc == 0 && x->shown == 0 && x->what.address == NULL && x->what.queue_id == NULL) {
			x->found[i].is_refusal = true;
			rc = tell_one(x, &x->found[i]);
		}
	}
	if (rc == 0 && !x->json && x->n_found > most)
		printf("only the newest %d are shown; --since tells from when on\n", (int)most);
	return rc;
}

static int
print_json(const struct tracer *x, struct jsonv *root)
{
	struct text t = {0};
	int rc;

	jsonv_set_boolean(root, "more", x->is_list && x->n_found > LINES_MAX);
	rc = jsonv_write(root, true, &t);
	if (rc == 0)
		fputs(text_string(&t), stdout);
	text_free(&t);
	return rc;
}

static int
run(struct tracer *x, const char *word)
{
	struct jsonv *root = jsonv_new_object();
	int rc;

	x->array = jsonv_set_array(root, "messages");
	rc = look_for_deliveries(x) != 0 || find(x) != 0 || print_all(x) != 0 ? -1 : 0;
	if (rc == 0 && x->json && print_json(x, root) != 0) {
		x->error = "memory is short";
		rc = -1;
	}
	jsonv_free(&root);
	if (rc != 0)
		fprintf(stderr, "postern trace: %s\n", x->error);
	else if (x->shown == 0)
		fprintf(stderr, "postern trace: the audit knows nothing of %s; it may be older than what is kept\n", word);
	return rc == 0 && x->shown > 0 ? 0 : 1;
}

int
command_trace(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE};
	static struct tracer x;
	struct arena *a = arena_new(0);
	int64_t since = 0;
	int rc = read_options(argc, argv, &o);

	if (rc < 0 && o.since != NULL && when_parse(o.since, clock_system()->wall_ms(clock_system()->context), &since) != 0) {
		fprintf(stderr, "postern trace: --since %s: expected 24h, 7d or a date such as 2026-11-17\n", o.since);
		rc = 2;
	}
	if (rc < 0 && a != NULL) {
		x = (struct tracer){.json = o.json, .error = "memory is short"};
		set_what(&x, a, argv[optind], since);
		x.reader = database_reader("trace", o.file, NULL);
		rc = x.reader == NULL ? 1 : run(&x, argv[optind]);
		store_reader_close(&x.reader);
	}
	arena_free(&a);
	return rc < 0 ? 1 : rc;
}
