/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern migrate: makes the tables, or brings them to this version. posternd does
 * so itself where it may; on a database server its role need not be allowed to.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "policy/file/file.h"
#include "sql/store.h"

static int
usage(FILE *to, int status)
{
	fputs("usage: postern migrate [-c FILE] [--database URL]\n"
	      "  -c, --config FILE      the policy file that names the database (default " COMMAND_POLICY_FILE ")\n"
	      "      --database URL     another database, or the same one as the owner of its tables\n"
	      "exit status: 0 done, 1 errors, 2 wrong command line\n", to);
	return status;
}

static int
migrate(const char *url)
{
	char error[600], shown[300];

	store_shown_url(url, shown, sizeof shown);
	if (strncmp(url, "sqlite:", 7) == 0) {
		fprintf(stderr, "postern migrate: %s: posternd makes the tables of an SQLite file itself when it starts\n", shown);
		return 1;
	}
	if (store_migrate(url, error, sizeof error) != 0) {
		fprintf(stderr, "postern migrate: %s: %s\n", shown, error);
		return 1;
	}
	printf("%s: the tables are those of this version\n", shown);
	return 0;
}

/* The database that the policy names. */
static int
migrate_policy(const char *file)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(file, &problems);
	int rc = 1;

	if (p == NULL && problems != NULL)
		problems_print(problems, stderr);
	else if (p == NULL)
		fputs("postern migrate: out of memory\n", stderr);
	else
		rc = migrate(p->database);
	problems_free(&problems);
	policy_unref(&p);
	return rc;
}

int
command_migrate(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"database", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	const char *file = COMMAND_POLICY_FILE, *url = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			file = optarg;
		else if (c == 'd')
			url = optarg;
		else
			return c == 'h' ? usage(stdout, 0) : usage(stderr, 2);
	}
	if (optind != argc)
		return usage(stderr, 2);
	return url != NULL ? migrate(url) : migrate_policy(file);
}
