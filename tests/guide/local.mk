# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += \
	tests/guide/asked.py \
	tests/guide/fortnight.py \
	tests/guide/limited.py \
	tests/guide/pages.py \
	tests/guide/relayed.py \
	tests/guide/week.py
