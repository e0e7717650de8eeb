/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A delivery status notification taken apart (RFC 3464 in a multipart/report of RFC 6522, also in
 * its international form, RFC 6533): what a server mails about a message that it had taken. Pure: no I/O.
 *
 * Anybody can mail such a thing. It is read in bounded time: of the octets given, so many parts, so
 * deep, so many recipients; what is within the returned message is no report. What it says is the
 * caller's to believe.
 */
#ifndef POSTERN_MAILLOG_DSN_H
#define POSTERN_MAILLOG_DSN_H

#include <stdbool.h>
#include <stddef.h>

/* So much of a message the caller need read at most: the report stands before what is returned. */
#define DSN_SIZE_MAX (1u << 20)
#define DSN_PARTS_MAX 32u
#define DSN_DEPTH_MAX 4u
#define DSN_RECIPIENTS_MAX 200u

enum dsn_kind {
	DSN_OTHER,                /* other mail */
	DSN_BROKEN,               /* a report, but `expected` is not there */
	DSN_REPORT
};

/* What is said of one recipient. Strings as in struct dsn. */
struct dsn_recipient {
	const char *recipient;    /* the final one; never "" */
	const char *original;     /* as the message was first sent to, "" where it is not told */
	const char *action;       /* "failed", "delayed", "delivered", "relayed", "expanded" */
	const char *status;       /* "5.1.10" */
	const char *remote;       /* the server that said `reply` to the reporter, "" for none */
	const char *reply;        /* "550 5.1.10 RESOLVER.ADR.RecipientNotFound" */
};

/* Strings are borrowed from the text, never NULL, "" for what it does not tell; any octets but NUL
 * and line ends, in no charset for certain. */
struct dsn {
	enum dsn_kind kind;
	const char *expected;     /* static: "a part of the type message/delivery-status" */
	const char *id;           /* the report's own Message-ID */
	const char *answers;      /* In-Reply-To */
	char *received;           /* the topmost Received, which the last server wrote */
	const char *reporter;     /* the name in Reporting-MTA */
	const char *audit_id;     /* X-Postern-Id of the returned message, where it has one and only one */
	const char *message_id;   /* its Message-ID, likewise */
	struct dsn_recipient recipient[DSN_RECIPIENTS_MAX];
	size_t n_recipients;
	size_t n_broken;          /* recipients of which something is missing, or that found no room */
};

/* Reads a message of `len` octets; text[len] is '\0'. It is changed, and *r_ points into it. */
void dsn_read(char *text, size_t len, struct dsn *r_);

/* Of a Received that Postfix or Sendmail wrote for a message by SMTP, the client as "name[address]", with its
 * name as the server found it, not as it calls itself ("unknown" where it found none). Cut off from the text, or
 * NULL where it is of another form. Changes it. */
char *dsn_client(char *received);

#endif
