/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Sendmail logs: "QUEUE-ID: to=<...>,<...>, ctladdr=..., delay=..., mailer=...,
 * relay=..., dsn=..., stat=text".
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "maillog/internal.h"

/* The length of the recipients at s, "<a@b>,<c@d>,root", up to ", "; 0 where that is not certain. */
static size_t
list_length(const char *s)
{
	size_t at = 0, len;

	for (;;) {
		len = s[at] == '<' ? path_length(s + at) : strcspn(s + at, "<>\" ,;()\\|/=");
		if (len == 0)
			return 0;
		at += len;
		if (s[at] != ',')
			return 0;
		if (s[at + 1] == ' ')
			return at;
		at++;
	}
}

/* "00:01:02", "1+00:01:02": milliseconds, -1. */
static int64_t
read_delay(const char *s)
{
	int days = 0, h, m, sec;

	if (strchr(s, '+') != NULL && (sscanf(s, "%5d+", &days) != 1 || days < 0))
		return -1;
	if (strchr(s, '+') != NULL)
		s = strchr(s, '+') + 1;
	if (sscanf(s, "%2d:%2d:%2d", &h, &m, &sec) != 3 || h < 0 || m < 0 || sec < 0)
		return -1;
	return (((int64_t)days * 24 + h) * 3600 + m * 60 + sec) * 1000;
}

/* "mx.example. [192.0.2.1]" becomes "mx.example[192.0.2.1]". */
static void
join_relay(char *s)
{
	char *blank = strchr(s, ' ');

	if (blank == NULL || blank[1] != '[')
		return;
	if (blank > s && blank[-1] == '.')
		blank--;
	memmove(blank, strchr(blank, '['), strlen(strchr(blank, '[')) + 1);
}

static const char *
status_of(const struct maillog_event *e)
{
	if (e->dsn[0] != '\0')
		return e->dsn[0] == '2' ? "sent" : e->dsn[0] == '4' ? "deferred" : "bounced";
	return strncmp(e->text, "Sent", 4) == 0 ? "sent" : strncmp(e->text, "Deferred", 8) == 0 || strncmp(e->text, "queued", 6) == 0
		? "deferred" : "";
}

/* One field of the list at *s; -1 where it cannot be read. */
static int
read_field(struct maillog_event *e, char **s)
{
	char *value;

	if (take(s, "ctladdr=")) {
		size_t len = path_length(*s);

		*s += len > 0 ? len : strcspn(*s, " ,");
		return take_until(s, ", ") == NULL ? -1 : 0;
	}
	if (take(s, "dsn="))
		return (e->dsn = take_dsn(s, ", ")) == NULL ? -1 : 0;
	if (take(s, "relay=")) {
		if ((value = take_until(s, ", ")) == NULL)
			return -1;
		join_relay(value);
		e->next_hop = value;
		return 0;
	}
	if (take(s, "delay=")) {
		if ((value = take_until(s, ", ")) == NULL)
			return -1;
		e->delay_ms = read_delay(value);
		return 0;
	}
	return (*s)[strspn(*s, "abcdefghijklmnopqrstuvwxyz")] == '=' && take_until(s, ", ") != NULL ? 0 : -1;
}

/* The reply and the state stand last, and may hold anything. */
static void
read_delivery(struct maillog_event *e, char *s)
{
	struct maillog_event d = *e;
	size_t len = list_length(s);

	if (len == 0)
		return;
	d.kind = MAILLOG_DELIVERY;
	d.recipients = s;
	s[len] = '\0';
	s += len + 2;
	while (!take(&s, "stat=") && strncmp(s, "reply=", 6) != 0)
		if (read_field(&d, &s) != 0)
			return;
	(void)take(&s, "reply=");
	d.text = s;
	d.status = status_of(&d);
	if (d.status[0] != '\0')
		*e = d;
}

/* "STARTTLS=client, relay=mx.example., version=TLSv1.3, verify=OK, ..." */
static void
read_tls(struct maillog_event *e, char *s)
{
	char *relay, *version;
	size_t len;

	if (!take(&s, "STARTTLS=client, relay=") || (relay = take_until(&s, ", version=")) == NULL || (version = take_until(&s, ", ")) == NULL)
		return;
	len = strlen(relay);
	if (len > 0 && relay[len - 1] == '.')
		relay[len - 1] = '\0';
	e->kind = MAILLOG_TLS;
	e->next_hop = relay;
	e->tls = version;
}

void
read_sendmail(struct maillog_event *e, char *message)
{
	char *s = message;
	size_t len = 0;

	while (text_is_digit(s[len]) || text_is_alpha(s[len]))
		len++;
	if (len < 12 || len > 20 || s[len] != ':' || s[len + 1] != ' ') {
		read_tls(e, s);
		return;
	}
	s[len] = '\0';
	e->queue_id = s;
	s += len + 2;
	if (take(&s, "to=")) {
		read_delivery(e, s);
	} else if (take(&s, "from=")) {
		e->kind = MAILLOG_BEGUN;
		e->sender = take_path(&s, ", ");
	}
}
