/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The MTA's side of the milter protocol, version 6, on a blocking socket.
 * Commands gather in a buffer and leave when a reply is waited for, as an MTA
 * sends what the filter has said it will not answer.
 */
#ifndef POSTERN_BENCH_LOAD_H
#define POSTERN_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	int fd;
	uint32_t steps;          /* what the filter leaves out or does not answer */
	unsigned char *out;
	size_t out_len, out_size;
	unsigned char in[65536];
	size_t in_at, in_len;
	int signatures;          /* DKIM-Signature fields inserted since last cleared */
};

/* Connects ("unix:PATH" or "inet:PORT@HOST") and negotiates; 0, or -1 with errno. */
int wire_open(struct wire *w, const char *socket_name);
void wire_close(struct wire *w);

/* Adds a command to what leaves next; the data of an 'M' say. */
void wire_put(struct wire *w, char command, const void *data, size_t len);

/* Sends what has gathered. 0, or -1. */
int wire_flush(struct wire *w);

/* Sends what has gathered and waits for the verdict, counting changes on the
 * way. The reply's letter, or -1. */
int wire_reply(struct wire *w);

/* One step of the dialogue: nothing when the filter left this step out
 * (`leave_out`), no waiting when it does not answer it (`silent`).
 * The reply's letter, SMFIR_CONTINUE when there is none, -1 on failure. */
int wire_step(struct wire *w, char command, const void *data, size_t len, uint32_t leave_out, uint32_t silent);

#endif
