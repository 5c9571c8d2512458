-- Log templates: what applications' logs say, but for the values in them; how often each came; what people made of them.

-- What a row says of its template is the hash of its masked message, and the template as far as it was known then. Neither is
-- ever changed: templates that were merged lead on, and a key may get its template later (template_keys).

-- One row per application that was mined. Who changes its templates holds the advisory lock (application) and raises the
-- version; who has templates of the same version has all of them.
CREATE TABLE template_sets (
    application_id integer PRIMARY KEY,
    version        integer NOT NULL DEFAULT 0,
    overflowed_at  timestamptz -- when a line first found no template and no room for a new one
);

CREATE TABLE templates (
    template_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id integer NOT NULL,
    number         integer NOT NULL, -- the miner's, counted within the application
    version        integer NOT NULL, -- of the set, when the miner changed it last
    text           text NOT NULL,
    mined_into     integer REFERENCES templates, -- what the miner merged it into
    merged_into    integer REFERENCES templates, -- what a person merged it into; counts before the miner's word
    name           text CHECK (char_length(name) BETWEEN 1 AND 200),
    is_ignored     boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (application_id, number)
);
CREATE INDEX templates_by_version ON templates (application_id, version);

-- What people did to templates, the newest last.
CREATE TABLE template_changes (
    change_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id integer NOT NULL,
    template_id    integer NOT NULL REFERENCES templates,
    key_id         text NOT NULL, -- of the API key that did it
    was            jsonb NOT NULL,
    became         jsonb NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX template_changes_by_template ON template_changes (template_id, change_id);

-- Masked lines that were stored while nobody could mine them, and the templates that such lines got in the end.
CREATE TABLE unmined_lines (
    application_id integer NOT NULL,
    template_key   bigint NOT NULL,
    masked         text NOT NULL,
    PRIMARY KEY (application_id, template_key)
);
CREATE TABLE template_keys (
    application_id integer NOT NULL,
    template_key   bigint NOT NULL,
    template_id    integer NOT NULL REFERENCES templates,
    PRIMARY KEY (application_id, template_key)
);

-- The census: every stored record that was masked counts in one row, written in the transaction that stores it. Records
-- whose template was not known have template 0 and their key, all others key 0. The minute of receipt is the ledger's.
CREATE TABLE template_counts (
    event_minute    timestamptz NOT NULL,
    received_minute timestamptz NOT NULL,
    template_key    bigint NOT NULL,
    application_id  integer NOT NULL,
    template_id     integer NOT NULL,
    record_count    integer NOT NULL,
    level           smallint NOT NULL,
    PRIMARY KEY (application_id, event_minute, template_id, template_key, level, received_minute)
) WITH (fillfactor = 80);

DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['template_sets', 'templates', 'template_changes', 'unmined_lines', 'template_keys', 'template_counts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING '
                       '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))', secured);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
    END LOOP;
    -- Who mines: process_chunk, and index for what process_chunk could not.
    FOREACH secured IN ARRAY ARRAY ['template_sets', 'templates']
    LOOP
        EXECUTE format('CREATE POLICY miners ON %I TO sluice_writer, sluice_indexer USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO sluice_writer, sluice_indexer', secured);
    END LOOP;
END
$$;
GRANT UPDATE (version, overflowed_at) ON template_sets TO sluice_writer, sluice_indexer;
GRANT UPDATE (version, text, mined_into) ON templates TO sluice_writer, sluice_indexer;
CREATE POLICY writers ON template_counts TO sluice_writer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (record_count) ON template_counts TO sluice_writer;
CREATE POLICY writers ON unmined_lines FOR INSERT TO sluice_writer WITH CHECK (true);
GRANT INSERT ON unmined_lines TO sluice_writer;
CREATE POLICY indexer ON unmined_lines TO sluice_indexer USING (true);
GRANT SELECT, DELETE ON unmined_lines TO sluice_indexer;
CREATE POLICY indexer ON template_keys TO sluice_indexer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON template_keys TO sluice_indexer;

-- All templates that are one with `wanted` by now, itself included; null if there is no such template to be seen.
CREATE FUNCTION template_family(wanted integer)
    RETURNS integer[] LANGUAGE sql STABLE AS
$$
    WITH RECURSIVE up (template_id, next) AS (
        SELECT t.template_id, coalesce(t.merged_into, t.mined_into) FROM templates t WHERE t.template_id = wanted
        UNION
        SELECT t.template_id, coalesce(t.merged_into, t.mined_into) FROM up JOIN templates t ON t.template_id = up.next
    ), down (template_id) AS (
        SELECT template_id FROM up
        UNION
        SELECT t.template_id FROM down JOIN templates t ON coalesce(t.merged_into, t.mined_into) = down.template_id
    )
    SELECT array_agg(template_id) FROM down
$$;
