/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern report: how much mail, of whom, what was refused and why.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/output.h"
#include "admin/replies.h"
#include "admin/terminal.h"
#include "admin/traffic.h"
#include "admin/when.h"
#include "base/clock.h"

#define BY "app, department, tenant, method, sender, client, reason, relay"

struct options {
	const char *policy, *database, *since, *until, *by, *html;
	bool json;
	struct traffic_want want;
};

static void
usage(FILE *to)
{
	fputs("usage: postern report [-c FILE] [--since WHEN] [--until WHEN] [--by WHAT] [--only WHAT=NAME]\n"
	      "                      [--unsigned] [--database URL] [--json | --html FILE]\n"
	      "       postern report replies [OPTION...]\n"
	      "       postern report retries [OPTION...]\n"
	      "How much mail there was, of whom, what was refused and why, beside the time before.\n"
	      "  -c, --config FILE  the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --since WHEN       mail from then on: 24h (the default), 7d, yesterday, or a date such as 2026-11-17\n"
	      "  --until WHEN       mail before then; the default is now\n"
	      "  --by WHAT          " BY "; app is the default\n"
	      "  --only WHAT=NAME   of this alone, such as method=direct-send or app=crm\n"
	      "  --unsigned         of mail that left without a signature alone\n"
	      "  --database URL     the audit to read; the default is the policy's database\n"
	      "  --html FILE        write a page with charts; the file must not exist; - is standard output\n"
	      "  --json             print JSON\n"
	      "The other reports have their own --help: replies, what the next hop answered; retries, who does not come back\n"
	      "after a 451.\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern report: %s\n", what);
	usage(stderr);
	return 2;
}

/* "method=direct-send" */
static int
read_only(const char *s, struct traffic_want *w)
{
	const char *equals = strchr(s, '=');
	char what[16] = "";

	if (equals == NULL || (size_t)(equals - s) >= sizeof what)
		return -1;
	memcpy(what, s, (size_t)(equals - s));
	w->only = traffic_by(what);
	w->name = equals + 1;
	return w->only == 0 ? -1 : 0;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'}, {"by", required_argument, NULL, 'b'},
		{"database", required_argument, NULL, 'd'}, {"html", required_argument, NULL, 'p'},
		{"only", required_argument, NULL, 'o'}, {"unsigned", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 'b')
			o->by = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'p')
			o->html = optarg;
		else if (c == 'n')
			o->want.unsigned_only = true;
		else if (c == 'o' && read_only(optarg, &o->want) != 0)
			return bad_usage("--only takes WHAT=NAME, WHAT one of " BY);
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return usage(stdout), 0;
		else if (c != 'o')
			return usage(stderr), 2;
	}
	if (optind < argc)
		return bad_usage("there is no such report; there are: replies, retries");
	if (traffic_by(o->by) == 0)
		return bad_usage("--by takes one of " BY);
	return o->json && o->html != NULL ? bad_usage("--json and --html are two reports") : -1;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern report: %s\n", what);
	return 1;
}

static int
print(const struct traffic *t, const struct options *o)
{
	struct output output;
	struct text text = {0};
	int rc = 0;

	if (o->html != NULL)
		rc = report_html(t, &text);
	else if (o->json)
		rc = report_json(t, &text);
	else
		report_text(t, terminal_width(), terminal_is_colored(), &text);
	if (rc != 0 || text.failed)
		rc = fail("memory is short");
	else if (output_open(&output, "report", o->html != NULL && strcmp(o->html, "-") != 0 ? o->html : NULL) != 0)
		rc = 1;
	else if (output_write(&output, text_string(&text), text.len) != 0)
		output_close(&output, false), rc = 1;
	else
		rc = output_close(&output, true) == 0 ? 0 : 1;
	text_free(&text);
	return rc;
}

/* Whether the command line is that of a report of its own, whose name is its first word or its last. */
static bool
is_report(int argc, char **argv, const char *name)
{
	if (argc < 2 || strcmp(argv[1], name) == 0)
		return argc >= 2;
	return strcmp(argv[argc - 1], name) == 0 && strcmp(argv[argc - 2], "--html") != 0;
}

int
command_report(int argc, char **argv)
{
	struct options o = {.policy = COMMAND_POLICY_FILE, .since = "24h", .by = "app"};
	int64_t now = clock_system()->wall_ms(NULL), since, until = now + 1;
	struct store_reader *r;
	struct traffic *t;
	const char *error;
	int rc;

	if (is_report(argc, argv, "retries"))
		return report_retries(argc, argv);
	if (is_report(argc, argv, "replies"))
		return report_replies(argc, argv);
	if ((rc = read_options(argc, argv, &o)) >= 0)
		return rc;
	if (when_parse(o.since, now, &since) != 0 || since < 0)
		return bad_usage("--since takes a time such as 24h, 7d, yesterday or 2026-11-17");
	if (o.until != NULL && when_parse(o.until, now, &until) != 0)
		return bad_usage("--until takes a time such as 24h, 7d, today or 2026-11-17");
	if (since >= until)
		return bad_usage("--since is not before --until");
	if ((r = database_reader("report", o.policy, o.database)) == NULL)
		return 1;
	o.want.by = o.by;
	t = traffic_read_part(r, &o.want, since, until, now, &error);
	rc = t == NULL ? fail(error) : print(t, &o);
	traffic_free(&t);
	store_reader_close(&r);
	return rc;
}
