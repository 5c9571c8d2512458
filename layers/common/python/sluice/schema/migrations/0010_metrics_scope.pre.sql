-- Keys that may read the platform's metrics, and nothing else.
ALTER TABLE api_keys DROP CONSTRAINT api_keys_scopes_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_scopes_check
    CHECK (scopes <@ ARRAY ['ingest', 'read', 'admin', 'metrics'] AND scopes <> '{}');
