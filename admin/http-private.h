/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between http.c and http_listen.c, which makes the socket. For these only.
 */
#ifndef POSTERN_ADMIN_HTTP_PRIVATE_H
#define POSTERN_ADMIN_HTTP_PRIVATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

union http_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

/* NULL, or what is wrong with it. */
const char *http_parse_address(const char *s, union http_address *a);
bool http_is_loopback(const union http_address *a);

/* A socket that listens, or -1 with a text. */
int http_listen(const char *shown, const union http_address *a, char *error_r, size_t error_size);

/* Takes a unix socket's name away. */
void http_unlisten(const union http_address *a);

/* A file in memory, the caller's to free with its octets made 0; NULL with a text. One with a key must not be
 * readable to others. */
char *http_read_file(const char *path, bool is_key, char *error_r, size_t error_size);

#endif
