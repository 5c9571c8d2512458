-- When logs of a template happened: a search for a template reads no other times.
CREATE INDEX template_counts_by_template ON template_counts (application_id, template_id, template_key, event_minute);
