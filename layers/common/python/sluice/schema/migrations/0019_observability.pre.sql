-- What the ledger says in all, without reading all of it; and which trace a request was part of.

-- The request's header (https://www.w3.org/TR/trace-context/), if it had one; the trace id begins at the fourth character.
ALTER TABLE ledger ADD COLUMN traceparent text;
CREATE INDEX ledger_by_trace ON ledger (substr(traceparent, 4, 32)) WHERE traceparent IS NOT NULL;

-- Two steps, as for the ledger: the rows that exist come before all others.
ALTER TABLE ledger_duplicates ADD COLUMN stored_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE ledger_duplicates ALTER COLUMN stored_xid SET DEFAULT pg_current_xact_id();
CREATE INDEX ledger_duplicates_by_storing ON ledger_duplicates (stored_xid);

-- Sums over the rows of ledger and ledger_duplicates with a stored_xid below ledger_totals_until, of what never changes
-- once a row is committed. What does change, by a redrive, is in the few rows that have dead-lettered records.
CREATE TABLE ledger_totals (
    application_id  integer NOT NULL,
    shard           integer NOT NULL,
    record_count    bigint NOT NULL,  -- stored or dead-lettered
    duplicate_count bigint NOT NULL,
    settled         int8multirange NOT NULL, -- their sequence numbers
    PRIMARY KEY (application_id, shard)
) WITH (fillfactor = 80);
CREATE TABLE ledger_totals_until (
    stored_xid xid8 NOT NULL,
    server     bigint NOT NULL, -- whose transaction numbers these are: a restored dump is on another one
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);
INSERT INTO ledger_totals_until VALUES ('0', 0);
CREATE INDEX ledger_with_dead ON ledger (application_id, shard) WHERE dead_lettered_count > 0;
CREATE INDEX ledger_duplicates_with_dead ON ledger_duplicates (application_id, shard) WHERE dead_lettered_count > 0;

CREATE FUNCTION server_identity()
    RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT system_identifier FROM pg_control_system() $$;

-- Adds about max_entries rows of the ledger that nobody can add rows before any more. Returns how many were added; 0 also
-- where another run is at it.
CREATE FUNCTION roll_up_ledger(max_entries integer)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    since  xid8;
    until  xid8;
    added  bigint;
    served bigint;
BEGIN
    SELECT stored_xid, server INTO since, served FROM ledger_totals_until FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF served <> server_identity() THEN
        DELETE FROM ledger_totals;
        since := '0';
    END IF;
    -- A statement of its own: the next one sees all that was committed below.
    SELECT least(horizon, coalesce((SELECT (l.stored_xid::text::numeric + 1)::text::xid8 FROM ledger l
                                    WHERE l.stored_xid >= since ORDER BY l.stored_xid OFFSET max_entries - 1 LIMIT 1), horizon))
    INTO until FROM pg_snapshot_xmin(pg_current_snapshot()) AS horizon;

    WITH rows AS (
        SELECT application_id, shard, first_sequence, record_count, 0 AS duplicate_count FROM ledger
        WHERE stored_xid >= since AND stored_xid < until
        UNION ALL
        SELECT application_id, shard, first_sequence, record_count, duplicate_count FROM ledger_duplicates
        WHERE stored_xid >= since AND stored_xid < until
    ), sums AS (
        SELECT application_id, shard, sum(record_count - duplicate_count) AS record_count, sum(duplicate_count) AS duplicate_count,
               range_agg(int8range(first_sequence, first_sequence + record_count)) AS settled, count(*) AS entries
        FROM rows GROUP BY 1, 2
    ), kept AS (
        INSERT INTO ledger_totals AS totals
        SELECT application_id, shard, record_count, duplicate_count, settled FROM sums
        ON CONFLICT (application_id, shard) DO UPDATE
        SET record_count = totals.record_count + excluded.record_count,
            duplicate_count = totals.duplicate_count + excluded.duplicate_count,
            settled = totals.settled + excluded.settled
    )
    SELECT coalesce(sum(entries), 0) INTO added FROM sums;
    UPDATE ledger_totals_until SET stored_xid = until, server = server_identity();
    RETURN added;
END
$$;

REVOKE ALL ON FUNCTION roll_up_ledger(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roll_up_ledger(integer) TO sluice_indexer;
ALTER TABLE ledger_totals ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON ledger_totals FOR SELECT TO sluice_reader
    USING (application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()));
GRANT SELECT ON ledger_totals, ledger_totals_until TO sluice_reader;
