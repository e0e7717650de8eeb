/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern explain: what the policy says of a message that the admin describes.
 * Drives the daemon's own session without a store, so no counter moves.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "base/json.h"
#include "gate/session.h"
#include "policy/file/file.h"

#define MESSAGE_MAX (150u << 20)

struct question {
	const char *file;
	struct session_connect connect;
	struct session_mail mail;
	const char *helo;
	char **rcpt;
	size_t n_rcpt;
	bool json;
	const char *message;    /* path, "-", or NULL for a plain one */
};

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	if (is_error)
		fprintf(stderr, "postern: %s\n", line);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern explain: %s\n"
		"usage: postern explain [-c FILE] --client ADDRESS|local [--login NAME] [--certificate SUBJECT]\n"
		"       [--helo NAME] [--relay NAME] --sender ADDRESS --rcpt ADDRESS... [--json] [MESSAGE|-]\n", what);
	return 2;
}

static int
read_client(struct question *q, const char *s)
{
	if (strcmp(s, "local") == 0)
		q->mail.picked_up = true;
	else if (ip_parse(s, &q->connect.ip) != 0)
		return -1;
	return 0;
}

static int
read_options(int argc, char **argv, struct question *q)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"client", required_argument, NULL, 'a'},
		{"login", required_argument, NULL, 'l'}, {"certificate", required_argument, NULL, 'C'},
		{"helo", required_argument, NULL, 'H'}, {"relay", required_argument, NULL, 'R'}, {"sender", required_argument, NULL, 's'},
		{"rcpt", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, {0},
	};
	bool has_client = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
		if (c == 'c')
			q->file = optarg;
		else if (c == 'a' && (has_client = true) && read_client(q, optarg) != 0)
			return bad_usage("--client takes an IPv4 or IPv6 address, or \"local\"");
		else if (c == 'l')
			q->mail.login = optarg;
		else if (c == 'C')
			q->mail.cert_subject = optarg;
		else if (c == 'H')
			q->helo = optarg;
		else if (c == 'R')
			q->connect.relay = optarg;
		else if (c == 's')
			q->mail.sender = optarg;
		else if (c == 'r')
			q->rcpt[q->n_rcpt++] = optarg;
		else if (c == 'j')
			q->json = true;
		else if (c == '?')
			return bad_usage("this option is not known or lacks its value");
	}
	if (!has_client && q->mail.login == NULL)
		return bad_usage("--client is missing");
	if (q->mail.sender == NULL)
		return bad_usage("--sender is missing (<> for the null sender)");
	if (q->n_rcpt == 0)
		return bad_usage("at least one --rcpt is needed");
	if (argc - optind > 1)
		return bad_usage("one message at most");
	q->message = argv[optind];
	return 0;
}

/* The whole input with CRLF line ends, as an MTA would hand it over. */
static int
read_message(const char *path, struct text *t)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	int c, last = 0;

	if (f == NULL) {
		fprintf(stderr, "postern explain: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((c = getc(f)) != EOF && t->len < MESSAGE_MAX) {
		if (c == '\n' && last != '\r')
			text_add_char(t, '\r');
		text_add_char(t, (char)c);
		last = c;
	}
	if (f != stdin)
		fclose(f);
	return t->failed ? -1 : 0;
}

/* Where a field name ends: its colon; NULL when the line is no field. */
static const char *
field_colon(const char *line, const char *end)
{
	const char *p = line;

	while (p < end && *p > ' ' && *p != ':' && *p < 0x7f)
		p++;
	if (p == line)
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':' ? p : NULL;
}

static const char *
next_line(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl == NULL ? end : nl + 1;
}

/* Hands one field over: its lines joined by "\n" without CR. */
static void
give_field(struct session *s, const char *line, const char *colon, const char *end)
{
	struct text name = {0}, value = {0};
	size_t n = 0;

	while (line + n < colon && line[n] != ' ' && line[n] != '\t')
		n++;
	text_add_octets(&name, line, n);
	for (const char *p = colon + 1; p < end; p++)
		if (*p != '\r' || p + 1 == end || p[1] != '\n')
			text_add_char(&value, *p);
	if (value.len > 0 && value.s[value.len - 1] == '\n')
		value.s[--value.len] = '\0';
	if (!name.failed && !value.failed)
		session_header(s, text_string(&name), text_string(&value));
	text_free(&name);
	text_free(&value);
}

/* The header ends at the empty line, or before a line that is no field. */
static const char *
give_header(struct session *s, const char *p, const char *end)
{
	while (p < end) {
		const char *stop = next_line(p, end), *colon = field_colon(p, stop);

		if (p[0] == '\r' && p + 1 < end && p[1] == '\n')
			return stop;
		if (colon == NULL)
			return p;
		while (stop < end && (*stop == ' ' || *stop == '\t'))
			stop = next_line(stop, end);
		give_field(s, p, colon, stop);
		p = stop;
	}
	return end;
}

static void
plain_message(const struct question *q, struct text *t)
{
	const char *s = q->mail.sender;

	text_printf(t, "From: %s%s%s\r\nSubject: explained by postern\r\n\r\n", s[0] == '<' ? "" : "<", s,
		    s[0] == '<' ? "" : ">");
}

struct answer_sheet {
	bool is_weighed;        /* the charges show their present use */
	const struct message *m;
	/* For the whole: the message's, or where every recipient was refused, so
	 * that it is never sent, the last recipient's. */
	const struct decision *decision, *would;
	const struct signature *signatures;
	size_t n_signatures;
};

static void
json_lists(const struct answer_sheet *a, struct jsonv *root)
{
	static const char *const places[] = {"internal", "external", "local"};
	struct jsonv *list = jsonv_set_array(root, "recipients");

	for (const struct recipient *r = a->m->recipients; r != NULL; r = r->next) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "address", r->address.text);
		jsonv_set_text(o, "place", places[r->place]);
		jsonv_set_boolean(o, "accepted", r->accepted);
		jsonv_set_text(o, "reason", r->reason);
	}
	list = jsonv_set_array(root, "signatures");
	for (size_t i = 0; i < a->n_signatures; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "domain", a->signatures[i].key->domain);
		jsonv_set_text(o, "selector", a->signatures[i].key->selector);
		jsonv_set_text(o, "algorithm", key_algorithm_name(a->signatures[i].key->algorithm));
		jsonv_set_boolean(o, "made", a->signatures[i].value != NULL);
		jsonv_set_text(o, "error", a->signatures[i].value != NULL ? "" : a->signatures[i].error);
	}
	list = jsonv_set_array(root, "limits");
	for (size_t i = 0; i < a->m->n_charges; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "name", a->m->charges[i].name);
		jsonv_set_text(o, "key", a->m->charges[i].key);
		jsonv_set_integer(o, "count", (int64_t)a->m->charges[i].count);
		jsonv_set_integer(o, "amount", (int64_t)a->m->charges[i].amount);
		if (a->is_weighed) {
			jsonv_set_integer(o, "used", (int64_t)a->m->charges[i].used);
			jsonv_set_boolean(o, "exceeded", a->m->charges[i].exceeded);
			jsonv_set_integer(o, "retry_ms", a->m->charges[i].retry_ms);
		}
		jsonv_set_text(o, "over", limit_over_name(a->m->charges[i].over));
	}
	list = jsonv_set_array(root, "trace");
	for (const struct trace_step *t = a->m->trace.first; t != NULL; t = t->next) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "stage", t->stage);
		jsonv_set_text(o, "question", t->question);
		jsonv_set_text(o, "answer", answer_name(t->answer));
		jsonv_set_text(o, "detail", t->detail);
	}
}

static int
print_json(const struct answer_sheet *a)
{
	const struct decision *d = a->decision;
	struct jsonv *root = jsonv_new_object();
	struct text t = {0};
	int r;

	jsonv_set_text(root, "verdict", verdict_name(d->verdict));
	jsonv_set_text(root, "would", verdict_name(a->would->verdict));
	jsonv_set_text(root, "would_reason", a->would->reason);
	jsonv_set_text(root, "would_text", a->would->text);
	jsonv_set_integer(root, "code", d->code);
	jsonv_set_text(root, "enhanced", d->enhanced);
	jsonv_set_text(root, "reason", d->reason);
	jsonv_set_text(root, "text", d->text);
	jsonv_set_text(root, "app", a->m->app == NULL ? "" : a->m->app->name);
	jsonv_set_text(root, "tenant", a->m->tenant == NULL ? "" : a->m->tenant->name);
	json_lists(a, root);
	r = jsonv_write(root, true, &t);
	if (r == 0)
		fputs(text_string(&t), stdout);
	jsonv_free(&root);
	text_free(&t);
	return r == 0 ? 0 : 1;
}

static void
print_limit(const struct charge *c, bool is_weighed)
{
	printf("limit:   %s%s%s: ", c->name, c->key[0] == '\0' ? "" : " ", c->key);
	if (is_weighed)
		printf("%llu of %llu used, ", (unsigned long long)c->used, (unsigned long long)c->count);
	else
		printf("%llu, use not known, ", (unsigned long long)c->count);
	printf("this message adds %llu%s\n", (unsigned long long)c->amount,
	       is_weighed && c->exceeded ? ": too many" : "");
}

static int
print_text(const struct answer_sheet *a)
{
	const struct decision *d = a->would;
	const struct reason *why = d->reason[0] == '\0' ? NULL : reason_find(d->reason);
	bool watched = d->verdict != a->decision->verdict;

	for (const struct trace_step *t = a->m->trace.first; t != NULL; t = t->next)
		printf("%-7s %-22s %-8s %s\n", t->stage, t->question, answer_name(t->answer), t->detail);
	printf("\nverdict: %s", verdict_name(a->decision->verdict));
	if (watched)
		printf(" (only monitored; it would %s)", verdict_name(d->verdict));
	putchar('\n');
	if (d->reason[0] != '\0')
		printf("%s %d %s [%s] %s\n", watched ? "would:  " : "reply:  ", d->code, d->enhanced, d->reason, d->text);
	if (why != NULL)
		printf("advice:  %s\n", why->advice);
	for (size_t i = 0; i < a->m->n_charges; i++)
		print_limit(&a->m->charges[i], a->is_weighed);
	for (size_t i = 0; i < a->n_signatures; i++)
		printf("signed:  d=%s s=%s %s%s\n", a->signatures[i].key->domain, a->signatures[i].key->selector,
		       key_algorithm_name(a->signatures[i].key->algorithm),
		       a->signatures[i].value != NULL ? "" : " FAILED");
	return 0;
}

/* Header and body, as the MTA would hand them over, and the end. */
static void
give_message(struct session *s, const struct text *t)
{
	const char *end = t->s + t->len, *body = give_header(s, t->s, end);
	const struct edit *edits;

	session_eoh(s);
	if (body < end)
		session_body(s, body, (size_t)(end - body));
	session_eom(s, NULL, &edits);
}

static int
ask(struct session *s, const struct question *q, const struct text *t, bool is_weighed)
{
	struct answer_sheet a = {0};
	const struct decision *refused;
	bool taken;

	if (q->helo != NULL)
		session_helo(s, q->helo);
	taken = session_mail(s, &q->mail)->action != ACTION_REFUSE;
	for (size_t i = 0; taken && i < q->n_rcpt; i++)
		session_rcpt(s, q->rcpt[i], NULL, NULL, NULL);
	a.m = session_message(s);
	a.is_weighed = is_weighed;
	if (a.m->accepted > 0)
		give_message(s, t);
	refused = a.m->accepted == 0 ? session_refused_recipient(s) : NULL;
	a.decision = refused != NULL ? refused : &a.m->decision;
	a.would = refused != NULL ? refused : &a.m->would;
	a.signatures = session_signatures(s, &a.n_signatures);
	return q->json ? print_json(&a) : print_text(&a);
}

static struct snapshot *
load(const char *file)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(file, &problems);
	struct snapshot *s = NULL;

	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	if (p != NULL && (s = snapshot_new(p)) == NULL)
		policy_unref(&p);
	return s;
}

/* The limits' present use; without it they are shown without. */
static void
open_database(struct gate *g, const struct policy *p)
{
	char error[512];

	g->reader = database_open(p, error, sizeof error);
	if (g->reader == NULL)
		fprintf(stderr, "postern: the present use of the limits is not known: %s\n", error);
}

int
command_explain(int argc, char **argv)
{
	struct question q = {.file = COMMAND_POLICY_FILE};
	struct gate g = {.clock = clock_system(), .relay = "", .log = quiet};
	struct text t = {0};
	struct session *s = NULL;
	struct snapshot *snapshot = NULL;
	const char *warning;
	int r;

	q.rcpt = calloc((size_t)argc + 1, sizeof *q.rcpt);
	r = q.rcpt == NULL ? 1 : read_options(argc, argv, &q);
	if (r != 0) {
		free(q.rcpt);
		return r;
	}
	if (q.message == NULL)
		plain_message(&q, &t);
	r = 1;
	g.signer = signer_opendkim(&warning);
	if ((q.message == NULL || read_message(q.message, &t) == 0) && g.signer != NULL &&
	    (snapshot = load(q.file)) != NULL && (g.snapshots = snapshot_holder_new(snapshot)) != NULL &&
	    (s = session_new(&g, &q.connect)) != NULL) {
		open_database(&g, snapshot->policy);
		r = ask(s, &q, &t, g.reader != NULL);
	}
	session_free(&s);
	snapshot_holder_free(&g.snapshots);
	store_reader_close(&g.reader);
	text_free(&t);
	free(q.rcpt);
	return r;
}
