/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time and chance, handed in from outside so that tests can make their own.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
	/* Wall time, milliseconds since 1970 UTC. */
	int64_t (*wall_ms)(void *context);
	/* Milliseconds since boot, running on while suspended, never set back. */
	int64_t (*boot_ms)(void *context);
	/* Names this boot; another string after a reboot. */
	const char *(*boot_id)(void *context);
	/* Fills buf with len octets that cannot be guessed. */
	void (*random)(void *context, uint8_t *buf, size_t len);
	void *context;
};

/* "2026-11-24T10:00:00Z" for milliseconds since 1970 UTC. */
#define CLOCK_TEXT_SIZE 32
void clock_write(int64_t ms, char text[CLOCK_TEXT_SIZE]);

/* The machine's own clock. boot_id is read once; any thread may call it. */
const struct clock *clock_system(void);

#endif
