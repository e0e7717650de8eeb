# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libfile.a
libfile_a_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
libfile_a_SOURCES = \
	policy/file/accepted.c \
	policy/file/build.c policy/file/build.h \
	policy/file/build_app.c policy/file/build_rule.c policy/file/build_top.c \
	policy/file/cross.c \
	policy/file/exchange.c \
	policy/file/file.h \
	policy/file/load.c \
	policy/file/options.c \
	policy/file/problem.c \
	policy/file/reserve.c \
	policy/file/schema.c policy/file/schema.h \
	policy/file/schema_json.c \
	policy/file/yaml.c policy/file/yaml.h
