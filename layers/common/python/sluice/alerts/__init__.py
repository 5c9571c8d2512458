"""Alert rules: what they say of stored logs, when they fire, and what is to be told about it."""
