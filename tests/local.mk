# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

include tests/unit/base.mk
include tests/unit/policy.mk
include tests/unit/file.mk
include tests/unit/sql.mk
include tests/unit/gate.mk
include tests/unit/admin.mk
include tests/scenario/local.mk
include tests/store/local.mk
include tests/corpus/local.mk
include tests/e2e/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/guide/local.mk

dist_check_SCRIPTS += tests/check-docs tests/check-guide
TESTS += tests/check-docs tests/check-guide

dist_check_SCRIPTS += tests/check-layers
TESTS += tests/check-layers
