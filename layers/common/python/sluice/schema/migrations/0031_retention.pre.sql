-- What a day on its way out holds, without looking at its rows; and what else quotes logs that are erased.

-- Rows of the day's partition by application. It is read by its own name, so an index has all that is asked for: where a vacuum has
-- been, as it has on a day that is over, no row is read. Definer's rights: the archiver may read the log table, not its parts.
CREATE FUNCTION count_archive_day(wanted bigint)
    RETURNS TABLE (application_id integer, row_count bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS
$$
DECLARE
    leaf text;
BEGIN
    SELECT format('log_entries_%s_%s', retention_class, to_char(day, 'YYYYMMDD')) INTO STRICT leaf
    FROM archive_days WHERE archive_day_id = wanted;
    IF to_regclass(leaf) IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT application_id, count(*) FROM %I GROUP BY application_id', leaf);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION count_archive_day(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_archive_day(bigint) TO sluice_archiver;

-- How many rows were deleted there: the ledger still has them when the day leaves the log table.
ALTER TABLE erased_days ADD COLUMN row_count bigint NOT NULL DEFAULT 0;

-- Deletion on demand, as of 0027, of what quotes erased templates (`ids`) or is grouped by an erased value (`quoted`): sentences of
-- anomalies, and incidents with their states and what was told of them. They end, and their rule forgets them; those of an anomaly stay
-- with it. Returns how many anomalies and incidents that are.
CREATE FUNCTION forget_quotations(application integer, ids integer[], quoted text[], is_all boolean)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    found bigint;
    about uuid[];
BEGIN
    SELECT array_agg(incident_id) INTO about FROM incidents i
    WHERE application_id = application AND (
        is_all OR group_values ?| quoted OR (kind = 'new_template' AND group_values ?| ids::text[])
        OR EXISTS (SELECT FROM anomalies a WHERE a.anomaly_id = i.anomaly_id AND a.template_ids && ids));
    UPDATE anomalies SET sentence = 'erased', samples = '{}'
    WHERE application_id = application AND template_ids && ids AND sentence <> 'erased';
    GET DIAGNOSTICS found = ROW_COUNT;
    UPDATE anomaly_watches SET generation = generation + 1 WHERE application_id = application; -- who watches remembers sentences
    DELETE FROM anomaly_backtests WHERE application_id = application;
    DELETE FROM alert_states s USING alert_rules r
    WHERE r.rule_id = s.rule_id AND r.application_id = application AND (s.incident_id = ANY (about) OR s.group_values ?| quoted);
    UPDATE alert_events
    SET payload = payload || '{"title": "erased", "sentence": "erased", "query": "", "labels": {}, "samples": []}'
    WHERE incident_id = ANY (about);
    UPDATE incidents SET title = 'erased', sentence = 'erased', query = '', labels = '{}', group_values = '[]' WHERE incident_id = ANY (about);
    UPDATE incidents SET rule_id = NULL, status = 'resolved', resolved_at = coalesce(resolved_at, now())
    WHERE incident_id = ANY (about) AND (is_all OR kind <> 'anomaly');
    RETURN found + coalesce(cardinality(about), 0);
END
$$;

-- As before, and these tables.
CREATE OR REPLACE FUNCTION rewrite_quotations()
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
BEGIN
    ALTER TABLE templates ALTER COLUMN text TYPE text USING text || '';
    ALTER TABLE unmined_lines ALTER COLUMN masked TYPE text USING masked || '';
    ALTER TABLE template_changes ALTER COLUMN became TYPE jsonb USING became || '{}'::jsonb;
    ALTER TABLE anomalies ALTER COLUMN sentence TYPE text USING sentence || '';
    ALTER TABLE anomaly_backtests ALTER COLUMN state TYPE bytea USING state || ''::bytea;
    ALTER TABLE incidents ALTER COLUMN title TYPE text USING title || '';
    ALTER TABLE alert_states ALTER COLUMN group_values TYPE jsonb USING group_values || '[]'::jsonb;
    ALTER TABLE alert_events ALTER COLUMN payload TYPE jsonb USING payload || '{}'::jsonb;
    ALTER TABLE messages ALTER COLUMN document TYPE jsonb USING document || '{}'::jsonb;
END
$$;
REVOKE ALL ON FUNCTION forget_quotations(integer, integer[], text[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_quotations(integer, integer[], text[], boolean) TO sluice_archiver;
