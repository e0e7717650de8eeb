/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See export_row.h. A column is a name, and where its value stands in what the row
 * is made of.
 */
#include "config.h"

#include "admin/export_row.h"

#include <string.h>

#include "admin/when.h"
#include "policy/limit.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define STRAY "\xef\xbf\xbd" /* U+FFFD */

enum part { RECORD, RECIPIENT, SIGNATURE, CHARGE, REFUSAL, ROW };
enum kind { TEXT, AT, INT64, UINT64, INT, BOOL, OVER };

struct export_column {
	const char *name;
	enum part part;
	enum kind kind;
	size_t offset;
};

#define OF_RECORD(name, kind) {#name, RECORD, kind, offsetof(struct record, name)}
#define OF_RECIPIENT(name, kind) {#name, RECIPIENT, kind, offsetof(struct record_recipient, name)}
#define OF_SIGNATURE(name, kind) {#name, SIGNATURE, kind, offsetof(struct record_signature, name)}
#define OF_CHARGE(name, kind) {#name, CHARGE, kind, offsetof(struct charge, name)}
#define OF_REFUSAL(name, kind) {#name, REFUSAL, kind, offsetof(struct refusal, name)}
#define OF_ROW(name, kind) {#name, ROW, kind, offsetof(struct export_row, name)}
#define WHEN {"at", RECORD, AT, offsetof(struct record, time)}, OF_RECORD(time, INT64)
#define WHOSE {"message_id", RECORD, TEXT, offsetof(struct record, id)}, OF_ROW(number, INT64)

static const struct export_column messages[] = {
	{"at", RECORD, AT, offsetof(struct record, time)},
	OF_RECORD(id, TEXT), OF_RECORD(time, INT64), OF_RECORD(relay, TEXT), OF_RECORD(queue_id, TEXT),
	OF_RECORD(stage, TEXT), OF_RECORD(verdict, TEXT), OF_RECORD(reason, TEXT), OF_RECORD(code, INT),
	OF_RECORD(enhanced, TEXT), OF_RECORD(text, TEXT), OF_RECORD(would, TEXT), OF_RECORD(would_reason, TEXT),
	OF_RECORD(would_text, TEXT), OF_RECORD(mode, TEXT), OF_RECORD(app, TEXT), OF_RECORD(tenant, TEXT),
	OF_RECORD(method, TEXT), OF_RECORD(department, TEXT), OF_RECORD(client, TEXT), OF_RECORD(client_name, TEXT),
	OF_RECORD(helo, TEXT), OF_RECORD(login, TEXT), OF_RECORD(tls, TEXT), OF_RECORD(certificate, TEXT),
	OF_RECORD(certificate_issuer, TEXT), OF_RECORD(picked_up, BOOL), OF_RECORD(sender, TEXT),
	OF_RECORD(sender_domain, TEXT), OF_RECORD(header_from, TEXT), OF_RECORD(header_from_domain, TEXT),
	OF_RECORD(header_sender, TEXT), OF_RECORD(subject, TEXT), OF_RECORD(message_id, TEXT), OF_RECORD(form, TEXT),
	OF_RECORD(size, INT64), OF_RECORD(recipients, INT64), OF_RECORD(internal, INT64), OF_RECORD(external, INT64),
	OF_RECORD(local, INT64), OF_RECORD(signing, TEXT), OF_RECORD(stripped, INT64), OF_RECORD(policy, TEXT),
	OF_RECORD(trace, TEXT), OF_RECORD(decide_us, INT64),
};

static const struct export_column recipients[] = {
	WHEN, OF_RECORD(app, TEXT), OF_RECORD(tenant, TEXT), OF_RECORD(method, TEXT), OF_RECORD(sender, TEXT),
	OF_RECORD(verdict, TEXT), WHOSE, OF_RECIPIENT(address, TEXT), OF_RECIPIENT(domain, TEXT),
	OF_RECIPIENT(place, TEXT), OF_RECIPIENT(accepted, BOOL), OF_RECIPIENT(reason, TEXT),
};

static const struct export_column signatures[] = {
	WHEN, OF_RECORD(app, TEXT), OF_RECORD(header_from_domain, TEXT), OF_RECORD(verdict, TEXT), WHOSE,
	OF_SIGNATURE(domain, TEXT), OF_SIGNATURE(selector, TEXT), OF_SIGNATURE(algorithm, TEXT),
	OF_SIGNATURE(result, TEXT),
};

static const struct export_column charges[] = {
	WHEN, OF_RECORD(app, TEXT), OF_RECORD(tenant, TEXT), OF_RECORD(verdict, TEXT), WHOSE, OF_CHARGE(name, TEXT),
	OF_CHARGE(key, TEXT), OF_CHARGE(amount, UINT64), {"used_before", CHARGE, UINT64, offsetof(struct charge, used)},
	OF_CHARGE(count, UINT64), OF_CHARGE(over, OVER), OF_CHARGE(exceeded, BOOL), OF_CHARGE(charged, BOOL),
};

static const struct export_column refusals[] = {
	{"first_at", REFUSAL, AT, offsetof(struct refusal, time)}, {"last_at", ROW, AT, offsetof(struct export_row, last_time)},
	OF_REFUSAL(id, TEXT), OF_REFUSAL(reason, TEXT), OF_REFUSAL(stage, TEXT),
	{"first_time", REFUSAL, INT64, offsetof(struct refusal, time)}, OF_ROW(last_time, INT64), OF_ROW(count, INT64),
	OF_REFUSAL(verdict, TEXT), OF_REFUSAL(code, INT), OF_REFUSAL(enhanced, TEXT), OF_REFUSAL(text, TEXT),
	OF_REFUSAL(app, TEXT), OF_REFUSAL(tenant, TEXT), OF_REFUSAL(method, TEXT), OF_REFUSAL(client, TEXT),
	OF_REFUSAL(login, TEXT), OF_REFUSAL(tls, TEXT), OF_REFUSAL(certificate, TEXT),
	OF_REFUSAL(certificate_issuer, TEXT), OF_REFUSAL(sender, TEXT), OF_REFUSAL(header_from, TEXT),
	OF_REFUSAL(recipient, TEXT), OF_REFUSAL(queue_id, TEXT), OF_REFUSAL(policy, TEXT),
	OF_REFUSAL(relay, TEXT), OF_REFUSAL(department, TEXT),
};

static const struct export_table tables[] = {
	{"messages", messages, COUNT_OF(messages)}, {"recipients", recipients, COUNT_OF(recipients)},
	{"refusals", refusals, COUNT_OF(refusals)}, {"charges", charges, COUNT_OF(charges)},
	{"signatures", signatures, COUNT_OF(signatures)},
};

const struct export_table *
export_table(const char *what)
{
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		if (strcmp(tables[i].what, what) == 0)
			return &tables[i];
	return NULL;
}

/* Whether a spreadsheet might take a cell that begins so for a formula, in ASCII or in
 * the wide forms, or drop the octet in front of one; or would not tell our apostrophe. */
static bool
is_formula(const char *s)
{
	static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};

	if (s[0] != '\0' && strchr("=+-@'\t\r\n", s[0]) != NULL)
		return true;
	for (size_t i = 0; i < COUNT_OF(wide); i++)
		if (strncmp(s, wide[i], strlen(wide[i])) == 0)
			return true;
	return false;
}

/* The octets of s up to one that does not stand for itself: a quote, a backslash where
 * `escapes`, a control octet, or one that is no UTF-8. */
static size_t
plain_run(const char *s, size_t len, bool escapes)
{
	size_t n = 0, used;

	while (n < len) {
		unsigned char c = (unsigned char)s[n];

		if (c == '"' || (escapes && (c == '\\' || c < 0x20 || c == 0x7f)))
			break;
		if (c < 0x80) {
			n++;
			continue;
		}
		if (text_utf8_next(s + n, len - n, &used) < 0)
			break;
		n += used;
	}
	return n;
}

static void
add_csv(struct text *t, const char *s)
{
	size_t len = strlen(s);
	bool inert = is_formula(s), quoted = inert || strpbrk(s, ",;\"\t\r\n") != NULL || s[0] == ' ' ||
		     (len > 0 && s[len - 1] == ' ');

	if (quoted)
		text_add_char(t, '"');
	if (inert)
		text_add_char(t, '\'');
	while (len > 0) {
		size_t n = plain_run(s, len, false);

		text_add_octets(t, s, n);
		if (n < len) {
			text_add(t, s[n] == '"' ? "\"\"" : STRAY);
			n++;
		}
		s += n;
		len -= n;
	}
	if (quoted)
		text_add_char(t, '"');
}

static void
add_json(struct text *t, const char *s)
{
	size_t len = strlen(s);

	text_add_char(t, '"');
	while (len > 0) {
		size_t n = plain_run(s, len, true);

		text_add_octets(t, s, n);
		if (n < len) {
			unsigned char c = (unsigned char)s[n++];

			if (c == '"' || c == '\\')
				text_printf(t, "\\%c", c);
			else if (c < 0x80)
				text_printf(t, "\\u%04x", c);
			else
				text_add(t, STRAY);
		}
		s += n;
		len -= n;
	}
	text_add_char(t, '"');
}

static const void *
place_of(const struct export_column *c, const struct export_row *row)
{
	const void *const parts[] = {row->record, row->recipient, row->signature, row->charge, row->refusal, row};

	return (const char *)parts[c->part] + c->offset;
}

/* The value as a text, NULL where it is a number. */
static const char *
text_of(const struct export_column *c, const void *place, char at[WHEN_SIZE])
{
	switch (c->kind) {
	case TEXT:
		return *(const char *const *)place;
	case AT:
		return when_format(*(const int64_t *)place, at);
	case OVER:
		return limit_over_name(*(const enum over *)place);
	default:
		return NULL;
	}
}

static void
add_number(struct text *t, const struct export_column *c, const void *place)
{
	if (c->kind == UINT64)
		text_printf(t, "%llu", (unsigned long long)*(const uint64_t *)place);
	else if (c->kind == INT)
		text_printf(t, "%d", *(const int *)place);
	else if (c->kind == BOOL)
		text_add_char(t, *(const bool *)place ? '1' : '0');
	else
		text_printf(t, "%lld", (long long)*(const int64_t *)place);
}

void
export_head(const struct export_table *table, enum export_format format, struct text *t)
{
	for (size_t i = 0; format == EXPORT_CSV && i < table->n_columns; i++)
		text_printf(t, "%s%s", table->columns[i].name, i + 1 < table->n_columns ? "," : "\r\n");
}

void
export_row(const struct export_table *table, enum export_format format, const struct export_row *row, struct text *t)
{
	bool json = format == EXPORT_JSONL;
	char at[WHEN_SIZE];

	for (size_t i = 0; i < table->n_columns; i++) {
		const struct export_column *c = &table->columns[i];
		const void *place = place_of(c, row);
		const char *s = text_of(c, place, at);

		if (json)
			text_printf(t, "%s\"%s\":", i == 0 ? "{" : ",", c->name);
		else if (i > 0)
			text_add_char(t, ',');
		if (s == NULL)
			add_number(t, c, place);
		else if (json)
			add_json(t, s);
		else
			add_csv(t, s);
	}
	text_add(t, json ? "}\n" : "\r\n");
}
