-- Templates that a person keeps apart from what the miner would make of them.

ALTER TABLE templates
    ADD COLUMN is_split   boolean NOT NULL DEFAULT false, -- the miner merges it with nothing
    ADD COLUMN split_from integer REFERENCES templates;   -- what the miner had merged it into
-- How often that changed: who remembers lines forgets them then.
ALTER TABLE template_sets ADD COLUMN split_count integer NOT NULL DEFAULT 0;
