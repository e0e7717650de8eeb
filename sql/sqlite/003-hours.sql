-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 3: the traffic of each hour, added up, and of all time (hour 0).

ALTER TABLE refusals ADD COLUMN relay TEXT NOT NULL DEFAULT '';
ALTER TABLE refusals ADD COLUMN department TEXT NOT NULL DEFAULT '';
-- It keeps the columns of refusals.
ALTER TABLE share_refusals ADD COLUMN relay TEXT NOT NULL DEFAULT '';
ALTER TABLE share_refusals ADD COLUMN department TEXT NOT NULL DEFAULT '';

-- hour: when it began. What a policy names is what keeps rows apart, nothing that a client can make up.
-- counted: of the messages those that stand in refusals, so that their recipients and size are not known.
-- within_*: of the others, how many were decided and signed in that time.
CREATE TABLE hours (
	hour INTEGER NOT NULL, relay TEXT NOT NULL, app TEXT NOT NULL, tenant TEXT NOT NULL, department TEXT NOT NULL,
	method TEXT NOT NULL, mode TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, would TEXT NOT NULL,
	would_reason TEXT NOT NULL, signing TEXT NOT NULL,
	messages INTEGER NOT NULL, counted INTEGER NOT NULL, recipients INTEGER NOT NULL, external INTEGER NOT NULL,
	bytes INTEGER NOT NULL, first_time INTEGER NOT NULL, last_time INTEGER NOT NULL, decide_us INTEGER NOT NULL,
	within_1ms INTEGER NOT NULL, within_2ms INTEGER NOT NULL, within_5ms INTEGER NOT NULL, within_10ms INTEGER NOT NULL,
	within_50ms INTEGER NOT NULL, within_250ms INTEGER NOT NULL, within_1s INTEGER NOT NULL,
	PRIMARY KEY (hour, relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing)
) WITHOUT ROWID;

INSERT INTO hours
	SELECT time - time % 3600000 AS hour, coalesce(relay, ''), coalesce(app, ''), coalesce(tenant, ''), coalesce(department, ''),
	       coalesce(method, ''), coalesce(mode, ''), coalesce(verdict, ''), coalesce(reason, ''), coalesce(would, ''),
	       coalesce(would_reason, ''), coalesce(signing, ''),
	       count(*), 0, coalesce(sum(recipients), 0), coalesce(sum(external), 0), coalesce(sum(size), 0), min(time), max(time),
	       coalesce(sum(decide_us), 0),
	       sum(CASE WHEN decide_us <= 1000 THEN 1 ELSE 0 END), sum(CASE WHEN decide_us <= 2000 THEN 1 ELSE 0 END),
	       sum(CASE WHEN decide_us <= 5000 THEN 1 ELSE 0 END), sum(CASE WHEN decide_us <= 10000 THEN 1 ELSE 0 END),
	       sum(CASE WHEN decide_us <= 50000 THEN 1 ELSE 0 END), sum(CASE WHEN decide_us <= 250000 THEN 1 ELSE 0 END),
	       sum(CASE WHEN decide_us <= 1000000 THEN 1 ELSE 0 END)
	FROM messages
	WHERE verdict NOT IN ('defer', 'reject')
	   OR NOT EXISTS (SELECT 1 FROM refusals f WHERE f.id = messages.id AND f.reason = messages.reason AND f.stage = messages.stage)
	GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;
INSERT INTO hours
	SELECT first_time - first_time % 3600000 AS hour, '', coalesce(app, ''), coalesce(tenant, ''), '', coalesce(method, ''),
	       'enforce', coalesce(verdict, ''), coalesce(reason, ''), coalesce(verdict, ''), coalesce(reason, ''), '',
	       sum(count), sum(count), 0, 0, 0, min(first_time), max(last_time), 0, 0, 0, 0, 0, 0, 0, 0
	FROM refusals WHERE true
	GROUP BY 1, 3, 4, 6, 8, 9
	ON CONFLICT (hour, relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing) DO UPDATE SET
	       messages = hours.messages + excluded.messages, counted = hours.counted + excluded.counted,
	       first_time = CASE WHEN excluded.first_time < hours.first_time THEN excluded.first_time ELSE hours.first_time END,
	       last_time = CASE WHEN excluded.last_time > hours.last_time THEN excluded.last_time ELSE hours.last_time END;
INSERT INTO hours
	SELECT 0, relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing,
	       sum(messages), sum(counted), sum(recipients), sum(external), sum(bytes), min(first_time), max(last_time), sum(decide_us),
	       sum(within_1ms), sum(within_2ms), sum(within_5ms), sum(within_10ms), sum(within_50ms), sum(within_250ms), sum(within_1s)
	FROM hours
	GROUP BY relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing;
