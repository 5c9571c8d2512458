"""Chunks: the unit of work that drain hands to process_chunk."""
