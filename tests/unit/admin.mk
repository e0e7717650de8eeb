# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

dist_check_SCRIPTS += tests/unit/dashboard.py tests/unit/explain.sh tests/unit/export.py tests/unit/metrics.py tests/unit/report.py tests/unit/retries.py tests/unit/release.py tests/unit/top.py tests/unit/summary.py tests/unit/unhold.py
TESTS += tests/unit/dashboard.py tests/unit/explain.sh tests/unit/export.py tests/unit/metrics.py tests/unit/report.py tests/unit/retries.py tests/unit/release.py tests/unit/top.py tests/unit/summary.py tests/unit/unhold.py

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_learn
TESTS += tests/unit/test_learn
tests_unit_test_learn_SOURCES = tests/unit/test_learn.c tests/unit/folder.c tests/unit/folder.h
tests_unit_test_learn_CFLAGS = $(POLICY_FILE_CFLAGS)
tests_unit_test_learn_LDADD = liblearn.a $(POLICY_FILE_LIBS)
endif

# The parts of postern notify.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_notify
TESTS += tests/unit/test_notify
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c admin/notify_run.c admin/notify_state.c admin/notify_text.c admin/mail.c \
	admin/limits_print.c
tests_unit_test_notify_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_notify_LDADD = liblearn.a libpolicy.a libbase.a $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) \
	$(CMOCKA_LIBS)
endif

# What Exchange Online's replies mean.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_m365
TESTS += tests/unit/test_m365
tests_unit_test_m365_SOURCES = tests/unit/test_m365.c admin/m365.c admin/m365.h
tests_unit_test_m365_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_m365_LDADD = libbase.a $(CMOCKA_LIBS)
endif

# Lines of MTAs' logs.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_maillog
TESTS += tests/unit/test_maillog
tests_unit_test_maillog_SOURCES = tests/unit/test_maillog.c
tests_unit_test_maillog_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_maillog_LDADD = libmaillog.a libbase.a $(CMOCKA_LIBS)
endif

# Reports by mail.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_dsn
TESTS += tests/unit/test_dsn
tests_unit_test_dsn_SOURCES = tests/unit/test_dsn.c
tests_unit_test_dsn_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dsn_LDADD = libmaillog.a libbase.a $(CMOCKA_LIBS)
endif

# Next hops in a policy and in a log.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_hop
TESTS += tests/unit/test_hop
tests_unit_test_hop_SOURCES = tests/unit/test_hop.c admin/follow_hop.c
tests_unit_test_hop_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_hop_LDADD = libmaillog.a libbase.a $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/unit/test_pause
TESTS += tests/unit/test_pause
tests_unit_test_pause_SOURCES = tests/unit/test_pause.c admin/m365.c admin/m365.h
tests_unit_test_pause_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pause_LDADD = libgate.a libpolicy.a libbase.a $(CMOCKA_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)

# In what mail differs from that before.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_drift
TESTS += tests/unit/test_drift
tests_unit_test_drift_SOURCES = tests/unit/test_drift.c admin/drift.c admin/drift.h
tests_unit_test_drift_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_drift_LDADD = liblearn.a libbase.a $(CMOCKA_LIBS) -lm
endif
