/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern explain: what the policy says of a message that the admin describes.
 * Drives the daemon's own session without a store, so no counter moves.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/explain.h"
#include "admin/saved.h"
#include "admin/terminal.h"
#include "base/json.h"
#include "gate/relay.h"
#include "gate/session.h"
#include "policy/file/file.h"

struct question {
	const char *file;
	struct session_connect connect;
	struct session_mail mail;
	const char *helo;
	char **rcpt;
	size_t n_rcpt;
	bool json, help, has_client;
	bool is_described;      /* an option says something of the message */
	bool is_past;           /* `message` is an audit id */
	const char *message;    /* path, "-", or NULL for a plain one */
};

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	if (is_error)
		fprintf(stderr, "postern: %s\n", line);
}

static void
usage(void)
{
	fputs("usage: postern explain [OPTION...] --client ADDRESS --sender ADDRESS --rcpt ADDRESS... [MESSAGE]\n"
	      "       postern explain [-c FILE] [--json] ID     what was decided of a message, by its audit id\n"
	      "  -c, --config FILE          the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "      --client ADDRESS       where the app connects from; \"local\" for mail handed in on the relay itself\n"
	      "      --login NAME           what it logs in as\n"
	      "      --certificate SUBJECT  the subject of its certificate\n"
	      "      --helo NAME            what it says with HELO\n"
	      "      --relay NAME           the relay's own name, to tell its own header fields from forged ones\n"
	      "      --sender ADDRESS       the envelope sender; \"<>\" for the null sender\n"
	      "      --rcpt ADDRESS         an envelope recipient; once for each\n"
	      "      --json                 the answer as JSON\n"
	      "  -h, --help                 this text\n"
	      "MESSAGE is a file, or - for standard input; without it a plain message from the sender is taken.\n"
	      "exit status: 0 explained, whatever the verdict; 1 a file cannot be used; 2 wrong command line\n", stdout);
}

static int
bad_usage(const char *what, const char *why)
{
	fprintf(stderr, "postern explain: %s %s\npostern explain --help lists the options\n", what, why);
	return 2;
}

static int
read_client(struct question *q, const char *s)
{
	q->has_client = true;
	if (strcmp(s, "local") == 0)
		q->mail.picked_up = true;
	else if (ip_parse(s, &q->connect.ip) != 0)
		return -1;
	return 0;
}

/* One option; -1 when its value is none. */
static int
take_option(struct question *q, int c, char *value)
{
	q->is_described |= strchr("cjh", c) == NULL;
	switch (c) {
	case 'c':
		q->file = value;
		break;
	case 'a':
		return read_client(q, value);
	case 'l':
		q->mail.login = value;
		break;
	case 'C':
		q->mail.cert_subject = value;
		break;
	case 'H':
		q->helo = value;
		break;
	case 'R':
		q->connect.relay = value;
		break;
	case 's':
		q->mail.sender = value;
		break;
	case 'r':
		q->rcpt[q->n_rcpt++] = value;
		break;
	case 'j':
		q->json = true;
		break;
	default:
		q->help = true;
		break;
	}
	return 0;
}

/* 0, or 2 when something is missing (said). */
static int
check_question(const struct question *q)
{
	if (!q->has_client && q->mail.login == NULL && q->mail.cert_subject == NULL)
		return bad_usage("--client", "is missing (or --login, or --certificate)");
	if (q->mail.sender == NULL)
		return bad_usage("--sender", "is missing (\"<>\" for the null sender)");
	if (q->n_rcpt == 0)
		return bad_usage("--rcpt", "is missing; at least one recipient is needed");
	return 0;
}

static int
read_options(int argc, char **argv, struct question *q)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"client", required_argument, NULL, 'a'},
		{"login", required_argument, NULL, 'l'},
		{"certificate", required_argument, NULL, 'C'},
		{"helo", required_argument, NULL, 'H'},
		{"relay", required_argument, NULL, 'R'},
		{"sender", required_argument, NULL, 's'},
		{"rcpt", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		if (c == '?')
			return bad_usage(argv[optind - 1], "is no option");
		if (c == ':')
			return bad_usage(argv[optind - 1], "needs a value");
		if (take_option(q, c, optarg) != 0)
			return bad_usage(optarg, "is no client; expected an IPv4 or IPv6 address, or \"local\"");
	}
	if (q->help)
		return 0;
	if (argc - optind > 1)
		return bad_usage(argv[optind + 1], "is one message too many");
	q->message = argv[optind];
	if (q->message == NULL || q->is_described)
		return check_question(q);
	q->is_past = explain_is_id(q->message);
	return q->is_past ? 0 : bad_usage(q->message, "is no audit id (26 letters and digits); a message needs "
					  "--client, --sender and --rcpt beside it");
}

/* A message from the sender; for the null sender from the first address that
 * the app's senders name whole. */
static void
plain_message(const struct question *q, const struct message *m, struct text *t)
{
	const char *sender = q->mail.sender;

	for (size_t i = 0; m->sender.is_null && m->app != NULL && i < m->app->n_senders; i++) {
		const struct address_pattern *p = &m->app->senders[i];

		if (!p->is_null && !p->has_star && !p->any_subdomain) {
			sender = p->text;
			break;
		}
	}
	text_printf(t, "From: %s%s%s\r\nSubject: explained by postern\r\n\r\n", sender[0] == '<' ? "" : "<", sender,
		    sender[0] == '<' ? "" : ">");
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

/* What of a limit is held back from the message. */
static void
json_reserved(struct jsonv *o, const struct charge *c, bool is_weighed)
{
	struct jsonv *list = jsonv_set_array(o, "reserved");

	for (size_t i = 0; i < c->n_reserves; i++) {
		struct jsonv *r = jsonv_add_object(list);

		jsonv_set_text(r, "app", strchr(c->reserves[i].key, '=') + 1);
		jsonv_set_integer(r, "amount", (int64_t)c->reserves[i].amount);
		if (is_weighed)
			jsonv_set_integer(r, "unspent", (int64_t)c->reserves[i].unspent);
	}
	jsonv_set_integer(o, "for_critical_apps", (int64_t)c->kept);
}

static void
json_limits(const struct answer_sheet *a, struct jsonv *root)
{
	struct jsonv *limits = jsonv_set_array(root, "limits"), *reserves = jsonv_set_array(root, "reserves");

	for (size_t i = 0; i < a->m->n_charges; i++) {
		const struct charge *c = &a->m->charges[i];
		struct jsonv *o = jsonv_add_object(c->tally ? reserves : limits);

		jsonv_set_text(o, "name", c->name);
		jsonv_set_text(o, "key", c->key);
		jsonv_set_integer(o, "count", (int64_t)charge_count(c));
		jsonv_set_integer(o, "amount", (int64_t)c->amount);
		if (a->is_weighed)
			jsonv_set_integer(o, "used", (int64_t)c->used);
		if (c->tally)
			continue;
		json_reserved(o, c, a->is_weighed);
		if (a->is_weighed) {
			jsonv_set_boolean(o, "exceeded", c->exceeded);
			jsonv_set_integer(o, "retry_ms", c->retry_ms);
			jsonv_set_integer(o, "waiting", (int64_t)c->waiting);
			jsonv_set_integer(o, "boost", (int64_t)c->boost);
		}
		jsonv_set_text(o, "over", limit_over_name(c->over));
	}
}

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
	json_limits(a, root);
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

/* What of a limit is held back, also where it is not what stands in the way. */
static void
print_reserved(const struct message *m, const struct charge *c, bool is_weighed)
{
	const char *s = budget_text(m->arena, c, "", charge_count(c), !is_weighed);

	if (s[0] != '\0')
		terminal_print("%s, ", s);
}

static void
print_limit(const struct message *m, const struct charge *c, bool is_weighed)
{
	terminal_print("%s %s%s%s: ", c->tally ? "reserve:" : "limit:  ", c->name, c->key[0] == '\0' ? "" : " ", c->key);
	if (is_weighed)
		terminal_print("%llu of %llu used", (unsigned long long)c->used, (unsigned long long)charge_count(c));
	if (is_weighed && c->boost > 0)
		terminal_print(" (%llu by a boost)", (unsigned long long)c->boost);
	if (is_weighed)
		fputs(", ", stdout);
	else
		terminal_print("%llu, use not known, ", (unsigned long long)c->count);
	print_reserved(m, c, is_weighed);
	terminal_print("this message adds %llu%s", (unsigned long long)c->amount,
	       !is_weighed || !c->exceeded ? "" : c->waiting == 0 ? ": too many" : ": it waits its turn");
	if (is_weighed && c->waiting > 0)
		terminal_print(", behind %llu held", (unsigned long long)c->waiting);
	putchar('\n');
}

static const char *
advice(const struct decision *d)
{
	const struct reason *why = d->reason[0] == '\0' ? NULL : reason_find(d->reason);

	if (d->verdict == VERDICT_HOLD && strncmp(d->reason, "limit:", 6) == 0)
		return "None is needed: it leaves when its turn has come (postern release --list shows what waits).";
	return why == NULL ? NULL : why->advice;
}

static int
print_text(const struct answer_sheet *a)
{
	const struct decision *d = a->would;
	const char *what_to_do = advice(d);
	bool watched = d->verdict != a->decision->verdict;

	for (const struct trace_step *t = a->m->trace.first; t != NULL; t = t->next)
		terminal_print("%-7s %-22s %-8s %s\n", t->stage, t->question, answer_name(t->answer), t->detail);
	terminal_print("\nverdict: %s", verdict_name(a->decision->verdict));
	if (watched)
		terminal_print(" (only monitored; it would %s)", verdict_name(d->verdict));
	putchar('\n');
	if (d->reason[0] != '\0')
		terminal_print("%s %d %s [%s] %s\n", watched ? "would:  " : "reply:  ", d->code, d->enhanced, d->reason, d->text);
	if (what_to_do != NULL)
		terminal_print("advice:  %s\n", what_to_do);
	for (size_t i = 0; i < a->m->n_charges; i++)
		print_limit(a->m, &a->m->charges[i], a->is_weighed);
	for (size_t i = 0; i < a->n_signatures; i++)
		terminal_print("signed:  d=%s s=%s %s%s\n", a->signatures[i].key->domain, a->signatures[i].key->selector,
		       key_algorithm_name(a->signatures[i].key->algorithm),
		       a->signatures[i].value != NULL ? "" : " FAILED");
	return 0;
}

/* What is answered when the session fails; it has said why. */
static const struct decision failed = {
	.verdict = VERDICT_DEFER, .reason = "cannot-decide", .code = 451, .enhanced = "4.3.0",
	.text = "postern itself failed",
};

static int
ask(struct session *s, const struct question *q, struct text *t, bool is_weighed)
{
	struct answer_sheet a = {0};
	bool taken, whole = true;

	if (q->helo != NULL)
		session_helo(s, q->helo);
	taken = session_mail(s, &q->mail)->action != ACTION_REFUSE;
	for (size_t i = 0; taken && i < q->n_rcpt; i++)
		session_rcpt(s, q->rcpt[i], NULL, NULL, NULL);
	a.m = session_message(s);
	a.is_weighed = is_weighed;
	if (q->message == NULL)
		plain_message(q, a.m, t);
	a.decision = &a.m->decision;
	a.would = &a.m->would;
	if (a.m->accepted > 0)
		whole = saved_give(s, t);
	else if (session_refused_recipient(s) != NULL)
		a.decision = a.would = session_refused_recipient(s);
	if (!whole)
		a.decision = a.would = &failed;
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

/* The limits' present use, and what is paused; without it they are shown without. */
static void
open_database(struct gate *g, const struct policy *p)
{
	char error[512], relay[256];
	const char *why = "memory is short";
	int rc;

	g->reader = database_open(p, error, sizeof error);
	if (g->reader == NULL) {
		fprintf(stderr, "postern: the present use of the limits is not known: %s\n", error);
		return;
	}
	if ((g->pauses = pauses_new()) == NULL)
		return;
	relay_name(p, relay, sizeof relay);
	pauses_begin(g->pauses, relay);
	rc = store_reader_upstream(g->reader, pauses_add, g->pauses, &why);
	if (rc == 0)
		pauses_end(g->pauses, g->clock->wall_ms(g->clock->context), NULL);
	else if (rc != STORE_NO_DELIVERIES)
		fprintf(stderr, "postern: what is paused upstream is not known: %s\n", why);
}

/* A session without a store under the policy file; `t` is the message. */
static int
explain(const struct question *q, struct text *t)
{
	struct gate g = {.clock = clock_system(), .relay = "", .log = quiet};
	struct snapshot *snapshot = NULL;
	struct session *s = NULL;
	const char *warning;
	int r = 1;

	if ((g.signer = signer_opendkim(&warning)) == NULL) {
		fputs("postern explain: the DKIM library does not start\n", stderr);
	} else if ((snapshot = load(q->file)) != NULL && (g.snapshots = snapshot_holder_new(snapshot)) != NULL &&
		   (s = session_new(&g, &q->connect)) != NULL) {
		open_database(&g, snapshot->policy);
		r = ask(s, q, t, g.reader != NULL);
	}
	session_free(&s);
	pauses_free(&g.pauses);
	snapshot_holder_free(&g.snapshots);
	store_reader_close(&g.reader);
	return r;
}

int
command_explain(int argc, char **argv)
{
	struct question q = {.file = COMMAND_POLICY_FILE};
	struct text t = {0};
	const char *error;
	int r = 1;

	q.rcpt = calloc((size_t)argc + 1, sizeof *q.rcpt);
	if (q.rcpt != NULL)
		r = read_options(argc, argv, &q);
	if (r == 0 && q.help) {
		usage();
	} else if (r == 0 && q.is_past) {
		r = explain_past(q.file, q.message, q.json);
	} else if (r == 0 && q.message != NULL && saved_read(q.message, &t, &error) != 0) {
		fprintf(stderr, "postern explain: %s: %s\n", q.message, error);
		r = 1;
	} else if (r == 0) {
		r = explain(&q, &t);
	}
	text_free(&t);
	free(q.rcpt);
	return r;
}
