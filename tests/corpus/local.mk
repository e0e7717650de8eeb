# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += \
	tests/corpus/deviations.json \
	tests/corpus/explained.py \
	tests/corpus/messages.jsonl \
	tests/corpus/ruled.py \
	tests/corpus/run.py
