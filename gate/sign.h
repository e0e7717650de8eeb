/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The signer: what gate/session feeds a message to. One struct sign per
 * message makes one signature per key. A struct sign is used by one thread at
 * a time; it may move between threads.
 */
#ifndef POSTERN_GATE_SIGN_H
#define POSTERN_GATE_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "gate/keys.h"

struct sign;

/* One finished signature, in the order of the keys. */
struct signature {
	const struct key *key;
	/* The value of the DKIM-Signature field, lines separated by "\n\t", no
	 * leading space and no line end; NULL when this key failed, then
	 * `error` is a text. In the caller's arena. */
	const char *value;
	const char *error;
};

struct signer {
	const char *name;
	/* Starts n signatures (1 <= n <= 8). `id` names the message in errors.
	 * `now` is the time of the message, in seconds since 1970; a signer that
	 * cannot be told the time of t= (libopendkim) takes its own. NULL when
	 * memory is short. */
	struct sign *(*begin)(void *context, const struct key *const *keys,
			      size_t n, const char *id, int64_t now);
	/* One header field in the message's order: name, and value as the MTA
	 * shows it with its leading space kept (continuation lines after "\n").
	 * Fields that must not be signed are skipped here. */
	void (*header)(struct sign *s, const char *name, const char *value);
	/* A field that the gate adds itself: signed whatever its name, which
	 * begins with X-. */
	void (*added)(struct sign *s, const char *name, const char *value);
	void (*eoh)(struct sign *s);
	void (*body)(struct sign *s, const void *data, size_t len);
	/* Finishes: fills r[0..n-1]; 0 when at least one signature was made,
	 * -1 when none. */
	int (*end)(struct sign *s, struct arena *arena, struct signature *r);
	/* Frees, finished or not; sets *s to NULL. */
	void (*free)(struct sign **s);
	void *context;
};

/* The signer on libopendkim: relaxed/relaxed, no l=, From and the other fields
 * that may appear once oversigned, but for Date and Message-ID, which MTAs add. Call once at start; checks that the decoded
 * keys reach the library and otherwise falls back to handing over PEM text,
 * with a line in *warning_r (static text, or NULL). NULL when the library
 * cannot start. */
const struct signer *signer_opendkim(const char **warning_r);

/* Whether a field of this name is signed when present (ASCII case ignored). */
int signer_covers(const char *name);

#endif
