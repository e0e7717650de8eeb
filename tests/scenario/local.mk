# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

SCENARIOS = \
	tests/scenario/mail.txt \
	tests/scenario/rcpt.txt \
	tests/scenario/header.txt \
	tests/scenario/body.txt \
	tests/scenario/limits.txt \
	tests/scenario/modes.txt

check_PROGRAMS += tests/scenario/run
tests_scenario_run_SOURCES = tests/scenario/run.c tests/scenario/fake.c tests/scenario/fake.h \
	gate/audit.c gate/log.c gate/session.c gate/snapshot.c gate/strip.c
tests_scenario_run_LDADD = libfile.a libpolicy.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)

TESTS += tests/scenario/all.sh
dist_check_SCRIPTS += tests/scenario/all.sh
EXTRA_DIST += $(SCENARIOS) tests/scenario/policy.yaml tests/scenario/trial.yaml tests/scenario/contoso.txt tests/scenario/globex.txt
