-- What an application may send, and when a key was last used.

ALTER TABLE applications
    ADD COLUMN requests_per_second integer CHECK (requests_per_second > 0), -- null, like the next two: the deployment's
    ADD COLUMN bytes_per_second    bigint CHECK (bytes_per_second > 0),
    ADD COLUMN bytes_per_day       bigint CHECK (bytes_per_day > 0);

-- Takes the place of find_key. Notes the use at most once a minute, and lets nobody wait for that: callers cache, and
-- two at once would only write the same.
CREATE FUNCTION look_up_key(wanted text)
    RETURNS TABLE (key_id text, secret_hash bytea, application_id integer, application text,
                   retention_class smallint, scopes text[], expires_at timestamptz,
                   requests_per_second integer, bytes_per_second bigint, bytes_per_day bigint)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    UPDATE api_keys SET last_used_at = now()
    WHERE api_keys.key_id = (
        SELECT k.key_id FROM api_keys k
        WHERE k.key_id = wanted AND k.status = 'active' AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
        FOR UPDATE SKIP LOCKED);

    SELECT k.key_id, k.secret_hash, a.application_id, a.name, a.retention_class, k.scopes, k.expires_at,
           a.requests_per_second, a.bytes_per_second, a.bytes_per_day
    FROM api_keys k JOIN applications a USING (application_id)
    WHERE k.key_id = wanted AND k.status = 'active' AND a.status = 'active';
$$;

REVOKE ALL ON FUNCTION look_up_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION look_up_key(text) TO sluice_ingest, sluice_reader;
