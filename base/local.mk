# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libbase.a
libbase_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
libbase_a_SOURCES = \
	base/arena.c base/arena.h \
	base/charge.h \
	base/clock.c base/clock.h \
	base/crash.c base/crash.h \
	base/id.c base/id.h \
	base/json.c base/json.h \
	base/printable.c base/printable.h \
	base/record.h \
	base/text.c base/text.h \
	base/window.c base/window.h
