"""``toxwatch verify``: the projections compared with the log, row by row, beside a running system."""

from __future__ import annotations

from typing import Final

import typer

from projections.store.rebuild.verify import differences
from services.log.opening import open_logs
from services.maintenance.rebuilding import rebuild_of
from services.platform.printable import printable
from services.platform.time_source import SystemClock
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat, ProtocolInForce
from services.terminal.opening import store_of
from services.terminal.progress import events_done
from services.terminal.writing import write_json

DIFFERENT: Final = 1


def verify(
    data: Data = None,
    config: Config = None,
    protocol: ProtocolInForce = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Rebuild aside and compare, row by row. Exits with 1 and names every row that differs."""
    with (
        store_of(data, config, "verify", protocol=protocol) as (settings, database),
        open_logs(settings, database) as logs,
    ):
        clock = SystemClock()
        with (
            rebuild_of(settings, database, logs.clinical).aside(clock.now()) as made,
            events_done("reading the log") as advance,
            made.snapshot(clock.now, advance) as connection,
        ):
            found = list(differences(connection, made.generation))
    if format is ListFormat.JSON:
        write_json([one._asdict() for one in found])
    else:
        for one in found:
            typer.echo(printable(f"{one.table}: {one.where}: {one.row}"))
    typer.echo(f"toxwatch: verified; {len(found) or 'no'} rows differ", err=True)
    raise typer.Exit(DIFFERENT if found else 0)
