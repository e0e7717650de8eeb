/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Header fields: found, counted, unfolded, measured, and the faults of form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/header.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* A header of fields with these names, which commas part. */
static void
start_with(struct header *h, struct arena *a, const char *names)
{
	header_start(h, a);
	while (*names != '\0') {
		size_t len = strcspn(names, ",");

		header_add(h, arena_substring(a, names, len), " x", true);
		names += names[len] == ',' ? len + 1 : len;
	}
}

static void
assert_name(const char *names, const char *found, const char *expected)
{
	if (found == NULL || expected == NULL ? found != expected : strcmp(found, expected) != 0)
		fail_msg("\"%s\": %s, not %s", names, found == NULL ? "none" : found,
			 expected == NULL ? "none" : expected);
}

static void
test_find(void **state)
{
	static const struct {
		const char *names;
		const char *name;
		size_t count;
	} rows[] = {
		{ "", "From", 0 },
		{ "To,Subject", "From", 0 },
		{ "To,From,Subject", "From", 1 },
		{ "From,to,FROM,from", "From", 3 },
		{ "From ,From\t ", "From", 2 },
		{ "From,Fro,Fromm,X-From", "From", 1 },
		{ "X,Y,X,Y,X", "y", 2 },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct header h;
		const struct header_field *f;

		start_with(&h, a, rows[i].names);
		if (header_count(&h, rows[i].name) != rows[i].count)
			fail_msg("\"%s\": %zu", rows[i].names, header_count(&h, rows[i].name));
		f = header_find(&h, rows[i].name);
		assert_true((f != NULL) == (rows[i].count > 0));
		assert_true(f == NULL || f->index == 1);
	}
	arena_free(&a);
}

/* In order, numbered by name, copied, white space before the colon gone. */
static void
test_order(void **state)
{
	static const struct {
		const char *name;
		size_t index;
	} expected[] = { { "Received", 1 }, { "To", 1 }, { "received", 2 }, { "RECEIVED", 3 }, { "to", 2 } };
	struct arena *a = arena_new(0);
	struct header h;
	char name[] = "X", value[] = " one";
	const struct header_field *f;
	size_t i = 0;

	(void)state;
	start_with(&h, a, "Received,To,received \t,RECEIVED,to");
	for (f = h.first; f != NULL; f = f->next, i++) {
		assert_true(i < LENGTH(expected));
		assert_string_equal(f->name, expected[i].name);
		assert_int_equal(f->index, expected[i].index);
	}
	assert_int_equal(i, LENGTH(expected));
	assert_int_equal(h.count, LENGTH(expected));
	header_add(&h, name, value, true);
	name[0] = 'Y';
	value[1] = 'O';
	assert_string_equal(header_find(&h, "X")->value, " one");
	assert_ptr_equal(header_find(&h, "x"), h.last);
	arena_free(&a);
}

static void
test_unfold(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ " \t ", "" },
		{ " text", "text" },
		{ "\ttext \t", "text" },
		{ " a  b ", "a  b" },
		{ " a\r\n b", "a b" },
		{ " a\n\tb", "a\tb" },
		{ " a\r\n \r\n b", "a  b" },
		{ "\r\n a", "a" },
		{ " a\r\n ", "a" },
		{ " a\n\n b", "a b" },
		{ " a\r\n\n\r\n\tb", "a\tb" },
		/* What is no fold stays. */
		{ " a\r\nb", "a\r\nb" },
		{ " a\n", "a\n" },
		{ " a\n\nb", "a\n\nb" },
		{ " a\rb", "a\rb" },
		{ " a\r b", "a\r b" },
		{ " a\r\r\n b", "a\r b" },
		{ " \xc3\xb6\r\n \xff", "\xc3\xb6 \xff" },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_string_equal(header_unfold(a, rows[i][0]), rows[i][1]);
	arena_free(&a);
}

static void
test_repeated(void **state)
{
	/* RFC 5322 section 3.6, RFC 2045: at most once. */
	static const char *const once[] = {
		"Date", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To",
		"References", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
		"Content-ID", "Content-Description", "Content-Disposition",
	};
	static const char *const rows[][2] = {
		{ "", NULL },
		{ "To,Cc,Subject,Date", NULL },
		{ "From,From", NULL }, /* judged on its own */
		{ "Received,Received,Comments,Comments,Keywords,Keywords", NULL },
		{ "DKIM-Signature,DKIM-Signature,X-A,X-A", NULL },
		{ "To,to", "to" },
		{ "Subject,Subject ", "Subject" },
		{ "Subject,Date,DATE,subject", "DATE" },
		{ "X,X,To,X,To,To", "To" },
	};
	struct arena *a = arena_new(0);
	struct header h;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		start_with(&h, a, rows[i][0]);
		assert_name(rows[i][0], header_repeated(&h), rows[i][1]);
	}
	for (size_t i = 0; i < LENGTH(once); i++) {
		start_with(&h, a, arena_printf(a, "%s,X,%s", once[i], once[i]));
		assert_name(once[i], header_repeated(&h), once[i]);
	}
	arena_free(&a);
}

static void
test_resent(void **state)
{
	static const char *const rows[][2] = {
		{ "", NULL },
		{ "From,To", NULL },
		{ "Resent,X-Resent-From,Resen-t", NULL },
		{ "From,Resent-From", "Resent-From" },
		{ "resent-x,Resent-To", "resent-x" },
		{ "Resent-", "Resent-" },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct header h;

		start_with(&h, a, rows[i][0]);
		assert_name(rows[i][0], header_resent(&h), rows[i][1]);
	}
	arena_free(&a);
}

static void
test_broken(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		bool is_broken;
	} rows[] = {
		{ "Subject", "", false },
		{ "Subject", " x", false },
		{ "Subject", " a\r\n b", false },
		{ "Subject", " a\n\tb", false },
		{ "Subject", " a\r\n \r\n b", false },
		{ "Subject", " \xc3\xb6 \xff \x01", false },
		{ "Subject \t", " x", false },
		{ "!#~", " x", false },
		{ "Subject", " a\rb", true },
		{ "Subject", " a\r", true },
		{ "Subject", " a\r b", true },
		{ "Subject", " a\r\r\n b", true },
		{ "Subject", " a\nb", true },
		{ "Subject", " a\r\nb", true },
		{ "Subject", " a\n", true },
		{ "Subject", " a\r\n", true },
		{ "Subject", " a\n\n b", true },
		{ "", " x", true },
		{ " ", " x", true },
		{ " Subject", " x", true },
		{ "Sub ject", " x", true },
		{ "Sub\tject", " x", true },
		{ "Sub:ject", " x", true },
		{ "Subject\x7f", " x", true },
		{ "Subj\xc3\xa9t", " x", true },
		{ "Subject\r", " x", true },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct header h;
		const char *found;

		start_with(&h, a, "To,From");
		header_add(&h, rows[i].name, rows[i].value, true);
		header_add(&h, "Date", " now", true);
		found = header_broken(&h);
		if ((found != NULL) != rows[i].is_broken)
			fail_msg("\"%s:%s\": %s", rows[i].name, rows[i].value, found == NULL ? "well" : "broken");
		assert_true(found == NULL || found == h.first->next->next->name);
	}
	arena_free(&a);
}

static void
test_media_type(void **state)
{
	static const char *const rows[][2] = {
		{ " text/html", "text/html" },
		{ " Text/HTML; charset=utf-8", "text/html" },
		{ "message/partial;id=1", "message/partial" },
		{ " application/vnd.x+xml;", "application/vnd.x+xml" },
		{ "\r\n multipart/mixed;\r\n boundary=a/b", "multipart/mixed" },
		{ " (a) message/partial (b); id=1", "message/partial" },
		{ " (a (b\\)) c) text/html", "text/html" },
		{ " message / partial; id=1", "message/partial" },
		{ " message (a)/(b)\r\n partial (c)", "message/partial" },
		/* Not read: the default of RFC 2045 section 5.2. */
		{ "", "text/plain" },
		{ " html", "text/plain" },
		{ " /html", "text/plain" },
		{ " text/", "text/plain" },
		{ " text/;x", "text/plain" },
		{ " text/html x", "text/plain" },
		{ " text/html/x", "text/plain" },
		{ " te xt/html", "text/plain" },
		{ " \"text\"/html", "text/plain" },
		{ " text/h\xc3\xb6", "text/plain" },
		{ " text/h\x01", "text/plain" },
		{ " (a text/html", "text/plain" },
		{ " text(/html", "text/plain" },
		{ " text/html (a", "text/plain" },
		{ " text/html (ab\\", "text/plain" },
		{ " )text/html", "text/plain" },
	};
	struct arena *a = arena_new(0);
	struct header h;

	(void)state;
	start_with(&h, a, "To,Content");
	assert_string_equal(header_media_type(&h, a), "text/plain");
	for (size_t i = 0; i < LENGTH(rows); i++) {
		header_start(&h, a);
		header_add(&h, "content-TYPE", rows[i][0], true);
		if (strcmp(header_media_type(&h, a), rows[i][1]) != 0)
			fail_msg("\"%s\": %s", rows[i][0], header_media_type(&h, a));
	}
	arena_free(&a);
}

/* Octets as on the wire, with CR LF after every line. */
static void
test_sizes(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		size_t octets;
		size_t line;
	} rows[] = {
		{ "X", "", 4, 2 },
		{ "X", " a", 6, 4 },
		{ "X \t", " a", 6, 4 },
		{ "Subject", " a\n bcd", 18, 10 },
		{ "Subject", " a\r\n bcd", 18, 10 },
		{ "X", "\n abcdefgh", 15, 9 },
		{ "X", " a\rb", 8, 6 },
		{ "X", " a\n", 8, 4 },
		{ "X", " a\n\n\n", 12, 4 },
	};
	struct arena *a = arena_new(0);
	struct header h;
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		header_start(&h, a);
		header_add(&h, rows[i].name, rows[i].value, true);
		if (h.octets != rows[i].octets || h.largest != rows[i].octets || h.longest_signed_line != rows[i].line)
			fail_msg("row %zu: %zu octets, line %zu", i, h.octets, h.longest_signed_line);
	}
	header_start(&h, a);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		header_add(&h, rows[i].name, rows[i].value, i == 1);
		sum += rows[i].octets;
	}
	assert_int_equal(h.octets, sum);
	assert_int_equal(h.largest, 18);
	assert_int_equal(h.longest_signed_line, 4);
	arena_free(&a);
}

/* More fields than any policy passes are counted and measured, not kept. */
static void
test_many(void **state)
{
	struct arena *a = arena_new(0);
	struct header h;
	size_t used = 0, counted;

	(void)state;
	header_start(&h, a);
	for (size_t i = 0; i < 20000; i++) {
		char name[16];

		snprintf(name, sizeof name, "X-%04zu", i % 1000);
		header_add(&h, name, " x", true);
		if (i == 10000)
			used = arena_used(a);
	}
	assert_int_equal(h.count, 20000);
	assert_int_equal(h.octets, 20000 * 11);
	assert_int_equal(arena_used(a), used);
	counted = header_count(&h, "X-0999");
	assert_in_range(counted, 1, 19);
	for (size_t i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof name, "x-%04zu", i);
		assert_int_equal(header_count(&h, name), counted);
		assert_int_equal(header_find(&h, name)->index, 1);
	}
	arena_free(&a);
}

static void
test_large(void **state)
{
	struct arena *a = arena_new(0);
	char *value = test_malloc(2000001);
	struct header h;
	size_t used;

	(void)state;
	memset(value, 'x', 2000000);
	value[2000000] = '\0';
	start_with(&h, a, "From");
	used = arena_used(a);
	header_add(&h, "X", value, true);
	header_add(&h, "X", value + 1, false);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.largest, 2000004);
	assert_int_equal(h.octets, 9 + 2000004 + 2000003);
	assert_int_equal(h.longest_signed_line, 2000002);
	assert_int_equal(header_count(&h, "From"), 1);
	assert_int_equal(arena_used(a), used);
	test_free(value);
	arena_free(&a);
}

static void
test_no_memory(void **state)
{
	struct arena *a = arena_new(300);
	struct header h;

	(void)state;
	header_start(&h, a);
	for (int i = 0; i < 20; i++)
		header_add(&h, "Subject", " a value of some octets", true);
	assert_true(arena_failed(a));
	assert_int_equal(h.count, 20);
	assert_true(header_count(&h, "Subject") < 20);
	assert_string_equal(header_unfold(a, " a value of more octets than there is memory left for, by some"), "");
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_unfold),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_resent),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_media_type),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
