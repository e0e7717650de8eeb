# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libmaillog.a
libmaillog_a_SOURCES = \
	maillog/dsn.c maillog/dsn.h \
	maillog/internal.h \
	maillog/maillog.c maillog/maillog.h \
	maillog/postfix.c \
	maillog/sendmail.c \
	maillog/stamp.c
