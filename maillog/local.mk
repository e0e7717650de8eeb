# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libmaillog.a
libmaillog_a_SOURCES = \
	maillog/internal.h \
	maillog/maillog.c maillog/maillog.h \
	maillog/postfix.c \
	maillog/sendmail.c \
	maillog/stamp.c
