-- The archive: days of logs that are kept as objects elsewhere, and what is known of each object.

-- retention_days is how long logs stay in the log table, in whole days after the day of receipt.
ALTER TABLE retention_classes
    ADD COLUMN is_archived  boolean NOT NULL DEFAULT true, -- false: what is older than retention_days is deleted
    ADD COLUMN archive_days integer CHECK (archive_days > 0); -- from the day of receipt on; null: for ever

-- A day's partition on its way out of the log table, and where that led. Logs that come for a day that is gone make a
-- partition anew, which is another row here when its turn comes.
CREATE TABLE archive_days (
    archive_day_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    retention_class smallint NOT NULL REFERENCES retention_classes,
    day             date NOT NULL, -- of receipt, UTC
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'dropped')),
    change_count    bigint NOT NULL DEFAULT 0, -- raised by each transaction that changes the partition's rows
    changed_by      xid8 NOT NULL DEFAULT '0',
    exported_change bigint NOT NULL DEFAULT 0, -- the change_count of which the objects are
    opened_at       timestamptz NOT NULL DEFAULT now(),
    dropped_at      timestamptz
);
CREATE UNIQUE INDEX archive_days_open ON archive_days (retention_class, day) WHERE status = 'open';
CREATE INDEX archive_days_by_day ON archive_days (day);

-- Every object that there may be. It is 'writing' before it is written, and 'stored' once it was read back; 'discarded'
-- and 'expired' ones are deleted, and then forgotten ('discarded') or remembered ('gone').
CREATE TABLE archive_objects (
    object_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    archive_day_id bigint NOT NULL REFERENCES archive_days,
    application_id integer NOT NULL,
    number         integer NOT NULL, -- within day and application
    key            text NOT NULL UNIQUE,
    status         text NOT NULL DEFAULT 'writing' CHECK (status IN ('writing', 'stored', 'discarded', 'expired', 'gone')),
    row_count      integer,
    byte_count     bigint,
    text_bytes     bigint, -- before compression
    sha256         bytea,  -- of the object's bytes
    event_from     timestamptz, -- all spans include both ends
    event_until    timestamptz,
    received_from  timestamptz,
    received_until timestamptz,
    last_batch_id  uuid,   -- with received_until, the place of the last row
    last_position  integer,
    stored_at      timestamptz,
    CHECK (status NOT IN ('stored', 'expired', 'gone') OR num_nulls(row_count, byte_count, text_bytes, sha256, event_from, event_until,
                                         received_from, received_until, last_batch_id, last_position, stored_at) = 0)
);
CREATE UNIQUE INDEX archive_objects_in_order ON archive_objects (archive_day_id, application_id, number)
    WHERE status <> 'discarded';
CREATE INDEX archive_objects_by_application ON archive_objects (application_id, event_until);
CREATE INDEX archive_objects_to_delete ON archive_objects (object_id) WHERE status IN ('discarded', 'expired');

-- What a dropped partition held of each application, and what the ledger said of that day of receipt then, all retention
-- classes together. erased_count: of row_count, what was deleted on demand since.
CREATE TABLE archive_totals (
    archive_day_id bigint NOT NULL REFERENCES archive_days,
    application_id integer NOT NULL,
    row_count      integer NOT NULL,
    ledger_count   bigint NOT NULL,
    erased_count   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (archive_day_id, application_id)
);
CREATE INDEX archive_totals_by_application ON archive_totals (application_id);

-- Entries are stored about in the order of their receipt: a day of the ledger is found by few pages.
CREATE INDEX ledger_by_receipt ON ledger USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

-- How many rows of each application the ledger says were stored of a day of receipt. (Of records redriven under a batch
-- id that was taken, ledger_duplicates does not know when they were received.)
CREATE FUNCTION stored_of_day(of_day date)
    RETURNS TABLE (application_id integer, row_count bigint) LANGUAGE sql STABLE AS
$$
    SELECT entry.application_id, sum(entry.row_count)::bigint
    FROM (SELECT of_day::timestamp AT TIME ZONE 'UTC' AS first, (of_day + 1)::timestamp AT TIME ZONE 'UTC' AS ending) AS span,
    LATERAL (
        SELECT l.application_id, l.stored_count AS row_count FROM ledger l WHERE l.received_at >= first AND l.received_at < ending
        UNION ALL
        SELECT d.application_id, 1 FROM dead_letters d
        WHERE d.status = 'redriven' AND d.reason = 'batch_id_reused' AND d.received_at >= first AND d.received_at < ending) AS entry
    GROUP BY 1
$$;

-- What somebody changes while the partition is on its way out. A row's trigger, since a statement's does not fire for a
-- partition that is changed through its parent.
CREATE FUNCTION note_archive_change()
    RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    UPDATE archive_days SET change_count = change_count + 1, changed_by = pg_current_xact_id()
    WHERE archive_day_id = TG_ARGV[0]::bigint AND changed_by <> pg_current_xact_id();
    RETURN NULL;
END
$$;

-- The row of the day's partition, which from now on counts its changes. Waits for whoever is changing it; a second call
-- finds the first one's. Null if there is no such partition. Definer's rights: the archiver owns no table.
CREATE FUNCTION open_archive_day(class smallint, of_day date)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    leaf text := format('log_entries_%s_%s', class, to_char(of_day, 'YYYYMMDD'));
    opened bigint;
BEGIN
    IF to_regclass(leaf) IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT archive_day_id INTO opened FROM archive_days WHERE retention_class = class AND day = of_day AND status = 'open';
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(leaf) AND tgname = 'note_archive_change') THEN
        RETURN opened;
    END IF;
    IF opened IS NULL THEN
        INSERT INTO archive_days (retention_class, day) VALUES (class, of_day) RETURNING archive_day_id INTO opened;
    ELSE -- another table by now: whoever replaced it took the trigger with the old one
        UPDATE archive_days SET change_count = change_count + 1 WHERE archive_day_id = opened;
    END IF;
    EXECUTE format('CREATE TRIGGER note_archive_change AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW'
                   ' EXECUTE FUNCTION note_archive_change(%L)', leaf, opened);
    RETURN opened;
END
$$;

-- Drops the day's partition and all that only describes it; false, and nothing done, if it was changed after `change`.
-- Locks parents before their partitions, as readers do.
CREATE FUNCTION drop_archive_day(wanted bigint, change bigint)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    item archive_days;
    branch text;
    leaf text;
BEGIN
    SELECT * INTO STRICT item FROM archive_days WHERE archive_day_id = wanted AND status = 'open';
    FOREACH branch IN ARRAY ARRAY [format('log_entries_%s', item.retention_class), format('word_filters_%s', item.retention_class)]
    LOOP
        leaf := format('%s_%s', branch, to_char(item.day, 'YYYYMMDD'));
        IF to_regclass(leaf) IS NULL THEN
            CONTINUE;
        END IF;
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', branch);
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', leaf);
        IF (SELECT change_count FROM archive_days WHERE archive_day_id = wanted) <> change THEN
            RETURN false;
        END IF;
        EXECUTE format('DROP TABLE %I', leaf);
    END LOOP;
    DELETE FROM event_time_bounds WHERE retention_class = item.retention_class AND day = item.day;
    UPDATE archive_days SET status = 'dropped', dropped_at = now() WHERE archive_day_id = wanted;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION stored_of_day(date), note_archive_change(), open_archive_day(smallint, date), drop_archive_day(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stored_of_day(date), open_archive_day(smallint, date), drop_archive_day(bigint, bigint) TO sluice_archiver;

GRANT SELECT ON retention_classes, applications, ledger, dead_letters, log_entries, event_time_bounds, archive_days TO sluice_archiver;
GRANT UPDATE (exported_change) ON archive_days TO sluice_archiver;
GRANT SELECT, INSERT, UPDATE, DELETE ON archive_objects TO sluice_archiver;
GRANT SELECT, INSERT, UPDATE, DELETE ON archive_totals TO sluice_archiver;
DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['applications', 'ledger', 'dead_letters', 'log_entries', 'event_time_bounds']
    LOOP
        EXECUTE format('CREATE POLICY archiver ON %I FOR SELECT TO sluice_archiver USING (true)', secured);
    END LOOP;
END
$$;
