-- Word filters: which words a group of about a hundred stored logs may hold. The function index writes them, about a
-- minute behind, so that storing logs pays nothing for text search.

-- A row stands for stored rows of one application: those received in the span with a position in the span. Spans of
-- several rows may overlap. Filters go with their day: drop both partitions.
CREATE TABLE word_filters (
    received_from   timestamptz NOT NULL, -- all spans include both ends
    received_until  timestamptz NOT NULL,
    event_from      timestamptz NOT NULL,
    event_until     timestamptz NOT NULL,
    application_id  integer NOT NULL,
    position_from   integer NOT NULL,
    position_until  integer NOT NULL,
    row_count       integer NOT NULL,
    bit_count       integer NOT NULL,
    retention_class smallint NOT NULL,
    is_wide         boolean GENERATED ALWAYS AS (event_until - event_from > interval '1 hour') STORED,
    filter          bytea STORAGE PLAIN, -- null: anything may be in these rows
    CHECK (filter IS NULL OR octet_length(filter) * 8 = bit_count)
) PARTITION BY LIST (retention_class);
CREATE INDEX word_filters_by_last_event ON word_filters (application_id, event_until);
CREATE INDEX word_filters_by_first_event ON word_filters (application_id, event_from);
CREATE INDEX word_filters_wide ON word_filters (application_id) WHERE is_wide; -- few: for who starts in the middle

-- How far the filters are, in the order of storing: the ledger up to here is in them.
CREATE TABLE word_filter_progress (
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    stored_xid xid8 NOT NULL,
    batch_id   uuid NOT NULL,
    part       integer NOT NULL
);
INSERT INTO word_filter_progress VALUES (true, '0', '00000000-0000-0000-0000-000000000000', 0);

-- Creates a day's partition of the filters if it is missing. Definer's rights: the indexer owns no table.
CREATE FUNCTION ensure_filter_partition(class smallint, day date)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    branch text := format('word_filters_%s', class);
    leaf text := format('%s_%s', branch, to_char(day, 'YYYYMMDD'));
BEGIN
    IF to_regclass(leaf) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sluice.ensure_filter_partition'));
    IF to_regclass(branch) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF word_filters FOR VALUES IN (%s) PARTITION BY RANGE (received_from)',
                       branch, class);
    END IF;
    IF to_regclass(leaf) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            leaf, branch,
            day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ensure_filter_partition(smallint, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_filter_partition(smallint, date) TO sluice_indexer;

-- The indexer reads what is stored, adds filters and notes its progress, and can do nothing else.
GRANT SELECT ON ledger, log_entries TO sluice_indexer;
GRANT SELECT, INSERT ON word_filters TO sluice_indexer;
GRANT SELECT, UPDATE ON word_filter_progress TO sluice_indexer;
CREATE POLICY indexer ON ledger FOR SELECT TO sluice_indexer USING (true);
CREATE POLICY indexer ON log_entries FOR SELECT TO sluice_indexer USING (true);

-- Whose words are in a filter is nobody else's business.
ALTER TABLE word_filters ENABLE ROW LEVEL SECURITY;
CREATE POLICY indexer ON word_filters TO sluice_indexer USING (true) WITH CHECK (true);

-- The reader's policies, with the setting read once a query: is_visible takes it apart for each row, which costs more
-- than reading the row.
CREATE FUNCTION visible_applications()
    RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN current_setting('sluice.applications', true) ~ '^[0-9]{1,9}(,[0-9]{1,9})*$'
            THEN string_to_array(current_setting('sluice.applications', true), ',')::integer[] ELSE '{}' END;
CREATE FUNCTION sees_all_applications()
    RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('sluice.applications', true), '') = '*';
CREATE POLICY readers ON word_filters FOR SELECT TO sluice_reader USING (false);
DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['applications', 'ledger', 'ledger_duplicates', 'dead_letters', 'log_entries', 'event_time_bounds',
                                    'word_filters']
    LOOP
        EXECUTE format('ALTER POLICY readers ON %I USING (application_id = ANY ((SELECT visible_applications())::integer[])'
                       ' OR (SELECT sees_all_applications()))', secured);
    END LOOP;
END
$$;
GRANT SELECT ON word_filters, word_filter_progress TO sluice_reader;
