# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += \
	tests/e2e/test_audit.py \
	tests/e2e/test_away.py \
	tests/e2e/test_crash.py \
	tests/e2e/test_follow.py \
	tests/e2e/test_hold.py \
	tests/e2e/test_learn.py \
	tests/e2e/test_limits.py \
	tests/e2e/test_pause.py \
	tests/e2e/test_postfix.py \
	tests/e2e/test_reload.py \
	tests/e2e/test_reports.py \
	tests/e2e/test_rules.py \
	tests/e2e/test_sendmail.py \
	tests/e2e/test_simulate.py \
	tests/e2e/test_summary.py \
	tests/e2e/test_store_faults.py tests/e2e/test_relays.py \
	tests/lib/dozen.py \
	tests/lib/dozen_apps.py \
	tests/lib/history.py \
	tests/lib/postgres.py \
	tests/lib/posterntest.py \
	tests/lib/relay.py \
	tests/lib/chromium.py tests/lib/dashboard_rows.py tests/lib/reports.py tests/lib/schema.py \
	tests/lsan.supp \
	tests/run
