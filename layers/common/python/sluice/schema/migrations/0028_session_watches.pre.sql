-- Watching sessions: how far applications' logs are read for them, what is usual, and what is odd.

-- One row per application. Who saves raises the generation, and saves nothing if it is not the one that was loaded.
CREATE TABLE session_watches (
    application_id integer PRIMARY KEY,
    generation     integer NOT NULL,
    read_until     timestamptz NOT NULL, -- logs received before are in the state; of its past it is the events' time
    state          bytea NOT NULL, -- compressed JSON; open sessions included
    episodes       jsonb NOT NULL -- see sluice.anomalies.series.Episode
);
ALTER TABLE session_watches ALTER COLUMN state SET STORAGE EXTERNAL; -- it is compressed already
ALTER TABLE session_watches ENABLE ROW LEVEL SECURITY;
CREATE POLICY watcher ON session_watches TO sluice_watcher USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON session_watches TO sluice_watcher;
CREATE POLICY readers ON session_watches FOR SELECT TO sluice_reader
    USING (application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()));
GRANT SELECT ON session_watches TO sluice_reader;

-- They quote names of sessions, too.
CREATE OR REPLACE FUNCTION forget_templates(application integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    emptied text;
BEGIN
    PERFORM pg_advisory_xact_lock(7583243, application); -- who mines
    FOREACH emptied IN ARRAY ARRAY ['template_counts', 'template_history', 'template_rollups', 'release_counts', 'releases', 'unmined_lines',
                                    'template_keys', 'template_changes', 'templates', 'template_sets', 'anomaly_backtests', 'anomaly_states',
                                    'anomaly_watches', 'anomalies', 'session_watches']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE application_id = $1', emptied) USING application;
    END LOOP;
END
$$;
