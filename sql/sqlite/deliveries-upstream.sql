-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The follower's own file, version 2: replies of the tenants' own next hops that stop more than their message
-- (policy/pause.h). sql/postgres/005-upstream.sql has the same table.

-- sender: whose mail, "" everybody's, "@contoso.com", "a@contoso.com". relay: whose mail, "" of every relay.
-- since: when it was said first, said: last, times: how often, good: when such mail was last taken after that.
CREATE TABLE upstream (
	tenant TEXT, sender TEXT, relay TEXT, keyword TEXT, external_only INTEGER, wait_ms INTEGER, reply TEXT,
	since INTEGER, said INTEGER, times INTEGER, good INTEGER, PRIMARY KEY (tenant, sender, relay, keyword)
);
