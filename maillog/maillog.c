/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See maillog.h. This file reads what both MTAs share; postfix.c and sendmail.c the rest.
 */
#include "maillog/maillog.h"

#include <string.h>

#include "base/text.h"
#include "maillog/internal.h"

bool
take(char **s, const char *what)
{
	size_t len = strlen(what);

	if (strncmp(*s, what, len) != 0)
		return false;
	*s += len;
	return true;
}

char *
take_until(char **s, const char *end)
{
	char *value = *s, *at = strstr(value, end);

	if (at == NULL)
		return NULL;
	*at = '\0';
	*s = at + strlen(end);
	return value;
}

/* The length of a quoted string at s, with its quotes; 0 when it does not end. */
static size_t
quoted_length(const char *s)
{
	for (size_t i = 1; s[i] != '\0'; i++) {
		if (s[i] == '"')
			return i + 1;
		if (s[i] == '\\' && s[++i] == '\0')
			break;
	}
	return 0;
}

size_t
path_length(const char *s)
{
	size_t at = 1, len;

	if (s[0] != '<')
		return 0;
	if (s[1] == '"') {
		len = quoted_length(s + 1);
		if (len == 0 || s[1 + len] != '@')
			return 0;
		at += len;
	}
	len = strcspn(s + at, "<>\" ,;()\\");
	return s[at + len] == '>' ? at + len + 1 : 0;
}

char *
take_path(char **s, const char *end)
{
	size_t len = path_length(*s);
	char *value = *s + 1;

	if (len == 0 || strncmp(*s + len, end, strlen(end)) != 0)
		return NULL;
	(*s)[len - 1] = '\0';
	*s += len + strlen(end);
	return value;
}

char *
take_dsn(char **s, const char *end)
{
	const char *p = *s;
	char *value = *s;
	size_t len = strspn(p, "0123456789.");

	if (len < 5 || len > 9 || strchr("245", p[0]) == NULL || p[1] != '.' || p[len - 1] == '.' || strncmp(p + len, end, strlen(end)) != 0)
		return NULL;
	value[len] = '\0';
	*s += len + strlen(end);
	return value;
}

size_t
maillog_host_length(const char *next_hop)
{
	size_t len = strcspn(next_hop, "[");

	return len > 0 && next_hop[len - 1] == '.' ? len - 1 : len;
}

const char *
maillog_recipient(struct maillog_event *e)
{
	char *s = e->recipients, *value = s;
	size_t len;

	if (*s == '\0')
		return NULL;
	if (*s != '<') { /* Postfix' one, without its brackets, or a name of Sendmail's */
		len = e->instance[0] == 's' ? strcspn(s, ",") : strlen(s);
	} else {
		len = path_length(s);
		value = s + 1;
		s[len - 1] = '\0';
	}
	e->recipients = s + len + (s[len] == ',');
	s[len] = '\0';
	return value;
}

/* "postfix-out/submission/smtpd": the instance, and the program in *program_r; NULL: no Postfix. */
static const char *
postfix_tag(char *tag, const char **program_r)
{
	char *slash = strchr(tag, '/'), *last = strrchr(tag, '/');
	size_t len = strlen("postfix");

	if (slash == NULL || strncmp(tag, "postfix", len) != 0 || (tag[len] != '/' && tag[len] != '-'))
		return NULL;
	*program_r = last + 1;
	*slash = '\0';
	return tag;
}

struct maillog_event
maillog_read_message(int64_t time, char *tag, char *pid, char *message)
{
	static char none[1];
	struct maillog_event e = {
		.kind = MAILLOG_NOTHING, .time = time, .instance = "", .pid = pid, .queue_id = "", .old_id = "", .recipients = none,
		.original = "", .next_hop = "", .status = "", .dsn = "", .text = "", .tls = "", .delay_ms = -1,
	};
	const char *program;

	if (strcmp(tag, "sendmail") == 0 || strcmp(tag, "sm-mta") == 0) {
		e.instance = "sendmail";
		read_sendmail(&e, message);
	} else if ((e.instance = postfix_tag(tag, &program)) != NULL) {
		read_postfix(&e, program, message);
	} else {
		e.instance = "";
	}
	return e;
}

/* "postfix/smtp[123]: " at *s: the tag, with the process in *pid_r; NULL for none. */
static char *
take_tag(char **s, char **pid_r)
{
	char *tag = *s, *p = tag;

	while (text_is_alpha(*p) || text_is_digit(*p) || (*p != '\0' && strchr("-_./", *p) != NULL))
		p++;
	if (p == tag || *p != '[')
		return NULL;
	*p++ = '\0';
	*pid_r = p;
	while (text_is_digit(*p))
		p++;
	if (p == *pid_r || strncmp(p, "]: ", 3) != 0)
		return NULL;
	*p = '\0';
	*s = p + 3;
	return tag;
}

struct maillog_event
maillog_read(char *line, size_t len, struct maillog_clock *c)
{
	static char none[1];
	const struct maillog_event nothing = maillog_read_message(0, none, none, none);
	char *s = line, *tag, *pid;
	int64_t time;

	if (strlen(line) != len || (time = read_stamp(&s, c)) < 0)
		return nothing;
	s += strcspn(s, " ");
	if (*s++ == '\0' || (tag = take_tag(&s, &pid)) == NULL)
		return nothing;
	return maillog_read_message(time, tag, pid, s);
}
