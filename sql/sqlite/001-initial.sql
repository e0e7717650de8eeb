-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 1. Times are milliseconds since 1970 UTC; the views show them as ISO 8601.

-- One row per message decided at its end (and the first refused one of a kind).
CREATE TABLE messages (
	id TEXT PRIMARY KEY, time INTEGER NOT NULL, relay TEXT, queue_id TEXT, stage TEXT,
	-- what happened
	verdict TEXT, reason TEXT, code INTEGER, enhanced TEXT, text TEXT,
	-- what would have happened with nothing on trial
	would TEXT, would_reason TEXT, would_text TEXT, mode TEXT,
	app TEXT, tenant TEXT, method TEXT, department TEXT,
	client TEXT, client_name TEXT, helo TEXT, login TEXT, tls TEXT, certificate TEXT,
	certificate_issuer TEXT, picked_up INTEGER,
	sender TEXT, sender_domain TEXT, header_from TEXT, header_from_domain TEXT,
	header_sender TEXT, subject TEXT, message_id TEXT,
	-- what is wrong with the form of header and body: reason keywords
	form TEXT,
	size INTEGER, recipients INTEGER, internal INTEGER, external INTEGER, local INTEGER,
	signing TEXT, stripped INTEGER, policy TEXT, trace TEXT, decide_us INTEGER
);
CREATE INDEX messages_time ON messages (time);
CREATE INDEX messages_app_time ON messages (app, time);
CREATE INDEX messages_queue_id ON messages (queue_id);

CREATE TABLE recipients (
	message_id TEXT, number INTEGER, address TEXT, domain TEXT, place TEXT,
	accepted INTEGER, reason TEXT,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;

CREATE TABLE signatures (
	message_id TEXT, number INTEGER, domain TEXT, selector TEXT, algorithm TEXT, result TEXT,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;

-- What each message was held against; used_before and count as they were then.
CREATE TABLE charges (
	message_id TEXT, number INTEGER, name TEXT, key TEXT, amount INTEGER,
	used_before INTEGER, count INTEGER, over INTEGER, exceeded INTEGER, charged INTEGER,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;

-- The rules that matched a message, or could not be decided.
CREATE TABLE rule_matches (
	message_id TEXT, number INTEGER, rule TEXT, action TEXT, mode TEXT, answer TEXT,
	decided INTEGER,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;

-- The rules of each policy that decided messages, in their order, with a digest of
-- the conditions; policy is the digest in messages.
CREATE TABLE policy_rules (
	policy TEXT, number INTEGER, rule TEXT, conditions TEXT,
	PRIMARY KEY (policy, number)
) WITHOUT ROWID;

-- Refusals, counted by kind.
CREATE TABLE refusals (
	id TEXT, reason TEXT, stage TEXT, first_time INTEGER, last_time INTEGER, count INTEGER,
	verdict TEXT, code INTEGER, enhanced TEXT, text TEXT, app TEXT, tenant TEXT, method TEXT,
	client TEXT, login TEXT, tls TEXT, certificate TEXT, certificate_issuer TEXT,
	sender TEXT, header_from TEXT, recipient TEXT, queue_id TEXT, policy TEXT,
	PRIMARY KEY (id, reason, stage)
) WITHOUT ROWID;
CREATE INDEX refusals_last_time ON refusals (last_time);

-- The counters of the limits; unit: 0 messages, 1 recipients, 2 external recipients, 3 bytes.
CREATE TABLE limits (
	id INTEGER PRIMARY KEY, scope TEXT NOT NULL, unit INTEGER NOT NULL,
	period INTEGER NOT NULL, key TEXT NOT NULL, name TEXT, count INTEGER,
	UNIQUE (scope, unit, period, key)
);
CREATE TABLE limit_use (
	limit_id INTEGER, slot INTEGER, used INTEGER,
	PRIMARY KEY (limit_id, slot)
) WITHOUT ROWID;
-- The limits' clock; one row.
CREATE TABLE limit_clock (
	one INTEGER PRIMARY KEY CHECK (one = 1), boot_id TEXT,
	anchor_wall_ms INTEGER, anchor_boot_ms INTEGER, latest_ms INTEGER
);

-- The views are the interface that stays.
CREATE VIEW mail AS
	SELECT strftime('%Y-%m-%dT%H:%M:%SZ', time / 1000, 'unixepoch') AS at, * FROM messages;
CREATE VIEW mail_recipients AS
	SELECT m.at, m.app, m.sender, m.verdict, r.* FROM recipients r JOIN mail m ON m.id = r.message_id;
CREATE VIEW refused AS
	SELECT strftime('%Y-%m-%dT%H:%M:%SZ', first_time / 1000, 'unixepoch') AS first_at,
	       strftime('%Y-%m-%dT%H:%M:%SZ', last_time / 1000, 'unixepoch') AS last_at, *
	FROM refusals;
-- Use over the last period of each limit, seen from the latest charge.
CREATE VIEW limit_usage AS
	SELECT l.name, l.scope, l.key, l.unit, l.period, l.count,
	       coalesce((SELECT sum(u.used) FROM limit_use u WHERE u.limit_id = l.id
			 AND u.slot >= (SELECT latest_ms FROM limit_clock) * 60 / (l.period * 1000) - 60),
			0) AS used
	FROM limits l;
