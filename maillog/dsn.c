/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dsn.h. Everything happens in the caller's text: fields are unfolded and parts decoded in place,
 * for neither makes them longer.
 */
#include "maillog/dsn.h"

#include <string.h>

#include "base/text.h"

#define BOUNDARY_MAX 200
#define VALUE_MAX 2000

/* Octets of the text. */
struct range {
	char *s, *end;
};

struct entity {
	char type[80];            /* in lower case */
	char report_type[40];
	char boundary[BOUNDARY_MAX + 1];
	char encoding[24];
	struct range body;
};

struct reading {
	struct dsn *r;
	size_t n_parts;
	bool has_status, has_returned;
};

/* ---- header fields */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The line at s without its end, which is cut off; *s is behind it. */
static char *
take_line(struct range *x)
{
	char *line = x->s, *at = memchr(line, '\n', (size_t)(x->end - line)), *end = at == NULL ? x->end : at;

	x->s = at == NULL ? x->end : at + 1;
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static bool
is_line_empty(const struct range *x)
{
	return x->s < x->end && (x->s[0] == '\n' || (x->s[0] == '\r' && x->s + 1 < x->end && x->s[1] == '\n'));
}

/* Trims both ends in place. */
static char *
trim(char *s)
{
	size_t len;

	while (is_blank(*s))
		s++;
	for (len = strlen(s); len > 0 && is_blank(s[len - 1]); len--)
		;
	s[len] = '\0';
	return s;
}

/* Runs of blanks as one, in place. */
static char *
squeeze(char *s)
{
	char *to = s;

	for (const char *from = s; *from != '\0'; from++)
		if (!is_blank(*from))
			*to++ = *from;
		else if (to == s || to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
	return s;
}

/* The next field with its continuations joined; the value "" for a line that is no field. False at the
 * empty line, behind which x->s is then, or at the end. */
static bool
take_field(struct range *x, char **name_r, char **value_r)
{
	char *line, *colon;

	if (x->s >= x->end)
		return false;
	if (is_line_empty(x)) {
		(void)take_line(x);
		return false;
	}
	for (char *at = x->s; (at = memchr(at, '\n', (size_t)(x->end - at))) != NULL && at + 1 < x->end && is_blank(at[1]);) {
		if (at > x->s && at[-1] == '\r')
			at[-1] = ' ';
		*at = ' ';
	}
	line = take_line(x);
	colon = strchr(line, ':');
	if (colon == NULL)
		colon = line + strlen(line);
	*value_r = *colon == '\0' ? colon : colon + 1;
	*colon = '\0';
	*name_r = trim(line);
	*value_r = trim(*value_r);
	if (strlen(*value_r) > VALUE_MAX)
		(*value_r)[VALUE_MAX] = '\0';
	return true;
}

/* ---- Content-Type */

static void
copy_lower(char *to, size_t size, const char *s, size_t len)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = text_lower_char(s[i]);
	to[n] = '\0';
}

/* The value of a parameter at s, quoted or not, into `to`; where it ends. One that is too long is "". */
static const char *
read_parameter(const char *s, char *to, size_t size)
{
	bool is_quoted = *s == '"';
	size_t n = 0;

	for (s += is_quoted; *s != '\0' && (is_quoted ? *s != '"' : *s != ';' && !is_blank(*s)); s++) {
		if (is_quoted && *s == '\\' && s[1] != '\0')
			s++;
		if (n < size)
			to[n++] = *s;
	}
	to[n < size ? n : 0] = '\0';
	return *s == '"' ? s + 1 : s;
}

/* The next parameter's value, and its name; NULL behind the last. */
static const char *
next_parameter(const char *s, const char **name_r, size_t *len_r)
{
	s = strchr(s, ';');
	if (s == NULL)
		return NULL;
	for (s++; is_blank(*s); s++)
		;
	*name_r = s;
	*len_r = strcspn(s, "=; \t");
	s += *len_r;
	while (is_blank(*s))
		s++;
	if (*s != '=')
		return s;
	for (s++; is_blank(*s); s++)
		;
	return s;
}

static void
read_content_type(struct entity *e, const char *value)
{
	const char *name = NULL;
	char skipped[2];
	size_t len = 0;

	copy_lower(e->type, sizeof e->type, value, strcspn(value, "; \t"));
	while ((value = next_parameter(value, &name, &len)) != NULL) {
		if (len == 8 && text_same_n(name, "boundary", len))
			value = read_parameter(value, e->boundary, sizeof e->boundary);
		else if (len == 11 && text_same_n(name, "report-type", len))
			value = read_parameter(value, e->report_type, sizeof e->report_type);
		else
			value = read_parameter(value, skipped, sizeof skipped);
	}
}

static struct entity
read_part(struct range x)
{
	struct entity e = {.type = "text/plain", .encoding = "7bit"};
	char *name, *value;

	while (take_field(&x, &name, &value))
		if (text_same(name, "Content-Type"))
			read_content_type(&e, value);
		else if (text_same(name, "Content-Transfer-Encoding"))
			copy_lower(e.encoding, sizeof e.encoding, value, strlen(value));
	e.body = x;
	return e;
}

/* ---- transfer encodings, decoded in place */

static int
digit_of(char c, const char *digits)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static char *
decode_base64(struct range x)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, held = 0;
	char *to = x.s;

	for (char *s = x.s; s < x.end && *s != '='; s++) {
		int n = digit_of(*s, digits);

		if (n < 0)
			continue;
		held = (held << 6 | (unsigned)n) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = (char)(held >> bits & 0xff);
		}
	}
	return to;
}

static char *
decode_quoted(struct range x)
{
	static const char digits[] = "0123456789abcdef";
	char *to = x.s;

	for (char *s = x.s; s < x.end; s++) {
		int high = *s == '=' && x.end - s > 2 ? digit_of(text_lower_char(s[1]), digits) : -1;
		int low = high < 0 ? -1 : digit_of(text_lower_char(s[2]), digits);

		if (low >= 0) {
			*to++ = (char)(high << 4 | low);
			s += 2;
		} else if (*s == '=' && x.end - s > 1 && s[1] == '\n') {
			s += 1;
		} else if (*s == '=' && x.end - s > 2 && s[1] == '\r' && s[2] == '\n') {
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	return to;
}

/* No NUL comes out of it. */
static struct range
decode(const struct entity *e)
{
	struct range x = e->body;

	if (strcmp(e->encoding, "base64") == 0)
		x.end = decode_base64(x);
	else if (strcmp(e->encoding, "quoted-printable") == 0)
		x.end = decode_quoted(x);
	for (char *s = x.s; s < x.end; s++)
		if (*s == '\0')
			*s = ' ';
	return x;
}

/* ---- the status */

/* "dns; mx.example", "smtp;550 ...": what is behind the type. */
static char *
behind_type(char *value)
{
	char *at = strchr(value, ';');

	return at == NULL ? value : trim(at + 1);
}

/* An address of mail; "" for one of another kind. */
static const char *
address_of(char *value)
{
	char *s = behind_type(value);
	size_t len = strlen(s);

	if (s != value && !text_has_prefix(value, "rfc822") && !text_has_prefix(value, "utf-8"))
		return "";
	if (len > 2 && s[0] == '<' && s[len - 1] == '>') {
		s[len - 1] = '\0';
		s++;
	}
	return strchr(s, '@') == NULL || strlen(s) > 500 ? "" : s;
}

static const char *
action_of(const char *value)
{
	static const char *const actions[] = {"failed", "delayed", "delivered", "relayed", "expanded"};
	size_t len = strcspn(value, " \t(;");

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (len == strlen(actions[i]) && text_same_n(value, actions[i], len))
			return actions[i];
	return "";
}

static const char *
status_of(char *value)
{
	size_t len = strspn(value, "0123456789.");

	value[len] = '\0';
	return (value[0] == '2' || value[0] == '4' || value[0] == '5') && value[1] == '.' && len < 16 ? value : "";
}

static void
read_status_field(struct reading *x, struct dsn_recipient *to, const char *name, char *value)
{
	if (text_same(name, "Reporting-MTA") && x->r->reporter[0] == '\0')
		x->r->reporter = behind_type(value);
	else if (text_same(name, "Final-Recipient"))
		to->recipient = address_of(value);
	else if (text_same(name, "Original-Recipient"))
		to->original = address_of(value);
	else if (text_same(name, "Action"))
		to->action = action_of(value);
	else if (text_same(name, "Status"))
		to->status = status_of(value);
	else if (text_same(name, "Remote-MTA"))
		to->remote = behind_type(value);
	else if (text_same(name, "Diagnostic-Code"))
		to->reply = squeeze(behind_type(value));
}

static void
keep_recipient(struct dsn *r, const struct dsn_recipient *found)
{
	if (found->recipient[0] != '\0' && found->action[0] != '\0' && r->n_recipients < DSN_RECIPIENTS_MAX)
		r->recipient[r->n_recipients++] = *found;
	else
		r->n_broken++;
}

/* Groups of fields with empty lines between: the first of the message, each other of a recipient. */
static void
read_status(struct reading *x, struct range body)
{
	static const struct dsn_recipient none = {"", "", "", "", "", ""};
	char *name, *value;

	x->has_status = true;
	while (body.s < body.end) {
		struct dsn_recipient found = none;
		bool is_recipient = false;

		while (take_field(&body, &name, &value)) {
			read_status_field(x, &found, name, value);
			is_recipient = is_recipient || text_same(name, "Final-Recipient") || text_same(name, "Action");
		}
		if (is_recipient)
			keep_recipient(x->r, &found);
	}
}

/* ---- the returned message */

static void
read_returned(struct reading *x, struct range body)
{
	size_t n_audit = 0, n_message = 0;
	char *name, *value;

	x->has_returned = true;
	while (take_field(&body, &name, &value))
		if (text_same(name, "X-Postern-Id")) {
			x->r->audit_id = n_audit++ == 0 ? value : "";
		} else if (text_same(name, "Message-ID")) {
			x->r->message_id = n_message++ == 0 ? value : "";
		}
}

/* ---- parts */

static bool
is_status_type(const char *type)
{
	return strcmp(type, "message/delivery-status") == 0 || strcmp(type, "message/global-delivery-status") == 0;
}

static bool
is_returned_type(const char *type)
{
	return strcmp(type, "message/rfc822") == 0 || strcmp(type, "text/rfc822-headers") == 0 || strcmp(type, "message/global") == 0 ||
	       strcmp(type, "message/global-headers") == 0;
}

/* The next delimiter line at x->s or below: where it begins, with x->s behind it; x->end where there is none. */
static char *
next_delimiter(struct range *x, const char *boundary, bool *is_last_r)
{
	size_t len = strlen(boundary);

	for (char *s = x->s, *at; s < x->end; s = at + 1) {
		at = memchr(s, '\n', (size_t)(x->end - s));
		if ((size_t)(x->end - s) >= len + 2 && s[0] == '-' && s[1] == '-' && memcmp(s + 2, boundary, len) == 0) {
			*is_last_r = (size_t)(x->end - s) >= len + 4 && s[len + 2] == '-' && s[len + 3] == '-';
			x->s = at == NULL ? x->end : at + 1;
			return s;
		}
		if (at == NULL)
			break;
	}
	*is_last_r = true;
	x->s = x->end;
	return x->end;
}

static void read_multipart(struct reading *x, const struct entity *e, unsigned depth);

static void
read_entity(struct reading *x, struct range part, unsigned depth)
{
	struct entity e;

	if (++x->n_parts > DSN_PARTS_MAX)
		return;
	e = read_part(part);
	if (is_status_type(e.type) && !x->has_status)
		read_status(x, decode(&e));
	else if (is_returned_type(e.type) && !x->has_returned)
		read_returned(x, decode(&e));
	else if (strncmp(e.type, "multipart/", 10) == 0 && depth < DSN_DEPTH_MAX)
		read_multipart(x, &e, depth + 1);
}

static void
read_multipart(struct reading *x, const struct entity *e, unsigned depth)
{
	struct range body = e->body;
	bool is_last;

	if (e->boundary[0] == '\0')
		return;
	(void)next_delimiter(&body, e->boundary, &is_last);
	while (!is_last && x->n_parts <= DSN_PARTS_MAX) {
		struct range part = {body.s, NULL};

		part.end = next_delimiter(&body, e->boundary, &is_last);
		read_entity(x, part, depth);
	}
}

/* ---- the message */

/* Its own header; whether Exchange marks it as a report. */
static bool
read_header(struct dsn *r, struct entity *e, struct range x)
{
	char *name, *value;
	bool is_marked = false;

	while (take_field(&x, &name, &value))
		if (text_same(name, "Content-Type"))
			read_content_type(e, value);
		else if (text_same(name, "Received") && r->received[0] == '\0')
			r->received = squeeze(value);
		else if (text_same(name, "Message-ID"))
			r->id = value;
		else if (text_same(name, "In-Reply-To"))
			r->answers = value;
		else if (text_same(name, "X-MS-Exchange-Message-Is-Ndr"))
			is_marked = true;
	e->body = x;
	return is_marked;
}

static void
judge(struct reading *x)
{
	struct dsn *r = x->r;

	r->kind = DSN_BROKEN;
	if (!x->has_status)
		r->expected = "a part of the type message/delivery-status (RFC 3464)";
	else if (r->n_recipients == 0)
		r->expected = "Final-Recipient (rfc822) and Action of a recipient in message/delivery-status";
	else
		r->kind = DSN_REPORT;
}

void
dsn_read(char *text, size_t len, struct dsn *r_)
{
	struct entity top = {.type = "text/plain"};
	struct reading x = {.r = r_};
	bool is_marked;

	memset(r_, 0, sizeof *r_);
	r_->expected = r_->id = r_->answers = r_->reporter = r_->audit_id = r_->message_id = "";
	r_->received = text + len; /* the empty string there */
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	is_marked = read_header(r_, &top, (struct range){text, text + len});
	if (strcmp(top.type, "multipart/report") == 0 && text_same(top.report_type, "delivery-status")) {
		read_multipart(&x, &top, 1);
		judge(&x);
	} else if (is_marked) {
		r_->kind = DSN_BROKEN;
		r_->expected = "Content-Type: multipart/report; report-type=delivery-status, as Exchange calls it a report";
	}
}

/* A name that the server looked up: not "user@host", which is what the client's ident says. */
static size_t
name_length(const char *s)
{
	size_t n = 0;

	while (text_is_alpha(s[n]) || text_is_digit(s[n]) || s[n] == '.' || s[n] == '-' || s[n] == '_')
		n++;
	return n;
}

/* "from HELO (NAME [ADDRESS]) by ...": a server takes blanks and brackets out of HELO. */
char *
dsn_client(char *received)
{
	char *s = received, *bracket, *end;
	size_t len;

	if (strncmp(s, "from ", 5) != 0)
		return NULL;
	s += 5;
	s += strcspn(s, " \t(");
	while (is_blank(*s))
		s++;
	if (*s != '(')
		return NULL;
	len = name_length(++s);
	bracket = s + len + (len > 0 && s[len] == ' ');
	if (*bracket != '[')
		return NULL;
	end = bracket + 1 + (text_has_prefix(bracket, "[IPv6:") ? 5 : 0);
	end += strspn(end, "0123456789abcdefABCDEF:.");
	if (*end != ']')
		return NULL;
	if (text_has_prefix(end + 1, " (may be forged)"))
		s = bracket; /* Sendmail could not make sure of the name */
	end[1] = '\0';
	if (text_has_prefix(bracket, "[IPv6:"))
		memmove(bracket + 1, bracket + 6, strlen(bracket + 6) + 1);
	if (s != bracket && bracket > s + len)
		memmove(bracket - 1, bracket, strlen(bracket) + 1);
	return s;
}
