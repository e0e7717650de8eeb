-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The follower's own file beside the store, version 1: what became of the mail, as the MTA's log
-- tells. sql/postgres/004-deliveries.sql has the same tables. Times are milliseconds since 1970 UTC.

-- One row per recipient of a message in the queue. queue_id: as it is now; origin_id: as it was when the
-- message came, before an operator requeued it. time, dsn, reply, ...: of the last try.
-- status: sent deferred bounced expired deleted. next_hop_of: the tenants whose next-hop this was in the policy
-- then, ",contoso,fabrikam,". closed: when the message left the queue; from then on the MTA may use the id again.
CREATE TABLE deliveries (
	number INTEGER PRIMARY KEY, relay TEXT NOT NULL, instance TEXT NOT NULL, queue_id TEXT NOT NULL, origin_id TEXT NOT NULL,
	recipient TEXT NOT NULL, original TEXT NOT NULL, first_time INTEGER, time INTEGER, status TEXT, dsn TEXT,
	next_hop TEXT, next_hop_of TEXT, tls TEXT, delay_ms INTEGER, reply TEXT, attempts INTEGER, closed INTEGER NOT NULL
);
CREATE UNIQUE INDEX deliveries_open ON deliveries (queue_id, relay, instance, recipient, original) WHERE closed = 0;
CREATE INDEX deliveries_queue_id ON deliveries (queue_id, relay);
CREATE INDEX deliveries_origin_id ON deliveries (origin_id, relay) WHERE origin_id <> queue_id;
CREATE INDEX deliveries_time ON deliveries (time);

-- The queue id that a requeued message had at first.
CREATE TABLE requeues (
	relay TEXT, instance TEXT, queue_id TEXT, old_id TEXT, time INTEGER, PRIMARY KEY (relay, instance, queue_id)
);
-- The last connection by TLS that a process of the MTA opened.
CREATE TABLE agent_tls (
	relay TEXT, instance TEXT, pid TEXT, host TEXT, tls TEXT, time INTEGER, PRIMARY KEY (relay, instance, pid)
);
-- How far a log was read: written with what was read. mark: the octets before the position, or the journal's cursor.
CREATE TABLE followed (
	relay TEXT, source TEXT, inode INTEGER, position INTEGER, mark TEXT, PRIMARY KEY (relay, source)
);
