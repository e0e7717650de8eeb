/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A load generator: mail sessions to a milter, as an MTA would hold them,
 * for a given time. Usage:
 *   milter-load [-c SESSIONS] [-k MESSAGES] [-b OCTETS] [-t SECONDS] [-a APPS] SOCKET
 * Prints one JSON object. Session n is client 10.77.(n mod APPS).1 and sends
 * as app(n mod APPS)@contoso.com.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libmilter/mfdef.h>

#include "tests/bench/load.h"

#define CHUNK 65535
#define SESSIONS_MAX 256

static struct {
	const char *socket;
	int sessions, messages, apps;
	size_t octets;
	double seconds;
	char *body;
	double end;
} plan = {.sessions = 1, .messages = 20, .apps = 50, .octets = 2048, .seconds = 2};

struct worker {
	pthread_t thread;
	struct wire wire;
	int number;
	long sent, signatures, refused, errors;
	float *took;             /* microseconds of each message */
	size_t n_took, size_took;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A packet's data: strings, each with its NUL. */
struct data {
	char s[512];
	size_t len;
};

static void
add(struct data *d, const char *s)
{
	size_t n = strlen(s) + 1;

	if (d->len + n > sizeof d->s)
		abort();
	memcpy(d->s + d->len, s, n);
	d->len += n;
}

/* Macros of a stage, unless the filter leaves that stage out. */
static void
macros(struct wire *w, char stage, uint32_t leave_out, const char *const *pairs)
{
	struct data d = {.s = {stage}, .len = 1};

	if ((w->steps & leave_out) != 0)
		return;
	for (; *pairs != NULL; pairs++)
		add(&d, *pairs);
	wire_put(w, SMFIC_MACRO, d.s, d.len);
}

static int
step(struct worker *t, char command, const char *a, const char *b, uint32_t leave_out, uint32_t silent)
{
	struct data d = {.len = 0};

	if (a != NULL)
		add(&d, a);
	if (b != NULL)
		add(&d, b);
	return wire_step(&t->wire, command, d.s, d.len, leave_out, silent);
}

static int
greet(struct worker *t)
{
	struct wire *w = &t->wire;
	struct data d = {.len = 0};
	char address[32];

	snprintf(address, sizeof address, "10.77.%d.1", t->number % plan.apps);
	macros(w, SMFIC_CONNECT, SMFIP_NOCONNECT, (const char *const[]){"j", "relay.contoso.com", "{daemon_name}", "relay",
	       "{client_addr}", address, "{client_name}", "app.contoso.com", NULL});
	add(&d, "app.contoso.com");
	memcpy(d.s + d.len, "4\x30\x39", 3); /* IPv4, port 12345 */
	d.len += 3;
	add(&d, address);
	if (wire_step(w, SMFIC_CONNECT, d.s, d.len, SMFIP_NOCONNECT, SMFIP_NR_CONN) != SMFIR_CONTINUE)
		return -1;
	return step(t, SMFIC_HELO, "app.contoso.com", NULL, SMFIP_NOHELO, SMFIP_NR_HELO) == SMFIR_CONTINUE ? 0 : -1;
}

/* The envelope; false when the filter refused it or failed. */
static bool
envelope(struct worker *t, const char *id)
{
	struct wire *w = &t->wire;
	char sender[64], bare[48];

	snprintf(bare, sizeof bare, "app%d@contoso.com", t->number % plan.apps);
	snprintf(sender, sizeof sender, "<%s>", bare);
	macros(w, SMFIC_MAIL, SMFIP_NOMAIL, (const char *const[]){"{mail_mailer}", "smtp",
	       "{mail_host}", "contoso.com", "{mail_addr}", bare, NULL});
	if (step(t, SMFIC_MAIL, sender, NULL, SMFIP_NOMAIL, SMFIP_NR_MAIL) != SMFIR_CONTINUE)
		return false;
	macros(w, SMFIC_RCPT, SMFIP_NORCPT, (const char *const[]){"i", id, "{rcpt_mailer}", "smtp",
	       "{rcpt_host}", "example.net", "{rcpt_addr}", "bob@example.net", NULL});
	if (step(t, SMFIC_RCPT, "<bob@example.net>", NULL, SMFIP_NORCPT, SMFIP_NR_RCPT) != SMFIR_CONTINUE)
		return false;
	macros(w, SMFIC_DATA, SMFIP_NODATA, (const char *const[]){"i", id, NULL});
	return step(t, SMFIC_DATA, NULL, NULL, SMFIP_NODATA, SMFIP_NR_DATA) == SMFIR_CONTINUE;
}

static bool
header(struct worker *t, const char *name, const char *value)
{
	char spaced[256];

	snprintf(spaced, sizeof spaced, "%s%s", (t->wire.steps & SMFIP_HDR_LEADSPC) != 0 ? " " : "", value);
	return step(t, SMFIC_HEADER, name, spaced, SMFIP_NOHDRS, SMFIP_NR_HDR) == SMFIR_CONTINUE;
}

/* Eleven fields, as an application writes them. */
static bool
headers(struct worker *t, const char *id)
{
	char from[96], message_id[96];

	snprintf(from, sizeof from, "The application <app%d@contoso.com>", t->number % plan.apps);
	snprintf(message_id, sizeof message_id, "<%s.%d@contoso.com>", id, t->number);
	return header(t, "From", from) && header(t, "To", "Bob Example <bob@example.net>") &&
	       header(t, "Subject", "Your order of last week,\n\tand what became of it") &&
	       header(t, "Date", "Mon, 2 Nov 2026 10:00:00 +0000") && header(t, "Message-ID", message_id) &&
	       header(t, "Reply-To", "orders@contoso.com") && header(t, "MIME-Version", "1.0") &&
	       header(t, "Content-Type", "text/plain; charset=utf-8") &&
	       header(t, "Content-Transfer-Encoding", "7bit") && header(t, "X-Mailer", "application 3.1") &&
	       header(t, "X-Order", id);
}

/* The body in chunks; stops when the filter has seen enough. The letter of
 * the last reply. */
static int
body(struct worker *t)
{
	int letter = SMFIR_CONTINUE;

	if ((t->wire.steps & SMFIP_NOBODY) != 0)
		return letter;
	for (size_t at = 0; at < plan.octets && letter == SMFIR_CONTINUE; at += CHUNK) {
		size_t n = plan.octets - at < CHUNK ? plan.octets - at : CHUNK;

		letter = wire_step(&t->wire, SMFIC_BODY, plan.body + at, n, 0, SMFIP_NR_BODY);
	}
	return letter == SMFIR_SKIP ? SMFIR_CONTINUE : letter;
}

/* 1 taken, 0 refused, -1 failed. */
static int
message(struct worker *t)
{
	char id[32];
	int letter;

	snprintf(id, sizeof id, "4X%02d%08ld", t->number, t->sent);
	t->wire.signatures = 0;
	if (!envelope(t, id) || !headers(t, id) ||
	    step(t, SMFIC_EOH, NULL, NULL, SMFIP_NOEOH, SMFIP_NR_EOH) != SMFIR_CONTINUE || body(t) != SMFIR_CONTINUE)
		return 0;
	macros(&t->wire, SMFIC_BODYEOB, 0, (const char *const[]){"i", id, NULL});
	wire_put(&t->wire, SMFIC_BODYEOB, NULL, 0);
	letter = wire_reply(&t->wire);
	return letter < 0 ? -1 : letter == SMFIR_CONTINUE || letter == SMFIR_ACCEPT;
}

static void
remember(struct worker *t, double seconds)
{
	if (t->n_took == t->size_took) {
		t->size_took = t->size_took * 2 + 1024;
		t->took = realloc(t->took, t->size_took * sizeof *t->took);
		if (t->took == NULL)
			abort();
	}
	t->took[t->n_took++] = (float)(seconds * 1e6);
}

static void
session(struct worker *t)
{
	if (wire_open(&t->wire, plan.socket) != 0) {
		t->errors++;
		usleep(1000);
		return;
	}
	if (greet(t) != 0)
		t->errors++;
	for (int i = 0; i < plan.messages && now() < plan.end; i++) {
		double began = now();
		int r = message(t);

		if (r != 1) {
			t->errors += r < 0;
			t->refused += r == 0;
			break;
		}
		t->sent++;
		t->signatures += t->wire.signatures;
		remember(t, now() - began);
	}
	wire_close(&t->wire);
}

static void *
work(void *context)
{
	struct worker *t = context;

	while (now() < plan.end)
		session(t);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
report(struct worker *all, double seconds)
{
	static const double at[] = {0.5, 0.95, 0.99, 1};
	static const char *const name[] = {"p50", "p95", "p99", "max"};
	struct worker sum = {0};

	for (int i = 0; i < plan.sessions; i++) {
		sum.sent += all[i].sent;
		sum.signatures += all[i].signatures;
		sum.refused += all[i].refused;
		sum.errors += all[i].errors;
		for (size_t j = 0; j < all[i].n_took; j++)
			remember(&sum, (double)all[i].took[j] / 1e6);
	}
	printf("{\"messages\": %ld, \"signatures\": %ld, \"refused\": %ld, \"errors\": %ld, \"seconds\": %.3f, "
	       "\"rate\": %.1f",
	       sum.sent, sum.signatures, sum.refused, sum.errors, seconds, (double)sum.sent / seconds);
	if (sum.n_took > 0)
		qsort(sum.took, sum.n_took, sizeof *sum.took, compare);
	for (size_t i = 0; i < 4 && sum.n_took > 0; i++)
		printf(", \"%s\": %.0f", name[i], (double)sum.took[(size_t)((double)(sum.n_took - 1) * at[i])]);
	printf("}\n");
	free(sum.took);
}

/* Lines of words, 72 octets each. */
static void
make_body(void)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog and thinks of its supper.\r\n";

	plan.body = malloc(plan.octets + sizeof line);
	if (plan.body == NULL)
		abort();
	for (size_t at = 0; at < plan.octets; at += sizeof line - 1)
		memcpy(plan.body + at, line, sizeof line);
	if (plan.octets >= 2)
		memcpy(plan.body + plan.octets - 2, "\r\n", 2);
}

int
main(int argc, char **argv)
{
	static struct worker all[SESSIONS_MAX];
	double began;
	int c;

	while ((c = getopt(argc, argv, "c:k:b:t:a:")) != -1) {
		switch (c) {
		case 'c': plan.sessions = atoi(optarg); break;
		case 'k': plan.messages = atoi(optarg); break;
		case 'b': plan.octets = strtoul(optarg, NULL, 10); break;
		case 't': plan.seconds = strtod(optarg, NULL); break;
		case 'a': plan.apps = atoi(optarg); break;
		default: return 2;
		}
	}
	if (optind + 1 != argc || plan.sessions < 1 || plan.sessions > SESSIONS_MAX || plan.apps < 1 || plan.apps > 256) {
		fprintf(stderr, "usage: milter-load [-c SESSIONS] [-k MESSAGES] [-b OCTETS] [-t SECONDS] [-a APPS] SOCKET\n");
		return 2;
	}
	plan.socket = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	make_body();
	began = now();
	plan.end = began + plan.seconds;
	for (int i = 0; i < plan.sessions; i++) {
		all[i].number = i;
		if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0)
			return 1;
	}
	for (int i = 0; i < plan.sessions; i++)
		pthread_join(all[i].thread, NULL);
	report(all, now() - began);
	return 0;
}
