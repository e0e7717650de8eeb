/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages read as MIME: what comes out of them, what of it is certain, and
 * that it is the same wherever the chunks of the body are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/mime.h"

struct result {
	struct text text;
	struct text parts;      /* TYPE DISPOSITION|NAME|NAME, "; " between */
	size_t n_parts;
	const char *text_doubt, *parts_doubt;
};

static void
add_text(void *context, const char *s, size_t len)
{
	struct result *r = context;

	if (len == 0 || !text_is_utf8(s, len))
		fail_msg("a piece of text that is none");
	text_add_octets(&r->text, s, len);
}

static void
add_part(void *context, const char *type, const char *disposition)
{
	struct result *r = context;

	r->n_parts++;
	text_printf(&r->parts, "%s%s", r->parts.len > 0 ? "; " : "", type);
	if (*disposition != '\0')
		text_printf(&r->parts, " %s", disposition);
}

static void
add_name(void *context, const char *name)
{
	struct result *r = context;

	text_printf(&r->parts, "|%s", name);
}

static const struct mime_events events = {add_part, add_name, add_text};

/* Fields up to an empty line, as a milter hands them over; returns the body. */
static const char *
parse_header(struct header *h, const char *s, const char *end)
{
	while (end - s >= 2 && strncmp(s, "\r\n", 2) != 0) {
		const char *colon = strchr(s, ':'), *stop = strstr(s, "\r\n");
		char name[64] = "", value[1024] = "";

		while (stop[2] == ' ' || stop[2] == '\t')
			stop = strstr(stop + 2, "\r\n");
		memcpy(name, s, (size_t)(colon - s));
		memcpy(value, colon + 1, (size_t)(stop - colon - 1));
		header_add(h, name, value, false);
		s = stop + 2;
	}
	return end - s >= 2 ? s + 2 : end;
}

/* Reads a message, its body in a first piece of `cut` octets and then pieces
 * of `step`, 0 for all at once. */
static void
read_message(const char *s, size_t len, size_t cut, size_t step, struct result *r)
{
	struct arena *a = arena_new(1u << 20);
	struct header h;
	struct mime *m;
	const char *end = s + len;

	memset(r, 0, sizeof *r);
	header_start(&h, a);
	s = parse_header(&h, s, end);
	m = mime_new(&h, &events, r);
	assert_non_null(m);
	arena_free(&a);
	while (s < end) {
		size_t left = (size_t)(end - s), n = cut > 0 ? cut : step > 0 ? step : left;

		if (n > left)
			n = left;
		mime_body(m, s, n);
		s += n;
		cut = 0;
	}
	mime_end(m);
	r->text_doubt = mime_text_uncertain(m);
	r->parts_doubt = mime_parts_uncertain(m);
	assert_true((mime_uncertain(m) == NULL) == (r->text_doubt == NULL && r->parts_doubt == NULL));
	mime_free(&m);
}

static void
free_result(struct result *r)
{
	text_free(&r->text);
	text_free(&r->parts);
}

enum certain { CERTAIN, TEXT, PARTS, BOTH }; /* what there is a doubt of */

struct row {
	const char *message;
	size_t len;
	const char *text;
	const char *parts;
	enum certain doubt;
};

#define M(s) s, sizeof s - 1
#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct row rows[] = {
	/* One part. */
	{ M("Subject: x\r\n\r\nplain\r\ntext\r\n"), "plain\ntext\n", "text/plain", CERTAIN },
	{ M("Subject: x\r\n"), "", "text/plain", CERTAIN },
	{ M("Subject: x\r\n\r\n"), "", "text/plain", CERTAIN },
	{ M("Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>Z\xfcrich"), "<p>Zürich", "text/html", CERTAIN },
	{ M("Content-Type: TEXT/Calendar; name=a.ics\r\nContent-Disposition: ATTACHMENT\r\n\r\nx"),
	  "x", "text/calendar attachment|a.ics", CERTAIN },
	{ M("Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"),
	  "", "application/pdf|a.pdf", CERTAIN },
	{ M("Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\nDQpE\r\n"), "ABC\nD", "text/plain", CERTAIN },
	{ M("Content-Transfer-Encoding: quoted-printable\r\n\r\nA=\r\nB=0D=0AC=0D=\r\nD"), "AB\nC\rD", "text/plain", CERTAIN },
	{ M("Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n/v8AYQANAAoAYg=="),
	  "a\nb", "text/plain", CERTAIN },
	{ M("\r\n\xef\xbb\xbfmarked\r\rtwice\r"), "marked\r\rtwice\r", "text/plain", CERTAIN },
	/* Octets above ASCII in text that does not say its charset, or says ASCII. */
	{ M("\r\nZ\xc3\xbcrich"), "Zürich", "text/plain", CERTAIN },
	{ M("\r\nZ\xfcrich"), "Zürich", "text/plain", CERTAIN },
	{ M("\r\nZ\xc3\xbcrich \xfc"), "Zürich ü", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset=us-ascii\r\n\r\nZ\xc3\xbcrich"), "Zürich", "text/plain", CERTAIN },
	{ M("Content-Type: text/plain; charset=\"\"\r\n\r\nZ\xfcrich"), "Zürich", "text/plain", CERTAIN },
	{ M("Content-Type: text/plain; charset=utf-8\r\n\r\nZ\xfcrich"), "Z\xef\xbf\xbdrich", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset=utf-8\r\n\r\nZ\xc3"), "Z\xef\xbf\xbd", "text/plain", TEXT },
	/* Several. */
	{ M(MULTI "preamble\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n"),
	  "one\ntwo\n", "text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b\r\n\r\none\r\r\n--b\r\n\r\ntwo\r\n--b--"), "one\r\ntwo", "text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b \t\r\n\r\none\r\n--b\t \r\n\r\ntwo\r\n--b-- \r\n"), "one\ntwo", "text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b\r\n\r\n--b\r\n\r\n\r\n--b\r\n--b\r\n\r\nx\r\n--b--"),
	  "x", "text/plain; text/plain; text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b\r\n\r\na\r\n--\r\n-b\r\n-=b\r\n--c\r\n- --b\r\n --b\r\n--b--\r\n"),
	  "a\n--\n-b\n-=b\n--c\n- --b\n --b", "text/plain", CERTAIN },
	{ M(MULTI "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment;\r\n filename=a.pdf\r\n\r\n"
	    "SECRET\r\n--b\r\ncontent-type:text/html\r\n\r\nx\r\n--b--\r\n"),
	  "x", "application/pdf attachment|a.pdf; text/html", CERTAIN },
	{ M(MULTI "--b\r\nX-b: y\r\nContent-Transfer-Encoding : base64\r\nX-Note: z\r\n folded\r\n\r\nQUJD\r\n--b--"),
	  "ABC", "text/plain", CERTAIN },
	{ M(MULTI "--b\r\n\r\nnever closed\r\n"), "never closed\n", "text/plain", CERTAIN },
	{ M(MULTI "--b\n\nbare\nlines\n--b--\n"), "bare\nlines", "text/plain", CERTAIN },
	/* In each other. */
	{ M(MULTI "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n"
	    "Content-Type: text/html\r\n\r\n<b>one\r\n--c--\r\nepilogue\r\n--b\r\n\r\ntwo\r\n--b--\r\n"),
	  "one\n<b>one\ntwo", "text/plain; text/html; text/plain", CERTAIN },
	{ M(MULTI "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--"),
	  "one\ntwo", "text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b\r\nContent-Type: message/rfc822; name=m.eml\r\n\r\nSubject: y\r\nContent-Type: multipart/mixed;\r\n"
	    "\tboundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--"),
	  "one\ntwo", "message/rfc822|m.eml; text/plain; text/plain", CERTAIN },
	{ M("Content-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"),
	  "ABC", "message/rfc822; text/plain", CERTAIN },
	{ M("Content-Type: message/rfc822\r\n\r\nno field\r\nhi"), "no field\nhi", "message/rfc822; text/plain", BOTH },
	{ M("Content-Type: message/rfc822\r\n\r\n"), "", "message/rfc822; text/plain", CERTAIN },
	{ M("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: y\r\n\r\none\r\n--b\r\n"
	    "Content-Type: text/plain\r\n\r\ntwo\r\n--b--"),
	  "one\ntwo", "message/rfc822; text/plain; text/plain", CERTAIN },
	{ M(MULTI "--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.0.0\r\n--b--"),
	  "", "message/delivery-status", CERTAIN },
	/* Names. */
	{ M("Content-Type: application/octet-stream; name*0=\"../../\"; name*1=\"etc/cron.d/x\"\r\n\r\nHello\r\n"),
	  "", "application/octet-stream|../../etc/cron.d/x", CERTAIN },
	{ M("Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: inline; filename=b.exe\r\n\r\n"),
	  "", "application/pdf inline|b.exe|a.pdf", CERTAIN },
	{ M("Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n"),
	  "", "application/pdf attachment|a.pdf", CERTAIN },
	{ M("Content-Type: application/pdf; filename=a.pdf\r\nContent-Disposition: attachment; name=b.pdf\r\n\r\n"),
	  "", "application/pdf attachment|b.pdf|a.pdf", CERTAIN },
	{ M("Content-Disposition: attachment; filename*=none''a\r\n\r\nx"), "x", "text/plain attachment|a", PARTS },
	{ M("Content-Disposition: attachment; filename=a b\r\n\r\nx"), "x", "text/plain attachment|a|a b", PARTS },
	{ M("Content-Disposition: attachment\r\nContent-Disposition: inline; filename=b\r\n\r\nx"),
	  "x", "text/plain attachment", PARTS },
	/* What readers differ about. */
	{ M("Content-Type: multipart/mixed; boundary=\"a\"; boundary=\"b\"\r\n\r\n--a\r\n\r\nshown to a\r\n--b\r\n"
	    "Content-Type: text/html\r\n\r\nshown to b\r\n--b--\r\n--a--\r\n"),
	  "shown to a\n--b\nContent-Type: text/html\n\nshown to b\n--b--", "text/plain", BOTH },
	{ M("Content-Type: multipart/mixed; x:y=1; boundary=\"b\"\r\n\r\n--b\r\n\r\nhi\r\n--b--\r\n"), "hi", "text/plain", BOTH },
	{ M("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nhi"), "--b\n\nhi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\nhi"), "--\nhi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"b \"\r\n\r\n--b \r\nhi"), "--b \nhi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"b\\\\\"\r\n\r\nhi"), "hi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"b\\\"\"\r\n\r\nhi"), "hi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"b\xfc\"\r\n\r\nhi"), "hi", "multipart/mixed", BOTH },
	{ M("Content-Type: multipart/mixed; boundary=\"never\"\r\n\r\nno boundary here\r\n"), "", "", BOTH },
	{ M(MULTI "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\nhi\r\n--b--\r\n"), "", "", BOTH },
	{ M("Content-Type: text/plain; charset=utf-8; charset=utf-7\r\n\r\nhi"), "hi", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset=utf-7\r\n\r\n+AGEAYg-"), "+AGEAYg-", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset*=us-ascii''utf-8\r\n\r\nhi"), "hi", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset=utf-8 format=flowed\r\n\r\nhi"), "hi", "text/plain", BOTH },
	{ M("Content-Type: text/plain; charset=utf-16\r\n\r\n\xfe\xff\0a"), "a", "text/plain", TEXT },
	{ M("Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\nAGEAYg=="), "ab", "text/plain", TEXT },
	{ M("Content-Type: text\r\n\r\nhi"), "hi", "text/plain", BOTH },
	{ M("Content-Type: text/\r\n\r\nhi"), "hi", "text/plain", BOTH },
	{ M("Content-Type:\r\n\r\nhi"), "hi", "text/plain", BOTH },
	{ M("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nhi"), "hi", "text/plain", BOTH },
	{ M(MULTI "--b\r\nContent-Type: text/plain\r\nContent-Type: application/pdf\r\n\r\nhi\r\n--b--"), "hi", "text/plain", BOTH },
	{ M(MULTI "--b\r\nContent-Type: text/plain\r\nContent-type:text/plain\r\n\r\nhi\r\n--b--"), "hi", "text/plain", CERTAIN },
	{ M("Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"), "QUJD", "text/plain", BOTH },
	{ M("Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a"), "begin 644 a", "text/plain", TEXT },
	{ M("Content-Transfer-Encoding: base64; x=y\r\n\r\nQUJD"), "QUJD", "text/plain", TEXT },
	{ M("Content-Transfer-Encoding: base64 (really)\r\n\r\nQUJD"), "ABC", "text/plain", CERTAIN },
	{ M("Content-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nx"), "", "application/x", CERTAIN },
	{ M("Content-Transfer-Encoding: base64\r\n\r\nQU*JD"), "ABC", "text/plain", TEXT },
	{ M("Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\nQkM=\r\n"), "ABC", "text/plain", TEXT },
	{ M("Content-Transfer-Encoding: base64\r\n\r\nQUI"), "AB", "text/plain", TEXT },
	{ M("Content-Transfer-Encoding: quoted-printable\r\n\r\na=xy"), "a=xy", "text/plain", TEXT },
	{ M("Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nhi\r\n--b--"),
	  "hi", "text/plain", BOTH },
	{ M("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQpoaQ=="),
	  "", "message/rfc822", BOTH },
	{ M("Content-Type: message/partial; id=\"x\"; number=1; total=2\r\n\r\nHello\r\n"), "", "message/partial", BOTH },
	{ M(MULTI "--b\r\nno field\r\n\r\nhi\r\n--b--"), "no field\n\nhi", "text/plain", BOTH },
	{ M(MULTI "--b\r\n folded\r\n\r\nhi\r\n--b--"), " folded\n\nhi", "text/plain", BOTH },
	{ M(MULTI "--b\r\nContent-Type: text/html\r\n \t\r\nX: y\r\n\r\nhi\r\n--b--"), "hi", "text/html", BOTH },
	{ M(MULTI "--b\r\nContent-Type: text/html\0x\r\n\r\nhi\r\n--b--"), "hi", "text/html", BOTH },
	{ M(MULTI "--b\r\n\r\none\r\n--bad\r\ntwo\r\n--b--"), "one\n--bad\ntwo", "text/plain", BOTH },
	{ M(MULTI "--b\r\n\r\none\r\n--b--x\r\ntwo\r\n--b--"), "one\n--b--x\ntwo", "text/plain", BOTH },
	{ M(MULTI "--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--"), "one\ntwo", "text/plain; text/plain", BOTH },
	{ M(MULTI "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b--"),
	  "one", "text/plain", BOTH },
	{ M(MULTI "--b\r\nContent-Type: multipart/mixed; boundary=b--\r\n\r\n--b--\r\n\r\none\r\n--b--"), "one", "text/plain; text/plain", BOTH },
};

static void
check(const struct row *row, const struct result *r, size_t cut)
{
	enum certain doubt = (r->text_doubt != NULL ? TEXT : CERTAIN) + (r->parts_doubt != NULL ? PARTS : CERTAIN);

	if (strcmp(text_string(&r->text), row->text) != 0)
		fail_msg("%s\ncut at %zu has the text \"%s\", not \"%s\"", row->message, cut, text_string(&r->text), row->text);
	if (strcmp(text_string(&r->parts), row->parts) != 0)
		fail_msg("%s\ncut at %zu has the parts \"%s\", not \"%s\"", row->message, cut, text_string(&r->parts), row->parts);
	if (doubt != row->doubt)
		fail_msg("%s\ncut at %zu: doubts %d (%s; %s), not %d", row->message, cut, (int)doubt, r->text_doubt,
			 r->parts_doubt, (int)row->doubt);
}

static void
test_rows_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t cut = 0; cut <= rows[i].len; cut++) {
			struct result r;

			read_message(rows[i].message, rows[i].len, cut, cut % 2, &r);
			check(&rows[i], &r, cut);
			free_result(&r);
		}
	}
}

/* A marker far into a message, in every encoding. */
#define CHUNK 65535u

static const struct {
	const char *header;
	const char *filler;     /* lines before the marker, any number of times */
	const char *marker;     /* the marker as it stands in the message */
	const char *end;
} markers[] = {
	{ "\r\n", "yyyyyyyyyy\r\n", "x SECRET-MARKER x\r\n", "" },
	{ "Content-Transfer-Encoding: base64\r\n\r\n", "eXl5eXl5\r\n", "U0VDUkVU\r\nLU1BUktF\r\nUg==\r\n", "" },
	{ "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "yyyyyy\r\n", "SEC=\r\nR=45T-=\r\nMARK=45R\r\n", "" },
	{ "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n", "eQB5AHkA\r\n",
	  "UwBFAEMAUgBFAFQALQBNAEEA\r\nUgBLAEUAUgA=\r\n", "" },
	{ "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n", "\033$BF|K\\8l\033(B\r\n", "\033$BF|\033(BSECRET-MARKER\r\n", "" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	  "--c\r\nContent-Type: a/b\r\n\r\n", "x--c\r\n", "--c\r\n\r\nSECRET-MARKER\r\n--c--\r\n--b--\r\n", "" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n", "-\r\n--\r\n", "SECRET-MARKER\r\n--b\r\n",
	  "\r\n\r\n--b--\r\n" },
};

/* The first chunk, about as long as a milter's, ends at every octet of the
 * marker and of what is around it. */
static void
test_marker_at_every_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
		struct text t = {0};
		size_t len = strlen(markers[i].marker) + strlen(markers[i].end) + 4, header;

		text_add(&t, markers[i].header);
		header = (size_t)(strstr(t.s, "\r\n\r\n") != NULL ? strstr(t.s, "\r\n\r\n") + 4 - t.s : 2);
		while (t.len < CHUNK)
			text_add(&t, markers[i].filler);
		text_add(&t, markers[i].marker);
		text_add(&t, markers[i].end);
		for (size_t back = 0; back <= len; back++) {
			struct result r;

			read_message(t.s, t.len, t.len - header - back, 0, &r);
			if (strstr(text_string(&r.text), "SECRET-MARKER") == NULL)
				fail_msg("marker %zu not found with a cut %zu before the end", i, back);
			if (r.text_doubt != NULL)
				fail_msg("marker %zu: %s", i, r.text_doubt);
			free_result(&r);
		}
		text_free(&t);
	}
}

static void
expect(const struct text *t, const char *text_end, size_t n_parts, enum certain doubt)
{
	static const size_t steps[] = { 0, 1, 7, 4096, CHUNK };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct result r;
		size_t len = strlen(text_end);

		read_message(t->s, t->len, 0, steps[i], &r);
		assert_int_equal(r.n_parts, n_parts);
		assert_int_equal((r.text_doubt != NULL ? TEXT : CERTAIN) + (r.parts_doubt != NULL ? PARTS : CERTAIN), doubt);
		assert_true(r.text.len >= len);
		assert_string_equal(text_string(&r.text) + r.text.len - len, text_end);
		free_result(&r);
	}
}

static void
test_nul(void **state)
{
	static const char *const messages[] = {
		"Content-Transfer-Encoding: base64\r\n\r\nQQBC",
		"Content-Type: text/plain; charset=utf-16be\r\nContent-Transfer-Encoding: base64\r\n\r\nAEEAAABC",
	};

	(void)state;
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct result r;

		read_message(messages[i], strlen(messages[i]), 0, 0, &r);
		assert_int_equal(r.text.len, 3);
		assert_memory_equal(r.text.s, "A\0B", 3);
		assert_non_null(r.text_doubt);
		assert_null(r.parts_doubt);
		free_result(&r);
	}
}

static void
test_many_parts(void **state)
{
	struct text t = {0};

	(void)state;
	text_add(&t, MULTI);
	for (unsigned i = 1; i < MIME_PARTS_MAX; i++)
		text_add(&t, "--b\r\n\r\nx\r\n");
	expect(&t, "x\n", MIME_PARTS_MAX - 1, CERTAIN);
	text_add(&t, "--b\r\n\r\ny\r\n");
	expect(&t, "x\nx", MIME_PARTS_MAX - 1, BOTH);
	for (int i = 0; i < 4000; i++)
		text_add(&t, "--b\r\n\r\nx\r\n");
	expect(&t, "x\nx", MIME_PARTS_MAX - 1, BOTH);
	text_free(&t);
}

/* `depth` multiparts in each other, text in the innermost and after it. */
static void
nest(struct text *t, unsigned depth)
{
	text_clear(t);
	for (unsigned i = 0; i < depth; i++)
		text_printf(t, "Content-Type: multipart/mixed; boundary=b%u-\r\n\r\n--b%u-\r\n", i, i);
	text_add(t, "\r\ninner\r\n");
	text_add(t, "--b0-\r\n\r\nouter");
}

static void
test_depth(void **state)
{
	struct text t = {0};

	(void)state;
	nest(&t, MIME_DEPTH_MAX);
	expect(&t, "inner\nouter", 2, CERTAIN);
	nest(&t, MIME_DEPTH_MAX + 1);
	expect(&t, "outer", 1, BOTH);
	nest(&t, 100);
	expect(&t, "outer", 1, BOTH);
	text_clear(&t);
	for (int i = 0; i < 100; i++)
		text_add(&t, "Content-Type: message/rfc822\r\n\r\n");
	expect(&t, "", MIME_DEPTH_MAX + 1, BOTH);
	text_free(&t);
}

/* A field that is looked at may be long, in one line or in several; others as
 * long as they like. */
static void
test_large_header(void **state)
{
	static char x[MIME_LINE_MAX + 1];
	struct text t = {0};

	(void)state;
	memset(x, 'x', sizeof x - 1);
	text_add(&t, MULTI);
	for (int i = 0; i < 50; i++)
		text_printf(&t, "%sX-Long: %s%s\r\n ", i == 0 ? "--b\r\n" : "", x, x);
	text_add(&t, "\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--");
	expect(&t, "ABC", 1, BOTH); /* for the line of white space */
	text_clear(&t);
	text_printf(&t, MULTI "--b\r\nX-Long: %s%s\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--", x, x);
	expect(&t, "ABC", 1, CERTAIN);
	text_clear(&t);
	text_printf(&t, MULTI "--b\r\nContent-Type: text/html; x=%s\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--", x);
	expect(&t, "ABC", 1, BOTH);
	text_clear(&t);
	text_add(&t, MULTI "--b\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/html");
	for (unsigned i = 0; i <= MIME_HEADER_MAX / 900; i++)
		text_printf(&t, ";\r\n x%u=%.900s", i, x);
	text_add(&t, "\r\n\r\nQUJD\r\n--b--");
	expect(&t, "ABC", 1, BOTH);
	text_clear(&t);
	text_printf(&t, MULTI "--b\r\n%s%sno field\r\n\r\nhi\r\n--b--", x, x);
	expect(&t, "xno field\n\nhi", 1, BOTH);
	text_free(&t);
}

static void
test_long_boundary_lines(void **state)
{
	static char blanks[MIME_LINE_MAX + 1], b[MIME_BOUNDARY_MAX + 1];
	struct text t = {0};

	(void)state;
	memset(blanks, ' ', sizeof blanks - 1);
	text_printf(&t, MULTI "--b\r\n\r\none\r\n--b%.*s\r\n\r\ntwo\r\n--b--", (int)MIME_LINE_MAX - 5, blanks);
	expect(&t, "one\ntwo", 2, CERTAIN);
	text_clear(&t);
	text_printf(&t, MULTI "--b\r\n\r\none\r\n--b%s\r\n\r\ntwo\r\n--b--", blanks);
	expect(&t, "\n\ntwo", 1, BOTH);
	text_clear(&t);
	memset(b, 'b', MIME_BOUNDARY_MAX);
	text_printf(&t, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\none\r\n--%s--\r\nx", b, b, b);
	expect(&t, "one", 1, CERTAIN);
	text_clear(&t);
	text_printf(&t, "Content-Type: multipart/mixed; boundary=b%s\r\n\r\n--b%s\r\n\r\none", b, b);
	expect(&t, "one", 1, BOTH);
	text_free(&t);
}

/* One line of 100000 octets, begun by what may be a boundary or not; and what
 * looks like a boundary where the reader's room ends, but no line begins. */
static void
test_long_line(void **state)
{
	static char x[100001];
	struct text t = {0}, want = {0};

	(void)state;
	memset(x, 'x', sizeof x - 1);
	for (int i = 0; i < 2; i++) {
		text_clear(&t);
		text_clear(&want);
		text_printf(&t, MULTI "--b\r\n\r\n%s%s\r\n--b--", i == 0 ? "" : "--", x);
		text_printf(&want, "%s%s", i == 0 ? "" : "--", x);
		expect(&t, want.s, 1, CERTAIN);
	}
	text_clear(&t);
	text_clear(&want);
	text_printf(&want, "-%.*s--b--", (int)MIME_LINE_MAX - 1, x);
	text_printf(&t, MULTI "--b\r\n\r\n%s\r\n--b--", want.s);
	expect(&t, want.s, 1, CERTAIN);
	text_free(&t);
	text_free(&want);
}

struct counter {
	size_t text_len;
	size_t n_parts;
	char last;
};

static void
count_text(void *context, const char *s, size_t len)
{
	struct counter *c = context;

	if (!text_is_utf8(s, len))
		fail_msg("a character cut in two");
	c->text_len += len;
	c->last = s[len - 1];
}

static void
count_part(void *context, const char *type, const char *disposition)
{
	struct counter *c = context;

	(void)type;
	(void)disposition;
	c->n_parts++;
}

/* Text up to the bound, then a part that is still told. */
static void
feed_text(struct counter *c, const char *unit, size_t octets, const char **text_r, const char **parts_r)
{
	static const struct mime_events counting = {count_part, NULL, count_text};
	struct arena *a = arena_new(0);
	struct header h;
	struct mime *m;
	struct text t = {0};

	memset(c, 0, sizeof *c);
	header_start(&h, a);
	header_add(&h, "Content-Type", " multipart/mixed; boundary=b", false);
	m = mime_new(&h, &counting, c);
	mime_body(m, "--b\r\n\r\n", 7);
	while (t.len + strlen(unit) <= 65536)
		text_add(&t, unit);
	for (size_t n = octets; n > 0;) {
		size_t len = n < t.len ? n : t.len;

		mime_body(m, t.s, len);
		n -= len;
	}
	mime_body(m, "\r\n--b\r\n\r\n\r\n--b--", 16);
	mime_end(m);
	*text_r = mime_text_uncertain(m);
	*parts_r = mime_parts_uncertain(m);
	mime_free(&m);
	text_free(&t);
	arena_free(&a);
}

static void
test_much_text(void **state)
{
	struct counter c;
	const char *text, *parts;

	(void)state;
	feed_text(&c, "x", MIME_TEXT_MAX, &text, &parts);
	assert_int_equal(c.text_len, MIME_TEXT_MAX);
	assert_int_equal(c.n_parts, 2);
	assert_null(text);
	feed_text(&c, "x", MIME_TEXT_MAX + 1, &text, &parts);
	assert_int_equal(c.text_len, MIME_TEXT_MAX);
	assert_int_equal(c.n_parts, 2);
	assert_non_null(text);
	assert_null(parts);
	feed_text(&c, "\xf0\x9f\x98\x80x", 4 * MIME_TEXT_MAX, &text, &parts);
	assert_true(c.text_len <= MIME_TEXT_MAX && c.text_len > MIME_TEXT_MAX - 5);
	assert_non_null(text);
}

/* Who does not ask for text is told of parts all the same, and of no doubts of text. */
static void
test_without_text(void **state)
{
	static const struct mime_events counting = {count_part, NULL, NULL};
	const char body[] = "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nQ*U\r\n--b\r\nContent-Type: a/b\r\n\r\n--b--";
	struct counter c = {0};
	struct arena *a = arena_new(0);
	struct header h;
	struct mime *m;

	(void)state;
	header_start(&h, a);
	header_add(&h, "Content-Type", " multipart/mixed; boundary=b", false);
	m = mime_new(&h, &counting, &c);
	mime_body(m, body, sizeof body - 1);
	mime_end(m);
	assert_int_equal(c.n_parts, 2);
	assert_null(mime_uncertain(m));
	mime_free(&m);
	mime_free(&m);
	arena_free(&a);
}

/* Given up in the middle of a text, as when a client goes away: nothing is left behind. */
static void
test_given_up(void **state)
{
	static const struct mime_events none = {NULL, NULL, NULL};
	static const struct mime_events counting = {count_part, NULL, count_text};
	struct counter c = {0};
	struct arena *a = arena_new(0);
	struct header h;
	struct mime *m;

	(void)state;
	header_start(&h, a);
	header_add(&h, "Content-Type", " text/plain; charset=koi8-r", false);
	m = mime_new(&h, &counting, &c);
	mime_body(m, "hi", 2);
	mime_free(&m);
	assert_null(m);
	assert_int_equal(c.n_parts, 1);
	assert_int_equal(c.text_len, 0);
	m = mime_new(&h, &none, NULL);
	mime_body(m, "hi", 2);
	mime_end(m);
	assert_null(mime_uncertain(m));
	mime_free(&m);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_at_every_cut),
		cmocka_unit_test(test_marker_at_every_offset),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_many_parts),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_large_header),
		cmocka_unit_test(test_long_boundary_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_much_text),
		cmocka_unit_test(test_without_text),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
