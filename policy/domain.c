/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See domain.h.
 */
#include "policy/domain.h"

#include <idn2.h>
#include <libpsl.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define LABEL_MAX 63u
#define DOMAIN_MAX 253u

static const char *
refuse(const char *what, size_t column, const char **error_r, size_t *column_r)
{
	*error_r = what;
	*column_r = column;
	return NULL;
}

/* One label of letters, digits and inner hyphens. */
static bool
is_ldh(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!text_is_alpha(s[i]) && !text_is_digit(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* UTF-8 to A-labels by IDNA 2008 as it stands: no mapping, so what a mapping
 * would have turned into another name is an error. */
static const char *
convert(struct arena *a, const char *s, size_t len, const char **error_r, size_t *column_r)
{
	char *out = NULL;
	const char *copy = arena_substring(a, s, len), *r;

	if (!text_is_utf8(s, len) ||
	    idn2_lookup_u8((const uint8_t *)copy, (uint8_t **)&out, IDN2_NO_TR46 | IDN2_NFC_INPUT) != IDN2_OK)
		return refuse("a domain that is no valid internationalised name", 1, error_r, column_r);
	r = arena_lower(a, out, strlen(out));
	idn2_free(out);
	return r;
}

/* An A-label must stand for a label that would become it again. */
static bool
is_valid_a_label(const char *s, size_t len)
{
	char label[LABEL_MAX + 1], *out = NULL;
	bool ok;

	memcpy(label, s, len);
	label[len] = '\0';
	ok = idn2_lookup_u8((const uint8_t *)label, (uint8_t **)&out, IDN2_NO_TR46) == IDN2_OK &&
	     text_same(out, label);
	if (out != NULL)
		idn2_free(out);
	return ok;
}

static const char *
check_labels(const char *domain, const char **error_r, size_t *column_r)
{
	size_t start = 0;
	bool all_digits = true;

	for (;;) {
		size_t len = strcspn(domain + start, ".");

		if (!is_ldh(domain + start, len))
			return refuse("a domain label that is not letters, digits and hyphens", start + 1,
				      error_r, column_r);
		if (len > 4 && strncmp(domain + start, "xn--", 4) == 0 && !is_valid_a_label(domain + start, len))
			return refuse("an A-label that stands for no valid label", start + 1, error_r, column_r);
		all_digits = strspn(domain + start, "0123456789") == len;
		if (domain[start + len] == '\0')
			break;
		start += len + 1;
	}
	if (all_digits)
		return refuse("a domain that ends in a number", start + 1, error_r, column_r);
	return domain;
}

const char *
domain_normalise(struct arena *a, const char *s, size_t len, const char **error_r, size_t *column_r)
{
	const char *domain;
	bool is_ascii = true;

	if (len == 0)
		return refuse("no domain", 1, error_r, column_r);
	if (s[len - 1] == '.')
		return refuse("a domain with a final dot", len, error_r, column_r);
	for (size_t i = 0; i < len; i++) {
		is_ascii = is_ascii && (unsigned char)s[i] < 0x80;
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return refuse("white space or a control octet in the domain", i + 1, error_r, column_r);
	}
	domain = is_ascii ? arena_lower(a, s, len) : convert(a, s, len, error_r, column_r);
	if (domain == NULL)
		return NULL;
	if (strlen(domain) > DOMAIN_MAX)
		return refuse("a domain of more than 253 octets", DOMAIN_MAX, error_r, column_r);
	return check_labels(domain, error_r, column_r);
}

bool
domain_is_below(const char *domain, const char *parent)
{
	size_t n = strlen(domain), m = strlen(parent);

	return n > m + 1 && domain[n - m - 1] == '.' && strcmp(domain + n - m, parent) == 0;
}

bool
domain_is_public_suffix(const char *domain)
{
	const psl_ctx_t *list = psl_builtin();

	return list != NULL && psl_is_public_suffix2(list, domain, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) == 1;
}

const char *
domain_organisational(const char *domain)
{
	const psl_ctx_t *list = psl_builtin();
	const char *r = list == NULL ? NULL : psl_registrable_domain(list, domain);

	return r == NULL ? domain : r;
}
