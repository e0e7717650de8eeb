/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern-unhold: the one part of Postern that stays root, because only root may
 * take mail out of an MTA's hold queue. It starts a command as another user; the
 * command writes a queue id a line to its standard output and reads from its
 * standard input what became of each:
 *
 *     ID released        the MTA held it and goes on with it
 *     ID not-held        the MTA does not hold it (any more, or yet)
 *     ID failed TEXT     the MTA could not be asked
 *
 * Whatever else the command says ends it. So all that it can do by this is to let
 * held mail go; an id that is not held does no harm, however often it comes.
 * No shell, no PATH, no file that is not the MTA's own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/crash.h"
#include "base/printable.h"
#include "base/text.h"

#define ID_MAX 64u
/* Asked of the MTA at once. */
#define BATCH_MAX 50
/* An MTA's program that is not done by then is ended. */
#define MTA_SECONDS 60
#define OUTPUT_MAX 65536u

struct id_list {
	char id[BATCH_MAX][ID_MAX + 1];
	bool is_released[BATCH_MAX];
	size_t n;
};

/* How each MTA is asked. */
struct mta {
	const char *name;
	size_t id_min;            /* a shorter id is none */
	/* Releases what is held of the list and marks it. 0, or -1 with what the MTA said. */
	int (*release)(struct id_list *l, struct text *said);
	/* Has the MTA deliver at once, where it would otherwise wait for its next queue run.
	 * Also for what was not held: its release may have been cut off before this. */
	void (*deliver)(const struct id_list *l);
};

static int postfix_release(struct id_list *l, struct text *said);
static void postfix_deliver(const struct id_list *l);
static int sendmail_release(struct id_list *l, struct text *said);
static void sendmail_deliver(const struct id_list *l);

/* Sendmail takes any part of an id for the id, so only whole ones (time, sequence, process) will do. */
static const struct mta mtas[] = {
	{"postfix", 4, postfix_release, postfix_deliver},
	{"sendmail", 14, sendmail_release, sendmail_deliver},
};

static struct {
	const struct mta *mta;
	const char *config;       /* the MTA's, NULL for its own choice */
	const char *user;
	char **command;
} options;

static volatile sig_atomic_t is_stopped;

static void
stop(int sig)
{
	(void)sig;
	is_stopped = 1;
}

static void __attribute__((format(printf, 1, 2)))
say(const char *format, ...)
{
	struct text t = {0};
	va_list args;

	va_start(args, format);
	text_vprintf(&t, format, args);
	va_end(args);
	fprintf(stderr, "postern-unhold: %s\n", text_string(&t));
	text_free(&t);
}

static int
usage(FILE *to, int status)
{
	fputs("usage: postern-unhold [-M postfix|sendmail] [-c MTA-CONFIG] -u USER -- COMMAND [ARGUMENT...]\n"
	      "  -M MTA         whose hold queue it is (default postfix)\n"
	      "  -c MTA-CONFIG  another configuration: Postfix's folder, Sendmail's file\n"
	      "  -u USER        whom COMMAND runs as\n"
	      "  -h             this text\n"
	      "  -V             print the version\n"
	      "COMMAND begins with /; it writes queue ids and reads what became of them\n", to);
	return status;
}

/* -1 to go on, otherwise the exit status. */
static int
read_options(int argc, char **argv)
{
	int c;

	options.mta = &mtas[0];
	while ((c = getopt(argc, argv, "+c:hM:u:V")) != -1) {
		if (c == 'M') {
			options.mta = NULL;
			for (size_t i = 0; i < sizeof mtas / sizeof mtas[0]; i++)
				if (strcmp(optarg, mtas[i].name) == 0)
					options.mta = &mtas[i];
			if (options.mta == NULL)
				return say("-M takes postfix or sendmail"), 2;
		} else if (c == 'c') {
			options.config = optarg;
		} else if (c == 'u') {
			options.user = optarg;
		} else if (c == 'V') {
			return puts(PACKAGE_STRING), 0;
		} else {
			return c == 'h' ? usage(stdout, 0) : usage(stderr, 2);
		}
	}
	options.command = argv + optind;
	if (options.user == NULL || options.command[0] == NULL)
		return usage(stderr, 2);
	if (options.command[0][0] != '/' || (options.config != NULL && options.config[0] != '/'))
		return say("COMMAND and MTA-CONFIG must begin with /"), 2;
	return -1;
}

/* In a child: nothing but the first three descriptors stays open. */
static void
close_rest(void)
{
	long n = sysconf(_SC_OPEN_MAX);

#ifdef HAVE_CLOSE_RANGE
	if (close_range(3, ~0u, 0) == 0)
		return;
#endif
	for (int fd = 3; fd < (n < 0 || n > 65536 ? 65536 : n); fd++)
		close(fd);
}

/* In a child: runs a program of the MTA's. Does not return. */
static void
run_program(char *const argv[], int in, int out)
{
	char *const environment[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, (char[]){"LC_ALL=C"}, NULL};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/") != 0)
		_exit(126);
	close_rest();
	execve(argv[0], argv, environment);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int64_t
now_ms(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* All that comes out of fd, its first part kept. false when time is up. */
static bool
read_all(int fd, struct text *said, int64_t end)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[4096];
	ssize_t n;

	for (;;) {
		int64_t left = end - now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = read(fd, buf, sizeof buf);
		if (n == 0 || (n < 0 && errno != EINTR))
			return true;
		if (n > 0 && said->len < OUTPUT_MAX)
			text_add_octets(said, buf, (size_t)n);
	}
}

/* The status of a child, -1 where it did not end well; it is ended when time is up. */
static int
wait_for(pid_t pid, int64_t end)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	int status = 0;
	pid_t done;

	while ((done = waitpid(pid, &status, WNOHANG)) == 0) {
		if (now_ms() >= end)
			kill(pid, SIGKILL);
		nanosleep(&tick, NULL);
	}
	return done == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs a program with `input` on its standard input and waits for it; what it says, on
 * either output, goes into `said` (NULL: nowhere). Its exit status, or -1. */
static int
run_mta(char *const argv[], const struct text *input, struct text *said)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, null = open("/dev/null", O_RDWR | O_CLOEXEC), status = -1;
	int64_t end = now_ms() + MTA_SECONDS * 1000;
	bool is_done = true;
	pid_t pid = -1;

	/* What is written fits into a pipe: PIPE_BUF is 4096. */
	if (null >= 0 && pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		run_program(argv, input == NULL ? null : in[0], said == NULL ? null : out[1]);
	close(in[0]);
	close(out[1]);
	if (pid > 0 && input != NULL && write(in[1], input->s, input->len) != (ssize_t)input->len)
		is_done = false;
	close(in[1]);
	if (pid > 0 && is_done && said != NULL)
		is_done = read_all(out[0], said, end);
	close(out[0]);
	close(null);
	if (pid > 0)
		status = wait_for(pid, is_done ? end : 0);
	if (said != NULL && (pid < 0 || !is_done))
		text_printf(said, "%s\n", pid < 0 ? strerror(errno) : "it did not answer");
	return is_done ? status : -1;
}

static char *
unconst(const char *s)
{
	union { const char *from; char *to; } u = {.from = s};

	return u.to; /* execve() changes none */
}

/* Marks the ids for which a line "ID: what" stands in the output, behind a program's name or not. */
static void
mark_released(struct id_list *l, const struct text *said, const char *what)
{
	for (const char *line = text_string(said); line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n' ? 1 : 0;
		if (strncmp(line, "postsuper: ", 11) == 0)
			line += 11;
		for (size_t i = 0; i < l->n; i++) {
			size_t n = strlen(l->id[i]);

			if (strncmp(line, l->id[i], n) == 0 && strncmp(line + n, what, strlen(what)) == 0)
				l->is_released[i] = true;
		}
	}
}

static int
postfix_release(struct id_list *l, struct text *said)
{
	char *argv[] = {unconst(POSTSUPER), unconst("-c"), unconst(options.config), unconst("-H"), unconst("-"), NULL};
	struct text ids = {0};
	int status;

	if (options.config == NULL)
		memmove(&argv[1], &argv[3], 3 * sizeof argv[0]);
	for (size_t i = 0; i < l->n; i++)
		text_printf(&ids, "%s\n", l->id[i]);
	status = ids.failed ? -1 : run_mta(argv, &ids, said);
	text_free(&ids);
	mark_released(l, said, ": released from hold");
	return status == 0 ? 0 : -1;
}

static void
postfix_deliver(const struct id_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char *argv[] = {unconst(POSTQUEUE), unconst("-c"), unconst(options.config), unconst("-i"),
				unconst(l->id[i]), NULL};

		if (options.config == NULL)
			memmove(&argv[1], &argv[3], 3 * sizeof argv[0]);
		if (run_mta(argv, NULL, NULL) != 0)
			say(POSTQUEUE " -i %s failed; Postfix delivers it with its next queue run", l->id[i]);
	}
}

/* sendmail -C CONFIG FIRST... -qIid -qIid ... */
static int
sendmail_run(const struct id_list *l, const char *const *first, struct text *said)
{
	char selected[BATCH_MAX][ID_MAX + 4];
	char *argv[BATCH_MAX + 8];
	int n = 0;

	argv[n++] = unconst(SENDMAIL);
	if (options.config != NULL) {
		argv[n++] = unconst("-C");
		argv[n++] = unconst(options.config);
	}
	for (; *first != NULL; first++)
		argv[n++] = unconst(*first);
	for (size_t i = 0; i < l->n; i++) {
		snprintf(selected[i], sizeof selected[i], "-qI%s", l->id[i]);
		argv[n++] = selected[i];
	}
	argv[n] = NULL;
	return run_mta(argv, NULL, said);
}

static int
sendmail_release(struct id_list *l, struct text *said)
{
	static const char *const first[] = {"-v", "-qQ", "-Q", NULL};
	int status = sendmail_run(l, first, said);

	mark_released(l, said, ": Removed quarantine");
	return status == 0 ? 0 : -1;
}

static void
sendmail_deliver(const struct id_list *l)
{
	static const char *const first[] = {NULL};

	if (sendmail_run(l, first, NULL) != 0)
		say(SENDMAIL " -qI failed; Sendmail delivers with its next queue run");
}

static int
write_all(int fd, const struct text *t)
{
	for (size_t done = 0; done < t->len;) {
		ssize_t n = write(fd, t->s + done, t->len - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n < 0 ? 0 : (size_t)n;
	}
	return t->failed ? -1 : 0;
}

/* The last line that the MTA said. */
static void
add_last_line(struct text *t, const struct text *said)
{
	const char *s = text_string(said), *line = s;
	size_t n = said->len;

	while (n > 0 && s[n - 1] == '\n')
		n--;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\n')
			line = s + i + 1;
	printable_add(t, line, n - (size_t)(line - s), 200);
}

/* Asks the MTA and answers. 0, or -1 when the command does not read. */
static int
release(struct id_list *l, int answer)
{
	struct text said = {0}, t = {0};
	int status = options.mta->release(l, &said), rc;

	CRASH_POINT("unhold-before-deliver");
	options.mta->deliver(l);
	for (size_t i = 0; i < l->n; i++) {
		text_printf(&t, "%s ", l->id[i]);
		if (l->is_released[i] || status == 0)
			text_add(&t, l->is_released[i] ? "released" : "not-held");
		else
			text_add(&t, "failed ");
		if (!l->is_released[i] && status != 0)
			add_last_line(&t, &said);
		text_add(&t, "\n");
	}
	CRASH_POINT("unhold-before-answer");
	rc = write_all(answer, &t);
	text_free(&t);
	text_free(&said);
	memset(l, 0, sizeof *l);
	return rc;
}

static bool
is_id(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text_is_digit(s[i]) && !text_is_alpha(s[i]))
			return false;
	return n >= options.mta->id_min && n <= ID_MAX;
}

/* Takes whole lines out of the buffer. 0, or -1 when the command must end. */
static int
take_lines(char *buf, size_t *n, int answer)
{
	struct id_list l = {.n = 0};
	struct text t = {0};
	size_t at = 0, len;
	const char *end;

	while ((end = memchr(buf + at, '\n', *n - at)) != NULL || *n - at > ID_MAX) {
		len = end == NULL ? *n - at : (size_t)(end - (buf + at));
		if (!is_id(buf + at, len)) {
			printable_add(&t, buf + at, len, 80);
			say("the command said \"%s\", which is no queue id; it is ended", text_string(&t));
			text_free(&t);
			return -1;
		}
		memcpy(l.id[l.n++], buf + at, len);
		at += len + 1;
		if (l.n == BATCH_MAX && release(&l, answer) != 0)
			return -1;
	}
	memmove(buf, buf + at, *n - at);
	*n -= at;
	return l.n == 0 ? 0 : release(&l, answer);
}

/* Serves the command until it is done or must be ended. */
static int
serve(int ids, int answer, const sigset_t *unblocked)
{
	struct pollfd p = {.fd = ids, .events = POLLIN};
	char buf[4096];
	size_t n = 0;
	ssize_t more;

	while (!is_stopped) {
		if (ppoll(&p, 1, NULL, unblocked) < 0)
			continue;
		more = read(ids, buf + n, sizeof buf - n);
		if (more == 0)
			return 0;
		if (more < 0 && errno != EINTR)
			return say("cannot read from the command: %s", strerror(errno)), -1;
		n += more < 0 ? 0 : (size_t)more;
		if (take_lines(buf, &n, answer) != 0)
			return -1;
	}
	return 0;
}

/* In the child: becomes the user and the command. Does not return. */
static void
run_command(const struct passwd *p, int in, int out, const sigset_t *unblocked)
{
	struct text user = {0}, logname = {0}, home = {0};

	text_printf(&user, "USER=%s", p->pw_name);
	text_printf(&logname, "LOGNAME=%s", p->pw_name);
	text_printf(&home, "HOME=%s", p->pw_dir);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || chdir("/") != 0 || user.failed || logname.failed || home.failed) {
		say("cannot start the command: %s", strerror(errno));
		_exit(126);
	}
	close_rest();
	if (initgroups(p->pw_name, p->pw_gid) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0 ||
	    setuid(0) == 0 || seteuid(0) == 0) {
		say("cannot become %s: %s", p->pw_name, strerror(errno));
		_exit(126);
	}
#ifdef __linux__
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
	umask(027);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	execve(options.command[0], options.command,
	       (char *const[]){unconst("PATH=/usr/bin:/bin"), user.s, logname.s, home.s, NULL});
	say("%s: %s", options.command[0], strerror(errno));
	_exit(127);
}

/* Ends the command where it is not done: its exit status. */
static int
finish(pid_t pid, int served)
{
	int status;

	if (served != 0 || is_stopped)
		kill(pid, SIGTERM);
	status = wait_for(pid, INT64_MAX);
	if (is_stopped)
		return 0;
	if (status < 0)
		say("the command was ended by a signal");
	return served != 0 || status < 0 ? 1 : status;
}

static int
start(const struct passwd *p)
{
	int ids[2], answers[2], served;
	sigset_t blocked, unblocked;
	struct sigaction a = {.sa_handler = stop};
	pid_t pid;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	if (pipe2(ids, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		return say("cannot start the command: %s", strerror(errno)), 1;
	if (pid == 0)
		run_command(p, answers[0], ids[1], &unblocked);
	close(ids[1]);
	close(answers[0]);
	served = serve(ids[0], answers[1], &unblocked);
	close(ids[0]);
	close(answers[1]);
	return finish(pid, served);
}

int
main(int argc, char **argv)
{
	const struct passwd *p;
	int r = read_options(argc, argv);

	if (r >= 0)
		return r;
	if (geteuid() != 0)
		return say("only root can take mail out of a hold queue"), 1;
	p = getpwnam(options.user);
	if (p == NULL)
		return say("%s: no such user", options.user), 1;
	if (p->pw_uid == 0)
		return say("%s is root; name the user that posternd runs as", options.user), 1;
	if (chdir("/") != 0)
		return say("/: %s", strerror(errno)), 1;
	return start(p);
}
