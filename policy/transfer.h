/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Content-Transfer-Encoding (RFC 2045 section 6) undone, in pieces that end
 * anywhere. Pure; no memory but the struct.
 */
#ifndef POSTERN_POLICY_TRANSFER_H
#define POSTERN_POLICY_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum transfer_encoding { TRANSFER_IDENTITY, TRANSFER_QUOTED_PRINTABLE, TRANSFER_BASE64, TRANSFER_UNKNOWN };

/* 7bit, 8bit and binary are TRANSFER_IDENTITY. ASCII case is ignored. */
enum transfer_encoding transfer_find(const char *name);

/* White space kept back until it is known not to end a line; a longer run is
 * text (lines of quoted-printable have 76 octets). */
#define TRANSFER_HELD 128u

struct transfer {
	enum transfer_encoding encoding;
	bool is_malformed;
	uint32_t bits;          /* base64: those not given out yet */
	unsigned n_bits;
	size_t n_symbols;       /* base64: symbols and padding so far */
	size_t padding;
	int state;              /* quoted-printable: what came after '=' */
	char digit;
	char held[TRANSFER_HELD];
	size_t n_held;
};

void transfer_start(struct transfer *t, enum transfer_encoding encoding);

/* Decodes into `out`, which has room for len + TRANSFER_HELD + 2 octets, and
 * returns how many came out. Malformed input sets is_malformed and is read as
 * most readers do: octets outside of the base64 alphabet are skipped, padding
 * in the middle ends one run of base64 and another begins, an '=' that encodes
 * nothing stays. An unknown encoding is read as 8bit, and is malformed. */
size_t transfer_decode(struct transfer *t, const char *s, size_t len, char *out);

/* The end: what is left comes out, and what is missing is malformed. Room as
 * for len 0. */
size_t transfer_end(struct transfer *t, char *out);

/* The value of a hexadecimal digit, or -1. */
int transfer_hex(char c);

#endif
