/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of posternd.
 */
#ifndef POSTERN_MILTER_MILTER_H
#define POSTERN_MILTER_MILTER_H

#include <stdbool.h>

#include "gate/session.h"

/* callbacks.c: registers the callbacks with libmilter; `g` must live until
 * the process ends. 0, or -1. */
int callbacks_register(const struct gate *g);

/* How many callbacks are running now. */
unsigned callbacks_running(void);

/* daemon.c */

/* Where log lines go: syslog, or standard error in the foreground. */
void daemon_log_open(bool foreground);
void daemon_log(void *context, bool is_error, const char *line);
void daemon_say(bool is_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Blocks the signals that threads of ours and libmilter's wait for. Before any
 * thread is started. */
void daemon_block_signals(void);

/* Starts the thread that answers signals, one after another: `reload` on
 * SIGUSR1, `stop` on SIGTERM and SIGINT; and calls `daily` once a day. A signal
 * that comes while it is busy is not lost: SIGUSR1 then means one more reload.
 * 0, or -1. */
int daemon_watch_signals(void (*reload)(void), void (*stop)(void), void (*daily)(void));

/* Whether nobody serves this socket, so that it may be taken: 0, or -1 with a
 * text in error_r. A stale socket file is no obstacle. */
int daemon_check_listen(const char *listen, char *error_r, size_t error_size);

/* Connects once to the socket and hangs up, so that a listener wakes. */
void daemon_poke(const char *listen);

/* Drops root for this user, if it is root. 0, or -1 with a text. */
int daemon_become(const char *user, char *error_r, size_t error_size);

/* Detaches from the terminal. 0, or -1. */
int daemon_detach(void);

/* upstream.c */

/* For store_options.stays; context: none. */
bool upstream_keeps(void *context, const char *tenant);

/* Says from where what is paused upstream is read into g->pauses (which is there): the database at this URL. Both
 * must live on. Before there is another thread. */
void upstream_prepare(struct gate *g, const char *url);
/* Starts the thread that reads. 0, or -1. */
int upstream_start(void);
/* Ends it. */
void upstream_stop(void);

/* reload.c */

/* The policy file with all it names; NULL when it has errors. All that is wrong
 * is said, and which keys are kept from `before` (NULL: nothing to keep). */
struct snapshot *reload_read(const char *file, const struct snapshot *before);

/* The first load: fills g->snapshots. The policy, which then stays in memory;
 * NULL when there is none, which is said. `file` must live on. */
const struct policy *reload_first(const char *file, struct gate *g);

/* Loads the file anew and puts it in force, or says that it cannot be. */
void reload_again(void);

/* No reload touches the gate after this; one that is under way ends without. */
void reload_end(void);

/* Says again what is old or broken: lists, keys, the policy file. */
void reload_remind(void);

#endif
