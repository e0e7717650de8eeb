/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scenario runner: text scripts replayed through gate/session with a fake
 * store, signer and clock. One command a line; a line that begins with "="
 * says what the last reply must have been. The scripts together must meet
 * every reason of the table.
 *
 *   policy FILE          a fresh gate under this policy file
 *   + LINE               lines that the policy file ends with from here on; the first of several
 *                        takes the place of those before; the client connects again
 *   client ADDRESS|none|local      a new connection
 *   login NAME, tls VERSION        for every MAIL from here on
 *   mail PATH [UNDERSTOOD]         helo, rcpt PATH [UNDERSTOOD [MAILER]]
 *   header NAME: VALUE   (\n in VALUE folds; \t, \xHH)
 *   headers N NAME: VALUE          so many of them; repeat NAME: N TEXT END a value of TEXT N times, END
 *   body TEXT            (\0 \r \n \xHH are octets; *N TEXT repeats TEXT N times)
 *   eom, abort
 *   begin [SENDER [RECIPIENT...]]  mail, rcpt and a From of the sender; without: crm to bob
 *   try [NAME: VALUE]    begin, header and eom; send [SENDER [RECIPIENT...]]  begin and eom
 *   rcpts N              so many recipients outside
 *   bulk N [SENDER]      a message to so many recipients outside; its reply, or that of the last recipient
 *   do N COMMAND         the command so many times
 *   clock SECONDS        both clocks move on; wall SECONDS moves wall time alone
 *   time YYYY-MM-DD HH:MM          sets wall time; the relay lives in UTC
 *   store fails|away|late|share|works    (late: it is away when it has weighed; share: it grants half of
 *                        each limit); signer fails|works
 *   said TENANT KEYWORD WHOSE      the next hop said this now; WHOSE is a sender, @domain or * (policy/pause.h)
 *   taken                and now it takes such mail again
 *   waiting N            so many held messages wait for each limit that holds
 *   = continue | accept | hold KEYWORD | discard | refuse CODE KEYWORD
 *   = would VERDICT [KEYWORD]      what the last record says of enforce
 *   = deletes N          how many fields the edits delete
 *   = tag NAME: VALUE    the edits add this field; = tags N says how many but our own
 *   = rules [NAME...]    those in the last record; behind the name "?" for unknown, "~" for on
 *                        trial, "*" for the one that decided
 *   = text TEXT          the reply holds it; = enhanced CODE
 *   = charged N          what the last message was charged
 *   = trace TEXT         the last record's trace holds it
 *   = unrecorded N       how many were let through so, in this script
 *   = signatures N       each over all of the body and the tags
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "gate/session.h"
#include "tests/scenario/fake.h"
#include "tests/scenario/stage.h"

#define LINE_SIZE 8192
#define REASONS_MAX 64

static struct gate gate;
static struct session *session;
static struct session_mail mail;
static char client[64], login[256], tls[64];
static char policy_name[256];
static struct text more;             /* lines for the end of the policy file */
static bool has_more;                /* the policy is not loaded with them yet */
static const struct reply *reply;
static const struct edit *edits;
static bool seen[REASONS_MAX];
static const char *script;
static unsigned line_number, failures, checks;

static void
fail(const char *what, const char *detail)
{
	printf("%s:%u: %s %s\n", script, line_number, what, detail);
	failures++;
}

static void
end_session(void)
{
	session_free(&session);
	reply = NULL;
	edits = NULL;
}

static void
do_policy(const char *file)
{
	snprintf(policy_name, sizeof policy_name, "%s", file);
	text_clear(&more);
	has_more = true; /* it is loaded with the lines that follow */
}

static void
do_client(const char *who)
{
	struct session_connect c = {.name = "client.example"};

	end_session();
	if (who != client)
		snprintf(client, sizeof client, "%s", who);
	mail = (struct session_mail){.picked_up = strcmp(who, "local") == 0};
	if (strcmp(who, "none") != 0 && strcmp(who, "local") != 0 && ip_parse(who, &c.ip) != 0)
		fail("no address:", who);
	session = session_new(&gate, &c);
}

static void
load_more(void)
{
	has_more = false;
	end_session();
	stage_set(&gate, policy_name, text_string(&more));
	if (client[0] != '\0')
		do_client(client);
}

static void
do_more(const char *line)
{
	if (!has_more)
		text_clear(&more);
	has_more = true;
	text_printf(&more, "%s\n", line);
}

/* The octets that \n, \r and \0 stand for. */
static size_t
unescape(const char *s, char *out)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		unsigned octet;

		if (sscanf(s, "\\x%2x", &octet) == 1) {
			out[n++] = (char)(unsigned char)octet;
			s += 3;
		} else if (*s == '\\' && s[1] != '\0') {
			s++;
			out[n++] = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s == 't' ? '\t' : *s == '0' ? '\0' : *s;
		} else {
			out[n++] = *s;
		}
	}
	out[n] = '\0';
	return n;
}

static void
do_header(char *text)
{
	char *colon = strchr(text, ':'), value[LINE_SIZE];

	if (colon == NULL) {
		fail("no colon:", text);
		return;
	}
	*colon = '\0';
	unescape(colon + 1, value);
	session_header(session, text, value);
}

static void
do_headers(char *text)
{
	char one[LINE_SIZE];

	for (unsigned long n = strtoul(text, &text, 10); n > 0; n--) {
		snprintf(one, sizeof one, "%s", text + strspn(text, " "));
		do_header(one);
	}
}

static void
do_body(char *text)
{
	char data[LINE_SIZE], *rest;
	unsigned long times = 1;
	size_t n;

	if (*text == '*') {
		times = strtoul(text + 1, &rest, 10);
		text = *rest == ' ' ? rest + 1 : rest;
	}
	n = unescape(text, data);
	while (times-- > 0)
		session_body(session, data, n);
}

static const char *
actual(char *buf, size_t size)
{
	char keyword[128] = "";

	if (reply->text != NULL && reply->text[0] == '[')
		snprintf(keyword, sizeof keyword, "%.*s", (int)strcspn(reply->text + 1, "]"), reply->text + 1);
	if (reply->action == ACTION_REFUSE)
		snprintf(buf, size, "refuse %d %s", reply->code, keyword);
	else if (reply->action == ACTION_HOLD)
		snprintf(buf, size, "hold %s", keyword);
	else
		snprintf(buf, size, "%s", reply->action == ACTION_CONTINUE ? "continue"
			 : reply->action == ACTION_ACCEPT ? "accept" : "discard");
	return keyword[0] == '\0' ? "" : buf;
}

static void
note_reason(const char *keyword)
{
	size_t n;
	const struct reason *table = reason_table(&n), *r = reason_find(keyword);

	if (r == NULL)
		fail("a reason that is not in the table:", keyword);
	else if ((size_t)(r - table) < REASONS_MAX)
		seen[r - table] = true;
}

static size_t
inserted(const char *name, const char *value)
{
	size_t n = 0;

	for (const struct edit *e = edits; e != NULL; e = e->next)
		if (e->insert && (name == NULL ? strcmp(e->name, "X-Postern-Id") != 0 && strcmp(e->name, "DKIM-Signature") != 0
				  : strcmp(e->name, name) == 0 && (value == NULL || strcmp(e->value, value) == 0)))
			n++;
	return n;
}

/* How many signatures; each covers the fields that are added, in the order in
 * which they will stand, each on top of those before, and the whole body. */
static void
signatures(char *buf, size_t size)
{
	const struct message *m = session_message(session);
	const struct edit *last = NULL;
	struct text added = {0};

	while (last != edits) {
		const struct edit *e = edits;

		while (e->next != last)
			e = e->next;
		if (e->insert && strcmp(e->name, "X-Postern-Id") != 0 && strcmp(e->name, "DKIM-Signature") != 0)
			text_printf(&added, "%s: %s|", e->name, e->value);
		last = e;
	}
	snprintf(buf, size, "signatures %zu", inserted("DKIM-Signature", NULL));
	if (inserted("DKIM-Signature", NULL) > 0 && strcmp(text_string(&added), fake.last_added) != 0)
		snprintf(buf, size, "a signature over the fields %s but not %s", fake.last_added, text_string(&added));
	if (inserted("DKIM-Signature", NULL) > 0 && m->body.octets != fake.last_body)
		snprintf(buf, size, "a signature over %u octets of %u", (unsigned)fake.last_body, (unsigned)m->body.octets);
	text_free(&added);
}

/* What there is to be said where `expected` asks for it; false when it is the
 * reply it asks for. */
static bool
actual_fact(const char *expected, char *buf, size_t size)
{
	size_t deletes = 0;
	const char *colon = strstr(expected, ": ");
	char name[128];

	for (const struct edit *e = edits; e != NULL; e = e->next)
		deletes += !e->insert;
	if (strncmp(expected, "deletes ", 8) == 0) {
		snprintf(buf, size, "deletes %zu", deletes);
	} else if (strncmp(expected, "would ", 6) == 0) {
		snprintf(buf, size, "would %s%s%s", fake.last_would, fake.last_reason[0] == '\0' ? "" : " ", fake.last_reason);
	} else if (strncmp(expected, "tags ", 5) == 0) {
		snprintf(buf, size, "tags %zu", inserted(NULL, NULL));
	} else if (strncmp(expected, "tag ", 4) == 0 && colon != NULL) {
		snprintf(name, sizeof name, "%.*s", (int)(colon - expected) - 4, expected + 4);
		snprintf(buf, size, "%s", inserted(name, colon + 2) == 1 ? expected : "not once that tag");
	} else if (strcmp(expected, "rules") == 0 || strncmp(expected, "rules ", 6) == 0) {
		snprintf(buf, size, "rules%s", fake.last_rules);
	} else if (strncmp(expected, "charged ", 8) == 0) {
		snprintf(buf, size, "charged %u", fake.last_charged);
	} else if (strncmp(expected, "trace ", 6) == 0) {
		snprintf(buf, size, "%s", strstr(fake.last_trace, expected + 6) != NULL ? expected : "another trace");
	} else if (strncmp(expected, "unrecorded ", 11) == 0) {
		snprintf(buf, size, "unrecorded %u", fake.unrecorded);
	} else if (strncmp(expected, "signatures ", 11) == 0) {
		signatures(buf, size);
	} else {
		return false;
	}
	return true;
}

static bool
actual_detail(const char *expected, char *buf, size_t size)
{
	if (reply == NULL)
		return false;
	if (strncmp(expected, "text ", 5) == 0)
		snprintf(buf, size, "%s", strstr(reply->text, expected + 5) != NULL ? expected : "another text");
	else if (strncmp(expected, "enhanced ", 9) == 0)
		snprintf(buf, size, "enhanced %s", reply->enhanced);
	else
		return false;
	return true;
}

static void
check(const char *expected)
{
	char buf[512];

	checks++;
	if (actual_fact(expected, buf, sizeof buf) || actual_detail(expected, buf, sizeof buf)) {
		;
	} else if (reply == NULL) {
		snprintf(buf, sizeof buf, "no reply");
	} else {
		actual(buf, sizeof buf);
		if (reply->action == ACTION_REFUSE || reply->action == ACTION_HOLD)
			note_reason(strrchr(buf, ' ') + 1);
	}
	if (strcmp(buf, expected) != 0) {
		printf("%s:%u: expected \"%s\", got \"%s\"%s%s\n", script, line_number, expected, buf,
		       reply != NULL && reply->text[0] != '\0' ? ": " : "", reply != NULL ? reply->text : "");
		failures++;
	}
}

/* Cuts the next word off. */
static char *
word(char **rest)
{
	char *s = *rest + strspn(*rest, " ");

	*rest = s + strcspn(s, " ");
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return *s == '\0' ? NULL : s;
}

static void
do_mail(char *args)
{
	edits = NULL;
	mail.sender = word(&args);
	mail.understood = word(&args);
	mail.login = login[0] == '\0' ? NULL : login;
	mail.tls = tls[0] == '\0' ? NULL : tls;
	reply = session_mail(session, &mail);
}

static void
do_rcpt(char *args)
{
	char *typed = word(&args), *understood = word(&args), *mailer = word(&args);

	reply = session_rcpt(session, typed, understood, mailer, "4QUEUE");
}

static void
do_begin(char *args)
{
	const char *sender = word(&args), *recipient = word(&args);
	char path[256];

	mail.sender = sender == NULL ? "<crm@contoso.com>" : sender;
	mail.understood = NULL;
	mail.login = login[0] == '\0' ? NULL : login;
	mail.tls = tls[0] == '\0' ? NULL : tls;
	edits = NULL;
	reply = session_mail(session, &mail);
	do {
		reply = session_rcpt(session, recipient == NULL ? "<bob@example.net>" : recipient, NULL, NULL, "4QUEUE");
	} while ((recipient = word(&args)) != NULL);
	snprintf(path, sizeof path, " %s", mail.sender);
	session_header(session, "From", path);
}

/* A field with a text so many times, and an end. */
static void
do_repeat(char *args)
{
	const char *name = word(&args), *times = word(&args), *what = word(&args);
	struct text field = {0};

	text_printf(&field, "%s ", name);
	for (unsigned long n = times == NULL ? 0 : strtoul(times, NULL, 10); n > 0 && what != NULL; n--)
		text_add(&field, what);
	text_add(&field, args);
	do_header(field.s);
	text_free(&field);
}

static void
do_eom(void)
{
	reply = session_eom(session, "4QUEUE", &edits);
}

static void
do_try(char *header)
{
	char none[1] = "";

	do_begin(none);
	if (*header != '\0')
		do_header(header);
	do_eom();
}

static void
do_send(char *args)
{
	do_begin(args);
	do_eom();
}

static void
do_rcpts(const char *args)
{
	unsigned long n = strtoul(args, NULL, 10);
	char path[64];

	for (unsigned long i = 1; i <= n; i++) {
		snprintf(path, sizeof path, "<n%lu@example.net>", i);
		reply = session_rcpt(session, path, NULL, NULL, "4QUEUE");
	}
}

static void
do_bulk(char *args)
{
	const char *n = word(&args), *sender = word(&args);
	char path[256];

	mail.sender = sender == NULL ? "<crm@contoso.com>" : sender;
	mail.understood = NULL;
	edits = NULL;
	reply = session_mail(session, &mail);
	if (reply->action != ACTION_REFUSE)
		do_rcpts(n);
	if (reply->action == ACTION_REFUSE)
		return;
	snprintf(path, sizeof path, " %s", mail.sender);
	session_header(session, "From", path);
	do_eom();
}

static void run_line(char *line);

static void
do_times(char *args)
{
	char *times = word(&args), line[LINE_SIZE];

	for (unsigned long n = times == NULL ? 0 : strtoul(times, NULL, 10); n > 0; n--) {
		snprintf(line, sizeof line, "%s", args);
		run_line(line);
	}
}

/* Sets wall time; TZ is UTC. */
static void
do_time(const char *text)
{
	struct tm day = {.tm_isdst = 0};

	if (sscanf(text, "%d-%d-%d %d:%d", &day.tm_year, &day.tm_mon, &day.tm_mday, &day.tm_hour, &day.tm_min) != 5)
		fail("no time:", text);
	day.tm_year -= 1900;
	day.tm_mon--;
	fake.wall_ms = (int64_t)mktime(&day) * 1000;
}

static struct store_upstream upstream; /* what was said last */
static char said_words[3][256];

static void
put_upstream(void)
{
	if (gate.pauses == NULL)
		gate.pauses = pauses_new();
	pauses_begin(gate.pauses, gate.relay);
	(void)pauses_add(gate.pauses, &upstream);
	pauses_end(gate.pauses, fake.wall_ms, NULL);
}

static void
do_said(const char *words)
{
	const struct pause_rule *r;

	if (sscanf(words, "%255s %255s %255s", said_words[0], said_words[1], said_words[2]) != 3 ||
	    (r = pause_rule(said_words[1])) == NULL) {
		fail("no reply that stops mail:", words);
		return;
	}
	upstream = (struct store_upstream){
		.tenant = said_words[0], .keyword = r->keyword, .sender = strcmp(said_words[2], "*") == 0 ? "" : said_words[2], .relay = "",
		.reply = "550 as it was said", .external_only = r->external_only, .wait_ms = r->wait_ms,
		.since = fake.wall_ms, .said = fake.wall_ms, .times = 1,
	};
	put_upstream();
}

static void
do_world(const char *command, const char *args)
{
	int64_t seconds = strtoll(args, NULL, 10);

	if (strcmp(command, "clock") == 0) {
		fake.boot_ms += seconds * 1000;
		fake.wall_ms += seconds * 1000;
	} else if (strcmp(command, "wall") == 0) {
		fake.wall_ms += seconds * 1000;
	} else if (strcmp(command, "time") == 0) {
		do_time(args);
	} else if (strcmp(command, "store") == 0) {
		fake.store_late = strcmp(args, "late") == 0;
		fake.shares = strcmp(args, "share") == 0 ? 2 : 0;
		fake.store_away = fake.store_late || strcmp(args, "away") == 0;
		fake.store_fails = fake.store_away || strcmp(args, "fails") == 0;
	} else if (strcmp(command, "said") == 0) {
		do_said(args);
	} else if (strcmp(command, "taken") == 0) {
		upstream.good = fake.wall_ms;
		put_upstream();
	} else if (strcmp(command, "waiting") == 0) {
		fake.waiting = (uint64_t)seconds;
	} else if (strcmp(command, "signer") == 0) {
		fake.signer_fails = strcmp(args, "fails") == 0;
	} else {
		fail("no such command:", command);
	}
}

static void
run_line(char *line)
{
	char *args = line, *command;

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '+') {
		do_more(line + 1);
		return;
	}
	command = word(&args);
	if (command == NULL || command[0] == '#')
		return;
	if (has_more)
		load_more();
	if (strcmp(command, "=") == 0)
		check(args);
	else if (strcmp(command, "policy") == 0)
		do_policy(args);
	else if (strcmp(command, "client") == 0)
		do_client(args);
	else if (strcmp(command, "login") == 0)
		snprintf(login, sizeof login, "%s", args);
	else if (strcmp(command, "tls") == 0)
		snprintf(tls, sizeof tls, "%s", args);
	else if (strcmp(command, "mail") == 0)
		do_mail(args);
	else if (strcmp(command, "rcpt") == 0)
		do_rcpt(args);
	else if (strcmp(command, "header") == 0)
		do_header(args);
	else if (strcmp(command, "headers") == 0)
		do_headers(args);
	else if (strcmp(command, "repeat") == 0)
		do_repeat(args);
	else if (strcmp(command, "body") == 0)
		do_body(args);
	else if (strcmp(command, "begin") == 0)
		do_begin(args);
	else if (strcmp(command, "try") == 0)
		do_try(args);
	else if (strcmp(command, "send") == 0)
		do_send(args);
	else if (strcmp(command, "rcpts") == 0)
		do_rcpts(args);
	else if (strcmp(command, "bulk") == 0)
		do_bulk(args);
	else if (strcmp(command, "do") == 0)
		do_times(args);
	else if (strcmp(command, "eom") == 0)
		do_eom();
	else if (strcmp(command, "abort") == 0)
		session_abort(session);
	else
		do_world(command, args);
}

static void
run_script(const char *name)
{
	char line[LINE_SIZE];
	FILE *f = fopen(name, "r");

	script = name;
	line_number = 0;
	fake.store_fails = fake.store_away = fake.store_late = fake.signer_fails = false;
	fake.unrecorded = 0;
	fake.waiting = 0;
	fake.shares = 0;
	client[0] = login[0] = tls[0] = '\0';
	edits = NULL;
	if (f == NULL) {
		fail("cannot open", name);
		return;
	}
	while (fgets(line, sizeof line, f) != NULL) {
		line_number++;
		run_line(line);
	}
	fclose(f);
}

int
main(int argc, char **argv)
{
	size_t n;
	const struct reason *table = reason_table(&n);

	setenv("TZ", "UTC", 1);
	tzset();
	for (int i = 1; i < argc; i++)
		run_script(argv[i]);
	end_session();
	stage_clear(&gate);
	text_free(&more);
	for (size_t i = 0; i < n; i++) {
		if (!seen[i]) {
			printf("no scenario meets the reason %s\n", table[i].keyword);
			failures++;
		}
	}
	printf("%u passed, %u failed\n", checks - (failures < checks ? failures : checks), failures);
	return failures == 0 ? 0 : 1;
}
