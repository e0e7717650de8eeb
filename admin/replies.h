/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the next hop answered, each kind of answer once, with what it means.
 */
#ifndef POSTERN_ADMIN_REPLIES_H
#define POSTERN_ADMIN_REPLIES_H

#include "admin/trace.h"

/* Recipients that did not get their mail, or not yet, for one reason. */
struct replies_group {
	struct m365_meaning meaning; /* keyword "": it is not explained, being said by a server of somebody else (is_foreign) */
	bool is_foreign;
	uint64_t recipients, bounced; /* of them for good */
	int64_t first, last;
	/* The last of them. */
	const char *reply, *next_hop, *recipient, *message_id;
	const char *app;          /* that most of it is of */
	uint64_t of_app;
	struct replies_app *apps; /* the file's own */
};

struct replies {
	struct arena *arena;
	int64_t since;            /* from when on all were looked at */
	bool is_cut;              /* which is later than what was asked, there being more than the bound */
	bool is_followed;         /* false: nobody follows the log */
	uint64_t sent, failed;
	struct replies_group *groups; /* most recipients first */
	size_t n_groups;
};

/* Reads the newest `max` recipients of the time; those of this app alone, "" for all, of whom those sent are not
 * told apart. NULL with a static text. */
struct replies *replies_read(struct store_reader *r, int64_t since, int64_t until, const char *app, int max, const char **error_r);
void replies_free(struct replies **r);

/* postern report replies. */
int report_replies(int argc, char **argv);

#endif
