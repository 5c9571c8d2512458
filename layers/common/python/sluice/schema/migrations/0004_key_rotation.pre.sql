-- What a key is for, and which key has taken its place.

ALTER TABLE api_keys
    ADD COLUMN description text CHECK (char_length(description) BETWEEN 1 AND 200),
    ADD COLUMN rotated_to  text REFERENCES api_keys;
