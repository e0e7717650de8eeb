/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tables of options as a JSON Schema (draft 2020-12), for editors.
 */
#include <string.h>

#include "base/json.h"
#include "policy/file/schema.h"

static void write_block(struct jsonv *to, const struct block *b);

static void
write_words(struct jsonv *to, const struct option *o)
{
	struct jsonv *list = jsonv_set_array(to, "enum");

	for (size_t i = 0; o->words[i] != NULL; i++)
		jsonv_add_text(list, o->words[i]);
}

static void
write_list(struct jsonv *to)
{
	struct jsonv *either = jsonv_set_array(to, "anyOf");
	struct jsonv *list;

	jsonv_set_text(jsonv_add_object(either), "type", "string");
	list = jsonv_add_object(either);
	jsonv_set_text(list, "type", "array");
	jsonv_set_text(jsonv_set_object(list, "items"), "type", "string");
}

static void
write_blocks(struct jsonv *to, const struct block *b)
{
	jsonv_set_text(to, "type", "array");
	write_block(jsonv_set_object(to, "items"), b);
}

static void
write_signing(struct jsonv *to, const struct block *b)
{
	struct jsonv *either;

	jsonv_set_text(to, "type", "object");
	either = jsonv_set_array(jsonv_set_object(to, "additionalProperties"), "anyOf");
	write_blocks(jsonv_add_object(either), b->options[SIGNING_KEYS].block);
	write_block(jsonv_add_object(either), b);
}

/* Numbers and yes or no: YAML readers of editors give them their own types. */
static void
write_either(struct jsonv *to, const char *type, const char *pattern)
{
	struct jsonv *either = jsonv_set_array(to, "anyOf"), *text;

	if (type != NULL)
		jsonv_set_text(jsonv_add_object(either), "type", type);
	text = jsonv_add_object(either);
	jsonv_set_text(text, "type", "string");
	jsonv_set_text(text, "pattern", pattern);
}

static void
write_option(struct jsonv *to, const struct option *o)
{
	jsonv_set_text(to, "description", o->help);
	if (o->standard != NULL)
		jsonv_set_text(to, "default", o->standard);
	switch (o->type) {
	case OPTION_TEXT:
		jsonv_set_text(to, "type", "string");
		if (o->pattern != NULL)
			jsonv_set_text(to, "pattern", o->pattern);
		break;
	case OPTION_WORD:
		write_words(to, o);
		break;
	case OPTION_YES_NO:
		write_either(to, "boolean", "^([Yy]es|[Nn]o|[Tt]rue|[Ff]alse|[Oo]n|[Oo]ff)$");
		break;
	case OPTION_NUMBER:
		jsonv_set_text(to, "type", "integer");
		jsonv_set_integer(to, "minimum", (int64_t)o->min);
		jsonv_set_integer(to, "maximum", (int64_t)o->max);
		break;
	case OPTION_SIZE:
		write_either(to, "integer", "^[0-9]+ *[KkMmGg]?$");
		break;
	case OPTION_DURATION:
		write_either(to, NULL, "^[0-9]+ *(second|minute|hour|day|week)s?$");
		break;
	case OPTION_PERCENT:
		write_either(to, NULL, "^[0-9]+ *%$");
		break;
	case OPTION_SHARE:
		write_either(to, "integer", "^[0-9]+ *%?$");
		break;
	case OPTION_DATE:
		jsonv_set_text(to, "type", "string");
		jsonv_set_text(to, "pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
		break;
	case OPTION_LIST:
		write_list(to);
		break;
	case OPTION_BLOCK:
		write_block(to, o->block);
		break;
	case OPTION_BLOCKS:
		write_blocks(to, o->block);
		break;
	case OPTION_NAMED:
		jsonv_set_text(to, "type", "object");
		write_block(jsonv_set_object(to, "additionalProperties"), o->block);
		break;
	case OPTION_SIGNING:
		write_signing(to, o->block);
		break;
	case OPTION_FIELDS:
		jsonv_set_text(to, "type", "object");
		write_list(jsonv_set_object(to, "additionalProperties"));
		break;
	}
}

static void
write_block(struct jsonv *to, const struct block *b)
{
	struct jsonv *members, *required;

	jsonv_set_text(to, "type", "object");
	jsonv_set_boolean(to, "additionalProperties", false);
	required = jsonv_set_array(to, "required");
	members = jsonv_set_object(to, "properties");
	for (size_t i = 0; i < b->n; i++) {
		const struct option *o = &b->options[i];

		/* An included file has only some of the top level. */
		if (o->is_required && b != &schema_top)
			jsonv_add_text(required, o->name);
		write_option(jsonv_set_object(members, o->name), o);
	}
}

int
schema_json(struct text *t)
{
	struct jsonv *root = jsonv_new_object();
	int r;

	if (root == NULL)
		return -1;
	jsonv_set_text(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jsonv_set_text(root, "title", "Postern policy file");
	write_block(root, &schema_top);
	r = jsonv_write(root, true, t);
	jsonv_free(&root);
	return r;
}
