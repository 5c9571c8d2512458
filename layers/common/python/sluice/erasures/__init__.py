"""Deletion on demand of an application's logs, or of those of a person, with a receipt."""
