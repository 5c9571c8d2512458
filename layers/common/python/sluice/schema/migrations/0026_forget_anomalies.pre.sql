-- Sentences of anomalies quote templates: whoever deletes an application's templates deletes them, too.
CREATE OR REPLACE FUNCTION forget_templates(application integer)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    emptied text;
BEGIN
    PERFORM pg_advisory_xact_lock(7583243, application); -- who mines
    FOREACH emptied IN ARRAY ARRAY ['template_counts', 'template_history', 'template_rollups', 'release_counts', 'releases', 'unmined_lines',
                                    'template_keys', 'template_changes', 'templates', 'template_sets', 'anomaly_backtests', 'anomaly_states',
                                    'anomaly_watches', 'anomalies']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE application_id = $1', emptied) USING application;
    END LOOP;
END
$$;
