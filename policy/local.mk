# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

noinst_LIBRARIES += libpolicy.a
libpolicy_a_CFLAGS = $(AM_CFLAGS) $(IDN2_CFLAGS) $(PSL_CFLAGS) $(PCRE2_CFLAGS)
libpolicy_a_SOURCES = \
	policy/address.c policy/address.h \
	policy/alignment.c policy/alignment.h \
	policy/budget.c policy/budget.h \
	policy/charset.c policy/charset.h \
	policy/decide.c policy/decide.h \
	policy/display.c policy/display.h \
	policy/domain.c policy/domain.h \
	policy/flow.c policy/flow.h \
	policy/header.c policy/header.h \
	policy/identify.c policy/identify.h \
	policy/limit.c policy/limit.h \
	policy/match.c policy/match.h \
	policy/message.c policy/message.h \
	policy/method.c policy/method.h \
	policy/mime.c policy/mime.h \
	policy/network.c policy/network.h \
	policy/param.c policy/param.h \
	policy/part.c policy/part.h \
	policy/pattern.c \
	policy/pause.c policy/pause.h \
	policy/policy.c policy/policy.h \
	policy/reason.c policy/reason.h \
	policy/regex.c policy/regex.h policy/regex-private.h \
	policy/regex_pattern.c policy/regex_scan.c \
	policy/rule.c policy/rule.h policy/rule-private.h \
	policy/rule_body.c policy/rule_condition.c \
	policy/trace.c policy/trace.h \
	policy/transfer.c policy/transfer.h \
	policy/words.c policy/words.h
