-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The views, for PostgreSQL: the interface that stays, described in postern-audit(5).
-- sql/sqlite/views.sql has the same ones. Each can be made anew over what an older version
-- left: those that rest on others are dropped first.

DROP VIEW IF EXISTS mail_totals;
DROP VIEW IF EXISTS mail_hours;
DROP VIEW IF EXISTS limit_events;
DROP VIEW IF EXISTS limit_acts;
DROP VIEW IF EXISTS limit_boosts;
DROP VIEW IF EXISTS limit_usage;
DROP VIEW IF EXISTS stopped;
DROP VIEW IF EXISTS refused;
DROP VIEW IF EXISTS mail_held;
DROP VIEW IF EXISTS mail_rules;
DROP VIEW IF EXISTS mail_charges;
DROP VIEW IF EXISTS mail_signatures;
DROP VIEW IF EXISTS mail_recipients;
DROP VIEW IF EXISTS mail;
DROP VIEW IF EXISTS clock;

-- What time it is, in one row, so that a query needs no function for it.
CREATE VIEW clock AS
	SELECT now_ms, to_char(to_timestamp(now_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS now_at,
	       now_ms - now_ms % 86400000 AS today_ms,
	       CAST(3600000 AS BIGINT) AS hour_ms, CAST(86400000 AS BIGINT) AS day_ms
	FROM (SELECT CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) AS now_ms) AS n;

CREATE VIEW mail AS
	SELECT to_char(to_timestamp(time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
	       id, time, relay, queue_id, stage, verdict, reason, code, enhanced, text, would,
	       would_reason, would_text, mode, app, tenant, method, department, client, client_name,
	       helo, login, tls, certificate, certificate_issuer, picked_up, sender, sender_domain,
	       header_from, header_from_domain, header_sender, subject, message_id, form, size,
	       recipients, internal, external, local, signing, stripped, policy, trace, decide_us
	FROM messages;

-- The parts of a message, each with what tells which message it is of.
CREATE VIEW mail_recipients AS
	SELECT m.at, m.time, m.app, m.tenant, m.method, m.sender, m.verdict,
	       r.message_id, r.number, r.address, r.domain, r.place, r.accepted, r.reason
	FROM mail m JOIN recipients r ON r.message_id = m.id;
CREATE VIEW mail_signatures AS
	SELECT m.at, m.time, m.app, m.header_from_domain, m.verdict,
	       s.message_id, s.number, s.domain, s.selector, s.algorithm, s.result
	FROM mail m JOIN signatures s ON s.message_id = m.id;
CREATE VIEW mail_charges AS
	SELECT m.at, m.time, m.app, m.tenant, m.verdict,
	       c.message_id, c.number, c.name, c.key, c.amount, c.used_before, c.count,
	       CASE c.over WHEN 0 THEN 'observe' WHEN 1 THEN 'hold' WHEN 2 THEN 'defer' WHEN 3 THEN 'reject' END AS over,
	       c.exceeded, c.charged
	FROM mail m JOIN charges c ON c.message_id = m.id;
CREATE VIEW mail_rules AS
	SELECT m.at, m.time, m.app, m.sender, m.verdict,
	       r.message_id, r.number, r.rule, r.action, r.mode, r.answer, r.decided
	FROM mail m JOIN rule_matches r ON r.message_id = m.id;
CREATE VIEW mail_held AS
	SELECT m.at, m.time, m.app, m.tenant, m.method, m.client, m.sender, m.recipients, m.external, m.verdict, m.reason,
	       m.id AS message_id, m.relay, m.queue_id, coalesce(h.state, '') AS state, coalesce(h.who, '') AS who,
	       CASE WHEN h.released_time > 0 THEN to_char(to_timestamp(h.released_time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE '' END AS released_at,
	       coalesce(h.released_time, 0) AS released_time
	FROM mail m LEFT JOIN held h ON h.message_id = m.id
	WHERE m.verdict = 'hold';

CREATE VIEW refused AS
	SELECT to_char(to_timestamp(first_time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS first_at,
	       to_char(to_timestamp(last_time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_at,
	       id, reason, stage, first_time, last_time, count, verdict, code, enhanced, text, app,
	       tenant, method, client, login, tls, certificate, certificate_issuer, sender,
	       header_from, recipient, queue_id, policy, relay, department
	FROM refusals;

-- All that was refused: what was counted, and the messages that a limit stopped at their
-- end. The first of a counted kind is not told twice.
CREATE VIEW stopped AS
	SELECT first_at, last_at, first_time, last_time, count, id, stage, verdict, reason, code, enhanced, text,
	       app, tenant, method, client, login, sender, header_from, recipient, queue_id
	FROM refused
	UNION ALL
	SELECT m.at, m.at, m.time, m.time, CAST(1 AS BIGINT), m.id, m.stage, m.verdict, m.reason, m.code, m.enhanced, m.text,
	       m.app, m.tenant, m.method, m.client, m.login, m.sender, m.header_from,
	       CAST(coalesce((SELECT r.address FROM recipients r WHERE r.message_id = m.id AND r.number = 0), '') AS TEXT),
	       m.queue_id
	FROM mail m
	WHERE m.verdict IN ('defer', 'reject')
	  AND NOT EXISTS (SELECT 1 FROM refusals f WHERE f.id = m.id AND f.reason = m.reason AND f.stage = m.stage);

-- Use over the last period of each limit, which has 60 slots, and what a boost adds to its count, as
-- of now or of the latest charge, whichever is later.
CREATE VIEW limit_usage AS
	SELECT name, scope, key, unit, period, count, boost, used,
	       CASE WHEN used < count + boost THEN count + boost - used ELSE 0 END AS remains
	FROM (SELECT l.name, l.scope, l.key,
		     CASE l.unit WHEN 0 THEN 'messages' WHEN 1 THEN 'recipients'
				 WHEN 2 THEN 'external-recipients' WHEN 3 THEN 'bytes' END AS unit,
		     l.period, l.count, CASE WHEN l.boost_until > seen.ms THEN l.boost ELSE 0 END AS boost,
		     coalesce((SELECT CAST(sum(u.used) AS BIGINT) FROM limit_use u WHERE u.limit_id = l.id
			       AND u.slot >= seen.ms * 60 / (l.period * 1000) - 60), 0) AS used
	      FROM limits l
	      CROSS JOIN (SELECT max(ms) AS ms FROM (SELECT now_ms AS ms FROM clock
						     UNION ALL SELECT seen FROM relays) AS times) AS seen
	     ) AS limits_used;

-- Room that operators added to limits, in force now.
CREATE VIEW limit_boosts AS
	SELECT l.name, l.scope, l.key,
	       CASE l.unit WHEN 0 THEN 'messages' WHEN 1 THEN 'recipients'
			   WHEN 2 THEN 'external-recipients' WHEN 3 THEN 'bytes' END AS unit,
	       l.period, l.count, l.boost,
	       to_char(to_timestamp(l.boost_until / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until_at,
	       l.boost_until AS until, coalesce(a.who, '') AS who,
	       to_char(to_timestamp(a.applied_time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since_at,
	       a.applied_time AS since
	FROM limits l CROSS JOIN clock LEFT JOIN acts a ON a.id = l.boost_act
	WHERE l.boost > 0 AND l.boost_until > now_ms;

-- What operators did to limits.
CREATE VIEW limit_acts AS
	SELECT to_char(to_timestamp(applied_time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
	       applied_time AS time, who, what, limit_name AS name, scope, key,
	       CASE unit WHEN 0 THEN 'messages' WHEN 1 THEN 'recipients'
			 WHEN 2 THEN 'external-recipients' WHEN 3 THEN 'bytes' END AS unit,
	       period, amount,
	       CASE WHEN until > 0 THEN to_char(to_timestamp(until / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END AS until_at,
	       until, result, id
	FROM acts WHERE what IN ('reset', 'boost', 'unboost');

-- What happened to limits.
CREATE VIEW limit_events AS
	SELECT to_char(to_timestamp(time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
	       time, number, relay, kind, limit_name AS name, scope, key,
	       CASE unit WHEN 0 THEN 'messages' WHEN 1 THEN 'recipients'
			 WHEN 2 THEN 'external-recipients' WHEN 3 THEN 'bytes' END AS unit,
	       period, used, count, boost,
	       CASE over WHEN 0 THEN 'observe' WHEN 1 THEN 'hold' WHEN 2 THEN 'defer' WHEN 3 THEN 'reject' END AS over,
	       mode, app, tenant, message_id
	FROM events;

-- The traffic of each hour, added up, and of all time; see sql/hours.h for what counts where.
CREATE VIEW mail_hours AS
	SELECT to_char(to_timestamp(hour / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, hour, relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing,
	       messages, counted, recipients, external, bytes, first_time, last_time, decide_us, within_1ms, within_2ms,
	       within_5ms, within_10ms, within_50ms, within_250ms, within_1s
	FROM hours WHERE hour > 0;
CREATE VIEW mail_totals AS
	SELECT relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing,
	       messages, counted, recipients, external, bytes, first_time, last_time, decide_us, within_1ms, within_2ms,
	       within_5ms, within_10ms, within_50ms, within_250ms, within_1s
	FROM hours WHERE hour = 0;
