-- Watching: how far applications are watched, the states of detectors, and the anomalies that were found.

-- One row per application. Who saves raises the generation, and saves nothing if it is not the one that was loaded.
CREATE TABLE anomaly_watches (
    application_id integer PRIMARY KEY,
    generation     integer NOT NULL,
    settled_until  timestamptz NOT NULL, -- event time of the states: late logs are judged by feeding what came since again
    watched_until  timestamptz NOT NULL  -- logs received before are judged
);

-- Of each series, and of the catalogue of templates: compressed JSON of some kilobytes.
CREATE TABLE anomaly_states (
    application_id integer NOT NULL,
    state_key      text NOT NULL,
    state          bytea NOT NULL,
    PRIMARY KEY (application_id, state_key)
);
ALTER TABLE anomaly_states ALTER COLUMN state SET STORAGE EXTERNAL; -- it is compressed already

-- An incident that was found. The series that founded it and the bucket in which that one began to stand out identify it.
CREATE TABLE anomalies (
    anomaly_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id integer NOT NULL,
    founder        text NOT NULL,
    founded        timestamptz NOT NULL,
    lead           text NOT NULL, -- the series that says most, of which the next columns are
    kind           text NOT NULL,
    level          smallint, -- null: of all
    template_ids   integer[] NOT NULL,
    onset          timestamptz NOT NULL, -- event times, like the next eight
    opened_at      timestamptz NOT NULL, -- up to when logs were known when it was found
    last_seen      timestamptz NOT NULL,
    closed_at      timestamptz,
    window_from    timestamptz NOT NULL,
    window_until   timestamptz NOT NULL,
    baseline_from  timestamptz NOT NULL,
    baseline_until timestamptz NOT NULL,
    score          double precision NOT NULL,
    observed       double precision NOT NULL,
    expected       double precision NOT NULL,
    sentence       text NOT NULL,
    query          text NOT NULL, -- in the query language: shows the logs
    version        text, -- with which it began
    samples        text[] NOT NULL, -- ids of logs
    members        jsonb NOT NULL, -- what it was made of, see sluice.anomalies.series.Episode
    is_corrected   boolean NOT NULL, -- logs that came late took away what it was made of
    is_muted       boolean NOT NULL, -- somebody called one like it noise
    feedback       text CHECK (feedback IN ('useful', 'noise')),
    feedback_by    text, -- id of the API key
    feedback_at    timestamptz,
    found_at       timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (application_id, founder, founded)
);
CREATE INDEX anomalies_by_time ON anomalies (application_id, onset DESC, anomaly_id DESC);
CREATE INDEX anomalies_open ON anomalies (application_id) WHERE closed_at IS NULL;
CREATE INDEX anomalies_judged ON anomalies (application_id, feedback_at) WHERE feedback IS NOT NULL;

-- Watching over history, for somebody who waits for it: what is needed to go on. Kept for a day.
CREATE TABLE anomaly_backtests (
    backtest_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    application_id integer NOT NULL,
    since          timestamptz NOT NULL,
    until          timestamptz NOT NULL,
    state          bytea, -- compressed JSON; null: not begun
    changed_at     timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE anomaly_backtests ALTER COLUMN state SET STORAGE EXTERNAL;

DO
$$
DECLARE
    secured text;
    sees    text := '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))';
BEGIN
    FOREACH secured IN ARRAY ARRAY ['anomaly_watches', 'anomaly_states', 'anomalies']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING %s', secured, sees);
        EXECUTE format('CREATE POLICY watcher ON %I TO sluice_watcher USING (true) WITH CHECK (true)', secured);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO sluice_watcher', secured);
    END LOOP;
    ALTER TABLE anomaly_backtests ENABLE ROW LEVEL SECURITY;
    EXECUTE format('CREATE POLICY people ON anomaly_backtests TO sluice_alerts USING %s WITH CHECK %s', sees, sees);
    EXECUTE format('CREATE POLICY people ON anomalies FOR UPDATE TO sluice_alerts USING %s WITH CHECK %s', sees, sees);
END
$$;
GRANT DELETE ON anomaly_states TO sluice_watcher;
GRANT SELECT, INSERT, UPDATE, DELETE ON anomaly_backtests TO sluice_alerts;
GRANT UPDATE (feedback, feedback_by, feedback_at) ON anomalies TO sluice_alerts;
