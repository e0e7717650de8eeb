-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 2, the first that PostgreSQL has: the tables of SQLite's schemas 1 and 2. Times are
-- milliseconds since 1970 UTC.

-- One row per message decided at its end (and the first refused one of a kind).
CREATE TABLE messages (
	id TEXT PRIMARY KEY, time BIGINT NOT NULL, relay TEXT, queue_id TEXT, stage TEXT,
	-- what happened
	verdict TEXT, reason TEXT, code BIGINT, enhanced TEXT, text TEXT,
	-- what would have happened with nothing on trial
	would TEXT, would_reason TEXT, would_text TEXT, mode TEXT,
	app TEXT, tenant TEXT, method TEXT, department TEXT,
	client TEXT, client_name TEXT, helo TEXT, login TEXT, tls TEXT, certificate TEXT,
	certificate_issuer TEXT, picked_up BIGINT,
	sender TEXT, sender_domain TEXT, header_from TEXT, header_from_domain TEXT,
	header_sender TEXT, subject TEXT, message_id TEXT,
	-- what is wrong with the form of header and body: reason keywords
	form TEXT,
	size BIGINT, recipients BIGINT, internal BIGINT, external BIGINT, local BIGINT,
	signing TEXT, stripped BIGINT, policy TEXT, trace TEXT, decide_us BIGINT,
	rowid BIGINT GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX messages_time ON messages (time);
CREATE INDEX messages_app_time ON messages (app, time);
CREATE INDEX messages_queue_id ON messages (queue_id);

CREATE TABLE recipients (
	message_id TEXT, number BIGINT, address TEXT, domain TEXT, place TEXT,
	accepted BIGINT, reason TEXT,
	PRIMARY KEY (message_id, number)
);

CREATE TABLE signatures (
	message_id TEXT, number BIGINT, domain TEXT, selector TEXT, algorithm TEXT, result TEXT,
	PRIMARY KEY (message_id, number)
);

-- What each message was held against; used_before and count as they were then.
CREATE TABLE charges (
	message_id TEXT, number BIGINT, name TEXT, key TEXT, amount BIGINT,
	used_before BIGINT, count BIGINT, over BIGINT, exceeded BIGINT, charged BIGINT,
	PRIMARY KEY (message_id, number)
);

-- The rules that matched a message, or could not be decided.
CREATE TABLE rule_matches (
	message_id TEXT, number BIGINT, rule TEXT, action TEXT, mode TEXT, answer TEXT,
	decided BIGINT,
	PRIMARY KEY (message_id, number)
);

-- The rules of each policy that decided messages, in their order, with a digest of
-- the conditions; policy is the digest in messages.
CREATE TABLE policy_rules (
	policy TEXT, number BIGINT, rule TEXT, conditions TEXT,
	PRIMARY KEY (policy, number)
);

-- Refusals, counted by kind.
CREATE TABLE refusals (
	id TEXT, reason TEXT, stage TEXT, first_time BIGINT, last_time BIGINT, count BIGINT,
	verdict TEXT, code BIGINT, enhanced TEXT, text TEXT, app TEXT, tenant TEXT, method TEXT,
	client TEXT, login TEXT, tls TEXT, certificate TEXT, certificate_issuer TEXT,
	sender TEXT, header_from TEXT, recipient TEXT, queue_id TEXT, policy TEXT,
	PRIMARY KEY (id, reason, stage)
);
CREATE INDEX refusals_last_time ON refusals (last_time);

-- The counters of the limits; unit: 0 messages, 1 recipients, 2 external recipients, 3 bytes.
CREATE TABLE limits (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope TEXT NOT NULL, unit BIGINT NOT NULL,
	period BIGINT NOT NULL, key TEXT NOT NULL, name TEXT, count BIGINT,
	UNIQUE (scope, unit, period, key)
);
CREATE TABLE limit_use (
	limit_id BIGINT, slot BIGINT, used BIGINT,
	PRIMARY KEY (limit_id, slot)
);

-- Mail that the MTA keeps in its hold queue. state: waiting (for a limit), kept (by a rule, until
-- somebody lets it go), granted (charged, the MTA is to be told), missing (the MTA was told and does
-- not hold it so far), released, gone (the MTA does not hold it any more).
-- It waits for limit_id, 0 for none; who let it go where an operator did.
CREATE TABLE held (
	number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, relay TEXT, queue_id TEXT,
	app TEXT, tenant TEXT, limit_id BIGINT, state TEXT NOT NULL,
	held_time BIGINT, granted_time BIGINT, released_time BIGINT, who TEXT
);
CREATE INDEX held_state ON held (relay, state, limit_id, app, number);
CREATE INDEX held_queue_id ON held (relay, queue_id);
-- What a waiting message will be charged, and a granted one was, until it has left.
CREATE TABLE held_charges (
	message_id TEXT, number BIGINT, limit_id BIGINT, amount BIGINT, over BIGINT, granted BIGINT,
	PRIMARY KEY (message_id, number)
);
CREATE INDEX held_charges_limit ON held_charges (limit_id, over, granted);

-- What operators asked for, and when and how it took effect.
CREATE TABLE acts (
	id TEXT PRIMARY KEY, time BIGINT, who TEXT, what TEXT, limit_name TEXT, key TEXT,
	amount BIGINT, until BIGINT, message_id TEXT, applied_time BIGINT, result TEXT
);
CREATE INDEX acts_time ON acts (time);

-- Limits that came near, were reached, were free again.
CREATE TABLE events (
	number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time BIGINT, relay TEXT, kind TEXT, limit_name TEXT, key TEXT,
	unit BIGINT, period BIGINT, used BIGINT, count BIGINT, over BIGINT, app TEXT, tenant TEXT,
	message_id TEXT
);
CREATE INDEX events_time ON events (time);

-- The relays that write here; batch: the number of the last transaction, by which a relay
-- knows after a lost connection whether it was done.
CREATE TABLE relays (
	relay TEXT PRIMARY KEY, seen BIGINT, batch BIGINT, version TEXT
);
-- What operators ask for; see acts.
CREATE TABLE requests (
	number BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE, id TEXT PRIMARY KEY, time BIGINT, who TEXT, what TEXT, limit_name TEXT, key TEXT,
	amount BIGINT, until BIGINT, message_id TEXT
);
