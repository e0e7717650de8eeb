# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libpolicy.a
libpolicy_a_CFLAGS = $(AM_CFLAGS) $(IDN2_CFLAGS) $(PSL_CFLAGS)
libpolicy_a_SOURCES = \
	policy/address.c policy/address.h \
	policy/display.c policy/display.h \
	policy/domain.c policy/domain.h \
	policy/header.c policy/header.h \
	policy/limit.h \
	policy/network.c policy/network.h \
	policy/pattern.c \
	policy/policy.h
