"""One alert event that cannot be carried, planned, or fired holds back no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import alert_events, deliveries
from services.dispatcher.alert_reader import AlertReader
from services.dispatcher.planner import Planner
from services.dispatcher.recipients import load_recipients
from services.log.embedded import EmbeddedLog
from services.log.port import Entry
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import sepsis, treated
from tests.monitor.test_history import published_states
from tests.properties.stories import on

BAD, GOOD = "FR01-001", "FR01-002"


def _alerted(database: Database) -> Deployment:
    deployment = Deployment(database)
    deployment.receive([*treated(BAD), *treated(GOOD, 2), sepsis(BAD, on(6)), sepsis(GOOD, on(6))])
    deployment.run()
    return deployment


def test_an_alert_event_that_cannot_be_relayed_holds_back_its_alert_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is in the alert log at once; the relay says that it is in trouble; mended, the rest follows."""
    deployment = _alerted(database)
    append = EmbeddedLog.append

    def raises(self: EmbeddedLog, entries: Sequence[Any], transaction: Any) -> Any:
        if any(entry.subject == BAD for entry in entries):
            raise OverflowError("too large")
        return append(self, entries, transaction)

    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedLog, "append", raises)
        assert deployment.relay.relay() == 1
        assert [entry.key for entry in deployment.alert_log.read(0, 0, 10)] == [f"NCT02977156/{GOOD}"]
        with pytest.raises(OverflowError):
            deployment.relay.relay()
    assert deployment.relay.relay() == 1
    with database.reading() as connection:
        assert connection.scalars(select(alert_events.c.seq).where(alert_events.c.sent_offset.is_(None))).all() == []


def test_an_alert_event_that_cannot_be_planned_is_told_of_and_passed_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is planned; that the first reaches nobody is an alert."""
    deployment = _alerted(database)
    deployment.relay.relay()
    plan = Planner.plan

    def raises(self: Planner, entries: Sequence[Entry], connection: Any, now: int) -> int:
        if any(BAD in entry.key for entry in entries):
            raise KeyError("a bug")
        return plan(self, entries, connection, now)

    monkeypatch.setattr(Planner, "plan", raises)
    planner = Planner(Trial(deployment.protocol, SOURCE), load_recipients(None, PROTOCOL))
    reader = AlertReader(database, deployment.alert_log, planner, deployment.clock, lambda _: None)
    reader.catch_up()
    assert reader.catch_up() is False
    with database.reading() as connection:
        planned = connection.scalars(select(deliveries.c.notice)).all()
    assert [GOOD in notice for notice in planned] == [True]
    assert published_states(deployment.told(), "undelivered:0/0") == ["raised 1 None"]


def test_a_deadline_that_cannot_be_written_holds_back_its_subject_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's countdown ends in time."""
    deployment = Deployment(database)
    lasting = {"grade": 3, "end": None, "ongoing": True}
    deployment.receive(
        [*treated(BAD), *treated(GOOD, 2), sepsis(BAD, on(6), **lasting), sepsis(GOOD, on(6), **lasting)]
    )
    deployment.run()
    append = EmbeddedLog.append

    def raises(self: EmbeddedLog, entries: Sequence[Any], transaction: Any) -> Any:
        if any(entry.subject == BAD for entry in entries):
            raise OverflowError("too large")
        return append(self, entries, transaction)

    deployment.clock.instant += 40 * 24 * 3600 * 1_000_000
    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedLog, "append", raises)
        assert deployment.deadlines.fire() == 1
        with pytest.raises(OverflowError):
            deployment.deadlines.fire()
    deployment.run()
    assert [one.data.verdict for one in deployment.told() if one.subject == GOOD] == ["met"]
    assert deployment.deadlines.fire() == 1
