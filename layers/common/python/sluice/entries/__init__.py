"""Log records: what a client may send, and the normal form in which Sluice keeps it."""
