-- Which version of a service logged what: the census of templates by release and hour, for what a deployment changed.

-- A service's version, as its logs name them.
CREATE TABLE releases (
    release_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id integer NOT NULL,
    service        text NOT NULL, -- '' of logs that name none
    version        text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (application_id, service, version)
);

-- Every record that counts in template_counts and has a version counts here, too, in the same transaction.
CREATE TABLE release_counts (
    event_hour     timestamptz NOT NULL,
    template_key   bigint NOT NULL,
    record_count   bigint NOT NULL,
    application_id integer NOT NULL,
    release_id     integer NOT NULL, -- 0: of all for which there was no room in releases
    template_id    integer NOT NULL,
    PRIMARY KEY (application_id, release_id, event_hour, template_id, template_key)
) WITH (fillfactor = 80);

DO
$$
DECLARE
    secured text;
BEGIN
    FOREACH secured IN ARRAY ARRAY ['releases', 'release_counts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING '
                       '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))', secured);
        EXECUTE format('CREATE POLICY writers ON %I TO sluice_writer USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO sluice_writer', secured);
    END LOOP;
END
$$;
GRANT UPDATE (record_count) ON release_counts TO sluice_writer;
