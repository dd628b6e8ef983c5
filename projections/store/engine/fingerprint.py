"""Whether a database holds our tables, and nothing else.

A trigger, a view, a generated column or a table of somebody else runs or hides what nobody here has written: so a database is
neither run on nor restored unless every table and column is ours, and none is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, text

#: By table, its columns.
Structure = Mapping[str, frozenset[str]]

#: What Alembic and SQLite themselves keep.
_VERSION: Final = {"alembic_version": frozenset({"version_num"})}
_OF_SQLITE: Final = re.compile(r"sqlite_(sequence|stat\d)")
#: What a column is filled with, where nothing is said: a value, and nothing that is worked out.
_LITERAL: Final = re.compile(r"-?[0-9.]+|'[^']*'|null|true|false", re.IGNORECASE)
_NAME_CHARS_MAX: Final = 60

_SQLITE_THINGS: Final = text(
    "SELECT type, name FROM sqlite_schema WHERE type NOT IN ('table', 'index') ORDER BY type, name"
)
_SQLITE_COLUMNS: Final = text(
    "SELECT m.name AS of_table, p.name, p.hidden <> 0 AS is_computed, p.dflt_value AS filled_with,"
    " m.sql LIKE 'CREATE VIRTUAL%' OR upper(m.sql) LIKE '%CHECK%(%' AS is_strange"
    " FROM sqlite_schema m LEFT JOIN pragma_table_xinfo(m.name) p WHERE m.type = 'table' ORDER BY 1, p.cid"
)
#: What an extension has made is the server's own.
_POSTGRESQL_THINGS: Final = text(
    "SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'foreign table' END AS type, c.relname AS name"
    " FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'f')"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " UNION ALL SELECT 'trigger', t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
    " UNION ALL SELECT 'rule', r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class"
    " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"
)
_POSTGRESQL_COLUMNS: Final = text(
    "SELECT c.relname AS of_table, a.attname AS name, a.attgenerated <> '' AS is_computed, NULL AS filled_with,"
    " false AS is_strange FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " ORDER BY 1, a.attnum"
)


def strangers(connection: Connection, expected: Structure, more: Structure | None = None) -> Iterator[str]:
    """What does not belong there, or is missing: a few words each. ``more`` are tables that may be there too."""
    is_sqlite = connection.dialect.name == "sqlite"
    for row in connection.execute(_SQLITE_THINGS if is_sqlite else _POSTGRESQL_THINGS):
        yield f"the {row.type} {_shown(row.name)}"
    found: dict[str, set[str]] = {}
    for row in connection.execute(_SQLITE_COLUMNS if is_sqlite else _POSTGRESQL_COLUMNS):
        found.setdefault(row.of_table, set()).add(row.name)
        if is_sqlite and _OF_SQLITE.fullmatch(row.of_table):
            continue
        if row.is_strange:
            yield f"the table {_shown(row.of_table)}, which checks or computes"
        is_computed = row.is_computed or (row.filled_with is not None and not _LITERAL.fullmatch(row.filled_with))
        if is_computed and row.of_table in expected:
            yield f"the column {_shown(row.of_table)}.{_shown(row.name)}, which is computed"
    yield from _different(found, {**_VERSION, **expected}, more or {}, is_sqlite=is_sqlite)


def _different(
    found: Mapping[str, set[str]], expected: Structure, more: Structure, *, is_sqlite: bool
) -> Iterator[str]:
    for name, columns in found.items():
        known = expected.get(name, more.get(name))
        if known is None:
            if not (is_sqlite and _OF_SQLITE.fullmatch(name)):
                yield f"the table {_shown(name)}"
        else:
            yield from (f"the column {name}.{_shown(column)}" for column in sorted(columns - known))
    for name, wanted in expected.items():
        if name not in found:
            yield f"no table {name}"
        else:
            yield from (f"no column {name}.{column}" for column in sorted(wanted - found[name]))


def _shown(name: str) -> str:
    """A name that a stranger gave, fit for a terminal."""
    return repr(name[:_NAME_CHARS_MAX])
