"""``toxwatch migrate``: the tables made, or brought to this version."""

from __future__ import annotations

from typing import Final

import typer

from projections.store.engine.database import Database
from projections.store.engine.schema import SchemaState, latest_revision
from projections.store.engine.schema import migrate as migrate_tables
from services.platform.settings import SettingsError
from services.terminal.live_options import Config, Data, settings_of
from services.terminal.operator_audit import audited

DIFFERENT: Final = 1


def migrate(data: Data = None, config: Config = None) -> None:
    """Make the tables, or bring them to this version. Stop Toxwatch and make a backup first."""
    settings = settings_of(data, config)
    try:
        url = settings.database_url
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    database = Database(url)
    try:
        before = migrate_tables(database)
        audited(database, "migrate", latest_revision())
    finally:
        database.close()
    done = "already of" if before is SchemaState.CURRENT else "now of"
    typer.echo(f"toxwatch: the tables are {done} version {latest_revision()}", err=True)
