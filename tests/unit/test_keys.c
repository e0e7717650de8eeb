/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Key files: the good ones and each bad one, made anew by openssl(1).
 */
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

#include "gate/keys.h"

static char folder[64] = "/tmp/postern-keys-XXXXXX";
static struct keys *set;

/* Each makes the files that the tests below name. */
static const char *const recipes[] = {
	"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem",
	"rsa -in rsa.pem -traditional -out pkcs1.pem",
	"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.pem",
	"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.pem",
	"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:512 -out rsa512.pem",
	"genpkey -algorithm ED25519 -out ed.pem",
	"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem",
	"pkcs8 -topk8 -in rsa.pem -passout pass:secret -out encrypted.pem",
	"rsa -in rsa.pem -traditional -aes128 -passout pass:secret -out encrypted1.pem",
	"pkey -in rsa.pem -pubout -out public.pem",
	"pkey -in rsa.pem -outform DER -out der.pem",
};

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, 0600), 0);
}

static void
shell(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

static int
make_files(void **state)
{
	char command[256];

	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	umask(077);
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
		snprintf(command, sizeof command, "openssl %s 2>/dev/null", recipes[i]);
		shell(command);
	}
	shell("{ echo '# the key of crm'; echo; cat rsa.pem; } >comment.pem");
	shell("head -c 400 rsa.pem >cut.pem; cp rsa.pem world.pem; chmod 604 world.pem");
	shell("cp rsa.pem writable.pem; chmod 602 writable.pem; mkdir folder.pem; mkfifo fifo.pem");
	shell("head -c 70000 /dev/zero | tr '\\0' x >large.pem");
	write_file("garbage.pem", "this is no key\n");
	write_file("empty.pem", "");
	set = keys_new();
	return set == NULL ? -1 : 0;
}

static int
remove_files(void **state)
{
	char command[128];

	(void)state;
	keys_free(&set);
	assert_null(set);
	snprintf(command, sizeof command, "cd / && rm -r %s", folder);
	return system(command);
}

static const struct key *
load(const char *file)
{
	const struct key *k = keys_load(set, "contoso.com", "postern1", file);

	assert_non_null(k);
	assert_string_equal(k->domain, "contoso.com");
	assert_string_equal(k->selector, "postern1");
	assert_string_equal(k->file, file);
	return k;
}

static void
assert_bad(const char *file, const char *words)
{
	const struct key *k = load(file);

	if (k->usable || k->problem == NULL || strstr(k->problem, words) == NULL)
		fail_msg("%s: usable %d, problem \"%s\", expected \"%s\"", file, k->usable, k->problem, words);
}

static void
assert_good(const char *file, enum key_algorithm algorithm, int bits)
{
	const struct key *k = load(file);

	if (!k->usable || k->problem[0] != '\0')
		fail_msg("%s: usable %d, problem \"%s\"", file, k->usable, k->problem);
	assert_int_equal(k->algorithm, algorithm);
	if (bits != 0)
		assert_int_equal(k->bits, bits);
}

static void
test_good(void **state)
{
	(void)state;
	assert_good("rsa.pem", KEY_RSA_SHA256, 2048);
	assert_good("pkcs1.pem", KEY_RSA_SHA256, 2048);
	assert_good("comment.pem", KEY_RSA_SHA256, 2048);
	assert_good("ed.pem", KEY_ED25519_SHA256, 0);
	assert_string_equal(key_algorithm_name(KEY_RSA_SHA256), "rsa-sha256");
	assert_string_equal(key_algorithm_name(KEY_ED25519_SHA256), "ed25519-sha256");
}

static void
test_short(void **state)
{
	const struct key *k = load("rsa1024.pem");

	(void)state;
	assert_true(k->usable);
	assert_non_null(strstr(k->problem, "1024 bits"));
	assert_bad("rsa512.pem", "512 bits");
}

static void
test_not_a_key(void **state)
{
	(void)state;
	assert_bad("garbage.pem", "no PEM block");
	assert_bad("empty.pem", "empty");
	assert_bad("der.pem", "no PEM block");
	assert_bad("cut.pem", "no private key");
	assert_bad("large.pem", "too large");
	assert_bad("public.pem", "public key");
	assert_bad("ec.pem", "neither an RSA nor an Ed25519");
}

static void
test_not_a_safe_file(void **state)
{
	(void)state;
	assert_bad("missing.pem", "No such file");
	assert_bad("folder.pem", "no regular file");
	assert_bad("fifo.pem", "no regular file");
	assert_bad("world.pem", "by everybody");
	assert_bad("writable.pem", "by everybody");
	if (geteuid() != 0) {
		shell("cp rsa.pem closed.pem; chmod 0 closed.pem");
		assert_bad("closed.pem", "Permission denied");
	}
}

/* Would hang or read the terminal if a pass phrase were asked for. */
static void
test_encrypted(void **state)
{
	(void)state;
	alarm(20);
	assert_bad("encrypted.pem", "encrypted");
	assert_bad("encrypted1.pem", "encrypted");
	alarm(0);
}

/* The record as opendkim-genkey writes it: the p= cut into strings. */
static void
write_record(const char *name, const char *p)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fprintf(f, "postern1._domainkey\tIN\tTXT\t( \"v=DKIM1; h=sha256; k=rsa; \"\n"
		   "\t  \"p=%.100s\"\n\t  \"%s\" )  ; ----- DKIM key postern1 for contoso.com\n",
		p, strlen(p) > 100 ? p + 100 : "");
	assert_int_equal(fclose(f), 0);
}

static void
test_record(void **state)
{
	char *mine = key_public_base64(load("rsa.pem")), *others = key_public_base64(load("other.pem"));

	(void)state;
	assert_non_null(mine);
	assert_non_null(others);
	assert_string_not_equal(mine, others);
	write_record("rsa.pem.txt", mine);
	assert_good("rsa.pem", KEY_RSA_SHA256, 2048);
	write_record("rsa.pem.txt", others);
	assert_bad("rsa.pem", "record");
	shell("rm rsa.pem.txt; cp rsa.pem postern1.private");
	write_record("postern1.txt", mine);
	assert_good("postern1.private", KEY_RSA_SHA256, 2048);
	write_record("postern1.txt", others);
	assert_bad("postern1.private", "record");
	free(mine);
	free(others);
}

static void
test_public_half(void **state)
{
	char *p = key_public_base64(load("ed.pem"));

	(void)state;
	assert_non_null(p);
	assert_int_equal(strlen(p), 44);
	free(p);
	assert_null(key_public_base64(load("garbage.pem")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),          cmocka_unit_test(test_short),
		cmocka_unit_test(test_not_a_key),     cmocka_unit_test(test_not_a_safe_file),
		cmocka_unit_test(test_encrypted),     cmocka_unit_test(test_record),
		cmocka_unit_test(test_public_half),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
