-- Log rows without padding, and metadata as the JSON text that they came as: a fifth of the table less.

-- Every stored row is written anew, under a lock that lets nobody read or store logs meanwhile: see infra/DEPLOY.md.
CREATE SCHEMA before_0008;
DO
$$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree('public.log_entries')
    LOOP
        EXECUTE format('ALTER TABLE %s SET SCHEMA before_0008', part);
    END LOOP;
END
$$;

-- In the order of their alignment, what each row has first.
CREATE TABLE log_entries (
    received_at     timestamptz NOT NULL,
    event_at        timestamptz NOT NULL,
    template_key    bigint,
    batch_id        uuid NOT NULL,
    application_id  integer NOT NULL,
    template_id     integer,
    position        integer NOT NULL,
    retention_class smallint NOT NULL,
    level           smallint NOT NULL,
    flags           smallint NOT NULL,
    severity_number smallint,
    original_length integer,
    severity_text   text,
    trace_id        text,
    span_id         text,
    session_id      text,
    logger          text,
    host            text,
    service         text,
    version         text,
    message         text NOT NULL,
    metadata        json NOT NULL,
    -- json takes escapes that it cannot give back (U+0000, half a pair); jsonb refuses them at once.
    CONSTRAINT metadata_is_readable CHECK (metadata::text NOT LIKE '%\\u%' OR metadata::jsonb IS NOT NULL)
) PARTITION BY LIST (retention_class);
CREATE TABLE log_entries_1 PARTITION OF log_entries FOR VALUES IN (1) PARTITION BY RANGE (received_at);

DO
$$
DECLARE
    taken CONSTANT text := '
        received_at, event_at, batch_id, application_id, position, retention_class, level, flags, severity_number,
        original_length, severity_text, trace_id, span_id, session_id, logger, host, service, version, message, metadata';
    leaf name;
BEGIN
    FOR leaf IN SELECT relname FROM pg_partition_tree('before_0008.log_entries') JOIN pg_class ON oid = relid WHERE isleaf
    LOOP
        PERFORM ensure_partition(split_part(leaf, '_', 3)::smallint, split_part(leaf, '_', 4)::date);
        EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM before_0008.%I', leaf, taken, taken, leaf);
    END LOOP;
END
$$;
DROP SCHEMA before_0008 CASCADE;

CREATE INDEX log_entries_by_event ON log_entries (application_id, event_at);
CREATE INDEX log_entries_by_receipt ON log_entries (application_id, received_at);

ALTER TABLE log_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON log_entries FOR SELECT TO sluice_reader
    USING (application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()));
CREATE POLICY indexer ON log_entries FOR SELECT TO sluice_indexer USING (true);
GRANT SELECT ON log_entries TO sluice_reader, sluice_indexer;
ANALYZE log_entries;
