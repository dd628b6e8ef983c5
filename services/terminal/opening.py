"""Opening the database of a deployment for a command: it must be there, with its tables. A command makes none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from events.errors import ToxwatchError
from projections.store.engine.database import Database
from projections.store.engine.schema import WrongSchema, require_current
from services.platform.settings import Settings, SettingsError
from services.terminal.live_options import settings_of
from services.terminal.operator_audit import audited


class NoStore(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """There is no database, or not one that this software can use."""


@contextmanager
def store_of(
    data: Path | None, config: Path | None, doing: str = "", about: str = "", reason: str | None = None, **more: Any
) -> Iterator[tuple[Settings, Database]]:
    """The settings and the open database; ``more`` are further options. Raises :class:`NoStore` with a sentence.

    What the command is ``doing``, to what and why, is written to the audit table before it does it.
    """
    settings = settings_of(data, config, **more)
    try:
        url = make_url(settings.database_url)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise NoStore(f"there is no database at {url.database}: `toxwatch run` makes one")
    database = Database(settings.database_url)
    try:
        _check(database, shown)
        if doing:
            audited(database, doing, about, reason)
        yield settings, database
    finally:
        database.close()


def _check(database: Database, shown: str) -> None:
    try:
        require_current(database)
    except WrongSchema as error:
        raise NoStore(f"{shown}: {error}") from None
    except DBAPIError as error:
        raise NoStore(f"{shown} cannot be read: {error.orig}") from None
