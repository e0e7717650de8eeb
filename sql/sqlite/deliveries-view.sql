-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What became of the mail of the audit: each delivery with its message, the one of the same relay and queue
-- id that is nearest before it. For the sqlite3 shell, on the store, with the follower's file attached:
--     sqlite3 -readonly /var/lib/postern/postern.db
--     ATTACH '/var/lib/postern/postern.db-deliveries' AS follower;
--     .read /usr/local/share/postern/sqlite/deliveries-view.sql
-- sql/postgres/deliveries-view.sql is its twin.

CREATE TEMP VIEW mail_deliveries AS
	SELECT strftime('%Y-%m-%dT%H:%M:%SZ', d.time / 1000, 'unixepoch') AS at, d.time, d.first_time,
	       coalesce(m.id, '') AS message_id, coalesce(m.app, '') AS app, coalesce(m.tenant, '') AS tenant,
	       coalesce(m.method, '') AS method, coalesce(m.sender, '') AS sender,
	       d.relay, d.instance, d.queue_id, d.origin_id, d.recipient, d.original, d.status, d.dsn, d.next_hop,
	       CASE WHEN replace(d.next_hop_of, ',' || m.tenant || ',', '') <> d.next_hop_of THEN 1 ELSE 0 END AS believed,
	       d.tls, d.delay_ms, d.reply, d.attempts, d.closed
	FROM follower.deliveries d LEFT JOIN main.messages m ON m.id = (
		SELECT n.id FROM main.messages n WHERE n.queue_id = d.origin_id AND n.relay = d.relay AND n.time <= d.first_time + 999
		ORDER BY n.time DESC LIMIT 1);

-- What was reported by mail after a 250, whoever mailed it, with the message whose audit id it has, if there is one.
CREATE TEMP VIEW mail_reports AS
	SELECT strftime('%Y-%m-%dT%H:%M:%SZ', r.time / 1000, 'unixepoch') AS at,
	       r.time, coalesce(m.id, '') AS message_id, coalesce(m.app, '') AS app, coalesce(m.tenant, '') AS tenant,
	       coalesce(m.sender, '') AS sender, r.relay, r.recipient, r.original, r.action, r.status, r.reply, r.reporter, r.remote,
	       r.via, r.path, r.next_hop_of, r.audit_id, r.header_id, r.file
	FROM follower.reported r LEFT JOIN main.messages m ON m.id = r.audit_id;
