/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See keys.h. The only file that knows OpenSSL.
 *
 * libopendkim decodes the private key anew for every signature, which costs
 * more than the signature. It does so by PEM_read_bio_PrivateKey(), which this
 * file defines in its place: a text that names a key held here gives that key,
 * all other text goes to the library's own function.
 */
#include "config.h"

#include "gate/keys.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "gate/keys-private.h"

#define FILE_MAX 65536
#define RSA_LEAST 1024
#define RSA_GOOD 2048

struct held {
	struct held *next;
	struct key key;
	EVP_PKEY *pkey;
	char *pem;               /* as text, for a signer that cannot be given the key */
	bool in_table;
	size_t number;           /* in the table */
	char token[64];
};

struct keys {
	struct arena *arena;
	struct held *first;
};

/* Keys by the number in their token, so that no text can name anything else. */
static struct {
	pthread_rwlock_t lock;
	EVP_PKEY **slot;
	size_t n;
} table = {.lock = PTHREAD_RWLOCK_INITIALIZER};

#define TOKEN_FORMAT "-----POSTERN KEY %zu-----\n"

/* Gives the key a number and the token with it. One key may have several. */
static int
table_add(struct held *h)
{
	EVP_PKEY **slot;
	size_t i;
	int r = -1;

	pthread_rwlock_wrlock(&table.lock);
	for (i = 0; i < table.n && table.slot[i] != NULL; i++)
		continue;
	if (i == table.n && (slot = realloc(table.slot, (i + 1) * sizeof *slot)) != NULL) {
		table.slot = slot;
		table.slot[table.n++] = NULL;
	}
	if (i < table.n) {
		table.slot[i] = h->pkey;
		h->number = i;
		h->in_table = true;
		snprintf(h->token, sizeof h->token, TOKEN_FORMAT, i);
		r = 0;
	}
	pthread_rwlock_unlock(&table.lock);
	return r;
}

static void
table_remove(struct held *h)
{
	if (!h->in_table)
		return;
	pthread_rwlock_wrlock(&table.lock);
	table.slot[h->number] = NULL;
	pthread_rwlock_unlock(&table.lock);
	h->in_table = false;
}

typedef EVP_PKEY *read_function(BIO *, EVP_PKEY **, pem_password_cb *, void *);

/* Stands before the library's own function of this name. */
EVP_PKEY *
PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **x, pem_password_cb *cb, void *u)
{
	char *text = NULL;
	long len = BIO_method_type(bio) == BIO_TYPE_MEM ? BIO_get_mem_data(bio, &text) : 0;
	EVP_PKEY *pkey = NULL;
	read_function *real;
	size_t number;
	void *symbol;

	if (len > 17 && len < 64 && strncmp(text, "-----POSTERN KEY ", 17) == 0) {
		number = strtoul(text + 17, NULL, 10);
		pthread_rwlock_rdlock(&table.lock);
		if (number < table.n && table.slot[number] != NULL && EVP_PKEY_up_ref(table.slot[number]) == 1)
			pkey = table.slot[number];
		pthread_rwlock_unlock(&table.lock);
		return pkey;
	}
	symbol = dlsym(RTLD_NEXT, "PEM_read_bio_PrivateKey");
	if (symbol == NULL)
		return NULL;
	memcpy(&real, &symbol, sizeof real);
	return real(bio, x, cb, u);
}

struct keys *
keys_new(void)
{
	struct keys *k = calloc(1, sizeof *k);

	if (k != NULL && (k->arena = arena_new(0)) == NULL) {
		free(k);
		k = NULL;
	}
	return k;
}

static void
wipe_string(char *s)
{
	if (s != NULL) {
		OPENSSL_cleanse(s, strlen(s));
		free(s);
	}
}

static void
let_go(struct held *h)
{
	table_remove(h);
	EVP_PKEY_free(h->pkey);
	wipe_string(h->pem);
	h->pkey = NULL;
	h->pem = NULL;
}

void
keys_free(struct keys **k)
{
	if (*k == NULL)
		return;
	for (struct held *h = (*k)->first; h != NULL; h = h->next)
		let_go(h);
	arena_free(&(*k)->arena);
	free(*k);
	*k = NULL;
}

/* The file as text; NULL with a problem. Opened once, judged by what was
 * opened. */
static char *
read_file(struct arena *a, const char *file, const char **problem_r)
{
	struct stat st;
	char *text = NULL;
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		*problem_r = arena_printf(a, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		*problem_r = "is no regular file; a PEM private key is expected";
	else if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		*problem_r = "can be read or written by everybody; chmod o-rwx it (and think of the key as known)";
	else if (st.st_size == 0 || st.st_size > FILE_MAX)
		*problem_r = st.st_size == 0 ? "is empty; a PEM private key is expected"
					     : "is too large to be a PEM private key";
	else if ((text = calloc(1, FILE_MAX + 1)) == NULL || (n = read(fd, text, FILE_MAX)) < 0)
		*problem_r = "cannot be read";
	close(fd);
	if (*problem_r != NULL) {
		free(text);
		text = NULL;
	}
	return text;
}

static int
no_passphrase(char *buf, int size, int rwflag, void *asked)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)asked = true;
	return -1;
}

/* Decodes from the first PEM line on; libopendkim takes nothing before it. */
static EVP_PKEY *
decode(char *text, const char **problem_r)
{
	char *begin = strstr(text, "-----BEGIN ");
	bool asked = false;
	EVP_PKEY *pkey;
	BIO *bio;

	if (begin == NULL) {
		*problem_r = "holds no PEM block; expected -----BEGIN PRIVATE KEY-----";
		return NULL;
	}
	memmove(text, begin, strlen(begin) + 1);
	OPENSSL_cleanse(text + strlen(text), (size_t)(begin - text)); /* what stood there before */
	bio = BIO_new_mem_buf(text, -1);
	pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	BIO_free(bio);
	ERR_clear_error();
	if (pkey == NULL)
		*problem_r = asked ? "is encrypted; a key without pass phrase is expected"
			     : strstr(text, "PUBLIC KEY") != NULL ? "holds a public key; the private key is expected"
								  : "holds no private key that can be decoded";
	return pkey;
}

/* Signs and verifies a few octets with the key's own two halves. */
static bool
trial(EVP_PKEY *pkey, bool is_rsa)
{
	static const unsigned char data[] = "postern";
	unsigned char sig[1024];
	size_t len = sizeof sig;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	const EVP_MD *md = is_rsa ? EVP_sha256() : NULL;
	bool ok;

	ok = c != NULL && EVP_DigestSignInit(c, NULL, md, NULL, pkey) == 1 &&
	     EVP_DigestSign(c, sig, &len, data, sizeof data) == 1;
	EVP_MD_CTX_free(c);
	c = EVP_MD_CTX_new();
	ok = ok && c != NULL && EVP_DigestVerifyInit(c, NULL, md, NULL, pkey) == 1 &&
	     EVP_DigestVerify(c, sig, len, data, sizeof data) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return ok;
}

static const char *
judge(struct arena *a, struct key *k, EVP_PKEY *pkey)
{
	int type = EVP_PKEY_base_id(pkey);

	k->bits = EVP_PKEY_bits(pkey);
	if (type == EVP_PKEY_ED25519) {
		k->algorithm = KEY_ED25519_SHA256;
	} else if (type == EVP_PKEY_RSA) {
		k->algorithm = KEY_RSA_SHA256;
		if (k->bits < RSA_LEAST)
			return arena_printf(a, "is an RSA key of %d bits; at least %d are needed, %d are good", k->bits,
					    RSA_LEAST, RSA_GOOD);
	} else {
		return "is neither an RSA nor an Ed25519 key";
	}
	return trial(pkey, type == EVP_PKEY_RSA) ? NULL : "fails a trial signature: its halves do not belong together";
}

char *
key_public_base64(const struct key *k)
{
	const struct held *h = k->handle;
	unsigned char *der = NULL, raw[64];
	size_t raw_len = sizeof raw;
	const unsigned char *data;
	char *out = NULL;
	int n;

	if (h == NULL || h->pkey == NULL)
		return NULL;
	if (k->algorithm == KEY_ED25519_SHA256) {
		n = EVP_PKEY_get_raw_public_key(h->pkey, raw, &raw_len) == 1 ? (int)raw_len : -1;
		data = raw;
	} else {
		n = i2d_PUBKEY(h->pkey, &der);
		data = der;
	}
	if (n > 0 && (out = calloc(1, (size_t)n * 2 + 8)) != NULL)
		EVP_EncodeBlock((unsigned char *)out, data, n);
	OPENSSL_free(der);
	return out;
}

/* The p= of a DNS record in a file, quotes and white space left out; false
 * when the file holds none. */
static bool
read_record(const char *file, char *p, size_t size)
{
	FILE *f = fopen(file, "re");
	bool in_quote = false, found = false;
	size_t n = 0;
	int c, before = 0;

	if (f == NULL)
		return false;
	while ((c = getc(f)) != EOF && !(found && c == ';')) {
		if (c == '"')
			in_quote = !in_quote;
		else if (!found && before == 'p' && c == '=')
			found = true;
		else if (found && (text_is_alpha((char)c) || text_is_digit((char)c) || strchr("+/=", c) != NULL) &&
			 in_quote && n + 1 < size)
			p[n++] = (char)c;
		if (c != ' ' && c != '\t' && c != '"' && c != '\n')
			before = c;
	}
	p[n] = '\0';
	fclose(f);
	return found && n > 0;
}

/* The record in the file of this name, its ending (if any) replaced by .txt or
 * .txt added to it. */
static bool
read_record_beside(const char *file, bool replace, char *p, size_t size)
{
	const char *slash = strrchr(file, '/'), *dot = strrchr(slash == NULL ? file : slash, '.');
	size_t len = replace && dot != NULL ? (size_t)(dot - file) : strlen(file);
	char name[4096];

	return len < sizeof name - sizeof ".txt" &&
	       snprintf(name, sizeof name, "%.*s.txt", (int)len, file) > 0 && read_record(name, p, size);
}

/* Whether the DNS record beside the key is another key's. */
static bool
record_differs(const struct key *k)
{
	char record[4096], *mine;
	bool differs;

	if (!read_record_beside(k->file, false, record, sizeof record) &&
	    !read_record_beside(k->file, true, record, sizeof record))
		return false;
	mine = key_public_base64(k);
	differs = mine == NULL || strcmp(mine, record) != 0;
	free(mine);
	return differs;
}

static void
load(struct keys *set, struct held *h)
{
	struct key *k = &h->key;
	const char *problem = NULL;

	h->pem = read_file(set->arena, k->file, &problem);
	if (h->pem != NULL)
		h->pkey = decode(h->pem, &problem);
	if (h->pkey != NULL)
		problem = judge(set->arena, k, h->pkey);
	k->handle = h;
	if (problem == NULL && record_differs(k))
		problem = "is not the private half of the record in the .txt file beside it";
	if (problem == NULL && table_add(h) != 0)
		problem = "cannot be kept: out of memory";
	k->problem = problem == NULL ? "" : problem;
	k->usable = problem == NULL;
	if (k->usable && k->algorithm == KEY_RSA_SHA256 && k->bits < RSA_GOOD)
		k->problem = arena_printf(set->arena, "is an RSA key of %d bits; receivers may ignore it, use %d", k->bits,
					  RSA_GOOD);
}

const struct key *
keys_load(struct keys *set, const char *domain, const char *selector, const char *file)
{
	struct held *h = arena_alloc(set->arena, sizeof *h);

	if (h == NULL)
		return NULL;
	h->key = (struct key){
		.domain = arena_string(set->arena, domain), .selector = arena_string(set->arena, selector),
		.file = arena_string(set->arena, file),
	};
	h->next = set->first;
	set->first = h;
	load(set, h);
	return arena_failed(set->arena) ? NULL : &h->key;
}

int
keys_keep(const struct key *k, const struct key *before, int64_t now_ms)
{
	const struct held *old = before->handle;
	struct held *h = k->handle;
	struct held fresh = {.pkey = old->pkey, .pem = strdup(old->pem)};

	if (fresh.pem == NULL || EVP_PKEY_up_ref(fresh.pkey) != 1) {
		wipe_string(fresh.pem);
		return -1;
	}
	if (table_add(&fresh) != 0) {
		let_go(&fresh);
		return -1;
	}
	let_go(h);
	h->pkey = fresh.pkey;
	h->pem = fresh.pem;
	h->in_table = true;
	h->number = fresh.number;
	memcpy(h->token, fresh.token, sizeof h->token);
	h->key.algorithm = before->algorithm;
	h->key.bits = before->bits;
	h->key.usable = h->key.kept = true;
	h->key.kept_since_ms = before->kept ? before->kept_since_ms : now_ms;
	return 0;
}

const char *
key_algorithm_name(enum key_algorithm a)
{
	return a == KEY_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

const char *
key_token(const struct key *k)
{
	return ((const struct held *)k->handle)->token;
}

const char *
key_pem(const struct key *k)
{
	return ((const struct held *)k->handle)->pem;
}

/* A key made on the spot, for the signer's check of itself. */
const struct key *
keys_make_trial(struct keys *set)
{
	struct held *h = arena_alloc(set->arena, sizeof *h);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	bool ok;

	ok = h != NULL && c != NULL && EVP_PKEY_keygen_init(c) == 1 &&
	     EVP_PKEY_CTX_set_rsa_keygen_bits(c, RSA_GOOD) == 1 && EVP_PKEY_keygen(c, &h->pkey) == 1 &&
	     table_add(h) == 0;
	EVP_PKEY_CTX_free(c);
	if (h == NULL)
		return NULL;
	h->next = set->first;
	set->first = h;
	if (!ok)
		return NULL;
	h->key = (struct key){.domain = "trial.example", .selector = "trial", .file = "", .bits = RSA_GOOD,
			      .algorithm = KEY_RSA_SHA256, .usable = true, .problem = "", .handle = h};
	return &h->key;
}
