/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The commands of postern: one file each, listed in main.c.
 */
#ifndef POSTERN_ADMIN_COMMAND_H
#define POSTERN_ADMIN_COMMAND_H

#define COMMAND_POLICY_FILE SYSCONFDIR "/postern/postern.yaml"

/* Each takes its own arguments (argv[0] is its name) and returns the exit
 * status: 0 well, 1 a problem was found, 2 the command line was wrong. */
int command_check(int argc, char **argv);
int command_dashboard(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_export(int argc, char **argv);
int command_follow(int argc, char **argv);
int command_learn(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_limits(int argc, char **argv);
int command_notify(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_release(int argc, char **argv);
int command_report(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_summary(int argc, char **argv);
int command_top(int argc, char **argv);
int command_trace(int argc, char **argv);

#endif
