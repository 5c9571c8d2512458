-- From where on a rule has verdicts: windows before it are nobody's, whatever comes late.
ALTER TABLE alert_rules ADD COLUMN begun_at timestamptz;
UPDATE alert_rules SET begun_at = evaluated_until;
CREATE INDEX incidents_by_anomaly ON incidents (anomaly_id) WHERE anomaly_id IS NOT NULL;
