"""``toxwatch gateway``, ``monitor``, ``clock`` and ``dispatcher``: one service each, for the distributed run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from services.cli.clock import confirm
from services.platform.logs import configure_logs
from services.platform.settings import Settings, SettingsError
from services.platform.time_source import SystemClock
from services.runtime.embedded import Parts
from services.terminal.live_options import Config, settings_of

Metrics = Annotated[str | None, typer.Option("--metrics", help="Address of metrics and health.", metavar="HOST:PORT")]
Listen = Annotated[str | None, typer.Option("--listen", help="Address of the gateway.", metavar="HOST:PORT")]
Recipients = Annotated[
    Path | None, typer.Option("--recipients", help="Who is told, over which channels (TOML).", metavar="FILE")
]


def gateway(config: Config = None, listen: Listen = None, metrics: Metrics = None) -> None:
    """Take events over HTTP into the log on Kafka and answer readers, until it is stopped (SIGTERM, Ctrl-C)."""
    from services.runtime.distributed import run_gateway

    _run(settings_of(None, config, listen=listen, metrics=metrics), run_gateway)


clock_app = typer.Typer(invoke_without_command=True)
clock_app.command()(confirm)


@clock_app.callback()
def clock(context: typer.Context, config: Config = None, metrics: Metrics = None) -> None:
    """Publish each deadline as it comes due, until it is stopped (SIGTERM, Ctrl-C)."""
    if context.invoked_subcommand is not None:
        return
    from services.runtime.distributed import run_clock

    _run(settings_of(None, config, metrics=metrics), run_clock)


def dispatcher(config: Config = None, recipients: Recipients = None, metrics: Metrics = None) -> None:
    """Deliver alerts to their recipients, until it is stopped (SIGTERM, Ctrl-C)."""
    from services.runtime.distributed import run_dispatcher

    _run(settings_of(None, config, recipients=recipients, metrics=metrics), run_dispatcher)


def monitor(config: Config = None, metrics: Metrics = None) -> None:
    """Judge the events of the log on Kafka, as one of any number of workers, until it is stopped (SIGTERM, Ctrl-C)."""
    settings = settings_of(None, config, metrics=metrics)
    configure_logs(settings.log_level)
    # A second to import, which only this command should spend.
    from services.runtime.faust_worker import MonitorWorker, worker_app

    try:
        app = worker_app(settings)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    MonitorWorker(app, quiet=True).execute_from_commandline()


def _run(settings: Settings, serve: Callable[[Parts], Awaitable[None]]) -> None:
    from services.runtime.distributed import parts_of

    configure_logs(settings.log_level)
    try:
        with parts_of(settings, SystemClock()) as parts:
            asyncio.run(_until_done(serve, parts))
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None


async def _until_done(serve: Callable[[Parts], Awaitable[None]], parts: Parts) -> None:
    await serve(parts)
