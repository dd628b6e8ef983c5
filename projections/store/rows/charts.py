"""Charts and findings in the database: loading what a batch needs, and writing what it changed, in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, select

from events.catalog import EVENT_ADAPTER
from events.codec import Logged
from events.dates import Instant
from events.envelope import LIST_ITEMS_MAX
from projections.folds.alert_news import alerting_clauses
from projections.folds.cohort_board import CohortKey, CohortMembership, MembershipStatus
from projections.rules.cases.finding import Finding
from projections.store.engine.database import insert_all, pieces, rows_of, upsert
from projections.store.engine.tables import UNASSIGNED, chart_events, deadlines, findings, parked_subjects, subjects

Identity = tuple[str, str, str]
Row = Mapping[str, Any]


class SubjectRow(NamedTuple):
    """How far a subject's chart has come. ``version`` counts its events."""

    subject: str
    site: str | None
    version: int
    high_water: Instant
    latest_time: Instant
    latest_received: Instant
    next_turn: Instant | None
    judged_under: str
    standing: CohortMembership | None


def subject_rows(connection: Connection, generation: int, wanted: Iterable[str] | None = None) -> dict[str, SubjectRow]:
    """The rows of these subjects, or of all."""
    base = select(subjects).where(subjects.c.generation == generation)
    statements = [base] if wanted is None else [base.where(subjects.c.subject.in_(part)) for part in pieces(wanted)]
    return {row.subject: _subject_row(row) for statement in statements for row in connection.execute(statement)}


def _subject_row(row: Any) -> SubjectRow:
    standing = None
    if row.status is not None:
        key = CohortKey(row.part, row.dose_level or None)
        standing = CohortMembership(key, MembershipStatus(row.status), row.has_dlt, row.pending_reason)
    return SubjectRow(
        row.subject,
        row.site,
        row.version,
        row.high_water,
        row.latest_time,
        row.latest_received,
        row.next_turn,
        row.judged_under,
        standing,
    )


def parked_now(connection: Connection) -> set[str]:
    """The subjects that are not being watched."""
    return set(connection.scalars(select(parked_subjects.c.subject)))


def known_events(
    connection: Connection, generation: int, wanted: Iterable[str], broken: dict[str, Exception] | None = None
) -> dict[str, list[Logged]]:
    """Every event of these subjects' charts, clock events included, in the order of the log.

    A subject whose chart cannot be read raises, or is noted in ``broken`` with what was raised.
    """
    found: dict[str, list[Logged]] = {subject: [] for subject in wanted}
    validate = EVENT_ADAPTER.validator.validate_json
    columns = (chart_events.c.subject, chart_events.c.time, chart_events.c.received, chart_events.c.body)
    order = (chart_events.c.partition, chart_events.c.offset)
    for part in pieces(found):
        of_these = and_(chart_events.c.generation == generation, chart_events.c.subject.in_(part))
        for subject, time, received, body in connection.execute(select(*columns).where(of_these).order_by(*order)):
            try:
                found[subject].append(Logged(validate(body), time, received))
            except Exception as error:
                if broken is None:
                    raise
                broken[subject] = error
    return found


def bodies_of(connection: Connection, generation: int, identities: Iterable[Identity]) -> dict[Identity, bytes]:
    """The events of these identities (subject, source, id) that are in a chart."""
    key = (chart_events.c.subject, chart_events.c.source, chart_events.c.event_id)
    wanted = select(*key, chart_events.c.body).where(chart_events.c.generation == generation)
    rows = rows_of(connection, wanted, key, identities)
    return {(row.subject, row.source, row.event_id): row.body for row in rows}


def first_source(connection: Connection, generation: int, subject: str, kind: str, record_id: str) -> str | None:
    """The source that wrote to a record first, and so owns it."""
    c = chart_events.c
    of_record = (c.generation == generation, c.subject == subject, c.kind == kind, c.record_id == record_id)
    return connection.scalar(select(c.source).where(*of_record).order_by(c.partition, c.offset).limit(1))


def write_chart_events(connection: Connection, rows: Sequence[Row]) -> None:
    """Add events to charts."""
    insert_all(connection, chart_events, rows)


def write_subjects(connection: Connection, generation: int, rows: Sequence[SubjectRow]) -> None:
    """Put in how far these subjects' charts have come."""
    upsert(connection, subjects, [_as_row(generation, row) for row in rows])


def _as_row(generation: int, row: SubjectRow) -> Row:
    standing = row.standing
    return {
        "generation": generation,
        "subject": row.subject,
        "site": row.site,
        "version": row.version,
        "high_water": row.high_water,
        "latest_time": row.latest_time,
        "latest_received": row.latest_received,
        "next_turn": row.next_turn,
        "judged_under": row.judged_under,
        "part": standing.cohort.part if standing else None,
        "dose_level": (standing.cohort.dose_level or UNASSIGNED) if standing else None,
        "status": standing.status.value if standing else None,
        "has_dlt": standing.has_dlt if standing else False,
        "pending_reason": standing.pending_reason if standing else None,
    }


def write_findings(connection: Connection, generation: int, changed: Mapping[tuple[str, str], Finding | None]) -> None:
    """Write the finding on each case, by subject and case; None: there is none any more."""
    rows = [
        {
            "generation": generation,
            "subject": subject,
            "case_name": case,
            "verdict": finding.verdict,
            "urgency": finding.urgency,
            "counts_as_dlt": finding.counts_as_dlt,
            "body": json.dumps(finding.as_json(subject), ensure_ascii=True),
            "worst_grade": finding.worst_grade,
            "occurrences": finding.occurrences,
        }
        for (subject, case), finding in changed.items()
        if finding is not None
    ]
    upsert(connection, findings, rows)
    _delete(connection, findings, generation, [key for key, finding in changed.items() if finding is None])


def write_deadlines(connection: Connection, generation: int, changed: Mapping[tuple[str, str], Instant | None]) -> None:
    """Put in when time alone next changes the verdict of each case; None: never."""
    rows = [
        {"generation": generation, "subject": subject, "case_name": case, "due": due, "is_fired": False}
        for (subject, case), due in changed.items()
        if due is not None
    ]
    upsert(connection, deadlines, rows)
    _delete(connection, deadlines, generation, [key for key, due in changed.items() if due is None])


def stored_deadlines(connection: Connection, generation: int, wanted: Iterable[str]) -> dict[str, dict[str, Instant]]:
    """When time alone next changes the verdict of each case of these subjects, by subject and case."""
    found: dict[str, dict[str, Instant]] = {subject: {} for subject in wanted}
    columns = (deadlines.c.subject, deadlines.c.case_name, deadlines.c.due)
    for part in pieces(found):
        of_these = (deadlines.c.generation == generation, deadlines.c.subject.in_(part))
        for subject, case, due in connection.execute(select(*columns).where(*of_these)):
            found[subject][case] = due
    return found


def _delete(connection: Connection, table: Any, generation: int, keys: Sequence[tuple[str, str]]) -> None:
    if keys:
        statement = delete(table).where(
            table.c.generation == generation,
            table.c.subject == bindparam("of_subject"),
            table.c.case_name == bindparam("of_case"),
        )
        connection.execute(statement, [{"of_subject": subject, "of_case": case} for subject, case in keys])


def stored_findings(connection: Connection, generation: int, wanted: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The finding on each case of these subjects, as entries in ``assess``'s JSON, by subject."""
    found: dict[str, list[dict[str, Any]]] = {subject: [] for subject in wanted}
    order = (findings.c.subject, findings.c.case_name)
    for part in pieces(found):
        of_these = (findings.c.generation == generation, findings.c.subject.in_(part))
        for row in connection.execute(select(findings.c.subject, findings.c.body).where(*of_these).order_by(*order)):
            found[row.subject].append(json.loads(row.body))
    return found


def alert_content(body: str, more: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
    """What an alert says, in a stored finding (``more``: its other columns) or in an alert's data; None where it is no alert."""
    value = {**json.loads(body), **(more or {})}
    if value["verdict"] not in ("met", "possible") or value.get("overruled"):
        return None
    names = ("urgency", "verdict", "population", "dose_level", "counts_as_dlt", "worst_grade", "protocol_version")
    evidence = sorted((ref["source"], ref["id"]) for ref in (value.get("evidence") or [])[:LIST_ITEMS_MAX])
    questions = sorted({*(value.get("questions") or [])[:LIST_ITEMS_MAX]})
    return (
        alerting_clauses(value["clauses"]),
        *(value.get(name) for name in names),
        value.get("occurrences") or 0,
        questions,
        evidence,
    )
