"""Asking before something is done that cannot be undone, or costs."""

import sys

import typer

from sluice_cli.errors import SettingsError


def confirm(question: str) -> None:
    """Ends the command on anything but yes. Raises SettingsError where nobody can answer."""
    if not sys.stdin.isatty():
        raise SettingsError("Nobody can confirm: standard input is no terminal", "Give --yes if you are sure.")
    typer.confirm(f"{question}?", abort=True, err=True)
