/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule on the body finds its marker wherever the body is cut into chunks: at
 * every octet, at the border of a milter's chunk of 65,535 octets too, in each
 * encoding, within parts and over their border. And the same message with
 * another word passes, wherever it is cut.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/fake.h"
#include "tests/scenario/stage.h"

#define CHUNK 65535u

static const char rules[] =
	" - name: x\n"
	"   apps: crm\n"
	"   action: reject\n"
	"   body: [/SECRET-MARKER/, /Größe-ÄÖ/, /給与/, /one.*two/s, '/first\\nsecond/']\n";

/* What may stand before the body without changing what it says. */
enum fill { FILL_TEXT, FILL_BLANK };

static const struct form {
	const char *name, *header, *with, *without;
	enum fill fill;
} forms[] = {
	{"7bit",
		 "",
		 "Hello\r\n"
		 "the SECRET-MARKER is here\r\n"
		 "and no more\r\n",
		 "Hello\r\n"
		 "the SECRET-MARKET is here\r\n"
		 "and no more\r\n", FILL_TEXT},
	{"7bit, at the end without a line end",
		 "",
		 "Hello\r\n"
		 "SECRET-MARKER",
		 "Hello\r\n"
		 "SECRET-MARKET", FILL_TEXT},
	{"8bit",
		 "Content-Type: text/plain; charset=utf-8",
		 "H\303\244llo\r\n"
		 "die Gr\303\266\303\237e-\303\204\303\226 ist hier\r\n",
		 "H\303\244llo\r\n"
		 "die Gr\303\266\303\237e-\303\204\303\234 ist hier\r\n", FILL_TEXT},
	{"windows-1252",
		 "Content-Type: text/plain; charset=windows-1252",
		 "H\344llo\r\n"
		 "die Gr\366\337e-\304\326 ist hier\r\n",
		 "H\344llo\r\n"
		 "die Gr\366\337e-\304\334 ist hier\r\n", FILL_TEXT},
	{"no charset",
		 "",
		 "H\344llo\r\n"
		 "die Gr\366\337e-\304\326 ist hier\r\n",
		 "H\344llo\r\n"
		 "die Gr\366\337e-\304\334 ist hier\r\n", FILL_TEXT},
	{"base64",
		 "Content-Type: text/plain; charset=utf-8\n"
		 "Content-Transfer-Encoding: base64",
		 "SGVsbG8sIHRoZSBT\r\n"
		 "RUNSRVQtTUFSS0VS\r\n"
		 "IGlzIGhlcmU=\r\n",
		 "SGVsbG8sIHRoZSBT\r\n"
		 "RUNSRVQtTUFSS0VU\r\n"
		 "IGlzIGhlcmU=\r\n", FILL_BLANK},
	{"base64 of umlauts",
		 "Content-Type: text/plain; charset=utf-8\n"
		 "Content-Transfer-Encoding: base64",
		 "ZGllIEdyw\r\n"
		 "7bDn2Utw4\r\n"
		 "TDliBpc3Q\r\n"
		 "=\r\n",
		 "ZGllIEdyw\r\n"
		 "7bDn2Utw4\r\n"
		 "TDnCBpc3Q\r\n"
		 "=\r\n", FILL_BLANK},
	{"quoted-printable",
		 "Content-Transfer-Encoding: quoted-printable",
		 "Hello \011 \r\n"
		 "the SEC=\r\n"
		 "RET=2DMA= \r\n"
		 "RKER is here\r\n",
		 "Hello \011 \r\n"
		 "the SEC=\r\n"
		 "RET=2DMA= \r\n"
		 "RKET is here\r\n", FILL_TEXT},
	{"quoted-printable of umlauts",
		 "Content-Type: text/html; charset=iso-8859-1\n"
		 "Content-Transfer-Encoding: quoted-printable",
		 "<p>die =47=72=F6=DF=65=2D=C4=D6 ist\r\n",
		 "<p>die =47=72=F6=DF=65=2D=C4=DC ist\r\n", FILL_TEXT},
	{"UTF-16 with a mark in base64",
		 "Content-Type: text/plain; charset=utf-16\n"
		 "Content-Transfer-Encoding: base64",
		 "//5kAGkAZQAgAEcAcg\r\n"
		 "D2AN8AZQAtAMQA1gAg\r\n"
		 "AGkAcwB0AA==\r\n",
		 "//5kAGkAZQAgAEcAcg\r\n"
		 "D2AN8AZQAtAMQA3AAg\r\n"
		 "AGkAcwB0AA==\r\n", FILL_BLANK},
	{"UTF-16LE in base64",
		 "Content-Type: text/plain; charset=utf-16le\n"
		 "Content-Transfer-Encoding: base64",
		 "dABoAGU\r\n"
		 "AIABTAE\r\n"
		 "UAQwBSA\r\n"
		 "EUAVAAt\r\n"
		 "AE0AQQB\r\n"
		 "SAEsARQ\r\n"
		 "BSACAAa\r\n"
		 "QBzAA==\r\n",
		 "dABoAGU\r\n"
		 "AIABTAE\r\n"
		 "UAQwBSA\r\n"
		 "EUAVAAt\r\n"
		 "AE0AQQB\r\n"
		 "SAEsARQ\r\n"
		 "BUACAAa\r\n"
		 "QBzAA==\r\n", FILL_BLANK},
	{"UTF-32BE in base64",
		 "Content-Type: text/plain; charset=utf-32be\n"
		 "Content-Transfer-Encoding: base64",
		 "AAAAUwAAAEUAAABDAAAAUgAAAEUAAA\r\n"
		 "BUAAAALQAAAE0AAABBAAAAUgAAAEsA\r\n"
		 "AABFAAAAUg==\r\n",
		 "AAAAUwAAAEUAAABDAAAAUgAAAEUAAA\r\n"
		 "BUAAAALQAAAE0AAABBAAAAUgAAAEsA\r\n"
		 "AABFAAAAVA==\r\n", FILL_BLANK},
	{"ISO-2022-JP",
		 "Content-Type: text/plain; charset=iso-2022-jp",
		 "a \033$B5kM?\033(B b\r\n",
		 "a \033$B5k?)\033(B b\r\n", FILL_TEXT},
	{"Shift JIS",
		 "Content-Type: text/plain; charset=shift_jis",
		 "a \213\213\227^ b\r\n",
		 "a \213\213\220H b\r\n", FILL_TEXT},
	{"a line end in the middle",
		 "",
		 "the first\r\n"
		 "second word\r\n",
		 "the first\r\n"
		 "secund word\r\n", FILL_TEXT},
	{"a line end in quoted-printable",
		 "Content-Transfer-Encoding: quoted-printable",
		 "the first \011\r\n"
		 "second word\r\n",
		 "the first \011\r\n"
		 "secund word\r\n", FILL_TEXT},
	{"a line end in a part",
		 "Content-Type: multipart/mixed; boundary=b",
		 "--b\r\n"
		 "\r\n"
		 "the first\r\n"
		 "second word\r\n"
		 "--b--\r\n",
		 "--b\r\n"
		 "\r\n"
		 "the first\r\n"
		 "secund word\r\n"
		 "--b--\r\n", FILL_TEXT},
	{"nested parts",
		 "Content-Type: multipart/mixed; boundary=b",
		 "--b\r\n"
		 "Content-Type: multipart/alternative; boundary=\"c c\"\r\n"
		 "\r\n"
		 "--c c\r\n"
		 "\r\n"
		 "-hello\r\n"
		 "-- \r\n"
		 "--c c\r\n"
		 "Content-Type: text/html\r\n"
		 "Content-Transfer-Encoding: base64\r\n"
		 "\r\n"
		 "PGI+U0VDUkVULU1B\r\n"
		 "UktFUjwvYj4=\r\n"
		 "--c c--\r\n"
		 "\r\n"
		 "--b--\r\n",
		 "--b\r\n"
		 "Content-Type: multipart/alternative; boundary=\"c c\"\r\n"
		 "\r\n"
		 "--c c\r\n"
		 "\r\n"
		 "-hello\r\n"
		 "-- \r\n"
		 "--c c\r\n"
		 "Content-Type: text/html\r\n"
		 "Content-Transfer-Encoding: base64\r\n"
		 "\r\n"
		 "PGI+U0VDUkVULU1B\r\n"
		 "UktFVDwvYj4=\r\n"
		 "--c c--\r\n"
		 "\r\n"
		 "--b--\r\n", FILL_TEXT},
	{"a message in the message",
		 "Content-Type: multipart/mixed; boundary=b",
		 "--b\r\n"
		 "Content-Type: message/rfc822\r\n"
		 "\r\n"
		 "Subject: inner\r\n"
		 "Content-Type: multipart/mixed;\r\n"
		 " boundary=c\r\n"
		 "\r\n"
		 "--c\r\n"
		 "\r\n"
		 "SECRET-MARKER\r\n"
		 "--c--\r\n"
		 "--b--\r\n",
		 "--b\r\n"
		 "Content-Type: message/rfc822\r\n"
		 "\r\n"
		 "Subject: inner\r\n"
		 "Content-Type: multipart/mixed;\r\n"
		 " boundary=c\r\n"
		 "\r\n"
		 "--c\r\n"
		 "\r\n"
		 "SECRET-MARKET\r\n"
		 "--c--\r\n"
		 "--b--\r\n", FILL_TEXT},
	{"over a part border",
		 "Content-Type: multipart/mixed; boundary=b",
		 "--b\r\n"
		 "\r\n"
		 "that is one\r\n"
		 "--b\r\n"
		 "Content-Type: application/zip\r\n"
		 "\r\n"
		 "PK\r\n"
		 "--b\r\n"
		 "Content-Transfer-Encoding: base64\r\n"
		 "\r\n"
		 "dHdvIGFuZCBtb3Jl\r\n"
		 "--b--\r\n",
		 "--b\r\n"
		 "\r\n"
		 "that is one\r\n"
		 "--b\r\n"
		 "Content-Type: application/zip\r\n"
		 "\r\n"
		 "PK\r\n"
		 "--b\r\n"
		 "Content-Transfer-Encoding: base64\r\n"
		 "\r\n"
		 "dG93IGFuZCBtb3Jl\r\n"
		 "--b--\r\n", FILL_TEXT},
};

static struct gate gate;
static unsigned failures;
static size_t messages;

/* So many octets of whole lines; 80 at least. */
static void
fill(char *s, size_t len, enum fill how)
{
	size_t line = len % 80 + 80;

	memset(s, how == FILL_BLANK ? ' ' : 'y', len);
	for (size_t end = line; end <= len; end += 80)
		memcpy(s + end - 2, "\r\n", 2);
}

static void
send_fields(struct session *s, const char *header)
{
	char line[200];

	session_header(s, "From", " crm@contoso.com");
	while (*header != '\0') {
		size_t len = strcspn(header, "\n");
		size_t name = strcspn(header, ":");

		snprintf(line, sizeof line, "%.*s", (int)len, header);
		line[name] = '\0';
		session_header(s, line, line + name + 1);
		header += len + (header[len] == '\n');
	}
}

/* A session up to the end of the header, from a client of this address. */
static struct session *
start(const char *address, const char *header)
{
	struct session_connect c = {.name = "client.example"};
	const struct session_mail mail = {.sender = "<crm@contoso.com>"};
	struct session *s;

	if (ip_parse(address, &c.ip) != 0 || (s = session_new(&gate, &c)) == NULL)
		exit(1);
	(void)session_mail(s, &mail);
	(void)session_rcpt(s, "<bob@example.net>", NULL, NULL, NULL);
	send_fields(s, header);
	session_eoh(s);
	return s;
}

/* Sends the body in chunks of so many octets, the last of the size there is. */
static void
send_cut(const struct form *f, const char *body, size_t len, const size_t *sizes, bool expected)
{
	struct session *s = start("10.1.2.3", f->header);
	const struct edit *edits;
	const struct reply *r;

	messages++;
	for (size_t at = 0; at < len;) {
		size_t n = *sizes < len - at ? *sizes : len - at;

		if (session_body(s, body + at, n))
			at += n;
		else
			at = len;
		sizes += sizes[1] > 0;
	}
	r = session_eom(s, NULL, &edits);
	if (r->action != (expected ? ACTION_REFUSE : ACTION_ACCEPT) || (expected && strstr(r->text, "[rule:x]") == NULL)) {
		printf("%s: %zu octets, %s: %s\n", f->name, len, expected ? "not found" : "not accepted", r->text);
		failures++;
	}
	session_free(&s);
}

/* Cut at each octet: two chunks; three, the middle one of one octet; and with
 * so much before that the cut is the border of a milter's chunk. */
static void
cut_everywhere(const struct form *f, const char *body, bool expected)
{
	static char large[2 * CHUNK];
	const size_t len = strlen(body);

	send_cut(f, body, len, (const size_t[]){1, 0}, expected);
	send_cut(f, body, len, (const size_t[]){len, 0}, expected);
	for (size_t cut = 1; cut < len; cut++) {
		send_cut(f, body, len, (const size_t[]){cut, len, 0}, expected);
		send_cut(f, body, len, (const size_t[]){cut, 1, len, 0}, expected);
		fill(large, CHUNK - cut, f->fill);
		memcpy(large + CHUNK - cut, body, len);
		send_cut(f, large, CHUNK - cut + len, (const size_t[]){CHUNK, 0}, expected);
	}
}

/* Whether the session reads the body for rules. */
static void
check_reader(const char *what, const char *address, const char *header, bool expected)
{
	struct session *s = start(address, header);

	if (rules_want_body(session_message(s)) != expected) {
		printf("%s: the body is %sread\n", what, expected ? "not " : "");
		failures++;
	}
	session_free(&s);
}

static void
test_reader(void)
{
	check_reader("a rule for this app", "10.1.2.3", "", true);
	check_reader("a rule for another app", "10.1.6.1", "", false);
	stage_set(&gate, "rules.yaml", " - {name: x, subject: a, body: /x/, action: reject}\n");
	check_reader("a rule for another subject", "10.1.2.3", "Subject: b", false);
	check_reader("a rule for this subject", "10.1.2.3", "Subject: a", true);
	stage_set(&gate, "rules.yaml", " - {name: x, subject: a, size: '> 1', action: reject}\n");
	check_reader("a rule on size", "10.1.2.3", "Subject: a", false);
	stage_set(&gate, "rules.yaml", "");
	check_reader("no rules", "10.1.2.3", "", false);
}

int
main(void)
{
	stage_set(&gate, "rules.yaml", rules);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		cut_everywhere(&forms[i], forms[i].with, true);
		cut_everywhere(&forms[i], forms[i].without, false);
	}
	test_reader();
	stage_clear(&gate);
	printf("%zu messages, %u failed\n", messages, failures);
	return failures == 0 ? 0 : 1;
}
