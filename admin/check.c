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
#include "base/clock.h"
#include "gate/snapshot.h"

static int
usage(FILE *to, int status)
{
	fputs("usage: postern check [-c FILE]\n"
	      "  -c, --config FILE  the policy file (default " COMMAND_POLICY_FILE ")\n"
	      "exit status: 0 good (warnings allowed), 1 errors, 2 wrong command line\n", to);
	return status;
}

static void
print_lists(const struct policy *p, int64_t now_ms)
{
	for (size_t i = 0; i < p->n_tenants; i++) {
		for (size_t j = 0; j < p->tenants[i].n_sources; j++) {
			const struct accepted_source *a = &p->tenants[i].sources[j];
			int64_t days = snapshot_age_days(a, now_ms);

			printf("%s: %zu accepted domains of %s, %lld day%s old\n", a->file, a->n_domains,
			       p->tenants[i].name, (long long)days, days == 1 ? "" : "s");
		}
	}
}

static int
check(const char *file)
{
	const struct clock *clock = clock_system();
	int64_t now_ms = clock->wall_ms(clock->context);
	struct problems *problems = NULL;
	struct snapshot *s = snapshot_load(file, NULL, now_ms, &problems);
	bool good = s != NULL && problems_errors(problems) == 0;

	if (problems == NULL)
		fputs("postern check: out of memory\n", stderr);
	else
		problems_print(problems, stdout);
	if (s != NULL)
		print_lists(s->policy, now_ms);
	if (good)
		printf("%s: good: %zu apps, %zu tenants, %zu accepted domains, %zu keys\n", file, s->policy->n_apps,
		       s->policy->n_tenants, s->policy->n_index, s->policy->n_keys);
	problems_free(&problems);
	snapshot_unref(&s);
	return good ? 0 : 1;
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
