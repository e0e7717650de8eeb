/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * posternd: options and wiring.
 */
#include "config.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef POSTERN_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#endif

#include "base/crash.h"
#include "gate/relay.h"
#include "milter/milter.h"
#include "policy/file/file.h"

/* How long running callbacks may finish after a stop. */
#define STOP_SECONDS 20
/* An MTA that says nothing within a command for this long is gone. */
#define TIMEOUT_SECONDS 600

struct options {
	const char *file;
	const char *user;
	bool foreground;
};

static struct options options = {.file = SYSCONFDIR "/postern/postern.yaml"};
static struct gate gate;
static char *listen_on, *database;

static void
stop(void)
{
	smfi_stop();
	daemon_poke(listen_on);
}

static void
usage(FILE *to)
{
	fputs("usage: posternd [-fV] [-c FILE] [-u USER]\n"
	      "  -c FILE  the policy file (default " SYSCONFDIR "/postern/postern.yaml)\n"
	      "  -f       stay in the foreground, log to standard error\n"
	      "  -u USER  give up root for this user\n"
	      "  -V       print the version\n", to);
}

/* 0 to go on, otherwise the exit status plus one. */
static int
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:fhu:V")) != -1) {
		if (c == 'c') {
			options.file = optarg;
		} else if (c == 'u') {
			options.user = optarg;
		} else if (c == 'f') {
			options.foreground = true;
		} else if (c == 'V') {
			puts(PACKAGE_STRING);
			return 1;
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 3;
	}
	return 0;
}

static int
open_store(const struct policy *p, char *error_r, size_t error_size)
{
	struct store_options o = {
		.url = p->database,
		.durability = p->durability == DURABILITY_POWER ? STORE_DURABILITY_POWER
								: STORE_DURABILITY_PROCESS,
		.relay = gate.relay, .clock = gate.clock, .log = daemon_log, .stays = upstream_keeps,
		.local_url = p->database_away == AWAY_LOCAL_SHARE ? p->local_database : NULL, .relays = p->relays,
	};

	gate.pauses = pauses_new();
	if (gate.pauses == NULL)
		return -1;
	upstream_prepare(&gate, database);
	gate.store = store_open(&o, error_r, error_size);
	if (gate.store == NULL)
		return -1;
	store_keep(gate.store, (int64_t)p->audit_keep * 1000);
	store_notify(gate.store, p->notify.at, (int64_t)p->notify.quiet * 1000);
	snapshot_note(p, gate.store);
	return 0;
}

static int
open_gate(char *error_r, size_t error_size)
{
	static char relay[256];
	const char *warning = NULL;
	const struct policy *p;

	gate.clock = clock_system();
	gate.log = daemon_log;
	gate.signer = signer_opendkim(&warning);
	if (warning != NULL)
		daemon_log(NULL, true, warning);
	if (gate.signer == NULL) {
		snprintf(error_r, error_size, "libopendkim does not start");
		return -1;
	}
	p = reload_first(options.file, &gate);
	if (p == NULL) {
		snprintf(error_r, error_size, "%s has errors", options.file);
		return -1;
	}
	relay_name(p, relay, sizeof relay);
	gate.relay = relay;
	listen_on = strdup(p->listen);
	if (listen_on == NULL || daemon_check_listen(listen_on, error_r, error_size) != 0)
		return -1;
	database = strdup(p->database);
	return database == NULL ? -1 : open_store(p, error_r, error_size);
}

/* Many sessions need many descriptors; libmilter spins when it has none. */
static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	r = (struct rlimit){0, 0};
	(void)setrlimit(RLIMIT_CORE, &r); /* a core would hold the keys */
}

static int
serve(void)
{
	mode_t before;
	int r;

	if (callbacks_register(&gate) != 0 || smfi_setconn(listen_on) != MI_SUCCESS) {
		daemon_say(true, "%s: libmilter cannot use this socket", listen_on);
		return 1;
	}
	(void)smfi_settimeout(TIMEOUT_SECONDS);
	before = umask(0117); /* the socket: its user and group only */
	r = smfi_opensocket(true);
	umask(before);
	if (r != MI_SUCCESS) {
		daemon_say(true, "%s: cannot open this socket: %s", listen_on, strerror(errno));
		return 1;
	}
	if (upstream_start() != 0 || daemon_watch_signals(reload_again, stop, reload_remind) != 0) {
		daemon_say(true, "cannot start a thread");
		return 1;
	}
	daemon_say(false, PACKAGE_STRING " listens on %s, policy %s", listen_on, options.file);
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}

/* Lets running callbacks finish and their replies leave. */
static void
wait_for_callbacks(void)
{
	const struct timespec tick = {.tv_nsec = 20000000};

	for (int i = 0; i < STOP_SECONDS * 50 && callbacks_running() > 0; i++)
		nanosleep(&tick, NULL);
	nanosleep(&tick, NULL);
}

/* Says what is wrong with the policy while there is a terminal to say it on. */
static int
detach(void)
{
	struct snapshot *s = reload_read(options.file, NULL);
	char *absolute = realpath(options.file, NULL); /* the daemon leaves this folder */

	if (s == NULL || absolute == NULL)
		return -1;
	snapshot_unref(&s);
	options.file = absolute;
	if (daemon_detach() != 0)
		return -1;
	daemon_log_open(false);
	return 0;
}

int
main(int argc, char **argv)
{
	char error[1024] = "";
	int r = read_options(argc, argv);

	if (r != 0)
		return r - 1;
	umask(0027);
	daemon_log_open(true);
	daemon_block_signals();
	raise_limits();
	if (options.user != NULL && daemon_become(options.user, error, sizeof error) != 0) {
		daemon_say(true, "%s", error);
		return 1;
	}
	if (!options.foreground && detach() != 0)
		return 1;
	if (open_gate(error, sizeof error) != 0) {
		daemon_say(true, "%s", error);
		return 1;
	}
	r = serve();
	wait_for_callbacks();
	upstream_stop();
	reload_end();
	store_close(&gate.store);
	if (FAULT("slow-stop"))
		sleep(2); /* a reload still under way finds the store closed */
	if (strncmp(listen_on, "unix:", 5) == 0)
		unlink(listen_on + 5);
	daemon_log(NULL, false, "stopped");
	fflush(NULL);
#ifdef POSTERN_LEAK_CHECK
	__lsan_do_leak_check(); /* _exit() does not */
#endif
	_exit(r); /* libmilter's threads may still stand in a session */
}
