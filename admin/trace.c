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
#include "admin/reported.h"
#include "admin/when.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "maillog/maillog.h"
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

static void
keep_delivery(struct trace_message *m, const struct store_delivery *d)
{
	struct trace_delivery *to;

	if (m->n_deliveries == m->room) {
		struct trace_delivery *more = arena_array(m->arena, m->room = m->room == 0 ? 16 : 2 * m->room, sizeof *more);

		if (more == NULL)
			return;
		if (m->n_deliveries > 0)
			memcpy(more, m->deliveries, m->n_deliveries * sizeof *more);
		m->deliveries = more;
	}
	to = &m->deliveries[m->n_deliveries++];
	to->d = *d;
	const char **const texts[] = {&to->d.recipient, &to->d.original, &to->d.status, &to->d.dsn, &to->d.next_hop, &to->d.tls,
				      &to->d.reply, &to->d.queue_id, &to->d.instance, &to->d.next_hop_of};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_string(m->arena, *texts[i]);
}

/* What was said last, explained where it was said by Exchange Online. */
static void
explain(struct trace_delivery *t)
{
	bool is_sendmail = strcmp(t->d.instance, "sendmail") == 0;
	struct m365_reply r = m365_read(t->d.reply, is_sendmail && t->d.next_hop[0] != '\0' ? t->d.dsn : NULL);

	t->meaning = (struct m365_meaning){.keyword = ""};
	if (strcmp(t->d.status, "sent") == 0)
		return;
	t->is_foreign = r.is_reply && !t->d.is_believed && !m365_is_host(t->d.next_hop, maillog_host_length(t->d.next_hop));
	if (!t->is_foreign)
		t->meaning = m365_explain(&r, t->d.reply);
}

static int
add_delivery(void *context, const struct store_delivery *d)
{
	struct trace_message *m = context;

	keep_delivery(m, d);
	if (arena_failed(m->arena))
		return -2;
	explain(&m->deliveries[m->n_deliveries - 1]);
	return 0;
}

static int
add_report(void *context, const struct store_report *r)
{
	struct trace_message *m = context;
	struct trace_report *to;

	if (m->n_reports == m->reports_room) {
		struct trace_report *more = arena_array(m->arena, m->reports_room = m->reports_room == 0 ? 16 : 2 * m->reports_room, sizeof *more);

		if (more == NULL)
			return -2;
		if (m->n_reports > 0)
			memcpy(more, m->reports, m->n_reports * sizeof *more);
		m->reports = more;
	}
	to = &m->reports[m->n_reports];
	to->r = *r;
	const char **const texts[] = {&to->r.recipient, &to->r.original, &to->r.action, &to->r.status, &to->r.reply, &to->r.reporter,
				      &to->r.remote, &to->r.via, &to->r.path, &to->r.next_hop_of, &to->r.file, &to->r.message_id, &to->r.app,
				      &to->r.tenant};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_string(m->arena, *texts[i]);
	if (arena_failed(m->arena))
		return -2;
	to->meaning = reported_meaning(&to->r, &to->is_foreign);
	m->n_reports++;
	return 0;
}

static int
add_held(void *context, const struct store_held *h)
{
	struct trace_message *m = context;
	char since[WHEN_SIZE], then[WHEN_SIZE];
	const char *for_what = h->limit[0] == '\0' ? "" : arena_printf(m->arena, " for %s%s%s", h->limit, h->key[0] == '\0' ? "" : " ", h->key);

	m->held = arena_printf(m->arena, "%s%s, held at %s%s%s%s%s", h->state, for_what, when_format(h->held_time, since),
			       h->released_time > 0 ? ", left the hold queue at " : "",
			       h->released_time > 0 ? when_format(h->released_time, then) : "", h->who[0] == '\0' ? "" : ", let go by ", h->who);
	return 0;
}

static int
tell(struct tracer *x, struct trace_message *m)
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
tell_message(void *context, const struct record *r, const struct charge *charges, size_t n)
{
	struct tracer *x = context;
	struct trace_message m = {.record = r, .charges = charges, .n_charges = n, .is_followed = x->is_followed, .held = "", .count = 1,
				  .last_time = r->time, .arena = arena_new(0)};
	int rc = m.arena == NULL ? -2 : store_reader_held_one(x->reader, r->id, add_held, &m, &x->error);

	if (rc == 0 && x->is_followed)
		rc = store_reader_deliveries(x->reader, r, add_delivery, &m, &x->error);
	if (rc == 0 && x->is_followed)
		rc = store_reader_reports(x->reader, r->id, 0, 0, 0, add_report, &m, &x->error);
	if (rc == 0)
		rc = tell(x, &m);
	arena_free(&m.arena);
	return rc == -1 ? -3 : rc;
}

/* A counted refusal, as a message that was never taken. */
static int
tell_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct tracer *x = context;
	struct record_recipient to = {.address = f->recipient, .domain = "", .place = "refused", .reason = ""};
	struct record r = {
		.id = f->id, .relay = "", .queue_id = f->queue_id, .time = f->time, .stage = f->stage, .verdict = f->verdict,
		.reason = f->reason, .enhanced = f->enhanced, .text = f->text, .would = f->verdict, .would_reason = f->reason,
		.would_text = f->text, .mode = "enforce", .app = f->app, .tenant = f->tenant, .method = f->method, .client = f->client,
		.login = f->login, .tls = f->tls, .sender = f->sender, .header_from = f->header_from, .subject = "", .signing = "",
		.policy = f->policy, .trace = "", .code = f->code, .rcpt = &to, .n_rcpt = f->recipient[0] != '\0',
	};
	struct trace_message m = {.record = &r, .is_followed = true, .held = "", .count = count, .last_time = last_time};

	return tell(x, &m);
}

static int
tell_one(struct tracer *x, const struct hit *f)
{
	struct store_range range = {.id = f->id};
	int rc;

	if (f->is_refusal)
		rc = store_reader_refusals(x->reader, &range, false, tell_refusal, x, &x->error);
	else
		rc = store_reader_messages(x->reader, &range, tell_message, x, &x->error);
	if (rc == -2)
		x->error = "memory is short";
	return rc;
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

/* Whether what became of mail is known at all; the file with it is opened by that. 0, or -1. */
static int
look_for_deliveries(struct tracer *x)
{
	const struct record none = {.queue_id = "", .relay = "", .tenant = ""};
	int rc = store_reader_deliveries(x->reader, &none, add_delivery, NULL, &x->error);

	x->is_followed = rc == 0;
	if (rc == STORE_NO_DELIVERIES)
		return 0;
	if (rc != 0) { /* the story is told without */
		fprintf(stderr, "postern trace: what became of mail cannot be read: %s\n", x->error);
		x->is_followed = false;
	}
	return 0;
}

static int
find(struct tracer *x)
{
	if (x->what.address == NULL && x->what.queue_id == NULL)
		return 0; /* an audit id, in found[0] */
	return store_reader_find(x->reader, &x->what, keep_found, x, &x->error);
}

/* The address as the audit has it: its domain in lower case, no angle brackets. */
static const char *
address_of(struct arena *a, const char *s)
{
	size_t len = strlen(s);
	const char *at;

	if (len > 2 && s[0] == '<' && s[len - 1] == '>') {
		s = arena_substring(a, s + 1, len - 2);
		len -= 2;
	}
	at = strrchr(s, '@');
	return arena_printf(a, "%.*s%s", (int)(at - s), s, arena_lower(a, at, len - (size_t)(at - s)));
}

static void
set_what(struct tracer *x, struct arena *a, const char *word, int64_t since)
{
	x->what = (struct store_find){.since = since, .until = INT64_MAX - 1000, .max = STORIES_MAX};
	if (id_is_valid(word)) {
		snprintf(x->found[0].id, sizeof x->found[0].id, "%s", word);
		for (char *s = x->found[0].id; *s != '\0'; s++)
			if (text_is_alpha(*s))
				*s = (char)(*s & ~0x20);
		x->n_found = 1;
	} else if (strchr(word, '@') != NULL) {
		x->what.address = address_of(a, word);
		x->is_list = true;
		x->what.max = LINES_MAX + 1;
	} else {
		x->what.queue_id = word;
	}
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
