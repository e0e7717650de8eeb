/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See learn_yaml.h.
 */
#include "config.h"

#include "admin/learn_yaml.h"

#include <string.h>

#include "base/printable.h"

/* Words that other readers of YAML take for something else than text. */
static bool
is_special(const char *s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_same(words[i], s))
			return true;
	return false;
}

/* Letters, digits and what joins them; a letter somewhere (but e, as in 1e3), or an
 * address or prefix in dots. */
static bool
is_bare(const char *s)
{
	bool has_letter = false, ends_well = true;
	unsigned dots = 0;

	if (!text_is_alpha(s[0]) && !text_is_digit(s[0]) && s[0] != '/')
		return false;
	for (const char *p = s; *p != '\0'; p++) {
		bool joins = strchr("._-@/", *p) != NULL;

		if (*p == ' ' || *p == ':') /* within limits, sizes, unix:/path */
			joins = p[1] != '\0' && p[1] != ' ' && p[1] != '#';
		if (!text_is_alpha(*p) && !text_is_digit(*p) && !joins)
			return false;
		has_letter = has_letter || (text_is_alpha(*p) && text_lower_char(*p) != 'e');
		dots += *p == '.';
		ends_well = *p != ':' && *p != ' ';
	}
	return ends_well && (has_letter || dots == 3) && !is_special(s) && !text_has_prefix(s, "0x");
}

void
learn_yaml_value(struct text *t, const char *s)
{
	size_t len = strlen(s), used;

	if (is_bare(s)) {
		text_add(t, s);
		return;
	}
	text_add_char(t, '"');
	while (len > 0) {
		int32_t c = text_utf8_next(s, len, &used);

		if (c == '"' || c == '\\')
			text_printf(t, "\\%c", (char)c);
		else if (c >= 0x20 && c < 0x7f)
			text_add_char(t, (char)c);
		else if (c >= 0 && c <= 0xff)
			text_printf(t, "\\x%02X", (unsigned)c);
		else if (c >= 0 && c <= 0xffff)
			text_printf(t, "\\u%04X", (unsigned)c);
		else if (c >= 0)
			text_printf(t, "\\U%08X", (unsigned)c);
		else
			text_add(t, "\\uFFFD");
		s += used;
		len -= used;
	}
	text_add_char(t, '"');
}

bool
learn_yaml_can(const char *s)
{
	return text_is_utf8(s, strlen(s));
}

void
learn_yaml_said(struct text *t, const char *s, size_t max)
{
	printable_add(t, s, strlen(s), max);
}

void
learn_yaml_comment_out(struct text *t, const char *lines, const char *indent)
{
	while (*lines != '\0') {
		size_t n = strcspn(lines, "\n");

		text_printf(t, "%s# ", indent);
		text_add_octets(t, lines, n);
		text_add_char(t, '\n');
		lines += n + (lines[n] == '\n');
	}
}
