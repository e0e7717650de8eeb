/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Postfix' programs log: "QUEUE-ID: ..." with, for a delivery, to=<...>,
 * orig_to=<...>, relay=..., fields that are of no use here, dsn=..., status=WORD (text).
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "maillog/internal.h"

static void
read_delivery(struct maillog_event *e, char *s)
{
	struct maillog_event d = *e;
	char *path, *status, *relay = NULL;
	size_t len;

	if ((path = take_path(&s, ", ")) == NULL)
		return;
	d.recipients = path;
	d.kind = MAILLOG_DELIVERY;
	if (take(&s, "orig_to=") && (d.original = take_path(&s, ", ")) == NULL)
		return;
	if (!take(&s, "relay=") || (relay = take_until(&s, ", ")) == NULL)
		return;
	/* Fields up to the status; none of them holds what others wrote. */
	while (!take(&s, "status=")) {
		if (take(&s, "dsn=")) {
			if ((d.dsn = take_dsn(&s, ", ")) == NULL)
				return;
		} else if (take(&s, "delay=")) {
			const char *value = take_until(&s, ", ");

			if (value == NULL)
				return;
			d.delay_ms = (int64_t)(strtod(value, NULL) * 1000 + 0.5);
		} else if (s[strspn(s, "abcdefghijklmnopqrstuvwxyz_")] != '=' || take_until(&s, ", ") == NULL) {
			return;
		}
	}
	status = take_until(&s, " (");
	if (status == NULL)
		return;
	len = strlen(s);
	if (len == 0 || s[len - 1] != ')')
		return;
	s[len - 1] = '\0';
	d.text = s;
	d.next_hop = strcmp(relay, "none") == 0 ? "" : relay;
	if (strcmp(status, "sent") == 0 || strcmp(status, "deferred") == 0 || strcmp(status, "bounced") == 0)
		d.status = status;
	else if (strcmp(status, "SOFTBOUNCE") == 0)
		d.status = "deferred";
	else
		return; /* probes, and what is not known */
	*e = d;
}

/* A queue id at s and ": " behind it: then *s is behind that. Short ones are hexadecimal, long ones
 * have no vowels, so no word is one. */
static char *
take_queue_id(char **s)
{
	static const char shorts[] = "0123456789ABCDEF", longs[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
	char *id = *s;
	size_t len = strspn(id, shorts);

	if (len < 5 || id[len] != ':') {
		len = strspn(id, longs);
		if (len < 11)
			return NULL;
	}
	if (len > 40 || id[len] != ':' || id[len + 1] != ' ')
		return NULL;
	id[len] = '\0';
	*s = id + len + 2;
	return id;
}

/* "Trusted TLS connection established to mx[192.0.2.1]:25: TLSv1.3 with cipher ..." */
static void
read_tls(struct maillog_event *e, char *s)
{
	static const char *const trusts[] = {"Verified", "Trusted", "Untrusted", "Anonymous"};
	char *how = NULL, *host, *version;

	for (size_t i = 0; i < sizeof trusts / sizeof trusts[0] && how == NULL; i++)
		if (strncmp(s, trusts[i], strlen(trusts[i])) == 0 && s[strlen(trusts[i])] == ' ')
			how = s;
	if (how == NULL || take_until(&s, " ") == NULL ||
	    (!take(&s, "TLS connection established to ") && !take(&s, "TLS connection reused to ")))
		return;
	if ((host = take_until(&s, ": ")) == NULL || (version = take_until(&s, " with cipher ")) == NULL || strlen(version) > 12)
		return;
	/* Both into one text, where the line's begin is free: "Trusted" moves behind the version. */
	memmove(how + strlen(version) + 2, how, strlen(how) + 1);
	memcpy(how, version, strlen(version));
	memcpy(how + strlen(version), ", ", 2);
	e->kind = MAILLOG_TLS;
	e->next_hop = host;
	e->tls = how;
}

static bool
is_one_of(const char *program, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(program, *names) == 0)
			return true;
	return false;
}

/* "from=<...>, status=expired, returned to sender", "from=<...>, size=302, nrcpt=1 (queue active)" */
static void
read_qmgr(struct maillog_event *e, char *s)
{
	char *sender;

	if (strcmp(s, "removed") == 0) {
		e->kind = MAILLOG_REMOVED;
	} else if (take(&s, "from=") && (sender = take_path(&s, ", ")) != NULL) {
		if (strcmp(s, "status=expired, returned to sender") == 0 || strcmp(s, "status=force-expired, returned to sender") == 0)
			e->kind = MAILLOG_EXPIRED;
		else if (take(&s, "size=") && text_is_digit(*s))
			e->kind = MAILLOG_SENDER;
		e->sender = e->kind == MAILLOG_SENDER ? sender : NULL;
	}
}

/* "uid=0 from=<...> orig_id=4F9D195432C" */
static void
read_pickup(struct maillog_event *e, char *s)
{
	if (!take(&s, "uid="))
		return;
	e->kind = MAILLOG_BEGUN;
	s += strspn(s, "0123456789");
	if (take(&s, " from=") && take_path(&s, " orig_id=") != NULL && strspn(s, "0123456789ABCDEFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz") == strlen(s))
		e->old_id = s;
}

static void
read_queue_file(struct maillog_event *e, const char *program, char *s)
{
	if (strcmp(program, "smtpd") == 0 && take(&s, "client="))
		e->kind = MAILLOG_BEGUN;
	else if (strcmp(program, "smtpd") == 0 && take(&s, "milter-reject: "))
		e->kind = MAILLOG_REMOVED;
	else if (strcmp(program, "pickup") == 0)
		read_pickup(e, s);
	else if (strcmp(program, "cleanup") == 0 && (take(&s, "message-id=") || take(&s, "resent-message-id=")))
		e->kind = MAILLOG_BEGUN;
	else if (strcmp(program, "cleanup") == 0 && (take(&s, "milter-reject: ") || take(&s, "milter-discard: ")))
		e->kind = MAILLOG_REMOVED;
	else if (strcmp(program, "postsuper") == 0 && strcmp(s, "removed") == 0)
		e->kind = MAILLOG_DELETED;
	else if (strcmp(program, "postsuper") == 0 && strcmp(s, "requeued") == 0)
		e->kind = MAILLOG_REMOVED;
}

void
read_postfix(struct maillog_event *e, const char *program, char *message)
{
	static const char *const agents[] = {"smtp", "lmtp", "relay", "local", "virtual", "pipe", "error", "retry", "discard",
					     "bounce", "qmgr", "nqmgr", "oqmgr", "cleanup", NULL};
	static const char *const managers[] = {"qmgr", "nqmgr", "oqmgr", NULL};
	static const char *const clients[] = {"smtp", "lmtp", "relay", NULL};
	char *s = message, *id = take_queue_id(&s);

	if (id == NULL) {
		if (is_one_of(program, clients))
			read_tls(e, message);
		return;
	}
	e->queue_id = id;
	if (strncmp(s, "to=<", 4) == 0 && is_one_of(program, agents))
		read_delivery(e, s + 3);
	else if (is_one_of(program, managers))
		read_qmgr(e, s);
	else
		read_queue_file(e, program, s);
}
