-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The follower's own file, version 3: what was reported by mail after a 250, and sums for monitoring.
-- sql/postgres/006-reported.sql has the same tables.

-- One row per recipient of a report, whoever mailed it: who reads it asks whether the audit has such a message.
-- time: when the report came. audit_id: X-Postern-Id of what it returned; header_id: else its Message-ID.
-- via: the client that the last server had it from, as that says; path: 'exchange', 'next-hop' (of the tenants
-- next_hop_of), 'elsewhere', or 'unknown' where it came in no way that can be seen.
CREATE TABLE reported (
	number INTEGER PRIMARY KEY, relay TEXT NOT NULL, time INTEGER NOT NULL, digest TEXT NOT NULL,
	audit_id TEXT NOT NULL, header_id TEXT NOT NULL, recipient TEXT NOT NULL, original TEXT NOT NULL,
	action TEXT, status TEXT, reporter TEXT, remote TEXT, reply TEXT, via TEXT, path TEXT, next_hop_of TEXT, file TEXT
);
CREATE UNIQUE INDEX reported_once ON reported (digest, recipient, relay);
CREATE INDEX reported_audit_id ON reported (audit_id);
CREATE INDEX reported_header_id ON reported (header_id) WHERE header_id <> '';
CREATE INDEX reported_time ON reported (time);

-- Files that were read, by what of their name stays. time: of the file.
CREATE TABLE report_files (
	relay TEXT, folder TEXT, name TEXT, time INTEGER, PRIMARY KEY (relay, folder, name)
);
CREATE INDEX report_files_time ON report_files (time);

-- What was read, since the file was made; it only grows. kind 'try': tenants whose next hop it was, status, and the class of
-- what the reply means. kind 'report': action and class. kind 'file': what it was, as its status.
CREATE TABLE delivery_counts (
	relay TEXT, kind TEXT, tenants TEXT, status TEXT, class TEXT, count INTEGER, PRIMARY KEY (relay, kind, tenants, status, class)
);
-- When the follower last looked, and how old what it read last was then; 0 at the log's end.
CREATE TABLE follower_state (relay TEXT PRIMARY KEY, time INTEGER, behind_ms INTEGER);
