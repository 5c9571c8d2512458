"""Admission and the queue in one step, for small requests."""
