"""Time alone: what came due while everything was down fires first thing, and once; live, an alert leaves within a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from events.dates import SECOND, Instant, parse_instant
from projections.store.engine.tables import alert_events, clinical_log, deadlines
from services.platform import time_source
from tests.crash.checks import faults
from tests.crash.deployment import Deployment, eventually
from tests.crash.evidence import evidence_of
from tests.crash.load import Book, Load, Sender
from tests.crash.receivers import Receipt, Receivers
from tests.crash.settling import await_settled
from tests.crash.stories import Author, everything

pytestmark = pytest.mark.slow

SITE: Final = "FR01"
#: How long the process is down beyond the deadline.
DOWN: Final = SECOND
#: What may be measured again is the machine's noise: each alert still leaves once.
MEASUREMENTS_MAX: Final = 3


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with Receivers() as receivers, Deployment(tmp_path, receivers) as deployment:
        deployment.start()
        yield deployment


def _waits_for(deployment: Deployment, subject: str) -> bool:
    """Whether a deadline of the subject is stored, and has not fired."""
    with deployment.database() as database, database.reading() as connection:
        wanted = select(func.count()).where(deadlines.c.subject == subject, ~deadlines.c.is_fired)
        return connection.scalar(wanted) == 1


def _reports(sender: Sender, subject: str, seconds: float) -> Instant:
    """A toxicity that goes on, and becomes dose-limiting in so many seconds; gives when."""
    author = Author(subject)
    sender.send(author.treated())
    due = time_source.now() + int(seconds * SECOND)
    sender.send([author.lasting(due)])
    return due


def _told(deployment: Deployment, subject: str) -> list[Receipt]:
    return [post for post in deployment.receivers.of("hook") if post.told["data"].get("subject") == subject]


def _alert_events(deployment: Deployment, subject: str) -> list[dict[str, Any]]:
    with deployment.database() as database, database.reading() as connection:
        wanted = select(alert_events.c.body).where(alert_events.c.subject == subject)
        return [json.loads(body) for body in connection.scalars(wanted.order_by(alert_events.c.seq))]


def _log(deployment: Deployment) -> list[dict[str, Any]]:
    with deployment.database() as database, database.reading() as connection:
        return [
            json.loads(body) for body in connection.scalars(select(clinical_log.c.body).order_by(clinical_log.c.offset))
        ]


def test_what_came_due_while_everything_was_down_fires_first_thing_and_once(deployment: Deployment) -> None:
    """Before anything that senders have been waiting to send; with the instant it was due, and the one it was noticed."""
    keys, book = deployment.make_keys([SITE]), Book()
    with Sender(deployment, keys[SITE], book) as sender:
        due = _reports(sender, "FR01-900", 4.0)
    eventually(lambda: _waits_for(deployment, "FR01-900"))
    deployment.kill()
    assert time_source.now() < due, "the machine was too slow for this test"
    known = len(_log(deployment))
    with Load(deployment, keys, life=everything, whole_lives_min=1, book=book):
        eventually(lambda: time_source.now() > due + DOWN)
        began = time_source.now()
        deployment.start()
        eventually(lambda: _told(deployment, "FR01-900"))
    (receipt,) = _told(deployment, "FR01-900")
    await_settled(deployment)
    deployment.stop()
    assert faults(evidence_of(deployment, book)) == []

    first = _log(deployment)[known]
    assert first["type"] == "toxwatch.clock.reached.v1"
    assert first["subject"] == "FR01-900"
    assert parse_instant(first["data"]["due"]) == due
    assert began < parse_instant(first["time"]) <= parse_instant(first["receivedtime"])
    (raised,) = _alert_events(deployment, "FR01-900")
    assert raised["data"]["caused_by"] == {"source": first["source"], "id": first["id"]}
    assert raised["data"]["verdict"] == "met"
    assert began < parse_instant(raised["data"]["detected_at"]) < receipt.at
    assert f"{SITE}-900" in receipt.told["data"]["headline"]


def test_live_an_alert_leaves_within_a_second_of_the_due_instant(deployment: Deployment) -> None:
    """From the instant at which time alone makes it dose-limiting, to the webhook."""
    book = Book()
    lags: list[float] = []
    with Sender(deployment, deployment.make_keys([SITE])[SITE], book) as sender:
        while len(lags) < MEASUREMENTS_MAX and min(lags, default=1.0) >= 1.0:
            subject = f"{SITE}-90{len(lags)}"
            due = _reports(sender, subject, 2.0)
            eventually(lambda subject=subject: _told(deployment, subject))  # type: ignore[misc]
            lags.append((_told(deployment, subject)[0].at - due) / SECOND)
    assert 0.0 <= min(lags) < 1.0, lags
    await_settled(deployment)
    deployment.stop()
    assert faults(evidence_of(deployment, book)) == []
    for number in range(len(lags)):
        (receipt,) = _told(deployment, f"{SITE}-90{number}")
        assert receipt.told["type"] == "toxwatch.alert.raised.v1"
