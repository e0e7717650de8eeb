/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of postern follow: follow.c the command, follow_file.c a log file across
 * rotation, follow_journal.c the journal, follow_hop.c whose next hop a host is, follow_reports.c a folder
 * of reports that were mailed, follow_upstream.c what a reply stops.
 *
 * A source hands out events one by one, and tells its place after the last of them, which is
 * stored in one transaction with what they say.
 */
#ifndef POSTERN_ADMIN_FOLLOW_H
#define POSTERN_ADMIN_FOLLOW_H

#include <stdbool.h>

#include "base/text.h"
#include "maillog/maillog.h"
#include "policy/policy.h"
#include "sql/deliveries.h"

/* ---- a source */

struct follow_source {
	const char *name;         /* as it is stored: the file's path, "journal" */
	void *own;
	/* Goes to a place, or to where what is new begins. Once, before all else. 0, or -1 with a text. */
	int (*open)(struct follow_source *s, const struct deliveries_place *place, char *error_r, size_t error_size);
	/* The next event; it lives until the next call. 1, 0 when there is no more for now, or -1 with a text.
	 * A line that tells nothing is an event of that kind. */
	int (*next)(struct follow_source *s, struct maillog_event *e, char *error_r, size_t error_size);
	/* The place behind the last event. */
	void (*place)(struct follow_source *s, struct deliveries_place *place_r);
	/* Waits until there may be more, at most `ms` milliseconds. */
	void (*wait)(struct follow_source *s, int ms);
	void (*close)(struct follow_source *s);
	/* Says a line to the admin. */
	void (*say)(const char *line);
};

/* The file at this path, which is borrowed. False when memory is short. */
bool follow_file(struct follow_source *s, const char *path);
/* The journal, of this folder or the machine's own (NULL); `once`: up to its end. Likewise. */
bool follow_journal(struct follow_source *s, const char *folder, bool once);

/* ---- reports that were mailed */

struct follow_reports;

/* Those of this folder. NULL when memory is short or the path is too long. */
struct follow_reports *follow_reports_new(const char *path, void (*say)(const char *line));
void follow_reports_free(struct follow_reports **x);
/* Stores what came since it looked last, which is from time to time, and some files at most: how many, or -1
 * (deliveries_error()). What stands in no folder or cannot be read is said. */
int follow_reports_read(struct follow_reports *x, struct deliveries *d, const struct policy *p);
/* The database is another one or opened anew. */
void follow_reports_again(struct follow_reports *x);

/* ---- next hops */

/* Whether a policy's next-hop ("mx.example", "[mx.example]:25", "192.0.2.1") is this one as the MTA logs it
 * ("mx.example[192.0.2.1]:25"): names are compared, whatever address they had; where an address is
 * given, that; and the port where both have one. */
bool follow_is_hop(const char *next_hop, const char *logged);
/* The tenants of which it is, ",contoso,fabrikam,"; "" for none. */
const char *follow_tenants(const struct policy *p, const char *logged, struct text *t);

/* ---- what a reply stops */

/* The envelope senders of messages that were seen lately. Of very many, some are forgotten. */
struct follow_senders;
/* NULL when memory is short. */
struct follow_senders *follow_senders_new(void);
void follow_senders_free(struct follow_senders **s);
void follow_note_sender(struct follow_senders *s, const struct deliveries_key *k, const char *sender);
/* NULL: not known. */
const char *follow_sender(const struct follow_senders *s, const struct deliveries_key *k);

/* Stores what a try says of its tenant's other mail: that it is stopped (policy/pause.h), or goes. Only replies of
 * the tenant's own next hop are believed. `sender`: its envelope sender, NULL where it is not known. 0, or -1. */
int follow_upstream(struct deliveries *d, const struct policy *p, const char *sender, const struct deliveries_try *t);

#endif
