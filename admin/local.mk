# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

bin_PROGRAMS += postern
postern_SOURCES = \
	admin/check.c \
	admin/command.h \
	admin/database.c admin/database.h \
	admin/difference.c admin/difference.h \
	admin/explain.c admin/explain.h admin/explain_past.c \
	admin/main.c \
	admin/saved.c \
	admin/saved.h \
	admin/when.c admin/when.h \
	admin/simulate.c \
	admin/schema.c
postern_LDADD = libgate.a libsql.a libfile.a libpolicy.a libbase.a \
	$(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) \
	$(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
