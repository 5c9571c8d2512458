"""`sluice status`: can the API take and return logs?"""

import typer

from sluice_cli import connections


def status(context: typer.Context) -> None:
    """Ask the API whether it can take and return logs.

    Ends with exit code 4 if not.
    """
    from sluice_cli import render

    chosen = connections.current(context)
    api = chosen.api()
    health = api.health()
    console = render.output()
    render.write_line(console, f"API     {api.url}")
    render.write_line(console, f"stage   {chosen.environment.stage}")
    render.write_line(console, f"key     {'set' if chosen.environment.key else 'none: set SLUICE_API_KEY'}")
    render.write_line(console, f"health  {health.get('status', 'unknown')}")
