# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += contrib/postern.yaml.sample contrib/accepted-domains.csv.sample

EXTRA_DIST += contrib/quickstart contrib/quickstart.py
EXTRA_DIST += contrib/prometheus/postern.rules.yml contrib/prometheus/postern-dashboard.json
EXTRA_DIST += contrib/systemd/postern-metrics.service contrib/systemd/postern-metrics.timer
EXTRA_DIST += contrib/systemd/postern-summary.service contrib/systemd/postern-summary.timer
EXTRA_DIST += contrib/systemd/postern-dashboard.service contrib/systemd/postern-follow.service contrib/systemd/postern-notify.service contrib/systemd/postern-release.service
EXTRA_DIST += contrib/postfix/postern-reply-filter
