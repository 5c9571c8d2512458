-- Sluice's database and its login roles. Run it with psql as the server's administrator (a superuser, or the master user
-- of a managed Postgres), against any existing database:
--
--     psql "$ADMIN_URL" -v sluice_owner_password=... -v sluice_ingest_password=... \
--          -v sluice_writer_password=... -v sluice_reader_password=... \
--          -v sluice_indexer_password=... -v sluice_archiver_password=... -v sluice_watcher_password=... \
--          -v sluice_alerts_password=... -f layers/common/python/sluice/schema/roles.sql
--
-- It may be run again at any time, for example to change the passwords. Tables, and what each role may do with them, are
-- the migrations' business.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['sluice_owner', 'sluice_ingest', 'sluice_writer', 'sluice_reader', 'sluice_indexer', 'sluice_archiver',
                  'sluice_watcher', 'sluice_alerts']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

ALTER ROLE sluice_owner LOGIN PASSWORD :'sluice_owner_password';
ALTER ROLE sluice_ingest LOGIN PASSWORD :'sluice_ingest_password';
ALTER ROLE sluice_writer LOGIN PASSWORD :'sluice_writer_password';
ALTER ROLE sluice_reader LOGIN PASSWORD :'sluice_reader_password';
ALTER ROLE sluice_indexer LOGIN PASSWORD :'sluice_indexer_password';
ALTER ROLE sluice_archiver LOGIN PASSWORD :'sluice_archiver_password';
ALTER ROLE sluice_watcher LOGIN PASSWORD :'sluice_watcher_password';
ALTER ROLE sluice_alerts LOGIN PASSWORD :'sluice_alerts_password';

-- These two see what readers see, and write what alerting keeps.
GRANT sluice_reader TO sluice_watcher, sluice_alerts;

-- An administrator who is no superuser may give a database only to a role that it is a member of.
GRANT sluice_owner TO CURRENT_USER;

SELECT 'CREATE DATABASE sluice OWNER sluice_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'sluice')
\gexec

REVOKE ALL ON DATABASE sluice FROM PUBLIC;
GRANT CONNECT ON DATABASE sluice
    TO sluice_ingest, sluice_reader, sluice_indexer, sluice_archiver, sluice_watcher, sluice_alerts;
GRANT CONNECT, TEMPORARY ON DATABASE sluice TO sluice_writer;

\connect sluice
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
