"""What people do by command, written to the audit table with who they are."""

from __future__ import annotations

from pathlib import Path

import typer
from sqlalchemy.exc import SQLAlchemyError

from events.errors import ToxwatchError
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.schema import SchemaState, schema_state
from projections.store.write.audit import record
from services.platform import time_source
from services.terminal.operator import operator_name


def audited(database: Database, doing: str, about: str = "", reason: str | None = None) -> None:
    """Write down that this person does something. Where nothing can be written now, that is said, and the command goes on."""
    try:
        with database.writing() as connection:
            record(connection, time_source.now(), operator_name(), doing, about, reason)
    except StoreUnavailable as error:
        typer.echo(f"toxwatch: this command is not in the audit table: {error}", err=True)


def audited_file(path: Path, doing: str, about: str) -> None:
    """The same for a command that works on the file of an embedded deployment: where it has tables of this version."""
    if not path.is_file():
        return
    database = Database(f"sqlite:///{path}")
    try:
        if schema_state(database) is SchemaState.CURRENT:
            audited(database, doing, about)
    except (SQLAlchemyError, ToxwatchError):
        typer.echo("toxwatch: this command is not in the audit table: the database cannot be used", err=True)
    finally:
        database.close()
