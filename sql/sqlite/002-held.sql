-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 2: held mail, what operators did, what happened to limits.

-- Mail that the MTA keeps in its hold queue. state: waiting (for a limit), kept (by a rule, until
-- somebody lets it go), granted (charged, the MTA is to be told), missing (the MTA was told and does
-- not hold it so far), released, gone (the MTA does not hold it any more).
-- It waits for limit_id, 0 for none; who let it go where an operator did.
CREATE TABLE held (
	number INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, relay TEXT, queue_id TEXT,
	app TEXT, tenant TEXT, limit_id INTEGER, state TEXT NOT NULL,
	held_time INTEGER, granted_time INTEGER, released_time INTEGER, who TEXT
);
CREATE INDEX held_state ON held (relay, state, limit_id, app, number);
CREATE INDEX held_queue_id ON held (relay, queue_id);
CREATE INDEX held_released ON held (released_time) WHERE released_time > 0;
-- What a waiting message will be charged, and a granted one was, until it has left.
CREATE TABLE held_charges (
	message_id TEXT, number INTEGER, limit_id INTEGER, amount INTEGER, over INTEGER, granted INTEGER,
	kept INTEGER, reserves TEXT,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;
CREATE INDEX held_charges_limit ON held_charges (limit_id, over, granted);

-- What operators asked for, and when and how it took effect. scope, unit and period: of the limit.
CREATE TABLE acts (
	id TEXT PRIMARY KEY, time INTEGER, who TEXT, what TEXT, limit_name TEXT, key TEXT,
	amount INTEGER, until INTEGER, message_id TEXT, scope TEXT, unit INTEGER, period INTEGER,
	applied_time INTEGER, result TEXT
);
CREATE INDEX acts_time ON acts (time);
CREATE INDEX acts_limit ON acts (limit_name, key, applied_time);

-- Limits that came near, were reached, were free again; see sql/events.c.
CREATE TABLE events (
	number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER, relay TEXT, kind TEXT, limit_name TEXT,
	scope TEXT, key TEXT, unit INTEGER, period INTEGER, used INTEGER, count INTEGER, boost INTEGER, over INTEGER,
	mode TEXT, app TEXT, tenant TEXT, message_id TEXT
);
CREATE INDEX events_time ON events (time);
CREATE INDEX events_counter ON events (limit_name, key, number);

-- Added to the count of a limit until then, by this act; when an operator last changed it. Its last events; when it is reached, it is
-- free as soon as `need` more fit, not before free_time. All times are of the limits' clock.
ALTER TABLE limits ADD COLUMN boost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN boost_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN boost_act TEXT NOT NULL DEFAULT '';
ALTER TABLE limits ADD COLUMN changed_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN near_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN reached_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN freed_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN need INTEGER NOT NULL DEFAULT 0;
ALTER TABLE limits ADD COLUMN free_time INTEGER NOT NULL DEFAULT 0;
CREATE INDEX limits_changed ON limits (changed_time) WHERE changed_time > 0;
CREATE INDEX limits_reached ON limits (free_time) WHERE need > 0;

-- What a relay granted while the database that it shares was away, until that is reported; see
-- sql/report.c. The file's own name there, and the number of the next report of refusals.
CREATE TABLE share (
	one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT, number INTEGER
);
-- The charges of its messages, as the whole limits have them; the same numbers as in charges.
CREATE TABLE share_charges (
	message_id TEXT, number INTEGER, scope TEXT, unit INTEGER, period INTEGER, key TEXT, name TEXT,
	count INTEGER, amount INTEGER, over INTEGER, enforced INTEGER, kept INTEGER, reserves TEXT,
	-- of the limits' clock
	time INTEGER,
	PRIMARY KEY (message_id, number)
) WITHOUT ROWID;
-- Refusals that are being reported; the columns of refusals.
CREATE TABLE share_refusals (
	id TEXT, reason TEXT, stage TEXT, first_time INTEGER, last_time INTEGER, count INTEGER,
	verdict TEXT, code INTEGER, enhanced TEXT, text TEXT, app TEXT, tenant TEXT, method TEXT,
	client TEXT, login TEXT, tls TEXT, certificate TEXT, certificate_issuer TEXT,
	sender TEXT, header_from TEXT, recipient TEXT, queue_id TEXT, policy TEXT
);
