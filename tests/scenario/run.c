/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scenario runner: text scripts replayed through gate/session with a fake
 * store, signer and clock. One command a line; a line that begins with "="
 * says what the last reply must have been. The scripts together must meet
 * every reason of the table.
 *
 *   policy FILE          a fresh gate under this policy file
 *   client ADDRESS|none|local      a new connection
 *   login NAME           for the next MAIL
 *   mail PATH [UNDERSTOOD]         helo, rcpt PATH [UNDERSTOOD [MAILER]]
 *   header NAME: VALUE   (\n in VALUE folds)
 *   body TEXT            (\0 \r \n are octets; *N TEXT repeats TEXT N times)
 *   eom, abort
 *   clock SECONDS        both clocks move on; wall SECONDS moves wall time alone
 *   store fails|works    signer fails|works
 *   = continue | accept | hold KEYWORD | discard | refuse CODE KEYWORD
 *   = would VERDICT KEYWORD        what the last record says of enforce
 *   = deletes N          how many fields the edits delete
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gate/session.h"
#include "policy/file/file.h"
#include "tests/scenario/fake.h"

#define LINE_SIZE 8192
#define REASONS_MAX 64

static struct gate gate;
static struct session *session;
static struct session_mail mail;
static char login[256];
static const struct reply *reply;
static const struct edit *edits;
static bool seen[REASONS_MAX];
static const char *script;
static unsigned line_number, failures, checks;

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	(void)is_error;
	(void)line;
}

static void
fail(const char *what, const char *detail)
{
	printf("%s:%u: %s %s\n", script, line_number, what, detail);
	failures++;
}

static void
end_policy(void)
{
	session_free(&session);
	snapshot_holder_free(&gate.snapshots);
	store_close(&gate.store);
}

static void
do_policy(const char *file)
{
	struct problems *problems = NULL;
	char path[1024];
	const char *dir = getenv("SCENARIOS");
	struct policy *p;
	struct snapshot *s;

	end_policy();
	snprintf(path, sizeof path, "%s/%s", dir == NULL ? "." : dir, file);
	p = policy_load(path, &problems);
	if (p == NULL) {
		problems_print(problems, stdout);
		fail("cannot load", path);
		exit(1);
	}
	problems_free(&problems);
	s = snapshot_new(p);
	gate.snapshots = s == NULL ? NULL : snapshot_holder_new(s);
	gate.store = fake_store();
	if (gate.snapshots == NULL || gate.store == NULL)
		exit(1);
}

static void
do_client(const char *who)
{
	struct session_connect c = {.name = "client.example"};

	session_free(&session);
	mail = (struct session_mail){.picked_up = strcmp(who, "local") == 0};
	if (strcmp(who, "none") != 0 && strcmp(who, "local") != 0 && ip_parse(who, &c.ip) != 0)
		fail("no address:", who);
	session = session_new(&gate, &c);
}

/* The octets that \n, \r and \0 stand for. */
static size_t
unescape(const char *s, char *out)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s == '\\' && s[1] != '\0') {
			s++;
			out[n++] = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s == '0' ? '\0' : *s;
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

static void
check(const char *expected)
{
	char buf[256];
	unsigned deletes = 0;

	checks++;
	if (strncmp(expected, "deletes ", 8) == 0) {
		for (const struct edit *e = edits; e != NULL; e = e->next)
			deletes += !e->insert;
		snprintf(buf, sizeof buf, "deletes %u", deletes);
	} else if (strncmp(expected, "would ", 6) == 0) {
		snprintf(buf, sizeof buf, "would %s %s", fake.last_would, fake.last_reason);
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
	mail.sender = word(&args);
	mail.understood = word(&args);
	mail.login = login[0] == '\0' ? NULL : login;
	reply = session_mail(session, &mail);
}

static void
do_rcpt(char *args)
{
	char *typed = word(&args), *understood = word(&args), *mailer = word(&args);

	reply = session_rcpt(session, typed, understood, mailer, "4QUEUE");
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
	} else if (strcmp(command, "store") == 0) {
		fake.store_fails = strcmp(args, "fails") == 0;
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
	command = word(&args);
	if (command == NULL || command[0] == '#')
		return;
	if (strcmp(command, "=") == 0)
		check(args);
	else if (strcmp(command, "policy") == 0)
		do_policy(args);
	else if (strcmp(command, "client") == 0)
		do_client(args);
	else if (strcmp(command, "login") == 0)
		snprintf(login, sizeof login, "%s", args);
	else if (strcmp(command, "mail") == 0)
		do_mail(args);
	else if (strcmp(command, "rcpt") == 0)
		do_rcpt(args);
	else if (strcmp(command, "header") == 0)
		do_header(args);
	else if (strcmp(command, "body") == 0)
		do_body(args);
	else if (strcmp(command, "eom") == 0)
		reply = session_eom(session, "4QUEUE", &edits);
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
	fake.store_fails = fake.signer_fails = false;
	login[0] = '\0';
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

	gate = (struct gate){.signer = fake_signer(), .clock = fake_clock(), .relay = "relay.contoso.com", .log = quiet};
	for (int i = 1; i < argc; i++)
		run_script(argv[i]);
	end_policy();
	for (size_t i = 0; i < n; i++) {
		if (!seen[i]) {
			printf("no scenario meets the reason %s\n", table[i].keyword);
			failures++;
		}
	}
	printf("%u passed, %u failed\n", checks - (failures < checks ? failures : checks), failures);
	return failures == 0 ? 0 : 1;
}
