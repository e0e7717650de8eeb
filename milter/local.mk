# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

sbin_PROGRAMS += posternd
posternd_SOURCES = \
	milter/callbacks.c milter/milter.h \
	milter/daemon.c \
	milter/main.c \
	milter/reload.c \
	milter/reply.c milter/reply.h \
	milter/upstream.c
posternd_CFLAGS = $(AM_CFLAGS) $(MILTER_CFLAGS)
posternd_LDADD = libgate.a libsql.a libfile.a libpolicy.a libbase.a \
	$(MILTER_LIBS) $(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(LIBPQ_LIBS) $(YAML_LIBS) \
	$(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
