#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause
# Runs all scenarios at once, so that the runner can tell which reasons no script meets.
SCENARIOS=${srcdir:-.}/tests/scenario
exec ./tests/scenario/run "$SCENARIOS/mail.txt" "$SCENARIOS/rcpt.txt" "$SCENARIOS/header.txt" \
	"$SCENARIOS/body.txt" "$SCENARIOS/limits.txt" "$SCENARIOS/pause.txt" "$SCENARIOS/modes.txt" \
	"$SCENARIOS/away.txt" "$SCENARIOS/budget.txt" "$SCENARIOS/rules.txt" "$SCENARIOS/rules_body.txt"
