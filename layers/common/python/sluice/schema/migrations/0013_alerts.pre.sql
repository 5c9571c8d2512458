-- Alert rules, what came of them, and what is to be told. The login roles sluice_watcher and sluice_alerts exist already
-- (infra/database/roles.sql); both are members of sluice_reader and see what it sees.

ALTER TABLE api_keys DROP CONSTRAINT api_keys_scopes_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_scopes_check
    CHECK (scopes <@ ARRAY ['ingest', 'read', 'admin', 'metrics', 'alerts'] AND scopes <> '{}');

CREATE TABLE alert_rules (
    rule_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id  integer NOT NULL REFERENCES applications,
    name            text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    kind            text NOT NULL,
    spec            jsonb NOT NULL, -- see sluice.alerts.parse
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    labels          jsonb NOT NULL DEFAULT '{}',
    is_enabled      boolean NOT NULL DEFAULT true,
    default_key     text, -- which of the default rules it is; null for one that somebody made
    version         integer NOT NULL DEFAULT 1, -- raised with every change by a person
    changed_by      text, -- id of the API key
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    -- The evaluator's. Windows that end up to evaluated_until have a verdict, with the late minutes up to late_id counted.
    evaluated_until timestamptz, -- null: begins with the next window
    late_id         bigint NOT NULL DEFAULT 0,
    attempted_at    timestamptz, -- who waited longest comes first
    groups_cut      boolean NOT NULL DEFAULT false, -- there were more groups than a rule may have
    failure_code    text, -- why it has no verdicts since failed_at; null: it has
    failure_detail  text,
    failed_at       timestamptz,
    UNIQUE (application_id, name),
    UNIQUE (application_id, default_key)
);

-- One row per episode: what began, and how it ended. Times are ends of windows, in event time.
CREATE TABLE incidents (
    incident_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- shown in URLs, so not to be guessed
    application_id   integer NOT NULL REFERENCES applications,
    rule_id          bigint REFERENCES alert_rules ON DELETE SET NULL,
    anomaly_id       bigint,
    fingerprint      text NOT NULL, -- the same for every episode of one rule and group
    status           text NOT NULL CHECK (status IN ('firing', 'resolved')),
    severity         text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    labels           jsonb NOT NULL DEFAULT '{}',
    group_values     jsonb NOT NULL DEFAULT '[]', -- in the order of the rule's group_by
    rule_name        text NOT NULL,
    kind             text NOT NULL,
    title            text NOT NULL,
    sentence         text NOT NULL,
    query            text NOT NULL, -- in the query language: shows the logs
    window_from      timestamptz NOT NULL, -- like the next three, of the latest verdict that differed
    window_until     timestamptz NOT NULL,
    observed         double precision,
    threshold        double precision,
    opened_at        timestamptz NOT NULL,
    resolved_at      timestamptz,
    is_withdrawn     boolean NOT NULL DEFAULT false, -- late logs showed that it never was
    is_silenced      boolean NOT NULL DEFAULT false,
    acknowledged_at  timestamptz,
    acknowledged_by  text, -- id of the API key
    acknowledge_note text,
    noticed_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
-- Nothing fires twice at the same time, whoever evaluates.
CREATE UNIQUE INDEX incidents_firing ON incidents (fingerprint) WHERE status = 'firing';
CREATE INDEX incidents_by_time ON incidents (application_id, opened_at DESC, incident_id);
CREATE INDEX incidents_by_rule ON incidents (rule_id, opened_at);

-- What a rule and group is at, if not ok. since: the first window of an unbroken run of bad ones.
CREATE TABLE alert_states (
    rule_id      bigint NOT NULL REFERENCES alert_rules ON DELETE CASCADE,
    fingerprint  text NOT NULL,
    group_values jsonb NOT NULL, -- as above
    status       text NOT NULL CHECK (status IN ('pending', 'firing')),
    since        timestamptz NOT NULL,
    incident_id  uuid REFERENCES incidents,
    PRIMARY KEY (rule_id, fingerprint),
    CHECK ((status = 'firing') = (incident_id IS NOT NULL))
);

-- What is to be told, once each, in the order of event_id: written in the transaction that changes the incident, never
-- changed. The payload has all that a message needs, as it was at that moment; sluice.alerts.payload says what.
CREATE TABLE alert_events (
    event_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id    uuid NOT NULL REFERENCES incidents,
    application_id integer NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('firing', 'resolved', 'corrected', 'acknowledged')),
    payload        jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_events_by_incident ON alert_events (incident_id, event_id);

-- Minutes of events that got logs after their windows may have been evaluated: to be looked at again by each rule of the
-- application. Kept for a day.
CREATE TABLE late_minutes (
    late_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id integer NOT NULL,
    event_minute   timestamptz NOT NULL,
    noted_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX late_minutes_by_application ON late_minutes (application_id, late_id);

-- How far late minutes were looked for, in the order of storing, and up to when all that was received is stored.
CREATE TABLE watch_progress (
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    stored_xid xid8 NOT NULL,
    watermark  timestamptz
);
INSERT INTO watch_progress VALUES (true, pg_snapshot_xmin(pg_current_snapshot()));

-- Which minutes of events the census counted for a minute of receipt. Equal keys share their place in the index.
CREATE INDEX template_counts_by_receipt ON template_counts (application_id, received_minute, event_minute);

DO
$$
DECLARE
    secured text;
    sees    text := '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))';
BEGIN
    FOREACH secured IN ARRAY ARRAY ['alert_rules', 'incidents', 'alert_events', 'late_minutes']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO sluice_reader USING %s', secured, sees);
        EXECUTE format('GRANT SELECT ON %I TO sluice_reader', secured);
        EXECUTE format('CREATE POLICY watcher ON %I TO sluice_watcher USING (true) WITH CHECK (true)', secured);
    END LOOP;
    FOREACH secured IN ARRAY ARRAY ['alert_rules', 'incidents', 'alert_events']
    LOOP
        EXECUTE format('CREATE POLICY people ON %I TO sluice_alerts USING %s WITH CHECK %s', secured, sees, sees);
        EXECUTE format('GRANT INSERT, UPDATE ON %I TO sluice_watcher, sluice_alerts', secured);
    END LOOP;
END
$$;
REVOKE UPDATE ON alert_events FROM sluice_watcher, sluice_alerts;
GRANT DELETE ON alert_rules TO sluice_alerts;
GRANT SELECT, INSERT, DELETE ON late_minutes TO sluice_watcher;
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_states TO sluice_watcher;
-- Of states, who changes rules may see and end those of rules that it sees.
ALTER TABLE alert_states ENABLE ROW LEVEL SECURITY;
CREATE POLICY watcher ON alert_states TO sluice_watcher USING (true) WITH CHECK (true);
CREATE POLICY people ON alert_states TO sluice_alerts USING (EXISTS (SELECT FROM alert_rules r WHERE r.rule_id = alert_states.rule_id));
CREATE POLICY readers ON alert_states FOR SELECT TO sluice_reader
    USING (EXISTS (SELECT FROM alert_rules r WHERE r.rule_id = alert_states.rule_id));
GRANT SELECT ON alert_states TO sluice_reader;
GRANT DELETE ON alert_states TO sluice_alerts;
GRANT SELECT, UPDATE ON watch_progress TO sluice_watcher;
GRANT SELECT ON watch_progress TO sluice_reader;
