# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

SCENARIOS = \
	tests/scenario/mail.txt tests/scenario/pause.txt \
	tests/scenario/rcpt.txt \
	tests/scenario/header.txt \
	tests/scenario/body.txt \
	tests/scenario/limits.txt \
	tests/scenario/modes.txt \
	tests/scenario/away.txt \
	tests/scenario/budget.txt \
	tests/scenario/rules.txt \
	tests/scenario/rules_body.txt

check_PROGRAMS += tests/scenario/run
STAGE = tests/scenario/fake.c tests/scenario/fake.h tests/scenario/stage.c tests/scenario/stage.h \
	gate/audit.c gate/day.c gate/log.c gate/pauses.c gate/session.c gate/session_sign.c gate/snapshot.c gate/spool.c gate/strip.c
STAGE_LIBS = libfile.a libpolicy.a libbase.a $(YAML_LIBS) $(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS)
tests_scenario_run_SOURCES = tests/scenario/run.c $(STAGE)
tests_scenario_run_LDADD = $(STAGE_LIBS)

check_PROGRAMS += tests/scenario/borders
tests_scenario_borders_SOURCES = tests/scenario/borders.c $(STAGE)
tests_scenario_borders_LDADD = $(STAGE_LIBS)

check_PROGRAMS += tests/scenario/catastrophe
tests_scenario_catastrophe_SOURCES = tests/scenario/catastrophe.c $(STAGE)
tests_scenario_catastrophe_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_scenario_catastrophe_LDADD = $(STAGE_LIBS)

check_PROGRAMS += tests/scenario/shortage
tests_scenario_shortage_SOURCES = tests/scenario/shortage.c $(STAGE)
tests_scenario_shortage_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
tests_scenario_shortage_LDADD = $(STAGE_LIBS)

TESTS += tests/scenario/all.sh tests/scenario/borders tests/scenario/catastrophe tests/scenario/shortage
dist_check_SCRIPTS += tests/scenario/all.sh
EXTRA_DIST += $(SCENARIOS) tests/scenario/policy.yaml tests/scenario/away.yaml tests/scenario/budget.yaml tests/scenario/rules.yaml tests/scenario/trial.yaml tests/scenario/contoso.txt tests/scenario/globex.txt
