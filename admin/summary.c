/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern summary: what a day or a week of mail was, for the owners of apps and for the admin;
 * printed, or sent to those whose time has come.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/notify.h"
#include "admin/output.h"
#include "admin/summary.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json.h"
#include "policy/address.h"
#include "policy/file/file.h"

#define FIRST_PAUSE_S 1

enum form { FORM_TEXT, FORM_HTML, FORM_JSON };

struct options {
	const char *file, *who, *until, *state;
	enum form form;
	int n_forms;
	bool send;
	enum summary_every period; /* SUMMARY_OFF: what the policy says */
	int tries, seconds;
};

/* An address that gets one. */
struct recipient {
	const char *to;
	bool is_admin;
	enum summary_every every;
};

struct run {
	const struct options *o;
	const struct policy *policy;
	struct store_reader *reader;
	struct arena *arena;      /* of the recipients */
	struct recipient *recipients;
	size_t n_recipients;
	struct summary_facts *facts[3]; /* by enum summary_every */
	struct summary_state state;
	struct text out;
	struct jsonv *json;
	int64_t now;
};

static void
usage(FILE *to)
{
	fputs("usage: postern summary [-c FILE] [--period day|week] [--for admin|all|OWNER] [--until WHEN]\n"
	      "                       [--text | --html | --json]\n"
	      "       postern summary [-c FILE] --send [--period day|week] [--for admin|all|OWNER] [--state FILE] [--tries N]\n"
	      "                       [--timeout SECONDS]\n"
	      "What the last week or day of mail was: what changed, volume, refusals, limits, what Microsoft answered.\n"
	      "  -c, --config FILE     the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --period PERIOD   day or week; the default is what the policy file says, otherwise week\n"
	      "      --for WHOM        admin: of all mail (the default); an owner's address: of the apps that are its; all\n"
	      "      --until WHEN      the last one that ended by then, such as 2026-11-23 or 7d; the default is now\n"
	      "      --text            print it as text (the default); --html as a page; --json as JSON\n"
	      "      --send            mail each one that is due and was not sent; for a timer\n"
	      "      --state FILE      what was sent already (default: the database file's name with -summary, or\n"
	      "                        " LOCALSTATEDIR "/lib/postern/summary)\n"
	      "      --tries N         how often a mail is tried (default 3); the next run tries again\n"
	      "      --timeout SECONDS how long each may take (default 30)\n"
	      "exit status: 0 done, 1 something is wrong or was not sent, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern summary: %s\npostern summary --help lists the options\n", what);
	return 2;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern summary: %s\n", what);
	return 1;
}

static int
read_number(const char *s, int most)
{
	uint64_t v;

	return text_to_u64(s, &v) != 0 || v == 0 || v > (uint64_t)most ? 0 : (int)v;
}

static int
check_options(const struct options *o)
{
	if (o->n_forms > 1)
		return bad_usage("--text, --html and --json exclude each other");
	if (o->send && (o->n_forms > 0 || o->until != NULL))
		return bad_usage("--send mails what is due, as text and HTML; --until, --text, --html and --json go without it");
	if (!o->send && o->state != NULL)
		return bad_usage("--state goes with --send");
	if (o->form == FORM_HTML && strcmp(o->who, "all") == 0)
		return bad_usage("a page is one summary; say --for whom");
	return -1;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"period", required_argument, NULL, 'p'}, {"for", required_argument, NULL, 'w'},
		{"until", required_argument, NULL, 'u'}, {"text", no_argument, NULL, 'x'}, {"html", no_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'}, {"send", no_argument, NULL, 'S'}, {"state", required_argument, NULL, 's'},
		{"tries", required_argument, NULL, 't'}, {"timeout", required_argument, NULL, 'T'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'h' || c == '?')
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
		if (c == 'c')
			o->file = optarg;
		else if (c == 'w')
			o->who = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 's')
			o->state = optarg;
		else if (c == 'S')
			o->send = true;
		else if (c == 'x' || c == 'm' || c == 'j')
			o->form = c == 'x' ? FORM_TEXT : c == 'm' ? FORM_HTML : FORM_JSON, o->n_forms++;
		else if (c == 'p' && strcmp(optarg, "day") != 0 && strcmp(optarg, "week") != 0)
			return bad_usage("--period takes day or week");
		else if (c == 'p')
			o->period = strcmp(optarg, "day") == 0 ? SUMMARY_DAILY : SUMMARY_WEEKLY;
		else if (c == 't' && (o->tries = read_number(optarg, 100)) == 0)
			return bad_usage("--tries takes a number from 1 to 100");
		else if (c == 'T' && (o->seconds = read_number(optarg, 3600)) == 0)
			return bad_usage("--timeout takes seconds, from 1 to 3600");
	}
	if (optind != argc)
		return bad_usage("there is one argument too many");
	if (o->who == NULL)
		o->who = o->send ? "all" : "admin";
	return check_options(o);
}

/* ---- who */

static void
add_recipient(struct run *x, const char *to, bool is_admin, enum summary_every every)
{
	for (size_t i = 0; i < x->n_recipients; i++)
		if (text_same(x->recipients[i].to, to) && x->recipients[i].every == every)
			return; /* the admin, who hears of all, comes first */
	x->recipients[x->n_recipients++] = (struct recipient){to, is_admin, every};
}

/* An owner's address as it is parsed; NULL where it is none: postern check warns of it. */
static const char *
owner_address(struct run *x, const struct app *app)
{
	struct address_error error;
	struct address a;

	if (app->owner[0] == '\0' || address_parse_path(x->arena, app->owner, false, &a, &error) != 0 || a.is_null || a.is_postmaster)
		return NULL;
	return a.text;
}

/* How often, by the policy, unless the command line says; where neither does and it is only printed, weekly. */
static enum summary_every
how_often(const struct run *x, enum summary_every wish)
{
	if (x->o->send)
		return x->o->period == SUMMARY_OFF || x->o->period == wish ? wish : SUMMARY_OFF;
	return x->o->period != SUMMARY_OFF ? x->o->period : wish == SUMMARY_OFF ? SUMMARY_WEEKLY : wish;
}

static void
add_owners(struct run *x, const char *only)
{
	for (size_t i = 0; i < x->policy->n_apps; i++) {
		const struct app *a = &x->policy->apps[i];
		const char *to = owner_address(x, a);
		/* To print all is to print what would be sent. */
		enum summary_every every = only == NULL && a->summary == SUMMARY_OFF ? SUMMARY_OFF : how_often(x, a->summary);

		if (to != NULL && every != SUMMARY_OFF && (only == NULL || text_same(to, only)))
			add_recipient(x, to, false, every);
	}
}

static int
unknown_owner(struct run *x)
{
	const char **list = arena_array(x->arena, x->policy->n_apps + 1, sizeof *list), *near = NULL;
	size_t n = 0;

	for (size_t i = 0; list != NULL && i < x->policy->n_apps; i++) {
		const char *to = owner_address(x, &x->policy->apps[i]);

		if (to == NULL)
			continue;
		if (text_same(to, x->o->who))
			return 0; /* one whose summaries are off */
		list[n++] = to;
	}
	near = n == 0 ? NULL : text_nearest(x->o->who, list, n);
	fprintf(stderr, "postern summary: no app has the owner \"%s\"; expected admin, all or an owner's address%s%s%s\n", x->o->who,
		near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near, near == NULL ? "" : "\"?");
	return 2;
}

/* 0, or the exit status. */
static int
find_recipients(struct run *x)
{
	bool is_all = strcmp(x->o->who, "all") == 0, is_admin = strcmp(x->o->who, "admin") == 0;
	const char *admin = x->policy->notify.admin;
	enum summary_every every = is_all && x->policy->summary.admin == SUMMARY_OFF ? SUMMARY_OFF : how_often(x, x->policy->summary.admin);

	x->recipients = arena_array(x->arena, x->policy->n_apps + 1, sizeof *x->recipients);
	if (x->recipients == NULL)
		return fail("memory is short");
	if ((is_all || is_admin) && every != SUMMARY_OFF)
		add_recipient(x, admin[0] == '\0' ? "admin" : admin, true, every);
	if (is_all)
		add_owners(x, NULL);
	else if (!is_admin)
		add_owners(x, x->o->who);
	return x->n_recipients == 0 && !is_all && !is_admin ? unknown_owner(x) : 0;
}

/* ---- one of them */

/* The facts of its range, read once for all. NULL with a text. */
static const struct summary_facts *
facts_of(struct run *x, enum summary_every every, const char **error_r)
{
	struct drift_ranges ranges;

	if (x->facts[every] == NULL) {
		summary_ranges(every == SUMMARY_DAILY, &x->policy->summary, x->o->send ? x->policy->summary.minute : 0, x->now, &ranges);
		x->facts[every] = summary_read(x->reader, x->policy, &ranges, clock_system()->wall_ms(NULL), error_r);
	}
	return x->facts[every];
}

static struct summary
summary_of(struct run *x, const struct recipient *r, const struct summary_facts *f, struct arena *a)
{
	struct summary s = {.facts = f, .policy = x->policy, .to = r->to, .is_admin = r->is_admin};

	summary_choose(&s, a);
	return s;
}

static int
print_one(struct run *x, const struct recipient *r, struct arena *a)
{
	const char *error = "";
	const struct summary_facts *f = facts_of(x, r->every, &error);
	struct summary s;

	if (f == NULL)
		return fail(error);
	s = summary_of(x, r, f, a);
	if (x->o->form == FORM_JSON) {
		summary_json(&s, a, x->json);
	} else if (x->o->form == FORM_HTML) {
		summary_html(&s, a, &x->out);
	} else {
		if (strcmp(x->o->who, "all") == 0)
			text_printf(&x->out, "%sTo: %s%s\n\n", x->out.len > 0 ? "\n\n" : "", r->to,
				    summary_is_empty(&s) && !x->policy->summary.empty ? " (not sent: nothing to tell)" : "");
		summary_text(&s, a, &x->out);
	}
	return arena_failed(a) ? fail("memory is short") : 0;
}

static int
try_often(struct run *x, const char *to, const struct text *mail)
{
	const struct notify *how = &x->policy->notify;
	const char *const argv[] = {how->sendmail, "-i", "-f", how->from, "--", to, NULL};
	struct text said = {0};
	int rc = -1;

	for (int i = 1; rc != 0 && i <= x->o->tries; i++) {
		struct timespec pause = {.tv_sec = FIRST_PAUSE_S << (i < 8 ? i - 1 : 7)};

		text_clear(&said);
		rc = notify_run(argv, text_string(mail), mail->len, x->o->seconds, &said);
		if (rc != 0)
			fprintf(stderr, "postern summary: mail to %s: try %d of %d: %s\n", to, i, x->o->tries, text_string(&said));
		if (rc != 0 && i < x->o->tries)
			nanosleep(&pause, NULL);
	}
	text_free(&said);
	return rc;
}

/* Sends it, unless there is nothing to tell. */
static int
deliver(struct run *x, const struct summary *s, struct arena *a)
{
	struct text mail = {0};
	int rc;

	if (summary_is_empty(s) && !x->policy->summary.empty)
		return 0;
	summary_mail(s, x->now, a, &mail);
	rc = mail.failed || arena_failed(a) ? fail("memory is short") : try_often(x, s->to, &mail);
	if (rc == 0)
		fprintf(stderr, "postern summary: %s to %s: sent\n", summary_range(s, a), s->to);
	text_free(&mail);
	return rc;
}

/* Once for each range. Between the mail and its note a crash has it sent once more, under the same Message-ID. */
static int
send_one(struct run *x, const struct recipient *r, struct arena *a)
{
	bool is_daily = r->every == SUMMARY_DAILY;
	char error[512];
	const char *why = error;
	int64_t last = summary_state_find(&x->state, is_daily, r->to, error, sizeof error);
	struct drift_ranges ranges;
	const struct summary_facts *f;
	struct summary s;

	if (last < 0)
		return fail(error);
	summary_ranges(is_daily, &x->policy->summary, x->policy->summary.minute, x->now, &ranges);
	if (last >= ranges.bound[0])
		return 0;
	if ((f = facts_of(x, r->every, &why)) == NULL)
		return fail(why);
	s = summary_of(x, r, f, a);
	s.not_since = last > 0 && last < f->since ? last : 0;
	if (deliver(x, &s, a) != 0)
		return 1;
	CRASH_POINT("summary-sent");
	return summary_state_note(&x->state, is_daily, r->to, f->until, error, sizeof error) == 0 ? 0 : fail(error);
}

static int
each_recipient(struct run *x, int (*each)(struct run *x, const struct recipient *r, struct arena *a))
{
	int rc = 0;

	for (size_t i = 0; i < x->n_recipients; i++) {
		struct arena *a = arena_new(0);

		if (a == NULL || each(x, &x->recipients[i], a) != 0)
			rc = 1;
		arena_free(&a);
	}
	return rc;
}

/* ---- the command */

static int
print(struct run *x)
{
	struct output output;
	int rc;

	x->json = x->o->form == FORM_JSON ? jsonv_new_array() : NULL;
	rc = each_recipient(x, print_one);
	if (rc == 0 && x->o->form == FORM_JSON) /* what is for one address is one object */
		rc = jsonv_write(strcmp(x->o->who, "all") == 0 ? x->json : jsonv_at(x->json, 0), true, &x->out);
	if (rc == 0 && x->out.len == 0)
		text_add(&x->out, "The policy file asks for no summary; postern.yaml(5), summary, says how.\n");
	if (x->out.failed)
		rc = fail("memory is short");
	if (rc == 0)
		rc = output_open(&output, "summary", NULL) == 0 && output_write(&output, text_string(&x->out), x->out.len) == 0 ? 0 : 1;
	jsonv_free(&x->json);
	text_free(&x->out);
	return rc;
}

static char *
state_path(const struct options *o, const struct policy *p)
{
	bool is_file = strncmp(p->database, "sqlite:", 7) == 0;
	const char *name = o->state != NULL ? o->state : is_file ? p->database + 7 : LOCALSTATEDIR "/lib/postern/summary";
	size_t size = strlen(name) + sizeof "-summary";
	char *path = malloc(size);

	if (path != NULL)
		snprintf(path, size, "%s%s", name, o->state == NULL && is_file ? "-summary" : "");
	return path;
}

static int
send_due(struct run *x)
{
	char *path = state_path(x->o, x->policy), error[512] = "memory is short";
	int rc = 1;

	if (path == NULL || summary_state_open(&x->state, path, error, sizeof error) != 0)
		(void)fail(error);
	else
		rc = each_recipient(x, send_one);
	summary_state_close(&x->state);
	free(path);
	return rc;
}

static int
run(struct run *x)
{
	char error[512];
	int rc = find_recipients(x);

	if (rc != 0)
		return rc;
	if (x->o->send && x->n_recipients == 0)
		return 0; /* nobody wants one */
	x->reader = database_open(x->policy, error, sizeof error);
	if (x->reader == NULL)
		return fail(error);
	rc = x->o->send ? send_due(x) : print(x);
	for (size_t i = 0; i < 3; i++)
		summary_free(&x->facts[i]);
	store_reader_close(&x->reader);
	return rc;
}

int
command_summary(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE, .tries = 3, .seconds = 30};
	struct run x = {.o = &o, .state.fd = -1, .now = clock_system()->wall_ms(NULL)};
	struct problems *problems = NULL;
	struct policy *policy;
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	if (o.until != NULL && when_parse(o.until, x.now, &x.now) != 0)
		return bad_usage("--until takes a time such as 7d or 2026-11-23");
	policy = policy_load(o.file, &problems);
	if (policy == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	x.policy = policy;
	x.arena = policy == NULL ? NULL : arena_new(0);
	if (policy != NULL)
		rc = x.arena == NULL ? fail("memory is short") : (signal(SIGPIPE, SIG_IGN), run(&x));
	arena_free(&x.arena);
	policy_unref(&policy);
	return rc < 0 ? 1 : rc;
}
