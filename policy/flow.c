/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Transfer encoding, then charset, then line ends, then `out`, from which whole
 * characters go to the sink.
 */
#include "policy/flow.h"

#include <string.h>

#include "policy/mime.h"

static void
doubt(struct flow *f, const char *why)
{
	if (f->doubt == NULL)
		f->doubt = why;
}

static void
flush(struct flow *f)
{
	if (f->out_len > 0)
		f->sink.put(f->sink.context, f->out, f->out_len);
	f->out_len = 0;
}

static bool
is_within_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Whole characters. */
static void
put_octets(struct flow *f, const char *s, size_t len)
{
	while (len > 0) {
		size_t room = sizeof f->out - f->out_len, n = len;

		if (n > room) {
			n = room;
			while (n > 0 && is_within_character(s[n]))
				n--;
		}
		memcpy(f->out + f->out_len, s, n);
		f->out_len += n;
		s += n;
		len -= n;
		if (len > 0)
			flush(f);
	}
}

/* Lines end in "\n". */
static void
put_lines(struct flow *f, const char *s, size_t len)
{
	const char *end = s + len;

	if (f->has_cr && *s != '\n')
		put_octets(f, "\r", 1);
	f->has_cr = false;
	while (s < end) {
		const char *cr = memchr(s, '\r', (size_t)(end - s));
		const char *to = cr != NULL ? cr : end;

		if (cr != NULL && cr + 1 < end && cr[1] != '\n')
			to++;
		put_octets(f, s, (size_t)(to - s));
		f->has_cr = cr != NULL && cr + 1 == end;
		s = cr != NULL ? cr + 1 : end;
	}
}

/* The sink of the charset. */
static void
put(void *context, const char *s, size_t len)
{
	struct flow *f = context;

	if (f->is_full)
		return;
	if (f->wants_separator && f->len > 0)
		put_octets(f, "\n", 1);
	f->wants_separator = false;
	if (memchr(s, '\0', len) != NULL)
		doubt(f, "text with NUL octets");
	if (len > MIME_TEXT_MAX - f->len) {
		doubt(f, "more text than is read");
		f->is_full = true;
		len = MIME_TEXT_MAX - f->len;
		while (len > 0 && is_within_character(s[len]))
			len--;
	}
	f->len += len;
	if (len > 0)
		put_lines(f, s, len);
}

bool
flow_start(struct flow *f, const struct charset *c, enum transfer_encoding encoding)
{
	struct charset_sink sink = {put, f};

	transfer_start(&f->transfer, encoding);
	f->reader = charset_open(c, sink);
	if (f->reader == NULL) {
		doubt(f, "text in a charset that this system lacks");
		f->reader = charset_open(charset_undeclared(), sink);
	}
	f->wants_separator = true;
	return f->reader != NULL;
}

void
flow_read(struct flow *f, const char *s, size_t len)
{
	char decoded[FLOW_SLICE + TRANSFER_HELD + 2];

	while (len > 0 && !f->is_full) {
		size_t n = len < FLOW_SLICE ? len : FLOW_SLICE;

		if (f->transfer.encoding == TRANSFER_IDENTITY)
			charset_read(f->reader, s, n);
		else
			charset_read(f->reader, decoded, transfer_decode(&f->transfer, s, n, decoded));
		s += n;
		len -= n;
	}
}

void
flow_end(struct flow *f)
{
	char decoded[TRANSFER_HELD + 2];

	if (f->reader == NULL)
		return;
	charset_read(f->reader, decoded, transfer_end(&f->transfer, decoded));
	charset_end(f->reader);
	if (f->has_cr)
		put_octets(f, "\r", 1);
	f->has_cr = false;
	if (f->transfer.is_malformed)
		doubt(f, "a malformed transfer encoding");
	if (charset_has_malformed(f->reader))
		doubt(f, "text with malformed characters");
	charset_close(&f->reader);
	flush(f);
}

void
flow_drop(struct flow *f)
{
	charset_close(&f->reader);
}
