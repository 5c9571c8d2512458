"""What a command works with: settings, and the connections made from them on first use.

The drivers are imported when they are needed, so that `sluice --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import typer

from sluice_cli.environment import Environment

if TYPE_CHECKING:
    from sluice_cli.api import Api
    from sluice_cli.invoke import Functions


@dataclass(frozen=True)
class Connections:
    """Makes the connections that the settings ask for."""

    environment: Environment

    def functions(self) -> Functions:
        """The stage's functions, by Invoke. Raises SettingsError."""
        from sluice_cli.aws import make_client
        from sluice_cli.invoke import Functions

        return Functions(make_client(self.environment, "lambda"), self.environment)

    def api(self, notice: Callable[[str], None] = lambda _: None) -> Api:
        """The stage's HTTP API; `notice` is told of waits. Raises a CliError if its URL cannot be found."""
        from sluice_cli.api import Api

        return Api(self.api_url(), self.environment.key, notice=notice)

    def api_url(self) -> str:
        """The URL that was given, else the one in the outputs of the stage's stack. Raises a CliError."""
        if self.environment.url:
            return self.environment.url
        from sluice_cli.aws import find_api_url, make_client

        return find_api_url(make_client(self.environment, "cloudformation"), self.environment)


def current(context: typer.Context) -> Connections:
    """The connections of this call, as the global options have them."""
    return cast(Connections, context.obj)
