/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Accepted-domain files: Get-AcceptedDomain (or Get-MgDomain) as PowerShell
 * writes it, CSV or JSON, in UTF-8 or UTF-16; or one domain a line.
 */
#include <string.h>

#include "base/json.h"
#include "policy/domain.h"
#include "policy/file/build.h"

#define FIELDS_MAX 256u
#define ROWS_MAX 100000u

/* What is known of one domain, as text; NULL when the file does not say. */
enum { COLUMN_DOMAIN, COLUMN_TYPE, COLUMN_SUBDOMAINS, COLUMN_DISABLED, COLUMN_PENDING, COLUMN_VERIFIED, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {
	"DomainName", "DomainType", "MatchSubDomains", "SendingFromDomainDisabled", "PendingRemoval", "IsVerified",
};
/* Where the domain stands when there is no DomainName. */
static const char *const other_names[] = {"Id", "Name", "Identity"};
#define OTHER_NAMES (sizeof other_names / sizeof other_names[0])

struct cell {
	const char *text;
	unsigned line, column;
};

struct source {
	struct build *build;
	const char *file;
	const char *at, *end;
	unsigned line;
	const char *line_start;
	char delimiter;
	struct domain_list *list;
};

static void
error_at(struct source *s, const struct cell *c, const char *text)
{
	problems_add(s->build->problems, true, s->file, c->line, c->column, "%s", text);
}

static struct accepted_domain *
new_row(struct source *s)
{
	struct domain_list *l = s->list;
	struct accepted_domain *rows;
	size_t n;

	if (l->n == l->capacity) {
		n = l->capacity == 0 ? 64 : l->capacity * 2;
		rows = n > 2 * ROWS_MAX ? NULL : arena_array(s->build->scratch, n, sizeof *rows);
		if (rows == NULL)
			return NULL;
		if (l->n > 0)
			memcpy(rows, l->rows, l->n * sizeof *rows);
		l->rows = rows;
		l->capacity = n;
	}
	return &l->rows[l->n++];
}

/* True or False in any case; an empty cell is False. */
static bool
read_flag(struct source *s, const struct cell *c, const char *name)
{
	struct build *b = s->build;

	if (c->text == NULL || c->text[0] == '\0' || text_same(c->text, "false"))
		return false;
	if (!text_same(c->text, "true"))
		problems_add(b->problems, true, s->file, c->line, c->column, "\"%s\" is no value of %s; expected True or False",
			     c->text, name);
	return true;
}

static void
check_type(struct source *s, const struct cell *c)
{
	uint64_t number;

	if (c->text == NULL || c->text[0] == '\0' || text_same(c->text, "Authoritative") ||
	    text_same(c->text, "InternalRelay") || text_same(c->text, "ExternalRelay"))
		return;
	if (text_to_u64(c->text, &number) == 0)
		problems_add(s->build->problems, true, s->file, c->line, c->column, "DomainType is the number %s, whose meaning "
			     "is not certain; export it as a word, with Select-Object DomainName,"
			     "@{n='DomainType';e={\"$($_.DomainType)\"}},MatchSubDomains,SendingFromDomainDisabled", c->text);
	else
		problems_add(s->build->problems, true, s->file, c->line, c->column, "\"%s\" is no DomainType; expected "
			     "Authoritative or InternalRelay", c->text);
}

static void
add_row(struct source *s, const struct cell cells[COLUMN_COUNT])
{
	const struct cell *c = &cells[COLUMN_DOMAIN];
	const char *name = c->text, *domain, *error;
	bool wildcard = name != NULL && strncmp(name, "*.", 2) == 0;
	struct build *b = s->build;
	struct accepted_domain *r;
	size_t column = 1;

	if (name == NULL || name[0] == '\0') {
		error_at(s, c, "the domain's name is missing");
		return;
	}
	domain = domain_normalise(b->arena, name + (wildcard ? 2 : 0), strlen(name) - (wildcard ? 2 : 0), &error, &column);
	if (domain == NULL) {
		problems_add(b->problems, true, s->file, c->line, c->column + (wildcard ? 2 : 0) + (unsigned)column - 1,
			     "\"%s\" is no domain: %s", name, error);
		return;
	}
	check_type(s, &cells[COLUMN_TYPE]);
	if (cells[COLUMN_VERIFIED].text != NULL && !read_flag(s, &cells[COLUMN_VERIFIED], column_names[COLUMN_VERIFIED])) {
		problems_add(b->problems, false, s->file, c->line, c->column, "%s is not verified, so it is left out", domain);
		return;
	}
	r = new_row(s);
	if (r == NULL) {
		error_at(s, c, "too many domains");
		return;
	}
	*r = (struct accepted_domain){
		.name = domain, .file = s->file, .line = c->line,
		.subdomains = read_flag(s, &cells[COLUMN_SUBDOMAINS], column_names[COLUMN_SUBDOMAINS]) || wildcard,
		.sending_disabled = read_flag(s, &cells[COLUMN_DISABLED], column_names[COLUMN_DISABLED]),
		.pending_removal = read_flag(s, &cells[COLUMN_PENDING], column_names[COLUMN_PENDING]),
	};
}

/* Lines and cells. */

static void
step_line(struct source *s)
{
	s->line++;
	s->line_start = s->at;
}

/* To the start of the next line; a CR before the LF belongs to the end. */
static void
end_line(struct source *s)
{
	if (s->at < s->end && *s->at == '\r')
		s->at++;
	if (s->at < s->end && *s->at == '\n') {
		s->at++;
		step_line(s);
	}
}

static bool
at_line_end(const struct source *s)
{
	return s->at == s->end || *s->at == '\n' || (*s->at == '\r' && (s->at + 1 == s->end || s->at[1] == '\n'));
}

static void
skip_line(struct source *s)
{
	while (!at_line_end(s))
		s->at++;
	end_line(s);
}

static struct cell
quoted_cell(struct source *s, struct cell c)
{
	struct text t = {0};

	for (s->at++; s->at < s->end; s->at++) {
		if (*s->at == '"' && (s->at + 1 == s->end || s->at[1] != '"'))
			break;
		if (*s->at == '"')
			s->at++;
		text_add_char(&t, *s->at);
		if (*s->at == '\n') {
			s->line++;
			s->line_start = s->at + 1;
		}
	}
	if (s->at == s->end)
		error_at(s, &c, "the quotes that begin here do not end");
	else
		s->at++;
	c.text = arena_string(s->build->scratch, text_string(&t));
	text_free(&t);
	return c;
}

static struct cell
next_cell(struct source *s)
{
	struct cell c = {.line = s->line, .column = (unsigned)(s->at - s->line_start) + 1};
	const char *start = s->at;

	if (s->at < s->end && *s->at == '"') {
		c = quoted_cell(s, c);
		if (!at_line_end(s) && *s->at != s->delimiter)
			error_at(s, &c, "text follows the closing quote; expected a delimiter");
		while (!at_line_end(s) && *s->at != s->delimiter)
			s->at++;
		return c;
	}
	while (!at_line_end(s) && *s->at != s->delimiter)
		s->at++;
	c.text = arena_substring(s->build->scratch, start, (size_t)(s->at - start));
	return c;
}

/* The cells of a line; the rest of them beyond FIELDS_MAX is dropped. */
static size_t
read_cells(struct source *s, struct cell *cells)
{
	size_t n = 0;

	for (;;) {
		struct cell c = next_cell(s);

		if (n < FIELDS_MAX)
			cells[n++] = c;
		if (at_line_end(s))
			break;
		s->at++;
	}
	end_line(s);
	return n;
}

static char
find_delimiter(const struct source *s)
{
	bool in_quotes = false;

	for (const char *p = s->at; p < s->end && (*p != '\n' || in_quotes); p++) {
		if (*p == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && strchr(",;\t", *p) != NULL && *p != '\0')
			return *p;
	}
	return ',';
}

static int
column_of(const struct cell *header, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (text_same(header[i].text, name))
			return (int)i;
	return -1;
}

/* Which cell of the header says what; -1 when none. false without a domain. */
static bool
map_columns(const struct cell *header, size_t n, int map[COLUMN_COUNT])
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		map[i] = column_of(header, n, column_names[i]);
	for (size_t i = 0; i < OTHER_NAMES && map[COLUMN_DOMAIN] < 0; i++)
		map[COLUMN_DOMAIN] = column_of(header, n, other_names[i]);
	return map[COLUMN_DOMAIN] >= 0;
}

static void
read_csv_row(struct source *s, const int map[COLUMN_COUNT], size_t n_header, struct cell *cells)
{
	struct cell row[COLUMN_COUNT] = {{0}};
	size_t n = read_cells(s, cells);

	if (n == 1 && cells[0].text[0] == '\0')
		return;
	if (n != n_header) {
		problems_add(s->build->problems, true, s->file, cells[0].line, cells[0].column,
			     "%zu fields stand here; expected %zu as in the first line", n, n_header);
		return;
	}
	row[COLUMN_DOMAIN].line = cells[0].line;
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (map[i] >= 0)
			row[i] = cells[map[i]];
	add_row(s, row);
}

static void
read_csv(struct source *s)
{
	struct cell *header = arena_array(s->build->scratch, FIELDS_MAX, sizeof *header);
	struct cell *cells = arena_array(s->build->scratch, FIELDS_MAX, sizeof *cells);
	int map[COLUMN_COUNT];
	size_t n;

	if (header == NULL || cells == NULL)
		return;
	s->delimiter = find_delimiter(s);
	n = read_cells(s, header);
	if (!map_columns(header, n, map)) {
		error_at(s, &header[0], "no column is named DomainName; expected the output of Get-AcceptedDomain | Export-Csv");
		return;
	}
	while (s->at < s->end)
		read_csv_row(s, map, n, cells);
}

static void
read_plain(struct source *s)
{
	while (s->at < s->end) {
		struct cell row[COLUMN_COUNT] = {{0}};
		const char *start;
		size_t len;

		while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
			s->at++;
		start = s->at;
		len = 0;
		while (start + len < s->end && strchr(" \t\r\n#", start[len]) == NULL)
			len++;
		row[COLUMN_DOMAIN] = (struct cell){.text = arena_substring(s->build->scratch, start, len),
			.line = s->line, .column = (unsigned)(start - s->line_start) + 1};
		s->at += len;
		while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
			s->at++;
		if (!at_line_end(s) && *s->at != '#')
			error_at(s, &row[COLUMN_DOMAIN], "expected one domain a line");
		else if (len > 0)
			add_row(s, row);
		skip_line(s);
	}
}

/* JSON. */

/* The value of a member as a cell's text; NULL when it is none or null. */
static const char *
member_text(struct source *s, const struct jsonv *object, const char *name)
{
	const struct jsonv *v = jsonv_member(object, name);
	int64_t number;

	if (v == NULL)
		return NULL;
	if (jsonv_boolean(v) >= 0)
		return jsonv_boolean(v) == 1 ? "True" : "False";
	if (jsonv_integer(v, &number))
		return arena_printf(s->build->scratch, "%lld", (long long)number);
	return jsonv_text(v);
}

/* The tree has no places: goes on in the text to where the name stands. */
static void
find_place(struct source *s, const char *name, struct cell *c)
{
	const char *p = name == NULL ? NULL : strstr(s->at, name);

	for (; p != NULL && s->at < p; ) {
		if (*s->at++ == '\n')
			step_line(s);
	}
	c->line = s->line;
	c->column = (unsigned)(s->at - s->line_start) + 1;
}

static void
read_json_object(struct source *s, const struct jsonv *v)
{
	struct cell row[COLUMN_COUNT] = {{0}};

	for (int i = 0; i < COLUMN_COUNT; i++)
		row[i].text = member_text(s, v, column_names[i]);
	for (size_t i = 0; i < OTHER_NAMES && row[COLUMN_DOMAIN].text == NULL; i++)
		row[COLUMN_DOMAIN].text = member_text(s, v, other_names[i]);
	find_place(s, row[COLUMN_DOMAIN].text, &row[COLUMN_DOMAIN]);
	for (int i = 1; i < COLUMN_COUNT; i++) {
		row[i].line = row[COLUMN_DOMAIN].line;
		row[i].column = row[COLUMN_DOMAIN].column;
	}
	if (row[COLUMN_DOMAIN].text == NULL)
		error_at(s, &row[COLUMN_DOMAIN], "a record has no DomainName (and no Id, Name or Identity)");
	else
		add_row(s, row);
}

static void
read_json(struct source *s)
{
	char error[200];
	struct jsonv *root = jsonv_parse(s->at, (size_t)(s->end - s->at), error, sizeof error);
	const struct jsonv *list = root;

	if (root == NULL) {
		unsigned line = s->line, column = 1;
		const char *text = error;

		if (sscanf(error, "%u:%u", &line, &column) == 2 && strstr(error, ": ") != NULL)
			text = strstr(error, ": ") + 2;
		problems_add(s->build->problems, true, s->file, line, column, "no well-formed JSON: %s", text);
		return;
	}
	if (jsonv_is_object(root) && jsonv_member(root, "value") != NULL && jsonv_is_array(jsonv_member(root, "value")))
		list = jsonv_member(root, "value");
	if (jsonv_is_object(list))
		read_json_object(s, list);
	for (size_t i = 0; jsonv_is_array(list) && i < jsonv_count(list); i++) {
		if (jsonv_is_object(jsonv_at(list, i)))
			read_json_object(s, jsonv_at(list, i));
		else
			problems_add(s->build->problems, true, s->file, s->line, 1, "element %zu of the list is no object", i + 1);
	}
	jsonv_free(&root);
}

/* Encodings. */

static void
add_utf8(struct text *t, uint32_t c)
{
	if (c < 0x80) {
		text_add_char(t, (char)c);
	} else if (c < 0x800) {
		text_add_char(t, (char)(0xC0 | c >> 6));
		text_add_char(t, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		text_add_char(t, (char)(0xE0 | c >> 12));
		text_add_char(t, (char)(0x80 | (c >> 6 & 0x3F)));
		text_add_char(t, (char)(0x80 | (c & 0x3F)));
	} else {
		text_add_char(t, (char)(0xF0 | c >> 18));
		text_add_char(t, (char)(0x80 | (c >> 12 & 0x3F)));
		text_add_char(t, (char)(0x80 | (c >> 6 & 0x3F)));
		text_add_char(t, (char)(0x80 | (c & 0x3F)));
	}
}

/* UTF-16 as UTF-8. A lone surrogate, or half a character at the end, becomes
 * octets that are not UTF-8, which are then found. */
static const char *
from_utf16(struct build *b, const char *s, size_t len, bool big, size_t *len_r)
{
	const unsigned char *p = (const unsigned char *)s;
	struct text t = {0};
	const char *r;

	for (size_t i = 2; i + 1 < len; i += 2) {
		uint32_t c = big ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i];
		uint32_t d = 0;

		if (c >= 0xD800 && c < 0xDC00 && i + 3 < len)
			d = big ? (uint32_t)p[i + 2] << 8 | p[i + 3] : (uint32_t)p[i + 3] << 8 | p[i + 2];
		if (d >= 0xDC00 && d < 0xE000) {
			c = 0x10000 + ((c - 0xD800) << 10) + (d - 0xDC00);
			i += 2;
		}
		add_utf8(&t, c);
	}
	if (len % 2 != 0)
		text_add_char(&t, '\xFF');
	*len_r = t.len;
	r = arena_substring(b->scratch, text_string(&t), t.len);
	text_free(&t);
	return r;
}

/* The octets without a byte order mark, in UTF-8. */
static const char *
decode(struct build *b, const char *s, size_t *len)
{
	if (*len >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) {
		*len -= 3;
		return s + 3;
	}
	if (*len >= 2 && (memcmp(s, "\xFF\xFE", 2) == 0 || memcmp(s, "\xFE\xFF", 2) == 0))
		return from_utf16(b, s, *len, (unsigned char)s[0] == 0xFE, len);
	return s;
}

/* Says where the text stops to be UTF-8 without NUL; false then. */
static bool
check_text(struct source *s)
{
	unsigned line = 1, column = 1;
	size_t used;

	for (const char *p = s->at; p < s->end; p += used) {
		int32_t c = text_utf8_next(p, (size_t)(s->end - p), &used);

		if (c <= 0) {
			error_at(s, &(struct cell){.line = line, .column = column},
				 "octets that are not UTF-8; save the file as UTF-8 (Export-Csv -Encoding utf8)");
			return false;
		}
		column++;
		if (c == '\n') {
			line++;
			column = 1;
		}
	}
	return true;
}

/* A heading of columns, not a domain: quotes, a delimiter, or a known name. */
static bool
is_heading(const struct source *s)
{
	size_t n = strcspn(s->at, "\r\n");

	for (size_t i = 0; i < n && s->at[i] != '#'; i++)
		if (strchr("\",;\t", s->at[i]) != NULL)
			return true;
	for (size_t i = 0; i < OTHER_NAMES; i++)
		if (strlen(other_names[i]) == n && text_same_n(s->at, other_names[i], n))
			return true;
	return n == strlen(column_names[0]) && text_same_n(s->at, column_names[0], n);
}

static void
read_source(struct source *s)
{
	const char *first;

	while (s->end - s->at >= 5 && strncmp(s->at, "#TYPE", 5) == 0)
		skip_line(s);
	first = s->at + strspn(s->at, " \t\r\n");
	if (*first == '{' || *first == '[') {
		read_json(s);
		return;
	}
	while (s->at < s->end && at_line_end(s))
		end_line(s);
	if (is_heading(s))
		read_csv(s);
	else
		read_plain(s);
}

void
accepted_read(struct build *b, const struct node *where, struct domain_list *list,
	      struct accepted_source *source_r)
{
	const char *path = build_path(b, where->text), *error = "", *octets;
	struct source s = {.build = b, .file = path, .line = 1, .list = list};
	size_t len = 0, before = list->n, errors = problems_errors(b->problems);

	*source_r = (struct accepted_source){
		.file = path, .policy_file = arena_string(b->arena, where->file), .line = where->line,
		.column = where->column,
	};
	octets = build_read_file(b, path, DOMAINS_FILE_MAX, &len, &source_r->modified, &error);
	if (octets == NULL) {
		node_error(b->problems, where, "%s cannot be read: %s", path, error);
		return;
	}
	s.at = s.line_start = decode(b, octets, &len);
	s.end = s.at + len;
	if (check_text(&s))
		read_source(&s);
	source_r->n_domains = list->n - before;
	if (list->n == before && problems_errors(b->problems) == errors)
		problems_add(b->problems, true, path, 1, 1, "the file holds no domain");
}
