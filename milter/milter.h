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

/* Blocks the signals that threads of ours and libmilter's wait for. Before any
 * thread is started. */
void daemon_block_signals(void);

/* Starts the thread that answers signals: `reload` on SIGUSR1, `stop` on
 * SIGTERM and SIGINT. 0, or -1. */
int daemon_watch_signals(void (*reload)(void), void (*stop)(void));

/* Whether nobody serves this socket, so that it may be taken: 0, or -1 with a
 * text in error_r. A stale socket file is no obstacle. */
int daemon_check_listen(const char *listen, char *error_r, size_t error_size);

/* Connects once to the socket and hangs up, so that a listener wakes. */
void daemon_poke(const char *listen);

/* Drops root for this user, if it is root. 0, or -1 with a text. */
int daemon_become(const char *user, char *error_r, size_t error_size);

/* Detaches from the terminal. 0, or -1. */
int daemon_detach(void);

#endif
