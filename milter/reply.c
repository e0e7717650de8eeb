/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See reply.h.
 */
#include "milter/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libmilter refuses a line of more than 980 octets. */
#define LINE_SIZE 900

/* The text with each % doubled: libmilter takes it for a format. */
static void
double_percent(const char *s, char buf[LINE_SIZE])
{
	size_t n = 0;

	for (; *s != '\0' && n + 2 < LINE_SIZE; s++) {
		if (*s == '%')
			buf[n++] = '%';
		buf[n++] = *s;
	}
	buf[n] = '\0';
}

static sfsistat
refuse(SMFICTX *ctx, const struct reply *r)
{
	char code[12], enhanced[16], text[LINE_SIZE];

	snprintf(code, sizeof code, "%d", r->code);
	snprintf(enhanced, sizeof enhanced, "%s", r->enhanced);
	double_percent(r->text, text);
	/* Where it fails, the MTA's own text stands; the verdict holds. */
	(void)smfi_setreply(ctx, code, enhanced, text);
	return r->code < 500 ? SMFIS_TEMPFAIL : SMFIS_REJECT;
}

sfsistat
reply_give(SMFICTX *ctx, const struct reply *r)
{
	switch (r->action) {
	case ACTION_REFUSE:
		return refuse(ctx, r);
	case ACTION_DISCARD:
		return SMFIS_DISCARD;
	case ACTION_CONTINUE:
	case ACTION_ACCEPT:
	case ACTION_HOLD:
		break;
	}
	return SMFIS_CONTINUE;
}

static int
insert(SMFICTX *ctx, const struct edit *e, bool leading_space)
{
	size_t size = strlen(e->value) + 2;
	char *name = strdup(e->name), *value = malloc(size);
	int r = MI_FAILURE;

	if (name != NULL && value != NULL) {
		snprintf(value, size, "%s%s", leading_space ? " " : "", e->value);
		r = smfi_insheader(ctx, 0, name, value);
	}
	free(name);
	free(value);
	return r;
}

static int
apply(SMFICTX *ctx, const struct edit *e, bool leading_space)
{
	char *name;
	int r;

	if (e->insert)
		return insert(ctx, e, leading_space);
	name = strdup(e->name);
	r = name == NULL ? MI_FAILURE : smfi_chgheader(ctx, name, (int)e->index, NULL);
	free(name);
	return r;
}

sfsistat
reply_finish(SMFICTX *ctx, const struct reply *r, const struct edit *edits, bool leading_space)
{
	char reason[LINE_SIZE];

	if (r->action != ACTION_ACCEPT && r->action != ACTION_HOLD)
		return reply_give(ctx, r);
	for (const struct edit *e = edits; e != NULL; e = e->next)
		if (apply(ctx, e, leading_space) != MI_SUCCESS)
			return SMFIS_TEMPFAIL;
	if (r->action == ACTION_HOLD) {
		snprintf(reason, sizeof reason, "%s", r->text);
		if (smfi_quarantine(ctx, reason) != MI_SUCCESS)
			return SMFIS_TEMPFAIL;
	}
	return SMFIS_CONTINUE;
}
