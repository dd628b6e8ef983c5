"""The tables of a database and their version: empty, current, older or newer than this software."""

from __future__ import annotations

from enum import Enum
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from events.errors import ToxwatchError
from projections.store.engine import tables_upkeep as _tables_upkeep  # noqa: F401 - declares its tables
from projections.store.engine.database import Database
from projections.store.engine.fingerprint import Structure, strangers
from projections.store.engine.tables import metadata

MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: How much of what does not belong there is named.
NAMED_MAX: Final = 5


class SchemaState(Enum):
    """How the tables of a database stand to this software."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    FOREIGN = "foreign"


class WrongSchema(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The tables are not those of this software; the message says what to do."""


_ADVICE: Final = {
    SchemaState.EMPTY: "the database is empty: `toxwatch run` or `toxwatch migrate` makes the tables",
    SchemaState.OLDER: "the tables are those of an earlier version: stop Toxwatch, make a `toxwatch backup`, then run"
    " `toxwatch migrate`",
    SchemaState.NEWER: "the tables are those of a later version of Toxwatch: install that version, or restore a backup",
    SchemaState.FOREIGN: "the database holds tables of something else: name another database",
}


def schema_state(database: Database) -> SchemaState:
    """How the tables stand to this software."""
    with database.reading() as connection:
        return _state(connection)


def require_current(database: Database) -> None:
    """Raises :class:`WrongSchema`, with what to do, unless the tables are those of this software."""
    with database.reading() as connection:
        state = _state(connection)
        if state is not SchemaState.CURRENT:
            raise WrongSchema(_ADVICE[state])
        require_ours(connection)


def require_ours(connection: Connection, revision: str | None = None, more: Structure | None = None) -> None:
    """Raises :class:`WrongSchema` where the database holds anything that is not ours, or not all of it.

    ``revision``: of which version of the tables, this software's unless said; ``more`` are tables that may be there too.
    """
    found = list(islice(strangers(connection, structure_of(revision), more), NAMED_MAX + 1))
    if found:
        # What decides is what the migrations make: it takes a second to find out, and nearly always nobody has to ask.
        made = _migrated(revision or latest_revision())
        found = list(islice(strangers(connection, made, more), NAMED_MAX + 1))
    if found:
        rest = ", and more" if len(found) > NAMED_MAX else ""
        raise WrongSchema(
            f"the database is not as Toxwatch has made it: {', '.join(found[:NAMED_MAX])}{rest}. Somebody has changed it; find"
            " out who, and restore a backup"
        )


def structure_of(revision: str | None = None) -> Structure:
    """Every table of a version with its columns. Raises :class:`WrongSchema` where this software never had such a version."""
    if revision is None or revision == latest_revision():
        return {table.name: frozenset(table.c.keys()) for table in metadata.sorted_tables}
    if revision not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise WrongSchema(_ADVICE[SchemaState.NEWER])
    return _migrated(revision)


@cache
def _migrated(revision: str) -> Structure:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)
        tables = inspect(connection)
        made = {
            name: frozenset(column["name"] for column in tables.get_columns(name)) for name in tables.get_table_names()
        }
    engine.dispose()
    return made


def migrate(database: Database) -> SchemaState:
    """Bring the tables to this version, all in one transaction, and say how they stood before."""
    with database.writing() as connection:
        state = _state(connection)
        if state in (SchemaState.NEWER, SchemaState.FOREIGN):
            raise WrongSchema(_ADVICE[state])
        if state is not SchemaState.CURRENT:
            command.upgrade(_config(connection), "head")
    return state


def make_tables(connection: Connection) -> None:
    """Make the tables in an empty database, in the caller's transaction. Raises :class:`WrongSchema` in any other."""
    if _state(connection) is not SchemaState.EMPTY:
        raise WrongSchema("the database has tables already: name an empty one")
    command.upgrade(_config(connection), "head")


def latest_revision() -> str:
    """The version of the tables that this software works on."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def _state(connection: Connection) -> SchemaState:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return SchemaState.FOREIGN if inspect(connection).get_table_names() else SchemaState.EMPTY
    scripts = ScriptDirectory.from_config(_config())
    if found == scripts.get_current_head():
        return SchemaState.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaState.OLDER if found in known else SchemaState.NEWER


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config
