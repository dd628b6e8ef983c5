"""How a topic of an outside producer is read: to its end whatever stands there, each topic by itself, and not in silence."""

from __future__ import annotations

import pytest

from projections.store.engine.database import Lock, try_lock
from services.gateway import topic_reader
from services.log import topics
from services.log.kafka_client import Cluster, LogUnavailable
from tests.brokers import free_port
from tests.crash.deployment import eventually
from tests.distributed.outside import DESK, LAB, Topics


def test_a_topic_is_read_to_its_end_though_nothing_more_is_brought(there: Topics) -> None:
    """What was aborted, and the markers of transactions, take offsets: who counts what waits must not wait for them for ever."""
    producer = there.send(LAB, **{"transactional.id": there.prefix})
    producer.commit_transaction(60)
    reader = there.reader(LAB)

    def is_at_the_end() -> bool:
        return not reader.work() and there.lags[LAB] == {0: 0}

    eventually(is_at_the_end, 30, lambda: there.lags)
    assert there.taken == {"FR01-001-e", "FR01-001-t"}
    producer.begin_transaction()
    producer.produce(topics.intake(there.prefix, LAB), b"x" * 100_000)
    assert producer.flush(30) == 0
    producer.abort_transaction(60)
    # Two events, a marker, what was aborted, and a marker.
    eventually(lambda: is_at_the_end() and there.reached(reader) == 5, 30, lambda: there.lags)
    assert reader.trouble() is None
    reader.close()


def test_one_topic_does_not_wait_for_another(there: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has the turn of one and does not go on: that is said, with how much waits, and the other is read."""
    monkeypatch.setattr(topic_reader, "STALLED_SECONDS", 1.0)
    there.send(LAB)
    there.send(DESK, "FR01-002")
    stuck, going = there.reader(LAB), there.reader(DESK)
    with there.database.writing() as connection:
        assert try_lock(connection, Lock.INTAKE, stuck.consumer_name)
        eventually(lambda: not stuck.work() and stuck.trouble() is not None, 30, lambda: there.lags)
        eventually(lambda: not going.work() and there.taken == {"FR01-002-e", "FR01-002-t"}, 30)
        assert there.lags == {LAB: {0: 2}, DESK: {0: 0}}
        assert going.trouble() is None
    eventually(lambda: not stuck.work() and stuck.trouble() is None, 30)
    assert there.lags[LAB] == {0: 0}
    for reader in (stuck, going):
        reader.close()


def test_a_lag_that_is_not_known_is_not_told(there: Topics) -> None:
    """An old number would look like a new one."""
    reader = there.reader(LAB, Cluster((f"127.0.0.1:{free_port()}",)))
    with pytest.raises(LogUnavailable):
        reader.work()
    assert there.lags == {LAB: {}}
