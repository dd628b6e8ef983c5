"""Many rows, or keys, on their way to PostgreSQL: one array for each column, and one statement for all.

To write one statement a row takes three times as long, and four times the client's work; so do arrays as text. To ask for many
keys of several columns by ``IN`` takes a hundred times as long: it is planned as so many alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Row, Select, Table, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY

Rows = Sequence[Mapping[str, Any]]

#: What to do about rows that are known: nothing special, which is an error; or leave them as they are.
REFUSE: Final = ""
LEAVE: Final = " ON CONFLICT DO NOTHING"


@cache
def replace(table: Table, changed: tuple[str, ...]) -> str:
    """The third thing to do about rows that are known: replace these columns."""
    settings = ", ".join(f"{_quoted([name])} = excluded.{_quoted([name])}" for name in changed)
    return f" ON CONFLICT ({_quoted(column.name for column in table.primary_key)}) DO UPDATE SET {settings}"


def insert_arrays(connection: Connection, table: Table, rows: Rows, about_known: str) -> None:
    """Insert rows in their order; all have the columns of the first."""
    columns = tuple(rows[0])
    arrays = tuple([row[name] for row in rows] for name in columns)
    # By the driver: in a statement of SQLAlchemy's an array is sent as text.
    connection.exec_driver_sql(_insert(table, columns, connection.dialect) + about_known, arrays)


def rows_at(
    connection: Connection, wanted: Select[Any], key: Sequence[Column[Any]], values: Sequence[tuple[Any, ...]]
) -> Sequence[Row[Any]]:
    """Of what is wanted, the rows whose key has one of these values."""
    arrays = [
        bindparam(None, list(column_values), type_=ARRAY(column.type))
        for column, column_values in zip(key, zip(*values, strict=True), strict=True)
    ]
    asked = func.unnest(*arrays).table_valued(*(column.name for column in key), name="asked").render_derived()
    # The offset keeps the planner from anything but one look into the index for each: of a young table it knows nothing.
    one = wanted.where(*(column == asked.c[column.name] for column in key)).offset(literal_column("0")).lateral()
    return connection.execute(select(one).select_from(asked).join(one, true())).all()


@cache
def _insert(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    arrays = ", ".join(f"%b::{table.c[name].type.compile(dialect)}[]" for name in columns)
    return f"INSERT INTO {_quoted([table.name])} ({_quoted(columns)}) SELECT * FROM unnest({arrays})"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
