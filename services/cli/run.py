"""``toxwatch run``: everything in one process, day and night."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.platform.logs import configure_logs
from services.platform.settings import SettingsError
from services.platform.time_source import SystemClock
from services.runtime.embedded import run_system
from services.terminal.live_options import Config, settings_of


def run(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Directory of the data; made when missing (TOXWATCH_DATA).", metavar="DIR"),
    ] = None,
    config: Config = None,
    listen: Annotated[str | None, typer.Option("--listen", help="Address of the gateway.", metavar="HOST:PORT")] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="Address of metrics and health.", metavar="HOST:PORT")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="A bundled protocol, a configuration file, or a Python module.")
    ] = None,
    recipients: Annotated[
        Path | None, typer.Option("--recipients", help="Who is told, over which channels (TOML).", metavar="FILE")
    ] = None,
) -> None:
    """Take events over HTTP, watch every subject and deliver alerts, until it is stopped (SIGTERM, Ctrl-C)."""
    settings = settings_of(data, config, listen=listen, metrics=metrics, protocol=protocol, recipients=recipients)
    try:
        _ = settings.database_url
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    configure_logs(settings.log_level)
    asyncio.run(run_system(settings, SystemClock()))
