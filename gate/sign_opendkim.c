/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The signer on libopendkim (RFC 6376; RFC 8463 for Ed25519). The only file
 * that knows the library. One DKIM handle per key is fed the same header and
 * body; the library's handle for all of them is made once, with its options,
 * and only read afterwards.
 */
#include "gate/sign.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <stdbool.h>

#include <opendkim/dkim.h>

#include "base/crash.h"
#include "base/text.h"
#include "gate/keys-private.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define KEYS_MAX 8
#define NAME_MAX_OCTETS 200
#define HEADER_NAME "DKIM-Signature: "

/* Signed when present; never what a hop rewrites (Received, Sender, Return-Path,
 * Bcc) or what others add. */
static const char *const covered[] = {
	"From", "Reply-To", "Subject", "Date", "To", "Cc", "Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
};

/* Of these, the ones that may stand once: named once more than they stand, so
 * that adding another breaks the signature. Not Date and Message-ID: where they
 * are missing, Sendmail adds them after the milter, and others may on the way. */
static const char *const oversigned[] = {
	"From", "Reply-To", "Subject", "To", "Cc", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
};

struct sign {
	const struct key *const *keys;
	size_t n;
	DKIM *dkim[KEYS_MAX];
	const char *error[KEYS_MAX];
	char last[2];            /* the last two octets of the body */
	bool has_body;
};

static DKIM_LIB *library;
static bool keys_reach;          /* the library takes keys by token */

int
signer_covers(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(covered); i++)
		if (text_same(covered[i], name))
			return 1;
	return 0;
}

static const char *
status_text(DKIM_STAT s)
{
	switch (s) {
	case DKIM_STAT_NORESOURCE:
		return "libopendkim cannot use the key or is short of memory";
	case DKIM_STAT_SYNTAX:
		return "libopendkim finds a syntax error in the message";
	case DKIM_STAT_SIGGEN:
		return "libopendkim cannot make the signature";
	case DKIM_STAT_INVALID:
		return "libopendkim was used in the wrong order";
	default:
		return "libopendkim failed";
	}
}

static void
give_up(struct sign *s, size_t i, const char *why)
{
	s->error[i] = why;
	if (s->dkim[i] != NULL)
		dkim_free(s->dkim[i]);
	s->dkim[i] = NULL;
}

static void
begin_one(struct sign *s, size_t i, const char *id)
{
	const struct key *k = s->keys[i];
	const char *text;
	DKIM_STAT status = DKIM_STAT_OK;
	union {
		const char *in;
		unsigned char *out;
	} secret, selector, domain, name;

	if (!k->usable) {
		s->error[i] = k->problem;
		return;
	}
	text = keys_reach ? key_token(k) : key_pem(k);
	secret.in = text;
	selector.in = k->selector;
	domain.in = k->domain;
	name.in = id;
	s->dkim[i] = dkim_sign(library, name.out, NULL, secret.out, selector.out, domain.out,
			       DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
			       k->algorithm == KEY_RSA_SHA256 ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256,
			       -1, &status);
	if (s->dkim[i] == NULL)
		s->error[i] = status_text(status);
}

static struct sign *
begin(void *context, const struct key *const *keys, size_t n, const char *id, int64_t now)
{
	struct sign *s = calloc(1, sizeof *s);

	(void)context;
	(void)now; /* t= is the library's own clock */
	if (s == NULL)
		return NULL;
	s->keys = keys;
	s->n = n < KEYS_MAX ? n : KEYS_MAX;
	for (size_t i = 0; i < s->n; i++)
		begin_one(s, i, id);
	return s;
}

/* "Name: value" with CRLF at folds, as the library wants it. */
static void
feed(struct sign *s, const char *name, const char *value)
{
	struct text t = {0};

	text_add(&t, name);
	text_add(&t, value[0] == ' ' || value[0] == '\t' || value[0] == '\0' || value[0] == '\n' ? ":" : ": ");
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\n' && (p == value || p[-1] != '\r'))
			text_add_char(&t, '\r');
		text_add_char(&t, *p);
	}
	for (size_t i = 0; i < s->n; i++) {
		DKIM_STAT status;

		if (s->dkim[i] == NULL)
			continue;
		status = t.failed ? DKIM_STAT_NORESOURCE
				  : dkim_header(s->dkim[i], (unsigned char *)t.s, t.len);
		if (status != DKIM_STAT_OK)
			give_up(s, i, status_text(status));
	}
	text_free(&t);
}

static void
header(struct sign *s, const char *name, const char *value)
{
	if (signer_covers(name) && strlen(name) <= NAME_MAX_OCTETS)
		feed(s, name, value);
}

static void
eoh(struct sign *s)
{
	for (size_t i = 0; i < s->n; i++) {
		DKIM_STAT status = s->dkim[i] == NULL ? DKIM_STAT_OK : dkim_eoh(s->dkim[i]);

		if (status != DKIM_STAT_OK)
			give_up(s, i, status_text(status));
	}
}

static void
body_octets(struct sign *s, unsigned char *data, size_t len)
{
	for (size_t i = 0; i < s->n; i++) {
		DKIM_STAT status = s->dkim[i] == NULL ? DKIM_STAT_OK : dkim_body(s->dkim[i], data, len);

		if (status != DKIM_STAT_OK)
			give_up(s, i, status_text(status));
	}
}

static void
body(struct sign *s, const void *data, size_t len)
{
	union {
		const void *in;
		unsigned char *out;
	} u = {.in = data};

	if (len == 0)
		return;
	s->has_body = true;
	s->last[0] = len > 1 ? (char)u.out[len - 2] : s->last[1];
	s->last[1] = (char)u.out[len - 1];
	body_octets(s, u.out, len);
}

/* A body that does not end its last line gets the line end the MTA will add. */
static void
end_last_line(struct sign *s)
{
	unsigned char crlf[] = {'\r', '\n'};

	if (!s->has_body || (s->last[0] == '\r' && s->last[1] == '\n'))
		return;
	body_octets(s, crlf, sizeof crlf);
}

static const char *
finish(struct sign *s, size_t i, struct arena *arena)
{
	DKIM_STAT status = dkim_eom(s->dkim[i], NULL);
	unsigned char *value = NULL;
	size_t len = 0, k = 0;
	char *r;

	if (status == DKIM_STAT_OK)
		status = dkim_getsighdr_d(s->dkim[i], strlen(HEADER_NAME), &value, &len);
	if (status != DKIM_STAT_OK) {
		s->error[i] = status_text(status);
		return NULL;
	}
	r = arena_alloc(arena, len + 1);
	if (r == NULL) {
		s->error[i] = "out of memory";
		return NULL;
	}
	for (size_t j = 0; j < len; j++)
		if (value[j] != '\r')
			r[k++] = (char)value[j];
	return r + strspn(r, " ");
}

static int
end(struct sign *s, struct arena *arena, struct signature *r)
{
	int result = -1;

	CRASH_POINT("sign-before-end");
	end_last_line(s);
	for (size_t i = 0; i < s->n; i++) {
		r[i] = (struct signature){.key = s->keys[i]};
		if (s->dkim[i] != NULL)
			r[i].value = finish(s, i, arena);
		r[i].error = s->error[i];
		if (r[i].value != NULL)
			result = 0;
	}
	CRASH_POINT("sign-after-end");
	return result;
}

static void
free_sign(struct sign **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->n; i++)
		if ((*s)->dkim[i] != NULL)
			dkim_free((*s)->dkim[i]);
	free(*s);
	*s = NULL;
}

static const struct signer signer = {
	.name = "libopendkim", .begin = begin, .header = header, .added = feed, .eoh = eoh, .body = body, .end = end,
	.free = free_sign,
};

/* The library takes the list itself, ended by NULL, and copies what it keeps.
 * `more` is one name more, or NULL. */
static int
set_list(dkim_opts_t option, const char *const *names, size_t n, const char *more)
{
	const unsigned char **list = calloc(n + 2, sizeof *list);
	DKIM_STAT status;

	if (list == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		list[i] = (const unsigned char *)names[i];
	list[n] = (const unsigned char *)more;
	status = dkim_options(library, DKIM_OP_SETOPT, option, list, sizeof(unsigned char **));
	free(list);
	return status == DKIM_STAT_OK ? 0 : -1;
}

/* Whether a key reaches the library by its token. */
static bool
try_token(void)
{
	struct keys *set = keys_new();
	const struct key *k = set == NULL ? NULL : keys_make_trial(set);
	struct arena *arena = arena_new(0);
	struct signature result = {0};
	struct sign *s = NULL;

	keys_reach = true;
	if (k != NULL && arena != NULL && (s = begin(NULL, &k, 1, "trial", 0)) != NULL) {
		header(s, "From", " <trial@trial.example>");
		eoh(s);
		(void)end(s, arena, &result);
	}
	keys_reach = result.value != NULL;
	free_sign(&s);
	arena_free(&arena);
	keys_free(&set);
	return keys_reach;
}

static void
start(void)
{
	u_int bits = 1024;

	library = dkim_init(NULL, NULL);
	if (library == NULL)
		return;
	/* Of the X- fields the library sees those only that we add. */
	if (set_list(DKIM_OPTS_SIGNHDRS, covered, COUNT_OF(covered), "X-*") != 0 ||
	    set_list(DKIM_OPTS_OVERSIGNHDRS, oversigned, COUNT_OF(oversigned), NULL) != 0 ||
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof bits) != DKIM_STAT_OK) {
		dkim_close(library);
		library = NULL;
	}
}

const struct signer *
signer_opendkim(const char **warning_r)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	*warning_r = NULL;
	pthread_once(&once, start);
	if (library == NULL)
		return NULL;
	if (!keys_reach && !try_token())
		*warning_r = "decoded keys do not reach libopendkim; it decodes them for every message, which is slow";
	return &signer;
}
