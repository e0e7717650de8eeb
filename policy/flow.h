/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The decoded text of a message as one stream: octets of one text part after
 * the other go in, UTF-8 comes out. For mime.c. Pure.
 */
#ifndef POSTERN_POLICY_FLOW_H
#define POSTERN_POLICY_FLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/charset.h"
#include "policy/transfer.h"

#define FLOW_SLICE 4096u

/* Start with {.sink = ...}. Text comes to the sink in whole characters. */
struct flow {
	struct charset_sink sink;
	const char *doubt;      /* static: the first reason why text is not certain, or NULL */
	struct transfer transfer;
	struct charset_reader *reader; /* NULL between parts */
	size_t len;             /* octets of text so far, without separators */
	bool is_full;           /* no more than MIME_TEXT_MAX are read */
	bool wants_separator;   /* before the first octet of this part */
	bool has_cr;            /* the last octet was CR and is not out yet */
	char out[FLOW_SLICE];
	size_t out_len;
};

/* Begins a part; false when memory is short. A charset that the system lacks
 * is a doubt, and read as if none had been said. */
bool flow_start(struct flow *f, const struct charset *c, enum transfer_encoding encoding);

/* Octets of the part that was begun, cut anywhere. */
void flow_read(struct flow *f, const char *s, size_t len);

/* The part is over, all of its text handed on. Without a part: nothing. */
void flow_end(struct flow *f);

/* Gives a part up, hands nothing on. */
void flow_drop(struct flow *f);

#endif
