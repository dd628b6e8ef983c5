"""``toxwatch clock confirm``: somebody at the machine says that its clock is right."""

from __future__ import annotations

import typer

from events.dates import format_instant
from services.clock.watch import confirm_as_operator
from services.platform import time_source
from services.terminal.live_options import Config, Data
from services.terminal.opening import store_of
from services.terminal.operator import operator_name


def confirm(data: Data = None, config: Config = None) -> None:
    """Say that this machine's clock is right. Compare it with a reliable one first.

    A Toxwatch that doubts its clock goes on within seconds, if its clock says the same: countdowns that have ended meanwhile
    then take effect at once.
    """
    with store_of(data, config, "clock confirm") as (_, database):
        at = time_source.now()
        with database.writing() as connection:
            ahead = confirm_as_operator(connection, at, operator_name())
    typer.echo(f"toxwatch: confirmed: it is {format_instant(at)} ({time_source.local_time()})", err=True)
    if ahead:
        typer.echo(f"toxwatch: the last time on record is {ahead} s ahead of that; see docs/operating.md", err=True)
