-- Template counts outlive their logs: by minute while they are young, then by hour, then by day.

-- What template_counts held of times long ago. A row counts events from event_from on, span_hours long.
CREATE TABLE template_history (
    event_from     timestamptz NOT NULL,
    record_count   bigint NOT NULL,
    template_key   bigint NOT NULL,
    application_id integer NOT NULL,
    template_id    integer NOT NULL,
    received_day   date NOT NULL, -- UTC
    level          smallint NOT NULL,
    span_hours     smallint NOT NULL CHECK (span_hours IN (1, 24)),
    PRIMARY KEY (application_id, event_from, template_id, template_key, level, received_day, span_hours)
);
CREATE INDEX template_history_by_template ON template_history (application_id, template_id, template_key, event_from);
CREATE INDEX template_history_by_hour ON template_history (application_id, event_from) WHERE span_hours = 1;

-- How far that is: counts of what was received before are being moved, or have been.
CREATE TABLE template_rollups (
    application_id  integer PRIMARY KEY,
    received_before timestamptz NOT NULL, -- the beginning of a day, UTC
    is_done         boolean NOT NULL
);

DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['template_history', 'template_rollups']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING '
                       '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))', secured);
        EXECUTE format('CREATE POLICY indexer ON %I TO sluice_indexer USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO sluice_indexer', secured);
    END LOOP;
    FOREACH secured IN ARRAY ARRAY ['template_counts', 'releases', 'release_counts']
    LOOP
        EXECUTE format('CREATE POLICY indexer ON %I TO sluice_indexer USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT, DELETE ON %I TO sluice_indexer', secured);
    END LOOP;
END
$$;
GRANT INSERT, UPDATE (record_count) ON release_counts TO sluice_indexer;
CREATE POLICY indexer ON applications FOR SELECT TO sluice_indexer USING (true);
GRANT SELECT (application_id) ON applications TO sluice_indexer;

-- All of the census: how many records of a template, from a time on, however long that is.
CREATE VIEW template_census WITH (security_invoker = true) AS
SELECT application_id, template_id, template_key, level, record_count::bigint, event_minute AS event_from, interval '1 minute' AS span,
       received_minute AS received_from
FROM template_counts
UNION ALL
SELECT application_id, template_id, template_key, level, record_count, event_from, make_interval(hours => span_hours),
       received_day::timestamp AT TIME ZONE 'UTC'
FROM template_history;
GRANT SELECT ON template_census TO sluice_reader;

-- Deletes what is known of an application's messages, with all counts of them. Definer's rights: the archiver owns no table.
CREATE FUNCTION forget_templates(application integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    emptied text;
BEGIN
    PERFORM pg_advisory_xact_lock(7583243, application); -- who mines
    FOREACH emptied IN ARRAY ARRAY ['template_counts', 'template_history', 'template_rollups', 'release_counts', 'releases', 'unmined_lines',
                                    'template_keys', 'template_changes', 'templates', 'template_sets']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE application_id = $1', emptied) USING application;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION forget_templates(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_templates(integer) TO sluice_archiver;
