/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Exchange Online's replies have stopped, read every other second from where
 * `postern follow` writes it. Where it cannot be read, what was known stays in force: it ends by itself.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "milter/milter.h"

#define EVERY_MS 2000
/* The file may be another one by now. */
#define OPEN_EVERY_MS 60000
#define SAY_EVERY_MS 600000

static struct {
	struct gate *gate;
	const char *url;
	struct store_reader *reader;
	int64_t opened_ms, said_ms;
	pthread_t thread;
	bool is_started, ended;
	pthread_mutex_t lock;
	pthread_cond_t wake;
} up = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static int64_t
boot_ms(void)
{
	return up.gate->clock->boot_ms(up.gate->clock->context);
}

static void
say_changed(const struct store_upstream *u, bool is_open, int64_t until)
{
	char text[CLOCK_TEXT_SIZE];

	clock_write(until, text);
	if (is_open)
		daemon_say(true, "mail of tenant %s%s%s%s is paused until %s: %s; postern pause tells more", u->tenant,
			   u->sender[0] == '\0' ? "" : " from ", u->sender, u->external_only ? " to the outside" : "", text, u->keyword);
	else if (u->good > u->said || u->lifted > 0)
		daemon_say(false, "mail of tenant %s%s%s goes again: %s is %s", u->tenant, u->sender[0] == '\0' ? "" : " from ", u->sender,
			   u->keyword, u->lifted > 0 ? "lifted" : "over");
}

/* 0, or -1 with a text. */
static int
read_all(char *error_r, size_t size)
{
	const char *error = "memory is short";
	int rc;

	if (up.reader == NULL) {
		up.reader = store_reader_open(up.url, error_r, size);
		up.opened_ms = boot_ms();
	}
	if (up.reader == NULL)
		return -1;
	pauses_begin(up.gate->pauses, up.gate->relay);
	rc = store_reader_upstream(up.reader, pauses_add, up.gate->pauses, &error);
	if (rc == 0 || rc == STORE_NO_DELIVERIES)
		pauses_end(up.gate->pauses, up.gate->clock->wall_ms(up.gate->clock->context), say_changed);
	else
		snprintf(error_r, size, "%s", error);
	if (rc != 0 || boot_ms() - up.opened_ms >= OPEN_EVERY_MS)
		store_reader_close(&up.reader);
	return rc == 0 || rc == STORE_NO_DELIVERIES ? 0 : -1;
}

static void
read_or_say(void)
{
	char error[600] = "";

	if (read_all(error, sizeof error) == 0 || (up.said_ms != 0 && boot_ms() - up.said_ms < SAY_EVERY_MS))
		return;
	daemon_say(true, "what is paused upstream cannot be read: %s", error);
	up.said_ms = boot_ms();
}

/* Until it ends, or the time is over; whether it ended. */
static bool
wait_some(void)
{
	struct timespec t;
	bool ended;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += EVERY_MS / 1000;
	pthread_mutex_lock(&up.lock);
	if (!up.ended)
		(void)pthread_cond_timedwait(&up.wake, &up.lock, &t);
	ended = up.ended;
	pthread_mutex_unlock(&up.lock);
	return ended;
}

static void *
run(void *unused)
{
	(void)unused;
	do
		read_or_say();
	while (!wait_some());
	store_reader_close(&up.reader);
	return NULL;
}

static bool
is_switched_on(const struct policy *p, const char *tenant)
{
	for (size_t i = 0; i < p->n_tenants; i++)
		if (strcmp(p->tenants[i].name, tenant) == 0)
			return p->tenants[i].upstream_pause;
	return false;
}

bool
upstream_keeps(void *context, const char *tenant)
{
	struct snapshot *s;
	bool on;

	(void)context;
	s = snapshot_current(up.gate->snapshots);
	on = is_switched_on(s->policy, tenant);
	snapshot_unref(&s);
	return on && pauses_keep(up.gate->pauses, tenant, up.gate->clock->wall_ms(up.gate->clock->context));
}

void
upstream_prepare(struct gate *g, const char *url)
{
	up.gate = g;
	up.url = url;
}

int
upstream_start(void)
{
	up.is_started = pthread_create(&up.thread, NULL, run, NULL) == 0;
	return up.is_started ? 0 : -1;
}

void
upstream_stop(void)
{
	if (!up.is_started)
		return;
	pthread_mutex_lock(&up.lock);
	up.ended = true;
	pthread_cond_signal(&up.wake);
	pthread_mutex_unlock(&up.lock);
	pthread_join(up.thread, NULL);
}
