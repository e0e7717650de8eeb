/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See http.h. The only file that knows libmicrohttpd. A thread never waits for a client, so slow ones hold nobody
 * up; it does wait for an answer to be made, which is bounded by whoever makes it. Connections are few, small and
 * do not last.
 */
#include "config.h"

#include "admin/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "admin/http-private.h"
#include "admin/password.h"

/* For each thread. */
#define CONNECTIONS 32u
#define IDLE_SECONDS 10u
#define CONNECTION_OCTETS (size_t)(16 * 1024)

struct server {
	const struct http_service *service;
	struct passwords *passwords;
	bool is_loopback, is_wide; /* wide: anybody's address may reach it */
	_Atomic bool is_started;
	char said[300];           /* by the library before that */
};

struct http_request {
	struct MHD_Connection *connection;
};

const char *
http_argument(const struct http_request *r, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len) != MHD_YES || value == NULL)
		return NULL;
	return strlen(value) == len ? value : NULL;
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

struct header {
	const char *name, *value;
};

static bool
add_headers(struct MHD_Response *r, const struct server *s, const char *type, unsigned status)
{
	const struct header headers[] = {
		{"Content-Type", type}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"}, {"Content-Security-Policy", s->service->policy},
		{"Allow", status == 405 ? "GET, HEAD" : NULL}, {"Retry-After", status == 429 ? "10" : NULL},
		{"WWW-Authenticate", status == 401 ? "Basic realm=\"Postern\", charset=\"UTF-8\"" : NULL},
	};
	bool is_whole = true;

	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		if (headers[i].value != NULL)
			is_whole = MHD_add_response_header(r, headers[i].name, headers[i].value) == MHD_YES && is_whole;
	return is_whole;
}

static enum MHD_Result
reply(const struct server *s, struct MHD_Connection *connection, unsigned status, const char *type, const char *body, size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc = MHD_NO;

	if (r == NULL)
		return MHD_NO;
	if (add_headers(r, s, type, status))
		rc = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
reply_text(const struct server *s, struct MHD_Connection *connection, unsigned status, const char *text)
{
	return reply(s, connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* 0 where the client may be told, otherwise the status. */
static unsigned
judge_password(const struct server *s, struct MHD_Connection *connection)
{
	enum password_answer answer = PASSWORD_WRONG;
	char *password = NULL, *name;

	if (s->passwords == NULL)
		return 0;
	name = MHD_basic_auth_get_username_password(connection, &password);
	if (name != NULL && password != NULL)
		answer = passwords_check(s->passwords, name, password);
	if (password != NULL)
		explicit_bzero(password, strlen(password));
	MHD_free(password);
	MHD_free(name);
	return answer == PASSWORD_RIGHT ? 0 : answer == PASSWORD_LATER ? 429 : 401;
}

/* On a loopback address. By TLS the certificate says that the name is ours, and a unix socket is behind a web
 * server's own names. */
static bool
is_led_here(const struct server *s, struct MHD_Connection *connection)
{
	return s->is_loopback && !is_host_ours(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"));
}

static enum MHD_Result
answer(struct server *s, struct MHD_Connection *connection, const char *path)
{
	const struct http_request request = {connection};
	struct http_page page = {.type = "text/plain; charset=utf-8"};
	enum MHD_Result rc;
	unsigned status = s->service->answer(s->service->context, path, &request, &page);

	if (page.body.failed)
		rc = reply_text(s, connection, 500, "memory is short\n");
	else
		rc = reply(s, connection, status, page.type, text_string(&page.body), page.body.len);
	text_free(&page.body);
	return rc;
}

static enum MHD_Result
handle(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
       const char *data, size_t *size, void **state)
{
	static int seen;
	struct server *s = context;
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
	if (is_led_here(s, connection))
		return reply_text(s, connection, 421, "ask for this machine by its address\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_text(s, connection, 405, "only GET and HEAD are answered\n");
	status = judge_password(s, connection);
	if (status != 0)
		return reply_text(s, connection, status, status == 429 ? "too many wrong passwords; try again later\n" : "a name and a password are asked for\n");
	return answer(s, connection, path);
}

/* The library's words are kept while it starts; later they are told by us where they matter. */
static void
keep_words(void *context, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void
keep_words(void *context, const char *format, va_list args)
{
	struct server *s = context;

	if (s->is_started)
		return;
	if (s->said[0] == '\0')
		vsnprintf(s->said, sizeof s->said, format, args);
	s->said[strcspn(s->said, "\n")] = '\0';
}

static void
say_nothing(void *context, const char *format, va_list args)
{
	(void)context;
	(void)format;
	(void)args;
}

/* ---- starting */

/* What is asked for must be safe: 0, or -1 with a text. */
static int
judge(const struct http_service *s, const union http_address *a, char *error_r, size_t error_size)
{
	bool has_tls = s->certificate != NULL && s->key != NULL;
	const char *wrong = NULL;

	if ((s->certificate == NULL) != (s->key == NULL))
		wrong = "a certificate and its key go together";
	else if (has_tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		wrong = "this libmicrohttpd has no TLS";
	else if (a->any.sa_family != AF_UNIX && !http_is_loopback(a) && (!has_tls || s->password_file == NULL))
		wrong = "only loopback addresses are served without passwords and TLS; put a web server with both before it for others";
	if (wrong != NULL)
		snprintf(error_r, error_size, "%s: %s", s->listen, wrong);
	return wrong == NULL ? 0 : -1;
}

static void
forget(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static struct MHD_Daemon *
start(struct server *s, int fd, const char *certificate, const char *key)
{
	const struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate}, {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}, {MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem pool[] = {
		{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)s->service->threads, NULL}, {MHD_OPTION_END, 0, NULL},
	};
	/* Of one address; on this machine all come from one. */
	const struct MHD_OptionItem few[] = {{MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)CONNECTIONS, NULL}, {MHD_OPTION_END, 0, NULL}};
	const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | (certificate != NULL ? MHD_USE_TLS : 0),
				0, NULL, NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, certificate != NULL ? keep_words : say_nothing, s,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS * s->service->threads,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_OCTETS,
				MHD_OPTION_ARRAY, s->service->threads > 1 ? pool : none, MHD_OPTION_ARRAY, certificate != NULL ? tls : none,
				MHD_OPTION_ARRAY, s->is_wide ? few : none,
				MHD_OPTION_END);
}

static int
wait_for_end(void)
{
	sigset_t ends;
	int which;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	return sigwait(&ends, &which);
}

static void
block_ends(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* With all that it needs read: 0, or -1 with a text. */
static int
serve(struct server *s, const union http_address *a, const char *certificate, const char *key, char *error_r, size_t error_size)
{
	const char *listen = s->service->listen;
	int fd = http_listen(listen, a, error_r, error_size);
	struct MHD_Daemon *daemon;

	if (fd < 0)
		return -1;
	block_ends();
	daemon = start(s, fd, certificate, key);
	s->is_started = true;
	if (daemon == NULL) {
		snprintf(error_r, error_size, "%s: it cannot be served%s%s", listen, s->said[0] == '\0' ? "" : ": ", s->said);
		close(fd);
	} else {
		(void)wait_for_end();
		MHD_stop_daemon(daemon);
	}
	http_unlisten(a);
	return daemon == NULL ? -1 : 0;
}

int
http_serve_pages(const struct http_service *service, char *error_r, size_t error_size)
{
	struct server s = {.service = service};
	char *certificate = NULL, *key = NULL;
	union http_address a;
	const char *wrong = http_parse_address(service->listen, &a);
	int rc = -1;

	if (wrong != NULL)
		return snprintf(error_r, error_size, "%s: %s", service->listen, wrong), -1;
	s.is_loopback = http_is_loopback(&a);
	s.is_wide = !s.is_loopback && a.any.sa_family != AF_UNIX;
	if (judge(service, &a, error_r, error_size) == 0 &&
	    (service->password_file == NULL || (s.passwords = passwords_open(service->password_file, error_r, error_size)) != NULL) &&
	    (service->certificate == NULL || ((certificate = http_read_file(service->certificate, false, error_r, error_size)) != NULL &&
					      (key = http_read_file(service->key, true, error_r, error_size)) != NULL)))
		rc = serve(&s, &a, certificate, key, error_r, error_size);
	passwords_free(&s.passwords);
	forget(&certificate);
	forget(&key);
	return rc;
}

/* ---- the simple way */

struct simple {
	unsigned (*answer)(void *context, const char *path, struct http_page *page);
	void *context;
};

static unsigned
answer_simply(void *context, const char *path, const struct http_request *request, struct http_page *page)
{
	const struct simple *simple = context;

	(void)request;
	return simple->answer(simple->context, path, page);
}

int
http_serve(const char *address, unsigned (*answer_it)(void *context, const char *path, struct http_page *page), void *context,
	   char *error_r, size_t error_size)
{
	struct simple simple = {answer_it, context};
	const struct http_service s = {.listen = address, .threads = 1, .answer = answer_simply, .context = &simple};

	return http_serve_pages(&s, error_r, error_size);
}
