"""What the operator sees instead of a traceback."""


class DeployError(Exception):
    """The deployment cannot go on; the message says why and what to do."""
