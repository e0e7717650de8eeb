/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See http.h. The only file that knows libmicrohttpd, which has one thread of its own here: connections wait
 * for each other, are few, small and do not last.
 */
#include "config.h"

#include "admin/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#define CONNECTIONS 32u
#define IDLE_SECONDS 10u
#define CONNECTION_OCTETS (size_t)(16 * 1024)

struct server {
	unsigned (*answer)(void *context, const char *path, struct http_page *page);
	void *context;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool
parse_port(const char *s, uint16_t *port_r)
{
	uint64_t n;

	if (text_to_u64(s, &n) != 0 || n < 1 || n > 65535)
		return false;
	*port_r = htons((uint16_t)n);
	return true;
}

/* NULL, or what is wrong with it. */
static const char *
parse_address(const char *s, union address *a)
{
	static const char expected[] = "expected an address and a port, such as 127.0.0.1:9189 or [::1]:9189";
	const char *colon = strrchr(s, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - s);
	bool is_v6 = len >= 2 && s[0] == '[' && s[len - 1] == ']';
	char host[64];
	uint16_t port;

	memset(a, 0, sizeof *a);
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
	if (is_v6 ? !IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) : ntohl(a->v4.sin_addr.s_addr) >> 24 != 127)
		return "only loopback addresses are served; put a web server with TLS and passwords before it for others";
	return NULL;
}

/* Whether a request was made to this machine by its address, or localhost. No Host at all (HTTP/1.0) is no browser. */
static bool
is_host_ours(const char *host)
{
	char name[64];
	struct in_addr v4;
	size_t len;

	if (host == NULL || strncmp(host, "[::1]", 5) == 0)
		return host == NULL || host[5] == '\0' || host[5] == ':';
	len = strcspn(host, ":");
	if (len == 0 || len >= sizeof name)
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return text_same(name, "localhost") || (inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned status, const char *type, const char *body, size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc = MHD_NO;

	if (r == NULL)
		return MHD_NO;
	if (MHD_add_response_header(r, "Content-Type", type) == MHD_YES &&
	    MHD_add_response_header(r, "Cache-Control", "no-store") == MHD_YES &&
	    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES &&
	    (status != 405 || MHD_add_response_header(r, "Allow", "GET, HEAD") == MHD_YES))
		rc = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
reply_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return reply(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result
handle(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
       const char *data, size_t *size, void **state)
{
	static int seen;
	struct server *s = context;
	struct http_page page = {.type = "text/plain; charset=utf-8"};
	enum MHD_Result rc;
	unsigned status;

	(void)version;
	(void)data;
	if (*state == NULL) { /* the header alone */
		*state = &seen;
		return MHD_YES;
	}
	if (*size > 0) { /* a body is not looked at */
		*size = 0;
		return MHD_YES;
	}
	if (!is_host_ours(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
		return reply_text(connection, 421, "ask for this machine by its address\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_text(connection, 405, "only GET and HEAD are answered\n");
	status = s->answer(s->context, path, &page);
	if (page.body.failed)
		rc = reply_text(connection, 500, "memory is short\n");
	else
		rc = reply(connection, status, page.type, text_string(&page.body), page.body.len);
	text_free(&page.body);
	return rc;
}

/* The library's words are told by us where they matter. */
static void
say_nothing(void *context, const char *format, va_list args)
{
	(void)context;
	(void)format;
	(void)args;
}

int
http_serve(const char *address, unsigned (*answer)(void *context, const char *path, struct http_page *page), void *context,
	   char *error_r, size_t error_size)
{
	struct server s = {answer, context};
	struct MHD_Daemon *daemon;
	union address a;
	sigset_t ends;
	const char *wrong = parse_address(address, &a);
	int which;

	if (wrong != NULL) {
		snprintf(error_r, error_size, "%s: %s", address, wrong);
		return -1;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	errno = 0;
	daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | (a.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0),
				  0, NULL, NULL, handle, &s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_SOCK_ADDR, &a.any,
				  MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_OCTETS, MHD_OPTION_END);
	if (daemon == NULL) {
		snprintf(error_r, error_size, "%s: %s", address, errno == 0 ? "it cannot be listened on" : strerror(errno));
		return -1;
	}
	sigwait(&ends, &which);
	MHD_stop_daemon(daemon);
	return 0;
}
