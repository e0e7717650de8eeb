/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern check: all that is wrong with the policy file and the keys it names,
 * in the words the daemon's log uses.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "gate/snapshot.h"
#include "policy/file/file.h"

static int
usage(FILE *to, int status)
{
	fputs("usage: postern check [-c FILE]\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "exit status: 0 good (warnings allowed), 1 errors, 2 wrong command line\n", to);
	return status;
}

/* Says what is wrong with keys at the place that names them; how many cannot
 * be used. */
static size_t
check_keys(const struct snapshot *s)
{
	size_t n = 0, unusable = 0;

	for (size_t i = 0; i < s->policy->n_signing; i++) {
		for (size_t j = 0; j < s->policy->signing[i].n_keys; j++, n++) {
			const struct signing_key *where = &s->policy->signing[i].keys[j];
			const struct key *k = s->key[n];

			unusable += !k->usable;
			if (k->problem != NULL && k->problem[0] != '\0')
				printf("%s:%u:%u: %s: key %s %s\n", where->policy_file, where->line, where->column,
				       k->usable ? "warning" : "error", k->file, k->problem);
		}
	}
	return unusable;
}

static int
check(const char *file)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(file, &problems);
	struct snapshot *s;
	size_t unusable;

	if (problems != NULL)
		problems_print(problems, stdout);
	problems_free(&problems);
	if (p == NULL)
		return 1;
	s = snapshot_new(p);
	if (s == NULL) {
		policy_unref(&p);
		fputs("postern check: out of memory\n", stderr);
		return 1;
	}
	unusable = check_keys(s);
	if (unusable == 0)
		printf("%s: good: %zu apps, %zu tenants, %zu accepted domains, %zu keys\n", file, p->n_apps,
		       p->n_tenants, p->n_index, p->n_keys);
	snapshot_unref(&s);
	return unusable == 0 ? 0 : 1;
}

int
command_check(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	const char *file = COMMAND_POLICY_FILE;
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			file = optarg;
		else
			return c == 'h' ? usage(stdout, 0) : usage(stderr, 2);
	}
	return optind == argc ? check(file) : usage(stderr, 2);
}
