"""A deployment in earnest, moved: killed in one process with things under way, it goes on as services, and nobody hears twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select

from events.dates import SECOND, Instant
from projections.store.engine.tables import deadlines
from services.platform import time_source
from tests.brokers import Broker
from tests.crash.deployment import Deployment, eventually
from tests.crash.load import SPONSOR, Book, Load, Sender
from tests.crash.receivers import Receivers
from tests.crash.settling import await_settled as await_embedded
from tests.crash.stories import Author, everything, otherwise
from tests.databases import new_postgresql_database
from tests.distributed.evidence import CHECKS, evidence_of, nothing_taken_is_missing
from tests.distributed.fleet import Fleet
from tests.distributed.waiting import await_settled

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

SITE = "FR01"


class Both(NamedTuple):
    """One deployment as it was, and as it goes on, with those who are told.

    Of ``untold`` nobody has been told before the move; of ``counting`` the deadline comes while nothing runs.
    """

    old: Deployment
    fleet: Fleet
    receivers: Receivers
    untold: Author
    counting: Author

    def taken(self) -> Counter[str]:
        """How often each message was taken."""
        return Counter(one.id for one in self.receivers.receipts if one.was_taken)

    def heard(self, author: Author) -> list[str]:
        """What was told of a subject over the webhook, in order."""
        told = [body for one in self.receivers.of("hook") if one.was_taken for body in one.bodies]
        ours = [one for one in told if one["data"].get("subject") == author.subject]
        return [f"{one['type'].split('.')[2]} {one['data']['revision']}" for one in ours]


@pytest.fixture
def both(tmp_path: Path, broker: Broker, postgresql: str) -> Iterator[Both]:
    """Nothing runs yet."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with (
        Receivers() as receivers,
        new_postgresql_database(postgresql) as url,
        Deployment(tmp_path / "old", receivers) as old,
        Fleet(tmp_path / "new", broker.address, url, f"moved-{os.getpid()}") as fleet,
    ):
        fleet.environment["TOXWATCH_RECIPIENTS"] = str(receivers.write_file(tmp_path / "new", 2))
        yield Both(old, fleet, receivers, Author(f"{SITE}-901"), Author(f"{SITE}-902"))


def test_what_was_moved_goes_on_and_nobody_hears_twice(both: Both) -> None:
    """What waited is sent once, what came due is fired, what was known is known; and all the checks of a distributed run hold."""
    book, keys = _lives_until_it_is_killed(both)
    told = both.taken()
    assert both.fleet.command("topics", "create").code == 0
    moved = both.fleet.command("migrate-log", "--from-data", str(both.old.data), "--format", "json")
    assert (moved.code, moved.json["differences"]) == (0, []), moved.err
    assert both.taken() == told
    eventually(lambda: time_source.now() > _due(both))
    both.receivers.refusing = 0.0
    both.fleet.start("monitor-1", "monitor-2", "gateway", "clock", "dispatcher")
    await_settled(both.fleet)
    assert both.heard(both.untold) == ["raised 1"]
    assert both.heard(both.counting) == ["raised 1"]
    after = _goes_on(both, book, keys)
    await_settled(both.fleet)
    assert both.heard(both.untold) == ["raised 1", "withdrawn 2"]
    assert set(both.taken().values()) == {1}
    assert both.taken() > told
    book.note(after.answers)
    evidence = evidence_of(both.fleet, book, both.receivers.receipts, 1)
    # What was answered before names places in the log as it was.
    assert list(nothing_taken_is_missing(evidence_of(both.fleet, after, (), 1))) == []
    checks = [check for check in CHECKS if check is not nothing_taken_is_missing]
    assert [fault for check in checks for fault in check(evidence)] == []


def _lives_until_it_is_killed(both: Both) -> tuple[Book, dict[str, str]]:
    """Under load until everybody was told; then somebody is not, and a deadline is near."""
    old, receivers = both.old, both.receivers
    old.start()
    keys = old.make_keys([SITE], SPONSOR)
    with Load(old, keys, life=everything, whole_lives_min=2) as load:
        """Until both are told of."""
    await_embedded(old)
    receivers.refusing = 1.0
    with Sender(old, keys[SITE], load.book) as sender:
        sender.send([*both.untold.treated(2), both.untold.toxicity(), *both.counting.treated(2)])
        sender.send([both.counting.lasting(time_source.now() + 10 * SECOND)])
        eventually(lambda: _was_tried(both, both.untold) and _due(both))
    old.kill()
    assert time_source.now() < _due(both), "it was to come due while nothing runs"
    return load.book, keys


def _was_tried(both: Both, author: Author) -> bool:
    """Whether it was tried to tell of a subject."""
    told = [one.told for one in both.receivers.of("hook") if not one.was_taken and one.told]
    return any(one["data"].get("subject") == author.subject for one in told)


def _due(both: Both) -> Instant:
    """When the deadline comes, in the database as it was; 0 where it is not written down."""
    with both.old.database() as database, database.reading() as connection:
        wanted = select(deadlines.c.due).where(deadlines.c.subject == both.counting.subject)
        return connection.scalar(wanted) or 0


def _goes_on(both: Both, book: Book, keys: dict[str, str]) -> Book:
    """A repetition, a contradiction, and news of somebody who was judged before the move."""
    first = next(one.line for one in book.answers if one.status == "accepted" and one.line.subject.startswith(SITE))
    after = Book()
    with Sender(both.fleet, keys[SITE], after) as sender:  # type: ignore[arg-type]  # it asks for the address alone
        sender.send([first._replace(becomes="known")])
        sender.send([otherwise(first)])
        sender.send([both.untold.toxicity(revision=2, grade=2)])
    assert [one.status for one in after.answers] == ["duplicate", "refused", "accepted"], json.dumps(after.surprises)
    return after
