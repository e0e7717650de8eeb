/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What makes posternd a daemon: log, signals, socket, privileges.
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "milter/milter.h"

static bool to_stderr;

void
daemon_log_open(bool foreground)
{
	to_stderr = foreground;
	openlog("posternd", LOG_PID | (foreground ? 0 : LOG_NDELAY), LOG_MAIL);
}

void
daemon_log(void *context, bool is_error, const char *line)
{
	(void)context;
	if (to_stderr)
		fprintf(stderr, "posternd: %s%s\n", is_error ? "error: " : "", line);
	else
		syslog(is_error ? LOG_ERR : LOG_INFO, "%s", line);
}

void
daemon_say(bool is_error, const char *format, ...)
{
	struct text t = {0};
	va_list args;

	va_start(args, format);
	text_vprintf(&t, format, args);
	va_end(args);
	daemon_log(NULL, is_error, text_string(&t));
	text_free(&t);
}

static void
watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
}

void
daemon_block_signals(void)
{
	sigset_t set;

	watched(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void (*on_reload)(void);
static void (*on_stop)(void);
static void (*on_day)(void);

static time_t
next_day(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + (FAULT("short-day") ? 1 : 86400);
}

/* The next signal; 0 when the day is over first. */
static int
next_signal(const sigset_t *set, time_t end)
{
	struct timespec t = {0};
	int sig;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t = (struct timespec){.tv_sec = end > t.tv_sec ? end - t.tv_sec : 0};
	do
		sig = sigtimedwait(set, NULL, &t);
	while (sig < 0 && errno == EINTR);
	return sig < 0 ? 0 : sig;
}

/* libmilter's own thread waits for HUP, TERM and INT as well; whichever thread
 * gets the signal, the process stops, only faster when it is this one. */
static void *
wait_for_signals(void *unused)
{
	sigset_t set;
	time_t end = next_day();
	int sig;

	(void)unused;
	watched(&set);
	for (;;) {
		sig = next_signal(&set, end);
		if (sig == SIGUSR1) {
			on_reload();
		} else if (sig == 0) {
			on_day();
			end = next_day();
		} else if (sig != SIGUSR2) {
			on_stop();
		}
	}
	return NULL;
}

int
daemon_watch_signals(void (*reload)(void), void (*stop)(void), void (*daily)(void))
{
	pthread_t thread;

	on_reload = reload;
	on_stop = stop;
	on_day = daily;
	if (pthread_create(&thread, NULL, wait_for_signals, NULL) != 0)
		return -1;
	return pthread_detach(thread) == 0 ? 0 : -1;
}

/* A connection to a unix socket; -1 when nobody answers. */
static int
connect_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof a.sun_path)
		return -1;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static const char *
unix_path(const char *listen)
{
	return strncmp(listen, "unix:", 5) == 0 ? listen + 5 : NULL;
}

int
daemon_check_listen(const char *listen, char *error_r, size_t error_size)
{
	const char *path = unix_path(listen);
	int fd;

	if (path == NULL)
		return 0; /* bind() itself says when a port is taken */
	fd = connect_unix(path);
	if (fd < 0)
		return 0;
	close(fd);
	snprintf(error_r, error_size, "%s: another process serves this socket; stop it first", path);
	return -1;
}

void
daemon_poke(const char *listen)
{
	const char *path = unix_path(listen);
	int fd = path == NULL ? -1 : connect_unix(path);

	if (fd >= 0)
		close(fd);
}

int
daemon_become(const char *user, char *error_r, size_t error_size)
{
	const struct passwd *p;

	if (geteuid() != 0)
		return 0;
	errno = 0;
	p = getpwnam(user);
	if (p == NULL) {
		snprintf(error_r, error_size, "%s: no such user", user);
		return -1;
	}
	if (initgroups(user, p->pw_gid) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0) {
		snprintf(error_r, error_size, "cannot become %s: %s", user, strerror(errno));
		return -1;
	}
	return 0;
}

int
daemon_detach(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid > 0)
		_exit(0);
	if (setsid() < 0 || chdir("/") != 0)
		return -1;
	if (freopen("/dev/null", "r", stdin) == NULL || freopen("/dev/null", "w", stdout) == NULL ||
	    freopen("/dev/null", "w", stderr) == NULL)
		return -1;
	return 0;
}
