/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the signer needs of a key beside keys.h. For sign_opendkim.c only.
 */
#ifndef POSTERN_GATE_KEYS_PRIVATE_H
#define POSTERN_GATE_KEYS_PRIVATE_H

#include "gate/keys.h"

/* A text that stands for the decoded key where the library asks for PEM. */
const char *key_token(const struct key *k);

/* The key as PEM text, for a library that the token does not reach. */
const char *key_pem(const struct key *k);

/* A throw-away RSA key in the set; NULL when it cannot be made. */
const struct key *keys_make_trial(struct keys *set);

#endif
