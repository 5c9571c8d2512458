-- Where in the heap the rows of a word filter are: their blocks are read in less time than they are found by an index.

-- Block numbers mean something while the heap is the same file. 0: unknown, as for all filters of before.
ALTER TABLE word_filters
    ADD COLUMN heap_id     bigint NOT NULL DEFAULT 0, -- see heap_identity
    ADD COLUMN first_block bigint NOT NULL DEFAULT 0,
    ADD COLUMN block_count integer NOT NULL DEFAULT 0;

-- Another for each file that has held a day's log rows, on any server; 0 if there is no such day. Whoever relies on it
-- holds a lock on the day's partition, so that nobody rewrites it meanwhile.
CREATE FUNCTION heap_identity(class smallint, day date)
    RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT coalesce(hashtextextended(system_identifier::text, pg_relation_filenode(
               to_regclass(format('log_entries_%s_%s', class, to_char(day, 'YYYYMMDD'))))::bigint), 0)
    FROM pg_control_system()
$$;
REVOKE ALL ON FUNCTION heap_identity(smallint, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION heap_identity(smallint, date) TO sluice_indexer, sluice_reader;
