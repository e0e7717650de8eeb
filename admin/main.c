/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern: finds the command and runs it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "base/text.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"check", command_check, "check the policy file and the keys it names"},
	{"dashboard", command_dashboard, "the audit in a browser"},
	{"explain", command_explain, "say what the policy makes of a message, step by step"},
	{"export", command_export, "write rows of the audit as CSV or JSON lines"},
	{"follow", command_follow, "read the MTA's log: what became of the mail"},
	{"learn", command_learn, "draft a policy from the mail of the last two weeks"},
	{"limits", command_limits, "how full the limits are; empty one, or add to it for a time"},
	{"metrics", command_metrics, "print counters and gauges for Prometheus"},
	{"migrate", command_migrate, "make the tables on a database server, or bring them up to date"},
	{"notify", command_notify, "tell by a command and by mail what happened to limits"},
	{"pause", command_pause, "what mail waits because Exchange Online refuses it; let it go"},
	{"release", command_release, "held mail: list it, let it go at once, or in its turn"},
	{"report", command_report, "how much mail, of whom, what was refused and why; who does not retry"},
	{"simulate", command_simulate, "decide last week's mail again under a new policy file"},
	{"schema", command_schema, "print the JSON Schema of the policy file"},
	{"summary", command_summary, "what the last week or day of mail was, and what changed; by mail"},
	{"top", command_top, "who sends now, what is refused, which limits are full"},
	{"trace", command_trace, "the story of a message, up to what the next hop said"},
};

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static void
usage(FILE *to)
{
	fputs("usage: postern COMMAND [ARGUMENT...]\n", to);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("postern COMMAND --help says more; postern --version prints the version\n", to);
}

static int
unknown(const char *name)
{
	const char *names[COUNT_OF(commands)], *near;

	for (size_t i = 0; i < COUNT_OF(commands); i++)
		names[i] = commands[i].name;
	near = text_nearest(name, names, COUNT_OF(commands));
	if (near != NULL)
		fprintf(stderr, "postern: no command \"%s\"; did you mean \"%s\"?\n", name, near);
	else
		fprintf(stderr, "postern: no command \"%s\"\n", name);
	usage(stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}
