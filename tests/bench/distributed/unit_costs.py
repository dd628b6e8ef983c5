"""What an event takes to keep, and what a service takes at rest: the units of the arithmetic in docs/distributed.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import psycopg
from kafka import KafkaAdminClient

from tests.bench.distributed.goals import progress
from tests.bench.distributed.ground import Ground, plain
from tests.bench.distributed.processes import resident_mb
from tests.bench.distributed.workers import await_reached, cpu_seconds
from tests.distributed.fleet import SERVICES, Fleet

#: What the gateway writes of each event that it takes, which here came from the topic alone.
_AS_THE_GATEWAY: Final = """
    INSERT INTO taken_events SELECT source, event_id, subject, partition, "offset" FROM chart_events;
    INSERT INTO record_owners SELECT subject, kind, record_id, min(source) FROM chart_events GROUP BY 1, 2, 3;
"""
_SIZES: Final = """
    SELECT relname, pg_total_relation_size(oid), (SELECT reltuples::bigint)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC
"""
SHOWN: Final = 8
REST_SECONDS: Final = 10


def run(ground: Ground) -> None:
    """Print bytes an event, table by table, and how many rows there are of what grows otherwise."""
    progress("sizes")
    ends = ground.ends()
    events = sum(ends.values())
    with ground.copy() as database, ground.fleet(database) as fleet:
        fleet.begin("monitor-1")
        await_reached(database, ends)
        fleet.stop("monitor-1")
        with psycopg.connect(plain(database), autocommit=True) as connection:
            connection.execute(_AS_THE_GATEWAY)
            connection.execute("VACUUM ANALYZE")
            tables = connection.execute(_SIZES).fetchall()
    topic = _topic_bytes(ground)
    print(f"\nkept of {events} events: bytes an event")
    print(f"  {'the topic, one replica':42} {topic / events:8.0f}")
    print(f"  {'the database, indices among them':42} {sum(size for _, size, _ in tables) / events:8.0f}")
    for name, size, rows in tables[:SHOWN]:
        print(f"    {name:40} {size / events:8.0f}   {rows} rows")
    progress("services at rest")
    print("  one process of each service, with nothing to do")
    for line in _at_rest(ground):
        print(line)


def _at_rest(ground: Ground) -> Iterator[str]:
    """Each service with nothing to do."""
    another = ground.another()
    with another.copy() as database, another.fleet(database) as fleet:
        fleet.start(*SERVICES)
        before = {name: _cpu(fleet, name) for name in SERVICES}
        time.sleep(REST_SECONDS)
        for name in SERVICES:
            process = fleet.members[name].process
            assert process is not None
            share = (_cpu(fleet, name) - before[name]) / REST_SECONDS
            yield f"    {name:40} {resident_mb(process.pid):5} MB, {share:6.2%} of a core"


def _cpu(fleet: Fleet, name: str) -> float:
    return cpu_seconds(fleet, [name])


def _topic_bytes(ground: Ground) -> int:
    client = KafkaAdminClient(bootstrap_servers=ground.broker.address)
    try:
        found = client.describe_log_dirs([ground.topic])
    finally:
        client.close()
    return sum(
        partition["partition_size"]
        for broker in found
        for directory in broker["log_dirs"]
        for topic in directory["topics"]
        for partition in topic["partitions"]
    )
