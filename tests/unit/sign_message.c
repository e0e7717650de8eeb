/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Signs message files through the signer, for a verifier that is not
 * libopendkim. Usage: sign_message DOMAIN:SELECTOR:KEYFILE...
 * Each line of standard input is "FIRST STEP FILE": the body is handed over
 * in a piece of FIRST octets and then in pieces of STEP. For each key comes
 * "S LENGTH" and the value of the field, or "E LENGTH" and the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gate/sign.h"

#define KEYS_MAX 8

/* Never freed: libopendkim goes on referring to Ed25519 keys. */
static struct keys *set;
static const struct signer *signer;
static const struct key *keys[KEYS_MAX];
static size_t n_keys;

/* The packaged libopendkim loses some octets with each Ed25519 signature. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:dkim_privkey_load\n";
}

static void
die(const char *what)
{
	fprintf(stderr, "sign_message: %s\n", what);
	exit(2);
}

static void
read_message(const char *file, struct text *t)
{
	char buf[65536];
	FILE *f = fopen(file, "rb");
	size_t n;

	if (f == NULL)
		die("cannot open the message");
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		text_add_octets(t, buf, n);
	fclose(f);
	text_add_char(t, '\0');
	t->len--;
	if (t->failed)
		die("out of memory");
}

/* One field that begins at p, as a filter gets it: CR gone, lines joined by
 * "\n", the colon's space kept. Returns where the next one begins. */
static char *
one_header(struct sign *s, char *p)
{
	char *colon = strchr(p, ':'), *end = p, *to = p;

	while ((end = strchr(end, '\n')) != NULL && (end[1] == ' ' || end[1] == '\t'))
		end++;
	if (colon == NULL || end == NULL || colon > end)
		die("a header line without a colon");
	*end = *colon = '\0';
	for (char *from = p; from < end; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	signer->header(s, p, p + strlen(p) + 1);
	return end + 1;
}

static void
feed(struct sign *s, struct text *t, size_t first, size_t step)
{
	char *p = t->s;
	size_t left;

	while (*p != '\0' && strncmp(p, "\r\n", 2) != 0)
		p = one_header(s, p);
	signer->eoh(s);
	p += *p == '\0' ? 0 : 2;
	left = t->len - (size_t)(p - t->s);
	for (size_t n = first; left > 0; n = step) {
		n = n < left ? n : left;
		signer->body(s, p, n);
		p += n;
		left -= n;
	}
}

static void
sign_file(const char *file, size_t first, size_t step)
{
	struct signature r[KEYS_MAX] = {{0}};
	struct arena *arena = arena_new(0);
	struct text t = {0};
	struct sign *s;

	read_message(file, &t);
	s = arena == NULL ? NULL : signer->begin(signer->context, keys, n_keys, "test", 0);
	if (s == NULL)
		die("out of memory");
	feed(s, &t, first, step);
	(void)signer->end(s, arena, r);
	for (size_t i = 0; i < n_keys; i++) {
		const char *out = r[i].value != NULL ? r[i].value : r[i].error != NULL ? r[i].error : "";

		printf("%c %zu\n%s", r[i].value != NULL ? 'S' : 'E', strlen(out), out);
	}
	fflush(stdout);
	signer->free(&s);
	arena_free(&arena);
	text_free(&t);
}

static void
load(char *word)
{
	char *selector = strchr(word, ':'), *file = selector == NULL ? NULL : strchr(selector + 1, ':');

	if (file == NULL || n_keys == KEYS_MAX)
		die("usage: sign_message DOMAIN:SELECTOR:KEYFILE...");
	*selector++ = *file++ = '\0';
	if ((keys[n_keys++] = keys_load(set, word, selector, file)) == NULL)
		die("out of memory");
}

int
main(int argc, char **argv)
{
	const char *warning;
	size_t first, step;
	char file[4096];

	set = keys_new();
	if (set == NULL || argc < 2)
		die("usage: sign_message DOMAIN:SELECTOR:KEYFILE...");
	for (int i = 1; i < argc; i++)
		load(argv[i]);
	if ((signer = signer_opendkim(&warning)) == NULL || warning != NULL)
		die(warning != NULL ? warning : "libopendkim does not start");
	while (scanf("%zu %zu %4095s", &first, &step, file) == 3)
		sign_file(file, first > 0 ? first : 1, step > 0 ? step : 1);
	return 0;
}
