-- Nobody calls it any more: look_up_key has taken its place.
DROP FUNCTION find_key(text);
