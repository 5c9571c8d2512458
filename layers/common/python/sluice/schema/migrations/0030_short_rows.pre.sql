-- Shorter rows: trace ids take the 16 bytes that they are, where they took 33 as text, and positions 2 instead of 4.

-- Rows are in log_rows from now on, in whatever form saves room; log_entries shows them as they always were. So who reads
-- or erases, this release or the one before, need not know. Who stores copies into partitions, whose names stay.
ALTER TABLE log_entries RENAME TO log_rows;
ALTER TABLE log_rows ALTER COLUMN position DROP NOT NULL;
ALTER TABLE log_rows
    ADD COLUMN trace uuid, -- instead of trace_id: of 32 lowercase hexadecimal digits
    ADD COLUMN ordinal smallint, -- instead of position: up to 32,767
    ADD CONSTRAINT has_position CHECK (position IS NOT NULL OR ordinal IS NOT NULL) NOT VALID; -- all stored rows have one
DO
$$
DECLARE
    loading integer;
BEGIN
    FOR loading IN SELECT rehydration_id FROM rehydrations WHERE status = 'loading' -- no partition yet
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN trace uuid, ADD COLUMN ordinal smallint,'
                       ' ADD CONSTRAINT has_position CHECK (position IS NOT NULL OR ordinal IS NOT NULL) NOT VALID',
                       format('rehydrated_%s', loading));
    END LOOP;
END
$$;

CREATE VIEW log_entries WITH (security_invoker) AS
SELECT ctid, received_at, event_at, template_key, batch_id, application_id, template_id, coalesce(position, ordinal) AS position,
       retention_class, level, flags, severity_number, original_length, severity_text,
       coalesce(trace_id, encode(uuid_send(trace), 'hex')) AS trace_id, span_id, session_id, logger, host, service, version,
       message, metadata
FROM log_rows;
GRANT SELECT ON log_entries TO sluice_reader, sluice_indexer, sluice_archiver;
GRANT DELETE ON log_entries TO sluice_archiver;

CREATE OR REPLACE FUNCTION ensure_partition(class smallint, day date)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    branch text := format('log_entries_%s', class);
    leaf text := format('%s_%s', branch, to_char(day, 'YYYYMMDD'));
BEGIN
    IF to_regclass(leaf) IS NOT NULL THEN
        RETURN leaf;
    END IF;
    IF NOT EXISTS (SELECT FROM retention_classes WHERE retention_class = class) THEN
        RAISE EXCEPTION 'there is no retention class %', class USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sluice.ensure_partition'));
    IF to_regclass(branch) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF log_rows FOR VALUES IN (%s) PARTITION BY RANGE (received_at)',
                       branch, class);
    END IF;
    IF to_regclass(leaf) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', leaf, branch,
            day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('GRANT INSERT ON %I TO sluice_writer', leaf);
    END IF;
    RETURN leaf;
END
$$;

CREATE OR REPLACE FUNCTION create_rehydration_table(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE log_rows INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CHECK (retention_class = %s))',
                   format('rehydrated_%s', wanted), -wanted);
    EXECUTE format('GRANT INSERT ON %I TO sluice_archiver', format('rehydrated_%s', wanted));
END
$$;

CREATE OR REPLACE FUNCTION attach_rehydration(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    filters text := format('rehydrated_filters_%s', wanted);
BEGIN
    IF EXISTS (SELECT FROM rehydrated_objects WHERE rehydration_id = wanted AND loaded_at IS NULL) THEN
        RAISE EXCEPTION 'rehydration % is not complete', wanted USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('ALTER TABLE log_rows ATTACH PARTITION %I FOR VALUES IN (%s)', format('rehydrated_%s', wanted), -wanted);
    EXECUTE format('CREATE TABLE %I (LIKE word_filters INCLUDING ALL)', filters);
    EXECUTE format('ALTER TABLE word_filters ATTACH PARTITION %I FOR VALUES IN (%s)', filters, -wanted);
    INSERT INTO word_filters (application_id, retention_class, received_from, received_until, position_from, position_until,
                              event_from, event_until, row_count, bit_count, filter)
    SELECT application_id, -wanted, received_from, received_until, -2147483648, 2147483647, event_from, event_until, row_count, 0, NULL
    FROM archive_objects JOIN rehydrated_objects USING (object_id) WHERE rehydration_id = wanted;
    INSERT INTO event_time_bounds (retention_class, day, application_id, event_from, event_until)
    SELECT -wanted, day, application_id, date_trunc('hour', min(event_from)), date_trunc('hour', max(event_until)) + interval '1 hour'
    FROM archive_objects JOIN archive_days USING (archive_day_id) JOIN rehydrated_objects USING (object_id)
    WHERE rehydration_id = wanted GROUP BY day, application_id;
    UPDATE rehydrations SET status = 'ready' WHERE rehydration_id = wanted;
END
$$;

CREATE OR REPLACE FUNCTION drop_rehydration(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    LOCK TABLE ONLY log_rows IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE IF EXISTS %I', format('rehydrated_%s', wanted));
    EXECUTE format('DROP TABLE IF EXISTS %I', format('rehydrated_filters_%s', wanted));
    DELETE FROM event_time_bounds WHERE retention_class = -wanted;
    DELETE FROM rehydrations WHERE rehydration_id = wanted;
END
$$;
