"""Cutover to rebuilt projections: the alerts and dead letters in which they differ from the published and parked ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, delete, exists, select

from events.dates import Instant
from projections.folds.alert_transition import AlertState, AlertTransition, alert_id_of
from projections.folds.cohort_board import CohortKey, CohortRow
from projections.folds.system_alerts import COHORT, UNWATCHED, hold_transition, system_transition, unwatched_transition
from projections.folds.trial import Trial
from projections.rules.escalation.cohort_designs import DESIGNS
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import insert_new, pieces
from projections.store.engine.tables import (
    NOBODY,
    alerts,
    chart_events,
    cohorts,
    dead_letters,
    findings,
    parked_subjects,
    subjects,
)
from projections.store.rows import charts
from projections.store.rows.charts import parked_now
from projections.store.rows.outbox import OPEN, published_of_subjects, published_states
from projections.store.write import dead_letter_store
from projections.store.write.batch import BatchOutcome
from projections.store.write.parked_entries import dead_letters_of
from projections.store.write.rules_in_force import Rules, rules_in_force
from projections.store.write.subject_state import SubjectState


def what_is_told_otherwise(
    connection: Connection, protocol: TrialProtocol, generation: int, parked: set[str], now: Instant
) -> list[AlertTransition]:
    """Transitions that bring the published alerts in line with a generation. ``parked``: subjects that it does not judge."""
    rules = rules_in_force(connection)
    if rules is None:
        return []
    transitions: list[AlertTransition] = []
    for part in pieces(sorted(told_otherwise(connection, generation) - parked)):
        rows = charts.subject_rows(connection, generation, part)
        known = charts.known_events(connection, generation, part)
        told = published_of_subjects(connection, part)
        for subject in part:
            watch = SubjectState(protocol, subject, rows.get(subject), known[subject], told[subject])
            transitions += watch.judge_again(rules.sha256, rules.activated_by, now)
    transitions += _holds(connection, protocol, generation, rules, now)
    before = parked_now(connection)
    for subject in sorted(before ^ parked):
        transitions += _watched_or_not(
            connection, protocol, subject, rules.activated_by, now, is_parked=subject in parked
        )
    return transitions


def settle_parked(
    connection: Connection,
    trial: Trial,
    generation: int,
    parked: set[str],
    outcome: BatchOutcome,
    now: Instant,
) -> None:
    """Make the parked subjects and entries those of the rebuild: what it could not judge, and nothing that it has."""
    before = parked_now(connection)
    connection.execute(delete(parked_subjects).where(parked_subjects.c.subject.in_(before - parked)))
    insert_new(
        connection,
        parked_subjects,
        [
            {"subject": subject, "parked_at": now, "error": "met while rebuilding"}
            for subject in sorted(parked - before)
        ],
    )
    c = dead_letters.c
    judged = exists().where(
        chart_events.c.generation == generation,
        chart_events.c.partition == c.partition,
        chart_events.c.offset == c.offset,
    )
    waits = (
        c.origin == dead_letter_store.MONITOR,
        c.state == dead_letter_store.PARKED,
        c.reason != dead_letter_store.LOWER_REVISION,
    )
    taken = select(c.id).where(*waits, judged)
    dead_letter_store.close_replayed(connection, trial, connection.scalars(taken).all(), "rebuild", now)
    dead_letter_store.park(
        connection, trial, dead_letter_store.unknown(connection, dead_letters_of(outcome, trial.protocol)), now
    )


def told_otherwise(connection: Connection, generation: int) -> set[str]:
    """The subjects whose published alerts differ from their findings."""
    more = (findings.c.urgency, findings.c.worst_grade, findings.c.occurrences)
    columns = (findings.c.subject, findings.c.case_name, findings.c.body, *more)
    stands: dict[tuple[str, str], tuple[Any, ...]] = {}
    for row in connection.execute(select(*columns).where(findings.c.generation == generation)):
        told = charts.alert_content(row.body, {column.name: getattr(row, column.name) for column in more})
        if told is not None:
            stands[(row.subject, row.case_name)] = told
    open_alerts = select(alerts.c.subject, alerts.c.case_name, alerts.c.data).where(
        alerts.c.state == OPEN, alerts.c.subject != NOBODY
    )
    was_told = {(row.subject, row.case_name): charts.alert_content(row.data) for row in connection.execute(open_alerts)}
    return {key[0] for key in stands.keys() | was_told.keys() if stands.get(key) != was_told.get(key)}


def _watched_or_not(
    connection: Connection, protocol: TrialProtocol, subject: str, caused_by: EventKey, now: Instant, *, is_parked: bool
) -> list[AlertTransition]:
    alert_id = alert_id_of(protocol, UNWATCHED + subject)
    told = published_states(connection, [alert_id]).get(alert_id)
    step = unwatched_transition(protocol, subject, told, caused_by, now, is_parked=is_parked)
    return [step] if step is not None else []


def _holds(
    connection: Connection, protocol: TrialProtocol, generation: int, rules: Rules, now: Instant
) -> Iterator[AlertTransition]:
    """The steps of the levels that are on hold, were told to be, or are no more."""
    seen: set[str] = set()
    for row, with_dlt, told in _levels(connection, protocol, generation):
        seen.add(row.key.case)
        step = hold_transition(row, with_dlt, told, protocol, rules.activated_by, now)
        if step is not None:
            yield step
    held = select(alerts.c.alert_id, alerts.c.case_name).where(
        alerts.c.state == OPEN, alerts.c.case_name.like(f"{COHORT}%")
    )
    for alert_id, case in connection.execute(held).all():
        if case not in seen:
            told = published_states(connection, [alert_id]).get(alert_id)
            step = system_transition(protocol, case, told, None, rules.activated_by, now)
            if step is not None:
                yield step


def _levels(
    connection: Connection, protocol: TrialProtocol, generation: int
) -> Iterator[tuple[CohortRow, list[str], AlertState | None]]:
    """Every dose level with the subjects that count there, and its published alert."""
    design = DESIGNS[protocol.cohort_design]
    c = cohorts.c
    for row in connection.execute(
        select(cohorts).where(c.generation == generation).order_by(c.part, c.dose_level)
    ).all():
        key = CohortKey(row.part, row.dose_level or None)
        level = CohortRow(key, row.evaluable, row.pending, row.replaceable, row.dlts, design)
        with_dlt = connection.scalars(
            select(subjects.c.subject)
            .where(
                subjects.c.generation == generation,
                subjects.c.has_dlt,
                subjects.c.part == row.part,
                subjects.c.dose_level == row.dose_level,
            )
            .order_by(subjects.c.subject)
        ).all()
        alert_id = alert_id_of(protocol, key.case)
        yield level, list(with_dlt), published_states(connection, [alert_id]).get(alert_id)
