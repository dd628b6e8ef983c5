"""``toxwatch rebuild``: the projections made again from the log, beside a running system."""

from __future__ import annotations

from typing import Final

import typer

from services.log.opening import open_logs
from services.maintenance.rebuilding import rebuild_of
from services.platform.time_source import SystemClock
from services.terminal.live_options import Config, Data, ProtocolInForce
from services.terminal.opening import store_of
from services.terminal.progress import events_done

DIFFERENT: Final = 1


def rebuild(data: Data = None, config: Config = None, protocol: ProtocolInForce = None) -> None:
    """Rebuild the projections from the first event, while traffic goes on, and cut over to them.

    Nothing is told again. Where a verdict is another under the rules in force, its alert is revised.
    """
    with (
        store_of(data, config, "rebuild", protocol=protocol) as (settings, database),
        open_logs(settings, database) as logs,
    ):
        clock = SystemClock()
        with (
            rebuild_of(settings, database, logs.clinical).begun(clock.now()) as made,
            events_done("reading the log") as advance,
        ):
            revised = made.change_over(clock.now, advance)
    typer.echo(f"toxwatch: rebuilt; {len(revised)} alerts were revised", err=True)
    if made.parked:
        typer.echo(
            f"toxwatch: not being watched, since their events cannot be judged: {', '.join(sorted(made.parked))}",
            err=True,
        )
