/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages for programs and people: GET and HEAD over HTTP, on a loopback address or a unix socket. Whoever can
 * reach it is told, so other addresses are refused unless there are passwords and TLS, and so are requests that a
 * name led to a loopback address (a page in somebody's browser whose name was made to mean 127.0.0.1).
 */
#ifndef POSTERN_ADMIN_HTTP_H
#define POSTERN_ADMIN_HTTP_H

#include <stddef.h>

#include "base/text.h"

struct http_page {
	const char *type;         /* static */
	struct text body;
};

struct http_request;

/* The value of an argument in the query, NULL where there is none, or what is no text: it is whole, without
 * octets of 0. It lives as long as the request. */
const char *http_argument(const struct http_request *r, const char *name);

struct http_service {
	/* "127.0.0.1:PORT", "[::1]:PORT"; "unix:/PATH", which is made with mode 0660, and where nobody listens any
	 * more taken away first; any other address only with all of the three below. */
	const char *listen;
	const char *password_file; /* see password.h; NULL: everybody who can reach it is told */
	const char *certificate, *key; /* PEM; NULL: no TLS. Both or none */
	unsigned threads;         /* so many call `answer` at once; 1: never twice at once */
	const char *policy;       /* the Content-Security-Policy of all pages; NULL for none */
	/* Fills the page and returns its status; `path` is without the query. */
	unsigned (*answer)(void *context, const char *path, const struct http_request *request, struct http_page *page);
	void *context;
};

/* Serves until SIGTERM or SIGINT: 0. -1 where that cannot be, with a text in error_r (caller's buffer).
 * Call it before there is any other thread. */
int http_serve_pages(const struct http_service *s, char *error_r, size_t error_size);

/* The same on a loopback address, on one thread, without anything else. */
int http_serve(const char *address, unsigned (*answer)(void *context, const char *path, struct http_page *page), void *context,
	       char *error_r, size_t error_size);

#endif
