/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See clock.h.
 */
#include "config.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef HAVE_GETRANDOM
#include <sys/random.h>
#endif

#ifdef CLOCK_BOOTTIME
#define BOOT_CLOCK CLOCK_BOOTTIME
#else
#define BOOT_CLOCK CLOCK_MONOTONIC
#endif

void
clock_write(int64_t ms, char text[CLOCK_TEXT_SIZE])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(text, CLOCK_TEXT_SIZE, "?");
}

static int64_t
read_ms(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) != 0)
		abort(); /* the two clocks asked for exist on every POSIX system */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t
system_wall(void *context)
{
	(void)context;
	return read_ms(CLOCK_REALTIME);
}

static int64_t
system_boot(void *context)
{
	(void)context;
	return read_ms(BOOT_CLOCK);
}

static char boot_id[64];
static pthread_once_t boot_once = PTHREAD_ONCE_INIT;

static void
read_boot_id(void)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f != NULL) {
		if (fgets(boot_id, sizeof boot_id, f) == NULL)
			boot_id[0] = '\0';
		fclose(f);
		boot_id[strcspn(boot_id, "\n")] = '\0';
	}
}

static const char *
system_boot_id(void *context)
{
	(void)context;
	pthread_once(&boot_once, read_boot_id);
	return boot_id;
}

static void
system_random(void *context, uint8_t *buf, size_t len)
{
	(void)context;
#ifdef HAVE_GETRANDOM
	while (len > 0) {
		ssize_t n = getrandom(buf, len, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
#else
	FILE *f = fopen("/dev/urandom", "re");

	if (f == NULL || fread(buf, 1, len, f) != len)
		abort();
	fclose(f);
#endif
}

const struct clock *
clock_system(void)
{
	static const struct clock system_clock = {
		.wall_ms = system_wall,
		.boot_ms = system_boot,
		.boot_id = system_boot_id,
		.random = system_random,
	};

	return &system_clock;
}
