-- The order in which entries were stored: by the transaction that did it. What is below the oldest transaction still
-- running (pg_snapshot_xmin) is complete, so who reads on from there misses nothing and reads nothing twice.

-- Two steps, so that the rows that exist are not rewritten; they come before all others.
ALTER TABLE ledger ADD COLUMN stored_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE ledger ALTER COLUMN stored_xid SET DEFAULT pg_current_xact_id();
CREATE INDEX ledger_by_storing ON ledger (stored_xid, batch_id, part);
