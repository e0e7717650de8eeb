/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern dashboard: the audit in a browser. It only reads: the database as every reader does, the policy file for
 * names, owners and limits; no keys. Each request opens the database anew, for the file may be another one by
 * now, and has some seconds for all it asks.
 */
#include "config.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/dashboard.h"
#include "admin/database.h"
#include "admin/trace.h"
#include "base/clock.h"
#include "policy/file/file.h"

#define LISTEN "127.0.0.1:9190"
#define THREADS 4
#define PATIENCE_MS 10000
/* The policy is looked at again after so long. */
#define RENEW_MS 10000
#define DAY_MS INT64_C(86400000)

#define CONTENT_POLICY "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

struct options {
	const char *file, *url, *listen, *passwords, *certificate, *key;
	bool has_file;
};

struct dashboard {
	const struct options *options;
	pthread_mutex_t mutex;    /* of the policy */
	struct policy *policy;    /* NULL: none is read */
	int64_t renewed;
};

static void
usage(FILE *to)
{
	fputs("usage: postern dashboard [-c FILE] [--database URL] [--listen ADDRESS] [--password-file FILE]\n"
	      "                         [--certificate FILE --key FILE]\n"
	      "The audit in a browser, to be read only, until it is stopped.\n"
	      "  -c, --config FILE     the policy file: the database, owners, limits (default " COMMAND_POLICY_FILE ")\n"
	      "  --database URL        the audit to read; without -c no policy is read then\n"
	      "  --listen ADDRESS      " LISTEN " (the default), [::1]:9190, or unix:/path; others need all of what follows\n"
	      "  --password-file FILE  lines NAME:HASH, as mkpasswd -m yescrypt makes them; nobody else is let in\n"
	      "  --certificate FILE    serve by TLS with this certificate, in PEM, with those that vouch for it\n"
	      "  --key FILE            its key\n"
	      "exit status: 0 stopped, 1 something is wrong, 2 wrong command line\n", to);
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"database", required_argument, NULL, 'd'}, {"listen", required_argument, NULL, 'l'},
		{"password-file", required_argument, NULL, 'p'}, {"certificate", required_argument, NULL, 't'}, {"key", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->file = optarg, o->has_file = true;
		else if (c == 'd')
			o->url = optarg;
		else if (c == 'l')
			o->listen = optarg;
		else if (c == 'p')
			o->passwords = optarg;
		else if (c == 't')
			o->certificate = optarg;
		else if (c == 'k')
			o->key = optarg;
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return 2;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern dashboard: %s\n", what);
	return 1;
}

/* ---- a request */

static const struct {
	const char *path;
	dashboard_page *page;
} pages[] = {
	{"/", dashboard_home}, {"/apps", dashboard_apps}, {"/refusals", dashboard_refusals}, {"/replies", dashboard_replies},
	{"/limits", dashboard_limits}, {"/methods", dashboard_methods}, {"/unsigned", dashboard_unsigned}, {"/search", dashboard_search},
	{"/message", dashboard_message}, {"/latest", dashboard_latest}, {"/app", dashboard_one}, {"/tenant", dashboard_one},
	{"/department", dashboard_one}, {"/method", dashboard_one}, {"/sender", dashboard_one}, {"/client", dashboard_one},
	{"/reason", dashboard_one},
};

/* The policy as it is now, or while its file is wrong as it was: a reference for the caller. */
static struct policy *
current_policy(struct dashboard *d, int64_t now)
{
	struct problems *problems = NULL;
	struct policy *p = NULL;

	pthread_mutex_lock(&d->mutex);
	if (d->policy != NULL && (now - d->renewed >= RENEW_MS || now < d->renewed)) {
		p = policy_load(d->options->file, &problems);
		problems_free(&problems);
		d->renewed = now;
		if (p != NULL) {
			policy_unref(&d->policy);
			d->policy = p;
		}
	}
	p = d->policy == NULL ? NULL : policy_ref(d->policy);
	pthread_mutex_unlock(&d->mutex);
	return p;
}

/* Sets the time that the page is of; false where there is no such. */
static bool
set_range(struct view *v)
{
	static const struct {
		const char *name, *more;
		int64_t ms;
	} ranges[] = {
		{"24h", "", DAY_MS}, {"7d", "&amp;since=7d", 7 * DAY_MS}, {"30d", "&amp;since=30d", 30 * DAY_MS},
		{"yesterday", "&amp;since=yesterday", 0},
	};
	const char *asked = view_argument(v, "since");
	int64_t today = v->now - v->now % DAY_MS;

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if (strcmp(asked[0] == '\0' ? "24h" : asked, ranges[i].name) != 0)
			continue;
		v->range = ranges[i].name;
		v->more = ranges[i].more;
		v->since = ranges[i].ms == 0 ? today - DAY_MS : v->now - ranges[i].ms;
		v->until = ranges[i].ms == 0 ? today : v->now + 1;
		return true;
	}
	return false;
}

static void
set_query(struct view *v)
{
	struct text query = {0};
	const char *name = view_argument(v, "name");

	if (view_kind(v->path) != 0) {
		text_add(&query, "name=");
		html_query(&query, name);
		text_add(&query, "&amp;");
	}
	v->query = arena_string(v->arena, text_string(&query));
	text_free(&query);
}

/* Where it cannot be made: standard error has the reason, the page none of the database's words but ours. */
static unsigned
refuse(struct view *v, const char *error)
{
	fail(error);
	return view_refuse(v, 503, "This page cannot be made",
			   "The database cannot be read, or takes too long; standard error of <code>postern dashboard</code> says why. A shorter time may help.");
}

static unsigned
make_page(struct view *v, dashboard_page *page)
{
	const char *error = NULL;
	unsigned status;

	store_reader_patience(v->reader, PATIENCE_MS);
	v->is_followed = trace_is_followed(v->reader, &error);
	status = page(v);
	if (status == 0)
		return refuse(v, v->error);
	if (arena_failed(v->arena))
		return refuse(v, "memory is short");
	return status;
}

static unsigned
answer_page(struct dashboard *d, struct view *v, dashboard_page *page)
{
	struct policy *p = current_policy(d, v->now);
	const char *url = d->options->url != NULL ? d->options->url : p->database;
	char error[512];
	unsigned status;

	v->policy = p;
	v->reader = store_reader_open(url, error, sizeof error);
	status = v->reader == NULL ? refuse(v, error) : make_page(v, page);
	store_reader_close(&v->reader);
	policy_unref(&p);
	return status;
}

/* What is no page; 0 where there is nothing of the name. */
static unsigned
answer_file(const char *path, struct http_page *page)
{
	if (strcmp(path, "/style.css") == 0) {
		page->type = "text/css; charset=utf-8";
		text_add(&page->body, html_style);
		text_add(&page->body, dashboard_style);
	} else if (strcmp(path, "/icon.svg") == 0) {
		page->type = "image/svg+xml";
		text_add(&page->body, dashboard_icon);
	} else {
		return 0;
	}
	return 200;
}

static dashboard_page *
find_page(const char *path)
{
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (strcmp(path, pages[i].path) == 0)
			return pages[i].page;
	return NULL;
}

static unsigned
answer(void *context, const char *path, const struct http_request *request, struct http_page *page)
{
	dashboard_page *make = find_page(path);
	struct view v = {
		.request = request, .arena = arena_new(0), .out = &page->body, .now = clock_system()->wall_ms(clock_system()->context),
		.path = make == NULL ? "" : strcmp(path, "/") == 0 ? "." : path + 1, .query = "", .range = "24h", .more = "", .error = "memory is short",
	};
	unsigned status = answer_file(path, page);

	if (status == 0) {
		page->type = "text/html; charset=utf-8";
		if (make == NULL)
			status = view_refuse(&v, 404, "No such page", "There is none at this address. The pages are listed above.");
		else if (!set_range(&v))
			status = view_refuse(&v, 400, "No such time", "<code>since</code> is one of 24h, 7d, 30d and yesterday.");
		else if (v.arena == NULL)
			status = 500;
		else
			set_query(&v), status = answer_page(context, &v, make);
	}
	arena_free(&v.arena);
	return status;
}

/* ---- the command */

static int
serve(struct dashboard *d)
{
	const struct options *o = d->options;
	const struct http_service s = {
		.listen = o->listen, .password_file = o->passwords, .certificate = o->certificate, .key = o->key, .threads = THREADS,
		.policy = CONTENT_POLICY, .answer = answer, .context = d,
	};
	char error[400];

	return http_serve_pages(&s, error, sizeof error) == 0 ? 0 : fail(error);
}

/* The database must be readable at the start, or the command line is wrong. */
static int
try_database(struct dashboard *d)
{
	const struct policy given = {.database = d->options->url};
	char error[512];
	struct store_reader *r = database_open(d->options->url != NULL ? &given : d->policy, error, sizeof error);

	if (r == NULL)
		return fail(error);
	store_reader_close(&r);
	return 0;
}

int
command_dashboard(int argc, char **argv)
{
	struct options o = {.file = COMMAND_POLICY_FILE, .listen = LISTEN};
	struct dashboard d = {.options = &o};
	struct problems *problems = NULL;
	int rc = read_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	if (o.url == NULL || o.has_file) {
		d.policy = policy_load(o.file, &problems);
		if (d.policy == NULL)
			problems_print(problems, stderr);
		problems_free(&problems);
		if (d.policy == NULL)
			return 1;
	}
	d.renewed = clock_system()->wall_ms(clock_system()->context);
	pthread_mutex_init(&d.mutex, NULL);
	rc = try_database(&d);
	if (rc == 0)
		rc = serve(&d);
	policy_unref(&d.policy);
	return rc;
}
