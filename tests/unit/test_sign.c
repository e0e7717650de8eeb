/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The signer's contract: what it signs, how its value looks, what a broken
 * key does to the others. Whether signatures verify is test_shapes.py's.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "gate/sign.h"

static char folder[64] = "/tmp/postern-sign-XXXXXX";
static struct keys *set;
static const struct key *rsa, *ed, *broken;
static const struct signer *signer;

/* The packaged libopendkim loses some octets with each Ed25519 signature. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:dkim_privkey_load\n";
}

static int
start(void **state)
{
	const char *warning = "";

	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	umask(077);
	if (system("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>/dev/null; "
		   "openssl genpkey -algorithm ED25519 -out ed.pem; echo broken >broken.pem") != 0)
		return -1;
	set = keys_new();
	rsa = keys_load(set, "contoso.com", "rsa1", "rsa.pem");
	ed = keys_load(set, "contoso.com", "ed1", "ed.pem");
	broken = keys_load(set, "contoso.com", "broken1", "broken.pem");
	signer = signer_opendkim(&warning);
	/* No warning: the decoded key reaches the library in this program. */
	return signer == NULL || warning != NULL ? -1 : 0;
}

static int
stop(void **state)
{
	char command[128];

	(void)state; /* the set stays: libopendkim still refers to the Ed25519 key */
	snprintf(command, sizeof command, "cd / && rm -r %s", folder);
	return system(command);
}

static struct sign *
begin(const struct key *const *keys, size_t n)
{
	struct sign *s = signer->begin(signer->context, keys, n, "test", 1700000000);

	assert_non_null(s);
	return s;
}

static void
feed_plain(struct sign *s)
{
	signer->header(s, "From", " crm@contoso.com");
	signer->header(s, "To", " bob@example.net");
	signer->header(s, "Subject", " a\n\tfolded one");
	signer->eoh(s);
	signer->body(s, "Hello\r\n", 7);
}

/* The value of the tag, white space taken out; in `out`. */
static const char *
tag(const char *value, const char *name, char *out, size_t size)
{
	size_t n = 0, len = strlen(name);
	struct text t = {0};
	const char *p;

	text_add_char(&t, ';');
	for (p = value; *p != '\0'; p++)
		if (strchr(" \t\n", *p) == NULL)
			text_add_char(&t, *p);
	for (p = t.s; p != NULL; p = strchr(p + 1, ';'))
		if (strncmp(p + 1, name, len) == 0 && p[1 + len] == '=')
			break;
	out[0] = '\0';
	for (p = p == NULL ? "" : p + len + 2; *p != '\0' && *p != ';' && n + 1 < size; p++)
		out[n++] = *p;
	out[n] = '\0';
	text_free(&t);
	return out;
}

static int
times(const char *list, const char *name)
{
	size_t len = strlen(name);
	int n = 0;

	for (const char *p = list; *p != '\0'; p += strcspn(p, ":"), p += *p == ':')
		n += text_same_n(p, name, len) && (p[len] == ':' || p[len] == '\0');
	return n;
}

static void
test_value(void **state)
{
	struct arena *a = arena_new(0);
	struct sign *s = begin(&rsa, 1);
	struct signature r = {0};
	char out[2048];

	(void)state;
	feed_plain(s);
	assert_int_equal(signer->end(s, a, &r), 0);
	assert_ptr_equal(r.key, rsa);
	assert_null(r.error);
	assert_null(strchr(r.value, '\r'));
	assert_int_equal(strncmp(r.value, "v=1;", 4), 0);
	assert_true(r.value[strlen(r.value) - 1] != '\n');
	assert_non_null(strstr(r.value, "\n\t"));
	for (const char *p = r.value; (p = strchr(p, '\n')) != NULL; p++)
		assert_int_equal(p[1], '\t');
	assert_string_equal(tag(r.value, "a", out, sizeof out), "rsa-sha256");
	assert_string_equal(tag(r.value, "d", out, sizeof out), "contoso.com");
	assert_string_equal(tag(r.value, "s", out, sizeof out), "rsa1");
	assert_string_equal(tag(r.value, "c", out, sizeof out), "relaxed/relaxed");
	assert_string_equal(tag(r.value, "l", out, sizeof out), "");
	assert_string_equal(tag(r.value, "x", out, sizeof out), "");
	signer->free(&s);
	assert_null(s);
	signer->free(&s);
	arena_free(&a);
}

static void
test_covered(void **state)
{
	static const char *const once[] = {"from", "reply-to", "subject", "to", "cc", "mime-version", "content-type",
					   "content-transfer-encoding"};
	static const char *const added[] = {"date", "message-id"};
	static const char *const never[] = {"sender", "received", "return-path", "authentication-results", "bcc",
					    "dkim-signature", "x-mailer"};
	struct arena *a = arena_new(0);
	struct sign *s = begin(&rsa, 1);
	struct signature r = {0};
	char out[2048];

	(void)state;
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
		signer->header(s, never[i], " v=1; x");
		assert_int_equal(signer_covers(never[i]), 0);
	}
	signer->header(s, "In-Reply-To", " <a@b>");
	feed_plain(s);
	assert_int_equal(signer->end(s, a, &r), 0);
	tag(r.value, "h", out, sizeof out);
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
		int present = i == 0 || i == 2 || i == 3;

		if (times(out, once[i]) != 1 + present)
			fail_msg("%s stands %d times in h=%s", once[i], times(out, once[i]), out);
		assert_int_equal(signer_covers(once[i]), 1);
	}
	/* An MTA may add these where they are missing. */
	for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) {
		assert_int_equal(times(out, added[i]), 0);
		assert_int_equal(signer_covers(added[i]), 1);
	}
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		assert_int_equal(times(out, never[i]), 0);
	assert_int_equal(times(out, "in-reply-to"), 1);
	assert_int_equal(times(out, "references"), 0);
	assert_int_equal(signer_covers("FROM"), 1);
	assert_int_equal(signer_covers("From "), 0);
	signer->free(&s);
	arena_free(&a);
}

static void
test_broken_key(void **state)
{
	const struct key *keys[] = {broken, ed, rsa};
	struct arena *a = arena_new(0);
	struct sign *s = begin(keys, 3);
	struct signature r[3] = {{0}};
	char out[64];

	(void)state;
	feed_plain(s);
	assert_int_equal(signer->end(s, a, r), 0);
	assert_null(r[0].value);
	assert_string_equal(r[0].error, broken->problem);
	assert_string_equal(tag(r[1].value, "a", out, sizeof out), "ed25519-sha256");
	assert_string_equal(tag(r[2].value, "a", out, sizeof out), "rsa-sha256");
	signer->free(&s);
	s = begin(keys, 1);
	feed_plain(s);
	assert_int_equal(signer->end(s, a, r), -1);
	assert_null(r[0].value);
	assert_non_null(r[0].error);
	signer->free(&s);
	arena_free(&a);
}

static void
test_no_from(void **state)
{
	struct arena *a = arena_new(0);
	struct sign *s = begin(&rsa, 1);
	struct signature r = {0};

	(void)state;
	signer->header(s, "To", " bob@example.net");
	signer->eoh(s);
	signer->body(s, "x\r\n", 3);
	assert_int_equal(signer->end(s, a, &r), -1);
	assert_null(r.value);
	assert_non_null(r.error);
	signer->free(&s);
	arena_free(&a);
}

/* At each step: nothing may be lost or touched twice (the sanitizers look). */
static void
test_given_up(void **state)
{
	const struct key *keys[] = {rsa, ed};

	(void)state;
	for (int steps = 0; steps < 4; steps++) {
		struct sign *s = begin(keys, 2);

		if (steps > 0)
			signer->header(s, "From", " crm@contoso.com");
		if (steps > 1)
			signer->eoh(s);
		if (steps > 2)
			signer->body(s, "x", 1);
		signer->free(&s);
	}
}

static void *
sign_many(void *failed)
{
	for (int i = 0; i < 50; i++) {
		struct arena *a = arena_new(0);
		struct sign *s = begin(&rsa, 1);
		struct signature r = {0};

		feed_plain(s);
		if (signer->end(s, a, &r) != 0)
			*(int *)failed = 1;
		signer->free(&s);
		arena_free(&a);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t thread[4];
	int failed[4] = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, sign_many, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(failed[i], 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value),    cmocka_unit_test(test_covered),  cmocka_unit_test(test_broken_key),
		cmocka_unit_test(test_no_from),  cmocka_unit_test(test_given_up), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
