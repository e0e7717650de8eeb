/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each pattern is compiled twice: quick, as PCRE2 does it best, and careful, with
 * a callout before each item, which asks the budget and knows which start is
 * being tried. All text is searched as PCRE2's multi-segment matching has it
 * (pcre2partial(3)), also text that is at hand as a whole: a slice at a time, so
 * that no call takes long; a match that may be unfinished at the end of a slice
 * gets a wider view, twice as far each time, and the careful code.
 *
 * The number of starts is bounded by the slice, not by an offset limit, since the
 * look ahead must be bounded too: PCRE2 counts one step for a run over any
 * number of octets.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/regex-private.h"

#define QUICK_STEPS 250u
#define QUICK_PATHS 256u        /* ways through the groups that JIT may try uncounted */
#define DEPTH_LIMIT 100000u
#define HEAP_LIMIT_KIB 8192u
#define STACK_FIRST (32u * 1024)
#define STACK_LIMIT (4u * 1024 * 1024)
#define OCTETS_PER_ASK (16u * 1024 * 1024)  /* were each item to run to the end of the view */

const struct regex_how regex_how_default = {
	.steps = 1000000, .slice = 1024, .capacity = 16u * 1024, .capacity_max = 512u * 1024,
};

struct regex {
	pcre2_code *quick;
	pcre2_code *careful;
	size_t keep;            /* characters it may look back */
	bool is_monotone;
	bool has_jit;
	struct regex_how how;
};

struct regex_search {
	const struct regex *regex;
	struct regex_budget budget;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	size_t start;           /* of the match being tried, told by callouts */
	size_t last_start;      /* none beyond this is tried by careful code */
	size_t items_left;      /* until the budget is asked */
	size_t items_per_ask;
	bool is_spent;
};

static bool
set_flags(const char *flags, uint32_t *options_r, size_t *bad_r)
{
	static const struct {
		char flag;
		uint32_t option;
	} rows[] = {
		{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
		{ 's', PCRE2_DOTALL }, { 'x', PCRE2_EXTENDED },
	};

	for (*bad_r = 0; flags[*bad_r] != '\0'; ++*bad_r) {
		uint32_t option = 0;

		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
			if (rows[i].flag == flags[*bad_r])
				option = rows[i].option;
		if (option == 0 || (*options_r & option) != 0)
			return false;
		*options_r |= option;
	}
	return true;
}

/* One compiled form; NULL with PCRE2's error and offset. */
static pcre2_code *
compile(const char *pattern, uint32_t options, bool no_jit, int *error_r, size_t *offset_r)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*error_r = PCRE2_ERROR_NOMEMORY;
	*offset_r = 0;
	if (context == NULL)
		return NULL;
	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
			     options | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
			     error_r, offset_r, context);
	pcre2_compile_context_free(context);
	/* Where there is no JIT, or no memory that may be executed, the interpreter does it. */
	if (code != NULL && !no_jit)
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
	return code;
}

/* Lookbehinds can stand in lookbehinds; PCRE2 tells the reach of one. */
static bool
set_keep(struct regex *r, const struct regex_facts *facts)
{
	uint32_t reach = 0;
	size_t jit_size = 0;

	(void)pcre2_pattern_info(r->quick, PCRE2_INFO_MAXLOOKBEHIND, &reach);
	(void)pcre2_pattern_info(r->careful, PCRE2_INFO_JITSIZE, &jit_size);
	r->has_jit = jit_size != 0;
	r->is_monotone = facts->is_monotone;
	r->keep = ((size_t)reach + 1) * (facts->lookbehinds + 1);
	/* Characters of 4 octets: an eighth of a scan's buffer. */
	return r->keep <= r->how.capacity_max / 32;
}

static bool
is_shortage(int error)
{
	return error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED;
}

static bool
compile_both(struct regex *r, const char *pattern, uint32_t options, uint64_t paths, int *error_r,
	     size_t *offset_r)
{
	bool may_explode = paths > QUICK_PATHS || (options & PCRE2_EXTENDED) != 0;

	r->quick = compile(pattern, options, r->how.no_jit || may_explode, error_r, offset_r);
	if (r->quick == NULL)
		return false;
	r->careful = compile(pattern, options | PCRE2_AUTO_CALLOUT, r->how.no_jit, error_r, offset_r);
	return r->careful != NULL;
}

struct regex *
regex_compile(const char *pattern, const char *flags, const struct regex_how *how,
	      size_t *column_r, char *error_r, size_t error_size)
{
	struct regex *r = calloc(1, sizeof *r);
	uint32_t options = 0;
	struct regex_facts facts;
	const char *error = "out of memory";
	size_t offset = 0;
	int code = 0;

	*column_r = 0;
	if (r == NULL)
		goto fail;
	r->how = *how;
	if (!set_flags(flags, &options, &offset)) {
		*column_r = strlen(pattern) + 2 + offset;
		error = "a flag that is unknown or given twice; the flags are i, m, s and x";
	} else if (regex_look(pattern, &facts, &offset, &error) != 0) {
		*column_r = offset + 1;
	} else if (!compile_both(r, pattern, options, facts.paths, &code, &offset)) {
		*column_r = is_shortage(code) ? 0 : offset + 1;
		error = NULL;
	} else if (!set_keep(r, &facts)) {
		*column_r = facts.lookbehind_at + 1;
		error = "lookbehinds that reach too far";
	} else {
		r->is_monotone = r->is_monotone && (options & PCRE2_EXTENDED) == 0;
		return r;
	}
fail:
	if (error != NULL)
		snprintf(error_r, error_size, "%s", error);
	else
		(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)error_r, error_size);
	regex_free(&r);
	return NULL;
}

struct regex *
regex_new(const char *pattern, const char *flags, size_t *column_r, char *error_r, size_t error_size)
{
	return regex_compile(pattern, flags, &regex_how_default, column_r, error_r, error_size);
}

void
regex_free(struct regex **r)
{
	if (*r == NULL)
		return;
	pcre2_code_free((*r)->quick);
	pcre2_code_free((*r)->careful);
	free(*r);
	*r = NULL;
}

const struct regex_how *
regex_how(const struct regex *r)
{
	return &r->how;
}

bool
regex_is_monotone(const struct regex *r)
{
	return r->is_monotone;
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t
regex_keep_from(const struct regex *r, const char *text, size_t at)
{
	for (size_t n = r->keep; n > 0 && at > 0; n--)
		do
			at--;
		while (at > 0 && is_continuation(text[at]));
	return at;
}

size_t
regex_next(const char *text, size_t len, size_t at)
{
	bool is_cr = text[at] == '\r';

	do
		at++;
	while (at < len && (is_continuation(text[at]) || (is_cr && text[at] == '\n')));
	return at;
}

static bool
ask(struct regex_search *x)
{
	x->is_spent = x->is_spent || x->budget.spent_us(x->budget.context) >= x->budget.limit_us;
	return x->is_spent;
}

static int
on_item(pcre2_callout_block *block, void *context)
{
	struct regex_search *x = context;

	x->start = block->start_match;
	if (x->start > x->last_start)
		return PCRE2_ERROR_NOMATCH;
	if (x->items_left-- > 0)
		return 0;
	x->items_left = x->items_per_ask;
	return ask(x) ? PCRE2_ERROR_CALLOUT : 0;
}

struct regex_search *
regex_search_new(const struct regex *r, const struct regex_budget *b)
{
	struct regex_search *x = calloc(1, sizeof *x);

	if (x == NULL)
		return NULL;
	x->regex = r;
	x->budget = *b;
	x->last_start = SIZE_MAX;
	x->data = pcre2_match_data_create(1, NULL);
	x->context = pcre2_match_context_create(NULL);
	if (x->data == NULL || x->context == NULL) {
		regex_search_free(&x);
		return NULL;
	}
	pcre2_set_depth_limit(x->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(x->context, HEAP_LIMIT_KIB);
	pcre2_set_callout(x->context, on_item, x);
	return x;
}

void
regex_search_free(struct regex_search **x)
{
	if (*x == NULL)
		return;
	pcre2_match_data_free((*x)->data);
	pcre2_match_context_free((*x)->context);
	pcre2_jit_stack_free((*x)->stack);
	free(*x);
	*x = NULL;
}

/* The machine's own stack gives quick code 32 KiB; careful code has one of its own. */
static void
give_stack(struct regex_search *x)
{
	if (x->stack != NULL || !x->regex->has_jit)
		return;
	x->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_LIMIT, NULL);
	pcre2_jit_stack_assign(x->context, NULL, x->stack);
}

/* One call of PCRE2: its result. */
static int
attempt(struct regex_search *x, const char *text, size_t len, size_t at, uint32_t options, bool careful)
{
	careful = careful || x->regex->how.always_careful;
	if (careful)
		give_stack(x);
	pcre2_set_match_limit(x->context, careful ? x->regex->how.steps : QUICK_STEPS);
	x->start = at;
	x->items_left = x->items_per_ask = OCTETS_PER_ASK / (len - at + 1024);
	return pcre2_match(careful ? x->regex->careful : x->regex->quick, (PCRE2_SPTR)text, len, at,
			   options | PCRE2_NO_UTF_CHECK, x->data, x->context);
}

/* Where a view that begins at `at` ends: not within a character or a CRLF. */
static size_t
view_end(const char *text, size_t len, size_t at, size_t view)
{
	size_t to = len - at > view ? at + view : len;

	while (to < len && is_continuation(text[to]))
		to--;
	return to < len && text[to] == '\n' && text[to - 1] == '\r' ? to - 1 : to;
}

int
regex_search_run(struct regex_search *x, const char *text, size_t len, bool is_end,
		 size_t *at_r, bool *missed_r)
{
	size_t slice = x->regex->how.slice, view = slice;
	/* A CR waits for what follows it. */
	size_t end = !is_end && len > 0 && text[len - 1] == '\r' ? len - 1 : len;
	bool careful = false, is_last = false;

	while (!is_last && (*at_r < end || (is_end && *at_r == end))) {
		size_t to = view_end(text, end, *at_r, view);
		int rc;

		if (ask(x))
			return -1;
		is_last = to == end;
		rc = attempt(x, text, to, *at_r, is_last && is_end ? 0 : PCRE2_PARTIAL_HARD, careful);
		if (rc >= 0)
			return 1;
		if (x->is_spent || rc == PCRE2_ERROR_NOMEMORY)
			return -1;
		if (rc == PCRE2_ERROR_NOMATCH) {
			*at_r = to;
			view = slice;
		} else if (rc == PCRE2_ERROR_PARTIAL) {
			*at_r = pcre2_get_ovector_pointer(x->data)[0];
			view = 2 * (to - *at_r) > slice ? 2 * (to - *at_r) : slice;
		} else if (!careful) {
			careful = true;
			is_last = false;
			continue;
		} else {
			*missed_r = true;
			*at_r = x->start < end ? regex_next(text, end, x->start) : end + 1;
			is_last = *at_r > end;
			view = slice;
		}
		careful = view > slice;
	}
	return 0;
}

int
regex_search_here(struct regex_search *x, const char *text, size_t len, size_t at)
{
	int rc;

	x->last_start = at;
	rc = attempt(x, text, len, at, 0, true);
	x->last_start = SIZE_MAX;
	if (x->is_spent || rc == PCRE2_ERROR_NOMEMORY)
		return -1;
	return rc >= 0 && pcre2_get_ovector_pointer(x->data)[1] < len;
}

/* The text as UTF-8: itself or, in *copy_r, a copy; NULL when memory is short. */
static const char *
as_utf8(const char *s, size_t *len, char **copy_r)
{
	size_t used;

	*copy_r = NULL;
	if (*len == 0)
		return "";
	if (regex_is_clean(s, *len))
		return s;
	if (*len > (SIZE_MAX - 4) / 3)
		return NULL;
	*copy_r = malloc(3 * *len + 4);
	if (*copy_r != NULL)
		*len = regex_clean(s, *len, true, *copy_r, 3 * *len + 4, &used);
	return *copy_r;
}

enum found
regex_match(const struct regex *r, const char *s, size_t len, const struct regex_budget *b)
{
	char *copy;
	const char *text = as_utf8(s, &len, &copy);
	struct regex_search *x = text != NULL ? regex_search_new(r, b) : NULL;
	size_t at = 0;
	bool missed = false;
	int rc = x != NULL ? regex_search_run(x, text, len, true, &at, &missed) : -1;

	regex_search_free(&x);
	free(copy);
	if (rc == 0 && !missed)
		return FOUND_NO;
	return rc > 0 ? FOUND_YES : FOUND_UNKNOWN;
}
