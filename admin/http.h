/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages for programs and people on this machine: GET and HEAD over HTTP on a loopback address. Whoever can
 * reach it is told, so other addresses are refused, and so are requests that a name led here (a
 * page in somebody's browser whose name was made to mean 127.0.0.1).
 */
#ifndef POSTERN_ADMIN_HTTP_H
#define POSTERN_ADMIN_HTTP_H

#include <stddef.h>

#include "base/text.h"

struct http_page {
	const char *type;         /* static */
	struct text body;
};

/* Serves on "127.0.0.1:PORT" or "[::1]:PORT" until SIGTERM or SIGINT: 0. -1 where that cannot be, with a text
 * in error_r (caller's buffer). Call it before there is any other thread.
 *
 * `answer` is called for each request, on one thread and never twice at once, with its path, the query cut off. It
 * fills the page and returns its status. */
int http_serve(const char *address, unsigned (*answer)(void *context, const char *path, struct http_page *page), void *context,
	       char *error_r, size_t error_size);

#endif
