/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A load generator that speaks the milter protocol as an MTA does, version 6,
 * and honours what the filter negotiates. Prints messages a second and how many
 * were signed. usage: milter-load SOCKET SESSIONS MESSAGES-PER-CONNECTION TOTAL
 * BODY-OCTETS
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NR_HDR 0x80u
#define NODATA 0x200u
#define NR_CONN 0x1000u
#define NR_HELO 0x2000u
#define NR_MAIL 0x4000u
#define NR_RCPT 0x8000u
#define NR_DATA 0x10000u
#define NR_EOH 0x40000u
#define NR_BODY 0x80000u
#define NOHELO 0x2u
#define CHUNK 65535u

struct peer {
	int fd;
	uint32_t flags;
	char out[1 << 17];
	size_t n;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
flush(struct peer *p)
{
	for (size_t done = 0; done < p->n;) {
		ssize_t w = write(p->fd, p->out + done, p->n - done);

		if (w <= 0)
			die("write");
		done += (size_t)w;
	}
	p->n = 0;
}

static void
packet(struct peer *p, char command, const void *data, size_t len)
{
	uint32_t size = htonl((uint32_t)len + 1);

	if (p->n + len + 5 > sizeof p->out)
		flush(p);
	memcpy(p->out + p->n, &size, 4);
	p->out[p->n + 4] = command;
	memcpy(p->out + p->n + 5, data, len);
	p->n += len + 5;
}

static void
octets(struct peer *p, void *data, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t r = read(p->fd, (char *)data + got, len - got);

		if (r <= 0)
			die("read");
		got += (size_t)r;
	}
}

static char
answer(struct peer *p, char *data, size_t size)
{
	uint32_t len;
	static char rest[1 << 17];

	flush(p);
	octets(p, &len, 4);
	len = ntohl(len);
	if (len == 0 || len > sizeof rest)
		die("answer");
	octets(p, rest, len);
	memset(data, 0, size);
	memcpy(data, rest + 1, len - 1 < size ? len - 1 : size);
	return rest[0];
}

/* Says one step and waits for the answer unless it was negotiated away. */
static void
step(struct peer *p, char command, const char *data, size_t len, uint32_t no_reply)
{
	char buf[64];
	char a;

	packet(p, command, data, len);
	if ((p->flags & no_reply) != 0)
		return;
	a = answer(p, buf, sizeof buf);
	if (a != 'c' && a != 's') {
		fprintf(stderr, "the filter answered '%c' to '%c'\n", a, command);
		exit(1);
	}
}

static void
negotiate(struct peer *p)
{
	uint32_t offer[3] = {htonl(6), htonl(0x1ff), htonl(0x1fffff)}, got[3];
	char buf[64];

	packet(p, 'O', offer, sizeof offer);
	if (answer(p, buf, sizeof buf) != 'O')
		die("negotiation");
	memcpy(got, buf, sizeof got);
	p->flags = ntohl(got[2]);
}

#define MACROS(p, text) packet(p, 'D', text, sizeof(text))
#define SAY(p, command, text, no_reply) step(p, command, text, sizeof(text), no_reply)

static const char *const fields[][2] = {
	{"From", " CRM <app0@contoso.com>"}, {"To", " bob@example.net"}, {"Subject", " Your order has been shipped"},
	{"Date", " Tue, 24 Nov 2026 10:00:00 +0000"}, {"Message-ID", " <1234@app.contoso.com>"},
	{"MIME-Version", " 1.0"}, {"Content-Type", " text/plain; charset=utf-8"},
	{"Content-Transfer-Encoding", " 8bit"}, {"Reply-To", " app0@contoso.com"}, {"X-Mailer", " CRM 4.2"},
	{"X-Priority", " 3"},
};

static unsigned
message(struct peer *p, const char *body, size_t size)
{
	char field[256], buf[64], a;
	unsigned is_signed = 0;

	MACROS(p, "M{mail_addr}\0" "app0@contoso.com\0" "{mail_mailer}\0" "smtp");
	SAY(p, 'M', "<app0@contoso.com>", NR_MAIL);
	MACROS(p, "R{rcpt_addr}\0" "bob@example.net\0" "{rcpt_mailer}\0" "smtp\0" "i\0" "4ABC");
	SAY(p, 'R', "<bob@example.net>", NR_RCPT);
	if ((p->flags & NODATA) == 0)
		step(p, 'T', "", 0, NR_DATA);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		size_t n = strlen(fields[i][0]) + 1, m = strlen(fields[i][1]) + 1;

		memcpy(field, fields[i][0], n);
		memcpy(field + n, fields[i][1], m);
		step(p, 'L', field, n + m, NR_HDR);
	}
	step(p, 'N', "", 0, NR_EOH);
	for (size_t done = 0; done < size; done += CHUNK)
		step(p, 'B', body + done, size - done < CHUNK ? size - done : CHUNK, NR_BODY);
	packet(p, 'E', "", 0);
	while ((a = answer(p, buf, sizeof buf)) == 'h' || a == 'i' || a == 'm' || a == 'p')
		is_signed |= strstr(buf, "DKIM-Signature") != NULL || strstr(buf + 4, "DKIM-Signature") != NULL;
	if (a != 'c' && a != 'a') {
		fprintf(stderr, "the filter answered '%c' at end of message: %.60s\n", a, buf);
		exit(1);
	}
	return is_signed;
}

static unsigned
connection(const char *path, unsigned messages, const char *body, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static struct peer p;
	unsigned is_signed = 0;

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	p = (struct peer){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	if (p.fd < 0 || connect(p.fd, (struct sockaddr *)&address, sizeof address) != 0)
		die(path);
	negotiate(&p);
	MACROS(&p, "C{client_addr}\0" "10.1.2.0\0" "{client_port}\0" "4711\0" "j\0" "relay.contoso.com");
	SAY(&p, 'C', "client.example\0" "4" "\x12\x34" "10.1.2.0", NR_CONN);
	if ((p.flags & NOHELO) == 0)
		SAY(&p, 'H', "client.example", NR_HELO);
	for (unsigned i = 0; i < messages; i++)
		is_signed += message(&p, body, size);
	packet(&p, 'Q', "", 0);
	flush(&p);
	close(p.fd);
	return is_signed;
}

int
main(int argc, char **argv)
{
	unsigned sessions, each, total, is_signed = 0, done = 0;
	size_t size;
	struct timespec a, b;
	char *body;
	int pipes[2];

	if (argc != 6)
		return 2;
	sessions = (unsigned)atoi(argv[2]);
	each = (unsigned)atoi(argv[3]);
	total = (unsigned)atoi(argv[4]);
	size = (size_t)atol(argv[5]);
	body = malloc(size + 80);
	if (body == NULL || pipe(pipes) != 0)
		return 1;
	for (size_t i = 0; i < size; i++)
		body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + i % 26);
	if (size >= 2)
		memcpy(body + size - 2, "\r\n", 2);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned s = 0; s < sessions; s++) {
		if (fork() == 0) {
			unsigned n[2] = {0, 0};

			for (; n[1] < total / sessions; n[1] += each)
				n[0] += connection(argv[1], each, body, size);
			_exit(write(pipes[1], n, sizeof n) == (ssize_t)sizeof n ? 0 : 1);
		}
	}
	close(pipes[1]);
	for (unsigned n[2]; read(pipes[0], n, sizeof n) == (ssize_t)sizeof n;) {
		is_signed += n[0];
		done += n[1];
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	while (wait(NULL) > 0)
		continue;
	printf("%u %u %.1f\n", done, is_signed,
	       done / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	free(body);
	return 0;
}
