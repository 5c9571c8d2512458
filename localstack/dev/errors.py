"""What the developer sees instead of a traceback of this tool."""


class DevError(Exception):
    """The loop cannot start or go on; the message says why and what to do."""


class BrokenSource(Exception):
    """What was saved does not compile or import; the message is the traceback. What runs goes on running."""
