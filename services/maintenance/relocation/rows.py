"""Rows from one database to another, a page at a time, and what both come to: equal sums are equal rows, in whatever order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, func, select, text

from services.maintenance.relocation.plan import CARRIED, Carried, Moving, Row

#: How many rows are held at a time.
PAGE: Final = 2_000
_SUM: Final = 2**128


@dataclass(slots=True)
class Sum:
    """How many rows there are, and the sum of their hashes."""

    columns: tuple[str, ...]
    rows: int = 0
    hashes: int = 0

    def add(self, page: Iterable[Row]) -> None:
        """Count rows in."""
        for row in page:
            written = repr([row[name] for name in self.columns]).encode("utf-8", "backslashreplace")
            self.hashes = (self.hashes + int.from_bytes(hashlib.blake2b(written, digest_size=16).digest())) % _SUM
            self.rows += 1


def write_rows(connection: Connection, generation: int, moving: Moving) -> None:
    """Put every carried row into new, empty tables (PostgreSQL); what numbers itself goes on from there."""
    for one in CARRIED:
        for page in _carried(one, generation, moving):
            if page:
                connection.execute(one.table.insert(), page)
        _go_on_numbering(connection, one.table)


def compare_rows(connection: Connection, one: Carried, generation: int, moving: Moving) -> tuple[int, bool]:
    """How many rows a table is to have, and whether just those are there.

    Both sides are read in turn: one that did nothing in its transaction while the other is read would be cut off.
    """
    wanted, found = (Sum(tuple(column.name for column in one.table.columns)) for _ in range(2))
    sides = _carried(one, generation, moving), _pages(connection, one.wanted(generation))
    for page, other in zip_longest(*sides, fillvalue=()):
        wanted.add(page)
        found.add(other)
    return wanted.rows, wanted == found


def _carried(one: Carried, generation: int, moving: Moving) -> Iterator[list[Row]]:
    """The rows of a table as they are to be, page by page."""
    for page in _pages(moving.connection, one.wanted(generation)):
        yield [made for row in page for made in one.carry(row, moving)]


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
