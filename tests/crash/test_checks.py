"""The checks have teeth: with one row or record amiss, the check that is for it says so."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from services.platform.settings import DATABASE_FILE
from tests.crash import checks
from tests.crash.checks import CHECKS, Check, faults
from tests.crash.deployment import Deployment, Ending
from tests.crash.evidence import Evidence, evidence_of
from tests.crash.load import Answer, Book, Load
from tests.crash.receivers import Receipt, Receivers
from tests.crash.settling import await_settled
from tests.crash.stories import everything

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash-checks")]

Doctor = Callable[[Evidence], Evidence]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """Two subjects told of, through one kill, and nothing amiss."""
    home = tmp_path_factory.mktemp("sound")
    with Receivers() as receivers, Deployment(home, receivers) as deployment:
        deployment.start()
        with Load(deployment, deployment.make_keys(["FR01"]), life=everything, whole_lives_min=2) as load:
            deployment.stop()
            deployment.begin("delivery.sent:2")
            deployment.await_listening()
            deployment.await_own_death()
            deployment.start()
        await_settled(deployment)
        deployment.stop()
        yield evidence_of(deployment, load.book)


def _sql(*statements: str) -> Doctor:
    """Something done to the database."""

    def doctor(evidence: Evidence) -> Evidence:
        with closing(sqlite3.connect(evidence.data / DATABASE_FILE)) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, statement
        return evidence

    return doctor


def _receipts(change: Callable[[list[Receipt]], list[Receipt]]) -> Doctor:
    return lambda evidence: replace(evidence, receipts=change(list(evidence.receipts)))


def _book(change: Callable[[list[Answer]], list[Answer]], *surprises: str) -> Doctor:
    def doctor(evidence: Evidence) -> Evidence:
        book = Book()
        book.answers, book.surprises = change(list(evidence.book.answers)), list(surprises)
        return replace(evidence, book=book)

    return doctor


def _first(answers: list[Answer], status: str) -> Answer:
    return next(answer for answer in answers if answer.status == status)


def _taken(receipts: list[Receipt]) -> Receipt:
    """A message that was taken in the last life."""
    return [receipt for receipt in receipts if receipt.was_taken and receipt.told][-1]


#: An entry again, behind all others. The column of the subject is no part of what is exported, and makes it another entry.
_AGAIN: Final = (
    "INSERT INTO {0} SELECT (SELECT max(\"offset\") + 1 FROM {0}), key, 'again', source, event_id, body"
    " FROM {0} WHERE {1} LIMIT 1"
)
_A_CLOCK_EVENT: Final = "source LIKE 'urn:toxwatch:%' AND subject <> ''"
_LAST_STEP: Final = "(SELECT max(seq) FROM alert_events WHERE subject IS NOT NULL AND revision > 1)"
_SENT_LAST: Final = f"(SELECT event_id FROM alert_events WHERE seq = {_LAST_STEP})"
_OF_LAST: Final = f"(SELECT alert_id FROM alert_events WHERE seq = {_LAST_STEP})"


def _again_after_a_stop(evidence: Evidence) -> Evidence:
    """In each of two lives that were stopped; made here, since a kill repeats a message only where nothing came between."""
    taken = _taken(evidence.receipts)
    again = [taken._replace(epoch=epoch) for epoch in (1, 2)]
    others = [one for one in evidence.receipts if one.id != taken.id]
    return replace(evidence, receipts=[*others, *again], endings=[Ending.STOPPED] * len(evidence.endings))


DOCTORED: Final[dict[str, tuple[Check, Doctor]]] = {
    "an answer that is none": (checks.answers_are_as_foretold, _book(lambda answers: answers, "500 a bug")),
    "an event accepted twice": (
        checks.answers_are_as_foretold,
        _book(lambda answers: [*answers, _first(answers, "accepted")]),
    ),
    "a new event that was known": (
        checks.answers_are_as_foretold,
        _book(lambda answers: [_first(answers, "accepted")._replace(status="duplicate", asked=1)]),
    ),
    "an accepted event deleted": (
        checks.nothing_taken_is_missing,
        _sql("DELETE FROM clinical_log WHERE event_id = 'FR01-0001-4'"),
    ),
    "an accepted event twice": (
        checks.nothing_taken_is_missing,
        _sql(
            _AGAIN.format("clinical_log", "event_id = 'FR01-0001-1'"),
            "UPDATE log_ends SET next_offset = next_offset + 1 WHERE topic = 'clinical'",
        ),
    ),
    "an accepted event changed": (
        checks.nothing_taken_is_missing,
        _sql('UPDATE clinical_log SET body = CAST(replace(body, \'"part": "A"\', \'"part": "B"\') AS BLOB)'),
    ),
    "an accepted event at another place": (
        checks.nothing_taken_is_missing,
        _book(lambda answers: [_first(answers, "accepted")._replace(position="0/9999")]),
    ),
    "a gap in the log": (checks.the_log_has_no_gap, _sql('DELETE FROM clinical_log WHERE "offset" = 2')),
    "a stamp that goes back": (
        checks.the_log_has_no_gap,
        _sql(
            'UPDATE clinical_log SET body = CAST(replace(body, \'"receivedtime": "2\', \'"receivedtime": "1\') AS BLOB)'
            f" WHERE {_A_CLOCK_EVENT}"
        ),
    ),
    "a deadline that fired twice": (
        checks.each_deadline_fired_once,
        _sql(_AGAIN.format("clinical_log", _A_CLOCK_EVENT)),
    ),
    "an alert event not sent": (
        checks.the_alert_log_is_the_history,
        _sql(f"DELETE FROM alert_log WHERE event_id = {_SENT_LAST}"),
    ),
    "an alert event sent twice": (checks.the_alert_log_is_the_history, _sql(_AGAIN.format("alert_log", "TRUE"))),
    "an alert event never told": (
        checks.the_history_is_what_the_log_tells,
        _sql(
            f"DELETE FROM alert_log WHERE event_id = {_SENT_LAST}",
            f"UPDATE alerts SET revision = revision - 1 WHERE alert_id = {_OF_LAST}",
            f"DELETE FROM alert_events WHERE seq = {_LAST_STEP}",
        ),
    ),
    "an alert event told otherwise": (
        checks.the_history_is_what_the_log_tells,
        _sql('UPDATE alert_events SET body = CAST(replace(body, \'"DLT-1":"met"\', \'"DLT-2":"met"\') AS BLOB)'),
    ),
    "a level on hold that is not told of": (
        checks.the_history_is_what_the_log_tells,
        _sql("UPDATE alerts SET state = 'withdrawn' WHERE case_name LIKE 'cohort:%'"),
    ),
    "a refused message lost": (checks.what_is_refused_is_parked, _sql("DELETE FROM dead_letters WHERE id = 1")),
    "a refused message that nobody is told of": (
        checks.what_is_refused_is_parked,
        _sql("DELETE FROM alerts WHERE case_name LIKE 'intake:%'"),
    ),
    "a refused message that is not settled": (
        checks.what_is_refused_is_parked,
        _sql("UPDATE dead_letters SET state = 'parked'"),
    ),
    "an event not judged": (
        checks.nothing_waits,
        _sql("UPDATE positions SET next_offset = next_offset - 1 WHERE consumer = 'monitor'"),
    ),
    "an alert event not planned": (
        checks.nothing_waits,
        _sql("UPDATE positions SET next_offset = next_offset - 1 WHERE consumer = 'dispatcher'"),
    ),
    "an alert event not relayed": (checks.nothing_waits, _sql("UPDATE alert_events SET sent_offset = NULL")),
    "a deadline not fired": (
        checks.nothing_waits,
        _sql("INSERT INTO deadlines SELECT generation, subject, 'ae:AE-9', 0, FALSE FROM subjects"),
    ),
    "a delivery that waits": (checks.nothing_waits, _sql("UPDATE deliveries SET state = 'waiting' WHERE attempts = 1")),
    "a message under another id": (
        checks.messages_are_in_the_ledger,
        _receipts(lambda receipts: [*receipts, _taken(receipts)._replace(id="another")]),
    ),
    "a message with a wrong signature": (
        checks.messages_are_in_the_ledger,
        _receipts(lambda receipts: [*receipts[1:], receipts[0]._replace(fault="no matching signature")]),
    ),
    "a message sent without an attempt": (
        checks.messages_are_in_the_ledger,
        _receipts(lambda receipts: [*receipts, *[_taken(receipts)._replace(was_taken=False)] * 3]),
    ),
    "a message that never arrived": (
        checks.messages_are_in_the_ledger,
        _receipts(lambda receipts: [one for one in receipts if one.id != _taken(receipts).id]),
    ),
    "a message again in one life": (
        checks.messages_repeat_only_after_a_kill,
        _receipts(lambda receipts: [*receipts, _taken(receipts)]),
    ),
    "a message again after a stop": (
        checks.messages_repeat_only_after_a_kill,
        _again_after_a_stop,
    ),
    "a message again under another id": (
        checks.messages_repeat_only_after_a_kill,
        _receipts(lambda receipts: [*receipts, _taken(receipts)._replace(id="another")]),
    ),
    "somebody who was told nothing": (
        checks.everybody_knows_what_stands,
        _receipts(lambda receipts: [one for one in receipts if one.channel != "mail"]),
    ),
    "a revision that reached nobody": (
        checks.everybody_knows_what_stands,
        _sql("UPDATE alerts SET revision = revision + 1 WHERE case_name LIKE 'ae:%'"),
    ),
    "a failure that nobody foresaw": (
        checks.nothing_unforeseen_was_logged,
        lambda evidence: replace(evidence, unforeseen=[{"event": "loop_failed", "loop": "monitor"}]),
    ),
    "a finding that is another": (
        checks.verify_finds_nothing,
        _sql("UPDATE findings SET body = replace(body, '\"counts_as_dlt\": true', '\"counts_as_dlt\": false')"),
    ),
    "a finding that says otherwise": (
        checks.the_law_holds,
        _sql("UPDATE findings SET body = replace(body, '\"overruled\": false', '\"overruled\": true')"),
    ),
    "a chart with an event less": (checks.the_law_holds, _sql("DELETE FROM chart_events WHERE kind = 'ae'")),
}


def test_nothing_is_amiss_to_begin_with(sound: Evidence) -> None:
    assert faults(sound) == []


@pytest.mark.parametrize("amiss", DOCTORED)
def test_what_is_amiss_is_said(amiss: str, sound: Evidence, tmp_path: Path) -> None:
    """By the check that is for it, in a sentence."""
    check, doctor = DOCTORED[amiss]
    data = Path(shutil.copytree(sound.data, tmp_path / "data"))
    doctored = doctor(replace(sound, data=data))
    assert [*check(doctored)] != []


def test_every_check_is_tried() -> None:
    assert {check for check, _ in DOCTORED.values()} == set(CHECKS)
