/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See stage.h.
 */
#include "tests/scenario/stage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/file/file.h"
#include "tests/scenario/fake.h"

static void
quiet(void *context, bool is_error, const char *line)
{
	(void)context;
	(void)is_error;
	(void)line;
}

static void
die(const char *what, const char *detail)
{
	printf("%s %s\n", what, detail);
	exit(1);
}

static const char *
path_of(char buf[PATH_MAX], const char *name)
{
	const char *dir = getenv("srcdir");

	snprintf(buf, PATH_MAX, "%s/tests/scenario/%s", dir == NULL ? "." : dir, name);
	return buf;
}

/* NULL with the problems said. */
static struct policy *
load(const char *path)
{
	struct problems *problems = NULL;
	struct policy *p = policy_load(path, &problems);

	if (p == NULL)
		problems_print(problems, stdout);
	problems_free(&problems);
	return p;
}

/* The files that the policy names, beside the one that is made. */
static void
link_files(const char *folder, bool is_there)
{
	static const char *const names[] = {"contoso.txt", "globex.txt"};
	char from[PATH_MAX], target[PATH_MAX], link[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(link, sizeof link, "%s/%s", folder, names[i]);
		if (!is_there)
			unlink(link);
		else if (realpath(path_of(from, names[i]), target) == NULL || symlink(target, link) != 0)
			die("cannot link", link);
	}
}

/* The policy file with more lines, from a folder of its own. */
static struct policy *
load_with(const char *file, const char *more)
{
	char folder[] = "/tmp/postern-scenario-XXXXXX", path[PATH_MAX], line[4096];
	FILE *in = fopen(path_of(path, file), "r"), *out;
	struct policy *p;

	if (in == NULL || mkdtemp(folder) == NULL)
		die("cannot make the policy from", file);
	link_files(folder, true);
	snprintf(path, sizeof path, "%s/policy.yaml", folder);
	out = fopen(path, "w");
	while (out != NULL && fgets(line, sizeof line, in) != NULL)
		fputs(line, out);
	fclose(in);
	if (out == NULL || fputs(more, out) < 0 || fclose(out) != 0)
		die("cannot write", path);
	p = load(path);
	unlink(path);
	link_files(folder, false);
	rmdir(folder);
	return p;
}

void
stage_set(struct gate *g, const char *file, const char *more)
{
	char path[PATH_MAX];
	struct policy *p;
	struct snapshot *s;

	stage_clear(g);
	p = more[0] == '\0' ? load(path_of(path, file)) : load_with(file, more);
	if (p == NULL)
		die("cannot load", file);
	s = snapshot_new(p);
	*g = (struct gate){
		.signer = fake_signer(), .clock = fake_clock(), .relay = "relay.contoso.com", .log = quiet,
		.snapshots = s == NULL ? NULL : snapshot_holder_new(s), .store = fake_store(),
	};
	if (g->snapshots == NULL || g->store == NULL)
		die("memory is short", "");
}

void
stage_clear(struct gate *g)
{
	pauses_free(&g->pauses);
	snapshot_holder_free(&g->snapshots);
	store_close(&g->store);
}
