-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Four roles with the rights that are needed, and no more. Run it as the owner of the tables, who
-- may create roles, after the first `postern migrate`. What later ones make has the same rights from
-- the start where the same role makes it:
--     psql -v ON_ERROR_STOP=1 -f roles.sql postgresql://OWNER@HOST/DATABASE
-- Then give them to those who log in:
--     CREATE ROLE mail1 LOGIN PASSWORD '...' IN ROLE postern_relay;
-- postern_relay     posternd: reads and writes rows, makes no tables
-- postern_operator  people who let held mail go, reset and boost limits: reads, and asks posternd
-- postern_follow    postern follow: writes what became of the mail, and reads only that
-- postern_audit     people and programs that only read

DO $$
DECLARE name TEXT;
BEGIN
	FOREACH name IN ARRAY ARRAY['postern_relay', 'postern_operator', 'postern_audit', 'postern_follow'] LOOP
		IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
			EXECUTE 'CREATE ROLE ' || name || ' NOLOGIN';
		END IF;
	END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO postern_relay, postern_operator, postern_audit, postern_follow;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO postern_relay, postern_operator, postern_audit;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO postern_relay;
REVOKE INSERT, UPDATE, DELETE ON schema_version FROM postern_relay;
REVOKE INSERT, UPDATE, DELETE ON deliveries, requeues, agent_tls, followed, upstream, reported, report_files, delivery_counts,
	follower_state FROM postern_relay;
GRANT INSERT ON requests TO postern_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries, requeues, agent_tls, followed, upstream, reported, report_files, delivery_counts,
	follower_state TO postern_follow;
GRANT SELECT ON schema_version TO postern_follow;

ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO postern_relay, postern_operator, postern_audit;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT, UPDATE, DELETE ON TABLES TO postern_relay;
