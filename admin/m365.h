/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Exchange Online's replies mean: cause, who must act, what to do, whether to
 * wait. A table of what is published and was seen; what it does not have is "not
 * known", never a guess. Pure: any thread.
 */
#ifndef POSTERN_ADMIN_M365_H
#define POSTERN_ADMIN_M365_H

#include <stdbool.h>
#include <stddef.h>

/* What a reply is about, and so what it stops. */
enum m365_class {
	M365_QUOTA,               /* a count over time is used up: no more until it is free again */
	M365_TENANT,              /* the tenant's settings or standing: all its mail this way */
	M365_ROUTE,               /* our address, host name, account or connection: all mail by this route */
	M365_RECIPIENT,           /* this recipient or its side */
	M365_MESSAGE,             /* this message, or those of its app */
	M365_RETRY,               /* passes by itself; the MTA tries again */
	M365_UNKNOWN              /* a refusal that the table does not have */
};

enum m365_who {
	M365_TENANT_ADMIN, M365_MAIL_ADMIN, M365_APP_OWNER, M365_RECIPIENT_SIDE, M365_MICROSOFT, M365_NOBODY
};

/* An SMTP reply taken apart. */
struct m365_reply {
	bool is_reply;            /* a server said it; otherwise it is the MTA's own text */
	int code;                 /* 550; 0: not known */
	int enhanced[3];          /* 5.7.64; all 0: not known */
};

/* What a reply means; all static text. */
struct m365_meaning {
	const char *keyword;      /* "relay-access-denied"; "not-known" */
	enum m365_class class;
	enum m365_who who;
	const char *cause;
	const char *action;       /* what to do */
	/* How long to wait, in seconds: 0 waiting does not help, M365_WAIT_SOME a while that nobody
	 * states, otherwise at most so long. */
	long wait;
};

#define M365_WAIT_SOME (-1L)

/* Finds code and enhanced code in what the MTA logged or a server said: "host mx[1.2.3.4] said:
 * 550 5.7.64 ... (in reply to RCPT TO command)", "550-5.7.1 ...". `dsn`: an enhanced code of which
 * the MTA says that it was the server's, for a text without ("5.7.64"; NULL for none). Behind M365_FILTERED stands
 * what the server said before contrib/postfix's reply filter made a deferral of it. */
#define M365_FILTERED "451 4.7.1 [upstream-paused] "
struct m365_reply m365_read(const char *text, const char *dsn);

/* Explains a reply with its text, which may be several lines joined by blanks. What is not in the
 * table is "not-known", and its class comes from 4xx and 5xx alone; what no server said is
 * "no-reply"; a 2xx is nothing to explain: keyword "". */
struct m365_meaning m365_explain(const struct m365_reply *reply, const char *text);

/* Whether a host of this name (its length) is one of Exchange Online's, by its domain. */
bool m365_is_host(const char *name, size_t len);

/* The same of the hosts by which it hands mail on, and of which its reports speak. */
bool m365_is_sender(const char *name, size_t len);

/* "quota", "tenant", ...; "the admin of the Microsoft 365 tenant", ... */
const char *m365_class_name(enum m365_class class);
const char *m365_who_name(enum m365_who who);

/* "no: waiting does not help", "yes, up to 24 hours", ... */
#define M365_WAIT_SIZE 48
const char *m365_wait_text(const struct m365_meaning *m, char buf[M365_WAIT_SIZE]);

/* The rows of the table, for tests; NULL behind the last. */
struct m365_row {
	struct m365_meaning meaning;
	int code;                 /* 0: any */
	const char *classes;      /* "5", "45": the first number of the enhanced code; NULL: no enhanced code is asked */
	int subject, low, high;   /* the second, and the third from low to high */
	const char *words;        /* one of these, "|" between; NULL: any text */
};
const struct m365_row *m365_row(size_t i);

#endif
