-- Slabs: the bits of many word filters, transposed, so that a search reads the bits that a word sets, and not whole filters.

-- A row with a slab_id stands for the filters of many groups of one application and day, each a member with spans of its own;
-- its own spans hold theirs, and it has no filter, so whoever knows nothing of slabs takes its rows for what they may be:
-- anything. Layout: see sluice.filters.slabs. bit_count is that of each member's filter.
ALTER TABLE word_filters
    ADD COLUMN slab_id uuid,
    ADD COLUMN members bytea, -- their spans and blocks
    ADD COLUMN slab    bytea, -- null: anything may be in these rows
    ADD CONSTRAINT word_filters_slab_check CHECK (slab_id IS NULL OR filter IS NULL AND members IS NOT NULL) NOT VALID;
-- Not compressed: a part is read without the rest.
ALTER TABLE word_filters ALTER COLUMN members SET STORAGE EXTERNAL;
ALTER TABLE word_filters ALTER COLUMN slab SET STORAGE EXTERNAL;
CREATE INDEX word_filters_slabs ON word_filters (application_id, event_until) WHERE slab_id IS NOT NULL;
CREATE INDEX word_filters_slab ON word_filters (slab_id) WHERE slab_id IS NOT NULL;

-- Who empties filters without knowing of slabs (the release before) empties them, too: they hold words.
CREATE FUNCTION empty_slab()
    RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS
$$
BEGIN
    NEW.slab := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER empty_slab BEFORE UPDATE OF filter ON word_filters FOR EACH ROW EXECUTE FUNCTION empty_slab();

-- Filters leave when they are in a slab.
GRANT DELETE ON word_filters TO sluice_indexer;
GRANT UPDATE (slab) ON word_filters TO sluice_archiver;
