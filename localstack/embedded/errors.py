"""Errors of the embedded stack."""


class StackError(Exception):
    """The stack cannot do what was asked; the message is for the user and says what to do."""


class Unhealthy(Exception):
    """A server does not answer as it should, yet."""
