/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of an MTA's log. What is read lies within the line and is well formed; a second
 * clock, which has read nothing, reads the same; and a server's words behind a line that is whole
 * change nothing but the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maillog/maillog.h"

#define NOW INT64_C(1795525200000)
#define LINE_MAX_SIZE 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
require_within(const char *s, const char *line, size_t len)
{
	require(s[0] == '\0' || (s >= line && s + strlen(s) <= line + len));
}

static bool
is_status(const char *s)
{
	return strcmp(s, "sent") == 0 || strcmp(s, "deferred") == 0 || strcmp(s, "bounced") == 0;
}

static void
check(struct maillog_event *e, const char *line, size_t len)
{
	const char *const texts[] = {e->pid, e->queue_id, e->old_id, e->original, e->next_hop, e->dsn, e->text, e->tls};
	const char *r;
	size_t n = 0;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		require_within(texts[i], line, len);
	require(e->kind != MAILLOG_SENDER || e->sender != NULL);
	if (e->sender != NULL)
		require_within(e->sender, line, len);
	require(e->kind == MAILLOG_TLS || e->queue_id[0] != '\0');
	require(strspn(e->queue_id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(e->queue_id));
	require(strspn(e->dsn, "0123456789.") == strlen(e->dsn));
	require(maillog_host_length(e->next_hop) <= strlen(e->next_hop));
	if (e->kind != MAILLOG_DELIVERY)
		return;
	require(is_status(e->status));
	for (; (r = maillog_recipient(e)) != NULL; n++)
		require_within(r, line, len);
	require(n <= len);
}

static void
check_again(const char *line, size_t len, const struct maillog_event *first)
{
	static char copy[LINE_MAX_SIZE + 100];
	struct maillog_clock clock = {.now_ms = NOW};
	struct maillog_event e;

	memcpy(copy, line, len + 1);
	e = maillog_read(copy, len, &clock);
	require(e.kind == first->kind && e.time == first->time && strcmp(e.queue_id, first->queue_id) == 0);
}

/* A line of Postfix' that ends in these octets, as words of a server. */
static void
check_words(const char *words, size_t len)
{
	static const char begin[] = "Nov 24 12:58:01 relay postfix/smtp[1]: 4F9D195432C: to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, "
				    "dsn=5.0.0, status=bounced (";
	static char line[LINE_MAX_SIZE + 400];
	struct maillog_clock clock = {.now_ms = NOW};
	struct maillog_event e;
	size_t n = strlen(begin);

	memcpy(line, begin, n);
	memcpy(line + n, words, len);
	n += len;
	memcpy(line + n, ")", 2);
	e = maillog_read(line, n + 1, &clock);
	require(e.kind == MAILLOG_DELIVERY && strcmp(e.status, "bounced") == 0 && strcmp(e.next_hop, "mx[192.0.2.1]:25") == 0);
	require(strcmp(e.dsn, "5.0.0") == 0 && strcmp(e.queue_id, "4F9D195432C") == 0 && strlen(e.text) == len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maillog_clock clock = {.now_ms = NOW};
	const char *s = (const char *)data, *end = s + size;

	while (s < end) {
		const char *at = memchr(s, '\n', (size_t)(end - s));
		size_t len = at == NULL ? (size_t)(end - s) : (size_t)(at - s);
		struct maillog_event e;
		char *line, *whole;

		if (len > LINE_MAX_SIZE)
			break;
		line = calloc(1, len + 1);
		whole = calloc(1, len + 1);
		require(line != NULL && whole != NULL);
		memcpy(line, s, len);
		memcpy(whole, s, len);
		if (memchr(s, '\0', len) == NULL)
			check_words(s, len);
		e = maillog_read(line, len, &clock);
		check_again(whole, len, &e);
		if (e.kind != MAILLOG_NOTHING)
			check(&e, line, len);
		free(line);
		free(whole);
		s += len + 1;
	}
	return 0;
}
