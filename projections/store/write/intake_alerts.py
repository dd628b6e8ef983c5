"""``intake:<site>/<reason>``: one alert for all refused severe events of a site and a reason, with their number (rules.md §6).

How many events a sender has refused must not decide how many messages people get. The alert is revised when the number reaches
the next step of a ladder, or after a while; ten thousand refused lines are some twenty revisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from events.dates import MINUTE, Instant, parse_instant
from projections.folds.alert_transition import AlertState, AlertTransition, alert_id_of
from projections.folds.system_alerts import INTAKE, intake_reasons, rung, system_transition
from projections.folds.trial import Trial
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import pieces
from projections.store.engine.tables import IS_URGENT, alerts, dead_letters
from projections.store.rows.outbox import OPEN, publish, published_states

#: A number that is not the next step is told no sooner than this after the revision before.
TOLD_AGAIN_AFTER: Final = MINUTE
EXAMPLES_MAX: Final = 5

_QUESTIONS: Final = ("Read the dead letters, have the sender correct the events and send them again.",)


def tell_of_severe(connection: Connection, trial: Trial, causes: Mapping[str, EventKey], now: Instant) -> int:
    """Bring the alerts of these cases in line with the letters that are parked; say how many alert events that took.

    ``causes`` says, by case, what changed it. The caller holds the outbox's turn.
    """
    steps: list[AlertTransition] = []
    for cases in pieces(causes):
        ids = {case: alert_id_of(trial.protocol, case) for case in cases}
        told = published_states(connection, ids.values())
        for case in cases:
            step = _step(connection, trial.protocol, case, told.get(ids[case]), causes[case], now)
            if step is not None:
                steps.append(step)
    publish(connection, trial, steps)
    return len(steps)


def tell_of_numbers(connection: Connection, trial: Trial, now: Instant) -> int:
    """Revise every open alert whose number is no longer right, some time after the revision before."""
    own = EventKey(trial.source, "dead-letters")
    return tell_of_severe(connection, trial, dict.fromkeys(_open_cases(connection), own), now)


def merge_single_alerts(connection: Connection, trial: Trial, now: Instant) -> int:
    """Earlier versions had one alert for each letter: raise the alert of its site and reason, then withdraw that one.

    Nothing that waits is forgotten: the dead letters stay, and recipients of one learn where it is counted now.
    """
    single = [case for case in _open_cases(connection) if "/" not in case]
    if not single:
        return 0
    urgent = select(dead_letters.c.alert_case).where(IS_URGENT).distinct()
    own = EventKey(trial.source, "dead-letters")
    told = tell_of_severe(connection, trial, dict.fromkeys(connection.scalars(urgent), own), now)
    for cases in pieces(single):
        ids = {case: alert_id_of(trial.protocol, case) for case in cases}
        before = published_states(connection, ids.values())
        why = "counted from now on in the alert of its site and reason"
        steps = [
            system_transition(trial.protocol, case, before[ids[case]], None, own, now, withdrawn_because=why)
            for case in cases
        ]
        publish(connection, trial, [step for step in steps if step is not None])
        told += len(cases)
    return told


def _step(
    connection: Connection, protocol: TrialProtocol, case: str, told: AlertState | None, cause: EventKey, now: Instant
) -> AlertTransition | None:
    count = _count(connection, case)
    before = told.open if told is not None else None
    if count == 0:
        why = "a valid event has arrived for every such record, or somebody has dealt with it"
        return system_transition(protocol, case, told, None, cause, now, withdrawn_because=why)
    if before is not None and not _is_worth_a_revision(before.count, count, parse_instant(before.detected_at), now):
        return None
    rises = before is None or rung(count) > rung(before.count or 0)
    return system_transition(
        protocol,
        case,
        told,
        intake_reasons(case, count, [_example(row) for row in _examples(connection, case)]),
        cause,
        now,
        questions=_QUESTIONS,
        count=count,
        telling="news" if rises else "silent",
    )


def _is_worth_a_revision(told: int | None, count: int, told_at: Instant, now: Instant) -> bool:
    if told == count:
        return False
    return told is None or rung(told) != rung(count) or now - told_at >= TOLD_AGAIN_AFTER


def _count(connection: Connection, case: str) -> int:
    wanted = select(func.count()).select_from(dead_letters).where(IS_URGENT, dead_letters.c.alert_case == case)
    return connection.scalar(wanted) or 0


def _examples(connection: Connection, case: str) -> list[Row[Any]]:
    c = dead_letters.c
    wanted = select(c.id, c.subject, c.record_kind, c.record_id).where(IS_URGENT, c.alert_case == case)
    return list(connection.execute(wanted.order_by(c.id).limit(EXAMPLES_MAX)))


def _example(letter: Row[Any]) -> str:
    """Whose record it is, with nothing else that the sender wrote, and the number under which the bytes are kept."""
    about = letter.subject or "a subject whose id cannot be read"
    if letter.record_kind is not None and letter.record_id is not None:
        about += f", {letter.record_kind} {letter.record_id}"
    return f"{about} (dead letter {letter.id})"


def _open_cases(connection: Connection) -> list[str]:
    wanted = select(alerts.c.case_name).where(alerts.c.state == OPEN, alerts.c.case_name.like(f"{INTAKE}%"))
    return list(connection.scalars(wanted))
