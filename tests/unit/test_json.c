/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON: what is read and refused, and what is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static struct jsonv *
parse(const char *s)
{
	char error[100] = "";
	struct jsonv *v = jsonv_parse(s, strlen(s), error, sizeof error);

	if (v == NULL)
		fail_msg("%s: %s", s, error);
	return v;
}

static void
test_errors(void **state)
{
	static const char *const rows[][2] = {
		{ "", "1:" },
		{ "{", "1:" },
		{ "[1,\n2,\n x]", "3:" },
		{ "[1] 2", "1:" },
		{ "{\"a\": 1, \"a\": 2}", "1:" },
		{ "[\"\xff\"]", "1:" },
		{ "[99999999999999999999]", "1:" },
		{ "{'a': 1}", "1:" },
	};
	char error[100];

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		error[0] = '\0';
		assert_null(jsonv_parse(rows[i][0], strlen(rows[i][0]), error, sizeof error));
		if (strncmp(error, rows[i][1], strlen(rows[i][1])) != 0 || strstr(error, ": ") == NULL)
			fail_msg("%s: \"%s\"", rows[i][0], error);
	}
	memset(error, 'x', sizeof error);
	assert_null(jsonv_parse("{", 1, error, 4));
	assert_int_equal(strlen(error), 3);
	assert_int_equal(error[4], 'x');
	assert_null(jsonv_parse("[\"a\\u0000b\"]", 12, error, sizeof error));
	assert_null(jsonv_parse("[1]\0", 4, error, sizeof error));
}

/* 100 kB of nesting is an error. */
static void
test_deep(void **state)
{
	static char s[100000];
	char error[100];

	(void)state;
	memset(s, '[', sizeof s);
	assert_null(jsonv_parse(s, sizeof s, error, sizeof error));
	for (size_t i = 0; i + 5 < sizeof s; i += 5)
		memcpy(s + i, "{\"a\":", 5);
	assert_null(jsonv_parse(s, sizeof s, error, sizeof error));
}

/* What a value is not, it is never taken for. */
static void
test_types(void **state)
{
	static const struct {
		const char *in;
		bool is_array, is_object;
		const char *text;
		int boolean;
		bool is_integer;
		int64_t integer;
	} rows[] = {
		{ "[true]", false, false, NULL, 1, false, 0 },
		{ "[false]", false, false, NULL, 0, false, 0 },
		{ "[null]", false, false, NULL, -1, false, 0 },
		{ "[0]", false, false, NULL, -1, true, 0 },
		{ "[-7]", false, false, NULL, -1, true, -7 },
		{ "[9223372036854775807]", false, false, NULL, -1, true, INT64_MAX },
		{ "[1.0]", false, false, NULL, -1, false, 0 },
		{ "[1e2]", false, false, NULL, -1, false, 0 },
		{ "[\"\"]", false, false, "", -1, false, 0 },
		{ "[\"1\"]", false, false, "1", -1, false, 0 },
		{ "[\"\\u00f6\\n\"]", false, false, "\xc3\xb6\n", -1, false, 0 },
		{ "[[]]", true, false, NULL, -1, false, 0 },
		{ "[{}]", false, true, NULL, -1, false, 0 },
		{ "[]", false, false, NULL, -1, false, 0 }, /* there is none */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct jsonv *root = parse(rows[i].in);
		const struct jsonv *v = jsonv_at(root, 0);
		const char *text = jsonv_text(v);
		int64_t integer = 0;

		assert_true(jsonv_is_array(v) == rows[i].is_array);
		assert_true(jsonv_is_object(v) == rows[i].is_object);
		assert_true(jsonv_is_string(v) == (rows[i].text != NULL));
		assert_true((text == NULL) == (rows[i].text == NULL));
		if (text != NULL)
			assert_string_equal(text, rows[i].text);
		assert_int_equal(jsonv_boolean(v), rows[i].boolean);
		assert_true(jsonv_integer(v, &integer) == rows[i].is_integer);
		assert_true(integer == rows[i].integer);
		jsonv_free(&root);
		assert_null(root);
	}
}

static void
test_members(void **state)
{
	struct jsonv *root = parse("{\"DomainName\": \"a\", \"list\": [1, 2, 3], \"o\": {\"x\": {\"y\": true}}}");
	const struct jsonv *list = jsonv_member(root, "LIST");
	int64_t n;

	(void)state;
	assert_string_equal(jsonv_text(jsonv_member(root, "domainname")), "a");
	assert_null(jsonv_member(root, "domain"));
	assert_null(jsonv_member(root, "DomainName2"));
	assert_int_equal(jsonv_count(list), 3);
	assert_true(jsonv_integer(jsonv_at(list, 2), &n));
	assert_int_equal(n, 3);
	assert_null(jsonv_at(list, 3));
	assert_null(jsonv_member(list, "x"));
	assert_int_equal(jsonv_count(root), 0);
	assert_null(jsonv_at(root, 0));
	assert_int_equal(jsonv_boolean(jsonv_member(jsonv_member(jsonv_member(root, "o"), "x"), "y")), 1);
	assert_null(jsonv_member(jsonv_member(root, "none"), "x"));
	jsonv_free(&root);
	jsonv_free(&root);
}

static void
assert_written(const struct jsonv *v, bool pretty, const char *expected)
{
	struct text t = {0};

	text_add(&t, "> ");
	assert_int_equal(jsonv_write(v, pretty, &t), 0);
	assert_string_equal(text_string(&t) + 2, expected);
	text_free(&t);
}

static void
test_write(void **state)
{
	struct jsonv *root = jsonv_new_object(), *list, *o;

	(void)state;
	jsonv_set_text(root, "z", "a\"b\\c\n\x01");
	jsonv_set_text(root, "none", NULL);
	jsonv_set_integer(root, "n", INT64_MIN);
	jsonv_set_boolean(root, "yes", true);
	jsonv_set_boolean(root, "no", false);
	list = jsonv_set_array(root, "list");
	jsonv_add_text(list, "one");
	o = jsonv_add_object(list);
	jsonv_set_object(o, "empty");
	jsonv_set_integer(root, "n", 5);
	assert_written(root, false,
		       "{\"z\":\"a\\\"b\\\\c\\n\\u0001\",\"none\":null,\"n\":5,\"yes\":true,"
		       "\"no\":false,\"list\":[\"one\",{\"empty\":{}}]}");
	jsonv_free(&root);
	root = jsonv_new_array();
	assert_written(root, false, "[]");
	jsonv_set_integer(jsonv_add_object(root), "a", 1);
	assert_written(root, true, "[\n  {\n    \"a\": 1\n  }\n]\n");
	jsonv_free(&root);
}

/* Text of any octets is written as UTF-8. */
static void
test_octets(void **state)
{
	static const char *const rows[][2] = {
		{ "", "[\"\"]" },
		{ "\xc3\xb6", "[\"\xc3\xb6\"]" },
		{ "a\xff" "b", "[\"a\xef\xbf\xbd" "b\"]" },
		{ "\xc3", "[\"\xef\xbf\xbd\"]" },
		{ "\xc3\xc3\xb6", "[\"\xef\xbf\xbd\xc3\xb6\"]" },
		{ "\xc0\x80", "[\"\xef\xbf\xbd\xef\xbf\xbd\"]" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct jsonv *root = jsonv_new_array();

		jsonv_add_text(root, rows[i][0]);
		assert_written(root, false, rows[i][1]);
		jsonv_free(&root);
	}
}

/* A container that memory was short for is NULL: all that goes into it is left out. */
static void
test_no_container(void **state)
{
	struct jsonv *list = jsonv_new_array();
	struct text t = {0};

	(void)state;
	jsonv_set_text(NULL, "a", "b");
	jsonv_set_integer(NULL, "a", 1);
	jsonv_set_boolean(NULL, "a", true);
	jsonv_add_text(NULL, "a");
	assert_null(jsonv_set_object(NULL, "a"));
	assert_null(jsonv_set_array(NULL, "a"));
	assert_null(jsonv_add_object(NULL));
	assert_null(jsonv_set_object(list, "a"));
	assert_int_equal(jsonv_write(NULL, false, &t), -1);
	assert_string_equal(text_string(&t), "");
	jsonv_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_no_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
