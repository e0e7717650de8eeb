/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See crash.h.
 */
#include "base/crash.h"

#ifdef POSTERN_CRASH_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
crash_point(const char *name)
{
	static atomic_long passes;
	const char *want = getenv("POSTERN_CRASH");
	size_t n = strlen(name);

	if (want == NULL || strncmp(want, name, n) != 0 || want[n] != ':')
		return;
	if (atomic_fetch_add(&passes, 1) + 1 == strtol(want + n + 1, NULL, 10))
		kill(getpid(), SIGKILL);
}

bool
crash_fault(const char *name)
{
	const char *list = getenv("POSTERN_FAULT");
	size_t n = strlen(name);

	for (; list != NULL && *list != '\0'; list += strcspn(list, ",")) {
		if (*list == ',')
			list++;
		if (strncmp(list, name, n) == 0 && (list[n] == ',' || list[n] == '\0'))
			return true;
	}
	return false;
}
#else
typedef int crash_points_are_off; /* an empty file is not C */
#endif
