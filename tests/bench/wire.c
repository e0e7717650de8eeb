/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See load.h.
 */
#include "config.h"

#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <libmilter/mfdef.h>

static int
connect_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof a.sun_path)
		return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
connect_inet(const char *name)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *host = strchr(name, '@');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	a.sin_port = htons((uint16_t)strtoul(name, NULL, 10));
	if (fd < 0 || inet_pton(AF_INET, host == NULL ? "127.0.0.1" : host + 1, &a.sin_addr) != 1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
receive(struct wire *w, void *to, size_t len)
{
	unsigned char *p = to;

	while (len > 0) {
		size_t n = w->in_len - w->in_at;

		if (n == 0) {
			ssize_t got = read(w->fd, w->in, sizeof w->in);

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return -1;
			w->in_at = 0;
			w->in_len = (size_t)got;
			continue;
		}
		n = n < len ? n : len;
		memcpy(p, w->in + w->in_at, n);
		w->in_at += n;
		p += n;
		len -= n;
	}
	return 0;
}

static uint32_t
get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

/* One packet: its letter, its data in buf (what does not fit is dropped). */
static int
packet(struct wire *w, unsigned char *buf, size_t size, size_t *len_r)
{
	unsigned char head[5], rest;
	size_t len;

	if (receive(w, head, sizeof head) != 0)
		return -1;
	len = get32(head) - 1;
	*len_r = len < size ? len : size;
	if (receive(w, buf, *len_r) != 0)
		return -1;
	for (size_t i = *len_r; i < len; i++)
		if (receive(w, &rest, 1) != 0)
			return -1;
	return head[4];
}

void
wire_put(struct wire *w, char command, const void *data, size_t len)
{
	size_t need = w->out_len + 5 + len;

	if (need > w->out_size) {
		w->out_size = need * 2;
		w->out = realloc(w->out, w->out_size);
		if (w->out == NULL)
			abort();
	}
	put32(w->out + w->out_len, (uint32_t)len + 1);
	w->out[w->out_len + 4] = (unsigned char)command;
	if (len > 0)
		memcpy(w->out + w->out_len + 5, data, len);
	w->out_len = need;
}

int
wire_flush(struct wire *w)
{
	for (size_t at = 0; at < w->out_len;) {
		ssize_t n = write(w->fd, w->out + at, w->out_len - at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	w->out_len = 0;
	return 0;
}

/* Inserted: position, name; added: name. */
static bool
is_signature(int letter, const unsigned char *p, size_t len)
{
	static const char name[] = "DKIM-Signature";
	size_t at = letter == SMFIR_INSHEADER ? 4 : 0;

	return (letter == SMFIR_INSHEADER || letter == SMFIR_ADDHEADER) && len > at + sizeof name &&
	       strcasecmp((const char *)p + at, name) == 0;
}

int
wire_reply(struct wire *w)
{
	unsigned char buf[4096];
	size_t len;
	int letter;

	if (wire_flush(w) != 0)
		return -1;
	for (;;) {
		letter = packet(w, buf, sizeof buf - 1, &len);
		if (letter < 0)
			return -1;
		buf[len] = '\0';
		w->signatures += is_signature(letter, buf, len);
		if (strchr("acdrtysO4", letter) != NULL) {
			if (letter == SMFIC_OPTNEG && len >= 12)
				w->steps = get32(buf + 8);
			return letter;
		}
	}
}

int
wire_step(struct wire *w, char command, const void *data, size_t len, uint32_t leave_out, uint32_t silent)
{
	if ((w->steps & leave_out) != 0)
		return SMFIR_CONTINUE;
	wire_put(w, command, data, len);
	return (w->steps & silent) != 0 ? SMFIR_CONTINUE : wire_reply(w);
}

int
wire_open(struct wire *w, const char *name)
{
	unsigned char offer[12];

	w->steps = 0;
	w->in_at = w->in_len = w->out_len = 0;
	w->fd = strncmp(name, "inet:", 5) == 0 ? connect_inet(name + 5)
					       : connect_unix(strncmp(name, "unix:", 5) == 0 ? name + 5 : name);
	if (w->fd < 0)
		return -1;
	put32(offer, 6);
	put32(offer + 4, SMFI_CURR_ACTS);
	put32(offer + 8, 0x1fffff); /* what Postfix offers */
	wire_put(w, SMFIC_OPTNEG, offer, sizeof offer);
	return wire_reply(w) == SMFIC_OPTNEG ? 0 : -1;
}

void
wire_close(struct wire *w)
{
	wire_put(w, SMFIC_QUIT, NULL, 0);
	(void)wire_flush(w);
	close(w->fd);
	w->fd = -1;
}
