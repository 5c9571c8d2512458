-- Deletion on demand, and its receipts.

-- What was asked for is not kept, or the receipt would be a trace: of a condition there are the keys of the metadata, and a
-- digest that whoever knows the values can check.
CREATE TABLE erasures (
    erasure_id      uuid PRIMARY KEY,
    application_id  integer NOT NULL,
    application     text NOT NULL, -- its name then
    keys            text[] NOT NULL, -- of metadata; none: all logs of the application
    digest          bytea NOT NULL, -- SHA-256 of the id and the condition
    accepted        jsonb NOT NULL, -- the last sequence numbers by shard: what came later is not meant
    step            text NOT NULL,
    last_object_id  bigint NOT NULL DEFAULT 0,
    until_object_id bigint,
    last_letter_id  bigint NOT NULL DEFAULT 0,
    counts          jsonb NOT NULL DEFAULT '{}',
    requested_at    timestamptz NOT NULL,
    completed_at    timestamptz,
    checksum        bytea -- SHA-256 of the receipt
);

-- Which partitions are done: their rows deleted, and then the partition written anew, since a deleted row's bytes stay.
CREATE TABLE erased_days (
    erasure_id      uuid NOT NULL REFERENCES erasures,
    retention_class smallint NOT NULL,
    day             date NOT NULL,
    is_rewritten    boolean NOT NULL,
    PRIMARY KEY (erasure_id, retention_class, day)
);

-- How many rows of each template were deleted: one that has no others may quote them.
CREATE TABLE erased_templates (
    erasure_id  uuid NOT NULL REFERENCES erasures,
    template_id integer NOT NULL,
    row_count   bigint NOT NULL,
    PRIMARY KEY (erasure_id, template_id)
);

-- Writes a partition anew, with the rows that are left. Readers go on meanwhile, until the new one takes the old one's
-- place; writers wait.
CREATE FUNCTION rewrite_partition(branch text, leaf text)
    RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS
$$
DECLARE
    bound text;
    shape text;
    columns text;
    draft text := format('rewritten_%s', leaf);
BEGIN
    IF to_regclass(leaf) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', leaf);
    SELECT pg_get_expr(relpartbound, oid), pg_get_partition_constraintdef(oid) INTO bound, shape
    FROM pg_class WHERE oid = to_regclass(leaf);
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = to_regclass(leaf) AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', draft, leaf);
    EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', draft, columns, columns, leaf);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT within_bounds CHECK (%s)', draft, shape); -- so that attaching needs no look
    PERFORM set_config('lock_timeout', '3s', true); -- all the copying would have been for nothing
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', branch);
    EXECUTE format('DROP TABLE %I', leaf);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', draft, leaf);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I %s', branch, leaf, bound);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT within_bounds', leaf);
END
$$;

-- A day of logs and its filters. Definer's rights: the archiver owns no table.
CREATE FUNCTION rewrite_log_day(class smallint, of_day date)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    suffix text := format('%s_%s', class, to_char(of_day, 'YYYYMMDD'));
BEGIN
    PERFORM rewrite_partition(format('log_entries_%s', class), 'log_entries_' || suffix);
    IF to_regclass('log_entries_' || suffix) IS NOT NULL THEN
        EXECUTE format('GRANT INSERT ON %I TO sluice_writer', 'log_entries_' || suffix);
    END IF;
    PERFORM rewrite_partition(format('word_filters_%s', class), 'word_filters_' || suffix);
END
$$;

-- Tables that may quote logs, without what was deleted from them: a change of a column's type writes the rows that are left.
CREATE FUNCTION rewrite_quotations()
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    ALTER TABLE templates ALTER COLUMN text TYPE text USING text || '';
    ALTER TABLE unmined_lines ALTER COLUMN masked TYPE text USING masked || '';
    ALTER TABLE template_changes ALTER COLUMN became TYPE jsonb USING became || '{}'::jsonb;
    ALTER TABLE alert_events ALTER COLUMN payload TYPE jsonb USING payload || '{}'::jsonb;
    ALTER TABLE messages ALTER COLUMN document TYPE jsonb USING document || '{}'::jsonb;
END
$$;
CREATE FUNCTION rewrite_dead_letters()
    RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    ALTER TABLE dead_letters ALTER COLUMN queued TYPE bytea USING queued || ''::bytea;
$$;

REVOKE ALL ON FUNCTION rewrite_partition(text, text), rewrite_log_day(smallint, date), rewrite_quotations(), rewrite_dead_letters()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rewrite_log_day(smallint, date), rewrite_quotations(), rewrite_dead_letters() TO sluice_archiver;

GRANT SELECT, INSERT, UPDATE ON erasures, erased_days, erased_templates TO sluice_archiver;
GRANT DELETE ON log_entries TO sluice_archiver;
GRANT SELECT, DELETE, UPDATE (filter, bit_count) ON word_filters TO sluice_archiver;
GRANT UPDATE (queued, detail, status) ON dead_letters TO sluice_archiver;
GRANT UPDATE (text, version) ON templates TO sluice_archiver;
GRANT SELECT, UPDATE (version) ON template_sets TO sluice_archiver;
GRANT SELECT, DELETE ON unmined_lines TO sluice_archiver;
GRANT SELECT ON template_counts, template_history TO sluice_archiver;
GRANT SELECT, UPDATE (payload) ON alert_events TO sluice_archiver;
GRANT SELECT, UPDATE (document) ON messages TO sluice_archiver;
CREATE POLICY eraser ON log_entries FOR DELETE TO sluice_archiver USING (true);
CREATE POLICY eraser ON word_filters TO sluice_archiver USING (true);
CREATE POLICY eraser ON dead_letters FOR UPDATE TO sluice_archiver USING (true);
CREATE POLICY eraser ON templates FOR UPDATE TO sluice_archiver USING (true);
CREATE POLICY eraser ON template_sets TO sluice_archiver USING (true);
CREATE POLICY eraser ON unmined_lines TO sluice_archiver USING (true);
CREATE POLICY eraser ON template_counts FOR SELECT TO sluice_archiver USING (true);
CREATE POLICY eraser ON template_history FOR SELECT TO sluice_archiver USING (true);
CREATE POLICY eraser ON alert_events TO sluice_archiver USING (true);
CREATE POLICY eraser ON messages TO sluice_archiver USING (true);
