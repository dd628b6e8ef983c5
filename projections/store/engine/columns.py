"""What the declarations of tables have in common: types of columns, values for "none" in keys, and the names of indexes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

#: SQLite numbers rows by itself only where the column is an INTEGER.
Serial: Final = BigInteger().with_variant(Integer(), "sqlite")
Micros: Final = BigInteger

#: "About no subject", where a key needs a value.
NOBODY: Final = ""
#: "No dose level on record", where a key needs a value.
UNASSIGNED: Final = 0

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
