/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * DKIM key files: read, checked, and kept decoded. A key is immutable and
 * shared by all messages of one snapshot; only keys_free() ends it.
 */
#ifndef POSTERN_GATE_KEYS_H
#define POSTERN_GATE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_algorithm { KEY_RSA_SHA256, KEY_ED25519_SHA256 };

struct key {
	const char *domain;    /* d=, in A-labels, lower case */
	const char *selector;  /* s= */
	const char *file;      /* path of the private key */
	enum key_algorithm algorithm;
	int bits;
	bool usable;           /* false: `problem` says why, in words for an admin */
	const char *problem;
	bool kept;             /* usable as it was before; `problem` says what is wrong with the file now */
	int64_t kept_since_ms; /* wall time of the first load that found the file unusable */
	void *handle;          /* the decoded key; for keys.c and sign_opendkim.c */
};

struct keys;

/* An empty set. NULL when memory is short. */
struct keys *keys_new(void);
void keys_free(struct keys **k);

/* Reads and checks one key file and adds it to the set, usable or not: it
 * must be a regular file, not readable or writable by others, an unencrypted
 * PEM private key (PKCS#1 or PKCS#8), RSA of at least 2048 bits (1024 to 2047
 * is usable with a warning in `problem`; fewer is not) or Ed25519, and a trial
 * signature made with it must verify with its own public half. If a file
 * FILE.txt, or FILE with its ending replaced by .txt (the DNS record as
 * opendkim-genkey and postern write it), stands beside it, its p= must be
 * this key's public half. Never asks for a
 * pass phrase. Borrowed result, valid until keys_free(); NULL only when memory
 * is short. */
const struct key *keys_load(struct keys *k, const char *domain,
			    const char *selector, const char *file);

/* Makes k, a key that cannot be used, sign with what was decoded for `before`,
 * a usable key of another set, which may end before this one. now_ms: wall
 * time of this load. 0; -1 when memory is short, k is as it was then. */
int keys_keep(const struct key *k, const struct key *before, int64_t now_ms);

/* "rsa-sha256" or "ed25519-sha256". */
const char *key_algorithm_name(enum key_algorithm a);

/* The public half as the p= of a DNS record (base64), allocated with malloc; NULL on failure. */
char *key_public_base64(const struct key *k);

#endif
