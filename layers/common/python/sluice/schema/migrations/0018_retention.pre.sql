-- Retention by level: which class a log is kept in is chosen when it is stored.

ALTER TABLE retention_classes
    ADD CONSTRAINT archive_outlasts_table CHECK (archive_days > retention_days),
    ADD CONSTRAINT class_is_positive CHECK (retention_class > 0); -- below are logs that came back from the archive

-- Levels of an application that are not kept in the application's own class.
CREATE TABLE retention_rules (
    application_id  integer NOT NULL REFERENCES applications,
    level           smallint NOT NULL,
    retention_class smallint NOT NULL REFERENCES retention_classes,
    PRIMARY KEY (application_id, level)
);
GRANT SELECT ON retention_rules TO sluice_writer;

-- As before, and the class's own branch if it is missing, too.
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
        EXECUTE format('CREATE TABLE %I PARTITION OF log_entries FOR VALUES IN (%s) PARTITION BY RANGE (received_at)',
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
