-- Logs that came back from the archive, for a while: a table for each rehydration, which is a partition of the log table
-- once it is complete. Its rows have a retention class of their own, below 0, so no other partition can hold them, and
-- nothing that retention does concerns them.

CREATE TABLE rehydrations (
    rehydration_id integer PRIMARY KEY CHECK (rehydration_id BETWEEN 1 AND 1000), -- its class is -rehydration_id
    application_id integer NOT NULL,
    event_from     timestamptz NOT NULL, -- as it was asked for; whole objects come back
    event_until    timestamptz NOT NULL,
    status         text NOT NULL DEFAULT 'loading' CHECK (status IN ('loading', 'ready')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL
);

-- An object is in one rehydration at most, so that no row is there twice.
CREATE TABLE rehydrated_objects (
    object_id      bigint PRIMARY KEY REFERENCES archive_objects,
    rehydration_id integer NOT NULL REFERENCES rehydrations ON DELETE CASCADE,
    loaded_at      timestamptz
);
CREATE INDEX rehydrated_objects_by_rehydration ON rehydrated_objects (rehydration_id);

-- The table that rows are loaded into, which nobody reads yet.
CREATE FUNCTION create_rehydration_table(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE log_entries INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CHECK (retention_class = %s))',
                   format('rehydrated_%s', wanted), -wanted);
    EXECUTE format('GRANT INSERT ON %I TO sluice_archiver', format('rehydrated_%s', wanted));
END
$$;

-- Lets readers see a complete rehydration. Its filters let everything through: search reads these rows whatever it looks for.
CREATE FUNCTION attach_rehydration(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    filters text := format('rehydrated_filters_%s', wanted);
BEGIN
    IF EXISTS (SELECT FROM rehydrated_objects WHERE rehydration_id = wanted AND loaded_at IS NULL) THEN
        RAISE EXCEPTION 'rehydration % is not complete', wanted USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('ALTER TABLE log_entries ATTACH PARTITION %I FOR VALUES IN (%s)', format('rehydrated_%s', wanted), -wanted);
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

-- Drops what is there of a rehydration.
CREATE FUNCTION drop_rehydration(wanted integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    LOCK TABLE ONLY log_entries IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE IF EXISTS %I', format('rehydrated_%s', wanted));
    EXECUTE format('DROP TABLE IF EXISTS %I', format('rehydrated_filters_%s', wanted));
    DELETE FROM event_time_bounds WHERE retention_class = -wanted;
    DELETE FROM rehydrations WHERE rehydration_id = wanted;
END
$$;

REVOKE ALL ON FUNCTION create_rehydration_table(integer), attach_rehydration(integer), drop_rehydration(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_rehydration_table(integer), attach_rehydration(integer), drop_rehydration(integer) TO sluice_archiver;
GRANT SELECT, INSERT ON rehydrations TO sluice_archiver;
GRANT UPDATE (expires_at) ON rehydrations TO sluice_archiver;
GRANT SELECT, INSERT ON rehydrated_objects TO sluice_archiver;
GRANT UPDATE (loaded_at) ON rehydrated_objects TO sluice_archiver;
GRANT SELECT ON templates, template_keys TO sluice_archiver; -- to search objects for templates
CREATE POLICY archiver ON templates FOR SELECT TO sluice_archiver USING (true);
CREATE POLICY archiver ON template_keys FOR SELECT TO sluice_archiver USING (true);
