/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The roll-ups: what each batch adds to the hours of its messages. What has the same hour and names
 * is added up in memory, so that a batch costs two statements per group, not per message.
 *
 * A message counts once: when it is admitted, whatever its limits made of it, or as one of a
 * refusal's count, in the hour in which the first of that count came. What store_record() keeps is
 * the first of a count. A held message that is let go counts as held. A relay's own file, while the
 * database that it shares is away, has none: what it reports is added up there.
 */
#ifndef POSTERN_SQL_HOURS_H
#define POSTERN_SQL_HOURS_H

#include "sql/db.h"
#include "sql/store-private.h"

struct hours;

struct hours *hours_new(void);
void hours_free(struct hours **h);

/* Begins a batch; what was added and not written is forgotten. */
void hours_begin(struct hours *h);

/* The strings must live until hours_write() is done. Where there is no room for another group what was
 * added is written first. `q`: the statement HOURS_SQL; `times`: 1, or -1 where it does not count after all. */
enum db_result hours_add_message(struct hours *h, const struct record *r, int times, struct db_query *q);
enum db_result hours_add_refusal(struct hours *h, const struct refusal_delta *d, const char *relay, struct db_query *q);

/* Writes what was added. */
enum db_result hours_write(struct hours *h, struct db_query *q);

#define HOURS_SQL_KEY \
	"relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing"
#define HOURS_SQL \
	"INSERT INTO hours (hour, first_time, last_time, " HOURS_SQL_KEY ", messages, counted, recipients, external, bytes," \
	" decide_us, within_1ms, within_2ms, within_5ms, within_10ms, within_50ms, within_250ms, within_1s)" \
	" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)" \
	" ON CONFLICT (hour, " HOURS_SQL_KEY ") DO UPDATE SET" \
	" first_time = CASE WHEN excluded.first_time < hours.first_time THEN excluded.first_time ELSE hours.first_time END," \
	" last_time = CASE WHEN excluded.last_time > hours.last_time THEN excluded.last_time ELSE hours.last_time END," \
	" messages = hours.messages + excluded.messages, counted = hours.counted + excluded.counted," \
	" recipients = hours.recipients + excluded.recipients, external = hours.external + excluded.external," \
	" bytes = hours.bytes + excluded.bytes, decide_us = hours.decide_us + excluded.decide_us," \
	" within_1ms = hours.within_1ms + excluded.within_1ms, within_2ms = hours.within_2ms + excluded.within_2ms," \
	" within_5ms = hours.within_5ms + excluded.within_5ms, within_10ms = hours.within_10ms + excluded.within_10ms," \
	" within_50ms = hours.within_50ms + excluded.within_50ms," \
	" within_250ms = hours.within_250ms + excluded.within_250ms, within_1s = hours.within_1s + excluded.within_1s"

#endif
