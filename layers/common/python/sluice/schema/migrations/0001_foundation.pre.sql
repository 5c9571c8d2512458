-- Applications, keys, the ledger, dead letters and the partitioned log table.
-- The login roles sluice_owner, sluice_ingest, sluice_writer and sluice_reader exist already (infra/database/roles.sql).

CREATE TABLE retention_classes (
    retention_class smallint PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    retention_days  integer NOT NULL CHECK (retention_days > 0)
);
INSERT INTO retention_classes VALUES (1, 'standard', 30);

CREATE TABLE applications (
    application_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    retention_class smallint NOT NULL DEFAULT 1 REFERENCES retention_classes,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    key_id         text PRIMARY KEY,
    application_id integer NOT NULL REFERENCES applications,
    secret_hash    bytea NOT NULL, -- HMAC-SHA256 under the deployment's pepper
    scopes         text[] NOT NULL CHECK (scopes <@ ARRAY ['ingest', 'read', 'admin'] AND scopes <> '{}'),
    status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked')),
    expires_at     timestamptz,
    last_used_at   timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at     timestamptz
);
CREATE INDEX api_keys_by_application ON api_keys (application_id);

-- The only way for ingest and query to look at keys: one at a time, by id.
CREATE FUNCTION find_key(wanted text)
    RETURNS TABLE (key_id text, secret_hash bytea, application_id integer, application text,
                   retention_class smallint, scopes text[], expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT k.key_id, k.secret_hash, a.application_id, a.name, a.retention_class, k.scopes, k.expires_at
    FROM api_keys k JOIN applications a USING (application_id)
    WHERE k.key_id = wanted AND k.status = 'active' AND a.status = 'active'
$$;

-- One row per stream entry whose records are stored. Its key is the dedupe, its sequence range the proof.
CREATE TABLE ledger (
    batch_id            uuid NOT NULL,
    part                integer NOT NULL,
    application_id      integer NOT NULL,
    shard               integer NOT NULL,
    retention_class     smallint NOT NULL,
    first_sequence      bigint NOT NULL,
    record_count        integer NOT NULL,
    stored_count        integer NOT NULL,
    dead_lettered_count integer NOT NULL DEFAULT 0,
    received_at         timestamptz NOT NULL,
    stored_at           timestamptz NOT NULL DEFAULT now(),
    stream_id           text NOT NULL,
    body_hash           bytea NOT NULL,
    PRIMARY KEY (batch_id, part),
    CHECK (stored_count + dead_lettered_count = record_count)
);
CREATE INDEX ledger_by_sequence ON ledger (application_id, shard, first_sequence);

-- Entries that came for a key the ledger holds already: a client's repetition, or another body under the same batch id.
CREATE TABLE ledger_duplicates (
    shard               integer NOT NULL,
    stream_id           text NOT NULL,
    batch_id            uuid NOT NULL,
    part                integer NOT NULL,
    application_id      integer NOT NULL,
    first_sequence      bigint NOT NULL,
    record_count        integer NOT NULL,
    duplicate_count     integer NOT NULL,
    dead_lettered_count integer NOT NULL,
    stored_count        integer NOT NULL DEFAULT 0, -- redriven from the dead letters
    stored_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, part, shard, stream_id),
    CHECK (duplicate_count + dead_lettered_count + stored_count = record_count)
);
CREATE INDEX ledger_duplicates_by_sequence ON ledger_duplicates (application_id, shard, first_sequence);

CREATE TABLE dead_letters (
    dead_letter_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id   integer,     -- null, like the next three, for an entry that could not be read at all
    retention_class  smallint,
    batch_id         uuid,
    part             integer,
    position         integer,     -- null for a whole entry
    shard            integer NOT NULL,
    stream_id        text NOT NULL,
    reason           text NOT NULL,
    detail           text NOT NULL,
    queued           bytea NOT NULL, -- the queued bytes: a packed record, or the raw entry
    attempts         integer NOT NULL DEFAULT 1,
    status           text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'redriven', 'dropped')),
    received_at      timestamptz,
    dead_lettered_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (shard, stream_id, position)
);
CREATE INDEX dead_letters_by_application ON dead_letters (application_id, dead_lettered_at);
CREATE INDEX dead_letters_open ON dead_letters (dead_letter_id) WHERE status = 'open';

-- Partitioned by retention class, then by the day of receipt: wrong client clocks never break retention.
-- Writers COPY into the leaves, readers see the parent only, through its row security.
CREATE TABLE log_entries (
    application_id  integer NOT NULL,
    position        integer NOT NULL,
    batch_id        uuid NOT NULL,
    received_at     timestamptz NOT NULL,
    event_at        timestamptz NOT NULL,
    original_length integer,
    retention_class smallint NOT NULL,
    level           smallint NOT NULL,
    severity_number smallint,
    flags           smallint NOT NULL,
    severity_text   text,
    trace_id        text,
    span_id         text,
    session_id      text,
    logger          text,
    host            text,
    service         text,
    version         text,
    message         text NOT NULL,
    metadata        jsonb NOT NULL
) PARTITION BY LIST (retention_class);
CREATE INDEX log_entries_by_event ON log_entries (application_id, event_at);
CREATE INDEX log_entries_by_receipt ON log_entries (application_id, received_at);
CREATE TABLE log_entries_1 PARTITION OF log_entries FOR VALUES IN (1) PARTITION BY RANGE (received_at);

-- Which event times a day's partition holds per application, to the hour: queries by event time prune with it.
CREATE TABLE event_time_bounds (
    retention_class smallint NOT NULL,
    day             date NOT NULL, -- of receipt, UTC
    application_id  integer NOT NULL,
    event_from      timestamptz NOT NULL,
    event_until     timestamptz NOT NULL,
    PRIMARY KEY (application_id, retention_class, day)
);

-- Creates a day's leaf partition if it is missing and returns its name. Definer's rights: writers own no table.
CREATE FUNCTION ensure_partition(class smallint, day date)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    leaf text := format('log_entries_%s_%s', class, to_char(day, 'YYYYMMDD'));
BEGIN
    IF to_regclass(leaf) IS NOT NULL THEN
        RETURN leaf;
    END IF;
    IF NOT EXISTS (SELECT FROM retention_classes WHERE retention_class = class) THEN
        RAISE EXCEPTION 'there is no retention class %', class USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sluice.ensure_partition'));
    IF to_regclass(leaf) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            leaf, format('log_entries_%s', class),
            day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('GRANT INSERT ON %I TO sluice_writer', leaf);
    END IF;
    RETURN leaf;
END
$$;

-- What the current transaction may see: ids in the setting sluice.applications, '*' for all; unset shows nothing.
CREATE FUNCTION is_visible(application integer)
    RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('sluice.applications', true), '') = '*'
    OR application::text = ANY (string_to_array(coalesce(current_setting('sluice.applications', true), ''), ','));

DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['applications', 'ledger', 'ledger_duplicates', 'dead_letters', 'log_entries', 'event_time_bounds']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING (is_visible(application_id))', secured);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
    END LOOP;
    FOREACH secured IN ARRAY ARRAY ['ledger', 'ledger_duplicates', 'dead_letters', 'event_time_bounds']
    LOOP
        EXECUTE format('CREATE POLICY writers ON %I TO sluice_writer USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO sluice_writer', secured);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION find_key(text), ensure_partition(smallint, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_key(text) TO sluice_ingest, sluice_reader;
GRANT EXECUTE ON FUNCTION ensure_partition(smallint, date) TO sluice_writer;
