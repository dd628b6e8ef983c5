"""Sources that an operator has assigned to sites, and those that each site was heard from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from events.dates import Instant
from projections.store.engine.database import upsert
from projections.store.engine.tables import api_keys, source_assignments, source_sites


def assigned(connection: Connection) -> dict[str, frozenset[str]]:
    """The sites of each assigned pattern."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(select(source_assignments.c.pattern, source_assignments.c.site)):
        found.setdefault(row.pattern, set()).add(row.site)
    return {pattern: frozenset(sites) for pattern, sites in found.items()}


def assignment_rows(connection: Connection) -> Sequence[Row[Any]]:
    """What is assigned, by whom and why."""
    c = source_assignments.c
    return connection.execute(select(source_assignments).order_by(c.pattern, c.site)).all()


def heard_rows(connection: Connection) -> Sequence[Row[Any]]:
    """From which source each site was heard, and when."""
    return connection.execute(select(source_sites).order_by(source_sites.c.source, source_sites.c.site)).all()


def assign(
    connection: Connection, pattern: str, sites: Sequence[str], by: str, reason: str, now: Instant
) -> frozenset[str]:
    """Let the keys of these sites, and of no others, write from a source; gives the sites that had it before."""
    before = assigned(connection).get(pattern, frozenset())
    connection.execute(delete(source_assignments).where(source_assignments.c.pattern == pattern))
    rows = [
        {"pattern": pattern, "site": site, "assigned_at": now, "assigned_by": by, "reason": reason}
        for site in dict.fromkeys(sites)
    ]
    upsert(connection, source_assignments, rows)
    return before


def release(connection: Connection, pattern: str) -> list[str]:
    """Undo what ties a source to sites: its assignment, and its place in the list of a key; says what that was, in words."""
    undone = []
    sites = assigned(connection).get(pattern)
    if sites:
        connection.execute(delete(source_assignments).where(source_assignments.c.pattern == pattern))
        undone.append(f"its assignment to {', '.join(sorted(sites))}")
    for row in connection.execute(select(api_keys).where(api_keys.c.sources.is_not(None))).all():
        listed = json.loads(row.sources)
        if pattern in listed:
            left = [one for one in listed if one != pattern]
            connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(sources=json.dumps(left)))
            undone.append(f"the right of key {row.id} ({row.site or row.role}) to write from it")
    return undone
