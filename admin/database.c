/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See database.h.
 */
#include "config.h"

#include "admin/database.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/file/file.h"

static int
become_owner(const char *path, char *error_r, size_t error_size)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) != 0 || st.st_uid == 0)
		return 0;
	if (setgroups(1, &st.st_gid) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
		return 0;
	snprintf(error_r, error_size, "%s: cannot become its owner: %s", path, strerror(errno));
	return -1;
}

int
database_become_owner(const struct policy *p, char *error_r, size_t error_size)
{
	static const char sqlite[] = "sqlite:";

	if (strncmp(p->database, sqlite, strlen(sqlite)) != 0)
		return 0;
	return become_owner(p->database + strlen(sqlite), error_r, error_size);
}

struct store_reader *
database_open(const struct policy *p, char *error_r, size_t error_size)
{
	if (database_become_owner(p, error_r, error_size) != 0)
		return NULL;
	return store_reader_open(p->database, error_r, error_size);
}

static struct policy *
load(const char *policy_file)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(policy_file, &problems);

	if (p == NULL)
		problems_print(problems, stderr);
	problems_free(&problems);
	return p;
}

struct store_reader *
database_reader(const char *command, const char *policy_file, const char *url)
{
	const struct policy given = {.database = url};
	struct policy *p = url == NULL ? load(policy_file) : NULL;
	struct store_reader *r = NULL;
	char error[512];

	if (p == NULL && url == NULL)
		return NULL;
	r = database_open(p == NULL ? &given : p, error, sizeof error);
	if (r == NULL)
		fprintf(stderr, "postern %s: %s\n", command, error);
	policy_unref(&p);
	return r;
}
