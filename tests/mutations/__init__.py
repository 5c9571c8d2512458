"""Deliberate faults: each must turn a test red, or the tests are worth nothing there."""
