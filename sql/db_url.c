/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The URL of a database server, read only as far as needed to show it without
 * its passwords:
 *
 *     SCHEME://[USER[:PASSWORD]@][HOST[:PORT],...][/DATABASE][?NAME=VALUE&...]
 *
 * Who forgets to percent-encode a password can write one that is in part a
 * host, a port or a database's name. Such a URL is told apart, so that no part
 * of it is shown and no library that would quote it sees it.
 */
#include <string.h>

#include "sql/db-private.h"

struct url {
	const char *user;
	const char *secret;       /* ":PASSWORD@", or "@", or "" before the host */
	const char *host;
	const char *query;        /* "?...", or the end */
};

/* The octet behind a list of hosts and ports; NULL where it is none. */
static const char *
skip_hosts(const char *s)
{
	for (;; s++) {
		if (*s == '[') {
			s += strcspn(s, "]@/?");
			if (*s != ']')
				return NULL;
		}
		s += strcspn(s, ",:@/?");
		if (*s == ':')
			s += 1 + strspn(s + 1, "0123456789");
		if (*s != ',')
			break;
	}
	return *s == '\0' || *s == '/' || *s == '?' ? s : NULL;
}

static bool
has_whole_parameters(const char *query)
{
	while (*query != '\0') {
		size_t len = strcspn(++query, "&");

		if (memchr(query, '=', len) == NULL)
			return false;
		query += len;
	}
	return true;
}

static bool
split(const char *s, struct url *u)
{
	const char *at, *end;
	size_t len;

	u->user = strstr(s, "://");
	if (u->user == NULL)
		return false;
	u->user += strlen("://");
	len = strcspn(u->user, "/?");
	at = memchr(u->user, '@', len);
	u->host = at == NULL ? u->user : at + 1;
	u->secret = at == NULL ? u->host : memchr(u->user, ':', (size_t)(at - u->user));
	if (u->secret == NULL)
		u->secret = at;
	end = skip_hosts(u->host);
	if (end == NULL || strchr(end, '@') != NULL)
		return false;
	u->query = end + strcspn(end, "?");
	return has_whole_parameters(u->query);
}

bool
db_url_is_clear(const char *url)
{
	struct url u;

	return split(url, &u);
}

static size_t
put(char *to, size_t used, size_t size, const char *s, size_t len)
{
	for (size_t i = 0; i < len && used + 1 < size; i++)
		to[used++] = s[i];
	to[used] = '\0';
	return used;
}

/* Names with "%" could be any. */
static bool
is_shown(const char *parameter)
{
	size_t len = strcspn(parameter, "=");

	if (memchr(parameter, '%', len) != NULL)
		return false;
	for (size_t i = 0; i + strlen("password") <= len; i++)
		if (strncmp(parameter + i, "password", strlen("password")) == 0)
			return false;
	return true;
}

static void
put_parameters(char *to, size_t used, size_t size, const char *query)
{
	char mark = '?';

	while (*query != '\0') {
		size_t len = strcspn(++query, "&");

		if (is_shown(query)) {
			used = put(to, used, size, &mark, 1);
			used = put(to, used, size, query, len);
			mark = '&';
		}
		query += len;
	}
}

void
db_shown_url(const char *url, char *shown_r, size_t size)
{
	const char *rest = strstr(url, "://");
	struct url u;
	size_t used;

	if (size == 0)
		return;
	if (rest == NULL) { /* a file */
		put(shown_r, 0, size, url, strlen(url));
		return;
	}
	if (!split(url, &u)) {
		used = put(shown_r, 0, size, url, (size_t)(rest - url));
		put(shown_r, used, size, "://...", strlen("://..."));
		return;
	}
	used = put(shown_r, 0, size, url, (size_t)(u.secret - url));
	if (u.secret != u.host)
		used = put(shown_r, used, size, "@", 1);
	used = put(shown_r, used, size, u.host, (size_t)(u.query - u.host));
	put_parameters(shown_r, used, size, u.query);
}
