/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See http-private.h.
 */
#include "config.h"

#include "admin/http-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define BACKLOG 128
#define FILE_MOST 1048576

static bool
parse_port(const char *s, uint16_t *port_r)
{
	uint64_t n;

	if (text_to_u64(s, &n) != 0 || n < 1 || n > 65535)
		return false;
	*port_r = htons((uint16_t)n);
	return true;
}

static const char *
parse_path(const char *path, union http_address *a)
{
	if (path[0] != '/' || strlen(path) >= sizeof a->un.sun_path)
		return "expected unix: and a path that begins with / and is not too long for a socket";
	a->un.sun_family = AF_UNIX;
	snprintf(a->un.sun_path, sizeof a->un.sun_path, "%s", path);
	return NULL;
}

const char *
http_parse_address(const char *s, union http_address *a)
{
	static const char expected[] = "expected an address and a port, such as 127.0.0.1:9189 or [::1]:9189, or unix:/path";
	const char *colon = strrchr(s, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - s);
	bool is_v6 = len >= 2 && s[0] == '[' && s[len - 1] == ']';
	char host[64];
	uint16_t port;

	memset(a, 0, sizeof *a);
	if (strncmp(s, "unix:", 5) == 0)
		return parse_path(s + 5, a);
	if (len < 2 || len >= sizeof host || !parse_port(colon + 1, &port))
		return expected;
	snprintf(host, sizeof host, "%.*s", (int)(is_v6 ? len - 2 : len), is_v6 ? s + 1 : s);
	a->any.sa_family = is_v6 ? AF_INET6 : AF_INET;
	if (inet_pton(a->any.sa_family, host, is_v6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr) != 1)
		return expected;
	if (is_v6)
		a->v6.sin6_port = port;
	else
		a->v4.sin_port = port;
	return NULL;
}

bool
http_is_loopback(const union http_address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return a->any.sa_family == AF_INET && ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
}

static socklen_t
size_of(const union http_address *a)
{
	return a->any.sa_family == AF_UNIX ? sizeof a->un : a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

/* Takes a socket away that nobody listens on any more. Anything else stays, and bind() says so. */
static void
clear_stale(const union http_address *a)
{
	struct stat st;
	int fd;

	if (lstat(a->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return;
	if (connect(fd, &a->any, sizeof a->un) != 0 && errno == ECONNREFUSED)
		(void)unlink(a->un.sun_path);
	close(fd);
}

static int
bind_socket(int fd, const union http_address *a)
{
	const int one = 1;
	mode_t mask;
	int rc;

	if (a->any.sa_family != AF_UNIX) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (a->any.sa_family == AF_INET6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
		return bind(fd, &a->any, size_of(a));
	}
	clear_stale(a);
	mask = umask(0117);
	rc = bind(fd, &a->any, size_of(a));
	umask(mask);
	return rc;
}

int
http_listen(const char *shown, const union http_address *a, char *error_r, size_t error_size)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind_socket(fd, a) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	snprintf(error_r, error_size, "%s: %s", shown, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void
http_unlisten(const union http_address *a)
{
	if (a->any.sa_family == AF_UNIX)
		(void)unlink(a->un.sun_path);
}

char *
http_read_file(const char *path, bool is_key, char *error_r, size_t error_size)
{
	FILE *f = fopen(path, "re");
	char *s = f == NULL ? NULL : calloc(1, FILE_MOST);
	struct stat st;
	size_t n = 0;

	if (s != NULL && fstat(fileno(f), &st) == 0 && is_key && (st.st_mode & 0027) != 0)
		snprintf(error_r, error_size, "%s: others can read or write it; chmod 640, or 600", path);
	else if (s == NULL || (n = fread(s, 1, FILE_MOST - 1, f)) == 0)
		snprintf(error_r, error_size, "%s: %s", path, f == NULL || s == NULL ? strerror(errno) : "it is empty, or no file");
	if (f != NULL)
		fclose(f);
	if (n > 0)
		return s;
	free(s);
	return NULL;
}
