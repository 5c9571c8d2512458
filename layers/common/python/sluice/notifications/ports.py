"""Contracts of sending."""

from collections.abc import Sequence
from typing import Protocol

from sluice.notifications.model import Outcome, Task


class Sender(Protocol):
    """Sends a message once."""

    def send(self, task: Task) -> Outcome:
        """Tries once and says how it ended; whatever goes wrong on the way is an outcome. DELIVERED: the receiver said
        so. FAILED does not promise that nothing arrived, since an answer may be lost; the message's id is then on
        both."""


class Resolver(Protocol):
    """Looks up names."""

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """All addresses of the host as text. Raises OSError if there is no answer."""
