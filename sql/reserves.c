/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See reserves.h.
 */
#include "sql/reserves.h"

#include <string.h>

#include "base/json.h"

void
reserves_write(const struct charge *c, struct text *t)
{
	struct jsonv *list = c->n_reserves == 0 ? NULL : jsonv_new_array();

	for (size_t i = 0; list != NULL && i < c->n_reserves; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "key", c->reserves[i].key);
		jsonv_set_text(o, "name", c->reserves[i].name);
		jsonv_set_integer(o, "amount", (int64_t)c->reserves[i].amount);
	}
	if (c->n_reserves > 0 && (list == NULL || jsonv_write(list, false, t) != 0))
		t->failed = true;
	jsonv_free(&list);
}

static const char *
text_of(struct arena *a, const struct jsonv *o, const char *name)
{
	const char *s = jsonv_text(jsonv_member(o, name));

	return arena_string(a, s == NULL ? "" : s);
}

void
reserves_read(struct arena *a, const char *text, struct charge *c)
{
	char error[200];
	struct jsonv *list = text[0] == '\0' ? NULL : jsonv_parse(text, strlen(text), error, sizeof error);
	size_t n = list != NULL && jsonv_is_array(list) ? jsonv_count(list) : 0;

	c->reserves = n == 0 ? NULL : arena_array(a, n, sizeof *c->reserves);
	for (size_t i = 0; c->reserves != NULL && i < n; i++) {
		const struct jsonv *o = jsonv_at(list, i);
		int64_t amount = 0;

		(void)jsonv_integer(jsonv_member(o, "amount"), &amount);
		c->reserves[i] = (struct charge_reserve){
			.key = text_of(a, o, "key"), .name = text_of(a, o, "name"), .amount = (uint64_t)amount,
		};
		c->n_reserves = i + 1;
	}
	jsonv_free(&list);
}
