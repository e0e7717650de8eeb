# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libgate.a
libgate_a_CFLAGS = $(AM_CFLAGS) $(OPENDKIM_CFLAGS) $(CRYPTO_CFLAGS)
libgate_a_SOURCES = \
	gate/audit.c gate/audit.h \
	gate/day.c gate/day.h \
	gate/keys.c gate/keys.h gate/keys-private.h \
	gate/log.c gate/log.h \
	gate/pauses.c gate/pauses.h \
	gate/relay.c gate/relay.h \
	gate/replay.c gate/replay.h \
	gate/session.c gate/session.h gate/session-private.h gate/session_sign.c \
	gate/sign.h gate/sign_opendkim.c \
	gate/snapshot.c gate/snapshot.h \
	gate/spool.c gate/spool.h \
	gate/strip.c gate/strip.h
