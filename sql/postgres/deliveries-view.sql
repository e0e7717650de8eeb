-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What became of the mail of the audit: each delivery with its message, the one of the same relay and queue
-- id that is nearest before it. Made anew after each step, as views.sql is.
-- sql/sqlite/deliveries-view.sql is its twin.

DROP VIEW IF EXISTS mail_deliveries;
CREATE VIEW mail_deliveries AS
	SELECT to_char(to_timestamp(d.time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, d.time, d.first_time,
	       coalesce(m.id, '') AS message_id, coalesce(m.app, '') AS app, coalesce(m.tenant, '') AS tenant,
	       coalesce(m.method, '') AS method, coalesce(m.sender, '') AS sender,
	       d.relay, d.instance, d.queue_id, d.origin_id, d.recipient, d.original, d.status, d.dsn, d.next_hop,
	       CASE WHEN replace(d.next_hop_of, ',' || m.tenant || ',', '') <> d.next_hop_of THEN 1 ELSE 0 END AS believed,
	       d.tls, d.delay_ms, d.reply, d.attempts, d.closed
	FROM deliveries d LEFT JOIN LATERAL (
		SELECT n.id, n.app, n.tenant, n.method, n.sender FROM messages n
		WHERE n.queue_id = d.origin_id AND n.relay = d.relay AND n.time <= d.first_time + 999
		ORDER BY n.time DESC LIMIT 1) AS m ON true;

-- What was reported by mail after a 250, whoever mailed it, with the message whose audit id it has, if there is one.
DROP VIEW IF EXISTS mail_reports;
CREATE VIEW mail_reports AS
	SELECT to_char(to_timestamp(r.time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
	       r.time, coalesce(m.id, '') AS message_id, coalesce(m.app, '') AS app, coalesce(m.tenant, '') AS tenant,
	       coalesce(m.sender, '') AS sender, r.relay, r.recipient, r.original, r.action, r.status, r.reply, r.reporter, r.remote,
	       r.via, r.path, r.next_hop_of, r.audit_id, r.header_id, r.file
	FROM reported r LEFT JOIN messages m ON m.id = r.audit_id;
