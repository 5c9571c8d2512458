"""Word filters of what is stored, for search."""
