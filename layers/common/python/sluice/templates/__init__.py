"""Log clustering: messages to templates. Masking and mining are pure; only their results are stored."""
