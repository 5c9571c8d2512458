-- The archive as a table of Athena. Put the bucket (an output of the stack) in two places, and the names of all retention
-- classes (`sluice retention list`). Nothing has to be loaded when days are added: partitions follow from the names of
-- folders. A query has to name applications: `sluice apps show NAME` has the number.
--
--   SELECT day, level, count(*) FROM sluice_logs
--   WHERE application IN (17) AND class = 'standard' AND day BETWEEN '2026-10-01' AND '2026-10-31'
--     AND json_extract_scalar(metadata, '$.user_id') = '42' AND from_iso8601_timestamp("timestamp") > timestamp '2026-10-01'
--   GROUP BY 1, 2;

CREATE EXTERNAL TABLE sluice_logs (
    id              string,
    `timestamp`     string,
    received_at     string,
    level           string,
    flags           int,
    message         string,
    metadata        string,
    severity_number int,
    severity_text   string,
    original_length int,
    trace_id        string,
    span_id         string,
    session_id      string,
    logger          string,
    host            string,
    service         string,
    version         string,
    template_id     int,
    template_key    bigint
)
PARTITIONED BY (class string, application int, day string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' -- gives an object that is to be a string as its JSON text
STORED AS TEXTFILE
LOCATION 's3://BUCKET/logs/'
TBLPROPERTIES (
    'projection.enabled'          = 'true',
    'projection.class.type'       = 'enum',
    'projection.class.values'     = 'standard',
    'projection.application.type' = 'injected',
    'projection.day.type'         = 'date',
    'projection.day.format'       = 'yyyy-MM-dd',
    'projection.day.range'        = '2026-01-01,NOW',
    'storage.location.template'   = 's3://BUCKET/logs/class=${class}/application=${application}/day=${day}/'
);
