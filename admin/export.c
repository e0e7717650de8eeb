/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern export: rows of the audit for spreadsheets and other programs. It reads a
 * slice of time, and writes it when the reading is over: however slowly the rows are
 * taken from us, no transaction of ours stays open, and memory stays flat.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/database.h"
#include "admin/export_row.h"
#include "admin/output.h"
#include "admin/when.h"
#include "base/clock.h"

#define SLICE_OCTETS (4u << 20)
#define FIRST_SLICE_MS INT64_C(3600000)

struct options {
	const char *policy, *database, *since, *until, *output;
	const struct export_table *table;
	enum export_format format;
};

/* A row of the slice, for those that must be put in order. */
struct place {
	int64_t time;
	size_t at, len;
};

struct export {
	const struct options *o;
	struct store_reader *reader;
	struct output output;
	struct text rows;         /* the slice */
	struct place *places;
	size_t n_places, places_room;
	bool divisible;           /* the slice is longer than a millisecond */
};

static void
usage(FILE *to)
{
	fputs("usage: postern export [-c FILE] [--since WHEN] [--until WHEN] [--what WHAT] [--format FORMAT]\n"
	      "                      [--database URL] [-o FILE]\n"
	      "  -c, --config FILE  the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "  --since WHEN       rows from then on: 7d, 24h, or a date such as 2026-11-17; the default is all\n"
	      "  --until WHEN       rows before then; the default is now\n"
	      "  --what WHAT        messages (the default), recipients, refusals, charges or signatures\n"
	      "  --format FORMAT    csv (the default) or jsonl\n"
	      "  --database URL     the audit to read; the default is the policy's database\n"
	      "  -o, --output FILE  write to this file, which must not exist\n"
	      "exit status: 0 done, 1 something is wrong, 2 wrong command line\n", to);
}

static int
bad_usage(const char *what)
{
	fprintf(stderr, "postern export: %s\n", what);
	usage(stderr);
	return 2;
}

static int
fail(const char *what)
{
	fprintf(stderr, "postern export: %s\n", what);
	return 1;
}

static int
read_format(const char *s, enum export_format *r)
{
	if (strcmp(s, "csv") != 0 && strcmp(s, "jsonl") != 0)
		return -1;
	*r = s[0] == 'c' ? EXPORT_CSV : EXPORT_JSONL;
	return 0;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'}, {"what", required_argument, NULL, 'w'},
		{"format", required_argument, NULL, 'f'}, {"database", required_argument, NULL, 'd'},
		{"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:o:h", long_options, NULL)) != -1) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 's')
			o->since = optarg;
		else if (c == 'u')
			o->until = optarg;
		else if (c == 'd')
			o->database = optarg;
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'h')
			return usage(stdout), 0;
		else if (c != 'w' && c != 'f')
			return usage(stderr), 2;
		else if (c == 'w' && (o->table = export_table(optarg)) == NULL)
			return bad_usage("--what takes messages, recipients, refusals, charges or signatures");
		else if (c == 'f' && read_format(optarg, &o->format) != 0)
			return bad_usage("--format takes csv or jsonl");
	}
	return optind == argc ? -1 : bad_usage("there is one argument too many");
}

/* After a row: 1 where the slice is too long to be kept, -2 where memory is short. */
static int
go_on(const struct export *x)
{
	if (x->rows.failed)
		return -2;
	return x->divisible && x->rows.len > SLICE_OCTETS ? 1 : 0;
}

static int
add_message(void *context, const struct record *record, const struct charge *charges, size_t n_charges)
{
	struct export *x = context;
	struct export_row row = {.record = record};
	const char *what = x->o->table->what;
	size_t n = 0;

	if (strcmp(what, "messages") == 0) {
		export_row(x->o->table, x->o->format, &row, &x->rows);
		return go_on(x);
	}
	n = what[0] == 'r' ? record->n_rcpt : what[0] == 's' ? record->n_signature : n_charges;
	for (size_t i = 0; i < n; i++) {
		row.number = (int64_t)i;
		if (what[0] == 'r')
			row.recipient = &record->rcpt[i];
		else if (what[0] == 's')
			row.signature = &record->signature[i];
		else
			row.charge = &charges[i];
		export_row(x->o->table, x->o->format, &row, &x->rows);
	}
	return go_on(x);
}

static bool
make_room(struct export *x)
{
	size_t room = x->places_room == 0 ? 1024 : x->places_room * 2;
	struct place *more;

	if (x->n_places < x->places_room)
		return true;
	more = realloc(x->places, room * sizeof *more);
	if (more == NULL)
		return false;
	x->places = more;
	x->places_room = room;
	return true;
}

static int
add_refusal(void *context, const struct refusal *refusal, uint64_t count, int64_t last_time)
{
	struct export *x = context;
	struct export_row row = {.refusal = refusal, .count = (int64_t)count, .last_time = last_time};
	size_t at = x->rows.len;

	if (!make_room(x))
		return -2;
	export_row(x->o->table, x->o->format, &row, &x->rows);
	x->places[x->n_places++] = (struct place){last_time, at, x->rows.len - at};
	return go_on(x);
}

static int
compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Refusals of all stages, by the time of their last. */
static int
read_refusals(struct export *x, const struct store_range *slice, const char **error_r)
{
	int rc = store_reader_refusals(x->reader, slice, false, add_refusal, x, error_r);

	if (rc == 0)
		rc = store_reader_refusals(x->reader, slice, true, add_refusal, x, error_r);
	if (rc == 0 && x->n_places > 0)
		qsort(x->places, x->n_places, sizeof *x->places, compare_places);
	return rc;
}

static int
write_slice(const struct export *x)
{
	struct text sorted = {0};
	int rc;

	if (x->n_places == 0)
		return output_write(&x->output, text_string(&x->rows), x->rows.len);
	for (size_t i = 0; i < x->n_places; i++)
		text_add_octets(&sorted, x->rows.s + x->places[i].at, x->places[i].len);
	if (sorted.failed)
		fail("memory is short");
	rc = sorted.failed ? -1 : output_write(&x->output, text_string(&sorted), sorted.len);
	text_free(&sorted);
	return rc;
}

/* One slice into memory: 0, 1 where it is too long, or less than 0. */
static int
read_slice(struct export *x, const struct store_range *slice, const char **error_r)
{
	text_clear(&x->rows);
	x->n_places = 0;
	x->divisible = slice->until - slice->since > 1;
	if (strcmp(x->o->table->what, "refusals") == 0)
		return read_refusals(x, slice, error_r);
	return store_reader_messages(x->reader, slice, add_message, x, error_r);
}

/* The slices are as long as memory lets them: halved while they hold too much, doubled
 * while they hold little. */
static int
export_range(struct export *x, const struct store_range *range)
{
	const char *error = "memory is short";
	int64_t width = FIRST_SLICE_MS;

	for (int64_t t = range->since; t < range->until;) {
		struct store_range slice = {.since = t, .until = range->until - t > width ? t + width : range->until};
		int rc = read_slice(x, &slice, &error);

		if (rc == 1) {
			width = (slice.until - slice.since) / 2;
			continue;
		}
		if (rc != 0)
			return fail(error);
		if (write_slice(x) != 0)
			return 1;
		t = slice.until;
		if (x->rows.len < SLICE_OCTETS / 4 && width < range->until)
			width *= 2;
	}
	return 0;
}

static int
export_all(struct export *x, const struct store_range *range)
{
	struct text head = {0};
	int rc;

	export_head(x->o->table, x->o->format, &head);
	rc = head.failed ? fail("memory is short") : output_write(&x->output, text_string(&head), head.len) != 0;
	text_free(&head);
	return rc == 0 ? export_range(x, range) : rc;
}

static int
run(const struct options *o, const struct store_range *range)
{
	struct export x = {.o = o};
	int rc = 1;

	if (output_open(&x.output, "export", o->output) != 0)
		return 1;
	x.reader = database_reader("export", o->policy, o->database);
	if (x.reader != NULL)
		rc = export_all(&x, range);
	store_reader_close(&x.reader);
	if (output_close(&x.output, rc == 0) != 0)
		rc = 1;
	text_free(&x.rows);
	free(x.places);
	return rc;
}

int
command_export(int argc, char **argv)
{
	struct options o = {.policy = COMMAND_POLICY_FILE, .table = export_table("messages")};
	int r = read_options(argc, argv, &o);
	int64_t now = clock_system()->wall_ms(NULL);
	struct store_range range = {.until = now + 1};

	if (r >= 0)
		return r;
	if (o.since != NULL && when_parse(o.since, now, &range.since) != 0)
		return bad_usage("--since takes a time such as 7d, 24h or 2026-11-17");
	if (o.until != NULL && when_parse(o.until, now, &range.until) != 0)
		return bad_usage("--until takes a time such as 7d, 24h or 2026-11-17");
	return run(&o, &range);
}
