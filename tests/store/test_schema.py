"""Starting on an empty, an old, a newer or a foreign database works, or says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect, text

from projections.store.engine.database import Database
from projections.store.engine.schema import SchemaState, WrongSchema, migrate, require_current, schema_state
from projections.store.engine.tables import metadata


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database without tables."""
    opened = Database(database_url)
    yield opened
    opened.close()


def test_an_empty_database_gets_its_tables(empty: Database) -> None:
    assert schema_state(empty) is SchemaState.EMPTY
    with pytest.raises(WrongSchema, match="toxwatch migrate"):
        require_current(empty)
    assert migrate(empty) is SchemaState.EMPTY
    assert migrate(empty) is SchemaState.CURRENT
    require_current(empty)


def test_the_migrations_make_the_tables_that_are_declared(database: Database) -> None:
    """Column by column and index by index, whatever the database."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())


@pytest.mark.parametrize(
    ("version", "state", "advice"),
    [("9999", SchemaState.NEWER, "later version"), (None, SchemaState.FOREIGN, "another database")],
)
def test_tables_of_another_version_or_of_something_else_are_left_alone(
    database: Database, version: str | None, state: SchemaState, advice: str
) -> None:
    with database.writing() as connection:
        statement = (
            "DROP TABLE alembic_version" if version is None else f"UPDATE alembic_version SET version_num = '{version}'"
        )
        connection.execute(text(statement))
    assert schema_state(database) is state
    for use in (require_current, migrate):
        with pytest.raises(WrongSchema, match=advice):
            use(database)


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database) -> None:
    """All in one transaction: half the tables would be no database at all."""

    @event.listens_for(empty.engine, "before_cursor_execute")
    def _fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE taken_events" in statement:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(empty)
    assert schema_state(empty) is SchemaState.EMPTY
    event.remove(empty.engine, "before_cursor_execute", _fail)
    assert migrate(empty) is SchemaState.EMPTY


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS SELECT * FROM alerts",
        "CREATE TABLE notes (text TEXT)",
        "ALTER TABLE alerts ADD COLUMN note TEXT",
        "ALTER TABLE alerts DROP COLUMN raised_at",
        "DROP TABLE deliveries",
        "TRIGGER",
    ],
)
def test_a_database_that_somebody_has_changed_is_not_run_on(database: Database, statement: str) -> None:
    """Whatever is not ours is named: a trigger would act on what nobody here has written."""
    with database.writing() as connection:
        for each in TRIGGERS[connection.dialect.name] if statement == "TRIGGER" else (statement,):
            connection.execute(text(each))
    with pytest.raises(WrongSchema, match="not as Toxwatch has made it"):
        require_current(database)


TRIGGERS = {
    "sqlite": ("CREATE TRIGGER t AFTER INSERT ON alerts BEGIN DELETE FROM alerts; END",),
    "postgresql": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER t BEFORE INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION f()",
    ),
}
