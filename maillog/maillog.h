/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One line of an MTA's log, as Postfix or Sendmail write it through syslog, taken
 * apart. Pure: no I/O, no state but the clock's cache.
 *
 * Others write into these lines: a client its HELO and addresses, a server its reply.
 * So each field is read where it must stand, from the left, an address to its own
 * end by the rules of RFC 5321, and the text of a server only behind all of it. Where a line
 * could be read in two ways it is nothing.
 */
#ifndef POSTERN_MAILLOG_MAILLOG_H
#define POSTERN_MAILLOG_MAILLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum maillog_kind {
	MAILLOG_NOTHING,          /* no line of an MTA, or none that tells what became of mail */
	MAILLOG_DELIVERY,         /* a try to deliver, to one or several recipients */
	MAILLOG_BEGUN,            /* from here on the queue id is that of a new message */
	MAILLOG_REMOVED,          /* the message has left the queue, done or refused */
	MAILLOG_DELETED,          /* an operator deleted it */
	MAILLOG_EXPIRED,          /* it was given up; what was deferred is not tried again */
	MAILLOG_SENDER,           /* whose message it is, said before each round of tries */
	MAILLOG_TLS               /* a connection by TLS */
};

/* Strings are borrowed from the line, "" for what it does not tell, and never NULL but where it is said. */
struct maillog_event {
	enum maillog_kind kind;
	int64_t time;             /* wall time, milliseconds */
	const char *instance;     /* "postfix", "postfix-out", "sendmail" */
	const char *pid;
	const char *queue_id;
	const char *old_id;       /* MAILLOG_BEGUN: the queue id that the message had before it was requeued */
	const char *sender;       /* MAILLOG_SENDER and, of Sendmail, MAILLOG_BEGUN: the envelope sender; NULL: not told */
	char *recipients;         /* see maillog_recipient() */
	const char *original;     /* the recipient before aliases */
	const char *next_hop;     /* "mx.example[192.0.2.1]:25" as Postfix has it, "mx.example[192.0.2.1]" of Sendmail; "" for none */
	const char *status;       /* "sent", "deferred", "bounced" */
	const char *dsn;          /* "5.7.64" */
	const char *text;         /* what the server or the MTA says of it */
	const char *tls;          /* MAILLOG_TLS: "TLSv1.3, Trusted" */
	int64_t delay_ms;         /* since the message came; -1 not told */
};

/* What time it is, for stamps without a year; and the last one of them, for speed. Start
 * with {.now_ms = now}. */
struct maillog_clock {
	int64_t now_ms;
	char minute[13];          /* "Nov 24 12:58" */
	int64_t minute_ms;
};

/* Reads one line of `len` octets, without its line end; line[len] is '\0'. It is changed, and the
 * event lives as long as it. A stamp without a year is of the last year in which it is not
 * more than a day after c->now_ms, in the time zone of this process. */
struct maillog_event maillog_read(char *line, size_t len, struct maillog_clock *c);

/* The same for a line whose parts are known already, such as from the journal: the tag
 * ("postfix/smtp"), the process and the message. */
struct maillog_event maillog_read_message(int64_t time, char *tag, char *pid, char *message);

/* The next recipient of a delivery, NULL behind the last. Advances e->recipients. */
const char *maillog_recipient(struct maillog_event *e);

/* The host of a next hop: "mx.example" of "mx.example[192.0.2.1]:25", how long it is. */
size_t maillog_host_length(const char *next_hop);

#endif
