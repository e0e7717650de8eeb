/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that is short at any one point of a message that a rule stops: the
 * message is not let pass for it. Each allocation of the session fails in its
 * turn, until one message had none that failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/scenario/fake.h"
#include "tests/scenario/stage.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

static long fail_in; /* allocations until one fails; 0 never */

static bool
fails(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

#define MULTIPART "--b\r\n\r\nhello\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-2; name*=utf-8''a%2eexe\r\n" \
	"Content-Transfer-Encoding: base64\r\n\r\nU0VDUkVU\r\n--b--\r\n"

/* Rules that stop, hold or mark the message below. */
static const struct {
	const char *rule;
	enum action action;
} cases[] = {
	{"sender: '/^crm@/', recipients: external, action: reject", ACTION_REFUSE},
	{"subject: /geheim/, action: reject", ACTION_REFUSE},
	{"header: {X-Class: /geheim/}, action: reject", ACTION_REFUSE},
	{"body: /SECRET/, action: reject", ACTION_REFUSE},
	{"attachment: '*.exe', action: reject", ACTION_REFUSE},
	{"attachment-type: text/plain, action: reject", ACTION_REFUSE},
	{"body: ['!/missing/'], action: reject", ACTION_REFUSE},
	{"body: /SECRET/, action: hold", ACTION_HOLD},
	{"body: /SECRET/, action: tag, tag: 'X-Class: secret'", ACTION_ACCEPT},
};

static struct gate gate;
static unsigned failures;
static size_t messages;

static const struct reply *
send(struct session *s, const struct edit **edits_r)
{
	const struct session_mail mail = {.sender = "<crm@contoso.com>"};
	const struct reply *r = session_mail(s, &mail);

	*edits_r = NULL;
	if (r->action == ACTION_REFUSE)
		return r;
	r = session_rcpt(s, "<bob@example.net>", NULL, NULL, NULL);
	if (r->action == ACTION_REFUSE)
		return r;
	session_header(s, "From", " crm@contoso.com");
	session_header(s, "Subject", " =?iso-8859-2?q?ge?= =?utf-8?b?aGVpbQ==?=");
	session_header(s, "X-Class", " =?koi8-r?q?geheim?=");
	session_header(s, "Content-Type", " multipart/mixed; boundary=b");
	session_eoh(s);
	(void)session_body(s, MULTIPART, strlen(MULTIPART));
	return session_eom(s, NULL, edits_r);
}

static size_t
count(const struct edit *e, const char *name)
{
	size_t n = 0;

	for (; e != NULL; e = e->next)
		n += e->insert && text_same(e->name, name);
	return n;
}

/* Whether the message may end so: as the rule has it, or refused. */
static bool
is_good(size_t i, const struct reply *r, const struct edit *edits)
{
	if (r->action == ACTION_REFUSE)
		return r->code >= 400;
	if (r->action != cases[i].action)
		return false;
	return count(edits, "DKIM-Signature") == 1 && count(edits, "X-Class") == (cases[i].action == ACTION_ACCEPT);
}

static void
test_case(size_t i)
{
	struct session_connect c = {.name = "client.example"};
	char rule[200];
	bool was_short = true;

	snprintf(rule, sizeof rule, " - {name: x, %s}\n", cases[i].rule);
	stage_set(&gate, "rules.yaml", rule);
	if (ip_parse("10.1.2.3", &c.ip) != 0)
		exit(1);
	for (long n = 1; was_short; n++) {
		struct session *s = session_new(&gate, &c);
		const struct edit *edits;
		const struct reply *r;

		fail_in = n;
		r = send(s, &edits);
		was_short = fail_in == 0;
		fail_in = 0;
		messages++;
		if (!is_good(i, r, edits) || (!was_short && r->action != cases[i].action)) {
			printf("%s: allocation %ld: %s\n", cases[i].rule, n, r->action == ACTION_ACCEPT ? "accepted" : r->text);
			failures++;
		}
		session_free(&s);
	}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		test_case(i);
	stage_clear(&gate);
	printf("%zu messages, %u failed\n", messages, failures);
	return failures == 0 ? 0 : 1;
}
