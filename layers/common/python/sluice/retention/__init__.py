"""Retention: which class a log is kept in, and for how long."""
