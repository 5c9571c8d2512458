"""The archive: days of logs that have left the log table, as objects in S3 with a manifest in Postgres."""
