"""What must hold once a deployment has settled, however often it was killed: one function each, a sentence for each fault."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Row

from events.alert import AlertData
from events.codec import Codec
from events.dates import DAY, MINUTE, format_instant, parse_instant
from events.identity import same_content
from projections.folds.system_alerts import COHORT, INTAKE
from projections.store.engine.database import Database
from services.platform import time_source
from services.platform.settings import DATABASE_FILE
from tests.crash.deployment import Ending
from tests.crash.evidence import Evidence
from tests.crash.load import Answer
from tests.crash.pure_history import PureHistory, Told
from tests.crash.settling import unsettled
from tests.files.command_line import toxwatch

Check = Callable[[Evidence], Iterator[str]]

COMPARED: Final = ("events", "cases", "cohorts", "lab_grades", "queries")
#: Offsets from the last event of the log at which the law is tried: before it, at it, and long after.
ASKED_AT: Final = (-2 * MINUTE, 0, 40 * DAY)
TAKEN: Final[tuple[str, ...]] = ("accepted", "duplicate")
FORETOLD: Final[dict[str, tuple[str, ...]]] = {"new": ("accepted",), "known": ("duplicate",), "refused": ("refused",)}


def answers_are_as_foretold(evidence: Evidence) -> Iterator[str]:
    """What is new is taken once, what is known is known, what is refused stays refused."""
    yield from evidence.book.surprises
    accepted: set[tuple[str, str]] = set()
    for answer in evidence.book.answers:
        expected = FORETOLD[answer.line.becomes]
        # What was sent more often may have been taken the first time, the answer lost.
        if answer.line.becomes == "new" and answer.asked > 1:
            expected = TAKEN
        if answer.status not in expected:
            yield f"{_named(answer)} was answered {answer.status}, not {' or '.join(expected)}"
        if answer.status == "accepted":
            if _identity(answer) in accepted:
                yield f"{_named(answer)} was accepted twice: the first was forgotten"
            accepted.add(_identity(answer))


def nothing_taken_is_missing(evidence: Evidence) -> Iterator[str]:
    """What was answered 202 is in the exported log: once, as it was sent, at the position that was named."""
    exported = [json.loads(line) for line in evidence.exported.splitlines()]
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, event in enumerate(exported):
        places[(event["source"], event["id"])].append(place)
    for identity, found in places.items():
        if len(found) > 1:
            yield f"{identity} is in the log {len(found)} times, at {found}"
    for answer in evidence.book.answers:
        if answer.status not in TAKEN:
            continue
        found = places.get(_identity(answer), [])
        if not found:
            yield f"{_named(answer)} was answered {answer.status} and is not in the log"
        elif f"0/{found[0]}" != answer.position:
            yield f"{_named(answer)} was said to be at {answer.position} and is at 0/{found[0]}"
        elif not same_content(answer.line.body, json.dumps(exported[found[0]]).encode()):
            yield f"{_named(answer)} is in the log otherwise than it was sent"


def the_log_has_no_gap(evidence: Evidence) -> Iterator[str]:
    """Offsets follow each other, and the stamps never go back."""
    for name, rows in (("clinical", evidence.log), ("alert", evidence.alert_log)):
        if [row.offset for row in rows] != list(range(len(rows))):
            yield f"the offsets of the {name} log are not 0 to {len(rows) - 1}"
    stamps = [json.loads(row.body)["receivedtime"] for row in evidence.log]
    for before, after in pairwise(stamps):
        if parse_instant(after) < parse_instant(before):
            yield f"receivedtime goes back from {before} to {after}"


def each_deadline_fired_once(evidence: Evidence) -> Iterator[str]:
    """One clock event for each due time of a case."""
    fired: Counter[tuple[str, str, str]] = Counter()
    for row in evidence.log:
        event = json.loads(row.body)
        if event["type"] == "toxwatch.clock.reached.v1":
            fired[(event["subject"], event["data"]["case"], event["data"]["due"])] += 1
            if parse_instant(event["time"]) < parse_instant(event["data"]["due"]):
                yield f"{event['subject']} {event['data']['case']}: fired before it was due"
    yield from (f"{key} fired {times} times" for key, times in fired.items() if times > 1)


def the_alert_log_is_the_history(evidence: Evidence) -> Iterator[str]:
    """Every alert event is in the alert log: once, in order, with its revision next to the one before."""
    history, log = evidence.history, evidence.alert_log
    ids = Counter(row.event_id for row in log)
    yield from (f"alert event {event_id} is in the alert log {n} times" for event_id, n in ids.items() if n > 1)
    yield from (f"alert event {row.event_id} was never sent" for row in history if row.sent_offset is None)
    told, sent = [row.event_id for row in history], [row.event_id for row in log]
    yield from (f"alert event {event_id} is not in the alert log" for event_id in told if event_id not in ids)
    yield from (f"alert event {event_id} is in the alert log only" for event_id in sent if event_id not in set(told))
    if sorted(told) == sorted(sent) and [row.body for row in history] != [row.body for row in log]:
        yield "the alert log has another order, or other words, than the history"
    revisions: dict[str, list[int]] = defaultdict(list)
    for row in history:
        revisions[row.alert_id].append(row.revision)
    for alert in evidence.alerts:
        found = revisions.pop(alert.alert_id, [])
        if found != list(range(1, alert.revision + 1)):
            yield f"alert {alert.alert_id} is at revision {alert.revision}, and its history is {found}"
    yield from (f"alert {alert_id} has a history and does not exist" for alert_id in revisions)


def the_history_is_what_the_log_tells(evidence: Evidence) -> Iterator[str]:
    """Subject by subject, what was told is what the pure fold of the log tells; and the levels on hold are its."""
    pure = PureHistory(evidence.protocols, Codec(evidence.protocols[-1].contract)).fold(
        row.body for row in evidence.log
    )
    told: dict[str, list[Told]] = {subject: [] for subject in pure.told}
    for row in evidence.history:
        if row.subject is not None:
            data = AlertData.model_validate(json.loads(row.body)["data"])
            step = Told(row.kind, row.event_id, data.model_copy(update={"detected_at": ""}))
            told.setdefault(row.subject, []).append(step)
    for subject, steps in told.items():
        expected = pure.told.get(subject, [])
        if steps != expected:
            yield f"of {subject} was told {_told(steps)}, and the log tells {_told(expected)}"
    standing = {row.case_name: row.state == "open" for row in evidence.alerts if row.case_name.startswith(COHORT)}
    for case, hold in pure.holds().items():
        if standing.get(case, False) != hold:
            yield f"{case} is {'' if hold else 'not '}to be on hold, and the alert is {standing.get(case)}"


def what_is_refused_is_parked(evidence: Evidence) -> Iterator[str]:
    """With its bytes, once; where it is severe, it is an alert until its record arrives."""
    letters = {bytes(letter.raw): letter for letter in evidence.letters if letter.raw is not None}
    if len(letters) != len(evidence.letters):
        yield "the same message is parked twice"
    mended: dict[tuple[str, str | None], int] = {}
    for number, answer in enumerate(evidence.book.answers):
        if answer.line.becomes == "new" and answer.status in TAKEN:
            mended[(answer.line.subject, answer.line.record)] = number
    for number, answer in enumerate(evidence.book.answers):
        if answer.line.becomes != "refused":
            continue
        letter = letters.get(answer.line.body)
        if letter is None:
            yield f"{_named(answer)} was refused and is not parked"
        elif answer.line.is_severe:
            is_mended = mended.get((answer.line.subject, answer.line.record), -1) > number
            expected = "settled" if is_mended else "parked"
            if letter.state != expected:
                yield f"{_named(answer)}: the letter is {letter.state}, not {expected}"
    yield from _severe_letters_are_counted(evidence)


def _severe_letters_are_counted(evidence: Evidence) -> Iterator[str]:
    """Each in the alert of its site and reason, which is open while one of them is parked."""
    counts: Counter[str] = Counter()
    for letter in evidence.letters:
        if letter.is_severe:
            counts[letter.alert_case] += letter.state == "parked"
    rows = {row.case_name: row for row in evidence.alerts if row.case_name.startswith(INTAKE)}
    if rows.keys() != counts.keys():
        yield f"severe messages were refused for {sorted(counts)}, and the alerts are {sorted(rows)}"
    for case in rows.keys() & counts.keys():
        row, count = rows[case], counts[case]
        if (row.state == "open") != (count > 0):
            yield f"{case} is {row.state}, and {count} severe messages are parked"


def nothing_waits(evidence: Evidence) -> Iterator[str]:
    """Nothing is left to do."""
    database = Database(f"sqlite:///{evidence.data / DATABASE_FILE}")
    try:
        yield from unsettled(database, time_source.now())
    finally:
        database.close()


def messages_are_in_the_ledger(evidence: Evidence) -> Iterator[str]:
    """Whatever arrived is in the ledger under its id, with an attempt for each time that it came; and was signed."""
    ledger = {row.id: row for row in evidence.ledger}
    messages: dict[str, Counter[str]] = defaultdict(Counter)
    for attempt in evidence.attempts:
        messages[attempt.message][attempt.delivery_id] += 1
    arrived = Counter(receipt.id for receipt in evidence.receipts)
    yield from (f"message {receipt.id}: {receipt.fault}" for receipt in evidence.receipts if receipt.fault is not None)
    for receipt in evidence.receipts:
        rows = [ledger[delivery] for delivery in messages[receipt.id]]
        tries = max(messages[receipt.id].values(), default=0)
        if {row.channel for row in rows} != {receipt.channel}:
            yield f"message {receipt.id} came over {receipt.channel} and is not in the ledger"
        elif tries < arrived[receipt.id]:
            yield f"message {receipt.id} came {arrived[receipt.id]} times in {tries} attempts"
        elif not set(receipt.listed) <= {(row.alert_id, row.revision) for row in rows}:
            yield f"message {receipt.id} tells of another revision than the ledger says"
    for row in evidence.ledger:
        if row.state == "delivered" and row.id not in evidence.arrived:
            yield f"delivery {row.id} is called delivered, and never arrived"


def messages_repeat_only_after_a_kill(evidence: Evidence) -> Iterator[str]:
    """Taken once in a life of the process; taken again only where that life ended by a kill; always under one id."""
    lives: dict[str, list[int]] = defaultdict(list)
    ids: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for receipt in evidence.receipts:
        for alert_id, revision in receipt.listed:
            ids[(receipt.channel, alert_id, revision)].add(receipt.id)
        if receipt.was_taken:
            lives[receipt.id].append(receipt.epoch)
    for key, found in ids.items():
        if len(found) > 1:
            yield f"{key} came under {len(found)} ids: {', '.join(sorted(found))}"
    for delivery, epochs in lives.items():
        if len(set(epochs)) != len(epochs):
            yield f"message {delivery} was taken twice in one life: {epochs}"
        for epoch in sorted(set(epochs))[:-1]:
            if evidence.endings[epoch - 1] is not Ending.KILLED:
                yield f"message {delivery} was taken in life {epoch}, which was not killed, and sent again: {epochs}"


def everybody_knows_what_stands(evidence: Evidence) -> Iterator[str]:
    """On every route the newest revision of every alert that stands has arrived; of one that does not, a withdrawal came last.

    What is silent is sent to nobody who was told before: of such revisions the one before them is the newest.
    """
    rows: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in evidence.ledger:
        rows[(row.alert_id, row.channel)].append(row)
    kinds = {(row.alert_id, row.revision): row.kind for row in evidence.history}
    silent = {
        (row.alert_id, row.revision)
        for row in evidence.history
        if json.loads(row.body)["data"].get("telling") == "silent"
    }
    for alert in evidence.alerts:
        for channel in ("hook", "mail"):
            told = sorted(row.revision for row in rows[(alert.alert_id, channel)] if row.id in evidence.arrived)
            last = told[-1] if told else 0
            is_known = last > 0 and all(
                (alert.alert_id, later) in silent for later in range(last + 1, alert.revision + 1)
            )
            if alert.state == "withdrawn":
                is_known = not told or kinds[(alert.alert_id, last)] == "withdrawn"
            if not is_known:
                about = f"{alert.case_name} of {alert.subject or 'nobody'}"
                yield f"{about} is {alert.state} at {alert.revision}, and over {channel} came {told}"


def nothing_unforeseen_was_logged(evidence: Evidence) -> Iterator[str]:
    """No loop failed with anything but an outage of the database."""
    yield from (f"logged: {json.dumps(line)[:600]}" for line in evidence.unforeseen)


def verify_finds_nothing(evidence: Evidence) -> Iterator[str]:
    """``toxwatch verify``."""
    outcome = evidence.command("verify")
    if outcome.code != 0:
        yield f"verify ended with {outcome.code}: {outcome.out[:2000]}{outcome.err[-500:]}"


def the_law_holds(evidence: Evidence) -> Iterator[str]:
    """``export | assess`` and ``assessment`` say the same, at several instants, on both axes."""
    end = max(parse_instant(json.loads(row.body)["receivedtime"]) for row in evidence.log)
    for asked in ASKED_AT:
        as_of = format_instant(end + asked)
        for axis in ("recorded", "received"):
            options = ("--as-of", as_of, "--as-of-axis", axis, "--format", "json")
            protocol = ("--protocol", evidence.protocol_option)
            judged = toxwatch("assess", "-", *options, *protocol, stdin=evidence.exported).json
            stored = evidence.command("assessment", *options).json
            yield from (
                f"at {as_of} ({axis}), {name}: stored and judged from the log differ"
                for name in COMPARED
                if _sorted(judged[name]) != _sorted(stored[name])
            )


CHECKS: Final[tuple[Check, ...]] = (
    answers_are_as_foretold,
    nothing_taken_is_missing,
    the_log_has_no_gap,
    each_deadline_fired_once,
    the_alert_log_is_the_history,
    the_history_is_what_the_log_tells,
    what_is_refused_is_parked,
    nothing_waits,
    messages_are_in_the_ledger,
    messages_repeat_only_after_a_kill,
    everybody_knows_what_stands,
    nothing_unforeseen_was_logged,
    verify_finds_nothing,
    the_law_holds,
)


def faults(evidence: Evidence) -> list[str]:
    """Every sentence of every check, with the check's name."""
    return [f"{check.__name__}: {fault}" for check in CHECKS for fault in check(evidence)]


def _identity(answer: Answer) -> tuple[str, str]:
    event = json.loads(answer.line.body)
    return event["source"], event["id"]


def _named(answer: Answer) -> str:
    return f"event {answer.line.id} of {_identity(answer)[0]}"


def _told(steps: list[Told]) -> str:
    return ", ".join(f"{step.kind} {step.data.case} {step.data.revision}" for step in steps) or "nothing"


def _sorted(value: Any) -> Any:
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value
