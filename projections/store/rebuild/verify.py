"""Comparing the projections, row by row, with what the log says: whatever differs is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, case, except_, func, literal, select

from projections.store.engine.generation import current_generation
from projections.store.engine.tables import NOBODY, alert_events, alerts, chart_events, cohorts, parked_subjects
from projections.store.rebuild.cutover import told_otherwise
from projections.store.rebuild.rebuild import PROJECTED

#: Columns that are not a function of the log alone.
NOT_COMPARED: Final = frozenset({"generation", "version", "is_fired"})
#: What is about no subject stands in every partition, and is counted in whichever was read first.
NOT_COMPARED_OF_NOBODY: Final = frozenset({"partition", "offset"})
SHOWN_MAX: Final = 20


class Difference(NamedTuple):
    """One row that is in one of the two and not, or otherwise, in the other."""

    table: str
    where: str
    row: str


def differences(connection: Connection, rebuilt: int) -> Iterator[Difference]:
    """What is not as it would be, had everything been made from the log just now."""
    current = current_generation(connection)
    not_watched = set(connection.scalars(select(parked_subjects.c.subject)))
    # Who is not watched is not in the living counts as a rebuild would count.
    compared = [table for table in PROJECTED if table is not cohorts or not not_watched]
    for table in compared:
        for where, here, there in (("only stored", current, rebuilt), ("only from the log", rebuilt, current)):
            yield from _only_in(connection, table, where, here, there, not_watched)
    for subject in sorted(told_otherwise(connection, current) - not_watched):
        yield Difference(
            "alerts", "published otherwise", f"the published alerts about {subject} differ from its findings"
        )
    yield from _broken_histories(connection)


def _only_in(
    connection: Connection, table: Table, where: str, here: int, there: int, not_watched: set[str]
) -> Iterator[Difference]:
    columns = [_compared(table, column) for column in table.columns if column.name not in NOT_COMPARED]
    wanted = select(*columns).where(table.c.generation == here)
    other = select(*columns).where(table.c.generation == there)
    key = [column.name for column in table.primary_key if column.name != "generation"]
    for row in connection.execute(except_(wanted, other)).mappings():
        if row.get("subject") in not_watched:
            continue
        if table.name == "cohorts" and not any(row[name] for name in ("evaluable", "pending", "replaceable")):
            # A level that nobody is in any more has no row where nobody ever was.
            continue
        named = ", ".join(f"{name}={row[name]!r}" for name in key)
        yield Difference(table.name, where, named)


def _compared(table: Table, column: Column[Any]) -> ColumnElement[Any]:
    if table is chart_events and column.name in NOT_COMPARED_OF_NOBODY:
        return case((table.c.subject != NOBODY, column)).label(column.name)
    return column


def _broken_histories(connection: Connection) -> Iterator[Difference]:
    """Alerts whose revisions are not 1, 2, … up to the one that is told last."""
    history = (
        select(
            alert_events.c.alert_id,
            func.count().label("steps"),
            func.min(alert_events.c.revision).label("first"),
            func.max(alert_events.c.revision).label("last"),
        )
        .group_by(alert_events.c.alert_id)
        .subquery()
    )
    joined = (
        select(alerts.c.alert_id, alerts.c.revision, history.c.steps, history.c.first, history.c.last)
        .select_from(alerts.outerjoin(history, history.c.alert_id == alerts.c.alert_id))
        .where(
            (func.coalesce(history.c.steps, literal(0)) != alerts.c.revision)
            | (history.c.first != 1)
            | (history.c.last != alerts.c.revision)
        )
    )
    for row in connection.execute(joined):
        yield Difference("alert_events", "broken history", f"{row.alert_id}: {row.steps} steps up to {row.revision}")
