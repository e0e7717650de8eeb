/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern limits: how full the limits are, when they are free, who spends them; and
 * what an operator can do to one.
 */
#include "config.h"

#include "admin/limits.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/terminal.h"
#include "policy/file/file.h"

#define WATCH_SECONDS 2
/* Of a limit per key the table has so many counters. */
#define KEYS 5

struct options {
	const char *file, *app;
	bool json, watch, near;
};

static void
usage(FILE *to)
{
	fputs("usage: postern limits [-c FILE] [--app APP] [--near] [--json] [--watch]\n"
	      "       postern limits [-c FILE] reset APP LIMIT [KEY]\n"
	      "       postern limits [-c FILE] boost APP LIMIT [KEY] +N until TIME\n"
	      "       postern limits [-c FILE] unboost APP LIMIT [KEY]\n"
	      "       postern limits [-c FILE] [--json] boosts\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --app APP      only the limits that this app's mail is held against\n"
	      "      --near         only those that are near or reached: from the policy's notify: at on\n"
	      "      --json         print JSON\n"
	      "      --watch        again and again\n"
	      "APP is an app, a tenant or a method; KEY is needed where a limit counts per key, such as a sender.\n"
	      "TIME is 15:40, 2026-11-17T15:40 or +2h.\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern limits: %s\npostern limits --help says how it is used\n", what);
	return 2;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"app", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'}, {"near", no_argument, NULL, 'n'}, {"watch", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 'a')
			o->app = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'n')
			o->near = true;
		else if (c == 'w')
			o->watch = true;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind < argc && !limits_is_act(argv[optind])) {
		fprintf(stderr, "postern limits: expected reset, boost, unboost or boosts, not \"%s\"\n", argv[optind]);
		return 2;
	}
	if (optind < argc && (o->watch || o->near || o->app[0] != '\0'))
		return bad_usage("--watch, --near and --app go with the table");
	return -1;
}

static int
show(const struct options *o, const struct limits_query *q)
{
	const char *error = "";
	struct limits *l = limits_read(q, &error);
	struct text t = {0};
	int rc = 1;

	if (l == NULL) {
		fprintf(stderr, "postern limits: %s\n", error);
		return 1;
	}
	if (o->json)
		rc = limits_print_json(l, !o->watch, &t) == 0 ? 0 : 1;
	else
		limits_print(l, terminal_width(), terminal_is_colored(), &t), rc = 0;
	if (o->watch && !o->json && isatty(1))
		fputs("\033[H\033[J", stdout);
	if (rc == 0 && l->n_rows == 0 && !o->json)
		fputs(o->near ? "no limit is near\n" : "no limits\n", stdout);
	fputs(text_string(&t), stdout);
	if (fflush(stdout) != 0 || t.failed)
		rc = 1;
	text_free(&t);
	limits_free(&l);
	return rc;
}

static int
watch(const struct options *o, const struct limits_query *q)
{
	const struct timespec pause = {.tv_sec = WATCH_SECONDS};
	int rc;

	while ((rc = show(o, q)) == 0) {
		nanosleep(&pause, NULL);
		if (!o->json && !isatty(1))
			putchar('\n');
	}
	return rc;
}

static bool
has_app(const struct policy *p, const char *name)
{
	const char **names, *near;
	bool has = false;

	names = calloc(p->n_apps + 1, sizeof *names);
	for (size_t i = 0; names != NULL && i < p->n_apps; i++) {
		names[i] = p->apps[i].name;
		has = has || strcmp(names[i], name) == 0;
	}
	if (!has) {
		near = names == NULL ? NULL : text_nearest(name, names, p->n_apps);
		fprintf(stderr, "postern limits: no app \"%s\"%s%s%s\n", name, near == NULL ? "" : "; did you mean \"",
			near == NULL ? "" : near, near == NULL ? "" : "\"?");
	}
	free(names);
	return has;
}

static int
show_all(const struct options *o, struct policy *p)
{
	struct limits_query q = {.policy = p, .app = o->app, .limit = "", .keys = o->json ? 0 : KEYS, .near_only = o->near,
				 .with_spenders = o->app[0] != '\0'};
	char error[512];
	int rc;

	if (o->app[0] != '\0' && !has_app(p, o->app))
		return 2;
	q.reader = database_open(p, error, sizeof error);
	if (q.reader == NULL) {
		fprintf(stderr, "postern limits: %s\n", error);
		return 1;
	}
	rc = o->watch ? watch(o, &q) : show(o, &q);
	store_reader_close(&q.reader);
	return rc;
}

int
command_limits(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE, .app = ""};
	struct problems *problems = NULL;
	int rc = read_options(argc, argv, &o);
	struct policy *p;

	if (rc >= 0)
		return rc;
	p = policy_load(o.file, &problems);
	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	rc = optind < argc ? limits_act(p, argc - optind, argv + optind, o.json) : show_all(&o, p);
	policy_unref(&p);
	return rc;
}
