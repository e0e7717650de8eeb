# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

dist_man_MANS += doc/postern.1 doc/postern-audit.5 doc/postern.yaml.5 doc/posternd.8 doc/postern-unhold.8

guidedir = $(docdir)/guide
dist_guide_DATA = \
	doc/guide/README.md \
	doc/guide/asking.md \
	doc/guide/audit.md \
	doc/guide/dashboard.md \
	doc/guide/delivery.md \
	doc/guide/dkim.md \
	doc/guide/failures.md \
	doc/guide/held.md \
	doc/guide/install.md \
	doc/guide/learn.md \
	doc/guide/limits.md \
	doc/guide/monitor.md \
	doc/guide/odd-messages.md \
	doc/guide/policy.md \
	doc/guide/postfix.md \
	doc/guide/questions.md \
	doc/guide/refusals.md \
	doc/guide/relays.md \
	doc/guide/reports.md \
	doc/guide/rules.md \
	doc/guide/sendmail.md \
	doc/guide/simulate.md \
	doc/guide/summary.md
