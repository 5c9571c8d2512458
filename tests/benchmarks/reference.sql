-- What raw COPY writes into: the columns, partitions and indexes that the log table began with, fixed here so that a
-- change of the product does not move the yardstick.
CREATE TABLE reference (
    application_id  integer NOT NULL,
    position        integer NOT NULL,
    batch_id        uuid NOT NULL,
    received_at     timestamptz NOT NULL,
    event_at        timestamptz NOT NULL,
    original_length integer,
    retention_class smallint NOT NULL,
    level           smallint NOT NULL,
    severity_number smallint,
    flags           smallint NOT NULL,
    severity_text   text,
    trace_id        text,
    span_id         text,
    session_id      text,
    logger          text,
    host            text,
    service         text,
    version         text,
    message         text NOT NULL,
    metadata        jsonb NOT NULL
) PARTITION BY LIST (retention_class);
CREATE INDEX reference_by_event ON reference (application_id, event_at);
CREATE INDEX reference_by_receipt ON reference (application_id, received_at);
CREATE TABLE reference_1 PARTITION OF reference FOR VALUES IN (1) PARTITION BY RANGE (received_at);
CREATE TABLE reference_1_today PARTITION OF reference_1 FOR VALUES FROM ('-infinity') TO ('infinity');
