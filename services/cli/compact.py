"""``toxwatch compact``: give back the room of what was erased."""

from __future__ import annotations

import typer

from projections.store.engine.disk_space import compact as make_compact
from projections.store.engine.disk_space import size_of
from services.platform.disk import room_on
from services.terminal.live_options import Config, Data
from services.terminal.opening import store_of


def compact(data: Data = None, config: Config = None) -> None:
    """Return the space of erased rows to the disk, while Toxwatch runs.

    SQLite: the file becomes smaller; the first time it is written anew, for which as much again must be free. PostgreSQL: VACUUM.
    """
    with store_of(data, config, "compact") as (_, database), room_on(database):
        before = size_of(database)
        make_compact(database)
        typer.echo(f"toxwatch: the database took {before} bytes, and takes {size_of(database)}", err=True)
