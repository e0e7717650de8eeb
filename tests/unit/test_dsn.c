/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reports by mail, and those of who would like to be taken for a reporter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "maillog/dsn.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static struct dsn r;
static char *held;

/* The report in one line. */
static const char *
told(const char *text, size_t len)
{
	static const char *const kinds[] = {"other", "broken", "report"};
	static char buf[4000];
	int n;

	free(held);
	held = malloc(len + 1);
	memcpy(held, text, len);
	held[len] = '\0';
	dsn_read(held, len, &r);
	n = snprintf(buf, sizeof buf, "%s", kinds[r.kind]);
	if (r.kind != DSN_REPORT)
		return buf;
	n += snprintf(buf + n, sizeof buf - (size_t)n, " %s %s by %s", r.audit_id, r.message_id, r.reporter);
	for (size_t i = 0; i < r.n_recipients && i < 3; i++)
		n += snprintf(buf + n, sizeof buf - (size_t)n, " {%s|%s|%s|%s|%s|%s}", r.recipient[i].recipient, r.recipient[i].original,
			      r.recipient[i].action, r.recipient[i].status, r.recipient[i].remote, r.recipient[i].reply);
	if (r.n_broken > 0)
		snprintf(buf + n, sizeof buf - (size_t)n, " %zu broken", r.n_broken);
	return buf;
}

#define TOP "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
#define STATUS "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
#define ONE "Final-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.1.10\n"
#define BACK "--b\nContent-Type: message/rfc822\n\nX-Postern-Id: ID\nMessage-ID: <m>\n\nbody\n--b--\n"
#define IS "report ID <m> by mx.example {a@b.example||failed|5.1.10||}"

static const struct {
	const char *text, *told;
} messages[] = {
	{TOP STATUS ONE "\n" BACK, IS},
	/* Other mail. */
	{"", "other"},
	{"Subject: hello\n\nFinal-Recipient: rfc822;a@b.example\nAction: failed\n", "other"},
	{"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n" STATUS ONE BACK, "other"},
	{"Content-Type: multipart/mixed; boundary=b\n\n" STATUS ONE BACK, "other"},
	/* A report forwarded in a message is its text, not a report. */
	{"Content-Type: message/rfc822\n\n" TOP STATUS ONE "\n" BACK, "other"},
	/* Reports of which something is missing. */
	{"X-MS-Exchange-Message-Is-Ndr:\nContent-Type: text/plain\n\nDelivery has failed\n", "broken"},
	{TOP BACK, "broken"},
	{TOP STATUS "Action: failed\nStatus: 5.0.0\n\n" BACK, "broken"},
	{TOP STATUS "Final-Recipient: x400;/C=US/\nAction: failed\n\n" BACK, "broken"},
	{TOP STATUS "Final-Recipient: rfc822;a@b.example\nAction: bounced\n\n" BACK, "broken"},
	{"Content-Type: multipart/report; report-type=delivery-status\n\n" STATUS ONE BACK, "broken"},
	{TOP STATUS ONE "\nFinal-Recipient: rfc822;c@b.example\n\n" BACK, IS " 1 broken"},
	/* Without what is returned. */
	{TOP STATUS ONE "--b--\n", "report   by mx.example {a@b.example||failed|5.1.10||}"},
	/* How fields are written. */
	{"content-type:\tMULTIPART/REPORT;\r\n boundary = \"b\" ;\r\n\tREPORT-TYPE=Delivery-Status\r\n\r\n--b\r\nCONTENT-TYPE: Message/Delivery-Status\r\n\r\n"
	 "reporting-mta: DNS; mx.example \r\n\r\nfinal-recipient: RFC822; <a@b.example>\r\noriginal-recipient: rfc822;list@b.example\r\nACTION: Failed (relay)\r\n"
	 "status: 5.1.10 (bad mailbox)\r\nremote-mta: dns;mx2.example\r\ndiagnostic-code: smtp;550 5.1.10\r\n RESOLVER\r\n\t.ADR\r\n\r\n--b\r\n"
	 "Content-Type: text/rfc822-headers\r\n\r\nx-postern-id: ID\r\nMESSAGE-id:\r\n <m>\r\n--b--\r\n",
	 "report ID <m> by mx.example {a@b.example|list@b.example|failed|5.1.10|mx2.example|550 5.1.10 RESOLVER .ADR}"},
	{TOP STATUS ONE "Diagnostic-Code: X-Notes; gone; for good\n\nFinal-Recipient: rfc822;c@d.example\nAction: delayed\nStatus: 4.4.7\nWill-Retry-Until: x\n\n" BACK,
	 "report ID <m> by mx.example {a@b.example||failed|5.1.10||gone; for good} {c@d.example||delayed|4.4.7||}"},
	/* RFC 6533, and encodings. */
	{TOP "--b\nContent-Type: message/global-delivery-status\nContent-Transfer-Encoding: quoted-printable\n\nReporting-MTA: dns; mx.example\n\n"
	 "Final-Recipient: utf-8;j=C3=B6rg@b.example\nAction=3A failed\nStatus: 5.1.=\n10\n\n--b\nContent-Type: message/global-headers\n"
	 "Content-Transfer-Encoding: base64\n\nWC1Qb3N0ZXJuLUlkOiBJRApNZXNzYWdlLUlE\nOiA8bT4K\n--b--\n",
	 "report ID <m> by mx.example {j\xc3\xb6rg@b.example||failed|5.1.10||}"},
	{TOP "--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nRmluYWwtUmVjaXBpZW50OiByZmM4MjI7YUBi\nAAAA\nDQpBY3Rpb246IGZhaWxlZA==\n" BACK,
	 "report ID <m> by  {a@b||failed|||}"},
	/* Ambiguous ids are none. */
	{TOP STATUS ONE "\n--b\nContent-Type: message/rfc822\n\nX-Postern-Id: ID\nX-Postern-Id: OTHER\nMessage-ID: <m>\nMessage-ID: <m>\n\n--b--\n",
	 "report   by mx.example {a@b.example||failed|5.1.10||}"},
	/* Only the first status, and nothing of what is returned. */
	{TOP STATUS ONE "\n" STATUS "Final-Recipient: rfc822;evil@b.example\nAction: failed\n\n" BACK, IS},
	{TOP STATUS ONE "\n--b\nContent-Type: message/rfc822\n\nX-Postern-Id: ID\nMessage-ID: <m>\n\nX-Postern-Id: 2\nFinal-Recipient: rfc822;evil@b.example\nAction: failed\n--b--\n", IS},
	{TOP "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/plain\n\n" ONE "\n--c--\n" STATUS ONE "\n" BACK, IS},
};

static void
messages_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(messages); i++) {
		const char *found = told(messages[i].text, strlen(messages[i].text));

		if (strcmp(found, messages[i].told) != 0)
			fail_msg("message %zu:\n%s\nexpected %s\nfound    %s", i, messages[i].text, messages[i].told, found);
		if (r.kind == DSN_BROKEN)
			assert_string_not_equal(r.expected, "");
	}
}

static void
header_is_kept(void **state)
{
	static const char text[] = "Received: from a (mx.example [192.0.2.1])\n\tby relay\nReceived: second\nMessage-ID: <r>\nIn-Reply-To: <m>\n" TOP
				   STATUS ONE "\n" BACK;

	(void)state;
	told(text, strlen(text));
	assert_string_equal(r.received, "from a (mx.example [192.0.2.1]) by relay");
	assert_string_equal(r.id, "<r>");
	assert_string_equal(r.answers, "<m>");
}

/* Cut off anywhere, with octets of any kind. */
static void
any_cut_is_harmless(void **state)
{
	static const char text[] = TOP STATUS ONE "Diagnostic-Code: smtp;550 \x01\xff\0 x\n\n" BACK;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++)
		told(text, n);
	assert_int_equal(r.kind, DSN_REPORT);
	assert_string_equal(r.recipient[0].reply, "550 \x01\xff x");
}

static char *
repeat(const char *s, size_t n)
{
	size_t len = strlen(s);
	char *to = malloc(n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(to + i * len, s, len);
	to[n * len] = '\0';
	return to;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Depth, parts, recipients and long fields are bounded, in time too. */
static void
bombs_are_bounded(void **state)
{
	static const char *const pieces[] = {
		"--b\nContent-Type: multipart/mixed; boundary=b\n\n", "--b\n\n", "--b\n", " x\n", "\n", "a", "-", "--", "X-Postern-Id: 1\n",
		"--b\nContent-Type: message/delivery-status\n\n", "Final-Recipient: rfc822;a@b\nAction: failed\n\n", "Content-Type: multipart/x;\n b=\"\\",
	};
	static const char *const tops[] = {TOP, TOP STATUS, TOP "--b\n", TOP "--b\nContent-Type: message/rfc822\n\n", ""};

	(void)state;
	for (size_t k = 0; k < COUNT_OF(tops); k++)
		for (size_t i = 0; i < COUNT_OF(pieces); i++) {
			char *many = repeat(pieces[i], DSN_SIZE_MAX / strlen(pieces[i])), *text = malloc(DSN_SIZE_MAX + 1000);
			double before = seconds();

			sprintf(text, "%s%s", tops[k], many);
			told(text, strlen(text));
			if (seconds() - before > 2)
				fail_msg("%g s for %s behind %s", seconds() - before, pieces[i], tops[k]);
			assert_true(r.n_recipients <= DSN_RECIPIENTS_MAX);
			free(many);
			free(text);
		}
	/* A thousand recipients are two hundred, and the others are told. */
	char *many = repeat("Final-Recipient: rfc822;a@b\nAction: failed\n\n", 1000), *text = malloc(100000);

	sprintf(text, "%s%s", TOP STATUS, many);
	told(text, strlen(text));
	assert_int_equal(r.n_recipients, DSN_RECIPIENTS_MAX);
	assert_int_equal(r.n_broken, 800);
	free(many);
	free(text);
}

static const struct {
	const char *received, *client;
} clients[] = {
	{"from x (mail-a.outbound.protection.outlook.com [52.1.2.3]) (using TLSv1.3 with cipher X) by relay (Postfix) with ESMTPS id 1", "mail-a.outbound.protection.outlook.com[52.1.2.3]"},
	{"from x (unknown [192.0.2.1]) by relay", "unknown[192.0.2.1]"},
	{"from x (a [IPv6:2001:db8::1])", "a[2001:db8::1]"},
	{"from x ([192.0.2.1])", "[192.0.2.1]"},
	{"from x (localhost [127.0.0.1] (may be forged)) by relay", "[127.0.0.1]"},
	/* What a client writes into HELO stands before the first bracket. */
	{"from mail-a.outbound.protection.outlook.com[52.1.2.3] (evil [192.0.2.1]) by relay", "evil[192.0.2.1]"},
	{"from a ??b [52.1.2.3]? (evil [192.0.2.1])", NULL},
	{"from x (me@a.outbound.protection.outlook.com [192.0.2.1])", NULL},
	{"by relay (Postfix, from userid 0) id 1", NULL},
	{"from AM0PR05MB0001.eurprd05.prod.outlook.com (2603:10a6::1) by DB9.prod.outlook.com with HTTPS", NULL},
	{"from x (", NULL}, {"from x (a [", NULL}, {"from ", NULL}, {"", NULL}, {"from x (a [1 2])", NULL}, {"from x (a[m@x])", NULL}, {"from x ([])", "[]"}, {"from x (a  [1])", NULL},
};

static void
clients_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		char text[300], *found;

		snprintf(text, sizeof text, "%s", clients[i].received);
		found = dsn_client(text);
		if ((found == NULL) != (clients[i].client == NULL) || (found != NULL && strcmp(found, clients[i].client) != 0))
			fail_msg("%s: %s", clients[i].received, found == NULL ? "(none)" : found);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read), cmocka_unit_test(header_is_kept), cmocka_unit_test(any_cut_is_harmless),
		cmocka_unit_test(bombs_are_bounded), cmocka_unit_test(clients_are_read),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	free(held);
	return rc;
}
