# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

sbin_PROGRAMS += postern-unhold
postern_unhold_SOURCES = unhold/unhold.c
postern_unhold_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTSUPER='"$(POSTSUPER)"' -DPOSTQUEUE='"$(POSTQUEUE)"' -DSENDMAIL='"$(SENDMAIL)"'
postern_unhold_LDADD = libbase.a
