/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Header fields as a reader sees them, and the names of attachments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/param.h"
#include "policy/words.h"

struct row {
	const char *in;
	const char *out;
	bool is_certain;
};

static const struct row fields[] = {
	{ "plain text", "plain text", true },
	{ "", "", true },
	{ "=?utf-8?Q?Z=C3=BCrich?=", "Zürich", true },
	{ "=?UTF-8?q?a_b=5Fc~!?=", "a b_c~!", true },
	{ "=?utf-8?B?WsO8cmljaA==?=", "Zürich", true },
	{ "=?iso-8859-1*de?Q?Z=FCrich?=", "Zürich", true },
	{ "=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語", true },
	{ "=?utf-16?B?/v8AYQD8?=", "aü", true },
	{ "Re: =?utf-8?Q?pay?= =?utf-8?Q?roll?= now", "Re: payroll now", true },
	{ "=?utf-8?Q?pay?=\r\n =?iso-8859-1?B?cm9sbA==?=", "payroll", true },
	{ "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c", true },
	{ "=?utf-8?Q?a?==?utf-8?Q?b?=", "ab", true },
	{ "pay=?utf-8?Q?roll?=s", "payrolls", true },
	/* Characters split over words, as mailers do against RFC 2047 section 5. */
	{ "=?utf-8?Q?Z=C3?= =?utf-8?Q?=BCrich?=", "Zürich", true },
	{ "=?utf-8?B?WsM=?= =?UTF8?B?vHJpY2g=?=", "Zürich", true },
	{ "=?gb2312?B?1g==?= =?gbk?B?0M7E?=", "中文", true },
	{ "=?utf-8?Q?Z=C3?= =?iso-8859-1?Q?x?=", "Z\xef\xbf\xbdx", false },
	{ "=?utf-8?Q?Z=C3?= and =?utf-8?Q?=BCrich?=", "Z\xef\xbf\xbd and \xef\xbf\xbdrich", false },
	/* Each word of ISO 2022 begins and ends in ASCII. */
	{ "=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=", "日本", false },
	{ "=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?Q?ab?=", "日ab", false },
	{ "=?iso-2022-kr?B?GyQpQw5HUTE5Pm4=?=", "한국어", false },
	{ "=?iso-2022-kr?B?GyQpQw5HUTE5Pm4P?=", "한국어", true },
	/* Malformed words stay; broken bodies are read as far as they go. */
	{ "=?utf-8?Q?a b?=", "=?utf-8?Q?a b?=", false },
	{ "=?utf-8?Q?a", "=?utf-8?Q?a", false },
	{ "=?utf-8?X?a?=", "=?utf-8?X?a?=", false },
	{ "=?utf-8?Q?=4?=", "=4", false },
	{ "=?utf-8?B?QUI?=", "AB", false },
	{ "=?utf-8?B?Q*UI=?=", "AB", false },
	{ "1+1=?", "1+1=?", true },
	{ "a =? b ?= c", "a =? b ?= c", true },
	{ "=?utf-7?Q?+AGE-?=", "+AGE-", false },
	{ "=?a-name-that-is-longer-than-any-charset-has?Q?a?=", "a", false },
	{ "=?x-none?Q?payroll_=FC?=", "payroll ü", false },
	{ "=?utf-8?Q?a=00b=0D=0Ac=09d?=", "a b  c d", false },
	{ "=?utf-8?Q?a=09d?=", "a d", true },
	{ "=?us-ascii?Q?=FC?=", "\xef\xbf\xbd", false },
	/* Octets outside of words. */
	{ "Z\xc3\xbcrich", "Zürich", true },
	{ "Z\xfcrich", "Zürich", true },
	{ "Z\xc3\xbcrich \xfc", "Zürich ü", false },
	{ "\xfc=?utf-8?Q?x?=\xc3", "üxÃ", true },
	{ "=?utf-8?Q?a?= b\x01", "a b\x01", true },
};

static void
test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct row *row = &fields[i];
		struct arena *a = arena_new(1u << 20);
		bool is_certain = !row->is_certain;
		const char *s = words_decode(a, row->in, &is_certain);

		if (strcmp(s, row->out) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", row->in, s, row->out);
		if (is_certain != row->is_certain)
			fail_msg("\"%s\": certain %d", row->in, is_certain);
		arena_free(&a);
	}
}

/* 60 kB of one thing: soon read, and valid text. */
static void
test_long(void **state)
{
	static const char *const units[] = {
		"=?", "=?a?q?", "=?utf-8?q?=C3?= ", "=?utf-8?q?\?= ", "=?koi8-r?q?=C3?= =?big5?q?=C3?= ", "\xfc", " ",
		"=?iso-2022-jp?q?=1B$B?=", "=?iso-8859-2?q?a?= =?iso-8859-3?q?a?=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		struct arena *a = arena_new(1u << 20);
		struct text t = {0};
		bool is_certain;
		const char *s;

		while (t.len < 60000)
			text_add(&t, units[i]);
		s = words_decode(a, t.s, &is_certain);
		assert_true(text_is_utf8(s, strlen(s)));
		assert_false(arena_failed(a));
		text_free(&t);
		arena_free(&a);
	}
}

/* A word that goes beyond the end of the text is none. */
static void
test_find(void **state)
{
	static const char text[] = "=?utf-8*en?Q?body?=";
	const size_t len = sizeof text - 1;
	struct encoded_word w;
	char name[32];

	(void)state;
	for (size_t n = 2; n < len; n++)
		assert_false(words_find(text, text + n, &w));
	assert_true(words_find(text, text + len, &w));
	assert_int_equal(w.len, len);
	assert_int_equal(w.encoding, 'q');
	assert_int_equal(w.body_len, 4);
	words_charset(&w, name);
	assert_string_equal(name, "utf-8");
}

/* A few charsets in one field are normal; many are not read for certain. */
static void
test_charsets(void **state)
{
	(void)state;
	for (int n = 2; n <= 100; n += 49) {
		struct arena *a = arena_new(1u << 20);
		struct text t = {0};
		bool is_certain;

		for (int i = 0; i < n; i++)
			text_add(&t, i % 2 == 0 ? "=?koi8-r?q?=C1?= " : "=?iso-8859-2?q?=B1?= ");
		assert_int_equal(strncmp(words_decode(a, t.s, &is_certain), "аą", 4), 0);
		assert_int_equal(is_certain, n < 10);
		text_free(&t);
		arena_free(&a);
	}
}

static void
test_short_memory(void **state)
{
	struct arena *a = arena_new(64);
	bool is_certain = true;

	(void)state;
	assert_string_equal(words_decode(a, "=?utf-8?Q?a_rather_long_text_that_does_not_fit_into_64_octets?=", &is_certain), "");
	assert_false(is_certain);
	assert_true(arena_failed(a));
	arena_free(&a);
}

/* What comes before the ';', then each name after '|', '?' at the end where
 * there is a doubt of the names, '!' where of the field. */
static const struct row names[] = {
	{ "attachment", "attachment", true },
	{ "Attachment; filename=a.pdf", "attachment|a.pdf", true },
	{ "attachment; filename=\"a b.pdf\";", "attachment|a b.pdf", true },
	{ "attachment ; filename = \"a;b=c.pdf\" ; size=1", "attachment|a;b=c.pdf", true },
	{ "attachment; FileName=\"../../etc/cron.d/x\"", "attachment|../../etc/cron.d/x", true },
	{ "attachment; filename=\"say \\\"hi\\\".txt\"", "attachment|say \"hi\".txt", true },
	{ "attachment; filename=\"C:\\dir\\x.exe\"", "attachment|C:dirx.exe|C:\\dir\\x.exe", true },
	{ "attachment; filename=\"Z\xc3\xbcrich.txt\"", "attachment|Zürich.txt", true },
	{ "attachment; filename=Z\xfcrich.txt", "attachment|Zürich.txt", true },
	{ "attachment; filename=\"\"", "attachment|", true },
	/* RFC 2231 */
	{ "attachment; filename*=utf-8''Z%C3%BCrich%2Etxt", "attachment|Zürich.txt", true },
	{ "attachment; filename*=iso-8859-1'de'Z%FCrich.txt", "attachment|Zürich.txt", true },
	{ "attachment; filename*=''plain%2Eexe", "attachment|plain.exe", true },
	{ "attachment; filename*=\"utf-8''a%2Eexe\"", "attachment|a.exe", true },
	{ "attachment; filename*=utf-8''a%20b%00c", "attachment|a b c", true },
	{ "attachment; filename*=utf-8''%2E%2E%2Fx", "attachment|../x", true },
	{ "attachment; filename*0=\"../../\"; filename*1=\"etc/cron.d/x\"", "attachment|../../etc/cron.d/x", true },
	{ "attachment; filename*1=\".exe\"; filename*0=\"a\"", "attachment|a.exe", true },
	{ "attachment; filename*2=c; filename*0=a; filename*1=b", "attachment|abc", true },
	{ "attachment; filename*0*=utf-8''Z%C3; filename*1*=%BCrich; filename*2=\".e%78e\"", "attachment|Zürich.e%78e", true },
	{ "attachment; filename*0*=utf-8''a; filename*1=\"=?utf-8?q?b?=\"", "attachment|a=?utf-8?q?b?=", true },
	{ "attachment; filename*0*=utf-8''it%27; filename*1*=s'it'", "attachment|it's'it'", true },
	{ "attachment; filename=a.txt; filename*=utf-8''b.exe", "attachment|a.txt|b.exe", true },
	{ "attachment; filename=a.txt; filename=b.exe", "attachment|a.txt|b.exe", true },
	{ "attachment; filename*0=a; filename*1=b; filename=c", "attachment|ab|c", true },
	{ "attachment; filename*10=k; filename*9=j; filename*8=i; filename*7=h; filename*6=g; filename*5=f; "
	  "filename*4=e; filename*3=d; filename*2=c; filename*1=b; filename*0=a", "attachment|abcdefghijk", true },
	{ "attachment; filename*1=b", "attachment|b?", false },
	{ "attachment; filename*0=a; filename*2=c", "attachment|ac?", false },
	{ "attachment; filename*0=a; filename*0=b", "attachment|a?", false },
	{ "attachment; filename*0=a; filename*01=b", "attachment|a!", false },
	{ "attachment; filename**=a", "attachment!", false },
	{ "attachment; filename*x=a", "attachment!", false },
	{ "attachment; filename*99999999999=a", "attachment!", false },
	{ "attachment; filename*=a%2Eexe", "attachment|a.exe?", false },
	{ "attachment; filename*=utf-8''a%2", "attachment|a%2?", false },
	{ "attachment; filename*=utf-8''a%zz.exe", "attachment|a%zz.exe?", false },
	{ "attachment; filename*=utf-8''%FC", "attachment|\xef\xbf\xbd?", false },
	{ "attachment; filename*=utf-7''a", "attachment|a?", false },
	{ "attachment; filename*=a-name-that-is-longer-than-any-charset-has''a", "attachment|a?", false },
	{ "attachment; filename*0*=utf-8''a%C3", "attachment|a\xef\xbf\xbd?", false },
	{ "attachment; filename*0*=utf-8''a%C3; filename*1=b", "attachment|a\xef\xbf\xbd" "b?", false },
	{ "attachment; filename*0=\"=?none?q?\"; filename*1=\"a?=\"", "attachment|a?", false },
	{ "attachment; filename*0=a; filename*1*=%2Eexe", "attachment|a.exe?", false },
	/* RFC 2047 in values */
	{ "attachment; filename=\"=?utf-8?B?WsO8cmljaC5leGU=?=\"", "attachment|Zürich.exe", true },
	{ "attachment; filename==?utf-8?Q?a=2Eexe?=", "attachment|a.exe", true },
	{ "attachment; filename=\"=?utf-8?Q?a?= =?utf-8?Q?=2Eexe?=\"", "attachment|a.exe", true },
	{ "attachment; filename*0=\"=?utf-8?Q?a=2\"; filename*1=\"Eexe?=\"", "attachment|a.exe", true },
	{ "attachment; filename=\"=?none?Q?a=2Eexe?=\"", "attachment|a.exe?", false },
	{ "attachment; filename=\"=?utf-8?Q?a=2Eex e?=\"", "attachment|=?utf-8?Q?a=2Eex e?=?", false },
	/* What is not well formed */
	{ "attachment; filename=My File.exe", "attachment|My|My File.exe!", false },
	{ "attachment; filename=file(1).exe", "attachment|file|file(1).exe!", false },
	{ "attachment; filename=a.exe (a comment)", "attachment|a.exe|a.exe (a comment)", true },
	{ "attachment (a comment); filename=a", "attachment|a", true },
	{ "attachment; (filename=b;) filename=a", "attachment|a!", false },
	{ "attachment; (never ends; filename=a", "attachment!", false },
	{ "attachment; filename=\"a.exe", "attachment|a.exe!", false },
	{ "attachment; filename=\"a\" .exe", "attachment|a!", false },
	{ "attachment; x:y=1; filename=a", "attachment|a!", false },
	{ "attachment; x:y=\"\\\";filename=b\"; filename=a", "attachment|a!", false },
	{ "attachment; filename=\"a\\\";b\"", "attachment|a\";b", true },
	{ "attachment; filename=a b ; size=1", "attachment|a|a b!", false },
	{ "attachment; (\\)filename=b) filename=a", "attachment|a!", false },
	{ "attachment; =a; filename=a", "attachment|a!", false },
	{ "attachment; filename; filename=a", "attachment|a!", false },
	{ "attachment; size=1 filename=a", "attachment|a!", false },
	{ "attachment filename=a", "attachment|a!", false },
	{ "filename=a.exe", "|a.exe!", false },
	{ "; filename=a.exe", "|a.exe!", false },
	{ "attachment; filename=a<b", "attachment|a<b!", false },
	{ "attachment; filename=a[1]@b:c/d?e=f", "attachment|a[1]@b:c/d?e=f", true },
	{ "attachment;;; filename=a;;", "attachment|a", true },
};

static void
add_name(void *context, const char *name)
{
	text_printf(context, "|%s", name);
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct row *row = &names[i];
		struct arena *a = arena_new(1u << 20);
		struct param_list l;
		struct text t = {0};
		const char *doubt = NULL;

		param_read(a, row->in, &l);
		text_add(&t, l.value);
		param_names(a, &l, "filename", add_name, &t, &doubt);
		text_add(&t, l.doubt != NULL ? "!" : doubt != NULL ? "?" : "");
		if (strcmp(text_string(&t), row->out) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", row->in, text_string(&t), row->out);
		assert_int_equal(row->is_certain, l.doubt == NULL && doubt == NULL);
		text_free(&t);
		arena_free(&a);
	}
}

static const struct row boundaries[] = {
	{ "multipart/mixed; boundary=b", "b", true },
	{ "multipart/mixed; BOUNDARY=\"b c\"", "b c", true },
	{ "multipart/mixed; boundary=~b~", "~b~", true },
	{ "multipart/mixed; boundary=----=_Part_1", "----=_Part_1", true },
	{ "multipart/mixed; boundary=\"a\\\"b\"", "a\"b", true },
	{ "multipart/mixed", NULL, true },
	{ "multipart/mixed; xboundary=b", NULL, true },
	{ "multipart/mixed; boundary=a; boundary=b", "a", false },
	{ "multipart/mixed; boundary=a; Boundary=a", "a", false },
	{ "multipart/mixed; boundary*=us-ascii''b%63", "bc", false },
	{ "multipart/mixed; boundary*0=b; boundary*1=c", "bc", false },
	{ "multipart/mixed; boundary=a; boundary*=us-ascii''b", "a", false },
	{ "multipart/mixed; x:y=1; boundary=b", "b", false },
	{ "multipart/mixed; x=\"y; boundary=b", NULL, false },
	{ "multipart/mixed; (x; boundary=a) boundary=b", "b", false },
};

static void
test_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof boundaries / sizeof boundaries[0]; i++) {
		const struct row *row = &boundaries[i];
		struct arena *a = arena_new(1u << 20);
		struct param_list l;
		const char *doubt = NULL, *s;

		param_read(a, row->in, &l);
		s = param_one(a, &l, "boundary", &doubt);
		if (strcmp(s != NULL ? s : "(none)", row->out != NULL ? row->out : "(none)") != 0)
			fail_msg("\"%s\": %s", row->in, s);
		if (row->is_certain != (l.doubt == NULL && doubt == NULL))
			fail_msg("\"%s\": %s, %s", row->in, l.doubt, doubt);
		arena_free(&a);
	}
}

static void
test_long_name(void **state)
{
	struct arena *a = arena_new(1u << 20);
	struct param_list l;
	struct text t = {0}, want = {0}, r = {0};
	const char *doubt = NULL;

	(void)state;
	text_add(&t, "attachment; filename*=utf-8''");
	text_add(&want, "|");
	for (int i = 0; i < 1000; i++) {
		text_add(&t, "%C3%BCx");
		text_add(&want, "üx");
	}
	param_read(a, t.s, &l);
	param_names(a, &l, "filename", add_name, &r, &doubt);
	assert_string_equal(text_string(&r), want.s);
	assert_null(doubt);
	text_free(&t);
	text_free(&want);
	text_free(&r);
	arena_free(&a);
}

/* No more pieces than are read, and no more time. */
static void
test_many(void **state)
{
	struct arena *a = arena_new(1u << 20);
	struct param_list l;
	struct text t = {0}, r = {0};
	const char *doubt = NULL;

	(void)state;
	text_add(&t, "attachment");
	for (int i = 5000; i-- > 0;)
		text_printf(&t, ";filename*%d=a", i);
	param_read(a, t.s, &l);
	assert_int_equal(l.count, PARAM_PIECES_MAX);
	assert_non_null(l.doubt);
	param_names(a, &l, "filename", add_name, &r, &doubt);
	assert_int_equal(r.len, PARAM_PIECES_MAX + 1);
	text_free(&t);
	text_free(&r);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_short_memory),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
