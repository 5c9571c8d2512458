-- Who is told of incidents, what keeps them from being told, and what became of each message. The pepper is not here: who
-- reads these tables cannot sign a webhook.

-- When it was decided on which channels an event is told; the rest of an event never changes.
ALTER TABLE alert_events ADD COLUMN routed_at timestamptz;
CREATE INDEX alert_events_unrouted ON alert_events (event_id) WHERE routed_at IS NULL;
GRANT UPDATE (routed_at) ON alert_events TO sluice_watcher;

CREATE TABLE channels (
    channel_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    application_id   integer NOT NULL REFERENCES applications,
    name             text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    kind             text NOT NULL CHECK (kind IN ('webhook', 'slack', 'email', 'sns')),
    target           text NOT NULL, -- may hold a secret: no answer and no line of a log has it. Empty once deleted
    min_severity     text NOT NULL DEFAULT 'info' CHECK (min_severity IN ('info', 'warning', 'critical')),
    is_enabled       boolean NOT NULL DEFAULT true,
    secret_version   integer NOT NULL DEFAULT 1, -- the signing secret is derived from it
    old_secret_until timestamptz, -- up to then the version before signs, too
    created_by       text NOT NULL, -- id of the API key
    created_at       timestamptz NOT NULL DEFAULT now(),
    deleted_at       timestamptz
);
CREATE UNIQUE INDEX channels_by_name ON channels (application_id, name) WHERE deleted_at IS NULL;

CREATE TABLE silences (
    silence_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    application_id integer NOT NULL REFERENCES applications,
    matchers       jsonb NOT NULL, -- [[label, operator, value], …], see sluice.notifications.silences
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    comment        text NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (ends_at >= starts_at)
);
CREATE INDEX silences_by_end ON silences (application_id, ends_at);

-- Once, or every week by the clocks of a place.
CREATE TABLE maintenance_windows (
    window_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    application_id   integer NOT NULL REFERENCES applications,
    matchers         jsonb NOT NULL,
    starts_at        timestamptz,
    ends_at          timestamptz,
    weekdays         smallint[], -- 0 is Monday
    start_minute     smallint CHECK (start_minute BETWEEN 0 AND 1439),
    duration_minutes integer CHECK (duration_minutes BETWEEN 1 AND 1440),
    time_zone        text,
    comment          text NOT NULL,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(starts_at, ends_at) = 2 AND num_nonnulls(weekdays, start_minute, duration_minutes, time_zone) = 0
        OR num_nonnulls(starts_at, ends_at) = 0 AND num_nonnulls(weekdays, start_minute, duration_minutes, time_zone) = 4),
    CHECK (ends_at > starts_at)
);
CREATE INDEX maintenance_windows_by_application ON maintenance_windows (application_id);

-- What is sent, once each, about one or several events. The id goes with it at every attempt. Who sends holds a lease; of
-- one that died the lease runs out, and somebody else sends.
CREATE TABLE messages (
    message_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position       bigint GENERATED ALWAYS AS IDENTITY,
    channel_id     uuid NOT NULL REFERENCES channels,
    application_id integer NOT NULL,
    document       jsonb NOT NULL, -- see sluice.notifications.model.Message
    status         text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempt_count  integer NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL,
    leased_until   timestamptz,
    created_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    CHECK ((status = 'pending') = (finished_at IS NULL))
);
CREATE INDEX messages_pending ON messages (due_at) WHERE status = 'pending';
CREATE INDEX messages_by_channel ON messages (channel_id, created_at);

-- One row per event and channel that wants it: in which message it is told, or why it is not.
CREATE TABLE deliveries (
    event_id       bigint NOT NULL REFERENCES alert_events,
    channel_id     uuid NOT NULL REFERENCES channels,
    application_id integer NOT NULL,
    incident_id    uuid NOT NULL REFERENCES incidents,
    kind           text NOT NULL,
    message_id     uuid REFERENCES messages,
    reason         text CHECK (reason IN ('silence', 'maintenance', 'rate', 'unannounced')),
    is_final       boolean NOT NULL, -- nothing will change it any more
    muting_id      uuid, -- the silence or window
    decided_at     timestamptz NOT NULL,
    PRIMARY KEY (event_id, channel_id),
    CHECK ((message_id IS NULL) = (reason IS NOT NULL))
);
CREATE INDEX deliveries_by_incident ON deliveries (incident_id, channel_id);
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_by_application ON deliveries (application_id, event_id);
CREATE INDEX deliveries_held ON deliveries (event_id) WHERE NOT is_final;

-- Every attempt to send, and how it ended; one without an end was cut off.
CREATE TABLE message_attempts (
    message_id     uuid NOT NULL REFERENCES messages,
    number         integer NOT NULL,
    application_id integer NOT NULL,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    result         text CHECK (result IN ('delivered', 'failed', 'refused')),
    code           text,
    http_status    integer,
    detail         text,
    PRIMARY KEY (message_id, number)
);

DO
$$
DECLARE
    secured text;
    sees    text := '(application_id = ANY ((SELECT visible_applications())::integer[]) OR (SELECT sees_all_applications()))';
BEGIN
    FOREACH secured IN ARRAY ARRAY ['channels', 'silences', 'maintenance_windows', 'messages', 'deliveries', 'message_attempts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY watcher ON %I TO sluice_watcher USING (true) WITH CHECK (true)', secured);
        EXECUTE format('CREATE POLICY people ON %I TO sluice_alerts USING %s WITH CHECK %s', secured, sees, sees);
        EXECUTE format('GRANT SELECT ON %I TO sluice_watcher, sluice_alerts', secured);
    END LOOP;
END
$$;
-- How far sending is behind, for metrics. Definer's rights: readers see no messages.
CREATE FUNCTION notification_backlog() RETURNS TABLE (pending bigint, oldest_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT count(*), min(created_at) FROM messages WHERE status = 'pending'
$$;
REVOKE ALL ON FUNCTION notification_backlog() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notification_backlog() TO sluice_watcher, sluice_reader;

GRANT INSERT, UPDATE ON messages, deliveries, message_attempts TO sluice_watcher;
GRANT INSERT, UPDATE ON channels, silences, messages, message_attempts TO sluice_alerts;
GRANT UPDATE (is_final) ON deliveries TO sluice_alerts; -- of a channel that is deleted
GRANT INSERT, DELETE ON maintenance_windows TO sluice_alerts;
