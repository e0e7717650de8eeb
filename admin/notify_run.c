/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See notify.h. The program is in a process group of its own, which is killed when
 * its time is over. What it says is kept as far as an admin needs it.
 */
#include "config.h"

#include "admin/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/printable.h"

#define SAID_MAX 500u
#define WORDS_MAX 10
/* What a program that is done may still have to say. */
#define LAST_WORDS_MS 200

struct running {
	pid_t pid;
	int input, output;        /* -1: closed */
	int failure;              /* what could not be executed says so here */
	const char *data;
	size_t left;
	char said[SAID_MAX];
	size_t n_said;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* In the child. */
static void
execute(const char *const argv[], int input, int output, int failure)
{
	static char path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin", language[] = "LC_ALL=C", zone[100];
	char *const environment[] = {path, language, getenv("TZ") == NULL ? NULL : zone, NULL};
	char *words[WORDS_MAX + 1] = {NULL};
	sigset_t none;
	int error;

	for (int i = 0; i < WORDS_MAX && argv[i] != NULL; i++)
		if ((words[i] = strdup(argv[i])) == NULL)
			_exit(126);
	snprintf(zone, sizeof zone, "TZ=%s", getenv("TZ") == NULL ? "" : getenv("TZ"));
	(void)setpgid(0, 0);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	if (dup2(input, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2)
		execve(words[0], words, environment);
	error = errno;
	if (write(failure, &error, sizeof error) < 0)
		_exit(126);
	_exit(127);
}

/* A pipe neither of whose ends another program gets. */
static int
make_pipe(int fd[2])
{
	if (pipe(fd) != 0)
		return -1;
	(void)fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

static int
start(struct running *r, const char *const argv[])
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, failure[2] = {-1, -1};

	r->pid = -1;
	if (make_pipe(in) == 0 && make_pipe(out) == 0 && make_pipe(failure) == 0)
		r->pid = fork();
	if (r->pid == 0)
		execute(argv, in[0], out[1], failure[1]);
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&failure[1]);
	r->input = in[1];
	r->output = out[0];
	r->failure = failure[0];
	if (r->pid > 0) {
		(void)setpgid(r->pid, r->pid);
		(void)fcntl(r->input, F_SETFL, O_NONBLOCK);
		(void)fcntl(r->output, F_SETFL, O_NONBLOCK);
		return 0;
	}
	close_fd(&r->input);
	close_fd(&r->output);
	close_fd(&r->failure);
	return -1;
}

/* What is ready is moved; the pipe that is done is closed. */
static void
move(struct running *r, short input, short output)
{
	char rest[4096];
	ssize_t n;

	if (input != 0) {
		n = write(r->input, r->data, r->left);
		if (n > 0) {
			r->data += n;
			r->left -= (size_t)n;
		}
		if (r->left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			close_fd(&r->input); /* it need not read all */
	}
	if (output != 0) {
		n = read(r->output, rest, sizeof rest);
		if (n > 0 && r->n_said < SAID_MAX) {
			size_t keep = (size_t)n < SAID_MAX - r->n_said ? (size_t)n : SAID_MAX - r->n_said;

			memcpy(r->said + r->n_said, rest, keep);
			r->n_said += keep;
		}
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			close_fd(&r->output);
	}
}

static void
wait_a_moment(struct running *r, int ms)
{
	struct pollfd fds[2] = {{.fd = r->input, .events = POLLOUT}, {.fd = r->output, .events = POLLIN}};

	if (poll(fds, 2, ms) > 0)
		move(r, fds[0].revents, fds[1].revents);
}

/* Until it ends or its time is over: its status, -1 for the latter. */
static int
attend(struct running *r, int seconds)
{
	int64_t end = now_ms() + (int64_t)seconds * 1000, last = 0;
	bool is_done = false;
	int status = 0;

	if (r->left == 0)
		close_fd(&r->input);
	while (!is_done && now_ms() < end) {
		wait_a_moment(r, 20);
		is_done = waitpid(r->pid, &status, WNOHANG) == r->pid;
	}
	if (!is_done) {
		(void)kill(-r->pid, SIGKILL); /* and what it started */
		(void)waitpid(r->pid, &status, 0);
		return -1;
	}
	last = now_ms() + LAST_WORDS_MS;
	while (r->output >= 0 && now_ms() < last)
		wait_a_moment(r, 20);
	return status;
}

static void
say_end(struct running *r, int status, int seconds, struct text *said)
{
	int error = 0;

	if (read(r->failure, &error, sizeof error) == (ssize_t)sizeof error)
		text_printf(said, "it cannot be run: %s", strerror(error));
	else if (status < 0)
		text_printf(said, "it was not done after %d seconds and was killed", seconds);
	else if (WIFSIGNALED(status))
		text_printf(said, "it ended by signal %d", WTERMSIG(status));
	else
		text_printf(said, "it ended with status %d", WEXITSTATUS(status));
	while (r->n_said > 0 && r->said[r->n_said - 1] == '\n')
		r->n_said--;
	if (r->n_said > 0) {
		text_add(said, ", saying: ");
		printable_add(said, r->said, r->n_said, SAID_MAX);
	}
}

int
notify_run(const char *const argv[], const char *input, size_t size, int seconds, struct text *said)
{
	struct running r = {.data = input, .left = size};
	int status;

	if (start(&r, argv) != 0) {
		text_printf(said, "no process can be made: %s", strerror(errno));
		return -1;
	}
	status = attend(&r, seconds);
	if (!(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0))
		say_end(&r, status, seconds, said);
	close_fd(&r.input);
	close_fd(&r.output);
	close_fd(&r.failure);
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
