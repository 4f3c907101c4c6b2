-- The least a program needs. Roles belong to the whole cluster; what is granted belongs to this database.

-- name: make
-- purpose: the two roles, without the right to log in: users of yours are made members of them
-- index: none
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pinakes_app') THEN
        CREATE ROLE pinakes_app NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pinakes_reader') THEN
        CREATE ROLE pinakes_reader NOLOGIN;
    END IF;
END $$

-- name: grant
-- purpose: rows for the one, looking for the other, and neither may change what tables there are
-- index: none
GRANT USAGE ON SCHEMA public TO pinakes_app, pinakes_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pinakes_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pinakes_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO pinakes_reader;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM pinakes_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO pinakes_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO pinakes_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pinakes_reader;
