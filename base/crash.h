/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Named points at which a test may end the process or take a step away. They
 * are nothing unless configured with --enable-crash-points, which no package
 * should do. POSTERN_CRASH=NAME:N kills the process (SIGKILL) on the Nth pass
 * of CRASH_POINT("NAME"); POSTERN_FAULT=NAME[,NAME...] makes FAULT("NAME")
 * true.
 */
#ifndef POSTERN_BASE_CRASH_H
#define POSTERN_BASE_CRASH_H

#include "config.h"

#ifdef POSTERN_CRASH_POINTS
#include <stdbool.h>

void crash_point(const char *name);
bool crash_fault(const char *name);
#define CRASH_POINT(name) crash_point(name)
#define FAULT(name) crash_fault(name)
#else
#define CRASH_POINT(name) ((void)0)
#define FAULT(name) 0
#endif

#endif
