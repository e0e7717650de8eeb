/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reports by mail. What is read lies within the message and is well formed; nothing depends on the octets
 * behind it; and in a report that is whole, the returned message changes nothing of the status.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maillog/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
require_text(const char *s, const char *text, size_t len)
{
	require(s[0] == '\0' || (s >= text && s + strlen(s) <= text + len));
	require(strpbrk(s, "\n") == NULL);
}

static void
check(const struct dsn *r, const char *text, size_t len)
{
	const char *const texts[] = {r->id, r->answers, r->received, r->reporter, r->audit_id, r->message_id};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		require_text(texts[i], text, len);
	require((r->kind == DSN_BROKEN) == (r->expected[0] != '\0'));
	require(r->n_recipients <= DSN_RECIPIENTS_MAX && (r->kind != DSN_REPORT || r->n_recipients > 0));
	for (size_t i = 0; i < r->n_recipients; i++) {
		const struct dsn_recipient *p = &r->recipient[i];

		require_text(p->recipient, text, len);
		require_text(p->original, text, len);
		require_text(p->status, text, len);
		require_text(p->remote, text, len);
		require_text(p->reply, text, len);
		require(strchr(p->recipient, '@') != NULL && strlen(p->recipient) <= 500 && p->action[0] != '\0');
		require(strspn(p->status, "0123456789.") == strlen(p->status));
	}
}

static char *
copy(const char *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	char *s = malloc(a_len + b_len + 1);

	require(s != NULL);
	memcpy(s, a, a_len);
	if (b_len > 0)
		memcpy(s + a_len, b, b_len);
	s[a_len + b_len] = '\0';
	return s;
}

/* A report with these octets as the body of what it returns. */
static void
check_returned(const uint8_t *data, size_t size)
{
	static const char begin[] = "Content-Type: multipart/report; report-type=delivery-status; boundary=\"=_b=_\"\n\n--=_b=_\n"
				    "Content-Type: message/delivery-status\n\nReporting-MTA: dns;a\n\nFinal-Recipient: rfc822;a@b\nAction: failed\n"
				    "\n--=_b=_\nContent-Type: message/rfc822\n\nX-Postern-Id: 1\nMessage-ID: <2>\n\n";
	static struct dsn r;
	char *text = copy(begin, strlen(begin), data, size);

	dsn_read(text, strlen(begin) + size, &r);
	require(r.kind == DSN_REPORT && r.n_recipients == 1 && r.n_broken == 0);
	require(strcmp(r.recipient[0].recipient, "a@b") == 0 && strcmp(r.reporter, "a") == 0);
	require(strcmp(r.audit_id, "1") == 0 && strcmp(r.message_id, "<2>") == 0);
	free(text);
}

static void
check_client(const uint8_t *data, size_t size)
{
	char *text = copy("", 0, data, size), *client;

	client = dsn_client(text);
	if (client != NULL)
		require(client >= text && client + strlen(client) <= text + size && strchr(client, '[') != NULL && strpbrk(client, " \t()@") == NULL);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dsn r;
	char *text;

	if (size > 65536)
		return 0;
	text = copy("", 0, data, size);
	dsn_read(text, size, &r);
	check(&r, text, size);
	free(text);
	check_returned(data, size);
	check_client(data, size);
	return 0;
}
