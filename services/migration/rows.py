"""Rows from one database to another, a page at a time, and what both come to: equal sums are equal rows, in whatever order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, Table, func, select, text

from services.migration.plan import CARRIED, Carried, Moving, Row

#: How many rows are held at a time.
PAGE: Final = 2_000
_SUM: Final = 2**128


class Sum(NamedTuple):
    """How many rows there are, and the sum of their hashes."""

    rows: int
    hashes: int


def carried_rows(one: Carried, generation: int, moving: Moving) -> Iterator[list[Row]]:
    """The rows of a table as they are to be, page by page."""
    for page in _pages(moving.connection, one.wanted(generation)):
        yield [made for row in page for made in one.carry(row, moving)]


def stored_rows(connection: Connection, one: Carried, generation: int) -> Iterator[list[Row]]:
    """The rows of a table as they are there."""
    return _pages(connection, one.wanted(generation))


def write_rows(connection: Connection, generation: int, moving: Moving) -> None:
    """Put every carried row into new, empty tables (PostgreSQL); what numbers itself goes on from there."""
    for one in CARRIED:
        for page in carried_rows(one, generation, moving):
            if page:
                connection.execute(one.table.insert(), page)
        _go_on_numbering(connection, one.table)


def sum_of(pages: Iterable[list[Row]], table: Table) -> Sum:
    """What rows come to."""
    names = [column.name for column in table.columns]
    count = hashes = 0
    for page in pages:
        for row in page:
            written = repr([row[name] for name in names]).encode("utf-8", "backslashreplace")
            hashes += int.from_bytes(hashlib.blake2b(written, digest_size=16).digest())
        count += len(page)
    return Sum(count, hashes % _SUM)


def _pages(connection: Connection, wanted: Select[Any]) -> Iterator[list[Row]]:
    found = connection.execute(wanted, execution_options={"yield_per": PAGE}).mappings()
    for page in found.partitions():
        yield [dict(row) for row in page]


def _go_on_numbering(connection: Connection, table: Table) -> None:
    column = table.autoincrement_column
    if column is not None:
        last = connection.scalar(select(func.max(column)))
        if last is not None:
            numbers = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            connection.execute(numbers, {"table": table.name, "column": column.name, "last": last})
