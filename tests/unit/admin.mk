# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

dist_check_SCRIPTS += tests/unit/explain.sh
TESTS += tests/unit/explain.sh
