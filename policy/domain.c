/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Label by label: ASCII labels are checked here, labels with octets above
 * ASCII and A-labels by the registration rules of IDNA 2008, which map nothing.
 */
#include "policy/domain.h"

#include <idn2.h>
#include <libpsl.h>
#include <string.h>

#include "base/text.h"

#define LABEL_MAX 63u
#define NAME_MAX_OCTETS 253u

/* What is read and what is made so far. */
struct reader {
	char name[NAME_MAX_OCTETS + 1];
	size_t len;
	const char *error;
	size_t column;
};

static bool
fail(struct reader *r, size_t column, const char *error)
{
	r->error = error;
	r->column = column;
	return false;
}

static bool
add_label(struct reader *r, const char *label, size_t len, size_t column)
{
	if (len > LABEL_MAX)
		return fail(r, column, "a label of more than 63 octets");
	if (r->len + (r->len > 0) + len > NAME_MAX_OCTETS)
		return fail(r, column, "a domain of more than 253 octets");
	if (r->len > 0)
		r->name[r->len++] = '.';
	memcpy(r->name + r->len, label, len);
	r->len += len;
	return true;
}

/* A label that needs IDNA: UTF-8, or an A-label. `label` is in ASCII lower
 * case and ends in NUL. */
static bool
add_idna_label(struct reader *r, const char *label, bool is_alabel, size_t column)
{
	uint8_t *made = NULL;
	const uint8_t *in = (const uint8_t *)label;
	int rc = is_alabel ? idn2_register_u8(NULL, in, &made, 0)
			   : idn2_register_u8(in, NULL, &made, 0);
	bool ok;

	if (rc != IDN2_OK || made == NULL)
		return fail(r, column, is_alabel ? "an A-label that stands for no valid label"
						 : "a label that IDNA 2008 does not allow");
	if (is_alabel && strcmp((const char *)made, label) != 0)
		ok = fail(r, column, "an A-label that is not written the one way it can be");
	else
		ok = add_label(r, (const char *)made, strlen((const char *)made), column);
	idn2_free(made);
	return ok;
}

static bool
is_ldh(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || c == '-';
}

/* Checks the octets; *is_ascii_r says whether all are ASCII. */
static bool
check_octets(struct reader *r, const char *s, size_t len, size_t column, bool *is_ascii_r)
{
	*is_ascii_r = true;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] >= 0x80)
			*is_ascii_r = false;
		else if (!is_ldh(s[i]))
			return fail(r, column + i, "an octet that no domain has");
	}
	if (s[0] == '-')
		return fail(r, column, "a hyphen at the start of a label");
	if (s[len - 1] == '-')
		return fail(r, column + len - 1, "a hyphen at the end of a label");
	return true;
}

static bool
read_label(struct reader *r, const char *s, size_t len, size_t column)
{
	char label[4 * LABEL_MAX + 1];
	bool is_ascii;

	if (len == 0)
		return fail(r, column, "an empty label");
	if (len > sizeof label - 1)
		return fail(r, column, "a label of more than 63 octets");
	if (!check_octets(r, s, len, column, &is_ascii))
		return false;
	for (size_t i = 0; i < len; i++)
		label[i] = text_lower_char(s[i]);
	label[len] = '\0';
	if (!is_ascii && !text_is_utf8(label, len))
		return fail(r, column, "octets that are not UTF-8");
	if (!is_ascii)
		return add_idna_label(r, label, false, column);
	if (len > LABEL_MAX)
		return fail(r, column, "a label of more than 63 octets");
	if (strncmp(label, "xn--", 4) == 0)
		return add_idna_label(r, label, true, column);
	return add_label(r, label, len, column);
}

/* A last label of digits only is an IPv4 address that lost its brackets. */
static bool
ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;

	return last[strspn(last, "0123456789")] == '\0';
}

static bool
read_name(struct reader *r, const char *s, size_t len)
{
	size_t at = 0, last = 0;

	for (;;) {
		const char *dot = at < len ? memchr(s + at, '.', len - at) : NULL;
		size_t label_len = dot != NULL ? (size_t)(dot - s) - at : len - at;

		if (!read_label(r, s + at, label_len, at + 1))
			return false;
		last = at;
		if (dot == NULL)
			break;
		at += label_len + 1;
	}
	r->name[r->len] = '\0';
	if (ends_in_number(r->name))
		return fail(r, last + 1, "a number in place of the top-level domain");
	return true;
}

const char *
domain_normalise(struct arena *a, const char *s, size_t len, const char **error_r,
		 size_t *column_r)
{
	struct reader r = { .len = 0 };

	if (!read_name(&r, s, len)) {
		*error_r = r.error;
		*column_r = r.column;
		return NULL;
	}
	return arena_substring(a, r.name, r.len);
}

bool
domain_is_below(const char *domain, const char *parent)
{
	size_t len = strlen(domain), parent_len = strlen(parent);

	return parent_len > 0 && len > parent_len + 1 && domain[len - parent_len - 1] == '.' &&
	       strcmp(domain + len - parent_len, parent) == 0;
}

bool
domain_is_public_suffix(const char *domain)
{
	const psl_ctx_t *list = psl_builtin();

	if (list == NULL)
		return strchr(domain, '.') == NULL;
	return psl_is_public_suffix(list, domain) != 0;
}

const char *
domain_organisational(const char *domain)
{
	const psl_ctx_t *list = psl_builtin();
	const char *found = list != NULL ? psl_registrable_domain(list, domain) : NULL;

	return found != NULL ? found : domain;
}
