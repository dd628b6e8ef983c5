"""What is parked is carried to the topic of dead letters: never lost, erased where it was erased, and known again by its key."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from itertools import count

import pytest
from sqlalchemy import func, select

from events.dates import SECOND, Instant, format_instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import dead_letters
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_store import GATEWAY, MONITOR, NewDeadLetter
from services.log import topics
from services.log.dead_letter_topic import DeadLetterTopic
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.topic_writer import Record
from services.log.topics import TopicAdmin, declared
from services.monitor.dead_letter_relay import CARRIED_AT_ONCE_MAX, DeadLetterRelay
from tests.brokers import Broker, free_port
from tests.crash.deployment import eventually
from tests.crash.load import SPONSOR, Load
from tests.distributed.fleet import Fleet
from tests.distributed.letter_topic import Carried, carried
from tests.distributed.waiting import await_settled
from tests.monitor.deployment import SOURCE

NOW: Instant = 1_500_000_000 * SECOND
WAIT_SECONDS = 30.0
_numbers = count(1)


class Parked:
    """A database with letters, and the topic that they belong in."""

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self.database = database
        self.cluster = cluster
        self.prefix = f"letters{os.getpid()}-{next(_numbers)}"
        TopicAdmin(cluster).create(declared(self.prefix, 1))

    def park(self, *letters: NewDeadLetter, now: Instant = NOW) -> None:
        with self.database.writing() as connection:
            dead_letter_store.park(connection, Trial(PROTOCOL, SOURCE), letters, now)

    def erase(self, number: int) -> None:
        with self.database.writing() as connection:
            dead_letter_store.delete(connection, Trial(PROTOCOL, SOURCE), number, "somebody", "a name", NOW)

    def relay(self, topic: DeadLetterTopic | None = None) -> int:
        """Carry what waits, with a topic that was opened for that unless one is given."""
        opened = topic or DeadLetterTopic(self.cluster, topics.dead_letters(self.prefix))
        try:
            return DeadLetterRelay(self.database, opened, SOURCE).relay()
        finally:
            opened.close()

    @property
    def unsent(self) -> int:
        with self.database.reading() as connection:
            wanted = select(func.count()).select_from(dead_letters).where(dead_letters.c.sent_offset.is_(None))
            return connection.scalar(wanted) or 0

    @property
    def carried(self) -> list[Carried]:
        return carried(self.cluster, self.prefix)


@pytest.fixture
def parked(on_postgresql: Database, broker: Broker) -> Parked:
    """No letters yet."""
    return Parked(on_postgresql, Cluster((broker.address,)))


def _letter(raw: bytes, **more: object) -> NewDeadLetter:
    said = {"origin": GATEWAY, "reason": "not-json", "error": "no JSON", "field": "", "is_severe": False, **more}
    return NewDeadLetter(raw=raw, **said)  # type: ignore[arg-type]


def test_a_letter_is_carried_as_it_came_with_all_that_is_known_of_it(parked: Parked) -> None:
    """Its bytes are the value; why, whence and when are headers, and so are the attributes of one in binary mode."""
    attributes = json.dumps([["id", "é-1"], ["source", "urn:s"]])
    parked.park(_letter(b'{"x":\n 1}', sender="key-1", headers=attributes))
    parked.park(_letter(b"{", origin=MONITOR, reason="bad-field", partition=3, offset=17))
    assert parked.relay() == 2
    assert parked.relay() == 0
    assert parked.unsent == 0
    ours, logs = parked.carried
    received = format_instant(NOW)
    why = {"reason": "not-json", "error": "no JSON", "sender": "key-1", "letter": "1", "origin": "gateway"}
    said = {f"toxwatch_{name}": text for name, text in {**why, "received": received}.items()}
    assert (ours.value, ours.headers) == (b'{"x":\n 1}', {**said, "ce_id": "é-1", "ce_source": "urn:s"})
    assert (logs.value, logs.headers["toxwatch_position"], logs.letter) == (b"{", "3/17", 2)
    assert ours.key != logs.key


def test_the_same_bytes_again_are_not_carried_again(parked: Parked) -> None:
    """They are the same letter, counted."""
    for _ in range(2):
        parked.park(_letter(b"{"))
        parked.relay()
    assert len(parked.carried) == 1


def test_what_was_erased_before_is_carried_without_its_bytes(parked: Parked) -> None:
    """And with nothing that was quoted of them. Parked again, it is carried again, under another key."""
    parked.park(_letter(b"{Jane Doe", headers=json.dumps([["id", "Jane"]])))
    parked.erase(1)
    assert parked.relay() == 1
    parked.park(_letter(b"{Jane Doe", headers=json.dumps([["id", "Jane"]])), now=NOW + SECOND)
    assert parked.relay() == 1
    erased, again = parked.carried
    assert (erased.value, again.value) == (None, b"{Jane Doe")
    assert "Jane" not in str(erased)
    assert erased.letter == again.letter
    assert erased.key != again.key


def test_a_letter_may_be_as_large_as_a_request(parked: Parked) -> None:
    """Or one that is refused for its size would keep every other from being carried."""
    parked.park(_letter(b"x" * 10 * 1024 * 1024), _letter(b"{"))
    assert parked.relay() == 2
    assert [len(one.value or b"") for one in parked.carried] == [10 * 1024 * 1024, 1]


class Interrupted(DeadLetterTopic):
    """Appends, and then its process is as good as dead."""

    def append(self, records: Sequence[Record]) -> list[int]:
        super().append(records)
        raise ZeroDivisionError


def test_stopped_between_the_topic_and_the_table_it_carries_again(parked: Parked) -> None:
    """Under the key by which a reader knows it again."""
    parked.park(_letter(b"1"), _letter(b"2"))
    with pytest.raises(ZeroDivisionError):
        parked.relay(Interrupted(parked.cluster, topics.dead_letters(parked.prefix)))
    assert parked.unsent == 2
    assert parked.relay() == 2
    assert [one.letter for one in parked.carried] == [1, 2, 1, 2]
    assert len({one.key for one in parked.carried}) == 2


def test_while_no_broker_answers_nothing_is_marked(parked: Parked) -> None:
    """It is said, and tried again."""
    parked.park(_letter(b"1"))
    with pytest.raises(LogUnavailable):
        parked.relay(DeadLetterTopic(Cluster((f"127.0.0.1:{free_port()}",)), "any"))
    assert parked.unsent == 1


class Slow(DeadLetterTopic):
    """Waits with what it was given until it may go on."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(cluster, name)
        self.given = threading.Event()
        self.may_go_on = threading.Event()

    def append(self, records: Sequence[Record]) -> list[int]:
        self.given.set()
        assert self.may_go_on.wait(WAIT_SECONDS)
        return super().append(records)


def test_two_relays_share_the_work_and_carry_nothing_twice(parked: Parked) -> None:
    """One does not wait for the other, and leaves what the other has claimed."""
    more = 5
    parked.park(*(_letter(b"%d" % number) for number in range(CARRIED_AT_ONCE_MAX + more)))
    slow = Slow(parked.cluster, topics.dead_letters(parked.prefix))
    first = threading.Thread(target=parked.relay, args=(slow,))
    first.start()
    assert slow.given.wait(WAIT_SECONDS)
    assert parked.relay() == more
    assert parked.relay() == 0
    slow.may_go_on.set()
    first.join(WAIT_SECONDS)
    found = [one.letter for one in parked.carried]
    assert len(found) == len(set(found)) == CARRIED_AT_ONCE_MAX + more
    assert parked.unsent == 0


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_what_the_gateway_parks_a_monitor_carries(fleet: Fleet) -> None:
    """Every letter of the table is in the topic, once where nothing was struck."""
    fleet.start("monitor-1", "gateway")
    with Load(fleet, fleet.make_keys(["FR01"], SPONSOR), 6), fleet.database() as database:

        def some() -> bool:
            with database.reading() as connection:
                return (connection.scalar(select(func.count()).select_from(dead_letters)) or 0) >= 3

        eventually(some, 60)
    fleet.start("clock", "dispatcher")
    await_settled(fleet)
    with fleet.database() as database, database.reading() as connection:
        letters = {row.id: row.raw for row in connection.execute(select(dead_letters))}
    found = carried(fleet.cluster, fleet.prefix)
    assert {one.letter: one.value for one in found} == letters
    assert len(found) == len(letters)
