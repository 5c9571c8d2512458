-- What follows the order of storing: the live tail, and the throughput of the last hour.

-- Which records of its batch an entry held: parts of a batch share all else. Null where no record was readable.
ALTER TABLE ledger
    ADD COLUMN first_position integer,
    ADD COLUMN last_position  integer;

-- Dead letters that were redriven: their records appear under a ledger row that readers may have passed already.
CREATE TABLE late_records (
    stored_xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    batch_id        uuid NOT NULL,
    part            integer NOT NULL,
    position        integer NOT NULL,
    application_id  integer NOT NULL,
    retention_class smallint NOT NULL,
    received_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, position)
);
CREATE INDEX late_records_by_storing ON late_records (stored_xid, batch_id, part, position);
ALTER TABLE late_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON late_records FOR SELECT TO sluice_reader
    USING (application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()));
GRANT SELECT ON late_records TO sluice_reader;

CREATE INDEX ledger_duplicates_by_time ON ledger_duplicates (stored_at);

-- How far the order of storing is complete, and how far a reader that has read up to `after` may go at once: horizon is
-- where the oldest running transaction begins, or nearer if more than max_entries were stored before; newest is beyond all
-- that ever began. held_since: when the oldest entry was stored that readers do not get yet. history: what numbers
-- transactions here; another after a failover or a restored backup, which number them again.
-- Definer's rights: the work has a bound for a reader that sees few of the entries, too.
CREATE FUNCTION storing_state(after xid8, max_entries integer)
    RETURNS TABLE (horizon xid8, oldest_running xid8, newest xid8, held_since timestamptz, history text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT least(snapshot.oldest,
                 coalesce((SELECT (l.stored_xid::text::numeric + 1)::text::xid8 FROM ledger l WHERE l.stored_xid >= after
                           ORDER BY l.stored_xid, l.batch_id, l.part OFFSET max_entries LIMIT 1), snapshot.oldest)),
           snapshot.oldest, snapshot.newest,
           (SELECT l.stored_at FROM ledger l WHERE l.stored_xid >= snapshot.oldest
            ORDER BY l.stored_xid, l.batch_id, l.part LIMIT 1),
           (SELECT s.system_identifier FROM pg_control_system() s) || '-' || (SELECT c.timeline_id FROM pg_control_checkpoint() c)
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot())) AS snapshot (oldest, newest)
$$;

REVOKE ALL ON FUNCTION storing_state(xid8, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION storing_state(xid8, integer) TO sluice_reader;
