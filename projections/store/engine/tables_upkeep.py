"""Tables about the deployment itself: who confirmed its clock, and which life of the database this is."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, Table, Text

from projections.store.engine.tables import Micros, Serial, metadata

#: Who said that a machine's clock, which was doubted, is right: ``at`` is what it said. Every process looks here while it doubts.
clock_confirmations: Final = Table(
    "clock_confirmations",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Micros, nullable=False),
    Column("witness", Text, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    sqlite_autoincrement=True,
)

#: One row (``id`` 1). A restored database goes on in a new life: places that were given out in another mean nothing in this one.
#: ``marks``: how the database was told from others; empty until it is first used, and on SQLite.
database_life: Final = Table(
    "database_life",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("life", Text, nullable=False),
    Column("marks", Text, nullable=False),
    Column("began_at", Micros, nullable=False),
)
