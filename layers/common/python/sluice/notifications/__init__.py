"""Notifications: who is told of an incident, when, and how it gets there."""
