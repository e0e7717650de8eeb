# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

bin_PROGRAMS += postern
postern_SOURCES = \
	admin/check.c \
	admin/command.h \
	admin/database.c admin/database.h \
	admin/explain.c \
	admin/main.c \
	admin/saved.c \
	admin/saved.h \
	admin/schema.c
postern_LDADD = libgate.a libsql.a libfile.a libpolicy.a libbase.a \
	$(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) \
	$(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
