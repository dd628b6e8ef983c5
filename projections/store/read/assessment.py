"""What is true at an instant, from the stored charts and findings: ``assess``'s JSON without reading the log.

A subject whose every event was known at the instant, and about whom time alone has changed nothing since it was judged last, is
as its stored findings say. Any other is judged again from its stored chart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, and_, func, select

from events.codec import Logged
from events.dates import Instant
from projections.folds.cohort_board import CohortBoard, CohortMembership, membership_of
from projections.folds.lab_grades import LabGrades, lab_grades
from projections.folds.open_queries import OpenQuery, open_queries
from projections.folds.subject_chart import SubjectChart
from projections.folds.trial_projection import findings_of
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database, pieces
from projections.store.engine.generation import current_generation
from projections.store.engine.tables import NOBODY, chart_events
from projections.store.rows import charts
from projections.store.rows.charts import SubjectRow, parked_now

Axis = Literal["recorded", "received"]

CLOCK: Final = "clock"
#: How many subjects' charts are loaded at once: while they are judged the transaction idles, which PostgreSQL bears for so long.
LOADED_AT_ONCE: Final = 25


def assessment(
    database: Database,
    protocol: TrialProtocol,
    rules: str,
    as_of: Instant,
    axis: Axis = "recorded",
    subject: str | None = None,
) -> dict[str, Any]:
    """``events``, ``cases``, ``cohorts``, ``lab_grades`` and ``queries`` at an instant; of one subject, or of all.

    ``rules`` is the hash of the protocol's configuration: what was judged under another is judged again. ``cohorts`` are
    always those of the whole trial. ``unwatched``, only where there
    are any, are the subjects whose charts have stopped, because of a bug.
    """
    with database.reading() as connection:
        board = CohortBoard(protocol)
        cases: list[dict[str, Any]] = []
        queries: list[dict[str, str]] = []
        grades: list[dict[str, Any]] = []
        for chart, found, standing in _subjects(connection, protocol, rules, as_of, axis):
            one = chart.facts.subject
            board.update(one, standing)
            if subject in (None, one):
                cases.extend(found)
                grades.extend(lab_grades(chart, LabGrades.ABNORMAL))
                queries.extend(query.as_json() for query in _asked(chart, found))
        unwatched = sorted(parked_now(connection))
        return {
            "events": _count(connection, as_of, axis, subject),
            "cases": cases,
            "lab_grades": grades,
            "cohorts": board.as_json(),
            "queries": queries,
            **({"unwatched": unwatched} if unwatched else {}),
        }


def open_questions(
    database: Database,
    protocol: TrialProtocol,
    rules: str,
    as_of: Instant,
    *,
    subject: str | None = None,
    site: str | None = None,
    sites: Sequence[str] | None = None,
) -> list[OpenQuery]:
    """Every question that is open at an instant: about one subject or all, to one site, to several or to all."""
    named: Sequence[str | None] = (site,) if sites is None else sites
    with database.reading() as connection:
        return [
            query
            for one in named
            for chart, found, _ in _subjects(connection, protocol, rules, as_of, "recorded", subject, one)
            for query in _asked(chart, found)
            if one in (None, query.site)
        ]


class _Judged(NamedTuple):
    """One subject at an instant: its chart, the entries of its cases, and how it counts."""

    chart: SubjectChart
    cases: list[dict[str, Any]]
    standing: CohortMembership | None


def _subjects(
    connection: Connection,
    protocol: TrialProtocol,
    rules: str,
    as_of: Instant,
    axis: Axis,
    subject: str | None = None,
    site: str | None = None,
) -> Iterator[_Judged]:
    generation = current_generation(connection)
    rows = charts.subject_rows(connection, generation, None if subject is None else [subject])
    wanted = sorted(one for one, row in rows.items() if site in (None, row.site))
    for part in pieces(wanted, LOADED_AT_ONCE):
        known = charts.known_events(connection, generation, part)
        stored = charts.stored_findings(connection, generation, part)
        for one in part:
            chart = _chart(protocol, one, known[one], as_of, axis)
            if _stands(rows[one], as_of, axis, rules):
                yield _Judged(chart, stored[one], rows[one].standing)
            else:
                judged = findings_of(chart, as_of)
                yield _Judged(chart, [finding.as_json(one) for finding in judged], membership_of(chart, judged))


def _asked(chart: SubjectChart, cases: Iterable[dict[str, Any]]) -> list[OpenQuery]:
    return open_queries(chart, [(case["case"], case["questions"]) for case in cases])


def _stands(row: SubjectRow, as_of: Instant, axis: Axis, rules: str) -> bool:
    """Whether the stored findings are what is true at the instant."""
    latest = row.latest_received if axis == "received" else row.latest_time
    if latest > as_of or row.high_water > as_of or row.judged_under != rules:
        return False
    return row.next_turn is None or as_of < row.next_turn


def _chart(protocol: TrialProtocol, subject: str, known: Iterable[Logged], as_of: Instant, axis: Axis) -> SubjectChart:
    chart = SubjectChart(protocol, subject)
    for event, time, received in known:
        if (received if axis == "received" else time) <= as_of:
            chart.fold(event, time, received)
    return chart


def _count(connection: Connection, as_of: Instant, axis: Axis, subject: str | None) -> int:
    """The distinct events known at the instant, clock events aside."""
    c, generation = chart_events.c, current_generation(connection)
    known = (c.received if axis == "received" else c.time) <= as_of
    wanted = and_(c.generation == generation, c.kind != CLOCK, known)
    if subject is not None:
        wanted = and_(wanted, c.subject.in_([subject, NOBODY]))
    return connection.scalar(select(func.count()).select_from(chart_events).where(wanted)) or 0
