/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern notify: tells what happened to limits, by the policy's command and by mail.
 * A process of its own: posternd executes nothing. Events are told in their order, each
 * part of one once; after a crash the part that was under way comes again.
 */
#include "config.h"

#include "admin/notify.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "base/clock.h"
#include "gate/relay.h"
#include "policy/address.h"
#include "policy/file/file.h"

/* What happened longer ago is news to nobody. */
#define STALE_MS INT64_C(86400000)
#define LOOK_EVERY_MS 1000
/* A database that cannot be read is said so often. */
#define SAY_EVERY_MS 60000
#define REOPEN_EVERY_MS 60000
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 300000

struct options {
	const char *file, *state;
	bool follow, once, dry_run;
	int tries, seconds;
};

struct notifier {
	const struct options *o;
	struct policy *policy;
	struct store_reader *reader;
	struct notify_state state;
	char relay[256];
	int64_t said_ms, opened_ms;
	int failed;               /* events of which a part was given up since one was told */
	bool all_told;            /* of this run */
	int64_t stale;            /* events passed over */
};

static volatile sig_atomic_t ended;

static void
end(int signal)
{
	(void)signal;
	ended = 1;
}

static void
usage(FILE *to)
{
	fputs("usage: postern notify [-c FILE] [--once | --follow] [--dry-run] [--state FILE] [--tries N] [--timeout SECONDS]\n"
	      "  -c, --config FILE     the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --once            tell what is new, and end; the default\n"
	      "      --follow          go on\n"
	      "      --dry-run         print what would be told, and tell nobody\n"
	      "      --state FILE      what was told already (default: the database file's name with -notify, or\n"
	      "                        " LOCALSTATEDIR "/lib/postern/notify)\n"
	      "      --tries N         how often a command or a mail is tried (default 8)\n"
	      "      --timeout SECONDS how long each may take (default 30)\n"
	      "exit status: 0 all was told, 1 not all, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern notify: %s\npostern notify --help lists the options\n", what);
	return 2;
}

static int
read_number(const char *s, int most)
{
	uint64_t v;

	return text_to_u64(s, &v) != 0 || v == 0 || v > (uint64_t)most ? 0 : (int)v;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"once", no_argument, NULL, 'o'},
		{"follow", no_argument, NULL, 'f'}, {"dry-run", no_argument, NULL, 'd'},
		{"state", required_argument, NULL, 's'}, {"tries", required_argument, NULL, 't'},
		{"timeout", required_argument, NULL, 'T'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg;
		else if (c == 's')
			o->state = optarg;
		else if (c == 'o')
			o->once = true;
		else if (c == 'f')
			o->follow = true;
		else if (c == 'd')
			o->dry_run = true;
		else if (c == 't' && (o->tries = read_number(optarg, 100)) == 0)
			return bad_usage("--tries takes a number from 1 to 100");
		else if (c == 'T' && (o->seconds = read_number(optarg, 3600)) == 0)
			return bad_usage("--timeout takes seconds, from 1 to 3600");
		else if (c == 'h' || c == '?')
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind != argc)
		return bad_usage("there is one argument too many");
	return o->once + o->follow + o->dry_run > 1 ? bad_usage("--once, --follow and --dry-run exclude each other") : -1;
}

static int64_t
wall_ms(void)
{
	return clock_system()->wall_ms(NULL);
}

static int64_t
boot_ms(void)
{
	return clock_system()->boot_ms(NULL);
}

/* Until the time is over, or the end is near. */
static void
pause_for(int64_t ms)
{
	const struct timespec tick = {.tv_nsec = 50000000};

	for (; ms > 0 && !ended; ms -= 50)
		nanosleep(&tick, NULL);
}

static void
say(const struct notify_event *n, struct arena *a, const char *what, const char *more)
{
	fprintf(stderr, "postern notify: event %lld (%s): %s%s\n", (long long)n->e->number, notify_line(n, a), what, more);
}

/* ---- one event */

struct job {
	struct notifier *x;
	struct notify_event n;
	struct arena *arena;
	struct limits *limits;    /* owns n.row */
};

static const struct app *
find_app(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_apps; i++)
		if (strcmp(p->apps[i].name, name) == 0)
			return &p->apps[i];
	return NULL;
}

/* How its limit is now; without it less is told. */
static void
read_row(struct job *j)
{
	const struct limits_query q = {
		.policy = j->x->policy, .reader = j->x->reader, .app = "", .limit = j->n.e->name, .key = j->n.e->key,
		.with_spenders = true,
	};
	const char *error = "";

	j->limits = limits_read(&q, &error);
	for (size_t i = 0; j->limits != NULL && i < j->limits->n_rows; i++)
		if (strcmp(j->limits->rows[i].limit->scope, j->n.e->scope) == 0 &&
		    strcmp(j->limits->rows[i].key, j->n.e->key) == 0)
			j->n.row = &j->limits->rows[i];
}

/* Tries until it is done or was tried often enough. After one that was given up each is
 * tried once, until one is done. */
static int
try_often(struct job *j, const char *what, const char *const argv[], const struct text *input)
{
	int tries = j->x->failed > 0 ? 1 : j->x->o->tries;
	int64_t pause = FIRST_PAUSE_MS;
	struct text said = {0};
	int rc = -1;

	for (int i = 1; rc != 0 && i <= tries && !ended; i++) {
		text_clear(&said);
		rc = notify_run(argv, text_string(input), input->len, j->x->o->seconds, &said);
		if (rc != 0)
			say(&j->n, j->arena, what, arena_printf(j->arena, ": try %d of %d: %s", i, tries, text_string(&said)));
		if (rc != 0 && i < tries)
			pause_for(pause);
		pause = pause * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause * 2;
	}
	if (rc == 0)
		say(&j->n, j->arena, what, ": done");
	else if (!ended)
		say(&j->n, j->arena, what, ": given up");
	text_free(&said);
	return rc;
}

static int
run_command(struct job *j)
{
	const char *command = j->x->policy->notify.command;
	const char *const argv[] = {command, NULL};
	struct text json = {0};
	int rc = -1;

	if (notify_json(&j->n, j->arena, &json) != 0)
		say(&j->n, j->arena, "memory is short", "");
	else if (j->x->o->dry_run)
		rc = printf("run %s with\n%s", command, text_string(&json)) < 0;
	else
		rc = try_often(j, arena_printf(j->arena, "command %s", command), argv, &json);
	text_free(&json);
	return rc;
}

static int
send_mail(struct job *j, const char *to)
{
	const struct notify *how = &j->x->policy->notify;
	const char *const argv[] = {how->sendmail, "-i", "-f", how->from, "--", to, NULL};
	struct text mail = {0};
	int rc = -1;

	notify_mail(&j->n, to, j->arena, &mail);
	if (mail.failed || arena_failed(j->arena))
		say(&j->n, j->arena, "memory is short", "");
	else if (j->x->o->dry_run)
		rc = printf("mail to %s\n%s\n", to, text_string(&mail)) < 0;
	else
		rc = try_often(j, arena_printf(j->arena, "mail to %s", to), argv, &mail);
	text_free(&mail);
	return rc;
}

/* The address as it is parsed; NULL, said, where it is none. */
static const char *
address_of(struct job *j, const char *s, const char *whose)
{
	struct address_error error;
	struct address a;

	if (s[0] == '\0')
		say(&j->n, j->arena, whose, " has no address, and is told nothing");
	else if (address_parse_path(j->arena, s, false, &a, &error) != 0 || a.is_null || a.is_postmaster)
		say(&j->n, j->arena, whose, arena_printf(j->arena, " is told nothing: \"%s\" is no address", s));
	else
		return a.text;
	return NULL;
}

/* Whom this event concerns: the owner of the app for what is an app's, the admin for what is wider;
 * the owner also there where no admin is named. */
static int
recipients_of(const struct job *j)
{
	const struct notify *how = &j->x->policy->notify;
	bool is_wide = strncmp(j->n.e->scope, "app:", 4) != 0 && strncmp(j->n.e->scope, "method:", 7) != 0;

	switch (how->mail) {
	case NOTIFY_NO:
		return 0;
	case NOTIFY_ADMIN:
		return NOTIFY_TO_ADMIN;
	case NOTIFY_OWNER:
		return is_wide && how->admin[0] != '\0' ? NOTIFY_TO_ADMIN : NOTIFY_TO_OWNER;
	case NOTIFY_BOTH:
		return is_wide ? NOTIFY_TO_ADMIN : NOTIFY_TO_ADMIN | NOTIFY_TO_OWNER;
	}
	return 0;
}

static int
mail_owner(struct job *j)
{
	const struct app *app = j->n.app;
	const char *to = address_of(j, app == NULL ? "" : app->owner, arena_printf(j->arena, "the owner of app %s", j->n.e->app));

	if (to == NULL)
		return -1;
	if ((recipients_of(j) & NOTIFY_TO_ADMIN) != 0 && text_same(to, j->x->policy->notify.admin))
		return 0; /* who hears of it anyway */
	return send_mail(j, to);
}

static int
mail_admin(struct job *j)
{
	const char *to = address_of(j, j->x->policy->notify.admin, "the admin");

	return to == NULL ? -1 : send_mail(j, to);
}

/* Each part that was not done before a crash; -1 when one was not done at all. */
static int
tell_parts(struct job *j)
{
	static const struct {
		int part;
		int (*tell)(struct job *j);
	} parts[] = {{NOTIFY_COMMAND, run_command}, {NOTIFY_TO_OWNER, mail_owner}, {NOTIFY_TO_ADMIN, mail_admin}};
	int wanted = recipients_of(j) | (j->x->policy->notify.command[0] == '\0' ? 0 : NOTIFY_COMMAND), rc = 0;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !ended; i++) {
		if ((wanted & ~j->x->state.parts & parts[i].part) == 0)
			continue;
		if (parts[i].tell(j) != 0)
			rc = -1;
		if (ended && rc != 0)
			break;
		j->x->state.parts |= parts[i].part;
		if (!j->x->o->dry_run && notify_state_write(&j->x->state) != 0)
			say(&j->n, j->arena, "cannot note what was told: ", strerror(errno));
	}
	return rc;
}

/* 1 ends the reading: the program is to end. */
static int
tell(void *context, const struct store_event *e)
{
	struct notifier *x = context;
	struct job j = {.x = x, .n = {.policy = x->policy, .e = e, .now = wall_ms()}, .arena = arena_new(0)};
	int rc;

	if (j.arena == NULL)
		return -2;
	if (e->time < j.n.now - STALE_MS) {
		x->stale++;
	} else {
		j.n.app = find_app(x->policy, e->app);
		read_row(&j);
		rc = tell_parts(&j);
		x->failed = rc == 0 ? 0 : x->failed + 1;
		x->all_told = x->all_told && rc == 0;
	}
	limits_free(&j.limits);
	arena_free(&j.arena);
	if (ended)
		return 1;
	x->state.number = e->number;
	x->state.time = e->time;
	x->state.parts = 0;
	if (!x->o->dry_run && notify_state_write(&x->state) != 0)
		fprintf(stderr, "postern notify: cannot note what was told: %s\n", strerror(errno));
	return 0;
}

/* ---- all events */

/* The events as they are now: they are told while nothing else is read. */
struct kept {
	struct arena *arena;
	struct store_event *events;
	size_t n, room;
	int64_t newer_than;       /* wall time */
};

static int
keep(void *context, const struct store_event *e)
{
	struct kept *k = context;
	struct store_event *to;

	if (e->time <= k->newer_than)
		return 0;
	if (k->n == k->room) {
		struct store_event *more = arena_array(k->arena, k->room = k->room == 0 ? 64 : 2 * k->room, sizeof *more);

		if (more == NULL)
			return -2;
		if (k->n > 0)
			memcpy(more, k->events, k->n * sizeof *more);
		k->events = more;
	}
	to = &k->events[k->n++];
	*to = *e;
	const char **const texts[] = {&to->relay, &to->kind, &to->name, &to->scope, &to->key, &to->mode, &to->app, &to->tenant,
				      &to->message_id};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_string(k->arena, *texts[i]);
	return arena_failed(k->arena) ? -2 : 0;
}

/* The policy as it is now: addresses and the command may have changed. */
static void
load_policy(struct notifier *x)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(x->o->file, &problems);

	if (p == NULL && problems != NULL) {
		fprintf(stderr, "postern notify: %s has errors; what it said before holds\n", x->o->file);
		problems_print(problems, stderr);
	}
	problems_free(&problems);
	if (p == NULL)
		return;
	policy_unref(&x->policy);
	x->policy = p;
}

static int
tell_all(struct notifier *x, const struct kept *k)
{
	int rc = 0;

	x->stale = 0;
	for (size_t i = 0; rc == 0 && i < k->n; i++)
		rc = tell(x, &k->events[i]);
	if (x->stale > 0)
		fprintf(stderr, "postern notify: %lld events are more than a day old and are told to nobody\n",
			(long long)x->stale);
	return rc;
}

/* Where the events of a database began anew, those after the last that was told are new. */
static int64_t
newer_than(struct notifier *x)
{
	int64_t last = store_reader_last_event(x->reader), time = x->state.time;

	if (last < 0 || last >= x->state.number)
		return INT64_MIN;
	fputs("postern notify: the database is another one than before; its events after the last that was told are new\n",
	      stderr);
	x->state = (struct notify_state){.fd = x->state.fd, .time = time};
	return time;
}

/* 0, or -1 with a text. */
static int
look(struct notifier *x, const char **error_r)
{
	bool is_alone = strncmp(x->policy->database, "sqlite:", 7) == 0;
	struct kept k = {.arena = arena_new(0), .newer_than = newer_than(x)};
	int rc = k.arena == NULL ? -2 : store_reader_events(x->reader, is_alone ? "" : x->relay, x->state.number, keep, &k, error_r);

	if (rc == 0 && k.n > 0) {
		load_policy(x);
		rc = tell_all(x, &k);
	}
	if (rc == -2)
		*error_r = "memory is short";
	arena_free(&k.arena);
	return rc < 0 ? -1 : 0;
}

static int
open_reader(struct notifier *x, char *error_r, size_t size)
{
	if (x->reader != NULL && boot_ms() - x->opened_ms < REOPEN_EVERY_MS)
		return 0;
	store_reader_close(&x->reader);
	x->reader = store_reader_open(x->policy->database, error_r, size);
	x->opened_ms = boot_ms();
	return x->reader == NULL ? -1 : 0;
}

static int
turn(struct notifier *x)
{
	char error[512];
	const char *why = error;

	if (open_reader(x, error, sizeof error) == 0 && look(x, &why) == 0)
		return 0;
	store_reader_close(&x->reader);
	if (x->said_ms == 0 || boot_ms() - x->said_ms >= SAY_EVERY_MS) {
		fprintf(stderr, "postern notify: %s\n", why);
		x->said_ms = boot_ms();
	}
	return -1;
}

static int
follow(struct notifier *x)
{
	while (!ended) {
		(void)turn(x);
		pause_for(LOOK_EVERY_MS);
	}
	return 0;
}

static char *
state_path(const struct options *o, const struct policy *p)
{
	bool is_file = strncmp(p->database, "sqlite:", 7) == 0;
	const char *name = o->state != NULL ? o->state : is_file ? p->database + 7 : LOCALSTATEDIR "/lib/postern/notify";
	size_t size = strlen(name) + sizeof "-notify";
	char *path = malloc(size);

	if (path != NULL)
		snprintf(path, size, "%s%s", name, o->state == NULL && is_file ? "-notify" : "");
	return path;
}

static int
run(struct notifier *x)
{
	char *path = state_path(x->o, x->policy), error[512] = "memory is short";
	int rc = 1;

	if (path == NULL || database_become_owner(x->policy, error, sizeof error) != 0 ||
	    (x->o->dry_run ? notify_state_read(&x->state, path, error, sizeof error)
			   : notify_state_open(&x->state, path, error, sizeof error)) != 0)
		fprintf(stderr, "postern notify: %s\n", error);
	else if (x->o->follow)
		rc = follow(x);
	else
		rc = turn(x) == 0 && x->all_told ? 0 : 1;
	store_reader_close(&x->reader);
	notify_state_close(&x->state);
	free(path);
	return rc;
}

int
command_notify(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE, .tries = 8, .seconds = 30};
	struct notifier x = {.o = &o, .state.fd = -1, .all_told = true};
	const struct sigaction stop = {.sa_handler = end};
	struct problems *problems = NULL;
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	x.policy = policy_load(o.file, &problems);
	if (x.policy == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (x.policy == NULL)
		return 1;
	if (x.policy->notify.command[0] == '\0' && x.policy->notify.mail == NOTIFY_NO) {
		fprintf(stderr, "postern notify: %s says neither notify: command nor notify: mail, so nobody is told\n", o.file);
		policy_unref(&x.policy);
		return 1;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGINT, &stop, NULL);
	relay_name(x.policy, x.relay, sizeof x.relay);
	rc = run(&x);
	policy_unref(&x.policy);
	return rc;
}
