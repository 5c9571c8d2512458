"""The conservation ledger: every accepted record is stored, a duplicate, dead-lettered or in flight."""
