"""Which rules judge, from when: ``toxwatch.protocol.activated.v1`` in the clinical log, at the start and on a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from events.catalog import EVENT_ADAPTER
from events.clock import ProtocolActivated
from events.dates import Instant, format_instant, parse_instant
from events.identity import derived_id
from events.triage import readable_id
from projections.folds.trial import PROTOCOL, Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import next_offset
from projections.store.engine.tables import NOBODY
from projections.store.write.rules_in_force import put_in_force, rules_in_force
from services.log.port import EventLog, NewEntry
from services.monitor.monitor import CONSUMER
from services.platform.fail_points import nothing
from services.platform.time_source import Clock
from services.trials.rules_version import configuration_hash, rules_version

READ_AT_ONCE_MAX: Final = 500


def activate(
    database: Database,
    log: EventLog,
    trial: Trial,
    clock: Clock,
    fail_point: Callable[[str], None] = nothing,
) -> bool:
    """Write to the log that these rules are in force, unless they are already; say whether it was written.

    The id is derived from the rules and from those that were in force before. Where it was written already, and whoever wrote
    it was stopped before they were in force, the same bytes are written again.
    """
    sha256 = configuration_hash(trial.protocol)
    with database.writing() as connection:
        # First of all: another process that starts now waits here, and then finds them in force.
        received = log.stamp(clock.now(), connection)
        latest = rules_in_force(connection)
        if latest is not None and latest.sha256 == sha256:
            return False
        event_id = derived_id("protocol", trial.id, sha256, latest.activated_by.id if latest is not None else "")
        body = _unread(connection, log, event_id) or _event(trial, event_id, sha256, received)
        log.append_everywhere(NewEntry(trial.key_about(PROTOCOL), NOBODY, trial.source, event_id, body), connection)
        # At once, not when the monitor comes to it: what waits before it in the log is judged by these rules already.
        activated = EVENT_ADAPTER.validate_json(body)
        assert isinstance(activated, ProtocolActivated)
        put_in_force(connection, activated, parse_instant(activated.time))
        fail_point("activation.appended")
    return True


def _unread(connection: Connection, log: EventLog, event_id: str) -> bytes | None:
    """The event, where it stands in the log and the monitor has not come to it yet."""
    for partition in range(log.partitions):
        offset = next_offset(connection, CONSUMER, partition)
        while entries := log.read(partition, offset, READ_AT_ONCE_MAX):
            for entry in entries:
                if readable_id(entry.body) == event_id:
                    return entry.body
            offset = entries[-1].position.offset + 1
    return None


def _event(trial: Trial, event_id: str, sha256: str, received: Instant) -> bytes:
    data = {
        "protocol": trial.protocol.name,
        "version": trial.protocol.version,
        "rules_version": rules_version(),
        "sha256": sha256,
    }
    time = format_instant(received)
    event = trial.envelope("toxwatch.protocol.activated.v1", event_id, time, data) | {"receivedtime": time}
    return json.dumps(event).encode()
