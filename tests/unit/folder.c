/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See folder.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/folder.h"

#define NAMES_MAX 40u

static char folder[] = "/tmp/postern-test-XXXXXX";
static char written[NAMES_MAX][80];
static size_t n_written;

/* Remembers what is to be removed, folders before what stands in them. */
static void
remember(const char *name)
{
	for (size_t i = 0; i < n_written; i++)
		if (strcmp(written[i], name) == 0)
			return;
	assert_true(n_written < NAMES_MAX);
	snprintf(written[n_written++], sizeof written[0], "%s", name);
}

int
folder_make(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

int
folder_remove(void **state)
{
	(void)state;
	while (n_written > 0)
		remove(folder_path(written[--n_written]));
	return rmdir(folder);
}

const char *
folder_path(const char *name)
{
	static char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

void
folder_write_octets(const char *name, const char *s, size_t len)
{
	const char *slash = strchr(name, '/');
	char parent[80];
	FILE *f;

	if (slash != NULL) {
		snprintf(parent, sizeof parent, "%.*s", (int)(slash - name), name);
		(void)mkdir(folder_path(parent), 0755);
		remember(parent);
	}
	remember(name);
	f = fopen(folder_path(name), "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(s, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

void
folder_write(const char *name, const char *s)
{
	folder_write_octets(name, s, strlen(s));
}

struct policy *
folder_load(const char *yaml, struct problems **problems_r)
{
	folder_write("p.yaml", yaml);
	return policy_load(folder_path("p.yaml"), problems_r);
}

struct policy *
folder_load_good(const char *yaml, struct problems **problems_r)
{
	struct policy *p = folder_load(yaml, problems_r);

	if (p == NULL)
		problems_print(*problems_r, stderr);
	assert_non_null(p);
	return p;
}

void
folder_expect(const struct problems *problems, bool is_error, const char *file, unsigned line,
	      unsigned column, const char *words)
{
	const struct problem *p;

	assert_true(problems_count(problems) > 0);
	p = problems_at(problems, 0);
	assert_string_equal(p->file, folder_path(file));
	assert_int_equal(p->line, line);
	assert_int_equal(p->column, column);
	assert_int_equal(p->is_error, is_error);
	if (strstr(p->text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", p->text, words);
}
